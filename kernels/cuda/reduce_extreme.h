#pragma once

#include <wick/kernels/cuda/reduce_engine.h>

namespace wick::cuda {

/// Whether `a` takes the place of `b` as the extreme value; a NaN does, unless b is one.
template <bool kMax, class T>
__device__ inline bool beats(T a, T b) {
  if (a != a) return b == b;
  return kMax ? a > b : a < b;
}

}  // namespace wick::cuda
