#include <wick/core/make.h>
#include <wick/core/ops/pointwise_engine.h>
#include <cmath>
#include <limits>

// Pointwise ops made of others.
namespace wick {

using detail::composed_inplace;
using detail::Operand;

// --- rounded quotients

namespace {

enum class Rounding : uint8_t { None, Trunc, Floor };
Rounding rounding_of(const std::optional<std::string>& mode) {
  WICK_CHECK(ValueError, !mode || *mode == "trunc" || *mode == "floor",
             "div: expected rounding_mode to be \"trunc\" or \"floor\", got \"", *mode, "\"");
  return !mode ? Rounding::None : *mode == "trunc" ? Rounding::Trunc : Rounding::Floor;
}

template <class T>
Tensor divide(const Tensor& a, const T& b, const std::optional<std::string>& mode) {
  const Rounding rounding = rounding_of(mode);
  if (rounding == Rounding::None) return div(a, b);
  if (rounding == Rounding::Floor) return floor_divide(a, b);
  return detail::binary<pointwise::TruncDivide>("div", BinaryOp::TruncDivide, Operand(a),
                                                Operand(b));
}
template <class T>
Tensor& divide_inplace(Tensor& a, const T& b, const std::optional<std::string>& mode) {
  const Rounding rounding = rounding_of(mode);
  if (rounding == Rounding::None) return a.div_(b);
  if (rounding == Rounding::Floor) return a.floor_divide_(b);
  return detail::binary_inplace<pointwise::TruncDivide>("div_", BinaryOp::TruncDivide, a,
                                                        Operand(b));
}

}  // namespace

#define WICK_DEFINE_DIV(Type)                                                             \
  Tensor div(const Tensor& a, Type b, const std::optional<std::string>& rounding_mode) {  \
    return divide(a, b, rounding_mode);                                                   \
  }                                                                                       \
  Tensor Tensor::div(Type other, const std::optional<std::string>& rounding_mode) const { \
    return divide(*this, other, rounding_mode);                                           \
  }                                                                                       \
  Tensor& Tensor::div_(Type other, const std::optional<std::string>& rounding_mode) {     \
    return divide_inplace(*this, other, rounding_mode);                                   \
  }
WICK_DEFINE_DIV(const Tensor&)
WICK_DEFINE_DIV(Scalar)

// --- true or false

Tensor isnan(const Tensor& x) { return ne(x, x); }
Tensor isinf(const Tensor& x) {
  if (!is_floating_point(x.dtype())) return zeros_like(x, kBool);
  return abs(x.detach()) == std::numeric_limits<double>::infinity();
}
Tensor isfinite(const Tensor& x) {
  if (!is_floating_point(x.dtype())) return full_like(x, true, kBool);
  return abs(x.detach()) < std::numeric_limits<double>::infinity();
}
Tensor Tensor::isnan() const { return wick::isnan(*this); }
Tensor Tensor::isinf() const { return wick::isinf(*this); }
Tensor Tensor::isfinite() const { return wick::isfinite(*this); }

static Tensor truth(const Tensor& x) { return x.dtype() == kBool ? x : ne(x, 0); }
Tensor logical_not(const Tensor& x) { return eq(x, 0); }
Tensor Tensor::logical_not() const { return wick::logical_not(*this); }
#define WICK_DEFINE_LOGICAL(name, of_bool)                                              \
  Tensor name(const Tensor& a, const Tensor& b) { return of_bool(truth(a), truth(b)); } \
  Tensor Tensor::name(const Tensor& other) const { return wick::name(*this, other); }
WICK_DEFINE_LOGICAL(logical_and, bitwise_and)
WICK_DEFINE_LOGICAL(logical_or, bitwise_or)
WICK_DEFINE_LOGICAL(logical_xor, bitwise_xor)

Tensor bitwise_not(const Tensor& x) {
  return x.dtype() == kBool ? logical_not(x)
                            : detail::binary<pointwise::BitwiseXor>(
                                  "bitwise_not", BinaryOp::BitwiseXor, Operand(x), Operand(-1));
}
Tensor Tensor::bitwise_not() const { return wick::bitwise_not(*this); }

// --- sums and means

Tensor lerp(const Tensor& a, const Tensor& end, Scalar weight) {
  const Tensor difference = sub(end, a);
  WICK_CHECK(DTypeError, is_floating_point(difference.dtype()),
             "lerp: expected floating-point tensors, got ", difference.dtype(),
             "; convert with .to(kFloat32)");
  // From the nearer end, so that a weight of 1 gives exactly that one.
  const double w = weight.toDouble();
  return std::abs(w) < 0.5 ? add(a, mul(difference, w)) : sub(end, mul(difference, 1 - w));
}
Tensor lerp(const Tensor& a, const Tensor& end, const Tensor& weight) {
  const Tensor difference = sub(end, a);
  WICK_CHECK(DTypeError, is_floating_point(difference.dtype()),
             "lerp: expected floating-point tensors, got ", difference.dtype(),
             "; convert with .to(kFloat32)");
  return where(abs(weight.detach()) < 0.5, add(a, mul(difference, weight)),
               sub(end, mul(difference, 1 - weight)));
}

namespace {

Tensor times(const char* op, const Tensor& x, Scalar value) {
  WICK_CHECK(DTypeError, !value.is_floating_point() || is_floating_point(x.dtype()), op,
             ": expected an integer value for integer tensors, got ", value);
  return value.toDouble() == 1 ? x : mul(x, value);
}

}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return add(x, mul(times("addcmul", a, value), b));
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  WICK_CHECK(DTypeError, is_floating_point(a.dtype()) || is_floating_point(b.dtype()),
             "addcdiv: expected a floating-point tensor to divide or to divide by, got ", a.dtype(),
             " and ", b.dtype(), "; convert with .to(kFloat32)");
  return add(x, div(times("addcdiv", a, value), b));
}

