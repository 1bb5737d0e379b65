#pragma once

#include <wick/kernels/cuda/reduce_engine.h>

namespace wick::cuda {

/// What an accumulator holds a value as: nothing narrower than 4 bytes, so that no bytes of an
/// accumulator are padding. Accumulators are copied whole, and what nobody has written must not be
/// read.
template <class T>
using Unpadded = std::conditional_t<sizeof(Compute<T>) < 4, int32_t, Compute<T>>;

/// Whether `a` takes the place of `b` as the extreme value; a NaN does, unless b is one.
template <bool kMax, class T>
__device__ inline bool beats(T a, T b) {
  if (a != a) return b == b;
  return kMax ? a > b : a < b;
}

}  // namespace wick::cuda
