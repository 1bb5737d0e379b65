#include <tests/support/random_ops.h>
#include <algorithm>
#include <cmath>
#include <numeric>

namespace wick::test {
namespace {

using Values = std::vector<const Value*>;
using Tensors = std::vector<Tensor>;
using Plains = std::vector<Plain>;
using Row = std::vector<double>;

// --- types

int category(DType t) { return t == kBool ? 0 : is_floating_point(t) ? 2 : 1; }

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if (category(a) == 2) {
    if (element_size(a) == element_size(b)) return kFloat32;  // the two half types
    return element_size(a) > element_size(b) ? a : b;
  }
  if (a == kUInt8) std::swap(a, b);
  if (b == kUInt8) return a == kInt8 ? kInt16 : a;
  return element_size(a) > element_size(b) ? a : b;
}

}  // namespace

DType plain_promotion(const Values& values) {
  bool any[2] = {false, false};
  DType found[2] = {kBool, kBool};  // of tensors with dimensions; of those without
  for (const Value* v : values) {
    const int kind = v->sizes().empty() ? 1 : 0;
    found[kind] = any[kind] ? promote(found[kind], v->dtype()) : v->dtype();
    any[kind] = true;
  }
  if (!any[0]) return found[1];
  if (!any[1] || category(found[0]) >= category(found[1])) return found[0];
  return promote(found[0], found[1]);
}

DType plain_result_type(const RandomOp& op, const Values& in) {
  const DType promoted = plain_promotion(in);
  switch (op.typed) {
    case Typed::Promoted:
      return promoted;
    case Typed::Floating:
      return category(promoted) == 2 ? promoted : get_default_dtype();
    case Typed::Bool:
      return kBool;
    case Typed::Int64:
      return kInt64;
    case Typed::Summed:
      return category(promoted) == 2 ? promoted : kInt64;
    case Typed::First:
      return in[0]->dtype();
  }
  return promoted;
}

