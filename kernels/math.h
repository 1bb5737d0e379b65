#pragma once

#include <wick/core/dtype.h>
#include <cstdint>
#include <type_traits>

// Elementary functions over a lane type T: float, double, or a SIMD vector of either
// (kernels/cpu/simd/vec.h), branch-free and from one source, so that a scalar and every lane of
// every instruction set give the same bits. Products and sums are fused only where `fma` says so
// (-ffp-contract=off). In device code a scalar uses CUDA's own functions.
//
// Errors over the whole range are below 2.6 units of the last place (tests/kernels/math_test.cpp);
// in double, pow and erf are the C library's. Coefficients are Chebyshev fits made for the
// intervals that the reductions leave; for those see J.-M. Muller, "Elementary Functions", 3rd ed.,
// 2016, https://doi.org/10.1007/978-1-4899-7983-4.
//
// Everything here is always inlined: a copy with external linkage that one instruction set's file
// emits could be the one that the linker keeps for the whole program.
#define WICK_MATH [[gnu::always_inline]] inline WICK_HOST_DEVICE

#if defined(__CUDA_ARCH__)
#define WICK_BUILTIN(name, ...) ::name(__VA_ARGS__)
#else
#define WICK_BUILTIN(name, ...) __builtin_##name(__VA_ARGS__)
#endif

namespace wick::math {

/// Element type and type of the bits of a lane type; vectors specialise it.
template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using Element = float;
  using Bits = uint32_t;
};
template <>
struct Lanes<double> {
  using Element = double;
  using Bits = uint64_t;
};
template <class T>
using ElementOf = typename Lanes<T>::Element;
template <class T>
using BitsOf = typename Lanes<T>::Bits;
template <class T>
concept Lane = requires {
  typename Lanes<T>::Element;
};
template <class T>
concept FloatLane = Lane<T> && std::is_same_v < ElementOf<T>,
float > ;

inline constexpr double kInfinity = __builtin_huge_val();
inline constexpr double kNaN = __builtin_nan("");

// --- primitives for scalars; vectors have their own, found by argument

WICK_MATH float fma(float a, float b, float c) { return WICK_BUILTIN(fmaf, a, b, c); }
WICK_MATH double fma(double a, double b, double c) { return WICK_BUILTIN(fma, a, b, c); }
WICK_MATH float sqrt(float x) { return WICK_BUILTIN(sqrtf, x); }
WICK_MATH double sqrt(double x) { return WICK_BUILTIN(sqrt, x); }
WICK_MATH float abs(float x) { return WICK_BUILTIN(fabsf, x); }
WICK_MATH double abs(double x) { return WICK_BUILTIN(fabs, x); }
template <class T>
requires(std::is_arithmetic_v<T>) WICK_MATH T where(bool condition, T a, T b) {
  return condition ? a : b;
}
WICK_MATH uint32_t to_bits(float x) { return __builtin_bit_cast(uint32_t, x); }
WICK_MATH uint64_t to_bits(double x) { return __builtin_bit_cast(uint64_t, x); }
WICK_MATH float from_bits(uint32_t x) { return __builtin_bit_cast(float, x); }
WICK_MATH double from_bits(uint64_t x) { return __builtin_bit_cast(double, x); }

