// Batch normalisation over x: [n, c, inner]. A block takes a channel for the sums; the elementwise
// part runs over all elements. Bytes moved: x three times and y once (train), x and y once (eval);
// backward: grad_y and x twice, grad_x once.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/norm.h>

namespace wick::cuda {
namespace {

struct Geometry {
  int64_t n, c, inner;
  __device__ int64_t count() const { return n * inner; }
  /// Offset of element j of a channel.
  __device__ int64_t offset(int64_t channel, int64_t j) const {
    return (j / inner * c + channel) * inner + j % inner;
  }
  __device__ int64_t channel(int64_t i) const { return i / inner % c; }
  int64_t numel() const { return n * c * inner; }
};

/// Sum of f(j) over the elements of a channel, by the whole block, in blocks of 64 for each thread.
template <class C, class F>
__device__ inline C channel_sum(const Geometry& g, const F& f) {
  constexpr int kFold = 64;
  C total = 0;
  for (int64_t j = threadIdx.x; j < g.count();) {
    C sum = 0;
    for (int k = 0; k < kFold && j < g.count(); ++k, j += kThreads) sum += f(j);
    total += sum;
  }
  return block_sum(total);
}

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    statistics_kernel(Geometry g, const T* x, Compute<T> eps, Compute<T> momentum,
                      Compute<T>* running_mean, Compute<T>* running_var, Compute<T>* mean,
                      Compute<T>* inv_std) {
  using C = Compute<T>;
  for (int64_t c = blockIdx.x; c < g.c; c += gridDim.x) {
    const auto count = static_cast<C>(g.count());
    const C m = channel_sum<C>(g, [&](int64_t j) { return up(x[g.offset(c, j)]); }) / count;
    const C squares = channel_sum<C>(g, [&](int64_t j) {
      const C d = up(x[g.offset(c, j)]) - m;
      return d * d;
    });
    if (threadIdx.x == 0) {
      mean[c] = m;
      inv_std[c] = C(1) / ::sqrt(squares / count + eps);
      if (running_mean) running_mean[c] = (C(1) - momentum) * running_mean[c] + momentum * m;
      if (running_var)
        running_var[c] = (C(1) - momentum) * running_var[c] + momentum * (squares / (count - C(1)));
    }
  }
}

/// `spread` is 1 / standard deviation, or the variance if kVariance.
template <class T, bool kVariance>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    normalize_kernel(Geometry g, int64_t numel, const T* x, const Compute<T>* weight,
                     const Compute<T>* bias, const Compute<T>* mean, const Compute<T>* spread,
                     Compute<T> eps, T* y) {
  using C = Compute<T>;
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t c = g.channel(i);
    const C inv_std = kVariance ? C(1) / ::sqrt(spread[c] + eps) : spread[c];
    const C scale = weight ? weight[c] * inv_std : inv_std;
    y[i] = down<T>((up(x[i]) - mean[c]) * scale + (bias ? bias[c] : C(0)));
  }
}

/// sums: [2, c], of grad_y and of grad_y times the normalised x.
template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    gradient_sums_kernel(Geometry g, const T* grad_y, const T* x, const Compute<T>* mean,
                         const Compute<T>* inv_std, Compute<T>* sums, Compute<T>* grad_weight,
                         Compute<T>* grad_bias) {
  using C = Compute<T>;
  for (int64_t c = blockIdx.x; c < g.c; c += gridDim.x) {
    const C m = mean[c];
    const C s = inv_std[c];
    const C sum = channel_sum<C>(g, [&](int64_t j) { return up(grad_y[g.offset(c, j)]); });
    const C product = channel_sum<C>(g, [&](int64_t j) {
      const int64_t o = g.offset(c, j);
      return up(grad_y[o]) * ((up(x[o]) - m) * s);
    });
    if (threadIdx.x == 0) {
      sums[c] = sum;
      sums[g.c + c] = product;
      if (grad_weight) grad_weight[c] = product;
      if (grad_bias) grad_bias[c] = sum;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    gradient_kernel(Geometry g, int64_t numel, bool train, const T* grad_y, const T* x,
                    const Compute<T>* weight, const Compute<T>* mean, const Compute<T>* inv_std,
                    const Compute<T>* sums, T* grad_x) {
  using C = Compute<T>;
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t c = g.channel(i);
    const C scale = weight ? weight[c] * inv_std[c] : inv_std[c];
    C grad = up(grad_y[i]);
    if (train) {
      const auto count = static_cast<C>(g.count());
      const C normalized = (up(x[i]) - mean[c]) * inv_std[c];
      grad -= (sums[c] + normalized * sums[g.c + c]) / count;
    }
    grad_x[i] = down<T>(grad * scale);
  }
}

/// Calls f with a value of x's type after a look at that of the statistics.
template <class F>
void visit(const BatchNormArgs& args, F&& f) {
  const DType expected = is_reduced_float(args.dtype) ? DType::Float32 : args.dtype;
  WICK_CHECK(DTypeError, args.stats_type == expected, "batch_norm: expected weight, bias and ",
             "statistics of ", expected, " for x of ", args.dtype, ", got ", args.stats_type);
  visit_float(args.dtype, f);
}

}  // namespace

void batch_norm_train(const BatchNormArgs& args, const void* x, const void* weight,
                      const void* bias, void* running_mean, void* running_var, double momentum,
                      void* y, void* mean, void* inv_std) {
  const Geometry g{args.n, args.c, args.inner};
  if (g.numel() == 0) return;
  visit(args, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    gpu::launch(statistics_kernel<T>, grid_for(g.c, 1), kThreads, 0, gpu::stream(), g,
                static_cast<const T*>(x), static_cast<C>(args.eps), static_cast<C>(momentum),
                static_cast<C*>(running_mean), static_cast<C*>(running_var), static_cast<C*>(mean),
                static_cast<C*>(inv_std));
    gpu::launch(normalize_kernel<T, false>, grid_for(g.numel(), kThreads), kThreads, 0,
                gpu::stream(), g, g.numel(), static_cast<const T*>(x),
                static_cast<const C*>(weight), static_cast<const C*>(bias),
                static_cast<const C*>(mean), static_cast<const C*>(inv_std), C(0),
                static_cast<T*>(y));
  });
}

void batch_norm_eval(const BatchNormArgs& args, const void* x, const void* weight, const void* bias,
                     const void* mean, const void* var, void* y) {
  const Geometry g{args.n, args.c, args.inner};
  if (g.numel() == 0) return;
  visit(args, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    gpu::launch(normalize_kernel<T, true>, grid_for(g.numel(), kThreads), kThreads, 0,
                gpu::stream(), g, g.numel(), static_cast<const T*>(x),
                static_cast<const C*>(weight), static_cast<const C*>(bias),
                static_cast<const C*>(mean), static_cast<const C*>(var), static_cast<C>(args.eps),
                static_cast<T*>(y));
  });
}

