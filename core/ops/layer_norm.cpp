#include <wick/core/ops/common.h>
#include <wick/kernels/norm.h>
#include <cmath>

namespace wick {

using detail::Dims;

namespace {

LayerNormArgs layer_norm_args(const Tensor& x, int64_t dim, bool center, double eps) {
  LayerNormArgs args;
  args.dtype = x.dtype();
  args.center = center;
  args.dim = dim;
  args.rows = x.numel() / dim;
  args.eps = eps;
  return args;
}

/// A weight or bias as the kernels take it; recorded if it is a copy.
Tensor parameter(const char* op, const char* name, const Tensor& t, const Tensor& x,
                 IntArrayRef sizes) {
  if (!t.defined()) return t;
  const DType stats = detail::stats_dtype(x.dtype());
  WICK_CHECK(ShapeError, t.sizes() == sizes, op, ": expected ", name, " of shape ", sizes, ", got ",
             t.sizes());
  WICK_CHECK(DTypeError, t.dtype() == stats || t.dtype() == x.dtype(), op, ": expected ", name,
             " of type ", stats, " for x of type ", x.dtype(), ", got ", t.dtype());
  detail::common_device(op, {&x, &t});
  return t.to(stats).contiguous();
}

void require_eps(const char* op, double eps) {
  WICK_CHECK(ValueError, eps >= 0 && std::isfinite(eps), op, ": expected a finite eps >= 0, got ",
             eps);
}

/// The gradients made of differentiable ops.
Grads layer_norm_backward_graph(Backward& ctx, const Tensor& x, const Tensor& weight, int64_t ndim,
                                bool center, double eps) {
  Dims rows, columns;  // the dimensions outside a row, and those of one
  for (int64_t d = 0; d < x.dim(); ++d) (d < x.dim() - ndim ? rows : columns).push_back(d);
  const IntArrayRef along = columns;
  const DType stats = detail::stats_dtype(x.dtype());
  const Tensor g = ctx.grad().to(stats);
  const Tensor in = x.to(stats);
  const Tensor centered = center ? in - in.mean(along, true) : in;
  const Tensor inv_std = pow((centered * centered).mean(along, true) + eps, -0.5);
  const Tensor normal = centered * inv_std;
  const auto sum_rows = [&](const Tensor& t) {
    return rows.n == 0 ? t : t.sum(OptionalIntArrayRef(IntArrayRef(rows)));
  };
  Tensor grad_x;
  if (ctx.needs(0)) {
    const Tensor grad = weight.defined() ? g * weight : g;
    grad_x = grad - normal * (grad * normal).mean(along, true);
    if (center) grad_x = grad_x - grad.mean(along, true);
    grad_x = (grad_x * inv_std).to(x.dtype());
  }
  return {grad_x, ctx.needs(1) ? sum_rows(g * normal) : Tensor(),
          ctx.needs(2) ? sum_rows(g) : Tensor()};
}

Grads layer_norm_backward_raw(Backward& ctx, const LayerNormArgs& args, const Tensor& x,
                              const Tensor& weight, const Tensor& mean, const Tensor& inv_std,
                              int64_t ndim) {
  const Tensor g = detail::contiguous_raw(ctx.grad());
  const IntArrayRef sizes = x.sizes().slice(x.dim() - ndim, ndim);
  Tensor grad_x, grad_weight, grad_bias;
  if (ctx.needs(0)) grad_x = detail::make_empty(x.sizes(), x.dtype(), x.device());
  if (ctx.needs(1)) grad_weight = detail::make_empty(sizes, inv_std.dtype(), x.device());
  if (ctx.needs(2)) grad_bias = detail::make_empty(sizes, inv_std.dtype(), x.device());
  WICK_DISPATCH(x.device(), layer_norm_backward, args, g.data_ptr(), x.data_ptr(),
                detail::data_or_null(weight), detail::data_or_null(mean), inv_std.data_ptr(),
                detail::data_or_null(grad_x), detail::data_or_null(grad_weight),
                detail::data_or_null(grad_bias));
  return {grad_x, grad_weight, grad_bias};
}

/// layer_norm, or with `center` false rms_norm.
Tensor normalize_rows(const char* op, const Tensor& x, IntArrayRef normalized_shape,
                      const Tensor& weight, const Tensor& bias, bool center, double eps) {
  const auto ndim = static_cast<int64_t>(normalized_shape.size());
  WICK_CHECK(
      ShapeError,
      ndim > 0 && ndim <= x.dim() && x.sizes().slice(x.dim() - ndim, ndim) == normalized_shape, op,
      ": expected x whose last sizes are normalized_shape ", normalized_shape, ", got ", x.sizes());
  detail::require_floating(op, x);
  require_eps(op, eps);
  const Tensor w = parameter(op, "weight", weight, x, normalized_shape);
  const Tensor b = parameter(op, "bias", bias, x, normalized_shape);
  if (x.numel() == 0) {  // nothing to normalise, but gradients of zero
    Tensor y = x.clone();
    if (w.defined()) y = (y * w).to(x.dtype());
    if (b.defined()) y = (y + b).to(x.dtype());
    return y;
  }
  const Tensor in = x.contiguous();
  const LayerNormArgs args =
      layer_norm_args(in, detail::checked_numel(op, normalized_shape), center, eps);
  const DType stats = detail::stats_dtype(x.dtype());
  Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
  const Tensor mean = center ? detail::make_empty(args.rows, stats, x.device()) : Tensor();
  const Tensor inv_std = detail::make_empty(args.rows, stats, x.device());
  WICK_DISPATCH(x.device(), layer_norm, args, in.data_ptr(), detail::data_or_null(w),
                detail::data_or_null(b), y.data_ptr(), detail::data_or_null(mean),
                inv_std.data_ptr());
  if (needs_grad(in, w, b)) {
    record(op, {in, w, b}, y,
           [args, ndim, x = save(in), weight = save(w), mean = save(mean),
            inv_std = save(inv_std)](Backward& ctx) -> Grads {
             const Tensor in = ctx.unpack(x);
             if (ctx.create_graph()) {
               return layer_norm_backward_graph(ctx, in, ctx.unpack(weight), ndim, args.center,
                                                args.eps);
             }
             return layer_norm_backward_raw(ctx, args, in, ctx.unpack(weight), ctx.unpack(mean),
                                            ctx.unpack(inv_std), ndim);
           });
  }
  return y;
}

/// A [C] tensor, or one for each sample, as it broadcasts over x.
Tensor along_channels(const Tensor& t, const Tensor& x) {
  Dims shape;
  for (int64_t d = 1; d < x.dim(); ++d) shape.push_back(d == 1 ? t.numel() : 1);
  return t.view(shape);
}

void require_channels(const char* op, const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() >= 2, op, ": expected x of shape [N, C, ...], got ", x.sizes());
  detail::require_floating(op, x);
}

}  // namespace

Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  return normalize_rows("layer_norm", x, normalized_shape, weight, bias, true, eps);
}

