#pragma once

#include <wick/kernels/pointwise_op.h>

// The ops of two arguments, and comparisons. See pointwise_op.h.
namespace wick::pointwise {

// Of bool: or, and for the sum and the product.

struct Add {
  static constexpr Types types = kAnything;
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
  static constexpr Types types = kNumbers;
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
  static constexpr Types types = kAnything;
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

struct Div {
  static constexpr Types types = kFloats;
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
  static constexpr Types types = kNumbers;
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
  static constexpr Types types = kAnything;
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
  static constexpr Types types = kAnything;
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

// Rare: on single numbers, which are T here, unless a gradient calls for a differentiable value.

/// Reads from letters: a, b, y, or i for the identity, z for zero.
constexpr Reads reads(const char* letters) {
  Reads r;
  for (; *letters != 0; ++letters) {
    r.a |= *letters == 'a';
    r.b |= *letters == 'b';
    r.y |= *letters == 'y';
    if (*letters == 'i') r.trivial = Trivial::Identity;
    if (*letters == 'z') r.trivial = Trivial::Zero;
  }
  return r;
}

/// `value` is an expression of a and b, the slopes are factors of grad_y and may have y too.
#define WICK_BINARY(Name, defined_for, letters_a, letters_b, value, slope_a, slope_b) \
  struct Name {                                                                       \
    static constexpr Types types = defined_for;                                       \
    static constexpr Reads reads_a = reads(letters_a), reads_b = reads(letters_b);    \
    template <class T>                                                                \
    WICK_POINTWISE T forward(T a, T b) {                                              \
      using namespace math;                                                           \
      return value;                                                                   \
    }                                                                                 \
    template <class T>                                                                \
    WICK_POINTWISE T grad_a(T g, [[maybe_unused]] T a, [[maybe_unused]] T b,          \
                            [[maybe_unused]] T y) {                                   \
      using namespace math;                                                           \
      return g * (slope_a);                                                           \
    }                                                                                 \
    template <class T>                                                                \
    WICK_POINTWISE T grad_b(T g, [[maybe_unused]] T a, [[maybe_unused]] T b,          \
                            [[maybe_unused]] T y) {                                   \
      using namespace math;                                                           \
      return g * (slope_b);                                                           \
    }                                                                                 \
  };

namespace detail {

/// Whether the remainder r of a division by b must move to b's side of 0.
template <class T>
WICK_MATH bool other_side(T r, T b) {
  if constexpr (std::is_unsigned_v<T>) {
    return false;
  } else {
    return r != T(0) && (r < T(0)) != (b < T(0));
  }
}
// Of integers: a division by 0 gives 0 (the CPU refuses it before), one by -1 wraps around.
template <class T>
WICK_MATH T remainder_toward_zero(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return math::fmod(a, b);
  } else {
    if (b == T(0) || (std::is_signed_v<T> && b == static_cast<T>(-1))) return T(0);
    return static_cast<T>(a % b);
  }
}
template <class T>
WICK_MATH T quotient_toward_zero(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return math::trunc(a / b);
  } else {
    if (b == T(0)) return T(0);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return wrap_sub(T(0), a);
    return static_cast<T>(a / b);
  }
}
template <class T>
WICK_MATH T floor_remainder(T a, T b) {
  const T r = remainder_toward_zero(a, b);
  return other_side(r, b) ? static_cast<T>(r + b) : r;
}
/// floor(a / b), exact where a / b itself rounds to a whole number.
template <class T>
WICK_MATH T floor_quotient(T a, T b) {
  const T r = remainder_toward_zero(a, b);
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(quotient_toward_zero(a, b) - (other_side(r, b) ? 1 : 0));
  } else {
    if (b == T(0)) return a / b;
    const T quotient = (a - r) / b - (other_side(r, b) ? T(1) : T(0));
    return quotient == T(0) ? math::copysign(T(0), a / b) : math::rint(quotient);
  }
}
/// Bits that are shifted out are gone; a negative number of them counts as too many.
template <class T>
WICK_MATH T shift_left(T a, T b) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(b);
  return bits >= 8 * sizeof(T) ? T(0) : static_cast<T>(static_cast<Unsigned<T>>(a) << bits);
}
template <class T>
WICK_MATH T shift_right(T a, T b) {
  constexpr size_t kMost = 8 * sizeof(T) - (std::is_signed_v<T> ? 1 : 0);
  const auto bits = static_cast<std::make_unsigned_t<T>>(b);
  return static_cast<T>(a >> (bits < kMost ? bits : kMost));
}
template <class T>
WICK_MATH T circle_slope(T of, T a, T b) {
  return of / (a * a + b * b);
}

}  // namespace detail

/// With the sign of b, as Python's %.
WICK_BINARY(Remainder, kNumbers, "i", "aby", detail::floor_remainder(a, b), T(1),
            -rint((a - y) / b))
/// With the sign of a, as C's.
WICK_BINARY(Fmod, kNumbers, "i", "aby", detail::remainder_toward_zero(a, b), T(1),
            -rint((a - y) / b))
WICK_BINARY(FloorDivide, kNumbers, "z", "z", detail::floor_quotient(a, b), T(0), T(0))
WICK_BINARY(TruncDivide, kNumbers, "z", "z", detail::quotient_toward_zero(a, b), T(0), T(0))
WICK_BINARY(BitwiseAnd, kWholes, "z", "z", static_cast<T>((a & b)), T(0), T(0))
WICK_BINARY(BitwiseOr, kWholes, "z", "z", static_cast<T>(a | b), T(0), T(0))
WICK_BINARY(BitwiseXor, kWholes, "z", "z", static_cast<T>(a ^ b), T(0), T(0))
WICK_BINARY(BitwiseLeftShift, kIntegers, "z", "z", detail::shift_left(a, b), T(0), T(0))
WICK_BINARY(BitwiseRightShift, kIntegers, "z", "z", detail::shift_right(a, b), T(0), T(0))
WICK_BINARY(Atan2, kFloats, "ab", "ab", atan2(a, b), detail::circle_slope(b, a, b),
            -detail::circle_slope(a, a, b))
WICK_BINARY(Hypot, kFloats, "ay", "by", hypot(a, b), a / y, b / y)
/// The size of a with the sign of b.
WICK_BINARY(Copysign, kFloats, "ay", "z", copysign(a, b),
            where(a == T(0), T(0), y / where(a == T(0), T(1), a)), T(0))
#undef WICK_BINARY

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

}  // namespace wick::pointwise
