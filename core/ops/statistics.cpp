#include <wick/core/ops/common.h>
#include <wick/core/ops/order.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace wick {

using detail::DimMask;
using detail::Dims;

namespace {

/// Dimensions that are reduced.
struct Over {
  DimMask mask;
  Dims list;   // empty for a tensor without dimensions
  Dims kept;   // sizes with the reduced ones as 1
  Dims sizes;  // of the result
  int64_t count = 1;

  Over(const char* op, const Tensor& x, OptionalIntArrayRef dim, bool keepdim)
      : mask(detail::dim_mask(op, dim, x.dim())),
        kept(detail::reduced_sizes(x.sizes(), mask, true)),
        sizes(detail::reduced_sizes(x.sizes(), mask, keepdim)) {
    for (int64_t d = 0; d < x.dim(); ++d) {
      if (!(mask >> d & 1)) continue;
      list.push_back(d);
      count *= x.sizes()[d];
    }
  }
  IntArrayRef dims() const { return list; }
};

/// The variance, or its square root.
Tensor spread_of(const char* op, const Tensor& x, OptionalIntArrayRef dim,
                 std::optional<int64_t> correction, bool keepdim, bool root) {
  detail::require_floating(op, x);
  const Over over(op, x, dim, keepdim);
  if (is_reduced_float(x.dtype())) {
    return spread_of(op, x.to(DType::Float32), dim, correction, keepdim, root).to(x.dtype());
  }
  const double divisor =
      std::max(0.0, static_cast<double>(over.count) - static_cast<double>(correction.value_or(1)));
  Tensor y;
  {
    const NoGradGuard no_grad;
    const Tensor d = x - mean(x, over.dims(), true);
    y = detail::sum_squares(op, d, over.mask, over.sizes).div_(divisor);
    if (root) y.sqrt_();
  }
  if (needs_grad(x)) {
    record(op, {x}, y,
           [x = save(x), y = root ? save_output(y) : SavedTensor(), over,
            divisor](Backward& ctx) -> Grads {
             const Tensor in = ctx.unpack(x);
             Tensor g = ctx.grad().reshape(over.kept) * (2 / divisor);
             if (y.defined()) {  // where it is 0, so is the distance from the mean
               const Tensor twice = ctx.unpack(y).reshape(over.kept) * 2;
               g = g / masked_fill(twice, twice == 0, 1);
             }
             return {g * (in - mean(in, over.dims(), true))};
           });
  }
  return y;
}

/// The square root of the sum of squares.
Tensor norm_2(const Tensor& x, const Over& over) {
  Tensor y;
  {
    const NoGradGuard no_grad;
    y = detail::sum_squares("norm", x, over.mask, over.sizes).sqrt_().to(x.dtype());
  }
  if (needs_grad(x)) {
    record("norm", {x}, y,
           [x = save(x), y = save_output(y), kept = over.kept](Backward& ctx) -> Grads {
             const Tensor norm = ctx.unpack(y).reshape(kept);  // if 0, so is x
             return {ctx.unpack(x) * (ctx.grad().reshape(kept) / masked_fill(norm, norm == 0, 1))};
           });
  }
  return y;
}

Tensor norm_over(const Tensor& x, double p, OptionalIntArrayRef dim, bool keepdim) {
  detail::require_floating("norm", x);
  const Over over("norm", x, dim, keepdim);
  if (p == 2) return norm_2(x, over);
  if (is_reduced_float(x.dtype()))
    return norm_over(x.to(DType::Float32), p, dim, keepdim).to(x.dtype());
  if (p == 0) return (x != 0).to(x.dtype()).sum(over.dims(), keepdim);
  const Tensor size = abs(x);
  if (p == 1) return size.sum(over.dims(), keepdim);
  if (std::isinf(p))
    return p > 0 ? amax(size, over.dims(), keepdim) : amin(size, over.dims(), keepdim);
  // Powers below 1 have no gradient at 0.
  const Tensor none = x == 0;
  const Tensor powers =
      p < 2 && p > 0 ? where(none, 0.0, pow(masked_fill(size, none, 1), p)) : pow(size, p);
  const Tensor total = powers.sum(over.dims(), keepdim);
  if (p < 0) return pow(total, 1 / p);
  const Tensor empty = total == 0;
  return where(empty, 0.0, pow(masked_fill(total, empty, 1), 1 / p));
}

}  // namespace

Tensor var(const Tensor& x, OptionalIntArrayRef dim, std::optional<int64_t> correction,
           bool keepdim) {
  return spread_of("var", x, dim, correction, keepdim, false);
}
Tensor std(const Tensor& x, OptionalIntArrayRef dim, std::optional<int64_t> correction,
           bool keepdim) {
  return spread_of("std", x, dim, correction, keepdim, true);
}
std::tuple<Tensor, Tensor> var_mean(const Tensor& x, OptionalIntArrayRef dim,
                                    std::optional<int64_t> correction, bool keepdim) {
  return {spread_of("var_mean", x, dim, correction, keepdim, false), mean(x, dim, keepdim)};
}
std::tuple<Tensor, Tensor> std_mean(const Tensor& x, OptionalIntArrayRef dim,
                                    std::optional<int64_t> correction, bool keepdim) {
  return {spread_of("std_mean", x, dim, correction, keepdim, true), mean(x, dim, keepdim)};
}

Tensor norm(const Tensor& x, Scalar p) { return norm_over(x, p.to<double>(), std::nullopt, false); }
Tensor norm(const Tensor& x, std::optional<Scalar> p, IntArrayRef dim, bool keepdim,
            std::optional<DType> dtype) {
  return norm_over(dtype ? x.to(*dtype) : x, p.value_or(2).to<double>(), dim, keepdim);
}

Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim) {
  detail::require_floating("logsumexp", x);
  if (is_reduced_float(x.dtype()))
    return logsumexp(x.to(DType::Float32), dim, keepdim).to(x.dtype());
  const Over over("logsumexp", x, dim, keepdim);
  Tensor y;
  {
    const NoGradGuard no_grad;
    Tensor shift;
    if (over.count > 0) {
      shift = amax(x, over.dims(), true);
      shift = masked_fill(shift, abs(shift) == std::numeric_limits<double>::infinity(), 0);
    } else {
      shift = zeros(over.kept, x.options());
    }
    y = (log(exp(x - shift).sum(over.dims(), true)) + shift).view(over.sizes);
  }
  if (needs_grad(x)) {
    record("logsumexp", {x}, y,
           [x = save(x), y = save_output(y), kept = over.kept](Backward& ctx) -> Grads {
             return {ctx.grad().reshape(kept) * exp(ctx.unpack(x) - ctx.unpack(y).reshape(kept))};
           });
  }
  return y;
}

// --- methods

Tensor Tensor::var(OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) const {
  return wick::var(*this, dim, correction, keepdim);
}
Tensor Tensor::std(OptionalIntArrayRef dim, std::optional<int64_t> correction, bool keepdim) const {
  return wick::std(*this, dim, correction, keepdim);
}
Tensor Tensor::norm(Scalar p) const { return wick::norm(*this, p); }
Tensor Tensor::norm(std::optional<Scalar> p, IntArrayRef dim, bool keepdim,
                    std::optional<DType> dtype) const {
  return wick::norm(*this, p, dim, keepdim, dtype);
}
Tensor Tensor::logsumexp(IntArrayRef dim, bool keepdim) const {
  return wick::logsumexp(*this, dim, keepdim);
}

}  // namespace wick
