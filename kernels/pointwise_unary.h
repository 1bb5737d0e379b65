#pragma once

#include <wick/kernels/pointwise_op.h>

// The ops of one argument. See pointwise_op.h.
namespace wick::pointwise {

/// `value` is an expression of x, `slope` one of x and of the value y, as far as `reads` says.
#define WICK_UNARY_STRUCT(Name, reads, trivially, numbers, storage, constness, value, slope) \
  struct Name {                                                                              \
    static constexpr Saves saves = Saves::reads;                                             \
    static constexpr Trivial trivial = Trivial::trivially;                                   \
    numbers template <class T>                                                               \
    WICK_MATH storage T forward(T x) constness {                                             \
      using namespace math;                                                                  \
      return value;                                                                          \
    }                                                                                        \
    template <class T>                                                                       \
    WICK_MATH storage T derivative([[maybe_unused]] T x, [[maybe_unused]] T y) constness {   \
      using namespace math;                                                                  \
      return slope;                                                                          \
    }                                                                                        \
  };
#define WICK_UNARY(Name, reads, value, slope) \
  WICK_UNARY_STRUCT(Name, reads, No, , static, , value, slope)
/// A step function.
#define WICK_UNARY_STEP(Name, value) WICK_UNARY_STRUCT(Name, None, Zero, , static, , value, T(0))
/// An op with numbers: members of type double.
#define WICK_UNARY_WITH(Name, numbers, value, slope) \
  WICK_UNARY_STRUCT(Name, Input, No, numbers, , const, value, slope)

namespace detail {

template <class T>
WICK_MATH T clamped(T x, T low, T high) {
  using namespace math;
  const T raised = where(x < low, low, x);
  return where(raised > high, high, raised);
}
template <class T>
WICK_MATH T sign(T x) {
  using namespace math;
  if constexpr (std::is_unsigned_v<T>) {
    return T(x != 0);
  } else {
    return where(x > T(0), T(1), where(x < T(0), T(-1), T(0)));
  }
}
template <class T>
WICK_MATH T square(T x) {
  if constexpr (std::is_integral_v<T>) {
    return wrap_mul(x, x);
  } else {
    return x * x;
  }
}
template <class T>
WICK_MATH T silu_slope(T x) {
  using namespace math;
  const T s = sigmoid(x);
  return s * (T(1) + x * (T(1) - s));
}
/// tanh(log(1 + exp(x))) = n / (n + 2) with n = e (e + 2), e = exp(x); it is 1 from 20 on.
template <class T>
WICK_MATH T tanh_softplus(T x) {
  using namespace math;
  const T e = exp(where(x > T(20), T(20), x));
  const T n = e * (e + T(2));
  return n / (n + T(2));
}
template <class T>
WICK_MATH T mish_slope(T x) {
  using namespace math;
  const T t = tanh_softplus(x);
  return t + x * sigmoid(x) * (T(1) - t * t);
}

}  // namespace detail

WICK_UNARY(Exp, Output, exp(x), y)
WICK_UNARY(Log, Input, log(x), T(1) / x)
WICK_UNARY(Sqrt, Output, sqrt(x), T(0.5) / y)
WICK_UNARY(Rsqrt, Output, T(1) / sqrt(x), T(-0.5) * (y * y * y))
WICK_UNARY(Reciprocal, Output, T(1) / x, T(-1) * y * y)
WICK_UNARY(Sigmoid, Output, sigmoid(x), (T(1) - y) * y)
WICK_UNARY(Tanh, Output, tanh(x), T(1) - y * y)
WICK_UNARY(Erf, Input, erf(x), T(1.1283791670955126) * exp(-(x * x)))  // 2 / sqrt(pi)
WICK_UNARY(Expm1, Output, expm1(x), y + T(1))
WICK_UNARY(Log1p, Input, log1p(x), T(1) / (x + T(1)))
WICK_UNARY(Sin, Input, sin(x), cos(x))
WICK_UNARY(Cos, Input, cos(x), -sin(x))
/// x sigmoid(x) (https://arxiv.org/abs/1710.05941).
WICK_UNARY(Silu, Input, sigmoid(x) * x, detail::silu_slope(x))
/// x tanh(log(1 + exp(x))) (https://arxiv.org/abs/1908.08681).
WICK_UNARY(Mish, Input, detail::tanh_softplus(x) * x, detail::mish_slope(x))
/// x min(max(x + 3, 0), 6) / 6 (https://arxiv.org/abs/1905.02244).
WICK_UNARY(Hardswish, Input, detail::clamped(x + T(3), T(0), T(6)) * x / T(6),
           where(x < T(-3), T(0), where(x <= T(3), x / T(3) + T(0.5), T(1))))
WICK_UNARY(Square, Input, detail::square(x), x + x)
WICK_UNARY_STEP(Sign, detail::sign(x))

/// x Phi(x) with the normal distribution's Phi (https://arxiv.org/abs/1606.08415).
struct Gelu {
  static constexpr Saves saves = Saves::Input;
  static constexpr Trivial trivial = Trivial::No;
  static constexpr double kSqrtHalf = 0.70710678118654752;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return x * T(0.5) * (T(1) + erf(x * T(kSqrtHalf)));
  }
  template <class T>
  WICK_POINTWISE T derivative(T x, T) {
    using namespace math;
    const T cdf = T(0.5) * (T(1) + erf(x * T(kSqrtHalf)));
    const T pdf = T(0.39894228040143268) * exp(x * x * T(-0.5));  // 1 / sqrt(2 pi)
    return cdf + x * pdf;
  }
};

