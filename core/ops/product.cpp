#include <wick/core/ops/common.h>
#include <algorithm>
#include <numeric>
#include <vector>

// Products of other kinds, made of matmul.
namespace wick {

using detail::Dims;

namespace {

Tensor checked_product(const char* op, const Tensor& a, const Tensor& b, int64_t dim_a,
                       int64_t dim_b) {
  WICK_CHECK(ShapeError, a.dim() == dim_a && b.dim() == dim_b, op, ": expected tensors of ", dim_a,
             " and ", dim_b, " dimensions, got ", a.sizes(), " and ", b.sizes(),
             "; matmul() takes others");
  WICK_CHECK(ShapeError, dim_a < 3 || a.sizes()[0] == b.sizes()[0], op,
             ": expected batches of one size, got ", a.sizes(), " and ", b.sizes());
  return matmul(a, b);
}

/// beta x + alpha product.
Tensor add_product(const char* op, const Tensor& x, const Tensor& product, Scalar beta,
                   Scalar alpha) {
  detail::require_dtype(op, "matrices", product, x.dtype());
  WICK_CHECK(
      ValueError,
      is_floating_point(x.dtype()) || !(beta.is_floating_point() || alpha.is_floating_point()), op,
      ": expected integers as beta and alpha of ", x.dtype(), " tensors");
  Tensor scaled = alpha.to<double>() == 1 ? product : product * alpha;
  const Tensor start = x.expand(product.sizes());
  if (beta.to<double>() == 0) return scaled;
  return beta.to<double>() == 1 ? start + scaled : start * beta + scaled;
}

/// Elements of dimension `dim` moved by `by` places, those at the end to the front.
Tensor rotated(const Tensor& x, int64_t dim, int64_t by) {
  const int64_t n = x.size(dim);
  return cat({x.narrow(dim, n - by, by), x.narrow(dim, 0, n - by)}, dim);
}

/// sqrt(x) whose gradient at 0 is 0.
Tensor safe_sqrt(const Tensor& x) {
  const Tensor positive = x > 0;
  return where(positive, sqrt(where(positive, x, 1.0)), 0.0);
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) { return checked_product("mm", a, b, 2, 2); }
Tensor bmm(const Tensor& a, const Tensor& b) { return checked_product("bmm", a, b, 3, 3); }
Tensor mv(const Tensor& a, const Tensor& b) { return checked_product("mv", a, b, 2, 1); }
Tensor dot(const Tensor& a, const Tensor& b) { return checked_product("dot", a, b, 1, 1); }

Tensor outer(const Tensor& a, const Tensor& b) {
  WICK_CHECK(ShapeError, a.dim() == 1 && b.dim() == 1,
             "outer: expected tensors of 1 and 1 dimensions, got ", a.sizes(), " and ", b.sizes());
  return a.unsqueeze(1) * b;
}
Tensor ger(const Tensor& a, const Tensor& b) { return outer(a, b); }

Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return add_product("addmm", x, checked_product("addmm", a, b, 2, 2), beta, alpha);
}
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return add_product("addmv", x, checked_product("addmv", a, b, 2, 1), beta, alpha);
}
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  return add_product("baddbmm", x, checked_product("baddbmm", a, b, 3, 3), beta, alpha);
}

Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b) {
  WICK_CHECK(ShapeError, dims_a.size() == dims_b.size(),
             "tensordot: expected as many dimensions of both, got ", dims_a, " and ", dims_b);
  // Labels as of einsum: a's from 'a', b's from 'A', and those summed over the same.
  std::string left, right, rest;
  for (int64_t d = 0; d < a.dim(); ++d) left += static_cast<char>('a' + d);
  for (int64_t d = 0; d < b.dim(); ++d) right += static_cast<char>('A' + d);
  std::string summed;
  for (size_t i = 0; i < dims_a.size(); ++i) {
    const auto at_a = static_cast<size_t>(detail::wrap_dim("tensordot", dims_a[i], a.dim()));
    const auto at_b = static_cast<size_t>(detail::wrap_dim("tensordot", dims_b[i], b.dim()));
    WICK_CHECK(ShapeError,
               at_a < left.size() && at_b < right.size() &&
                   summed.find(left[at_a]) == std::string::npos && right[at_b] < 'a',
               "tensordot: expected different dimensions, got ", dims_a, " and ", dims_b, " for ",
               a.sizes(), " and ", b.sizes());
    WICK_CHECK(ShapeError, a.sizes()[at_a] == b.sizes()[at_b],
               "tensordot: expected equal sizes of the paired dimensions, got ", a.sizes(), " and ",
               b.sizes(), " with ", dims_a, " and ", dims_b);
    summed += left[at_a];
    right[at_b] = left[at_a];
  }
  for (const char c : left + right)
    if (summed.find(c) == std::string::npos) rest += c;
  return einsum(str(left, ",", right, "->", rest), {a, b});
}

