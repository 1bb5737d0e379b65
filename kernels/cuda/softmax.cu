// Softmax and log-softmax over the middle of [outer, dim, inner]. A group of threads takes one row;
// where inner > 1 neighbouring threads take neighbouring rows, so that they read along memory. One
// pass finds the maximum and the sum of exponentials together (Milakov and Gimelshein, "Online
// normalizer calculation for softmax", 2018, https://arxiv.org/abs/1805.02867). Bytes moved: x
// twice, y once; backward: grad_y and y twice, grad_x once.
#include <wick/kernels/cuda/rows.h>
#include <wick/kernels/softmax.h>

namespace wick::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    softmax_kernel(GPU_GRID_CONSTANT(RowGeometry) g, bool log, const T* x, T* y) {
  using C = Compute<T>;
  GPU_SHARED(MaxSum<C>, shared, [kThreads]);
  const RowThread t(g);
  for (int64_t group = blockIdx.x; group * t.outputs < g.rows; group += gridDim.x) {
    const int64_t row = group * t.outputs + t.output;
    const int64_t base = g.offset(row);
    MaxSum<C> v;
    v.clear();
    if (row < g.rows) {
      for (int64_t i = t.lane; i < g.dim; i += g.lanes) v.add(up(x[base + i * g.inner]));
    }
    v = fold_rows(shared, t, g.lanes, v);
    if (row < g.rows) {
      const C sum = v.total();
      const C log_sum = ::log(sum);
      for (int64_t i = t.lane; i < g.dim; i += g.lanes) {
        const C shifted = up(x[base + i * g.inner]) - v.max;
        y[base + i * g.inner] = down<T>(log ? shifted - log_sum : ::exp(shifted) / sum);
      }
    }
  }
}

template <class C>
struct Added {
  C value;
  __device__ void merge(const Added& other) { value += other.value; }
};

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    softmax_backward_kernel(GPU_GRID_CONSTANT(RowGeometry) g, bool log, const T* grad_y, const T* y,
                            T* grad_x) {
  using C = Compute<T>;
  GPU_SHARED(Added<C>, shared, [kThreads]);
  const RowThread t(g);
  for (int64_t group = blockIdx.x; group * t.outputs < g.rows; group += gridDim.x) {
    const int64_t row = group * t.outputs + t.output;
    const int64_t base = g.offset(row);
    Added<C> sum{C(0)};
    if (row < g.rows) {
      for (int64_t i = t.lane; i < g.dim; i += g.lanes) {
        const int64_t o = base + i * g.inner;
        sum.value += log ? up(grad_y[o]) : up(grad_y[o]) * up(y[o]);
      }
    }
    sum = fold_rows(shared, t, g.lanes, sum);
    if (row < g.rows) {
      for (int64_t i = t.lane; i < g.dim; i += g.lanes) {
        const int64_t o = base + i * g.inner;
        const C grad = up(grad_y[o]);
        const C value = up(y[o]);
        grad_x[o] = down<T>(log ? grad - ::exp(value) * sum.value : value * (grad - sum.value));
      }
    }
  }
}

}  // namespace

void softmax(const SoftmaxArgs& args, const void* x, void* y) {
  const RowGeometry g = row_geometry(args.outer, args.dim, args.inner);
  if (g.rows == 0 || g.dim == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(softmax_kernel<T>, row_grid(g), kThreads, 0, gpu::stream(), g, args.log,
                static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void softmax_backward(const SoftmaxArgs& args, const void* grad_y, const void* y, void* grad_x) {
  const RowGeometry g = row_geometry(args.outer, args.dim, args.inner);
  if (g.rows == 0 || g.dim == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(softmax_backward_kernel<T>, row_grid(g), kThreads, 0, gpu::stream(), g, args.log,
                static_cast<const T*>(grad_y), static_cast<const T*>(y), static_cast<T*>(grad_x));
  });
}

}  // namespace wick::cuda