void batch_norm_backward(const BatchNormArgs& args, bool train, const void* grad_y, const void* x,
                         const void* weight, const void* mean, const void* inv_std, void* grad_x,
                         void* grad_weight, void* grad_bias) {
  const Geometry g{args.n, args.c, args.inner};
  if (g.c == 0) return;
  visit(args, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    const Scratch sums(2 * g.c * static_cast<int64_t>(sizeof(C)));
    if ((train && grad_x) || grad_weight || grad_bias) {
      gpu::launch(gradient_sums_kernel<T>, grid_for(g.c, 1), kThreads, 0, gpu::stream(), g,
                  static_cast<const T*>(grad_y), static_cast<const T*>(x),
                  static_cast<const C*>(mean), static_cast<const C*>(inv_std), sums.as<C>(),
                  static_cast<C*>(grad_weight), static_cast<C*>(grad_bias));
    }
    if (grad_x && g.numel() > 0) {
      gpu::launch(gradient_kernel<T>, grid_for(g.numel(), kThreads), kThreads, 0, gpu::stream(), g,
                  g.numel(), train, static_cast<const T*>(grad_y), static_cast<const T*>(x),
                  static_cast<const C*>(weight), static_cast<const C*>(mean),
                  static_cast<const C*>(inv_std), sums.as<const C>(), static_cast<T*>(grad_x));
    }
  });
}

}  // namespace wick::cuda
