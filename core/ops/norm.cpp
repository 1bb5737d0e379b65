#include <wick/core/ops/common.h>
#include <wick/kernels/norm.h>
#include <cmath>

namespace wick {

using detail::Dims;

namespace {

/// x as [n, c, inner]. Channels-last memory is that with inner = 1.
BatchNormArgs norm_args(const Tensor& x, double eps) {
  BatchNormArgs args;
  args.dtype = x.dtype();
  args.stats_type = detail::stats_dtype(x.dtype());
  args.eps = eps;
  args.c = x.sizes()[1];
  const int64_t per_channel = x.numel() / args.c;
  args.n = x.is_contiguous() ? x.sizes()[0] : per_channel;
  args.inner = per_channel / args.n;
  return args;
}

/// x itself if the kernel can take it, else a differentiable copy.
Tensor dense(const Tensor& x) {
  if (x.is_contiguous() || (x.dim() == 4 && x.is_contiguous(MemoryFormat::ChannelsLast))) return x;
  return x.contiguous();
}

/// g in the memory order of x.
Tensor laid_out_as(const Tensor& g, const Tensor& x) {
  if (g.strides() == x.strides() || (g.is_contiguous() && x.is_contiguous())) return g;
  Tensor out = detail::make_empty_like(x, g.dtype());
  detail::copy_raw(out, g);
  return out;
}

/// A [C] tensor as it broadcasts over x.
Tensor along_channels(const Tensor& t, const Tensor& x) {
  Dims shape;
  for (int64_t d = 0; d < x.dim(); ++d) shape.push_back(d == 1 ? t.numel() : 1);
  return t.view(shape);
}

Dims all_but_channels(const Tensor& x) {
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d != 1) dims.push_back(d);
  return dims;
}

void check_batch_norm(const Tensor& x,
                      std::initializer_list<std::pair<const char*, const Tensor*>> params,
                      bool training) {
  WICK_CHECK(ShapeError, x.dim() >= 2, "batch_norm: expected x of shape [N, C, ...], got ",
             x.sizes());
  detail::require_floating("batch_norm", x);
  const DType stats = detail::stats_dtype(x.dtype());
  for (const auto& [name, t] : params) {
    if (!t->defined()) continue;
    detail::require_vector("batch_norm", name, *t, x.sizes()[1]);
    WICK_CHECK(DTypeError, t->dtype() == stats || t->dtype() == x.dtype(), "batch_norm: expected ",
               name, " of type ", stats, " for x of type ", x.dtype(), ", got ", t->dtype());
    detail::common_device("batch_norm", {&x, t});
  }
  WICK_CHECK(ValueError, !training || x.numel() != x.sizes()[1] || x.numel() == 0,
             "batch_norm: expected more than 1 value per channel when training, got x ", x.sizes(),
             "; use a larger batch or eval()");
}

/// A running statistic as the kernel writes it: dense and of the right type.
class Running {
 public:
  Running(const Tensor& t, DType stats) : target_(t) {
    if (t.defined()) buffer_ = detail::contiguous_raw(detail::cast_raw(t, stats));
  }
  void* data() const { return detail::data_or_null(buffer_); }
  void write_back() {
    if (!target_.defined()) return;
    if (!buffer_.is_same(target_)) detail::copy_raw(target_, buffer_);
    bump_version(target_);
  }

