// 2-d pooling. A thread computes one output, or in backward one element of grad_x by looking at the
// windows that cover it, so that nothing is added atomically. Bytes moved: x and y about once (the
// cache serves overlapping windows).
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/pool.h>

namespace wick::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads)
    max_pool2d_kernel(GPU_GRID_CONSTANT(Pool2dArgs) p, const T* x, T* y, int64_t* indices) {
  const int64_t numel = p.planes * p.out[0] * p.out[1];
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t top = i / p.out[1] % p.out[0] * p.stride[0] - p.padding[0];
    const int64_t left = i % p.out[1] * p.stride[1] - p.padding[1];
    const T* const plane = x + i / (p.out[1] * p.out[0]) * p.in[0] * p.in[1];
    int64_t best = -1;
    Compute<T> best_value = 0;
    for (int64_t r = 0; r < p.kernel[0]; ++r) {
      const int64_t h = top + r * p.dilation[0];
      if (h < 0 || h >= p.in[0]) continue;
      for (int64_t s = 0; s < p.kernel[1]; ++s) {
        const int64_t w = left + s * p.dilation[1];
        if (w < 0 || w >= p.in[1]) continue;
        const Compute<T> v = up(plane[h * p.in[1] + w]);
        if (best < 0 || v > best_value || (v != v && best_value == best_value)) {
          best = h * p.in[1] + w;
          best_value = v;
        }
      }
    }
    y[i] = down<T>(best < 0 ? -static_cast<Compute<T>>(INFINITY) : best_value);
    if (indices) indices[i] = best;
  }
}

/// The outputs o whose window, o stride - padding + j dilation for j < kernel, may contain position
/// `at`: from `first` to `last`.
struct Covering {
  int64_t first, last;
  __device__ Covering(const Pool2dArgs& p, int d, int64_t at) {
    const int64_t reach = (p.kernel[d] - 1) * p.dilation[d];
    const int64_t from = at + p.padding[d] - reach;
    first = from <= 0 ? 0 : (from + p.stride[d] - 1) / p.stride[d];
    last = (at + p.padding[d]) / p.stride[d];
    if (last >= p.out[d]) last = p.out[d] - 1;
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    max_pool2d_backward_kernel(GPU_GRID_CONSTANT(Pool2dArgs) p, const T* grad_y,
                               const int64_t* indices, T* grad_x) {
  const int64_t plane_size = p.in[0] * p.in[1];
  for (int64_t i = first_item(); i < p.planes * plane_size; i += item_step()) {
    const int64_t position = i % plane_size;
    const int64_t base = i / plane_size * p.out[0] * p.out[1];
    const Covering rows(p, 0, position / p.in[1]);
    const Covering columns(p, 1, position % p.in[1]);
    Compute<T> sum = 0;
    for (int64_t oh = rows.first; oh <= rows.last; ++oh) {
      for (int64_t ow = columns.first; ow <= columns.last; ++ow) {
        const int64_t o = base + oh * p.out[1] + ow;
        if (indices[o] == position) sum += up(grad_y[o]);
      }
    }
    grad_x[i] = down<T>(sum);
  }
}

/// A window's extent along one dimension inside the input, and its size with padding.
struct Window {
  int64_t begin, end, padded;
  __device__ Window(const Pool2dArgs& p, int d, int64_t o) {
    begin = o * p.stride[d] - p.padding[d];
    end = begin + p.kernel[d];
    if (end > p.in[d] + p.padding[d]) end = p.in[d] + p.padding[d];
    padded = end - begin;
    if (begin < 0) begin = 0;
    if (end > p.in[d]) end = p.in[d];
    if (end < begin) end = begin;
  }
};

__device__ inline int64_t divisor_of(const Pool2dArgs& p, const Window& h, const Window& w) {
  if (p.divisor_override != 0) return p.divisor_override;
  if (p.count_include_pad) return h.padded * w.padded;
  return (h.end - h.begin) * (w.end - w.begin);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    avg_pool2d_kernel(GPU_GRID_CONSTANT(Pool2dArgs) p, const T* x, T* y) {
  const int64_t numel = p.planes * p.out[0] * p.out[1];
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const Window h(p, 0, i / p.out[1] % p.out[0]);
    const Window w(p, 1, i % p.out[1]);
    const T* const plane = x + i / (p.out[1] * p.out[0]) * p.in[0] * p.in[1];
    Compute<T> sum = 0;
    for (int64_t r = h.begin; r < h.end; ++r) {
      for (int64_t s = w.begin; s < w.end; ++s) sum += up(plane[r * p.in[1] + s]);
    }
    const bool empty = h.begin == h.end || w.begin == w.end;
    y[i] = down<T>(empty ? Compute<T>(0) : sum / static_cast<Compute<T>>(divisor_of(p, h, w)));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    avg_pool2d_backward_kernel(GPU_GRID_CONSTANT(Pool2dArgs) p, const T* grad_y, T* grad_x) {
  const int64_t plane_size = p.in[0] * p.in[1];
  for (int64_t i = first_item(); i < p.planes * plane_size; i += item_step()) {
    const int64_t position = i % plane_size;
    const int64_t base = i / plane_size * p.out[0] * p.out[1];
    const Covering rows(p, 0, position / p.in[1]);
    const Covering columns(p, 1, position % p.in[1]);
    Compute<T> sum = 0;
    for (int64_t oh = rows.first; oh <= rows.last; ++oh) {
      const Window h(p, 0, oh);
      for (int64_t ow = columns.first; ow <= columns.last; ++ow) {
        const Window w(p, 1, ow);
        sum += up(grad_y[base + oh * p.out[1] + ow]) / static_cast<Compute<T>>(divisor_of(p, h, w));
      }
    }
    grad_x[i] = down<T>(sum);
  }
}

int64_t inputs(const Pool2dArgs& p) { return p.planes * p.in[0] * p.in[1]; }
int64_t outputs(const Pool2dArgs& p) { return p.planes * p.out[0] * p.out[1]; }

}  // namespace

void max_pool2d(const Pool2dArgs& args, const void* x, void* y, int64_t* indices) {
  if (outputs(args) == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(max_pool2d_kernel<T>, grid_for(outputs(args), kThreads), kThreads, 0, gpu::stream(),
                args, static_cast<const T*>(x), static_cast<T*>(y), indices);
  });
}

void max_pool2d_backward(const Pool2dArgs& args, const void* grad_y, const int64_t* indices,
                         void* grad_x) {
  if (inputs(args) == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(max_pool2d_backward_kernel<T>, grid_for(inputs(args), kThreads), kThreads, 0,
                gpu::stream(), args, static_cast<const T*>(grad_y), indices,
                static_cast<T*>(grad_x));
  });
}

void avg_pool2d(const Pool2dArgs& args, const void* x, void* y) {
  if (outputs(args) == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(avg_pool2d_kernel<T>, grid_for(outputs(args), kThreads), kThreads, 0, gpu::stream(),
                args, static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void avg_pool2d_backward(const Pool2dArgs& args, const void* grad_y, void* grad_x) {
  if (inputs(args) == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(avg_pool2d_backward_kernel<T>, grid_for(inputs(args), kThreads), kThreads, 0,
                gpu::stream(), args, static_cast<const T*>(grad_y), static_cast<T*>(grad_x));
  });
}

}  // namespace wick::cuda
