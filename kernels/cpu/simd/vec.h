#pragma once

#include <wick/kernels/math.h>
#include <cstdint>
#include <type_traits>
#include <utility>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// A SIMD vector as wide as the instruction set that this file is compiled for, on the vector
// extensions of GCC and clang. Only for files in kernels/cpu/simd/ (see kernels/cpu/isa.h).
#if !defined(WICK_ISA)
#error "files in kernels/cpu/simd/ are compiled with -DWICK_ISA=base, avx2 or avx512"
#endif

#define WICK_SIMD [[gnu::always_inline]] inline

namespace wick::cpu::WICK_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class E, int kBytes = kVectorBytes>
struct NativeOf {
  typedef E Type __attribute__((vector_size(kBytes)));
};

template <int kElementBytes>
using SignedOf = std::conditional_t<kElementBytes == 8, int64_t, int32_t>;

/// What a comparison of vectors with elements of this size gives: lanes of all ones or all zeros.
template <int kElementBytes>
struct Mask {
  using Native = typename NativeOf<SignedOf<kElementBytes>>::Type;
  Native v;

  WICK_SIMD friend Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
  WICK_SIMD friend Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
  WICK_SIMD friend Mask operator!(Mask a) { return {~a.v}; }
};

template <class E>
struct Vec {
  using Element = E;
  using Native = typename NativeOf<E>::Type;
  static constexpr int kSize = kVectorBytes / static_cast<int>(sizeof(E));
  Native v;

  Vec() = default;
  WICK_SIMD explicit Vec(Native native) : v(native) {}
  template <class S>
  requires(std::is_arithmetic_v<S>) WICK_SIMD explicit Vec(S value)
      : v(static_cast<E>(value) - Native{}) {}

  WICK_SIMD static Vec load(const E* p) {
    Vec r;
    __builtin_memcpy(&r.v, p, kVectorBytes);
    return r;
  }
  WICK_SIMD void store(E* p) const { __builtin_memcpy(p, &v, kVectorBytes); }
  /// The first n lanes, 0 <= n < kSize; the others are 0 (are not written).
  static Vec load(const E* p, int64_t n);
  void store(E* p, int64_t n) const;

  WICK_SIMD E operator[](int i) const { return v[i]; }
  WICK_SIMD void set(int i, E value) { v[i] = value; }

  WICK_SIMD friend Vec operator+(Vec a, Vec b) { return Vec(a.v + b.v); }
  WICK_SIMD friend Vec operator-(Vec a, Vec b) { return Vec(a.v - b.v); }
  WICK_SIMD friend Vec operator*(Vec a, Vec b) { return Vec(a.v * b.v); }
  WICK_SIMD friend Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
  WICK_SIMD friend Vec operator-(Vec a) { return Vec(-a.v); }
  WICK_SIMD friend Vec operator&(Vec a, Vec b) { return Vec(a.v & b.v); }
  WICK_SIMD friend Vec operator|(Vec a, Vec b) { return Vec(a.v | b.v); }
  WICK_SIMD friend Vec operator^(Vec a, Vec b) { return Vec(a.v ^ b.v); }
  WICK_SIMD friend Vec operator<<(Vec a, int bits) { return Vec(a.v << bits); }
  WICK_SIMD friend Vec operator>>(Vec a, int bits) { return Vec(a.v >> bits); }
  WICK_SIMD Vec& operator+=(Vec b) { return *this = *this + b; }
  WICK_SIMD Vec& operator*=(Vec b) { return *this = *this * b; }

  using M = Mask<sizeof(E)>;
  WICK_SIMD friend M operator<(Vec a, Vec b) { return {(typename M::Native)(a.v < b.v)}; }
  WICK_SIMD friend M operator<=(Vec a, Vec b) { return {(typename M::Native)(a.v <= b.v)}; }
  WICK_SIMD friend M operator>(Vec a, Vec b) { return {(typename M::Native)(a.v > b.v)}; }
  WICK_SIMD friend M operator>=(Vec a, Vec b) { return {(typename M::Native)(a.v >= b.v)}; }
  WICK_SIMD friend M operator==(Vec a, Vec b) { return {(typename M::Native)(a.v == b.v)}; }
  WICK_SIMD friend M operator!=(Vec a, Vec b) { return {(typename M::Native)(a.v != b.v)}; }
  WICK_SIMD friend Vec where(M condition, Vec a, Vec b) { return Vec(condition.v ? a.v : b.v); }
};

