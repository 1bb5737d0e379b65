#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <string>

// Pointwise (core/ops/pointwise*.cpp). Integer arguments of functions whose results are not whole
// (exp, sin, gelu, softplus, atan2, `/`, ...) are promoted to the default dtype. Most have an
// in-place form as a method, `x.exp_()`.
namespace wick {

WICK_API Tensor add(const Tensor& a, const Tensor& b);
WICK_API Tensor add(const Tensor& a, Scalar b);
/// a + alpha * b
WICK_API Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
WICK_API Tensor sub(const Tensor& a, const Tensor& b);
WICK_API Tensor sub(const Tensor& a, Scalar b);
WICK_API Tensor mul(const Tensor& a, const Tensor& b);
WICK_API Tensor mul(const Tensor& a, Scalar b);
/// True division: integers give the default dtype.
WICK_API Tensor div(const Tensor& a, const Tensor& b);
WICK_API Tensor div(const Tensor& a, Scalar b);
/// The quotient rounded: "trunc" toward zero, "floor" down, none as it is. Rounded quotients of
/// integers are integers, and their gradient is 0. A ValueError for another mode, and on the CPU
/// for an integer divided by 0 (0 on CUDA); so for the next three, too.
WICK_API Tensor div(const Tensor& a, const Tensor& b,
                    const std::optional<std::string>& rounding_mode);
WICK_API Tensor div(const Tensor& a, Scalar b, const std::optional<std::string>& rounding_mode);
/// floor(a / b)
WICK_API Tensor floor_divide(const Tensor& a, const Tensor& b);
WICK_API Tensor floor_divide(const Tensor& a, Scalar b);
/// a - b floor(a / b), with the sign of b, as Python's %; the operator % does the same.
WICK_API Tensor remainder(const Tensor& a, const Tensor& b);
WICK_API Tensor remainder(const Tensor& a, Scalar b);
WICK_API Tensor remainder(Scalar a, const Tensor& b);
/// a - b trunc(a / b), with the sign of a, as C's.
WICK_API Tensor fmod(const Tensor& a, const Tensor& b);
WICK_API Tensor fmod(const Tensor& a, Scalar b);
/// Integer to a negative integer Scalar throws ValueError; negative elements of an integer exponent
/// tensor give 0 (1 and -1 to any power are themselves).
WICK_API Tensor pow(const Tensor& a, const Tensor& b);
WICK_API Tensor pow(const Tensor& a, Scalar b);
WICK_API Tensor pow(Scalar a, const Tensor& b);
/// The larger (smaller) of the two; a NaN wins. Ties share the gradient.
WICK_API Tensor maximum(const Tensor& a, const Tensor& b);
WICK_API Tensor minimum(const Tensor& a, const Tensor& b);
/// The larger (smaller) of the two, or the one that is no NaN. Ties: the gradient goes to a.
WICK_API Tensor fmax(const Tensor& a, const Tensor& b);
WICK_API Tensor fmin(const Tensor& a, const Tensor& b);
/// Integers and (shifts apart) bool; also the operators & | ^ << >> ~. What is shifted out is gone,
/// a negative number of places counts as too many.
WICK_API Tensor bitwise_and(const Tensor& a, const Tensor& b);
WICK_API Tensor bitwise_and(const Tensor& a, Scalar b);
WICK_API Tensor bitwise_or(const Tensor& a, const Tensor& b);
WICK_API Tensor bitwise_or(const Tensor& a, Scalar b);
WICK_API Tensor bitwise_xor(const Tensor& a, const Tensor& b);
WICK_API Tensor bitwise_xor(const Tensor& a, Scalar b);
WICK_API Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
WICK_API Tensor bitwise_left_shift(const Tensor& a, Scalar b);
WICK_API Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);
WICK_API Tensor bitwise_right_shift(const Tensor& a, Scalar b);
WICK_API Tensor bitwise_not(const Tensor& x);
/// The angle of the point (b, a) in (-pi, pi].
WICK_API Tensor atan2(const Tensor& a, const Tensor& b);
/// sqrt(a^2 + b^2)
WICK_API Tensor hypot(const Tensor& a, const Tensor& b);
/// The size of a with the sign of b.
WICK_API Tensor copysign(const Tensor& a, const Tensor& b);
WICK_API Tensor copysign(const Tensor& a, Scalar b);
/// log(exp(a) + exp(b)), and the same to base 2, without overflow.
WICK_API Tensor logaddexp(const Tensor& a, const Tensor& b);
WICK_API Tensor logaddexp2(const Tensor& a, const Tensor& b);
/// a log(b), which is 0 for a = 0 unless b is NaN.
WICK_API Tensor xlogy(const Tensor& a, const Tensor& b);
/// 0 for x < 0, `values` for 0, else 1; of one dtype. No gradient.
WICK_API Tensor heaviside(const Tensor& x, const Tensor& values);
/// a + weight (end - a), in floating types.
WICK_API Tensor lerp(const Tensor& a, const Tensor& end, Scalar weight);
WICK_API Tensor lerp(const Tensor& a, const Tensor& end, const Tensor& weight);
/// x + value a b, and x + value a / b (floating types).
WICK_API Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
WICK_API Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);

