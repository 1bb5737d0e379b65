// Negative log likelihood and cross entropy over [n, classes, inner], a group of threads for each
// of the n x inner rows as in softmax.cu. Row losses and weights are summed by the reduction
// kernels, so the result is deterministic. Bytes moved: x once (not fused: one element of each
// row); backward: x and grad_x once. A target out of range is reported (fault.h) and ignored.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/fault.h>
#include <wick/kernels/cuda/rows.h>
#include <wick/kernels/reduce.h>
#include <wick/kernels/softmax.h>

namespace wick::cuda {
namespace {

template <class C>
struct RowLoss {
  C weighted_x;  // sum over classes of w[c] x[c]
  C weight;      // sum over classes of w[c]
  MaxSum<C> exponentials;
  __device__ void clear() {
    weighted_x = weight = 0;
    exponentials.clear();
  }
  __device__ void merge(const RowLoss& other) {
    weighted_x += other.weighted_x;
    weight += other.weight;
    exponentials.merge(other.exponentials);
  }
};

template <class T>
struct Weights {
  const T* weight;  // or null
  __device__ Compute<T> operator[](int64_t c) const {
    return weight ? up(weight[c]) : Compute<T>(1);
  }
};

/// losses: of rows, in the compute type (sums follow), or T (Reduction None) as `rounded`.
template <class T>
__global__ void __launch_bounds__(kThreads)
    nll_kernel(GPU_GRID_CONSTANT(RowGeometry) g, GPU_GRID_CONSTANT(NllArgs) args,
               GPU_GRID_CONSTANT(FaultSite) site, const T* x, const int64_t* target,
               const T* weight, Compute<T>* losses, T* rounded, Compute<T>* weights,
               Compute<T>* log_sum_exp) {
  using C = Compute<T>;
  GPU_SHARED(RowLoss<C>, shared, [kThreads]);
  const RowThread t(g);
  const Weights<T> w{weight};
  const C smoothing = args.fused_softmax ? static_cast<C>(args.label_smoothing) : C(0);
  for (int64_t group = blockIdx.x; group * t.outputs < g.rows; group += gridDim.x) {
    const int64_t row = group * t.outputs + t.output;
    const int64_t base = g.offset(row);
    RowLoss<C> sums;
    sums.clear();
    if (args.fused_softmax && row < g.rows) {
      for (int64_t c = t.lane; c < g.dim; c += g.lanes) {
        const C v = up(x[base + c * g.inner]);
        sums.exponentials.add(v);
        if (smoothing != C(0)) {
          sums.weighted_x += w[c] * v;
          sums.weight += w[c];
        }
      }
    }
    sums = fold_rows(shared, t, g.lanes, sums);
    if (row >= g.rows || t.lane != 0) continue;  // no barrier but that of the next group follows
    C log_sum = 0;
    if (args.fused_softmax) {
      log_sum = sums.exponentials.max + ::log(sums.exponentials.total());
      log_sum_exp[row] = log_sum;
    }
    const int64_t label = target[row];
    C loss = 0;
    C row_weight = 0;
    if (label != args.ignore_index && check_value(site, row, label)) {
      row_weight = w[label];
      loss = row_weight * (log_sum - up(x[base + label * g.inner]));
      if (smoothing != C(0)) {
        const C all = sums.weight * log_sum - sums.weighted_x;
        loss = (C(1) - smoothing) * loss + smoothing / static_cast<C>(g.dim) * all;
      }
    }
    weights[row] = row_weight;
    if (losses) losses[row] = loss;
    if (rounded) rounded[row] = down<T>(loss);
  }
}

template <class T>
__global__ void finish_kernel(const Compute<T>* sum, const Compute<T>* total, bool mean, T* loss) {
  if (threadIdx.x == 0) loss[0] = down<T>(mean ? sum[0] / total[0] : sum[0]);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    nll_backward_kernel(GPU_GRID_CONSTANT(RowGeometry) g, GPU_GRID_CONSTANT(NllArgs) args,
                        const T* grad_loss, const T* x, const int64_t* target, const T* weight,
                        const Compute<T>* total_weight, const Compute<T>* weight_sum,
                        const Compute<T>* log_sum_exp, T* grad_x) {
  using C = Compute<T>;
  const Weights<T> w{weight};
  const C smoothing = args.fused_softmax ? static_cast<C>(args.label_smoothing) : C(0);
  const C share = smoothing / static_cast<C>(g.dim);
  const C all = weight_sum ? *weight_sum : static_cast<C>(g.dim);
  for (int64_t i = first_item(); i < g.rows * g.dim; i += item_step()) {
    const int64_t c = i / g.inner % g.dim;
    const int64_t row = i / (g.inner * g.dim) * g.inner + i % g.inner;
    const int64_t label = target[row];
    C grad = 0;
    if (label != args.ignore_index && label >= 0 && label < g.dim) {
      const C scale = up(grad_loss[args.reduction == NllArgs::None ? row : 0]) /
                      (args.reduction == NllArgs::Mean ? *total_weight : C(1));
      const C hit = (C(1) - smoothing) * w[label];
      grad = c == label ? -hit : C(0);
      if (args.fused_softmax)
        grad += (hit + share * all) * ::exp(up(x[i]) - log_sum_exp[row]) - share * w[c];
      grad *= scale;
    }
    grad_x[i] = down<T>(grad);
  }
}

/// Sum of n dense elements; in half types accumulated and returned as float.
void sum_all(DType in_type, DType out_type, const void* in, int64_t n, void* out) {
  ReduceArgs r;
  r.reduced = n;
  r.reduced_ndim = 1;
  r.reduced_sizes[0] = n;
  r.reduced_strides[0] = 1;
  r.in = in;
  r.out = out;
  reduce(ReduceOp::Sum, in_type, out_type, r);
}

}  // namespace

void nll_loss(const NllArgs& args, const void* x, const int64_t* target, const void* weight,
              void* loss, void* total_weight, void* log_sum_exp) {
  const RowGeometry g = row_geometry(args.n, args.classes, args.inner);
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    const bool each = args.reduction == NllArgs::None;
    const Scratch losses(each ? 0 : g.rows * static_cast<int64_t>(sizeof(C)));
    const Scratch weights(g.rows * static_cast<int64_t>(sizeof(C)));
    const Scratch sum(sizeof(C));
    if (g.rows > 0) {
      gpu::launch(nll_kernel<T>, row_grid(g), kThreads, 0, gpu::stream(), g, args,
                  fault_site(args.op(), args.classes, args.ignore_index), static_cast<const T*>(x),
                  target, static_cast<const T*>(weight), losses.as<C>(),
                  each ? static_cast<T*>(loss) : nullptr, weights.as<C>(),
                  static_cast<C*>(log_sum_exp));
    }
    sum_all(dtype_of<C>, dtype_of<C>, weights.as<void>(), g.rows, total_weight);
    if (each) return;
    sum_all(dtype_of<C>, dtype_of<C>, losses.as<void>(), g.rows, sum.as<void>());
    gpu::launch(finish_kernel<T>, 1, kWarp, 0, gpu::stream(), sum.as<const C>(),
                static_cast<const C*>(total_weight), args.reduction == NllArgs::Mean,
                static_cast<T*>(loss));
  });
}

void nll_loss_backward(const NllArgs& args, const void* grad_loss, const void* x,
                       const int64_t* target, const void* weight, const void* total_weight,
                       const void* log_sum_exp, void* grad_x) {
  const RowGeometry g = row_geometry(args.n, args.classes, args.inner);
  if (g.rows * g.dim == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    const Scratch weight_sum(weight ? static_cast<int64_t>(sizeof(C)) : 0);
    if (weight) sum_all(args.dtype, dtype_of<C>, weight, args.classes, weight_sum.as<void>());
    gpu::launch(nll_backward_kernel<T>, grid_for(g.rows * g.dim, kThreads), kThreads, 0,
                gpu::stream(), g, args, static_cast<const T*>(grad_loss), static_cast<const T*>(x),
                target, static_cast<const T*>(weight), static_cast<const C*>(total_weight),
                weight_sum.as<const C>(), static_cast<const C*>(log_sum_exp),
                static_cast<T*>(grad_x));
  });
}

}  // namespace wick::cuda