namespace detail {

template <class E>
struct Format;
template <>
struct Format<float> {
  static constexpr int kMantissa = 23;
  static constexpr uint32_t kBias = 127, kSign = 0x80000000u;
  static constexpr uint32_t kSqrtHalf = 0x3f3504f3u, kOne = 0x3f800000u;
  static constexpr float kMagic = 0x1.8p23f;  // adding it rounds to an integer in the low bits
  static constexpr float kMinNormal = 0x1p-126f, kDenormalScale = 0x1p23f;
  static constexpr float kExpMax = 89.0f, kExpMin = -104.0f, kTanhMax = 10.0f;
  static constexpr float kExpm1Max = 40.0f, kExpm1Min = -20.0f;
  // ln 2 in two parts; the first so short that its product with an exponent is exact.
  static constexpr float kLn2Hi = 0x1.62e4p-1f, kLn2Lo = 1.428606820309417e-6f;
};
template <>
struct Format<double> {
  static constexpr int kMantissa = 52;
  static constexpr uint64_t kBias = 1023, kSign = 0x8000000000000000u;
  static constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu, kOne = 0x3ff0000000000000u;
  static constexpr double kMagic = 0x1.8p52;
  static constexpr double kMinNormal = 0x1p-1022, kDenormalScale = 0x1p52;
  static constexpr double kExpMax = 710.0, kExpMin = -746.0, kTanhMax = 20.0;
  static constexpr double kExpm1Max = 80.0, kExpm1Min = -40.0;
  static constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 1.9082149292705877e-10;
};
template <class T>
using FormatOf = Format<ElementOf<T>>;

/// Coefficients from the highest power down.
template <class T, class... C>
WICK_MATH T polynomial(T x, double first, C... rest) {
  T r(static_cast<ElementOf<T>>(first));
  ((r = fma(r, x, T(static_cast<ElementOf<T>>(rest)))), ...);
  return r;
}

/// 2^n for an integer n in two's complement, inside the normal range.
template <class T>
WICK_MATH T power_of_two(BitsOf<T> n) {
  using F = FormatOf<T>;
  return from_bits((n + BitsOf<T>(F::kBias)) << F::kMantissa);
}

/// x = n ln 2 + r with |r| <= ln 2 / 2; `em1` is exp(r) - 1.
template <class T>
struct ExpParts {
  T em1;
  BitsOf<T> n;
};
template <class T>
WICK_MATH ExpParts<T> exp_parts(T x) {
  using F = FormatOf<T>;
  const T magic(F::kMagic);
  const T shifted = fma(x, T(static_cast<ElementOf<T>>(1.442695040888963407)), magic);
  const T n = shifted - magic;
  const T r = fma(n, T(-F::kLn2Lo), fma(n, T(-F::kLn2Hi), x));
  T q;
  if constexpr (FloatLane<T>) {
    q = polynomial(r, 0.0013926213466, 0.0083632029716, 0.041666554438, 0.16666576846, 0.5);
  } else {
    q = polynomial(r, 2.5100424157005066788e-8, 2.7620138719733995569e-7, 2.7557268378684192873e-6,
                   2.4801521190217727651e-5, 1.9841269863105968748e-4, 0.0013888888917281793308,
                   0.0083333333333300513464, 0.041666666666623991516, 0.16666666666666667456, 0.5);
  }
  return {fma(r * r, q, r), to_bits(shifted) - to_bits(magic)};
}

/// x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for normal x > 0; s = f / (2 + f), so that
/// log(1 + f) = 2 atanh(s).
template <class T>
struct LogParts {
  T k, f, s;
};
template <class T>
WICK_MATH LogParts<T> log_parts(T x) {
  using F = FormatOf<T>;
  using U = BitsOf<T>;
  const U bits = to_bits(x) + U(F::kOne - F::kSqrtHalf);
  const U mantissa = bits & U((decltype(F::kOne){1} << F::kMantissa) - 1);
  const T f = from_bits(mantissa + U(F::kSqrtHalf)) - T(1);
  const T k = from_bits((bits >> F::kMantissa) + to_bits(T(F::kMagic))) - T(F::kMagic + F::kBias);
  return {k, f, f / (f + T(2))};
}

}  // namespace detail

template <Lane T>
WICK_MATH T exp(T x) {
#if defined(__CUDA_ARCH__)
  return ::exp(x);
#else
  using F = detail::FormatOf<T>;
  using U = BitsOf<T>;
  x = where(x > T(F::kExpMax), T(F::kExpMax), x);
  x = where(x < T(F::kExpMin), T(F::kExpMin), x);
  const auto parts = detail::exp_parts(x);
  // Two factors, since 2^n itself may be outside the normal range.
  const U biased = parts.n + U(2 * F::kBias);
  const U half = biased >> 1;
  const T low = from_bits(half << F::kMantissa);
  const T high = from_bits((biased - half) << F::kMantissa);
  return (parts.em1 + T(1)) * low * high;
#endif
}