Tensor rms_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
  const DType dtype = x.dtype();
  const double precision = dtype == DType::Float64    ? 0x1p-52
                           : dtype == DType::Float16  ? 0x1p-10
                           : dtype == DType::BFloat16 ? 0x1p-7
                                                      : 0x1p-23;
  return normalize_rows("rms_norm", x, normalized_shape, weight, {}, false,
                        eps.value_or(precision));
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  require_channels("group_norm", x);
  const int64_t n = x.sizes()[0], channels = x.sizes()[1];
  WICK_CHECK(ValueError, num_groups > 0 && channels % num_groups == 0,
             "group_norm: expected num_groups that divides the ", channels, " channels of x ",
             x.sizes(), ", got ", num_groups);
  const Tensor w = parameter("group_norm", "weight", weight, x, channels);
  const Tensor b = parameter("group_norm", "bias", bias, x, channels);
  const int64_t samples = n * num_groups;
  const int64_t each = samples == 0 ? 0 : x.numel() / samples;
  // What rounds to a half type does so once, at the end.
  const Tensor in = x.to(detail::stats_dtype(x.dtype())).reshape({samples, each});
  Tensor y = normalize_rows("group_norm", in, each, {}, {}, true, eps).view(x.sizes());
  if (w.defined()) y = y * along_channels(w, x);
  if (b.defined()) y = y + along_channels(b, x);
  return y.to(x.dtype());
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                     Tensor running_var, bool use_input_stats, double momentum, double eps) {
  require_channels("instance_norm", x);
  if (!use_input_stats) {
    return batch_norm(x, weight, bias, running_mean, running_var, false, momentum, eps);
  }
  const int64_t n = x.sizes()[0], channels = x.sizes()[1];
  WICK_CHECK(ValueError, x.numel() == 0 || x.numel() > n * channels,
             "instance_norm: expected more than 1 value per channel of a sample, got x ",
             x.sizes());
  // Each channel of each sample is a channel of a batch of one.
  const auto repeated = [&](const char* name, const Tensor& t) {
    detail::require_vector("instance_norm", name, t, channels);
    return t.defined() ? t.expand({n, channels}).reshape(n * channels) : t;
  };
  Dims sizes(x.sizes());
  sizes[0] = 1;
  sizes[1] = n * channels;
  const Tensor w = repeated("weight", weight), b = repeated("bias", bias);
  Tensor mean = repeated("running_mean", running_mean), var = repeated("running_var", running_var);
  if (mean.defined()) mean = mean.clone();
  if (var.defined()) var = var.clone();
  const Tensor y = batch_norm(x.reshape(sizes), w, b, mean, var, true, momentum, eps);
  if (x.numel() > 0) {
    const NoGradGuard no_grad;
    if (mean.defined()) running_mean.copy_(mean.view({n, channels}).mean(0));
    if (var.defined()) running_var.copy_(var.view({n, channels}).mean(0));
  }
  return y.view(x.sizes());
}

Tensor detail::vector_norm(const char* op, const Tensor& x, double p, int64_t dim, bool keepdim) {
  require_floating(op, x);
  WICK_CHECK(ValueError, p > 0, op, ": expected p > 0, got ", p);
  if (std::isinf(p)) return std::get<0>(abs(x).max(dim, keepdim));
  const Tensor in = x.to(stats_dtype(x.dtype()));
  if (p == 1) return abs(in).sum(dim, keepdim).to(x.dtype());
  const Tensor powers = (p == 2 ? in * in : pow(abs(in), p)).sum(dim, keepdim);
  const Tensor zero = powers == 0;  // where the root has no derivative and 0 is taken
  const Tensor safe = where(zero, 1.0, powers);
  return where(zero, 0.0, p == 2 ? sqrt(safe) : pow(safe, 1 / p)).to(x.dtype());
}

Tensor normalize(const Tensor& x, double p, int64_t dim, double eps) {
  const Tensor norm = detail::vector_norm("normalize", x, p, dim, true);
  return x / where(norm < eps, eps, norm);
}

}  // namespace wick
