#pragma once

#include <wick/core/tensor.h>

// Random state (core/random.cpp) and numbers with a parameter for each element
// (core/ops/random.cpp): without gradients, from the one generator, the same on every device.
namespace wick {

/// Seeds the one generator of the process. It starts at seed 0.
WICK_API void manual_seed(uint64_t seed);
struct RngState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};
WICK_API RngState get_rng_state();
WICK_API void set_rng_state(RngState state);

/// 1 with probability p, an element of x or one number for all, else 0; of x's type. p outside
/// [0, 1] is a ValueError, for which a tensor on CUDA is waited for.
WICK_API Tensor bernoulli(const Tensor& x);
WICK_API Tensor bernoulli(const Tensor& x, double p);
/// Normal numbers. Means and standard deviations (>= 0) broadcast.
WICK_API Tensor normal(const Tensor& mean, double std = 1);
WICK_API Tensor normal(double mean, const Tensor& std);
WICK_API Tensor normal(const Tensor& mean, const Tensor& std);
WICK_API Tensor normal(double mean, double std, IntArrayRef sizes,
                       const TensorOptions& options = {});
/// `num_samples` class numbers (int64) for each row of x ([classes] or [rows, classes]), drawn in
/// proportion to its numbers: finite, >= 0, not all 0. Without replacement at least that many must
/// be above 0. Waits for CUDA.
WICK_API Tensor multinomial(const Tensor& x, int64_t num_samples, bool replacement = false);

}  // namespace wick
