// Rows picked by index, and added back. Bytes moved: the index twice, each row of y and its row of
// x once; index_add sorts (row, position) first, so that the rows that meet are added in the order
// of the index, with one write of x for all of them. An index out of range is reported (fault.h)
// and stands for no row: zeros are picked, and nothing is added.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/fault.h>
#include <wick/kernels/cuda/sort.h>
#include <wick/kernels/index.h>
#include <wick/kernels/pointwise.h>

namespace wick::cuda {
namespace {

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    index_select_kernel(GPU_GRID_CONSTANT(FaultSite) site, const Unit* x, const int64_t* index,
                        Unit* y, int64_t count, int64_t inner, int64_t numel) {
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t row = i / inner;  // of y: outer * count + position
    const int64_t picked = index[row % count];
    if (check_value(site, row % count, picked)) {
      y[i] = x[(row / count * site.limit + picked) * inner + i % inner];
    } else {
      y[i] = Unit{};
    }
  }
}

/// Keys: the row, or UINT64_MAX for what is left out. Without keys the index is only checked.
__global__ void __launch_bounds__(kThreads)
    row_keys_kernel(GPU_GRID_CONSTANT(FaultSite) site, const int64_t* index, int64_t count,
                    int64_t padded, int64_t skip, uint64_t* keys, int64_t* positions) {
  for (int64_t i = first_item(); i < padded; i += item_step()) {
    const bool taken =
        i < count && (index[i] != skip || skip == -1) && check_value(site, i, index[i]);
    if (!keys) continue;
    keys[i] = taken ? static_cast<uint64_t>(index[i]) : UINT64_MAX;
    positions[i] = i;
  }
}

/// A block for each position in sorted order; the first of its row adds all of that row.
template <class T>
__global__ void __launch_bounds__(kThreads)
    index_add_kernel(const T* y, const uint64_t* keys, const int64_t* positions, T* x,
                     int64_t outer, int64_t size, int64_t inner, int64_t count) {
  for (int64_t s = blockIdx.x; s < count; s += gridDim.x) {
    const uint64_t row = keys[s];
    if (row == UINT64_MAX || (s > 0 && keys[s - 1] == row)) continue;
    for (int64_t e = threadIdx.x; e < outer * inner; e += kThreads) {
      const int64_t o = e / inner;
      const int64_t i = e % inner;
      T& to = x[(o * size + static_cast<int64_t>(row)) * inner + i];
      auto sum = up(to);
      for (int64_t k = s; k < count && keys[k] == row; ++k)
        sum = pointwise::Add::forward(sum, up(y[(o * count + positions[k]) * inner + i]));
      to = down<T>(sum);
    }
  }
}

template <class Unit>
void select_units(const IndexArgs& args, int64_t inner, const void* x, const int64_t* index,
                  void* y) {
  const int64_t numel = args.outer * args.count * inner;
  gpu::launch(index_select_kernel<Unit>, grid_for(numel, kThreads), kThreads, 0, gpu::stream(),
              fault_site(args.op, args.size), static_cast<const Unit*>(x), index,
              static_cast<Unit*>(y), args.count, inner, numel);
}

/// keys and positions may be null.
void launch_row_keys(const IndexArgs& args, const int64_t* index, int64_t padded, int64_t skip,
                     uint64_t* keys, int64_t* positions) {
  if (padded == 0) return;
  gpu::launch(row_keys_kernel, grid_for(padded, kThreads), kThreads, 0, gpu::stream(),
              fault_site(args.op, args.size), index, args.count, padded, skip, keys, positions);
}

}  // namespace

void index_select(const IndexArgs& args, const void* x, const int64_t* index, void* y) {
  if (args.outer * args.count * args.inner == 0)
    return launch_row_keys(args, index, args.count, -1, nullptr, nullptr);
  // In the largest units that rows and addresses are multiples of.
  const int64_t bytes = args.inner * element_size(args.dtype);
  const uint64_t bits = static_cast<uint64_t>(bytes) | reinterpret_cast<uintptr_t>(x) |
                        reinterpret_cast<uintptr_t>(y);
  if (bits % 16 == 0) return select_units<Vec<uint64_t, 2>>(args, bytes / 16, x, index, y);
  if (bits % 8 == 0) return select_units<uint64_t>(args, bytes / 8, x, index, y);
  if (bits % 4 == 0) return select_units<uint32_t>(args, bytes / 4, x, index, y);
  if (bits % 2 == 0) return select_units<uint16_t>(args, bytes / 2, x, index, y);
  select_units<uint8_t>(args, bytes, x, index, y);
}

void index_add(const IndexArgs& args, const void* y, const int64_t* index, int64_t skip, void* x) {
  if (args.outer * args.count * args.inner == 0)
    return launch_row_keys(args, index, args.count, skip, nullptr, nullptr);
  const int64_t padded = sort_length(args.count);
  const Scratch keys(padded * 8);
  const Scratch positions(padded * 8);
  launch_row_keys(args, index, padded, skip, keys.as<uint64_t>(), positions.as<int64_t>());
  sort_pairs(keys.as<uint64_t>(), positions.as<int64_t>(), padded);
  visit_dtype(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(index_add_kernel<T>, grid_for(args.count, 1), kThreads, 0, gpu::stream(),
                static_cast<const T*>(y), keys.as<const uint64_t>(), positions.as<const int64_t>(),
                static_cast<T*>(x), args.outer, args.size, args.inner, args.count);
  });
}

}  // namespace wick::cuda