Tensor trace(const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() == 2, "trace: expected a matrix, got shape ", x.sizes());
  return einsum(
      "ii",
      x.narrow(0, 0, std::min(x.size(0), x.size(1))).narrow(1, 0, std::min(x.size(0), x.size(1))));
}

Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim) {
  const Dims sizes = detail::broadcast_shapes("cross", a.sizes(), b.sizes());
  const Tensor x = a.expand(sizes), y = b.expand(sizes);
  int64_t d = 0;
  if (dim) {
    d = detail::wrap_dim("cross", *dim, x.dim());
  } else {
    while (d < x.dim() && x.sizes()[d] != 3) ++d;
  }
  WICK_CHECK(ShapeError, d < x.dim() && x.sizes()[d] == 3,
             "cross: expected a dimension of size 3, got ", a.sizes(), " and ", b.sizes());
  return rotated(x, d, 2) * rotated(y, d, 1) - rotated(x, d, 1) * rotated(y, d, 2);
}

Tensor cdist(const Tensor& a, const Tensor& b, double p, std::optional<int64_t> compute_mode) {
  constexpr const char* kOp = "cdist";
  detail::require_floating(kOp, a);
  detail::require_dtype(kOp, "b", b, a.dtype());
  WICK_CHECK(ShapeError, a.dim() >= 2 && b.dim() >= 2 && a.size(-1) == b.size(-1),
             "cdist: expected a [.., m, k] and b [.., n, k], got ", a.sizes(), " and ", b.sizes());
  WICK_CHECK(ValueError, p >= 0, "cdist: expected p >= 0, got ", p);
  const int64_t mode = compute_mode.value_or(0);
  WICK_CHECK(ValueError, mode >= 0 && mode <= 2, "cdist: expected compute_mode 0, 1 or 2, got ",
             mode);
  const bool by_product = mode == 1 || (mode == 0 && (a.size(-2) > 25 || b.size(-2) > 25));
  if (p == 2 && by_product) {
    const Tensor squares =
        (a * a).sum(-1, true) + (b * b).sum(-1).unsqueeze(-2) - matmul(a, b.transpose(-1, -2)) * 2;
    return safe_sqrt(squares);
  }
  const Tensor difference = a.unsqueeze(-2) - b.unsqueeze(-3);
  // The largest of no numbers would be an error.
  return a.size(-1) == 0 ? difference.sum(-1) : norm(difference, p, -1);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim, double eps) {
  constexpr const char* kOp = "cosine_similarity";
  const DType type = detail::result_type(a, b);
  WICK_CHECK(DTypeError, is_floating_point(type), kOp, ": expected a floating-point tensor, got ",
             type, "; convert it with .to(kFloat32)");
  const Dims sizes = detail::broadcast_shapes(kOp, a.sizes(), b.sizes());
  const Tensor x = a.to(type).expand(sizes), y = b.to(type).expand(sizes);
  const Tensor least = full({}, eps, x.options());
  const auto length = [&](const Tensor& t) { return maximum(norm(t, 2, dim), least); };
  return (x * y).sum(detail::wrap_dim(kOp, dim, x.dim())) / (length(x) * length(y));
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
  return norm(a - b + eps, p, -1, keepdim);
}

// --- methods

#define WICK_METHOD(name) \
  Tensor Tensor::name(const Tensor& other) const { return wick::name(*this, other); }
WICK_METHOD(mm)
WICK_METHOD(bmm)
WICK_METHOD(mv)
WICK_METHOD(dot)
WICK_METHOD(outer)
WICK_METHOD(ger)
#undef WICK_METHOD
#define WICK_METHOD(name)                                                                  \
  Tensor Tensor::name(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { \
    return wick::name(*this, a, b, beta, alpha);                                           \
  }
WICK_METHOD(addmm)
WICK_METHOD(addmv)
WICK_METHOD(baddbmm)
#undef WICK_METHOD
Tensor Tensor::trace() const { return wick::trace(*this); }
Tensor Tensor::cross(const Tensor& other, std::optional<int64_t> dim) const {
  return wick::cross(*this, other, dim);
}

}  // namespace wick
