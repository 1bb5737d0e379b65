#include <wick/core/make.h>
#include <wick/core/ops/pointwise_engine.h>
#include <cmath>
#include <limits>

// Clamping, and the activation functions with arguments.
namespace wick {

using detail::Operand;

namespace {

void check_bounds(bool any) {
  WICK_CHECK(ValueError, any, "clamp: expected min or max, got neither");
}

/// x in the type that the result has.
Tensor clamp_input(const Tensor& x, const std::optional<Scalar>& min,
                   const std::optional<Scalar>& max) {
  check_bounds(min || max);
  const Tensor in = min ? x.to(detail::result_type(x, *min)) : x;
  return max ? in.to(detail::result_type(in, *max)) : in;
}

pointwise::Clamp clamp_op(const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  return {min ? min->toDouble() : -kInf, max ? max->toDouble() : kInf};
}

/// Integers of 64 bits do not go through double.
Tensor clamp_integers(const Tensor& x, const std::optional<Scalar>& min,
                      const std::optional<Scalar>& max) {
  const auto bound = [&](const Tensor& in, Scalar by, auto op, BinaryOp kind) {
    detail::immediate_for("clamp", by, in.dtype());  // throws if it does not fit
    return detail::binary<decltype(op)>("clamp", kind, Operand(in), Operand(by));
  };
  const Tensor low = min ? bound(x, *min, pointwise::Maximum(), BinaryOp::Maximum) : x;
  return max ? bound(low, *max, pointwise::Minimum(), BinaryOp::Minimum) : low;
}

}  // namespace

Tensor clamp(const Tensor& x, const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  const Tensor in = clamp_input(x, min, max);
  if (!is_floating_point(in.dtype())) return clamp_integers(in, min, max);
  const pointwise::Clamp op = clamp_op(min, max);
  if (std::isnan(op.low) || std::isnan(op.high)) return in * std::nan("");
  return detail::unary("clamp", UnaryOp::Clamp, in, true, op);
}
Tensor clamp(const Tensor& x, const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
  check_bounds(min || max);
  const Tensor low = min ? where(logical_or(x < *min, isnan(*min)), *min, x) : x;
  return max ? where(logical_or(low > *max, isnan(*max)), *max, low) : low;
}
Tensor Tensor::clamp(const std::optional<Scalar>& min, const std::optional<Scalar>& max) const {
  return wick::clamp(*this, min, max);
}
Tensor Tensor::clamp(const std::optional<Tensor>& min, const std::optional<Tensor>& max) const {
  return wick::clamp(*this, min, max);
}
Tensor& Tensor::clamp_(const std::optional<Scalar>& min, const std::optional<Scalar>& max) {
  const pointwise::Clamp op = clamp_op(min, max);
  if (!wick::is_floating_point(dtype()) || std::isnan(op.low) || std::isnan(op.high)) {
    return detail::composed_inplace("clamp_", *this,
                                    [&](const Tensor& x) { return wick::clamp(x, min, max); });
  }
  check_bounds(min || max);
  return detail::unary_inplace("clamp_", UnaryOp::Clamp, *this, true, op);
}
Tensor& Tensor::clamp_(const std::optional<Tensor>& min, const std::optional<Tensor>& max) {
  return detail::composed_inplace("clamp_", *this,
                                  [&](const Tensor& x) { return wick::clamp(x, min, max); });
}

Tensor hardtanh(const Tensor& x, Scalar min_val, Scalar max_val) {
  WICK_CHECK(ValueError, !(min_val.toDouble() > max_val.toDouble()),
             "hardtanh: expected min_val <= max_val, got ", min_val, " and ", max_val);
  if (is_integral(x.dtype())) return clamp_integers(x, min_val, max_val);
  const pointwise::Hardtanh op{min_val.toDouble(), max_val.toDouble()};
  return detail::unary("hardtanh", UnaryOp::Hardtanh, x, true, op);
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }

Tensor leaky_relu(const Tensor& x, Scalar negative_slope) {
  const pointwise::LeakyRelu op{negative_slope.toDouble()};
  return detail::unary("leaky_relu", UnaryOp::LeakyRelu, x, true, op);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  const int64_t channels = x.dim() < 2 ? 1 : x.size(1);
  WICK_CHECK(ShapeError, weight.numel() == 1 || (weight.dim() == 1 && weight.size(0) == channels),
             "prelu: expected a weight of 1 or ", channels, " elements, got ", weight.sizes());
  detail::Dims shape(x.sizes());
  for (int64_t d = 0; d < x.dim(); ++d) shape[d] = d == 1 && weight.numel() != 1 ? channels : 1;
  return where(x > 0, x, x * weight.reshape(shape));
}

Tensor elu(const Tensor& x, Scalar alpha, Scalar scale, Scalar input_scale) {
  const pointwise::Elu op{alpha.toDouble(), scale.toDouble(), input_scale.toDouble()};
  return detail::unary("elu", UnaryOp::Elu, x, true, op);
}
Tensor selu(const Tensor& x) { return elu(x, 1.6732632423543772, 1.0507009873554805); }
Tensor celu(const Tensor& x, Scalar alpha) {
  WICK_CHECK(ValueError, alpha.toDouble() != 0, "celu: expected an alpha other than 0");
  return elu(x, alpha, 1, 1 / alpha.toDouble());
}

Tensor softplus(const Tensor& x, Scalar beta, Scalar threshold) {
  const pointwise::Softplus op{beta.toDouble(), threshold.toDouble()};
  return detail::unary("softplus", UnaryOp::Softplus, x, true, op);
}

Tensor threshold(const Tensor& x, Scalar threshold, Scalar value) {
  return masked_fill(x, x <= threshold, value);
}
Tensor hardshrink(const Tensor& x, Scalar lambda) {
  return masked_fill(x, abs(x.detach()) <= lambda, 0);
}
Tensor softshrink(const Tensor& x, Scalar lambda) {
  WICK_CHECK(ValueError, lambda.toDouble() >= 0, "softshrink: expected lambda >= 0, got ", lambda);
  return x - clamp(x, -lambda.toDouble(), lambda);
}
Tensor tanhshrink(const Tensor& x) { return x - tanh(x); }
Tensor softsign(const Tensor& x) { return x / (abs(x) + 1); }

Tensor glu(const Tensor& x, int64_t dim) {
  WICK_CHECK(ShapeError, x.dim() > 0,
             "glu: expected a tensor of at least 1 dimension, got a number");
  const int64_t size = x.size(dim);
  WICK_CHECK(ShapeError, size % 2 == 0, "glu: expected an even size to halve, got ", size,
             " in dimension ", dim);
  return narrow(x, dim, 0, size / 2) * sigmoid(narrow(x, dim, size / 2, size / 2));
}

}  // namespace wick
