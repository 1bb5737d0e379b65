// A bitonic sorting network (Batcher, "Sorting networks and their applications", 1968,
// https://doi.org/10.1145/1468075.1468121) on pairs of 16 bytes: (log n)^2 / 2 passes over the
// data, of which those within 1024 elements run in shared memory.
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/sort.h>
#include <bit>

namespace wick::cuda {
namespace {

constexpr int64_t kSortBlock = 1024;  // elements of a block's shared memory

__device__ inline bool after(uint64_t key_a, int64_t a, uint64_t key_b, int64_t b) {
  return key_a != key_b ? key_a > key_b : a > b;
}

/// Element i and its partner i + distance, for i without that bit; sequences of `length` are
/// sorted upwards and downwards in turn.
__device__ inline int64_t lower_of(int64_t pair, int64_t distance) {
  return pair / distance * distance * 2 + pair % distance;
}
__device__ inline void order(uint64_t* keys, int64_t* positions, int64_t i, int64_t distance,
                             bool upwards) {
  const int64_t j = i + distance;
  if (after(keys[i], positions[i], keys[j], positions[j]) != upwards) return;
  const uint64_t key = keys[i];
  const int64_t position = positions[i];
  keys[i] = keys[j];
  positions[i] = positions[j];
  keys[j] = key;
  positions[j] = position;
}

__global__ void __launch_bounds__(kThreads)
    sort_pass_kernel(uint64_t* keys, int64_t* positions, int64_t pairs, int64_t length,
                     int64_t distance) {
  for (int64_t p = first_item(); p < pairs; p += item_step()) {
    const int64_t i = lower_of(p, distance);
    order(keys, positions, i, distance, (i & length) == 0);
  }
}

/// All passes with distance < kSortBlock for lengths from `first` to `last`.
__global__ void __launch_bounds__(kThreads)
    sort_block_kernel(uint64_t* keys, int64_t* positions, int64_t n, int64_t first, int64_t last) {
  GPU_SHARED(uint64_t, block_keys, [kSortBlock]);
  GPU_SHARED(int64_t, block_positions, [kSortBlock]);
  const int64_t block = n < kSortBlock ? n : kSortBlock;
  for (int64_t base = blockIdx.x * block; base < n; base += gridDim.x * block) {
    __syncthreads();  // the previous block may still be being written
    for (int64_t i = threadIdx.x; i < block; i += kThreads) {
      block_keys[i] = keys[base + i];
      block_positions[i] = positions[base + i];
    }
    for (int64_t length = first; length <= last; length *= 2) {
      const int64_t longest = length / 2 < block / 2 ? length / 2 : block / 2;
      for (int64_t distance = longest; distance > 0; distance /= 2) {
        __syncthreads();
        for (int64_t p = threadIdx.x; p < block / 2; p += kThreads) {
          const int64_t i = lower_of(p, distance);
          order(block_keys, block_positions, i, distance, ((base + i) & length) == 0);
        }
      }
    }
    __syncthreads();
    for (int64_t i = threadIdx.x; i < block; i += kThreads) {
      keys[base + i] = block_keys[i];
      positions[base + i] = block_positions[i];
    }
  }
}

}  // namespace

int64_t sort_length(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n < 1 ? 1 : n)));
}

void sort_pairs(uint64_t* keys, int64_t* positions, int64_t padded) {
  if (padded < 2) return;
  const auto blocks = [&](int64_t first, int64_t last) {
    gpu::launch(sort_block_kernel, grid_for(padded, kSortBlock), kThreads, 0, gpu::stream(), keys,
                positions, padded, first, last);
  };
  blocks(2, padded < kSortBlock ? padded : kSortBlock);
  for (int64_t length = kSortBlock * 2; length <= padded; length *= 2) {
    for (int64_t distance = length / 2; distance >= kSortBlock; distance /= 2) {
      gpu::launch(sort_pass_kernel, grid_for(padded / 2, kThreads), kThreads, 0, gpu::stream(),
                  keys, positions, padded / 2, length, distance);
    }
    blocks(length, length);
  }
}

}  // namespace wick::cuda
