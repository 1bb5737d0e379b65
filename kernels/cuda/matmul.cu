// c = f(op(a) op(b) (+ bias)). Floating types by cuBLASLt, in one pass where it can; what it cannot
// do is added by kernels of its own. Integers, bool, and floating types where cuBLASLt cannot be
// used, by a tiled kernel: a block of 16 x 16 threads computes 64 x 64 elements from tiles of
// 64 x 16 in shared memory, each thread 4 x 4 of them.
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/matmul.h>

namespace wick::cuda {
namespace {

constexpr int kSide = 64;   // of the tile of c
constexpr int kDepth = 16;  // of the tiles of a and b
constexpr int kEach = 4;    // elements of c for each thread, in each direction
constexpr int64_t kMaxGridY = 65535;

// Integers wrap around: the product modulo 2^64 is right modulo 2^8 too. Bool: any of all.
template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;

template <class T>
__device__ inline T from_sum(Sum<T> v) {
  if constexpr (std::is_same_v<T, bool>) {
    return v != 0;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(v);
  } else {
    return down<T>(v);
  }
}

template <class T>
__device__ inline Sum<T> load_element(const T* p, int64_t ld, bool trans, int64_t row,
                                      int64_t column, int64_t rows, int64_t columns) {
  if (row >= rows || column >= columns) return 0;
  return static_cast<Sum<T>>(up(p[trans ? column * ld + row : row * ld + column]));
}

template <class T>
__global__ void __launch_bounds__(kThreads, 2) matmul_kernel(GPU_GRID_CONSTANT(MatmulArgs) g) {
  GPU_SHARED(Sum<T>, tile_a, [kDepth][kSide + 1]);
  GPU_SHARED(Sum<T>, tile_b, [kDepth][kSide + 1]);
  const int64_t tiles_n = (g.n + kSide - 1) / kSide;
  const int64_t row0 = blockIdx.x / tiles_n * kSide;
  const int64_t column0 = blockIdx.x % tiles_n * kSide;
  const int ty = threadIdx.x / (kSide / kEach);
  const int tx = threadIdx.x % (kSide / kEach);
  for (int64_t batch = blockIdx.y; batch < g.batch; batch += gridDim.y) {
    const T* const a = static_cast<const T*>(g.a) + batch * g.stride_a;
    const T* const b = static_cast<const T*>(g.b) + batch * g.stride_b;
    T* const c = static_cast<T*>(g.c) + batch * g.stride_c;
    Sum<T> sums[kEach][kEach] = {};
    for (int64_t k0 = 0; k0 < g.k; k0 += kDepth) {
      __syncthreads();  // the previous tiles may still be in use
      for (int e = threadIdx.x; e < kSide * kDepth; e += kThreads) {
        // Neighbouring threads follow the memory of each matrix.
        const int ka = g.trans_a ? e / kSide : e % kDepth;
        const int ia = g.trans_a ? e % kSide : e / kDepth;
        tile_a[ka][ia] = load_element(a, g.lda, g.trans_a, row0 + ia, k0 + ka, g.m, g.k);
        const int kb = g.trans_b ? e % kDepth : e / kSide;
        const int jb = g.trans_b ? e / kDepth : e % kSide;
        tile_b[kb][jb] = load_element(b, g.ldb, g.trans_b, k0 + kb, column0 + jb, g.k, g.n);
      }
      __syncthreads();
      for (int k = 0; k < kDepth; ++k) {
#pragma unroll
        for (int i = 0; i < kEach; ++i) {
#pragma unroll
          for (int j = 0; j < kEach; ++j)
            sums[i][j] += tile_a[k][i * (kSide / kEach) + ty] * tile_b[k][j * (kSide / kEach) + tx];
        }
      }
    }
    for (int i = 0; i < kEach; ++i) {
      for (int j = 0; j < kEach; ++j) {
        const int64_t row = row0 + i * (kSide / kEach) + ty;
        const int64_t column = column0 + j * (kSide / kEach) + tx;
        if (row >= g.m || column >= g.n) continue;
        T& out = c[row * g.ldc + column];
        out = from_sum<T>(g.accumulate ? static_cast<Sum<T>>(up(out)) + sums[i][j] : sums[i][j]);
      }
    }
  }
}

/// c = bias, or c += bias, in every row; zeros without bias. The product is then added to it, so
/// that the sum is rounded once.
template <class T>
__global__ void __launch_bounds__(kThreads) rows_kernel(GPU_GRID_CONSTANT(MatmulArgs) g) {
  const int64_t numel = g.batch * g.m * g.n;
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t column = i % g.n;
    const int64_t row = i / g.n % g.m;
    T& out = static_cast<T*>(g.c)[i / (g.n * g.m) * g.stride_c + row * g.ldc + column];
    Sum<T> v = g.bias ? static_cast<Sum<T>>(up(static_cast<const T*>(g.bias)[column])) : Sum<T>(0);
    if (g.accumulate) v += static_cast<Sum<T>>(up(out));
    out = from_sum<T>(v);
  }
}

template <class T>
void matmul_of(MatmulArgs args) {
  if (args.k > 0 && blas_matmul(args)) return;
  const cudaStream_t stream = gpu::stream();
  if (args.bias || (args.k == 0 && !args.accumulate)) {
    gpu::launch(rows_kernel<T>, grid_for(args.batch * args.m * args.n, kThreads), kThreads, 0,
                stream, args);
    args.bias = nullptr;
    args.accumulate = true;
    if (args.k > 0 && blas_matmul(args)) return;
  }
  if (args.k == 0) return;
  const int64_t tiles = ((args.m + kSide - 1) / kSide) * ((args.n + kSide - 1) / kSide);
  const dim3 grid(static_cast<unsigned>(tiles),
                  static_cast<unsigned>(args.batch < kMaxGridY ? args.batch : kMaxGridY));
  gpu::launch(matmul_kernel<T>, grid, kThreads, 0, stream, args);
}

}  // namespace

void matmul(const MatmulArgs& args) {
  const bool empty = args.batch == 0 || args.m == 0 || args.n == 0;
  const bool whole = args.activation || args.row_sums;  // worth asking for in one pass
  if (whole && !empty && args.k > 0 && blas_matmul(args)) return;
  if (args.row_sums) reduce(ReduceOp::Sum, args.dtype, args.dtype, row_sums_args(args));
  if (empty) return;
  visit_dtype(args.dtype, [&](auto t) { matmul_of<decltype(t)>(plain_product(args)); });
  if (args.activation) unary(*args.activation, args.dtype, activation_args(args));
}

}  // namespace wick::cuda
