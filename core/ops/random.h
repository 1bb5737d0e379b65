#pragma once

#include <wick/core/tensor.h>

// Random state (core/random.cpp)
namespace wick {

/// Seeds the one generator of the process. It starts at seed 0.
WICK_API void manual_seed(uint64_t seed);
struct RngState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};
WICK_API RngState get_rng_state();
WICK_API void set_rng_state(RngState state);

}  // namespace wick
