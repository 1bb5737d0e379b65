// Rows picked by index, and added back. Bytes moved: the index twice, each row of y and its row of
// x once; index_add sorts (row, position) first, so that the rows that meet are added in the order
// of the index, with one write of x for all of them. An index out of range is reported (fault.h)
// and stands for no row: zeros are picked, and nothing is added. Positions of what is true: two
// readings of x, between which the host adds up a number for each chunk.
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

/// In sorted order; the first position of a row adds (or, to overwrite, takes the last of) all of
/// it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    index_add_kernel(const T* y, const uint64_t* keys, const int64_t* positions, T* x,
                     int64_t outer, int64_t size, int64_t inner, int64_t count, bool overwrite) {
  const int64_t width = outer * inner;
  for (int64_t item = first_item(); item < count * width; item += item_step()) {
    const int64_t s = item / width, e = item % width;
    const uint64_t row = keys[s];
    if (row == UINT64_MAX || (s > 0 && keys[s - 1] == row)) continue;
    const int64_t o = e / inner;
    const int64_t i = e % inner;
    T& to = x[(o * size + static_cast<int64_t>(row)) * inner + i];
    auto sum = up(to);
    for (int64_t k = s; k < count && keys[k] == row; ++k) {
      const auto value = up(y[(o * count + positions[k]) * inner + i]);
      sum = overwrite ? value : pointwise::Add::forward(sum, value);
    }
    to = down<T>(sum);
  }
}

__global__ void __launch_bounds__(kThreads)
    flat_index_kernel(GPU_GRID_CONSTANT(FaultSite) site, const int64_t* index, const int64_t* rows,
                      int64_t* flat, int64_t count, int64_t inner, int64_t numel, bool wrap) {
  for (int64_t j = first_item(); j < numel; j += item_step()) {
    const int64_t size = site.limit;
    const int64_t row = rows ? rows[j] : j / (count * inner);
    const bool back = wrap && index[j] < 0 && index[j] >= -size;
    const int64_t v = back ? index[j] + size : index[j];
    const bool good = (back || check_value(site, j, v)) && row >= 0;
    flat[j] = good ? (row * size + v) * inner + j % inner : -1;
  }
}

__global__ void __launch_bounds__(kThreads)
    count_true_kernel(const bool* x, int64_t n, int64_t* counts, int64_t chunks) {
  for (int64_t c = blockIdx.x; c < chunks; c += gridDim.x) {
    int sum = 0;
    for (int64_t i = c * kTrueChunk + threadIdx.x; i < n && i < (c + 1) * kTrueChunk; i += kThreads)
      sum += x[i] ? 1 : 0;
    sum = block_sum(sum);
    if (threadIdx.x == 0) counts[c] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    find_true_kernel(GPU_GRID_CONSTANT(TrueArgs) args, const bool* x, const int64_t* before,
                     int64_t chunks, int64_t* out) {
  GPU_SHARED(int, found, [kThreads / kWarp]);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int64_t c = blockIdx.x; c < chunks; c += gridDim.x) {
    int64_t at = before[c];
    for (int64_t begin = c * kTrueChunk; begin < (c + 1) * kTrueChunk; begin += kThreads) {
      const int64_t i = begin + threadIdx.x;
      const bool taken = i < args.n && x[i];
      const unsigned votes = __ballot_sync(kFullMask, taken);
      if (lane == 0) found[warp] = __popc(votes);
      __syncthreads();
      int64_t place = at + __popc(votes & ((1u << lane) - 1));
      for (int w = 0; w < kThreads / kWarp; ++w) {
        if (w < warp) place += found[w];
        at += found[w];
      }
      int64_t rest = i;
      for (int d = args.ndim - 1; taken && d >= 0; --d) {
        out[place * args.ndim + d] = rest % args.sizes[d];
        rest /= args.sizes[d];
      }
      __syncthreads();  // before the next votes are written
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
    const int64_t items = args.count * args.outer * args.inner;
    gpu::launch(index_add_kernel<T>, grid_for(items, kThreads), kThreads, 0, gpu::stream(),
                static_cast<const T*>(y), keys.as<const uint64_t>(), positions.as<const int64_t>(),
                static_cast<T*>(x), args.outer, args.size, args.inner, args.count, args.overwrite);
  });
}

void flat_index(const IndexArgs& args, bool wrap, const int64_t* index, const int64_t* rows,
                int64_t* flat) {
  const int64_t numel = args.outer * args.count * args.inner;
  if (numel == 0) return;
  gpu::launch(flat_index_kernel, grid_for(numel, kThreads), kThreads, 0, gpu::stream(),
              fault_site(args.op, args.size), index, rows, flat, args.count, args.inner, numel,
              wrap);
}

std::vector<int64_t> count_true(int64_t n, const bool* x) {
  const int64_t chunks = (n + kTrueChunk - 1) / kTrueChunk;
  std::vector<int64_t> before(static_cast<size_t>(chunks) + 1);
  if (chunks == 0) return before;
  const Scratch counts(chunks * 8);
  gpu::launch(count_true_kernel, grid_for(chunks, 1), kThreads, 0, gpu::stream(), x, n,
              counts.as<int64_t>(), chunks);
  copy_bytes(before.data() + 1, Device(kCPU, 0), counts.as<void>(), Device(kCUDA, current_device()),
             chunks * 8, false);
  for (size_t c = 1; c < before.size(); ++c) before[c] += before[c - 1];
  return before;
}

void find_true(const TrueArgs& args, const bool* x, const std::vector<int64_t>& before,
               int64_t* out) {
  const auto chunks = static_cast<int64_t>(before.size()) - 1;
  if (chunks == 0 || before.back() * args.ndim == 0) return;
  const Scratch starts(chunks * 8);
  copy_bytes(starts.as<void>(), Device(kCUDA, current_device()), before.data(), Device(kCPU, 0),
             chunks * 8, false);
  gpu::launch(find_true_kernel, grid_for(chunks, 1), kThreads, 0, gpu::stream(), args, x,
              starts.as<const int64_t>(), chunks, out);
}

}  // namespace wick::cuda
