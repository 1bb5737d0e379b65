#pragma once

#include <wick/kernels/math_more.h>

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
// giving a condition; and, found by argument-dependent lookup, where, exp, log, tanh, erf, pow,
// sigmoid, sqrt, sin, cos, sinh, cosh, rint.
//
// Here is what the ops share; they are in pointwise_unary.h and pointwise_binary.h.
namespace wick::pointwise {

/// What backward reads of a unary op.
enum class Saves : uint8_t { None = 0, Input = 1, Output = 2, Both = 3 };
constexpr bool saves_input(Saves s) { return (static_cast<int>(s) & 1) != 0; }
constexpr bool saves_output(Saves s) { return (static_cast<int>(s) & 2) != 0; }

/// A gradient for which no kernel need run.
enum class Trivial : uint8_t { No, Identity, Negate, Zero };

/// What the gradient of one side of a binary op reads besides grad_y.
struct Reads {
  bool a = false, b = false, y = false;
  Trivial trivial = Trivial::No;
};

/// Element types that a binary op is defined for.
enum Types : uint8_t {
  kBooleans = 1,
  kIntegers = 2,
  kFloats = 4,
  kNumbers = kIntegers | kFloats,
  kWholes = kBooleans | kIntegers,
  kAnything = kBooleans | kNumbers
};
template <class Op, class T>
constexpr bool kDefined = (Op::types & (std::is_same_v<T, bool> ? kBooleans
                                        : std::is_integral_v<T> ? kIntegers
                                                                : kFloats)) != 0;

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

}  // namespace wick::pointwise
