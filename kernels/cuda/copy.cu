// out = x of the same type, any strides. Bytes moved: one read and one write of the tensor. Where
// input and output are dense along different dimensions the elements go through tiles in shared
// memory, so that both sides are accessed along memory.
#include <wick/kernels/cuda/copy.h>
#include <utility>

namespace wick::cuda {
namespace {

constexpr int kTile = 32;
constexpr int kTileRows = 8;  // threads are kTile x kTileRows

template <class T>
using Transposition = Operands<2, T>;

/// The last two dimensions are (i, j): j runs along memory in the output, i in the input.
template <class T>
__global__ void __launch_bounds__(kTile* kTileRows)
    transpose_kernel(GPU_GRID_CONSTANT(Transposition<T>) p, int64_t batches) {
  GPU_SHARED(T, tile, [kTile][kTile + 1]);
  const int di = p.ndim - 2;
  const int dj = p.ndim - 1;
  const int64_t tiles_i = (p.sizes[di] + kTile - 1) / kTile;
  const int64_t tiles_j = (p.sizes[dj] + kTile - 1) / kTile;
  const T* const in = static_cast<const T*>(p.data[1]);
  T* const out = static_cast<T*>(p.data[0]);
  for (int64_t t = blockIdx.x; t < batches * tiles_i * tiles_j; t += gridDim.x) {
    const int64_t j0 = t % tiles_j * kTile;
    const int64_t i0 = t / tiles_j % tiles_i * kTile;
    int64_t offsets[2];
    element_offsets<2>(p.sizes, p.strides, di, batches, t / (tiles_i * tiles_j), offsets);
    const int64_t i = i0 + threadIdx.x;
    for (int k = threadIdx.y; k < kTile; k += kTileRows) {
      if (i < p.sizes[di] && j0 + k < p.sizes[dj])
        tile[k][threadIdx.x] = in[offsets[1] + i * p.strides[1][di] + (j0 + k) * p.strides[1][dj]];
    }
    __syncthreads();
    const int64_t j = j0 + threadIdx.x;
    for (int k = threadIdx.y; k < kTile; k += kTileRows) {
      if (j < p.sizes[dj] && i0 + k < p.sizes[di])
        out[offsets[0] + (i0 + k) * p.strides[0][di] + j * p.strides[0][dj]] = tile[threadIdx.x][k];
    }
    __syncthreads();
  }
}

/// The dimension along which the input is dense and the output is not; -1: none worth a
/// transposition.
int transposed_dim(const ElementwiseArgs& args) {
  const int last = args.ndim - 1;
  if (args.ndim < 2 || args.strides[0][last] != 1 || args.strides[1][last] == 1) return -1;
  if (args.sizes[last] < kTileRows) return -1;
  for (int d = 0; d < last; ++d) {
    if (args.strides[1][d] == 1 && args.sizes[d] >= kTileRows) return d;
  }
  return -1;
}

template <class T>
void copy_same(const ElementwiseArgs& args) {
  const int dim = transposed_dim(args);
  if (dim < 0) return launch_elementwise<Convert<T, T>, T, T, T>(args);
  auto p = make_operands<2, T>(args, T{});
  const int di = args.ndim - 2;
  std::swap(p.sizes[dim], p.sizes[di]);
  for (auto& strides : p.strides) std::swap(strides[dim], strides[di]);
  const int64_t batches = p.numel / (p.sizes[di] * p.sizes[di + 1]);
  gpu::launch(transpose_kernel<T>, grid_for(p.numel, kTile * kTile), dim3(kTile, kTileRows), 0,
              gpu::stream(), p, batches);
}

}  // namespace

void copy(DType to, DType from, const ElementwiseArgs& args) {
  if (args.numel == 0) return;
  if (to != from)
    return is_floating_point(from) ? copy_from_float(to, from, args)
                                   : copy_from_integer(to, from, args);
  switch (element_size(to)) {
    case 1:
      return copy_same<uint8_t>(args);
    case 2:
      return copy_same<uint16_t>(args);
    case 4:
      return copy_same<uint32_t>(args);
    default:
      return copy_same<uint64_t>(args);
  }
}

}  // namespace wick::cuda
