// Rows picked by index, and added back. Indices are checked before anything is written, by a kernel
// that finds the first bad one. Bytes moved: the index twice, each row of y and its row of x once;
// index_add sorts (row, position) first, so that the rows that meet are added in the order of the
// index, with one write of x for all of them.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/index_check.h>
#include <wick/kernels/cuda/sort.h>
#include <wick/kernels/index.h>
#include <wick/kernels/pointwise.h>

#include <string_view>

namespace wick::cuda {
namespace {

/// *first = max(count - position) over bad indices; 0: there are none.
__global__ void __launch_bounds__(kThreads)
    check_indices_kernel(const int64_t* index, int64_t count, int64_t size, bool ignore,
                         int64_t ignored, unsigned long long* first) {
  for (int64_t i = first_item(); i < count; i += item_step()) {
    if ((index[i] < 0 || index[i] >= size) && !(ignore && index[i] == ignored))
      atomicMax(first, static_cast<unsigned long long>(count - i));
  }
}

template <class Unit>
__global__ void __launch_bounds__(kThreads)
    index_select_kernel(const Unit* x, const int64_t* index, Unit* y, int64_t count, int64_t size,
                        int64_t inner, int64_t numel) {
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t row = i / inner;  // of y: outer * count + position
    const int64_t from = row / count * size + index[row % count];
    y[i] = x[from * inner + i % inner];
  }
}

/// Keys: the row, or UINT64_MAX for what is left out.
__global__ void __launch_bounds__(kThreads)
    row_keys_kernel(const int64_t* index, int64_t count, int64_t padded, int64_t skip,
                    uint64_t* keys, int64_t* positions) {
  for (int64_t i = first_item(); i < padded; i += item_step()) {
    keys[i] = i < count && index[i] != skip ? static_cast<uint64_t>(index[i]) : UINT64_MAX;
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
              static_cast<const Unit*>(x), index, static_cast<Unit*>(y), args.count, args.size,
              inner, numel);
}

/// Throws IndexError, in the CPU's words, for an index outside [0, size) that is not `skip` (-1:
/// none).
void check_indices(const IndexArgs& args, const int64_t* index, int64_t skip) {
  const BadIndex bad =
      find_bad_index(index, args.count, args.size, skip == -1 ? std::nullopt : std::optional(skip));
  if (bad.position < 0) return;
  const bool embedding = std::string_view(args.op) == "embedding";
  WICK_FAIL(IndexError, args.op, ": index ", bad.value, " at position ", bad.position,
            " is out of range for ", embedding ? "" : "dimension of size ", args.size,
            embedding ? " embeddings" : "");
}

}  // namespace

BadIndex find_bad_index(const int64_t* index, int64_t count, int64_t size,
                        std::optional<int64_t> ignored) {
  BadIndex bad;
  if (count == 0) return bad;
  const Scratch record(8);
  clear_bytes(record.as<void>(), 8);
  gpu::launch(check_indices_kernel, grid_for(count, kThreads), kThreads, 0, gpu::stream(), index,
              count, size, ignored.has_value(), ignored.value_or(0),
              record.as<unsigned long long>());
  const Device device(kCUDA, current_device());
  int64_t first = 0;
  copy_bytes(&first, kCPU, record.as<void>(), device, 8, false);
  if (first == 0) return bad;
  bad.position = count - first;
  copy_bytes(&bad.value, kCPU, index + bad.position, device, 8, false);
  return bad;
}

void index_select(const IndexArgs& args, const void* x, const int64_t* index, void* y) {
  check_indices(args, index, -1);
  if (args.outer * args.count * args.inner == 0) return;
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
  check_indices(args, index, skip);
  if (args.outer * args.count * args.inner == 0) return;
  const int64_t padded = sort_length(args.count);
  const Scratch keys(padded * 8);
  const Scratch positions(padded * 8);
  gpu::launch(row_keys_kernel, grid_for(padded, kThreads), kThreads, 0, gpu::stream(), index,
              args.count, padded, skip, keys.as<uint64_t>(), positions.as<int64_t>());
  sort_pairs(keys.as<uint64_t>(), positions.as<int64_t>(), padded);
  visit_dtype(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(index_add_kernel<T>, grid_for(args.count, 1), kThreads, 0, gpu::stream(),
                static_cast<const T*>(y), keys.as<const uint64_t>(), positions.as<const int64_t>(),
                static_cast<T*>(x), args.outer, args.size, args.inner, args.count);
  });
}

}  // namespace wick::cuda