/// Functions of one tensor, with their usual names: exp, log (natural), sqrt, sigmoid, tanh, erf,
/// rsqrt (1 / sqrt), reciprocal, expm1 (exp(x) - 1), log1p (log(1 + x)), sin, cos, silu, mish,
/// hardswish.
#define WICK_DECLARE_UNARY(name, Name) WICK_API Tensor name(const Tensor& x);
WICK_UNARY_FLOAT_OPS(WICK_DECLARE_UNARY)
/// log2, log10, exp2, other trigonometric and the hyperbolic functions, their inverses, erfc (1 -
/// erf), frac (x - trunc(x)), log_sigmoid, hardsigmoid.
WICK_UNARY_RARE_OPS(WICK_DECLARE_UNARY)
/// To whole numbers; `round` takes ties to the even one. The gradient is 0. Integers stay.
WICK_UNARY_ROUNDING_OPS(WICK_DECLARE_UNARY)
/// neg, abs, relu, square, sign (of NaN: 0), for integers too.
WICK_UNARY_ANY_OPS(WICK_DECLARE_UNARY)
#undef WICK_DECLARE_UNARY
inline Tensor sgn(const Tensor& x) { return sign(x); }
/// sin(pi x) / (pi x), and 1 for 0.
WICK_API Tensor sinc(const Tensor& x);
WICK_API Tensor deg2rad(const Tensor& x);
WICK_API Tensor rad2deg(const Tensor& x);
/// NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest finite numbers).
WICK_API Tensor nan_to_num(const Tensor& x, std::optional<double> nan = std::nullopt,
                           std::optional<double> posinf = std::nullopt,
                           std::optional<double> neginf = std::nullopt);
/// min(max(x, min), max); one of the bounds may be left out. A NaN stays, one for a bound makes
/// all NaN. The gradient passes inside the bounds and on them.
WICK_API Tensor clamp(const Tensor& x, const std::optional<Scalar>& min,
                      const std::optional<Scalar>& max = std::nullopt);
WICK_API Tensor clamp(const Tensor& x, const std::optional<Tensor>& min,
                      const std::optional<Tensor>& max = std::nullopt);
