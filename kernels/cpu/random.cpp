#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/rows.h>
#include <wick/kernels/cpu/scratch.h>
#include <wick/kernels/cpu/simd/elementwise.h>
#include <wick/kernels/cpu/simd/random.h>

#include <algorithm>
#include <bit>
#include <type_traits>
#include <utility>
#include <vector>

namespace wick::cpu {
namespace {

/// Elements that go through a buffer at once; whole blocks, whatever the elements of a block.
constexpr int64_t kChunk = 1024;

/// body(begin, end) over parts of [0, n) that begin with a block.
template <class Body>
void for_ranges(int64_t n, const Body& body) {
  if (n <= kParallelElements) {
    if (n > 0) body(int64_t{0}, n);
  } else {
    parallel_for(n, kGrainElements, body);
  }
}

/// body(begin, count) over chunks of [0, n).
template <class Body>
void for_chunks(int64_t n, const Body& body) {
  for_ranges(n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kChunk) body(i, std::min(kChunk, end - i));
  });
}

PhiloxState skip(PhiloxState state, int64_t elements, int per_block) {
  return {state.seed, state.offset + static_cast<uint64_t>(elements / per_block)};
}

[[noreturn]] void refuse(const char* op, DType dtype) {
  WICK_FAIL(DTypeError, op, ": expected a floating-point type, got ", dtype);
}

/// Fills `out` of a floating-point type: draw(out, n, state) where `out` is float* or double*.
template <class Draw>
void fill(DType dtype, int64_t n, void* out, PhiloxState state, const Draw& draw) {
  const int per_block = philox_per_block(dtype);
  if (is_reduced_float(dtype)) {
    for_chunks(n, [&](int64_t begin, int64_t count) {
      float buffer[kChunk];
      draw(buffer, count, skip(state, begin, per_block));
      WICK_ISA_CALL(float_to_half, dtype, buffer, static_cast<uint16_t*>(out) + begin, count);
    });
  } else if (dtype == DType::Float32) {
    for_ranges(n, [&](int64_t begin, int64_t end) {
      draw(static_cast<float*>(out) + begin, end - begin, skip(state, begin, per_block));
    });
  } else {
    for_ranges(n, [&](int64_t begin, int64_t end) {
      draw(static_cast<double*>(out) + begin, end - begin, skip(state, begin, per_block));
    });
  }
}

}  // namespace

void uniform(DType dtype, int64_t n, void* out, PhiloxState state, double low, double high) {
  if (!is_floating_point(dtype)) refuse("uniform", dtype);
  const auto wide = philox::uniform_range<double>(low, high);
  const auto range = dtype == DType::Float16    ? philox::uniform_range<Half>(low, high)
                     : dtype == DType::BFloat16 ? philox::uniform_range<BFloat16>(low, high)
                                                : philox::uniform_range<float>(low, high);
  fill(dtype, n, out, state, [&](auto* to, int64_t count, PhiloxState from) {
    if constexpr (std::is_same_v<decltype(to), float*>) {
      WICK_ISA_CALL(draw_uniform, count, to, from, range);
    } else {
      WICK_ISA_CALL(draw_uniform, count, to, from, wide);
    }
  });
}

void normal(DType dtype, int64_t n, void* out, PhiloxState state, double mean, double std) {
  if (!is_floating_point(dtype)) refuse("normal", dtype);
  fill(dtype, n, out, state, [&](auto* to, int64_t count, PhiloxState from) {
    using E = std::remove_pointer_t<decltype(to)>;
    WICK_ISA_CALL(draw_normal, count, to, from, static_cast<E>(mean), static_cast<E>(std));
  });
}

void exponential(DType dtype, int64_t n, void* out, PhiloxState state, double lambda) {
  if (!is_floating_point(dtype)) refuse("exponential", dtype);
  fill(dtype, n, out, state, [&](auto* to, int64_t count, PhiloxState from) {
    using E = std::remove_pointer_t<decltype(to)>;
    constexpr int kPer = sizeof(E) == 8 ? 2 : 4;
    const E rate = static_cast<E>(lambda);
    for (int64_t i = 0; i < count; i += kPer) {
      const auto block = philox::block(from.seed, from.offset + static_cast<uint64_t>(i / kPer));
      for (int j = 0; j < kPer && i + j < count; ++j) {
        if constexpr (kPer == 2) {
          to[i + j] = philox::exponential<E>(block.pair(j)) / rate;
        } else {
          to[i + j] = philox::exponential<E>(block.word[j]) / rate;
        }
      }
    }
  });
}

void multinomial(const MultinomialArgs& args, double* weights, int64_t* out, PhiloxState state) {
  const auto word = [&](int64_t i) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 2));
    return block.pair(static_cast<int>(i % 2));
  };
  const int64_t n = args.classes;
  parallel_for(args.rows, kGrainElements / (n + args.samples) + 1, [&](int64_t begin, int64_t end) {
    std::vector<std::pair<double, int64_t>> keys(static_cast<size_t>(args.replacement ? 0 : n));
    for (int64_t row = begin; row < end; ++row) {
      double* const w = weights + row * n;
      int64_t* const to = out + row * args.samples;
      if (args.replacement) {
        for (int64_t c = 1; c < n; ++c) w[c] += w[c - 1];
        for (int64_t s = 0; s < args.samples; ++s)
          to[s] = philox::pick_class(w, n, philox::unit<double>(word(row * args.samples + s)));
        continue;
      }
      for (int64_t c = 0; c < n; ++c)
        keys[static_cast<size_t>(c)] = {philox::race_key(word(row * n + c), w[c]), c};
      std::partial_sort(keys.begin(), keys.begin() + args.samples, keys.end());
      for (int64_t s = 0; s < args.samples; ++s) to[s] = keys[static_cast<size_t>(s)].second;
    }
  });
}