template <Lane T>
WICK_MATH T log(T x) {
#if defined(__CUDA_ARCH__)
  return ::log(x);
#else
  using F = detail::FormatOf<T>;
  const auto tiny = x < T(F::kMinNormal);
  const auto [k0, f, s] = detail::log_parts(where(tiny, x * T(F::kDenormalScale), x));
  const T k = k0 - where(tiny, T(F::kMantissa), T(0));
  const T z = s * s;
  T r;
  if constexpr (FloatLane<T>) {
    r = z * detail::polynomial(z, 0.29580398281, 0.39988770674, 0.66666685064);
  } else {
    r = z * detail::polynomial(z, 0.14617037548791650146, 0.15331674030167861852,
                               0.18182890556695603528, 0.22222211115144161503,
                               0.28571428626095891537, 0.39999999999899238978,
                               0.66666666666666696955);
  }
  // 2 atanh(s) = f - (f^2 / 2 - s (f^2 / 2 + r))
  const T h = f * f * T(0.5);
  const T low = fma(k, T(F::kLn2Lo), s * (h + r));
  const T y = fma(k, T(F::kLn2Hi), f - (h - low));
  const T above_zero = where(x < T(kInfinity), y, x);
  return where(x > T(0), above_zero, where(x == T(0), T(-kInfinity), T(kNaN)));
#endif
}

/// exp(x) - 1
template <Lane T>
WICK_MATH T expm1(T x) {
#if defined(__CUDA_ARCH__)
  return ::expm1(x);
#else
  using F = detail::FormatOf<T>;
  // From kExpm1Max on the 1 does not count, and 2^n may be infinite; below kExpm1Min it is all.
  const T high = where(x > T(F::kExpm1Max), T(F::kExpm1Max), x);
  const auto parts = detail::exp_parts(where(high < T(F::kExpm1Min), T(F::kExpm1Min), high));
  const T scale = detail::power_of_two<T>(parts.n);
  const T near = fma(scale, parts.em1, scale - T(1));
  return where(x > T(F::kExpm1Max), exp(x), near);
#endif
}

/// log(1 + x)
template <Lane T>
WICK_MATH T log1p(T x) {
#if defined(__CUDA_ARCH__)
  return ::log1p(x);
#else
  // log(u) and what rounding 1 + x to u left out.
  const T u = x + T(1);
  const T correction = (x - (u - T(1))) / u;
  return log(u) + where(u > T(0), where(u < T(kInfinity), correction, T(0)), T(0));
#endif
}

/// 1 / (1 + exp(-x)), without overflow on either side.
template <Lane T>
WICK_MATH T sigmoid(T x) {
  const T e = exp(-abs(x));
  return where(x < T(0), e, T(1)) / (e + T(1));
}

template <Lane T>
WICK_MATH T tanh(T x) {
#if defined(__CUDA_ARCH__)
  return ::tanh(x);
#else
  using F = detail::FormatOf<T>;
  const T a = abs(x);
  const T clamped = where(a > T(F::kTanhMax), T(F::kTanhMax), a);
  const auto parts = detail::exp_parts(clamped + clamped);
  const T scale = detail::power_of_two<T>(parts.n);
  const T em1 = fma(scale, parts.em1, scale - T(1));  // exp(2 |x|) - 1
  const T y = em1 / (em1 + T(2));
  return from_bits(to_bits(y) | (to_bits(x) & BitsOf<T>(F::kSign)));
#endif
}

