// A bitonic sorting network (Batcher, "Sorting networks and their applications", 1968,
// https://doi.org/10.1145/1468075.1468121) on pairs of 16 bytes: (log n)^2 / 2 passes over the
// data, of which those within 1024 elements run in shared memory. Several rows are sorted side by
// side. And what goes with sorting: keys of numbers, and binary search.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/sort.h>
#include <wick/kernels/sort.h>
#include <bit>

namespace wick::cuda {
namespace {

constexpr int64_t kSortBlock = 1024;  // elements of a block's shared memory

__device__ inline bool after(uint64_t key_a, int64_t a, uint64_t key_b, int64_t b) {
  return key_a != key_b ? key_a > key_b : a > b;
}

/// Element i and its partner i + distance, for i without that bit; sequences of `length` are
/// sorted upwards and downwards in turn within each row, whose length is a power of two.
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
                     int64_t distance, int64_t row) {
  for (int64_t p = first_item(); p < pairs; p += item_step()) {
    const int64_t i = lower_of(p, distance);
    order(keys, positions, i, distance, (i & (row - 1) & length) == 0);
  }
}

/// All passes with distance < kSortBlock for lengths from `first` to `last`.
__global__ void __launch_bounds__(kThreads)
    sort_block_kernel(uint64_t* keys, int64_t* positions, int64_t n, int64_t first, int64_t last,
                      int64_t row) {
  GPU_SHARED(uint64_t, block_keys, [kSortBlock]);
  GPU_SHARED(int64_t, block_positions, [kSortBlock]);
  for (int64_t base = blockIdx.x * kSortBlock; base < n; base += gridDim.x * kSortBlock) {
    const int64_t block = n - base < kSortBlock ? n - base : kSortBlock;
    __syncthreads();  // the previous block may still be being written
    for (int64_t i = threadIdx.x; i < block; i += kThreads) {
      block_keys[i] = keys[base + i];
      block_positions[i] = positions[base + i];
    }
    for (int64_t length = first; length <= last; length *= 2) {
      const int64_t longest = length < kSortBlock ? length / 2 : kSortBlock / 2;
      for (int64_t distance = longest; distance > 0; distance /= 2) {
        __syncthreads();
        for (int64_t p = threadIdx.x; p < block / 2; p += kThreads) {
          const int64_t i = lower_of(p, distance);
          order(block_keys, block_positions, i, distance, ((base + i) & (row - 1) & length) == 0);
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

void sort_pairs(uint64_t* keys, int64_t* positions, int64_t padded, int64_t rows) {
  const int64_t n = padded * rows;
  if (padded < 2 || rows == 0) return;
  const auto blocks = [&](int64_t first, int64_t last) {
    gpu::launch(sort_block_kernel, grid_for(n, kSortBlock), kThreads, 0, gpu::stream(), keys,
                positions, n, first, last, padded);
  };
  blocks(2, padded < kSortBlock ? padded : kSortBlock);
  for (int64_t length = kSortBlock * 2; length <= padded; length *= 2) {
    for (int64_t distance = length / 2; distance >= kSortBlock; distance /= 2) {
      gpu::launch(sort_pass_kernel, grid_for(n / 2, kThreads), kThreads, 0, gpu::stream(), keys,
                  positions, n / 2, length, distance, padded);
    }
    blocks(length, length);
  }
}

namespace {

__global__ void __launch_bounds__(kThreads)
    order_keys_kernel(const double* x, int64_t n, bool descending, bool nan_last, int64_t* keys) {
  for (int64_t i = first_item(); i < n; i += item_step())
    keys[i] = order_key(x[i], descending, nan_last);
}

/// Rows of n keys to rows of `padded` unsigned ones.
__global__ void __launch_bounds__(kThreads)
    pad_rows_kernel(const int64_t* keys, int64_t n, int64_t padded, int64_t total, uint64_t* out,
                    int64_t* positions) {
  for (int64_t i = first_item(); i < total; i += item_step()) {
    const int64_t at = i % padded;
    out[i] = at < n ? static_cast<uint64_t>(keys[i / padded * n + at]) ^ (uint64_t{1} << 63)
                    : UINT64_MAX;
    positions[i] = at;
  }
}

__global__ void __launch_bounds__(kThreads)
    unpad_rows_kernel(const int64_t* positions, int64_t n, int64_t padded, int64_t total,
                      int64_t* order) {
  for (int64_t i = first_item(); i < total; i += item_step())
    order[i] = positions[i / n * padded + i % n];
}

__global__ void __launch_bounds__(kThreads)
    search_rows_kernel(GPU_GRID_CONSTANT(SearchArgs) args, const int64_t* sorted,
                       const int64_t* values, int64_t* positions) {
  for (int64_t i = first_item(); i < args.rows * args.count; i += item_step()) {
    const int64_t row = args.shared_row ? 0 : i / args.count;
    positions[i] = search_row(args, sorted + row * args.n, values[i]);
  }
}

}  // namespace

void order_keys(const double* x, int64_t n, bool descending, bool nan_last, int64_t* keys) {
  gpu::launch(order_keys_kernel, grid_for(n, kThreads), kThreads, 0, gpu::stream(), x, n,
              descending, nan_last, keys);
}

void sort_rows(const int64_t* keys, int64_t rows, int64_t n, int64_t* order) {
  const int64_t padded = sort_length(n);
  const int64_t total = rows * padded;
  const Scratch padded_keys(total * 8);
  const Scratch positions(total * 8);
  gpu::launch(pad_rows_kernel, grid_for(total, kThreads), kThreads, 0, gpu::stream(), keys, n,
              padded, total, padded_keys.as<uint64_t>(), positions.as<int64_t>());
  sort_pairs(padded_keys.as<uint64_t>(), positions.as<int64_t>(), padded, rows);
  gpu::launch(unpad_rows_kernel, grid_for(rows * n, kThreads), kThreads, 0, gpu::stream(),
              positions.as<const int64_t>(), n, padded, rows * n, order);
}

void search_rows(const SearchArgs& args, const int64_t* sorted, const int64_t* values,
                 int64_t* positions) {
  gpu::launch(search_rows_kernel, grid_for(args.rows * args.count, kThreads), kThreads, 0,
              gpu::stream(), args, sorted, values, positions);
}

}  // namespace wick::cuda
