#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/philox.h>
#include <wick/kernels/random.h>

// The loops of kernels/cpu/random.cpp. Each starts with the first word of block state.offset.
namespace wick::cpu {

/// Pairs of words, two a block.
WICK_ISA_KERNEL(void, draw_pairs, int64_t n, uint64_t* out, PhiloxState state)
WICK_ISA_KERNEL(void, draw_uniform, int64_t n, float* out, PhiloxState state,
                philox::UniformRange<float> range)
WICK_ISA_KERNEL(void, draw_uniform, int64_t n, double* out, PhiloxState state,
                philox::UniformRange<double> range)
WICK_ISA_KERNEL(void, draw_normal, int64_t n, float* out, PhiloxState state, float mean, float std)
WICK_ISA_KERNEL(void, draw_normal, int64_t n, double* out, PhiloxState state, double mean,
                double std)
/// 1 where (word >> 8) >= threshold, else 0; four a block.
WICK_ISA_KERNEL(void, draw_mask, int64_t n, uint8_t* mask, PhiloxState state, uint32_t threshold)
/// y = mask ? x * scale : 0; y may be x.
WICK_ISA_KERNEL(void, apply_mask, int64_t n, const float* x, const uint8_t* mask, float* y,
                float scale)
WICK_ISA_KERNEL(void, apply_mask, int64_t n, const double* x, const uint8_t* mask, double* y,
                double scale)

}  // namespace wick::cpu
