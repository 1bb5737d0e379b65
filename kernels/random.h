#pragma once

#include <wick/kernels/args.h>

// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011, https://doi.org/10.1145/2063384.2063405). Element i of a call draws from block
// offset + i / per_block, word i % per_block; so results do not depend on device, thread count or
// launch geometry. `out` is contiguous. Half types are computed as float and rounded.
namespace wick {

struct PhiloxState {
  uint64_t seed = 0;    // the key
  uint64_t offset = 0;  // the first block of this call; counter = {offset + block, 0}
};

/// Blocks of four 32-bit words that `n` elements of a call consume, by kind: 32-bit uniform,
/// normal: 4 elements a block for float and half types, 2 for float64; randint and keys: 2.
constexpr uint64_t philox_blocks(int64_t n, int per_block) {
  return (static_cast<uint64_t>(n) + per_block - 1) / per_block;
}
constexpr int philox_per_block(DType dtype) { return dtype == DType::Float64 ? 2 : 4; }

/// low + (high - low) * u, u in [0, 1) with 24 (53) random bits; low and high are rounded to
/// `dtype` first, the result stays below high (and is low if no number lies between).
WICK_KERNEL(void, uniform, DType dtype, int64_t n, void* out, PhiloxState state, double low,
            double high)
/// mean + std * z by Box-Muller from words (2j, 2j+1) of a block (for float64 from its two pairs of
/// words); bits are the same on every device (kernels/philox.h).
WICK_KERNEL(void, normal, DType dtype, int64_t n, void* out, PhiloxState state, double mean,
            double std)
/// -log(u) / lambda, u in (0, 1] from the upper 31 (52) bits of a word; bits as of `normal`.
WICK_KERNEL(void, exponential, DType dtype, int64_t n, void* out, PhiloxState state, double lambda)
/// low + floor(r * (high - low) / 2^64), r a pair of words, the first one lower, written as `dtype`
/// (any but bool; half and float types get the converted integer).
WICK_KERNEL(void, randint, DType dtype, int64_t n, void* out, PhiloxState state, int64_t low,
            int64_t high)
/// A permutation of 0..n-1: the order of 64-bit keys, ties by position.
WICK_KERNEL(void, randperm, int64_t n, int64_t* out, PhiloxState state)
struct MultinomialArgs {
  int64_t rows = 0, classes = 0, samples = 0;
  bool replacement = false;
};
/// out: [rows, samples], classes drawn in proportion to weights: [rows, classes], which are
/// overwritten. With replacement sample i is the first class up to which the weights, added in
/// order, are above u_i times their sum; without, those with the smallest -log(u_i) / weight_i, in
/// order, i over all weights (Efraimidis and Spirakis, https://doi.org/10.1016/j.ipl.2005.11.003).
/// u is uniform or, for the logarithm, as of `exponential`, two to a block.
WICK_KERNEL(void, multinomial, const MultinomialArgs& args, double* weights, int64_t* out,
            PhiloxState state)
/// Dropout: keep[i] = u_i >= p (u 32-bit uniform, 4 a block whatever the dtype), y = keep ? x *
/// scale : 0. x, y of `dtype`, mask uint8 (0 or 1), all contiguous.
WICK_KERNEL(void, dropout, DType dtype, int64_t n, const void* x, void* y, uint8_t* mask,
            PhiloxState state, double p, double scale)
/// grad_x = mask ? grad_y * scale : 0.
WICK_KERNEL(void, dropout_backward, DType dtype, int64_t n, const void* grad_y, const uint8_t* mask,
            void* grad_x, double scale)

}  // namespace wick