void randint(DType dtype, int64_t n, void* out, PhiloxState state, int64_t low, int64_t high) {
  const uint64_t first = static_cast<uint64_t>(low);
  const uint64_t range = static_cast<uint64_t>(high) - first;
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    T* const to = static_cast<T*>(out);
    for_chunks(n, [&](int64_t begin, int64_t count) {
      uint64_t words[kChunk];
      WICK_ISA_CALL(draw_pairs, count, words, skip(state, begin, 2));
      for (int64_t i = 0; i < count; ++i) {
        const auto value = static_cast<int64_t>(first + philox::below(words[i], range));
        if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
          to[begin + i] = T(static_cast<float>(value));
        } else {
          to[begin + i] = static_cast<T>(value);
        }
      }
    });
  });
}

// --- randperm: numbers whose upper bits are those of the key and whose lower bits are the position
// are sorted by the upper bits. Where those are equal, which is rare, the whole keys decide.

namespace {

constexpr int kDigitBits = 11, kPasses = 3;
constexpr int kDigits = 1 << kDigitBits;

/// One stable pass of a radix sort by the digit at `shift`.
void sort_by_digit(const uint64_t* from, uint64_t* to, int64_t n, int shift) {
  int64_t place[kDigits] = {};
  for (int64_t i = 0; i < n; ++i) ++place[(from[i] >> shift) & (kDigits - 1)];
  int64_t sum = 0;
  for (int64_t& p : place) sum += std::exchange(p, sum);
  for (int64_t i = 0; i < n; ++i) to[place[(from[i] >> shift) & (kDigits - 1)]++] = from[i];
}

}  // namespace

void randperm(int64_t n, int64_t* out, PhiloxState state) {
  if (n <= 0) return;
  const int low_bits = std::bit_width(static_cast<uint64_t>(n - 1));
  const uint64_t position = (uint64_t{1} << low_bits) - 1;
  Scratch scratch(sizeof(uint64_t) * static_cast<size_t>(n));
  uint64_t* const sorted = scratch.as<uint64_t>();
  uint64_t* const items = reinterpret_cast<uint64_t*>(out);
  for_chunks(n, [&](int64_t begin, int64_t count) {
    WICK_ISA_CALL(draw_pairs, count, sorted + begin, skip(state, begin, 2));
    for (int64_t i = begin; i < begin + count; ++i) {
      items[i] = (sorted[i] & ~position) | static_cast<uint64_t>(i);
    }
  });
  // Bits of the key below the last digit wait for the second step, too.
  int shift = 64 - kPasses * kDigitBits;
  if (n < kDigits || shift < low_bits) {
    std::copy(items, items + n, sorted);
    std::sort(sorted, sorted + n);
    shift = low_bits;
  } else {
    sort_by_digit(items, sorted, n, shift);
    sort_by_digit(sorted, items, n, shift + kDigitBits);
    sort_by_digit(items, sorted, n, shift + 2 * kDigitBits);
  }
  const auto key = [&](uint64_t item) {
    const uint64_t i = item & position;
    return philox::block(state.seed, state.offset + i / 2).pair(static_cast<int>(i % 2));
  };
  for (int64_t begin = 0, end; begin < n; begin = end) {
    for (end = begin + 1; end < n && (sorted[end] ^ sorted[begin]) >> shift == 0;) ++end;
    if (end - begin > 1) {
      std::sort(sorted + begin, sorted + end, [&](uint64_t a, uint64_t b) {
        const uint64_t x = key(a), y = key(b);
        return x != y ? x < y : (a & position) < (b & position);
      });
    }
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<int64_t>(sorted[i] & position);
  }
}

// --- dropout

namespace {

void scale_kept(DType dtype, int64_t n, const void* x, const uint8_t* mask, void* y, double scale) {
  const float factor = static_cast<float>(scale);
  if (dtype == DType::Float64) {
    WICK_ISA_CALL(apply_mask, n, static_cast<const double*>(x), mask, static_cast<double*>(y),
                  scale);
  } else if (dtype == DType::Float32) {
    WICK_ISA_CALL(apply_mask, n, static_cast<const float*>(x), mask, static_cast<float*>(y),
                  factor);
  } else {
    float buffer[kChunk];
    WICK_ISA_CALL(half_to_float, dtype, x, buffer, n);
    WICK_ISA_CALL(apply_mask, n, buffer, mask, buffer, factor);
    WICK_ISA_CALL(float_to_half, dtype, buffer, y, n);
  }
}

template <class T>
auto* advance(T* p, int64_t elements, DType dtype) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return static_cast<Byte*>(p) + elements * element_size(dtype);
}

}  // namespace

void dropout(DType dtype, int64_t n, const void* x, void* y, uint8_t* mask, PhiloxState state,
             double p, double scale) {
  if (!is_floating_point(dtype)) refuse("dropout", dtype);
  const uint32_t threshold = philox::dropout_threshold(p);
  for_chunks(n, [&](int64_t begin, int64_t count) {
    WICK_ISA_CALL(draw_mask, count, mask + begin, skip(state, begin, 4), threshold);
    scale_kept(dtype, count, advance(x, begin, dtype), mask + begin, advance(y, begin, dtype),
               scale);
  });
}

void dropout_backward(DType dtype, int64_t n, const void* grad_y, const uint8_t* mask, void* grad_x,
                      double scale) {
  if (!is_floating_point(dtype)) refuse("dropout_backward", dtype);
  for_chunks(n, [&](int64_t begin, int64_t count) {
    scale_kept(dtype, count, advance(grad_y, begin, dtype), mask + begin,
               advance(grad_x, begin, dtype), scale);
  });
}

}  // namespace wick::cpu
