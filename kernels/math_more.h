#pragma once

#include <wick/kernels/math.h>

// sin and cos of lanes, as in math.h, and the C library's functions of single numbers for ops that
// are rare.
namespace wick::math {

#define WICK_LIBRARY_1(name)                                         \
  WICK_MATH float name(float x) { return WICK_BUILTIN(name##f, x); } \
  WICK_MATH double name(double x) { return WICK_BUILTIN(name, x); }
#define WICK_LIBRARY_2(name)                                                     \
  WICK_MATH float name(float a, float b) { return WICK_BUILTIN(name##f, a, b); } \
  WICK_MATH double name(double a, double b) { return WICK_BUILTIN(name, a, b); }
WICK_LIBRARY_1(log2)
WICK_LIBRARY_1(log10)
WICK_LIBRARY_1(exp2)
WICK_LIBRARY_1(tan)
WICK_LIBRARY_1(asin)
WICK_LIBRARY_1(acos)
WICK_LIBRARY_1(atan)
WICK_LIBRARY_1(sinh)
WICK_LIBRARY_1(cosh)
WICK_LIBRARY_1(asinh)
WICK_LIBRARY_1(acosh)
WICK_LIBRARY_1(atanh)
WICK_LIBRARY_1(erfc)
WICK_LIBRARY_1(floor)
WICK_LIBRARY_1(ceil)
WICK_LIBRARY_1(rint)  // to nearest, ties to even
WICK_LIBRARY_1(trunc)
WICK_LIBRARY_2(fmod)
WICK_LIBRARY_2(atan2)
WICK_LIBRARY_2(hypot)
WICK_LIBRARY_2(copysign)
#undef WICK_LIBRARY_1
#undef WICK_LIBRARY_2

namespace detail {

/// sin(r) and cos(r) of doubles with |r| <= pi / 4, to `kFew` or all digits.
template <bool kFew, class T>
WICK_MATH T sine_near_zero(T r) {
  const T z = r * r;
  T q;
  if constexpr (kFew) {
    q = polynomial(z, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6);
  } else {
    q = polynomial(z, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880,
                   -1.0 / 5040, 1.0 / 120, -1.0 / 6);
  }
  return fma(r * z, q, r);
}
template <bool kFew, class T>
WICK_MATH T cosine_near_zero(T r) {
  const T z = r * r;
  T q;
  if constexpr (kFew) {
    q = polynomial(z, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24);
  } else {
    q = polynomial(z, -1.0 / 6402373705728000, 1.0 / 20922789888000, -1.0 / 87178291200,
                   1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24);
  }
  // 1 - z / 2 with what its rounding leaves out.
  const T half = z * T(0.5), w = T(1) - half;
  return w + fma(z * z, q, (T(1) - w) - half);
}

/// sin(x + quarters pi / 2) for lanes of double below kLargestAngle.
inline constexpr double kLargestAngle = 0x1p20;
template <bool kFew, class T>
WICK_MATH T sine_of(T x, unsigned quarters) {
  using U = BitsOf<T>;
  const T magic(Format<double>::kMagic);
  const T shifted = fma(x, T(0.63661977236758134), magic);
  const T n = shifted - magic;
  // pi / 2 in three parts of 33, 33 and 53 bits: products with n are exact, or nearly so.
  const T a = fma(n, T(-0x1.921fb544p0), x), b = n * T(0x1.0b4611a6p-34);
  const T r = a - b;
  const T rest = (a - r) - b;
  const T low = fma(n, T(-0x1.3198a2e037073p-69), rest);
  const U quadrant = to_bits(shifted) + U(quarters);
  const auto even = (quadrant & U(1u)) == U(0u);
  const T angle = r + low;
  const T y = where(even, sine_near_zero<kFew>(angle), cosine_near_zero<kFew>(angle));
  return from_bits(to_bits(y) ^ ((quadrant << 62) & U(Format<double>::kSign)));
}

template <unsigned kQuarters, class E>
WICK_MATH E sine_of_large(E x) {
  if constexpr (std::is_same_v<E, float>) {
    return kQuarters == 0 ? __builtin_sinf(x) : __builtin_cosf(x);
  } else {
    return kQuarters == 0 ? __builtin_sin(x) : __builtin_cos(x);
  }
}
/// The C library reduces angles that are large, and what is no number.
template <unsigned kQuarters, class T>
WICK_MATH T sine(T x) {
  if constexpr (std::is_arithmetic_v<T>) {
    if (!(abs(x) < T(kLargestAngle))) return sine_of_large<kQuarters>(x);
    return static_cast<T>(sine_of<FloatLane<T>>(static_cast<double>(x), kQuarters));
  } else {
    T y;
    if constexpr (FloatLane<T>) {
      y = narrow(sine_of<true>(widen_low(x), kQuarters), sine_of<true>(widen_high(x), kQuarters));
    } else {
      y = sine_of<false>(x, kQuarters);
    }
    const auto large = !(abs(x) < T(kLargestAngle));
    auto any = large.v[0];
    for (int i = 1; i < T::kSize; ++i) any |= large.v[i];
    for (int i = 0; any != 0 && i < T::kSize; ++i) {
      if (large.v[i] != 0) y.set(i, sine_of_large<kQuarters>(x[i]));
    }
    return y;
  }
}

}  // namespace detail

template <Lane T>
WICK_MATH T sin(T x) {
#if defined(__CUDA_ARCH__)
  return ::sin(x);
#else
  return where(x == T(0), x, detail::sine<0>(x));
#endif
}
template <Lane T>
WICK_MATH T cos(T x) {
#if defined(__CUDA_ARCH__)
  return ::cos(x);
#else
  return detail::sine<1>(x);
#endif
}

}  // namespace wick::math