 private:
  const Tensor& target_;
  Tensor buffer_;
};

/// The gradients as compositions of differentiable ops. mean and inv_std are used in evaluation,
/// where they do not depend on x.
Grads batch_norm_backward_graph(Backward& ctx, const Tensor& x, const Tensor& weight,
                                const Tensor& mean, const Tensor& inv_std, bool training,
                                double eps) {
  const Dims others = all_but_channels(x);
  const IntArrayRef dims = others;
  const DType stats = detail::stats_dtype(x.dtype());
  const Tensor g = ctx.grad().to(stats);
  const Tensor in = x.to(stats);
  Tensor centered, scale;  // scale: 1 / standard deviation
  if (training) {
    centered = in - in.mean(dims, true);
    scale = pow((centered * centered).mean(dims, true) + eps, -0.5);
  } else {
    centered = in - along_channels(mean, x);
    scale = along_channels(inv_std, x);
  }
  const Tensor normal = centered * scale;
  Tensor grad_x;
  if (ctx.needs(0)) {
    grad_x = g;
    if (training) grad_x = g - g.mean(dims, true) - normal * (g * normal).mean(dims, true);
    grad_x = grad_x * (weight.defined() ? scale * along_channels(weight, x) : scale);
    grad_x = grad_x.to(x.dtype());
  }
  return {grad_x, ctx.needs(1) ? (g * normal).sum(dims) : Tensor(),
          ctx.needs(2) ? g.sum(dims) : Tensor()};
}

Grads batch_norm_backward_raw(Backward& ctx, const Tensor& x, const Tensor& weight,
                              const Tensor& mean, const Tensor& inv_std, bool training,
                              double eps) {
  const BatchNormArgs args = norm_args(x, eps);
  const Tensor g = laid_out_as(ctx.grad(), x);
  Tensor grad_x, grad_weight, grad_bias;
  if (ctx.needs(0)) grad_x = detail::make_empty_like(x, x.dtype());
  if (ctx.needs(1)) grad_weight = detail::make_empty(args.c, args.stats_type, x.device());
  if (ctx.needs(2)) grad_bias = detail::make_empty(args.c, args.stats_type, x.device());
  WICK_DISPATCH(x.device(), batch_norm_backward, args, training, g.data_ptr(), x.data_ptr(),
                detail::data_or_null(weight), mean.data_ptr(), inv_std.data_ptr(),
                detail::data_or_null(grad_x), detail::data_or_null(grad_weight),
                detail::data_or_null(grad_bias));
  return {grad_x, grad_weight, grad_bias};
}

struct Normalized {
  Tensor y, mean, inv_std;
};

Normalized normalize_by_batch(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const Tensor& running_mean, const Tensor& running_var,
                              double momentum, double eps) {
  const BatchNormArgs args = norm_args(x, eps);
  Normalized r;
  r.y = detail::make_empty_like(x, x.dtype());
  r.mean = detail::make_empty(args.c, args.stats_type, x.device());
  r.inv_std = detail::make_empty(args.c, args.stats_type, x.device());
  Running mean(running_mean, args.stats_type);
  Running var(running_var, args.stats_type);
  WICK_DISPATCH(x.device(), batch_norm_train, args, x.data_ptr(), detail::data_or_null(weight),
                detail::data_or_null(bias), mean.data(), var.data(), momentum, r.y.data_ptr(),
                r.mean.data_ptr(), r.inv_std.data_ptr());
  mean.write_back();
  var.write_back();
  return r;
}

/// mean and inv_std are copies, so that later training steps do not spoil them for backward.
Normalized normalize_by_running(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                const Tensor& running_mean, const Tensor& running_var, double eps,
                                bool for_backward) {
  const BatchNormArgs args = norm_args(x, eps);
  const Tensor mean = detail::contiguous_raw(detail::cast_raw(running_mean, args.stats_type));
  const Tensor var = detail::contiguous_raw(detail::cast_raw(running_var, args.stats_type));
  Normalized r;
  r.y = detail::make_empty_like(x, x.dtype());
  WICK_DISPATCH(x.device(), batch_norm_eval, args, x.data_ptr(), detail::data_or_null(weight),
                detail::data_or_null(bias), mean.data_ptr(), var.data_ptr(), r.y.data_ptr());
  if (for_backward) {
    const NoGradGuard no_grad;
    r.mean = mean.is_same(running_mean) ? mean.clone() : mean;
    r.inv_std = pow(var + eps, -0.5);
  }
  return r;
}

/// What the kernel takes for weight or bias; recorded if it is a copy.
Tensor parameter(const Tensor& t, DType stats) {
  return t.defined() ? t.to(stats).contiguous() : t;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                  Tensor running_var, bool training, double momentum, double eps) {
  check_batch_norm(x,
                   {{"weight", &weight},
                    {"bias", &bias},
                    {"running_mean", &running_mean},
                    {"running_var", &running_var}},
                   training);
  WICK_CHECK(ValueError, eps >= 0 && std::isfinite(eps),
             "batch_norm: expected a finite eps >= 0, got ", eps);
  WICK_CHECK(
      ValueError, training || (running_mean.defined() && running_var.defined()),
      "batch_norm: expected running_mean and running_var in evaluation; without them call it "
      "with training = true");
  if (training && running_mean.defined()) check_inplace("batch_norm", running_mean, false);
  if (training && running_var.defined()) check_inplace("batch_norm", running_var, false);
  const DType stats = detail::stats_dtype(x.dtype());
  const Tensor w = parameter(weight, stats);
  const Tensor b = parameter(bias, stats);
  if (x.numel() == 0) {  // nothing to normalise, but gradients of zero
    Tensor y = x.clone();
    if (w.defined()) y = (y * along_channels(w, x)).to(x.dtype());
    if (b.defined()) y = (y + along_channels(b, x)).to(x.dtype());
    return y;
  }
  const Tensor in = dense(x);
  const bool record_it = needs_grad(in, w, b);
  Normalized r = training
                     ? normalize_by_batch(in, w, b, running_mean, running_var, momentum, eps)
                     : normalize_by_running(in, w, b, running_mean, running_var, eps, record_it);
  if (record_it) {
    record("batch_norm", {in, w, b}, r.y,
           [x = save(in), weight = save(w), mean = save(r.mean), inv_std = save(r.inv_std),
            training, eps](Backward& ctx) -> Grads {
             const auto backward =
                 ctx.create_graph() ? batch_norm_backward_graph : batch_norm_backward_raw;
             return backward(ctx, ctx.unpack(x), ctx.unpack(weight), ctx.unpack(mean),
                             ctx.unpack(inv_std), training, eps);
           });
  }
  return r.y;
}

}  // namespace wick
