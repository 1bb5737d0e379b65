#include <wick/kernels/cpu/simd/random.h>
#include <wick/kernels/cpu/simd/vec.h>

namespace wick::cpu::WICK_ISA {

WICK_SIMD VecL multiply_low_halves(VecL a, VecL b) {
#if defined(__AVX512F__)
  return VecL((VecL::Native)_mm512_maskz_mul_epu32(0xff, (__m512i)a.v, (__m512i)b.v));
#elif defined(__AVX2__)
  return VecL((VecL::Native)_mm256_mul_epu32((__m256i)a.v, (__m256i)b.v));
#elif defined(__x86_64__)
  return VecL((VecL::Native)_mm_mul_epu32((__m128i)a.v, (__m128i)b.v));
#else
  const VecL low(uint32_t{0xffffffffu});
  return VecL((a & low).v * (b & low).v);
#endif
}
WICK_SIMD VecF signed_to_float(VecU x) {
  using Signed = typename NativeOf<int32_t>::Type;
  return VecF(__builtin_convertvector((Signed)x.v, VecF::Native));
}

namespace {

constexpr int kBlocks = VecL::kSize;  // a group: one block a lane

WICK_SIMD VecU as_words(VecL x) { return VecU((VecU::Native)x.v); }
WICK_SIMD VecL as_pairs(VecU x) { return VecL((VecL::Native)x.v); }
/// The lower halves of a and b as lower and upper halves; the upper halves likewise.
WICK_SIMD VecL join_low(VecL a, VecL b) { return (a & VecL(uint32_t{0xffffffffu})) | (b << 32); }
WICK_SIMD VecL join_high(VecL a, VecL b) {
  return (a >> 32) | (b & VecL(uint64_t{0xffffffff00000000u}));
}

/// Numbers of 8 bytes, two a block: {a0, b0, a1, b1, ...}.
struct Group {
  VecL a, b;

  template <int kFirst, size_t... I>
  WICK_SIMD VecL part(std::index_sequence<I...>) const {
    return VecL(__builtin_shufflevector(
        a.v, b.v, (kFirst + static_cast<int>(I) / 2 + static_cast<int>(I) % 2 * kBlocks)...));
  }
  WICK_SIMD VecL low() const { return part<0>(std::make_index_sequence<kBlocks>()); }
  WICK_SIMD VecL high() const { return part<kBlocks / 2>(std::make_index_sequence<kBlocks>()); }
  WICK_SIMD void store(void* out) const {
    const VecL x = low(), y = high();
    __builtin_memcpy(out, &x, kVectorBytes);
    __builtin_memcpy(static_cast<char*>(out) + kVectorBytes, &y, kVectorBytes);
  }
};

/// Fills out[0, n) with what `make` makes of the words of each block, groups of kBlocks first. The
/// words are in the lower halves of their lanes.
template <int kPerBlock, class E, class Make>
WICK_SIMD void fill_groups(E* out, int64_t n, PhiloxState state, Make make) {
  constexpr int64_t kGroup = kPerBlock * kBlocks;
  VecL index;
  for (int i = 0; i < kBlocks; ++i) index.set(i, state.offset + static_cast<uint64_t>(i));
  for (int64_t i = 0; i < n; i += kGroup, index = index + VecL(kBlocks)) {
    VecL c[4] = {index, index >> 32, VecL(0), VecL(0)};
    philox::rounds(c, state.seed);
    if (n - i >= kGroup) {
      make(c, out + i);
    } else {
      E rest[kGroup];
      make(c, rest);
      __builtin_memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(E));
    }
  }
}

}  // namespace

void draw_pairs(int64_t n, uint64_t* out, PhiloxState state) {
  fill_groups<2>(
      out, n, state, [](VecL(&c)[4], uint64_t * to) __attribute__((always_inline)) {
        Group{join_low(c[0], c[1]), join_low(c[2], c[3])}.store(to);
      });
}

void draw_uniform(int64_t n, float* out, PhiloxState state, philox::UniformRange<float> range) {
  fill_groups<4>(
      out, n, state, [range](VecL(&c)[4], float* to) __attribute__((always_inline)) {
        const VecF a = philox::uniform<VecF>(as_words(join_low(c[0], c[1])), range);
        const VecF b = philox::uniform<VecF>(as_words(join_low(c[2], c[3])), range);
        Group{as_pairs(to_bits(a)), as_pairs(to_bits(b))}.store(to);
      });
}

void draw_uniform(int64_t n, double* out, PhiloxState state, philox::UniformRange<double> range) {
  fill_groups<2>(
      out, n, state, [range](VecL(&c)[4], double* to) __attribute__((always_inline)) {
        const VecD a = philox::uniform<VecD>(join_low(c[0], c[1]), range);
        const VecD b = philox::uniform<VecD>(join_low(c[2], c[3]), range);
        Group{to_bits(a), to_bits(b)}.store(to);
      });
}

void draw_normal(int64_t n, float* out, PhiloxState state, float mean, float std) {
  fill_groups<4>(
      out, n, state, [ mean, std ](VecL(&c)[4], float* to) __attribute__((always_inline)) {
        // Lower halves of the lanes are elements 0 and 1 of a block, upper ones 2 and 3.
        const auto z = philox::normal_pair<VecF>(as_words(join_low(c[0], c[2])),
                                                 as_words(join_low(c[1], c[3])));
        const VecL x = as_pairs(to_bits(fma(VecF(std), z.first, VecF(mean))));
        const VecL y = as_pairs(to_bits(fma(VecF(std), z.second, VecF(mean))));
        Group{join_low(x, y), join_high(x, y)}.store(to);
      });
}

void draw_normal(int64_t n, double* out, PhiloxState state, double mean, double std) {
  fill_groups<2>(
      out, n, state, [ mean, std ](VecL(&c)[4], double* to) __attribute__((always_inline)) {
        const auto z = philox::normal_pair<VecD>(join_low(c[0], c[1]), join_low(c[2], c[3]));
        const VecD x = fma(VecD(std), z.first, VecD(mean));
        const VecD y = fma(VecD(std), z.second, VecD(mean));
        Group{to_bits(x), to_bits(y)}.store(to);
      });
}

void draw_mask(int64_t n, uint8_t* mask, PhiloxState state, uint32_t threshold) {
  fill_groups<4>(
      mask, n, state, [threshold](VecL(&c)[4], uint8_t * to) __attribute__((always_inline)) {
        const Group words{join_low(c[0], c[1]), join_low(c[2], c[3])};
        const VecL parts[2] = {words.low(), words.high()};
        for (int i = 0; i < 2; ++i) {
          const auto keep = (as_words(parts[i]) >> 8) >= VecU(threshold);
          using Bytes = typename NativeOf<uint8_t, VecU::kSize>::Type;
          const Bytes bytes = __builtin_convertvector(keep.v, Bytes) & 1;
          __builtin_memcpy(to + i * VecU::kSize, &bytes, VecU::kSize);
        }
      });
}

void apply_mask(int64_t n, const float* x, const uint8_t* mask, float* y, float scale) {
  for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? x[i] * scale : 0;
}

void apply_mask(int64_t n, const double* x, const uint8_t* mask, double* y, double scale) {
  for (int64_t i = 0; i < n; ++i) y[i] = mask[i] != 0 ? x[i] * scale : 0;
}

}  // namespace wick::cpu::WICK_ISA