template <Lane T>
WICK_MATH T erf(T x) {
#if defined(__CUDA_ARCH__)
  return ::erf(x);
#else
  if constexpr (FloatLane<T>) {
    const T a = abs(x);
    const T near =
        fma(x,
            detail::polynomial(x * x, 8.5294013228e-5, -0.00081796321809, 0.0052042266938,
                               -0.026860664791, 0.1128371805, -0.37612635194, 0.12837916679),
            x);
    const T c = where(a > T(3.95f), T(3.95f), a);  // erf rounds to 1 from there
    const T log_erfc = detail::polynomial(c, 1.6589020997e-6, -4.645523621e-5, 0.00059985968601,
                                          -0.0047724345929, 0.026453158025, -0.11012809603,
                                          -0.63178446591, -1.1302519353, 0.00032318562716);
    const auto parts = detail::exp_parts(log_erfc);
    const T scale = detail::power_of_two<T>(parts.n);
    const T far = (T(1) - scale) - scale * parts.em1;
    const T far_signed = from_bits(to_bits(far) | (to_bits(x) & BitsOf<T>(0x80000000u)));
    return where(a < T(0.9f), near, where(a == a, far_signed, x));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return __builtin_erf(x);
  } else {
    T y;
    for (int i = 0; i < T::kSize; ++i) y.set(i, __builtin_erf(x[i]));
    return y;
  }
#endif
}

namespace detail {

/// x^y for lanes of double that hold floats, with the special cases of C, to about 5e-9: enough
/// to round to float.
template <class T>
WICK_MATH T pow_of_floats(T x, T y) {
  using F = Format<double>;
  using U = BitsOf<T>;
  const T a = abs(x);
  // Beyond this every power of a float but 1 is 0 or infinite, and every exponent is even.
  y = where(y > T(0x1p40), T(0x1p40), y);
  y = where(y < T(-0x1p40), T(-0x1p40), y);

  const auto [k, f, s] = log_parts(a);
  T log2 = fma(s,
               polynomial(s * s, 0.34072111495492951252, 0.41167329914115812563,
                          0.57708357336369335338, 0.96179667341549737545, 2.8853900817900135194),
               k);
  log2 = where(a < T(kInfinity), log2, a);
  log2 = where(a == T(0), T(-kInfinity), log2);
  T t = y * log2;
  t = where(t > T(200), T(200), t);
  t = where(t < T(-200), T(-200), t);
  const T shifted = t + T(F::kMagic);
  const T r = t - (shifted - T(F::kMagic));
  const T scale = power_of_two<T>(to_bits(shifted) - to_bits(T(F::kMagic)));
  const T fraction = fma(
      r,
      polynomial(r, 0.00015453182829959740588, 0.0013390886332106697626, 0.0096180825199904668781,
                 0.055503570711525073233, 0.24022650760645807262, 0.6931471880352002849),
      T(1));
  const T size = scale * fraction;

  // In [2^52, 2^53) the lowest bit is the parity.
  const T integer = abs(y) + T(0x1p52);
  const U odd = to_bits(integer) << 63;
  const T flipped = from_bits(to_bits(size) ^ (odd & to_bits(x)));
  const T other = where(x < T(0), where(a < T(kInfinity), T(kNaN), size), size);
  const T power = where(integer - T(0x1p52) == abs(y), flipped, other);
  return where(y == T(0), T(1), where(x == T(1), T(1), power));
}

}  // namespace detail

/// As in C: pow(x, 0) and pow(1, y) are 1 even for NaN; a negative x needs an integer y.
template <Lane T>
WICK_MATH T pow(T x, T y) {
#if defined(__CUDA_ARCH__)
  return ::pow(x, y);
#else
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(
        detail::pow_of_floats(static_cast<double>(x), static_cast<double>(y)));
  } else if constexpr (std::is_same_v<T, double>) {
    return __builtin_pow(x, y);
  } else if constexpr (FloatLane<T>) {
    return narrow(detail::pow_of_floats(widen_low(x), widen_low(y)),
                  detail::pow_of_floats(widen_high(x), widen_high(y)));
  } else {
    T z;
    for (int i = 0; i < T::kSize; ++i) z.set(i, __builtin_pow(x[i], y[i]));
    return z;
  }
#endif
}

}  // namespace wick::math
