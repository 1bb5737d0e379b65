#pragma once

#include <wick/kernels/math.h>

// The elementwise ops: value and derivatives over a type T, which is a number, a SIMD vector
// (kernels/cpu/simd/vec.h) or, for the derivatives, a differentiable value.
//
// Rules for what T may be asked to do: constants are written T(0.5); functions are called without
// a namespace; there are no branches on values, only where(condition, a, b), and the branch not
// taken must not make a NaN out of 0 * inf when it is differentiated in its turn (so divisors and
// arguments of log are made harmless by a `where` of their own). Integers must not overflow in the
// sense of C++.
//
// A differentiable value needs: a constructor from double; + - * / and unary -; < <= > >= ==,
// giving a condition; and, found by argument-dependent lookup, where, exp, log, tanh, erf, pow.
namespace wick::pointwise {

/// What backward reads of a unary op.
enum class Saves : uint8_t { None = 0, Input = 1, Output = 2, Both = 3 };
constexpr bool saves_input(Saves s) { return (static_cast<int>(s) & 1) != 0; }
constexpr bool saves_output(Saves s) { return (static_cast<int>(s) & 2) != 0; }

/// A gradient for which no kernel need run.
enum class Trivial : uint8_t { No, Identity, Negate };

/// What the gradient of one side of a binary op reads besides grad_y.
struct Reads {
  bool a = false, b = false, y = false;
  Trivial trivial = Trivial::No;
};

namespace detail {

/// Integer arithmetic that wraps around. Small types would otherwise be promoted to int, whose
/// products overflow.
template <class T>
using Unsigned = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
template <class T>
WICK_MATH T wrap_add(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <class T>
WICK_MATH T wrap_sub(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
}
template <class T>
WICK_MATH T wrap_mul(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
}
/// base^exponent modulo 2^bits; for a negative exponent the true value rounded toward zero (and 0
/// for a base of 0).
template <class T>
WICK_MATH T integer_pow(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == 1) return T(1);
      if (base == T(-1)) return (exponent & 1) != 0 ? T(-1) : T(1);
      return T(0);
    }
  }
  T result = 1;
  while (exponent != 0) {
    if ((exponent & 1) != 0) result = wrap_mul(result, base);
    base = wrap_mul(base, base);
    exponent = static_cast<T>(exponent >> 1);
  }
  return result;
}

}  // namespace detail

#define WICK_POINTWISE WICK_MATH static

struct Exp {
  static constexpr Saves saves = Saves::Output;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return exp(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T y) {
    return y;
  }
};

struct Log {
  static constexpr Saves saves = Saves::Input;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return log(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T x, T) {
    return T(1) / x;
  }
};

struct Sqrt {
  static constexpr Saves saves = Saves::Output;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return sqrt(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T y) {
    return T(0.5) / y;
  }
};

struct Sigmoid {
  static constexpr Saves saves = Saves::Output;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return sigmoid(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T y) {
    return y * (T(1) - y);
  }
};

struct Tanh {
  static constexpr Saves saves = Saves::Output;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return tanh(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T, T y) {
    return T(1) - y * y;
  }
};

struct Erf {
  static constexpr Saves saves = Saves::Input;
  static constexpr Trivial trivial = Trivial::No;
  template <class T>
  WICK_POINTWISE T forward(T x) {
    using namespace math;
    return erf(x);
  }
  template <class T>
  WICK_POINTWISE T derivative(T x, T) {
    using namespace math;
    return T(1.1283791670955126) * exp(-(x * x));  // 2 / sqrt(pi)
  }
};

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

// Of bool: or, and for the sum and the product; subtraction, division and powers do not exist.

struct Add {
  static constexpr Reads reads_a{.trivial = Trivial::Identity}, reads_b = reads_a;
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a || b;
    } else if constexpr (std::is_integral_v<T>) {
      return detail::wrap_add(a, b);
    } else {
      return a + b;
    }
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T, T, T) {
    return g;
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T, T, T) {
    return g;
  }
};

struct Sub {
  static constexpr Reads reads_a{.trivial = Trivial::Identity};
  static constexpr Reads reads_b{.trivial = Trivial::Negate};
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return detail::wrap_sub(a, b);
    } else {
      return a - b;
    }
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T, T, T) {
    return g;
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T, T, T) {
    return -g;
  }
};

struct Mul {
  static constexpr Reads reads_a{.b = true}, reads_b{.a = true};
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a && b;
    } else if constexpr (std::is_integral_v<T>) {
      return detail::wrap_mul(a, b);
    } else {
      return a * b;
    }
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T, T b, T) {
    return g * b;
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T a, T, T) {
    return g * a;
  }
};

/// Floating types only.
struct Div {
  static constexpr Reads reads_a{.b = true}, reads_b{.b = true, .y = true};
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    return a / b;
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T, T b, T) {
    return g / b;
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T, T b, T y) {
    return -g * (y / b);
  }
};

/// The gradient with respect to the base is 0 for an exponent of 0; that with respect to the
/// exponent is 0 for a base of 0 and an exponent >= 0.
struct Pow {
  static constexpr Reads reads_a{.a = true, .b = true}, reads_b{.a = true, .b = true, .y = true};
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    using namespace math;
    if constexpr (std::is_integral_v<T>) {
      return detail::integer_pow(a, b);
    } else {
      return pow(a, b);
    }
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T a, T b, T) {
    using namespace math;
    const auto constant = b == T(0);
    const T slope = b * pow(a, where(constant, T(1), b - T(1)));
    return where(constant, T(0), g * slope);
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T a, T b, T y) {
    using namespace math;
    const auto zero = a == T(0);
    const T log_of_zero = where(b >= T(0), T(0), T(-kInfinity));
    return g * (y * where(zero, log_of_zero, log(where(zero, T(1), a))));
  }
};

/// The larger one; a NaN wins. Equal arguments share the gradient.
struct Maximum {
  static constexpr Reads reads_a{.a = true, .b = true}, reads_b = reads_a;
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    using namespace math;
    return where(a != a, a, where(a > b, a, b));
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T a, T b, T) {
    using namespace math;
    return where(a == b, g * T(0.5), where(a < b, T(0), g));
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T a, T b, T y) {
    return grad_a(g, b, a, y);
  }
};

/// The smaller one; a NaN wins. Equal arguments share the gradient.
struct Minimum {
  static constexpr Reads reads_a{.a = true, .b = true}, reads_b = reads_a;
  template <class T>
  WICK_POINTWISE T forward(T a, T b) {
    using namespace math;
    return where(a != a, a, where(a < b, a, b));
  }
  template <class T>
  WICK_POINTWISE T grad_a(T g, T a, T b, T) {
    using namespace math;
    return where(a == b, g * T(0.5), where(a > b, T(0), g));
  }
  template <class T>
  WICK_POINTWISE T grad_b(T g, T a, T b, T y) {
    return grad_a(g, b, a, y);
  }
};

#define WICK_COMPARISON(Name, op)           \
  struct Name {                             \
    template <class T>                      \
    WICK_POINTWISE bool forward(T a, T b) { \
      return a op b;                        \
    }                                       \
  };
WICK_COMPARISON(Eq, ==)
WICK_COMPARISON(Ne, !=)
WICK_COMPARISON(Lt, <)
WICK_COMPARISON(Le, <=)
WICK_COMPARISON(Gt, >)
WICK_COMPARISON(Ge, >=)
#undef WICK_COMPARISON
#undef WICK_POINTWISE

}  // namespace wick::pointwise