using VecF = Vec<float>;
using VecD = Vec<double>;
using VecU = Vec<uint32_t>;
using VecL = Vec<uint64_t>;

WICK_SIMD VecU to_bits(VecF x) { return VecU((VecU::Native)x.v); }
WICK_SIMD VecL to_bits(VecD x) { return VecL((VecL::Native)x.v); }
WICK_SIMD VecF from_bits(VecU x) { return VecF((VecF::Native)x.v); }
WICK_SIMD VecD from_bits(VecL x) { return VecD((VecD::Native)x.v); }
WICK_SIMD VecF abs(VecF x) { return from_bits(to_bits(x) & VecU(0x7fffffffu)); }
WICK_SIMD VecD abs(VecD x) { return from_bits(to_bits(x) & VecL(0x7fffffffffffffffu)); }

// (GCC 12 warns about the unmasked forms of some AVX-512 intrinsics.)
#if defined(__AVX512F__)
WICK_SIMD VecF fma(VecF a, VecF b, VecF c) { return VecF(_mm512_fmadd_ps(a.v, b.v, c.v)); }
WICK_SIMD VecD fma(VecD a, VecD b, VecD c) { return VecD(_mm512_fmadd_pd(a.v, b.v, c.v)); }
WICK_SIMD VecF sqrt(VecF x) { return VecF(_mm512_maskz_sqrt_ps(0xffff, x.v)); }
WICK_SIMD VecD sqrt(VecD x) { return VecD(_mm512_maskz_sqrt_pd(0xff, x.v)); }
#elif defined(__AVX2__)
WICK_SIMD VecF fma(VecF a, VecF b, VecF c) { return VecF(_mm256_fmadd_ps(a.v, b.v, c.v)); }
WICK_SIMD VecD fma(VecD a, VecD b, VecD c) { return VecD(_mm256_fmadd_pd(a.v, b.v, c.v)); }
WICK_SIMD VecF sqrt(VecF x) { return VecF(_mm256_sqrt_ps(x.v)); }
WICK_SIMD VecD sqrt(VecD x) { return VecD(_mm256_sqrt_pd(x.v)); }
#else
template <class E>
WICK_SIMD Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) {
  for (int i = 0; i < Vec<E>::kSize; ++i) c.v[i] = math::fma(a.v[i], b.v[i], c.v[i]);
  return c;
}
template <class E>
WICK_SIMD Vec<E> sqrt(Vec<E> x) {
  for (int i = 0; i < Vec<E>::kSize; ++i) x.v[i] = math::sqrt(x.v[i]);
  return x;
}
#endif

// --- parts of vectors

template <int kFirst, size_t... I>
WICK_SIMD VecD widen(VecF x, std::index_sequence<I...>) {
  const typename NativeOf<float, kVectorBytes / 2>::Type half =
      __builtin_shufflevector(x.v, x.v, (static_cast<int>(I) + kFirst)...);
  return VecD(__builtin_convertvector(half, VecD::Native));
}
WICK_SIMD VecD widen_low(VecF x) { return widen<0>(x, std::make_index_sequence<VecD::kSize>()); }
WICK_SIMD VecD widen_high(VecF x) {
  return widen<VecD::kSize>(x, std::make_index_sequence<VecD::kSize>());
}
template <size_t... I>
WICK_SIMD VecF narrow(VecD low, VecD high, std::index_sequence<I...>) {
  using Half = typename NativeOf<float, kVectorBytes / 2>::Type;
  const Half a = __builtin_convertvector(low.v, Half), b = __builtin_convertvector(high.v, Half);
  return VecF(__builtin_shufflevector(a, b, static_cast<int>(I)...));
}
/// The lanes of low, then those of high, rounded.
WICK_SIMD VecF narrow(VecD low, VecD high) {
  return narrow(low, high, std::make_index_sequence<VecF::kSize>());
}

// --- partial loads and stores

