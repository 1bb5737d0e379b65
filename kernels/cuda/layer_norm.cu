// Layer and RMS normalisation over the rows of [rows, dim]. A group of threads takes one row; the
// gradients of the parameters are sums down the columns, in parts of up to kPartRows rows that a
// second kernel adds in order. Bytes moved: x up to three times (rows stay in the caches) and y
// once; backward: grad_y and x twice and grad_x once, for the parameters grad_y and x once.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/rows.h>
#include <wick/kernels/norm.h>
#include <algorithm>

namespace wick::cuda {
namespace {

constexpr int kTileRows = kThreads / kWarp;  // threads down a column
constexpr int64_t kPartRows = 256;           // rows of a partial sum

template <class C>
struct TwoSums {
  C a, b;
  __device__ void merge(const TwoSums& other) {
    a += other.a;
    b += other.b;
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    layer_norm_kernel(GPU_GRID_CONSTANT(RowGeometry) g, bool center, Compute<T> eps, const T* x,
                      const Compute<T>* weight, const Compute<T>* bias, T* y, Compute<T>* mean,
                      Compute<T>* inv_std) {
  using C = Compute<T>;
  GPU_SHARED(TwoSums<C>, shared, [kThreads]);
  const RowThread t(g);
  const auto count = static_cast<C>(g.dim);
  for (int64_t group = blockIdx.x; group * t.outputs < g.rows; group += gridDim.x) {
    const int64_t row = group * t.outputs + t.output;
    const bool mine = row < g.rows;
    const T* const in = x + row * g.dim;
    C rough = 0;
    if (center) {
      TwoSums<C> sum{C(0), C(0)};
      for (int64_t i = t.lane; mine && i < g.dim; i += g.lanes) sum.a += up(in[i]);
      rough = fold_rows(shared, t, g.lanes, sum).a / count;
    }
    // The deviations tell by how much the rounded mean is off.
    TwoSums<C> sums{C(0), C(0)};
    for (int64_t i = t.lane; mine && i < g.dim; i += g.lanes) {
      const C d = up(in[i]) - rough;
      sums.a += d;
      sums.b += d * d;
    }
    sums = fold_rows(shared, t, g.lanes, sums);
    const C correction = center ? sums.a / count : C(0);
    const C variance = sums.b / count - correction * correction;
    const C m = rough + correction;
    const C s = C(1) / ::sqrt((variance < C(0) ? C(0) : variance) + eps);
    for (int64_t i = t.lane; mine && i < g.dim; i += g.lanes) {
      const C normal = (up(in[i]) - m) * s;
      y[row * g.dim + i] =
          down<T>((weight ? normal * weight[i] : normal) + (bias ? bias[i] : C(0)));
    }
    if (mine && t.lane == 0) {
      if (center) mean[row] = m;
      inv_std[row] = s;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    layer_norm_backward_kernel(GPU_GRID_CONSTANT(RowGeometry) g, const T* grad_y, const T* x,
                               const Compute<T>* weight, const Compute<T>* mean,
                               const Compute<T>* inv_std, T* grad_x) {
  using C = Compute<T>;
  GPU_SHARED(TwoSums<C>, shared, [kThreads]);
  const RowThread t(g);
  const auto count = static_cast<C>(g.dim);
  for (int64_t group = blockIdx.x; group * t.outputs < g.rows; group += gridDim.x) {
    const int64_t row = group * t.outputs + t.output;
    const bool mine = row < g.rows;
    const int64_t start = row * g.dim;
    const C m = mine && mean ? mean[row] : C(0);
    const C s = mine ? inv_std[row] : C(0);
    TwoSums<C> sums{C(0), C(0)};
    for (int64_t i = t.lane; mine && i < g.dim; i += g.lanes) {
      const C grad = up(grad_y[start + i]) * (weight ? weight[i] : C(1));
      sums.a += grad;
      sums.b += grad * (up(x[start + i]) - m);
    }
    sums = fold_rows(shared, t, g.lanes, sums);
    const C center = mean ? sums.a / count : C(0);
    const C slope = sums.b / count * s * s;
    for (int64_t i = t.lane; mine && i < g.dim; i += g.lanes) {
      const C grad = up(grad_y[start + i]) * (weight ? weight[i] : C(1));
      grad_x[start + i] = down<T>((grad - center - (up(x[start + i]) - m) * slope) * s);
    }
  }
}

/// parts: [gridDim.y, 2, dim], the sums of grad_y times the normalised x and of grad_y over the
/// rows of a part. A block takes 32 columns.
template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    column_sums_kernel(int64_t rows, int64_t dim, int64_t part_rows, const T* grad_y, const T* x,
                       const Compute<T>* mean, const Compute<T>* inv_std, Compute<T>* parts) {
  using C = Compute<T>;
  GPU_SHARED(TwoSums<C>, shared, [kTileRows][kWarp]);
  const int lane = threadIdx.x % kWarp;
  const int down_column = threadIdx.x / kWarp;
  const int64_t begin = blockIdx.y * part_rows;
  const int64_t end = begin + part_rows < rows ? begin + part_rows : rows;
  for (int64_t tile = blockIdx.x; tile * kWarp < dim; tile += gridDim.x) {
    const int64_t column = tile * kWarp + lane;
    TwoSums<C> sums{C(0), C(0)};
    for (int64_t r = begin + down_column; column < dim && r < end; r += kTileRows) {
      const C grad = up(grad_y[r * dim + column]);
      sums.a += grad * ((up(x[r * dim + column]) - (mean ? mean[r] : C(0))) * inv_std[r]);
      sums.b += grad;
    }
    __syncthreads();  // the last tile may still be being read
    shared[down_column][lane] = sums;
    __syncthreads();
    if (down_column == 0 && column < dim) {
      for (int i = 1; i < kTileRows; ++i) sums.merge(shared[i][lane]);
      parts[(blockIdx.y * 2) * dim + column] = sums.a;
      parts[(blockIdx.y * 2 + 1) * dim + column] = sums.b;
    }
  }
}

template <class C>
__global__ void __launch_bounds__(kThreads)
    add_parts_kernel(int64_t count, int64_t dim, const C* parts, C* grad_weight, C* grad_bias) {
  for (int64_t i = first_item(); i < 2 * dim; i += item_step()) {
    C* const to = i < dim ? grad_weight : grad_bias;
    if (!to) continue;
    C sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += parts[p * 2 * dim + i];
    to[i % dim] = sum;
  }
}

}  // namespace

void layer_norm(const LayerNormArgs& args, const void* x, const void* weight, const void* bias,
                void* y, void* mean, void* inv_std) {
  const RowGeometry g = row_geometry(args.rows, args.dim, 1);
  if (g.rows == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    gpu::launch(layer_norm_kernel<T>, row_grid(g), kThreads, 0, gpu::stream(), g, args.center,
                static_cast<C>(args.eps), static_cast<const T*>(x), static_cast<const C*>(weight),
                static_cast<const C*>(bias), static_cast<T*>(y), static_cast<C*>(mean),
                static_cast<C*>(inv_std));
  });
}

void layer_norm_backward(const LayerNormArgs& args, const void* grad_y, const void* x,
                         const void* weight, const void* mean, const void* inv_std, void* grad_x,
                         void* grad_weight, void* grad_bias) {
  const RowGeometry g = row_geometry(args.rows, args.dim, 1);
  if (g.rows == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    if (grad_x) {
      gpu::launch(layer_norm_backward_kernel<T>, row_grid(g), kThreads, 0, gpu::stream(), g,
                  static_cast<const T*>(grad_y), static_cast<const T*>(x),
                  static_cast<const C*>(weight), static_cast<const C*>(mean),
                  static_cast<const C*>(inv_std), static_cast<T*>(grad_x));
    }
    if (!grad_weight && !grad_bias) return;
    // At most 64 parts, so that the second kernel has little to add.
    const int64_t part_rows = std::max(kPartRows, (args.rows + 63) / 64);
    const int64_t count = (args.rows + part_rows - 1) / part_rows;
    const Scratch parts(count * 2 * args.dim * static_cast<int64_t>(sizeof(C)));
    dim3 grid = grid_for(args.dim, kWarp);
    grid.y = static_cast<unsigned>(count);
    gpu::launch(column_sums_kernel<T>, grid, kThreads, 0, gpu::stream(), args.rows, args.dim,
                part_rows, static_cast<const T*>(grad_y), static_cast<const T*>(x),
                static_cast<const C*>(mean), static_cast<const C*>(inv_std), parts.as<C>());
    gpu::launch(add_parts_kernel<C>, grid_for(2 * args.dim, kThreads), kThreads, 0, gpu::stream(),
                count, args.dim, parts.as<const C>(), static_cast<C*>(grad_weight),
                static_cast<C*>(grad_bias));
  });
}

}  // namespace wick::cuda