inline Tensor clamp_min(const Tensor& x, Scalar min) { return clamp(x, min); }
inline Tensor clamp_min(const Tensor& x, const Tensor& min) { return clamp(x, min); }
inline Tensor clamp_max(const Tensor& x, Scalar max) {
  return clamp(x, std::optional<Scalar>(), max);
}
inline Tensor clamp_max(const Tensor& x, const Tensor& max) {
  return clamp(x, std::optional<Tensor>(), max);
}
inline Tensor clip(const Tensor& x, const std::optional<Scalar>& min,
                   const std::optional<Scalar>& max = std::nullopt) {
  return clamp(x, min, max);
}
/// As clamp, but the gradient on the bounds is 0; relu6 is that from 0 to 6.
WICK_API Tensor hardtanh(const Tensor& x, Scalar min_val = -1, Scalar max_val = 1);
WICK_API Tensor relu6(const Tensor& x);
/// x above 0, negative_slope x below.
WICK_API Tensor leaky_relu(const Tensor& x, Scalar negative_slope = 0.01);
/// The same with a learnt slope: of one element, or one for each channel (dimension 1).
WICK_API Tensor prelu(const Tensor& x, const Tensor& weight);
/// scale x above 0, scale alpha (exp(input_scale x) - 1) below (https://arxiv.org/abs/1511.07289).
WICK_API Tensor elu(const Tensor& x, Scalar alpha = 1, Scalar scale = 1, Scalar input_scale = 1);
/// elu with the constants of https://arxiv.org/abs/1706.02515.
WICK_API Tensor selu(const Tensor& x);
/// elu(x, alpha, 1, 1 / alpha) (https://arxiv.org/abs/1704.07483).
WICK_API Tensor celu(const Tensor& x, Scalar alpha = 1);
/// log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold.
WICK_API Tensor softplus(const Tensor& x, Scalar beta = 1, Scalar threshold = 20);
/// x above the threshold, else `value`.
WICK_API Tensor threshold(const Tensor& x, Scalar threshold, Scalar value);
/// 0 within [-lambda, lambda]; outside x itself, or (softshrink) x moved by lambda toward 0.
WICK_API Tensor hardshrink(const Tensor& x, Scalar lambda = 0.5);
WICK_API Tensor softshrink(const Tensor& x, Scalar lambda = 0.5);
/// x - tanh(x)
WICK_API Tensor tanhshrink(const Tensor& x);
/// x / (1 + |x|)
WICK_API Tensor softsign(const Tensor& x);
/// The first half along `dim` times the sigmoid of the second (https://arxiv.org/abs/1612.08083).
/// Throws ShapeError for an odd size.
WICK_API Tensor glu(const Tensor& x, int64_t dim = -1);
/// x * Phi(x) (https://arxiv.org/abs/1606.08415); `approximate` "none" or "tanh".
WICK_API Tensor gelu(const Tensor& x, const std::string& approximate = "none");
/// condition ? a : b; the condition is bool.
WICK_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
WICK_API Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
WICK_API Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
WICK_API Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
/// Comparisons give bool and no gradient.
#define WICK_DECLARE_COMPARE(name, Name)                  \
  WICK_API Tensor name(const Tensor& a, const Tensor& b); \
  WICK_API Tensor name(const Tensor& a, Scalar b);
WICK_COMPARE_OPS(WICK_DECLARE_COMPARE)
#undef WICK_DECLARE_COMPARE
/// Of any type, giving bool; integers are finite. The logical ones take for true what is not 0.
WICK_API Tensor isnan(const Tensor& x);
WICK_API Tensor isinf(const Tensor& x);
WICK_API Tensor isfinite(const Tensor& x);
WICK_API Tensor logical_not(const Tensor& x);
WICK_API Tensor logical_and(const Tensor& a, const Tensor& b);
WICK_API Tensor logical_or(const Tensor& a, const Tensor& b);
WICK_API Tensor logical_xor(const Tensor& a, const Tensor& b);
WICK_API bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol |b| everywhere.
WICK_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                       bool equal_nan = false);

#define WICK_OPERATOR(op, name)                                                      \
  inline Tensor operator op(const Tensor& a, const Tensor& b) { return name(a, b); } \
  inline Tensor operator op(const Tensor& a, Scalar b) { return name(a, b); }        \
  inline Tensor& operator op##=(Tensor& a, const Tensor& b) { return a.name##_(b); } \
  inline Tensor& operator op##=(Tensor& a, Scalar b) { return a.name##_(b); }
WICK_OPERATOR(%, remainder)
WICK_OPERATOR(&, bitwise_and)
WICK_OPERATOR(|, bitwise_or)
WICK_OPERATOR(^, bitwise_xor)
WICK_OPERATOR(<<, bitwise_left_shift)
WICK_OPERATOR(>>, bitwise_right_shift)
#undef WICK_OPERATOR

}  // namespace wick