#define WICK_DEFINE_METHODS(name, Type)                                                  \
  Tensor Tensor::name(const Tensor& a, Type b) const { return wick::name(*this, a, b); } \
  Tensor& Tensor::name##_(const Tensor& a, Type b) {                                     \
    return composed_inplace(#name "_", *this,                                            \
                            [&](const Tensor& x) { return wick::name(x, a, b); });       \
  }
WICK_DEFINE_METHODS(lerp, Scalar)
WICK_DEFINE_METHODS(lerp, const Tensor&)
#define WICK_DEFINE_ADD(name)                                                             \
  Tensor Tensor::name(const Tensor& a, const Tensor& b, Scalar value) const {             \
    return wick::name(*this, a, b, value);                                                \
  }                                                                                       \
  Tensor& Tensor::name##_(const Tensor& a, const Tensor& b, Scalar value) {               \
    return composed_inplace(#name "_", *this,                                             \
                            [&](const Tensor& x) { return wick::name(x, a, b, value); }); \
  }
WICK_DEFINE_ADD(addcmul)
WICK_DEFINE_ADD(addcdiv)

// --- the rest

Tensor fmax(const Tensor& a, const Tensor& b) {
  return where(logical_or(ge(a, b), isnan(b)), a, b);
}
Tensor fmin(const Tensor& a, const Tensor& b) {
  return where(logical_or(le(a, b), isnan(b)), a, b);
}
Tensor Tensor::fmax(const Tensor& other) const { return wick::fmax(*this, other); }
Tensor Tensor::fmin(const Tensor& other) const { return wick::fmin(*this, other); }

namespace {

// -|a - b|, where infinities that are equal differ by 0.
Tensor minus_distance(const Tensor& a, const Tensor& b) {
  return neg(abs(masked_fill(sub(a, b), eq(a, b), 0)));
}

constexpr double kPi = 3.14159265358979323846;

}  // namespace

Tensor logaddexp(const Tensor& a, const Tensor& b) {
  return add(maximum(a, b), log1p(exp(minus_distance(a, b))));
}
Tensor logaddexp2(const Tensor& a, const Tensor& b) {
  return add(maximum(a, b), mul(log1p(exp2(minus_distance(a, b))), 1.4426950408889634));
}

Tensor xlogy(const Tensor& a, const Tensor& b) {
  const Tensor no_limit = logical_or(le(b, 0), eq(b, std::numeric_limits<double>::infinity()));
  const Tensor zero = logical_and(eq(a, 0), no_limit);
  return mul(a, log(masked_fill(b, zero, 1)));
}
Tensor Tensor::xlogy(const Tensor& other) const { return wick::xlogy(*this, other); }

Tensor heaviside(const Tensor& x, const Tensor& values) {
  WICK_CHECK(DTypeError, x.dtype() == values.dtype(), "heaviside: expected values of type ",
             x.dtype(), ", as the first argument, got ", values.dtype());
  const NoGradGuard no_grad;
  return where(eq(x, 0), values, gt(x, 0).to(x.dtype()));
}

Tensor sinc(const Tensor& x) {
  const Tensor zero = eq(x, 0);
  const Tensor angle = mul(masked_fill(x.to(detail::to_float_type(x.dtype())), zero, 1), kPi);
  return masked_fill(div(sin(angle), angle), zero, 1);
}
Tensor deg2rad(const Tensor& x) { return mul(x, kPi / 180); }
Tensor rad2deg(const Tensor& x) { return mul(x, 180 / kPi); }

Tensor nan_to_num(const Tensor& x, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!is_floating_point(x.dtype())) return x.clone();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double largest = detail::largest_finite(x.dtype());
  const Tensor finite = masked_fill(masked_fill(x, eq(x, kInf), posinf.value_or(largest)),
                                    eq(x, -kInf), neginf.value_or(-largest));
  return masked_fill(finite, isnan(x), nan.value_or(0));
}
Tensor Tensor::nan_to_num(std::optional<double> nan, std::optional<double> posinf,
                          std::optional<double> neginf) const {
  return wick::nan_to_num(*this, nan, posinf, neginf);
}
Tensor& Tensor::nan_to_num_(std::optional<double> nan, std::optional<double> posinf,
                            std::optional<double> neginf) {
  return composed_inplace("nan_to_num_", *this, [&](const Tensor& x) {
    return wick::nan_to_num(x, nan, posinf, neginf);
  });
}

}  // namespace wick