template <class E>
WICK_SIMD Vec<E> Vec<E>::load(const E* p, int64_t n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(E) == 4) {
    const auto mask = static_cast<__mmask16>((1u << n) - 1);
    return Vec((Native)_mm512_maskz_loadu_epi32(mask, p));
  } else {
    const auto mask = static_cast<__mmask8>((1u << n) - 1);
    return Vec((Native)_mm512_maskz_loadu_epi64(mask, p));
  }
#else
  Vec r(0);
  for (int64_t i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
#endif
}

template <class E>
WICK_SIMD void Vec<E>::store(E* p, int64_t n) const {
#if defined(__AVX512F__)
  if constexpr (sizeof(E) == 4) {
    const auto mask = static_cast<__mmask16>((1u << n) - 1);
    _mm512_mask_storeu_epi32(p, mask, (__m512i)v);
  } else {
    const auto mask = static_cast<__mmask8>((1u << n) - 1);
    _mm512_mask_storeu_epi64(p, mask, (__m512i)v);
  }
#else
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// --- half types, as their bits

WICK_SIMD VecF load_half(const uint16_t* p) {
#if defined(__AVX512F__)
  return VecF(
      _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#elif defined(__AVX2__)
  return VecF(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  VecU h;
  for (int i = 0; i < VecU::kSize; ++i) h.v[i] = p[i];
  const VecU sign = (h & VecU(0x8000u)) << 16, magnitude = (h & VecU(0x7fffu)) << 13;
  // The exponent is rebased by a multiplication, which is exact for subnormal numbers too.
  const VecF scaled = from_bits(magnitude) * VecF(0x1p112f);
  const VecF special = from_bits(magnitude | VecU(0x7f800000u));  // infinity and NaN
  const VecF value = where(magnitude >= VecU(0x0f800000u), special, scaled);
  return from_bits(to_bits(value) | sign);
#endif
}

/// Rounded to nearest even.
WICK_SIMD void store_half(uint16_t* p, VecF x) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(0xffff, x.v, 0));
#elif defined(__AVX2__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.v, 0));
#else
  const VecU bits = to_bits(x), sign = (bits >> 16) & VecU(0x8000u), u = bits & VecU(0x7fffffffu);
  const VecU normal = (u - VecU(0x38000000u) + VecU(0xfffu) + ((u >> 13) & VecU(1))) >> 13;
  // Adding 0.5 aligns the mantissa of what becomes subnormal.
  const VecU tiny = to_bits(from_bits(u) + VecF(0.5f)) - VecU(0x3f000000u);
  VecU h = where(u >= VecU(0x38800000u), normal, tiny);
  h = where(u >= VecU(0x477ff000u), VecU(0x7c00u), h);
  h = where(u > VecU(0x7f800000u), VecU(0x7e00u) | ((u >> 13) & VecU(0x3ffu)), h) | sign;
  for (int i = 0; i < VecU::kSize; ++i) p[i] = static_cast<uint16_t>(h.v[i]);
#endif
}

WICK_SIMD VecF load_bfloat16(const uint16_t* p) {
  typename NativeOf<uint16_t, kVectorBytes / 2>::Type h;
  __builtin_memcpy(&h, p, sizeof h);
  return from_bits(VecU(__builtin_convertvector(h, VecU::Native)) << 16);
}

/// Rounded to nearest even.
WICK_SIMD void store_bfloat16(uint16_t* p, VecF x) {
  const VecU u = to_bits(x), high = u >> 16;
  const VecU rounded = (u + VecU(0x7fffu) + (high & VecU(1))) >> 16;
  const VecU result =
      where((u & VecU(0x7fffffffu)) > VecU(0x7f800000u), high | VecU(0x40u), rounded);
  using Narrow = typename NativeOf<uint16_t, kVectorBytes / 2>::Type;
  const Narrow h = __builtin_convertvector(result.v, Narrow);
  __builtin_memcpy(p, &h, sizeof h);
}

}  // namespace wick::cpu::WICK_ISA

namespace wick::math {
template <>
struct Lanes<cpu::WICK_ISA::VecF> {
  using Element = float;
  using Bits = cpu::WICK_ISA::VecU;
};
template <>
struct Lanes<cpu::WICK_ISA::VecD> {
  using Element = double;
  using Bits = cpu::WICK_ISA::VecL;
};
}  // namespace wick::math
