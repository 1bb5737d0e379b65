#include <tests/support/plain.h>
#include <algorithm>
#include <set>

namespace wick::test {

int64_t Plain::numel() const {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  return n;
}

double& Plain::at(const Ints& index) const {
  int64_t place = offset;
  for (size_t d = 0; d < index.size(); ++d) place += index[d] * strides[d];
  return data->at(static_cast<size_t>(place));
}

Plain plain(const Ints& sizes) {
  Plain x;
  x.sizes = x.strides = sizes;
  int64_t step = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    x.strides[d] = step;
    step *= sizes[d];
  }
  x.data = std::make_shared<std::vector<double>>(static_cast<size_t>(x.numel()));
  return x;
}

void for_each_index(const Ints& sizes, const std::function<void(const Ints&)>& f) {
  for (const int64_t s : sizes)
    if (s == 0) return;
  Ints index(sizes.size(), 0);
  for (;;) {
    f(index);
    size_t d = sizes.size();
    while (d > 0 && ++index[d - 1] == sizes[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

std::vector<double> values_of(const Plain& x) {
  std::vector<double> values;
  for_each_index(x.sizes, [&](const Ints& i) { values.push_back(x.at(i)); });
  return values;
}

void write(const Plain& x, const std::vector<double>& values) {
  size_t next = 0;
  for_each_index(x.sizes, [&](const Ints& i) { x.at(i) = values.at(next++); });
}

Plain copy_of(const Plain& x) {
  Plain y = plain(x.sizes);
  write(y, values_of(x));
  return y;
}

bool repeats_elements(const Plain& x) {
  std::set<double*> seen;
  bool repeated = false;
  for_each_index(x.sizes, [&](const Ints& i) { repeated |= !seen.insert(&x.at(i)).second; });
  return repeated;
}

bool broadcast(const Ints& a, const Ints& b, Ints& out) {
  out.assign(std::max(a.size(), b.size()), 1);
  for (size_t d = 0; d < out.size(); ++d) {
    const int64_t sa = d < a.size() ? a[a.size() - 1 - d] : 1;
    const int64_t sb = d < b.size() ? b[b.size() - 1 - d] : 1;
    if (sa != sb && sa != 1 && sb != 1) return false;
    out[out.size() - 1 - d] = sa == 1 ? sb : sa;
  }
  return true;
}

double& broadcast_at(const Plain& x, const Ints& index) {
  Ints own(index.end() - x.dim(), index.end());
  for (size_t d = 0; d < own.size(); ++d)
    if (x.sizes[d] == 1) own[d] = 0;
  return x.at(own);
}

Plain map(const Plain& x, const std::function<double(double)>& f) {
  Plain y = plain(x.sizes);
  for_each_index(x.sizes, [&](const Ints& i) { y.at(i) = f(x.at(i)); });
  return y;
}

Plain map(const Plain& a, const Plain& b, const std::function<double(double, double)>& f) {
  Ints sizes;
  broadcast(a.sizes, b.sizes, sizes);
  Plain y = plain(sizes);
  for_each_index(sizes,
                 [&](const Ints& i) { y.at(i) = f(broadcast_at(a, i), broadcast_at(b, i)); });
  return y;
}

Plain reduce(const Plain& x, int64_t dim, bool keepdim,
             const std::function<double(const std::vector<double>&)>& f) {
  if (dim < 0) {
    Plain y = plain({});
    y.at({}) = f(values_of(x));
    return y;
  }
  const auto d = static_cast<size_t>(dim);
  Ints outer = x.sizes;
  outer[d] = 1;
  Plain y = plain(outer);
  for_each_index(outer, [&](const Ints& i) {
    std::vector<double> row;
    Ints at = i;
    for (at[d] = 0; at[d] < x.sizes[d]; ++at[d]) row.push_back(x.at(at));
    y.at(i) = f(row);
  });
  if (!keepdim) {
    y.sizes.erase(y.sizes.begin() + dim);
    y.strides.erase(y.strides.begin() + dim);
  }
  return y;
}

Plain map_rows(const Plain& x, int64_t dim,
               const std::function<std::vector<double>(const std::vector<double>&)>& f) {
  const auto d = static_cast<size_t>(dim);
  Ints outer = x.sizes;
  outer[d] = 1;
  Plain y = plain(x.sizes);
  for_each_index(outer, [&](const Ints& i) {
    std::vector<double> row;
    Ints at = i;
    for (at[d] = 0; at[d] < x.sizes[d]; ++at[d]) row.push_back(x.at(at));
    row = f(row);
    for (at[d] = 0; at[d] < x.sizes[d]; ++at[d]) y.at(at) = row.at(static_cast<size_t>(at[d]));
  });
  return y;
}

Plain product(const Plain& a, const Plain& b) {
  const auto lead = [](const Plain& x) { return Ints(x.sizes.begin(), x.sizes.end() - 2); };
  Ints sizes;
  broadcast(lead(a), lead(b), sizes);
  const int64_t k = a.sizes.back();
  sizes.push_back(a.sizes[a.sizes.size() - 2]);
  sizes.push_back(b.sizes.back());
  Plain y = plain(sizes);
  for_each_index(sizes, [&](const Ints& i) {
    Ints ai = i, bi = i;
    long double sum = 0;
    for (int64_t e = 0; e < k; ++e) {
      ai.back() = e;
      bi[bi.size() - 2] = e;
      // Only the leading dimensions broadcast; a matrix dimension of size 1 has index 0 anyway.
      sum += static_cast<long double>(broadcast_at(a, ai)) * broadcast_at(b, bi);
    }
    y.at(i) = static_cast<double>(sum);
  });
  return y;
}

}  // namespace wick::test
