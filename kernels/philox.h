#pragma once

#include <wick/core/dtype.h>
#include <wick/kernels/math.h>

#include <bit>
#include <cstdint>
#include <type_traits>

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
// https://doi.org/10.1145/2063384.2063405) and the distributions made of its words, from one source
// for scalars on the CPU, scalars on the GPU and the lanes of SIMD vectors.
//
// All give the same bits: there are only integer operations, +, -, *, / and square root, which
// IEEE 754 rounds correctly, and explicit fused multiply-adds. No product feeds a plain sum, so
// there is nothing for a compiler to fuse on its own. tests/kernels/golden_bits.h holds what
// exact arithmetic gives.
namespace wick::philox {

using math::BitsOf;
using math::fma;
using math::from_bits;
using math::sqrt;
using math::to_bits;
using math::where;

// --- lanes of integers; vectors have their own, found by argument

/// Product of the lower 32 bits.
WICK_MATH uint64_t multiply_low_halves(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>(static_cast<uint32_t>(a)) * static_cast<uint32_t>(b);
}
/// The word as a signed number, rounded to nearest.
WICK_MATH float signed_to_float(uint32_t x) { return static_cast<float>(static_cast<int32_t>(x)); }

// --- blocks

/// Ten rounds on the counter `c`, four 32-bit words in the lower halves of 64-bit lanes. The upper
/// halves hold rubbish afterwards.
template <class Lane>
WICK_MATH void rounds(Lane (&c)[4], uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int i = 0; i < 10; ++i) {
    const Lane p0 = multiply_low_halves(c[0], Lane(uint32_t{0xd2511f53u}));
    const Lane p1 = multiply_low_halves(c[2], Lane(uint32_t{0xcd9e8d57u}));
    c[0] = (p1 >> 32) ^ c[1] ^ Lane(k0);
    c[1] = p1;
    c[2] = (p0 >> 32) ^ c[3] ^ Lane(k1);
    c[3] = p0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

struct Block {
  uint32_t word[4];

  /// Words 2j and 2j + 1, the former in the lower half.
  WICK_MATH uint64_t pair(int j) const {
    return static_cast<uint64_t>(word[2 * j + 1]) << 32 | word[2 * j];
  }
};

/// The block with counter {index, 0} and key `seed`, each a 64-bit number, lower word first.
WICK_MATH Block block(uint64_t seed, uint64_t index) {
  uint64_t c[4] = {index, index >> 32, 0, 0};
  rounds(c, seed);
  return {{static_cast<uint32_t>(c[0]), static_cast<uint32_t>(c[1]), static_cast<uint32_t>(c[2]),
           static_cast<uint32_t>(c[3])}};
}

// --- uniform deviates. T is float or double or a vector of either; a word has the size of T.

/// In [0, 1), from the upper 24 (53) bits of a word.
template <class T>
WICK_MATH T unit(BitsOf<T> word) {
  if constexpr (math::FloatLane<T>) {
    return signed_to_float(word >> 8) * T(0x1p-24f);
  } else {
    // Both parts are exact, and so is their sum.
    using U = BitsOf<T>;
    const T magic(0x1p52);
    const T high = from_bits((word >> 32) | to_bits(magic)) - magic;
    const T low = from_bits(((word >> 11) & U(uint64_t{0x1fffff})) | to_bits(magic)) - magic;
    return fma(high, T(0x1p-32), low * T(0x1p-53));
  }
}

/// Numbers in [low, low + width), none above `largest`.
template <class E>
struct UniformRange {
  E low, width, largest;
};

/// low + width u in the compute type; at most `largest`, also where rounding would reach the end.
template <class T, class E>
WICK_MATH T uniform(BitsOf<T> word, UniformRange<E> range) {
  const T x = fma(unit<T>(word), T(range.width), T(range.low));
  return where(x < T(range.largest), x, T(range.largest));
}

template <class S>
using ComputeOf = std::conditional_t<std::is_same_v<S, double>, double, float>;

/// The range of numbers of the storage type S from `low` up to but without `high`, both rounded
/// to S first; just `low` if no number lies between.
template <class S>
UniformRange<ComputeOf<S>> uniform_range(double low, double high) {
  using C = ComputeOf<S>;
  using Bits = std::conditional_t<sizeof(S) == 2, uint16_t,
                                  std::conditional_t<sizeof(S) == 4, uint32_t, uint64_t>>;
  constexpr Bits kSign = static_cast<Bits>(Bits{1} << (8 * sizeof(S) - 1));
  const S first(static_cast<C>(low)), end(static_cast<C>(high));
  Bits bits = std::bit_cast<Bits>(end);
  if ((bits & static_cast<Bits>(~kSign)) == 0) {
    bits = kSign | 1;  // below zero comes the smallest negative number
  } else {
    bits = static_cast<Bits>((bits & kSign) != 0 ? bits + 1 : bits - 1);
  }
  const C begin = first, before_end = std::bit_cast<S>(bits);
  return {begin, static_cast<C>(end) - begin, before_end < begin ? begin : before_end};
}

// --- normal deviates

namespace detail {

/// log(x) for x in (0, 1], not subnormal, to about 2 units of the last place.
template <class T>
WICK_MATH T log_unit(T x) {
  const auto parts = math::detail::log_parts(x);
  if constexpr (math::FloatLane<T>) {
    // log(1 + f) = f + f^2 q(f)
    const T q = math::detail::polynomial(
        parts.f, -0.076736415016740257, 0.12722672788010961, -0.13127555651287652,
        0.14204855952571014, -0.16626645629127463, 0.20001234461093455, -0.25000781239812696,
        0.33333330028354797, -0.49999997649770979);
    return fma(parts.k, T(0.693147181f), fma(parts.f * parts.f, q, parts.f));
  } else {
    // log(1 + f) = 2 atanh(s) = 2 s + s^3 q(s^2)
    const T s = parts.s, z = s * s;
    const T q = math::detail::polynomial(z, 0.1461644968504340586, 0.15331721600556041269,
                                         0.1818288912526172208, 0.22222211134795079855,
                                         0.28571428625975484921, 0.3999999999989950449,
                                         0.66666666666666696862);
    return fma(parts.k, T(0.69314718055994530942), fma(s * z, q, s + s));
  }
}

}  // namespace detail

namespace detail {

/// u in (0, 1] from the upper 31 (52) bits of a word.
template <class T>
WICK_MATH T unit_above_zero(BitsOf<T> word) {
  if constexpr (math::FloatLane<T>) {
    return fma(signed_to_float(word >> 1), T(0x1p-31f), T(0x1p-32f));
  } else {
    return T(2) - from_bits((word >> 12) | to_bits(T(1)));
  }
}

}  // namespace detail

/// Exponentially distributed with mean 1.
template <class T>
WICK_MATH T exponential(BitsOf<T> word) {
  return T(0) - detail::log_unit(detail::unit_above_zero<T>(word));
}

template <class T>
struct NormalPair {
  T first, second;
};

/// Two independent standard normal deviates from two words by the method of Box and Muller
/// (https://doi.org/10.1214/aoms/1177706645): r cos(a) and r sin(a), r = sqrt(-2 log u),
/// with u in (0, 1] from the upper 31 (52) bits of the first word. The upper two bits of the second
/// are the quarter of the circle, the others t in [-1, 1): a = (quarter + t / 2) pi / 2.
/// Deviates stay within 6.7 (8.5).
template <class T>
WICK_MATH NormalPair<T> normal_pair(BitsOf<T> a, BitsOf<T> b) {
  using U = BitsOf<T>;
  const T u = detail::unit_above_zero<T>(a);
  T t, sine, cosine;
  if constexpr (math::FloatLane<T>) {
    t = signed_to_float(b << 2) * T(0x1p-31f);
    const T z = t * t;
    sine = t * math::detail::polynomial(z, -3.5954290725110749e-5, 0.0024900068014923567,
                                        -0.080745434708101474, 0.78539816097661834);
    cosine = fma(z,
                 math::detail::polynomial(z, 3.5419527281377598e-6, -3.2596138034687451e-4,
                                          0.015854338147319281, -0.30842513734355484),
                 T(1));
  } else {
    t = from_bits(((b << 2) >> 12) | to_bits(T(2))) - T(3);
    const T z = t * t;
    sine = t * math::detail::polynomial(z, 6.8773605731663256272e-12, -1.7571500746983934092e-9,
                                        3.1336162254334162211e-7, -0.000036576204158913874935,
                                        0.0024903945701888438479, -0.080745512188280539466,
                                        0.78539816339744830714);
    cosine = fma(z,
                 math::detail::polynomial(z, -3.8631569488326559522e-13, 1.1500679700940495865e-10,
                                          -2.461136623830974229e-8, 3.5908604474486117919e-6,
                                          -0.00032599188692719957064, 0.015854344243815488951,
                                          -0.30842513753404245672),
                 T(1));
  }
  const T r = sqrt(detail::log_unit(u) * T(-2));
  const U sign = to_bits(T(-0.0));
  const auto even = (b & (sign >> 1)) == U(uint32_t{0});
  const T first = from_bits(to_bits(where(even, cosine, sine)) ^ ((b ^ (b << 1)) & sign));
  const T second = from_bits(to_bits(where(even, sine, cosine)) ^ (b & sign));
  return {r * first, r * second};
}

/// The class of a sample: where the weights up to and with it, `sums`, first exceed u times all.
WICK_MATH int64_t pick_class(const double* sums, int64_t classes, double u) {
  const double target = u * sums[classes - 1];
  int64_t first = 0, last = classes - 1;
  while (first < last) {
    const int64_t middle = first + (last - first) / 2;
    if (sums[middle] > target) {
      last = middle;
    } else {
      first = middle + 1;
    }
  }
  // Where rounding made the target the sum itself, the last class may have no weight.
  while (first > 0 && sums[first - 1] == sums[classes - 1]) --first;
  return first;
}

/// Classes of the smallest keys are a sample without replacement.
WICK_MATH double race_key(uint64_t word, double weight) {
  return weight > 0 ? exponential<double>(word) / weight : __builtin_inf();
}

/// A uniform integer in [0, range) from a 64-bit word.
WICK_MATH uint64_t below(uint64_t word, uint64_t range) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(word, range);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(word) * range >> 64);
#endif
}

/// A dropout with probability p in [0, 1] keeps an element iff (word >> 8) >= this.
inline uint32_t dropout_threshold(double p) {
  const double scaled = p * 0x1p24;  // exact
  const uint32_t floor = static_cast<uint32_t>(scaled);
  return static_cast<double>(floor) < scaled ? floor + 1 : floor;
}

}  // namespace wick::philox