namespace {

// --- drawing

bool always(Random&, const Values&, Step&) { return true; }
bool floating(Random&, const Values& in, Step&) {
  return std::all_of(in.begin(), in.end(),
                     [](const Value* v) { return is_floating_point(v->dtype()); });
}
/// For what rounds between its ops.
bool floating_not_half(Random& r, const Values& in, Step& s) {
  return floating(r, in, s) && !is_reduced_float(in[0]->dtype());
}
bool not_bool(Random&, const Values& in, Step&) { return in[0]->dtype() != kBool; }
bool fit(Random&, const Values& in, Step&) {
  Ints sizes;
  // Where one is rounded to the other's type first, plain results are too far away.
  if (is_reduced_float(plain_promotion(in)) && in[0]->dtype() != in[1]->dtype()) return false;
  return broadcast(in[0]->sizes(), in[1]->sizes(), sizes);
}
bool fit_not_bool(Random& r, const Values& in, Step& s) {
  return fit(r, in, s) && plain_promotion(in) != kBool;
}
bool one_dim(Random& r, const Values& in, Step& s) {
  if (in[0]->sizes().empty()) return false;
  s.n = {r.below(in[0]->plain.dim()), r.below(2)};
  return true;
}
bool filled_dim(Random& r, const Values& in, Step& s) {
  return one_dim(r, in, s) && in[0]->plain.numel() > 0 && in[0]->dtype() != kBool;
}
bool floating_dim(Random& r, const Values& in, Step& s) {
  return floating(r, in, s) && one_dim(r, in, s);
}
bool two_dims(Random& r, const Values& in, Step& s) {
  if (in[0]->sizes().empty()) return false;
  s.n = {r.below(in[0]->plain.dim()), r.below(in[0]->plain.dim())};
  return true;
}
bool changes(Random& r, const Values& in, Step& s) {
  Ints sizes;
  return fit(r, in, s) && broadcast(in[0]->sizes(), in[1]->sizes(), sizes) &&
         sizes == in[0]->sizes() && !repeats_elements(in[0]->plain) && in[0]->dtype() != kBool &&
         category(plain_promotion(in)) <= category(in[0]->dtype());
}
bool matrices(Random&, const Values& in, Step&) {
  const Plain &a = in[0]->plain, &b = in[1]->plain;
  if (a.dim() < 2 || b.dim() < 2 || in[0]->dtype() != in[1]->dtype()) return false;
  Ints sizes;
  return is_floating_point(in[0]->dtype()) && a.sizes.back() == b.sizes[b.sizes.size() - 2] &&
         broadcast(Ints(a.sizes.begin(), a.sizes.end() - 2),
                   Ints(b.sizes.begin(), b.sizes.end() - 2), sizes);
}
bool joined(Random& r, const Values& in, Step& s) {
  if (!one_dim(r, in, s) || in[0]->plain.dim() != in[1]->plain.dim()) return false;
  Ints a = in[0]->sizes(), b = in[1]->sizes();
  a[static_cast<size_t>(s.n[0])] = b[static_cast<size_t>(s.n[0])] = 0;
  return a == b;
}

// --- plain views

Plain viewed(const Plain& x, Ints sizes, Ints strides, int64_t offset) {
  return {x.data, std::move(sizes), std::move(strides), offset};
}
template <class T>
T without(T list, int64_t at) {
  list.erase(list.begin() + at);
  return list;
}
template <class T>
T with(T list, int64_t at, int64_t value) {
  list.insert(list.begin() + at, value);
  return list;
}
Plain sliced(const Plain& x, const Ints& n) {  // n: dim, start, length, step
  const auto d = static_cast<size_t>(n[0]);
  Plain y = x;
  y.offset += n[1] * x.strides[d];
  y.sizes[d] = n[2];
  y.strides[d] *= n[3];
  return y;
}
Plain transposed(Plain x, const Ints& n) {
  std::swap(x.sizes[static_cast<size_t>(n[0])], x.sizes[static_cast<size_t>(n[1])]);
  std::swap(x.strides[static_cast<size_t>(n[0])], x.strides[static_cast<size_t>(n[1])]);
  return x;
}

// --- plain functions

// Wider than double, or the plain sum of thousands would be the worse one.
double sum_of(const Row& row) {
  return static_cast<double>(std::accumulate(row.begin(), row.end(), 0.0L));
}
double max_of(const Row& row) { return *std::max_element(row.begin(), row.end()); }
double first_max_of(const Row& row) {
  return static_cast<double>(std::max_element(row.begin(), row.end()) - row.begin());
}
Row softmax_of(Row row) {
  if (row.empty()) return row;
  const double top = max_of(row);
  for (double& v : row) v = std::exp(v - top);
  const double total = sum_of(row);
  for (double& v : row) v /= total;
  return row;
}
Row log_softmax_of(Row row) {
  if (row.empty()) return row;
  const double top = max_of(row);
  Row powers;
  for (const double v : row) powers.push_back(std::exp(v - top));
  const double total = std::log(sum_of(powers));
  for (double& v : row) v -= top + total;
  return row;
}
double gelu_of(double v) { return v * 0.5 * std::erfc(-v * std::sqrt(0.5)); }

#define X in[0]
#define Y in[1]
#define DIM s.n[0]
#define KEEP (s.n[1] != 0)
#define RUN [](const Tensors& in, [[maybe_unused]] const Step& s) -> Tensor
#define PLAIN [](const Plains& in, [[maybe_unused]] const Step& s) -> Plain
#define UNARY(name, draw, expression, typed)                        \
  {                                                                 \
#name, 1, draw, RUN { return X.name(); }                        \
    , PLAIN {                                                       \
      return map(X, [](double v) -> double { return expression; }); \
    }                                                               \
    , typed                                                         \
  }
#define BINARY(name, draw, expression, typed)                                    \
  {                                                                              \
#name, 2, draw, RUN { return X.name(Y); }                                    \
    , PLAIN {                                                                    \
      return map(X, Y, [](double a, double b) -> double { return expression; }); \
    }                                                                            \
    , typed                                                                      \
  }

// clang-format off
std::vector<RandomOp> pointwise_ops() {
  return {
      UNARY(exp, floating, std::exp(v), Typed::Floating),
      UNARY(tanh, always, std::tanh(v), Typed::Floating),
      UNARY(sigmoid, always, 1 / (1 + std::exp(-v)), Typed::Floating),
      UNARY(erf, always, std::erf(v), Typed::Floating),
      UNARY(neg, not_bool, -v, Typed::Promoted),
      UNARY(abs, not_bool, std::abs(v), Typed::Promoted),
      UNARY(relu, not_bool, v > 0 ? v : 0, Typed::Promoted),
      {"gelu", 1, floating, RUN { return gelu(X); }, PLAIN { return map(X, gelu_of); }},
      {"sqrt of 1 + abs", 1, floating_not_half, RUN { return (X.abs() + 1).sqrt(); },
       PLAIN { return map(X, [](double v) { return std::sqrt(std::abs(v) + 1); }); }},
      {"log of 1 + square", 1, floating_not_half, RUN { return (X * X + 1).log(); },
       PLAIN { return map(X, [](double v) { return std::log(v * v + 1); }); }},
      BINARY(add, fit, a + b, Typed::Promoted),
      BINARY(sub, fit_not_bool, a - b, Typed::Promoted),
      BINARY(mul, fit, a * b, Typed::Promoted),
      BINARY(div, fit, a / b, Typed::Floating),
      BINARY(maximum, fit, std::max(a, b), Typed::Promoted),
      BINARY(minimum, fit, std::min(a, b), Typed::Promoted),
      BINARY(eq, fit, a == b, Typed::Bool),
      BINARY(lt, fit, a < b, Typed::Bool),
      BINARY(ge, fit, a >= b, Typed::Bool),
      {"where", 3,
       [](Random&, const Values& in, Step&) {
         Ints sizes, all;
         return in[0]->dtype() == kBool && in[1]->dtype() == in[2]->dtype() &&
                broadcast(in[0]->sizes(), in[1]->sizes(), sizes) &&
                broadcast(sizes, in[2]->sizes(), all);
       },
       RUN { return where(X, Y, in[2]); },
       PLAIN {
         Ints sizes, all;
         broadcast(X.sizes, Y.sizes, sizes);
         broadcast(sizes, in[2].sizes, all);
         Plain y = plain(all);
         for_each_index(all, [&](const Ints& i) {
           y.at(i) = broadcast_at(X, i) != 0 ? broadcast_at(Y, i) : broadcast_at(in[2], i);
         });
         return y;
       }},
  };
}

std::vector<RandomOp> reductions() {
  return {
      {"sum", 1, always, RUN { return X.sum(); }, PLAIN { return reduce(X, -1, false, sum_of); }, Typed::Summed, Errors::Sum},
      {"sum over a dimension", 1, one_dim, RUN { return X.sum(DIM, KEEP); }, PLAIN { return reduce(X, DIM, KEEP, sum_of); }, Typed::Summed, Errors::Sum},
      {"mean over a dimension", 1, floating_dim, RUN { return X.mean(DIM, KEEP); },
       PLAIN { return reduce(X, DIM, KEEP, [](const Row& r) { return sum_of(r) / static_cast<double>(r.size()); }); }, Typed::Promoted, Errors::Sum},
      {"max over a dimension", 1, filled_dim, RUN { return std::get<0>(X.max(DIM, KEEP)); }, PLAIN { return reduce(X, DIM, KEEP, max_of); }},
      {"argmax", 1, filled_dim, RUN { return X.argmax(DIM, KEEP); }, PLAIN { return reduce(X, DIM, KEEP, first_max_of); }, Typed::Int64},
      {"softmax", 1, floating_dim, RUN { return X.softmax(DIM); }, PLAIN { return map_rows(X, DIM, softmax_of); }},
      {"log_softmax", 1, floating_dim, RUN { return X.log_softmax(DIM); }, PLAIN { return map_rows(X, DIM, log_softmax_of); }, Typed::Promoted, Errors::Sum},
      {"matmul", 2, matrices, RUN { return X.matmul(Y); }, PLAIN { return product(X, Y); }, Typed::Promoted, Errors::Product},
      {"matmul with itself", 1, [](Random& r, const Values& in, Step& s) { return in[0]->plain.dim() >= 2 && floating(r, in, s); },
       RUN { return X.matmul(X.transpose(-2, -1)); }, PLAIN { return product(X, transposed(X, {X.dim() - 2, X.dim() - 1})); }, Typed::Promoted, Errors::Product},
  };
}

std::vector<RandomOp> views() {
  return {
      {"transpose", 1, two_dims, RUN { return X.transpose(s.n[0], s.n[1]); }, PLAIN { return transposed(X, s.n); }},
      {"slice", 1,
       [](Random& r, const Values& in, Step& s) {
         if (in[0]->sizes().empty()) return false;
         const int64_t d = r.below(in[0]->plain.dim()), size = in[0]->sizes()[static_cast<size_t>(d)];
         const int64_t start = r.below(size + 1), step = r.between(1, 3);
         s.n = {d, start, (size - start + step - 1) / step, step};
         return true;
       },
       RUN { return X.slice(s.n[0], s.n[1], std::nullopt, s.n[3]); }, PLAIN { return sliced(X, s.n); }},
      {"select", 1,
       [](Random& r, const Values& in, Step& s) {
         if (!one_dim(r, in, s) || in[0]->sizes()[static_cast<size_t>(DIM)] == 0) return false;
         s.n[1] = r.below(in[0]->sizes()[static_cast<size_t>(DIM)]);
         return true;
       },
       RUN { return X.select(s.n[0], s.n[1]); },
       PLAIN { return viewed(X, without(X.sizes, DIM), without(X.strides, DIM), X.offset + s.n[1] * X.strides[static_cast<size_t>(DIM)]); }},
      {"unsqueeze", 1,
       [](Random& r, const Values& in, Step& s) {
         s.n = {r.below(in[0]->plain.dim() + 1)};
         return in[0]->plain.dim() < 5;
       },
       RUN { return X.unsqueeze(DIM); }, PLAIN { return viewed(X, with(X.sizes, DIM, 1), with(X.strides, DIM, 0), X.offset); }},
      {"expand", 1,
       [](Random& r, const Values& in, Step& s) {
         for (const int64_t size : in[0]->sizes()) s.n.push_back(size == 1 ? r.between(0, 3) : size);
         return !s.n.empty() && s.n != in[0]->sizes();
       },
       RUN { return X.expand(s.n); },
       PLAIN {
         Plain y = viewed(X, s.n, X.strides, X.offset);
         for (size_t d = 0; d < s.n.size(); ++d)
           if (X.sizes[d] == 1) y.strides[d] = 0;
         return y;
       }},
      {"contiguous copy", 1, always, RUN { return X.clone().contiguous(); }, PLAIN { return copy_of(X); }},
      {"flattened copy", 1, always, RUN { return X.clone().reshape(-1); },
       PLAIN {
         Plain y = copy_of(X);
         return viewed(y, {y.numel()}, {1}, 0);
       }},
  };
}

std::vector<RandomOp> moving_ops() {
  return {
      {"cat", 2, joined, RUN { return cat({X, Y}, DIM); },
       PLAIN {
         const auto d = static_cast<size_t>(DIM);
         Ints sizes = X.sizes;
         sizes[d] += Y.sizes[d];
         Plain y = plain(sizes);
         write(sliced(y, {DIM, 0, X.sizes[d], 1}), values_of(X));
         write(sliced(y, {DIM, X.sizes[d], Y.sizes[d], 1}), values_of(Y));
         return y;
       }},
      {"index_select", 1,
       [](Random& r, const Values& in, Step& s) {
         if (!one_dim(r, in, s)) return false;
         s.n = {DIM};
         const int64_t size = in[0]->sizes()[static_cast<size_t>(DIM)];
         for (int64_t i = size > 0 ? r.below(5) : 0; i > 0; --i) s.n.push_back(r.below(size));
         return true;
       },
       RUN { return X.index_select(DIM, tensor(without(s.n, 0), kInt64)); },
       PLAIN {
         const auto d = static_cast<size_t>(DIM);
         Ints sizes = X.sizes;
         sizes[d] = static_cast<int64_t>(s.n.size()) - 1;
         Plain y = plain(sizes);
         for_each_index(sizes, [&](const Ints& i) {
           Ints from = i;
           from[d] = s.n[static_cast<size_t>(i[d]) + 1];
           y.at(i) = X.at(from);
         });
         return y;
       }},
      {"add_", 2, changes, RUN { return Tensor(X).add_(Y); },
       PLAIN {
         write(X, values_of(map(X, Y, [](double a, double b) { return a + b; })));
         return X;
       }, Typed::First, Errors::Pointwise, true},
      {"mul_", 2, changes, RUN { return Tensor(X).mul_(Y); },
       PLAIN {
         write(X, values_of(map(X, Y, [](double a, double b) { return a * b; })));
         return X;
       }, Typed::First, Errors::Pointwise, true},
      {"copy_", 2, changes, RUN { return Tensor(X).copy_(Y); },
       PLAIN {
         write(X, values_of(map(X, Y, [](double, double b) { return b; })));
         return X;
       }, Typed::First, Errors::Pointwise, true},
  };
}
// clang-format on

}  // namespace

const std::vector<RandomOp>& random_ops() {
  static const auto* const all = [] {
    auto* list = new std::vector<RandomOp>;
    for (auto ops : {pointwise_ops(), reductions(), views(), moving_ops()})
      list->insert(list->end(), ops.begin(), ops.end());
    return list;
  }();
  return *all;
}

}  // namespace wick::test
