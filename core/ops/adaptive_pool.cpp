#include <wick/core/ops/window.h>
#include <limits>

namespace wick {

using detail::Dims;

namespace {

/// Windows of unequal length that share a dimension, as rows of one length in a new dimension
/// behind it.
class SharedWindows {
 public:
  SharedWindows(int64_t in, int64_t out, Device device) : out_(out) {
    even_ = out > 0 && in % out == 0;
    if (even_) {
      length_ = in / out;
      return;
    }
    // floor(o in / out) and ceil((o + 1) in / out), without a product that could overflow. The
    // quotient of float64 may be 1 off.
    const int64_t each = out > 0 ? in / out : 0, rest = out > 0 ? in % out : 0;
    const auto divided = [&](const Tensor& t) {
      const Tensor q = (t.to(kFloat64) / out).to(kInt64), r = t - q * out;
      return q + (r >= out).to(kInt64) - (r < 0).to(kInt64);
    };
    const Tensor o = arange(out, TensorOptions(kInt64).device(device));
    const Tensor begin = o * each + divided(o * rest);
    const Tensor end = (o + 1) * each + divided((o + 1) * rest + (out - 1));
    length_ = each + 2;
    sizes_ = end - begin;
    const Tensor at = begin.unsqueeze(1) + arange(length_, o.options());
    index_ = minimum(at, (end - 1).unsqueeze(1)).reshape(-1);
  }

  Tensor gather(const Tensor& x, int64_t dim) const {
    Dims sizes;
    for (int64_t d = 0; d < x.dim(); ++d) {
      sizes.push_back(d == dim ? out_ : x.sizes()[d]);
      if (d == dim) sizes.push_back(length_);
    }
    return even_ ? x.reshape(sizes) : index_select(x, dim, index_).view(sizes);
  }
  /// The rows with `other` where they are longer than their windows.
  Tensor masked(const Tensor& rows, int64_t dim, double other) const {
    if (even_) return rows;
    const Tensor position = arange(length_, sizes_.options());
    return where(along(position < sizes_.unsqueeze(1), rows, dim), rows, other);
  }
  Tensor mean(const Tensor& x, int64_t dim) const {
    const Tensor rows = gather(x, dim);
    if (even_) return rows.mean(dim + 1);
    const Tensor sum = masked(rows, dim, 0).sum(dim + 1);
    return sum / along(sizes_.to(x.dtype()).unsqueeze(1), rows, dim).squeeze(dim + 1);
  }

 private:
  /// [out, length or 1] as it broadcasts over rows.
  static Tensor along(const Tensor& t, const Tensor& rows, int64_t dim) {
    Dims sizes;
    for (int64_t d = 0; d < rows.dim(); ++d)
      sizes.push_back(d == dim || d == dim + 1 ? t.size(d - dim) : 1);
    return t.reshape(sizes);
  }

  int64_t out_, length_ = 1;
  bool even_;
  Tensor index_, sizes_;
};

Dims checked_sizes(const char* op, int n, const Tensor& x, IntArrayRef output_size) {
  detail::require_planes(op, x, n);
  detail::require_floating(op, x);
  for (int i = 0; i < n; ++i) {
    WICK_CHECK(ShapeError, x.sizes()[x.dim() - n + i] > 0, op,
               ": expected planes of at least one element, got x ", x.sizes());
  }
  return detail::window_values(op, "output_size", output_size, n, 0);
}

Tensor adaptive_avg_pool(const char* op, int n, const Tensor& x, IntArrayRef output_size) {
  const Dims out = checked_sizes(op, n, x, output_size);
  Tensor y = x;
  for (int64_t i = n; i-- > 0;) {
    const int64_t dim = x.dim() - n + i;
    y = SharedWindows(x.sizes()[dim], out[static_cast<int>(i)], x.device()).mean(y, dim);
  }
  return y;
}

std::tuple<Tensor, Tensor> adaptive_max_pool(const char* op, int n, const Tensor& x,
                                             IntArrayRef output_size) {
  const Dims out = checked_sizes(op, n, x, output_size);
  int64_t area = 1;
  for (int i = 0; i < n; ++i) area *= x.sizes()[x.dim() - n + i];
  Tensor y = x;
  Tensor positions = arange(area, x.options().dtype(kInt64))
                         .view(x.sizes().slice(x.dim() - n, n))
                         .expand(x.sizes());
  for (int64_t i = n; i-- > 0;) {
    const int64_t dim = x.dim() - n + i;
    const SharedWindows windows(x.sizes()[dim], out[static_cast<int>(i)], x.device());
    constexpr double kLeast = -std::numeric_limits<double>::infinity();
    const Tensor rows = windows.masked(windows.gather(y, dim), dim, kLeast);
    Tensor which;
    std::tie(y, which) = rows.max(dim + 1);
    Dims sizes;
    for (int64_t d = 0; d < rows.dim(); ++d) sizes.push_back(d == dim + 1 ? rows.sizes()[d] : 1);
    const Tensor chosen =
        which.unsqueeze(dim + 1) == arange(rows.size(dim + 1), which.options()).view(sizes);
    positions = where(chosen, windows.gather(positions, dim), 0).sum(dim + 1);
  }
  return {y, positions};
}

}  // namespace

#define WICK_DEFINE_ADAPTIVE_POOL(n)                                                             \
  Tensor adaptive_avg_pool##n##d(const Tensor& x, IntArrayRef output_size) {                     \
    return adaptive_avg_pool("adaptive_avg_pool" #n "d", n, x, output_size);                     \
  }                                                                                              \
  std::tuple<Tensor, Tensor> adaptive_max_pool##n##d(const Tensor& x, IntArrayRef output_size) { \
    return adaptive_max_pool("adaptive_max_pool" #n "d", n, x, output_size);                     \
  }
WICK_DEFINE_ADAPTIVE_POOL(1)
WICK_DEFINE_ADAPTIVE_POOL(2)
WICK_DEFINE_ADAPTIVE_POOL(3)
#undef WICK_DEFINE_ADAPTIVE_POOL

}  // namespace wick
