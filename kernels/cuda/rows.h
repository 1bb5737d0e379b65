#pragma once

#include <wick/kernels/cuda/device_utils.h>
#include <bit>

// Rows [outer, dim, inner] -> outer x inner rows of `dim` elements, each for a group of threads.
namespace wick::cuda {

struct RowGeometry {
  int64_t rows, dim, inner;
  int lanes;  // threads for each row, a power of two
  __device__ int64_t offset(int64_t row) const { return row / inner * inner * dim + row % inner; }
};

inline RowGeometry row_geometry(int64_t outer, int64_t dim, int64_t inner) {
  RowGeometry g{outer * inner, dim, inner, 1};
  const int64_t most = inner == 1 ? kThreads : kThreads / kWarp;  // a warp along the rows if inner
  g.lanes = static_cast<int>(std::bit_ceil(static_cast<uint64_t>(dim < 1      ? 1
                                                                 : dim < most ? dim
                                                                              : most)));
  return g;
}
inline dim3 row_grid(const RowGeometry& g) { return grid_for(g.rows, kThreads / g.lanes); }

/// The place of a thread: which of the block's rows, and which of that row's threads.
struct RowThread {
  int outputs, output, lane;
  __device__ explicit RowThread(const RowGeometry& g) {
    const int thread = threadIdx.x;
    outputs = kThreads / g.lanes;
    output = g.inner == 1 ? thread / g.lanes : thread % outputs;
    lane = g.inner == 1 ? thread % g.lanes : thread / outputs;
  }
};

/// Merges the values of a row's threads in a fixed order; every thread gets the result. All threads
/// of the block call it.
template <class V>
__device__ inline V fold_rows(V* shared, const RowThread& t, int lanes, V v) {
  __syncthreads();  // an earlier result may still be being read
  shared[t.lane * t.outputs + t.output] = v;
  __syncthreads();
  for (int half = lanes / 2; half > 0; half /= 2) {
    if (t.lane < half)
      shared[t.lane * t.outputs + t.output].merge(shared[(t.lane + half) * t.outputs + t.output]);
    __syncthreads();
  }
  return shared[t.output];
}

/// Maximum and sum of exp(x - maximum) of numbers seen so far.
template <class C>
struct MaxSum {
  C max, sum;
  __device__ void clear() {
    max = -INFINITY;
    sum = 0;
  }
  __device__ void add(C x) {
    MaxSum one;
    one.max = x;
    one.sum = 1;
    merge(one);
  }
  __device__ void merge(const MaxSum& other) {
    if (other.sum == C(0)) return;  // nothing seen there
    if (sum == C(0)) {
      *this = other;
      return;
    }
    const C m = max_nan(max, other.max);
    // Equal maxima need no factor: inf - inf and -inf - -inf would make a NaN of it.
    const C mine = max == m ? sum : sum * ::exp(max - m);
    const C its = other.max == m ? other.sum : other.sum * ::exp(other.max - m);
    max = m;
    sum = mine + its;
  }
  /// As the two-pass formula has it: NaN where the maximum is infinite.
  __device__ C total() const { return sum + (max - max); }
};

}  // namespace wick::cuda