/// The approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
struct GeluTanh {
  static constexpr Saves saves = Saves::Input;
  static constexpr Trivial trivial = Trivial::No;
  static constexpr double kScale = 0.79788456080286536, kCubic = 0.044715;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    const T inner = T(kScale) * (x + T(kCubic) * (x * x * x));
    return T(0.5) * x * (T(1) + tanh(inner));
  }
  template <class T>
  WICK_POINTWISE T derivative(T x, T) {
    using namespace math;
    const T square = x * x;
    const T t = tanh(T(kScale) * (x + T(kCubic) * (square * x)));
    const T slope = T(kScale) * (T(1) + T(3 * kCubic) * square);
    return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * slope;
  }
};

struct Neg {
  static constexpr Saves saves = Saves::None;
  static constexpr Trivial trivial = Trivial::Negate;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    if constexpr (std::is_integral_v<T>) {
      return detail::wrap_sub(T(0), x);
    } else {
      return -x;
    }
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T) {
    return T(-1);
  }
};

/// The gradient at 0 is 0.
struct Abs {
  static constexpr Saves saves = Saves::Input;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    if constexpr (std::is_unsigned_v<T>) {
      return x;
    } else if constexpr (std::is_integral_v<T>) {
      return x < T(0) ? detail::wrap_sub(T(0), x) : x;
    } else {
      return abs(x);
    }
  }
  template <class T>
  WICK_POINTWISE T derivative(T x, T) {
    using namespace math;
    return where(x > T(0), T(1), where(x < T(0), T(-1), T(0)));
  }
};

/// max(x, 0); a NaN stays one. The gradient at 0 is 0.
struct Relu {
  static constexpr Saves saves = Saves::Output;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return where(x <= T(0), T(0), x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T y) {
    using namespace math;
    return where(y <= T(0), T(0), T(1));
  }
};

// With numbers.

/// Both ends belong to the range in which the gradient passes.
WICK_UNARY_WITH(Clamp, double low; double high;
                , detail::clamped(x, T(low), T(high)),
                where(x >= T(low), where(x <= T(high), T(1), T(0)), T(0)))
/// The same values, but the gradient at the ends is 0.
WICK_UNARY_WITH(Hardtanh, double low; double high;
                , detail::clamped(x, T(low), T(high)),
                where(x <= T(low), T(0), where(x >= T(high), T(0), T(1))))
WICK_UNARY_WITH(LeakyRelu, double slope;
                , where(x > T(0), x, T(slope) * x), where(x > T(0), T(1), T(slope)))
/// scale x above 0, scale alpha (exp(input_scale x) - 1) below.
WICK_UNARY_WITH(Elu, double alpha; double scale; double input_scale;
                , where(x <= T(0), T(alpha* scale) * expm1(T(input_scale) * x), T(scale) * x),
                where(x <= T(0),
                      T(input_scale) * T(alpha * scale) *
                          exp(where(x <= T(0), x, T(0)) * T(input_scale)),
                      T(scale)))
/// log(1 + exp(beta x)) / beta; x itself where beta x is above the threshold.
WICK_UNARY_WITH(Softplus, double beta; double threshold;
                , where(T(beta) * x > T(threshold), x, log1p(exp(T(beta) * x)) / T(beta)),
                where(T(beta) * x > T(threshold), T(1), sigmoid(T(beta) * x)))

// Rare.

WICK_UNARY(Log2, Input, log2(x), T(1.4426950408889634) / x)
WICK_UNARY(Log10, Input, log10(x), T(0.43429448190325183) / x)
WICK_UNARY(Exp2, Output, exp2(x), T(0.69314718055994531) * y)
WICK_UNARY(Tan, Output, tan(x), T(1) + y * y)
WICK_UNARY(Asin, Input, asin(x), T(1) / sqrt(T(1) - x * x))
WICK_UNARY(Acos, Input, acos(x), T(-1) / sqrt(T(1) - x * x))
WICK_UNARY(Atan, Input, atan(x), T(1) / (T(1) + x * x))
WICK_UNARY(Sinh, Input, sinh(x), cosh(x))
WICK_UNARY(Cosh, Input, cosh(x), sinh(x))
WICK_UNARY(Asinh, Input, asinh(x), T(1) / sqrt(x * x + T(1)))
WICK_UNARY(Acosh, Input, acosh(x), T(1) / sqrt(x * x - T(1)))
WICK_UNARY(Atanh, Input, atanh(x), T(1) / (T(1) - x * x))
WICK_UNARY(Erfc, Input, erfc(x), T(-1.1283791670955126) * exp(-(x * x)))
WICK_UNARY(LogSigmoid, Input, where(x < T(0), x, T(0)) - log1p(exp(-abs(x))), sigmoid(-x))
WICK_UNARY(Hardsigmoid, Input, detail::clamped(x + T(3), T(0), T(6)) / T(6),
           where(x > T(-3), where(x < T(3), T(1.0 / 6), T(0)), T(0)))
WICK_UNARY_STRUCT(Frac, None, Identity, , static, , x - trunc(x), T(1))
WICK_UNARY_STEP(Floor, floor(x))
WICK_UNARY_STEP(Ceil, ceil(x))
WICK_UNARY_STEP(Round, rint(x))
WICK_UNARY_STEP(Trunc, trunc(x))

#undef WICK_UNARY
#undef WICK_UNARY_STEP
#undef WICK_UNARY_STRUCT
#undef WICK_UNARY_WITH

}  // namespace wick::pointwise
