#include <wick/core/ops/common.h>
#include <wick/kernels/softmax.h>

namespace wick {

using detail::Dims;

namespace {

int64_t class_dim(const Tensor& x) { return x.dim() == 1 ? 0 : 1; }

NllArgs::Reduction kernel_reduction(Reduction r) {
  return r == Reduction::None ? NllArgs::None : r == Reduction::Sum ? NllArgs::Sum : NllArgs::Mean;
}

/// x: [N, C], [C] or [N, C, d1, ...] and the shape of its target.
NllArgs class_args(const char* op, const Tensor& x, const Tensor& target, const Tensor& weight) {
  WICK_CHECK(ShapeError, x.dim() > 0, op, ": expected x of shape [N, C], [C] or [N, C, d1, ...], ",
             "got ", x.sizes());
  detail::require_floating(op, x);
  WICK_CHECK(DTypeError, target.dtype() == DType::Int64, op, ": expected class numbers of type ",
             "int64 as target, got ", target.dtype(), "; convert them with .to(kInt64)");
  NllArgs args;
  args.dtype = x.dtype();
  args.classes = x.sizes()[class_dim(x)];
  args.n = x.dim() == 1 ? 1 : x.sizes()[0];
  Dims wanted;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d == class_dim(x)) continue;
    wanted.push_back(x.sizes()[d]);
    if (d > 1) args.inner *= x.sizes()[d];
  }
  WICK_CHECK(ShapeError, target.sizes() == IntArrayRef(wanted), op, ": expected a target of shape ",
             IntArrayRef(wanted), " for x ", x.sizes(), ", got ", target.sizes());
  detail::require_vector(op, "weight", weight, args.classes);
  if (weight.defined()) detail::require_dtype(op, "weight", weight, x.dtype());
  detail::common_device(op, {&x, &target, &weight});
  return args;
}

/// What the kernels of one loss share. All tensors are contiguous and have no history.
struct Loss {
  Tensor value, total_weight, log_sum_exp;
};

Loss nll_raw(const NllArgs& args, const Tensor& x, const Tensor& target, const Tensor& weight) {
  const DType stats = detail::stats_dtype(x.dtype());
  Loss loss;
  loss.value = detail::make_empty(args.reduction == NllArgs::None ? target.sizes() : IntArrayRef(),
                                  x.dtype(), x.device());
  loss.total_weight = detail::make_empty({}, stats, x.device());
  if (args.fused_softmax) loss.log_sum_exp = detail::make_empty(target.sizes(), stats, x.device());
  WICK_DISPATCH(x.device(), nll_loss, args, x.data_ptr(), target.data_ptr<int64_t>(),
                detail::data_or_null(weight), loss.value.data_ptr(), loss.total_weight.data_ptr(),
                detail::data_or_null(loss.log_sum_exp));
  return loss;
}

/// The gradient of a loss with respect to its x, which only a fused loss reads.
Tensor nll_backward_raw(const NllArgs& args, const Tensor& g, const Tensor& x, IntArrayRef sizes,
                        const Tensor& target, const Tensor& weight, const Tensor& total_weight,
                        const Tensor& log_sum_exp) {
  const Tensor in_g = detail::contiguous_raw(g);
  Tensor grad_x = detail::make_empty(sizes, g.dtype(), g.device());
  if (grad_x.numel() > 0) {
    WICK_DISPATCH(g.device(), nll_loss_backward, args, in_g.data_ptr(), detail::data_or_null(x),
                  target.data_ptr<int64_t>(), detail::data_or_null(weight), total_weight.data_ptr(),
                  detail::data_or_null(log_sum_exp), grad_x.data_ptr());
  }
  return grad_x;
}

/// nll_loss is linear in x, with coefficients that depend on target and weight (contiguous, without
/// history). So the reverse of its reverse is itself, and both can be differentiated any number of
/// times.
Tensor nll_linear(const NllArgs& args, const Tensor& x, const Tensor& target, const Tensor& weight);

Tensor nll_linear_reverse(const NllArgs& args, const Tensor& g, const Dims& sizes,
                          const Tensor& target, const Tensor& weight, const Tensor& total_weight) {
  Tensor grad_x = nll_backward_raw(args, g, {}, sizes, target, weight, total_weight, {});
  if (needs_grad(g)) {
    record("nll_loss_backward", {g}, grad_x,
           [args, target = save(target), weight = save(weight)](Backward& ctx) -> Grads {
             return {nll_linear(args, ctx.grad(), ctx.unpack(target), ctx.unpack(weight))};
           });
  }
  return grad_x;
}

Tensor nll_linear(const NllArgs& args, const Tensor& x, const Tensor& target,
                  const Tensor& weight) {
  Loss loss = nll_raw(args, detail::contiguous_raw(x), target, weight);
  if (needs_grad(x)) {
    record("nll_loss", {x}, loss.value,
           [args, sizes = Dims(x.sizes()), target = save(target), weight = save(weight),
            total = save(loss.total_weight)](Backward& ctx) -> Grads {
             return {nll_linear_reverse(args, ctx.grad(), sizes, ctx.unpack(target),
                                        ctx.unpack(weight), ctx.unpack(total))};
           });
  }
  return loss.value;
}

Tensor plain(const Tensor& t) {
  return t.defined() ? detail::contiguous_raw(t.requires_grad() ? t.detach() : t) : Tensor();
}

/// The shape that broadcasts a [C] tensor along the classes of x.
Tensor along_classes(const Tensor& weight, const Tensor& x) {
  Dims shape;
  for (int64_t d = 0; d < x.dim(); ++d) shape.push_back(d == class_dim(x) ? weight.numel() : 1);
  return weight.view(shape);
}

}  // namespace

Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, Reduction reduction,
                int64_t ignore_index) {
  NllArgs args = class_args("nll_loss", x, target, weight);
  args.ignore_index = ignore_index;
  args.reduction = kernel_reduction(reduction);
  return nll_linear(args, x, plain(target), plain(weight));
}

namespace {

/// The gradient of cross entropy with respect to the logits, made of differentiable ops.
Tensor cross_entropy_backward(NllArgs args, const Tensor& g, const Tensor& x, const Tensor& target,
                              const Tensor& weight, const Tensor& total_weight) {
  const int64_t dim = class_dim(x);
  const Tensor log_p = log_softmax(x, dim);
  // For each target: what one unit of its own loss is worth.
  Tensor each = args.reduction == NllArgs::Mean ? g / total_weight.to(g.dtype()) : g;
  each = each.expand(target.sizes());
  args.fused_softmax = false;
  args.reduction = NllArgs::None;
  const double smoothing = args.label_smoothing;
  Tensor grad_log_p = nll_linear_reverse(args, each, Dims(x.sizes()), target, weight, total_weight);
  if (smoothing != 0) {
    const Tensor counted = where(target != args.ignore_index, each, 0.0).unsqueeze(dim);
    const double share = smoothing / static_cast<double>(args.classes);
    const Tensor spread = weight.defined() ? along_classes(weight, x) * counted : counted;
    grad_log_p = grad_log_p * (1 - smoothing) - spread * share;
  }
  return grad_log_p - exp(log_p) * grad_log_p.sum(dim, true);
}

Tensor cross_entropy_of_classes(const Tensor& x, const Tensor& target, const Tensor& weight,
                                NllArgs args) {
  args.fused_softmax = true;
  const Tensor in = x.contiguous();
  const Tensor classes = plain(target);
  const Tensor w = plain(weight);
  Loss loss = nll_raw(args, in, classes, w);
  if (needs_grad(in)) {
    record("cross_entropy", {in}, loss.value,
           [args, x = save(in), target = save(classes), weight = save(w),
            total = save(loss.total_weight), lse = save(loss.log_sum_exp)](Backward& ctx) -> Grads {
             const Tensor in = ctx.unpack(x);
             if (ctx.create_graph()) {
               return {cross_entropy_backward(args, ctx.grad(), in, ctx.unpack(target),
                                              ctx.unpack(weight), ctx.unpack(total))};
             }
             return {nll_backward_raw(args, ctx.grad(), in, in.sizes(), ctx.unpack(target),
                                      ctx.unpack(weight), ctx.unpack(total), ctx.unpack(lse))};
           });
  }
  return loss.value;
}

Tensor cross_entropy_of_probabilities(const Tensor& x, const Tensor& target, const Tensor& weight,
                                      Reduction reduction, int64_t ignore_index,
                                      double label_smoothing) {
  WICK_CHECK(ShapeError, x.dim() > 0 && target.sizes() == x.sizes(),
             "cross_entropy: expected probabilities of x's shape ", x.sizes(), " as target, got ",
             target.sizes(), "; class numbers must be int64");
  WICK_CHECK(ValueError, ignore_index < 0,
             "cross_entropy: ignore_index needs class numbers as target, got probabilities");
  detail::require_floating("cross_entropy", x);
  const int64_t dim = class_dim(x);
  const int64_t classes = x.sizes()[dim];
  detail::require_vector("cross_entropy", "weight", weight, classes);
  detail::common_device("cross_entropy", {&x, &target, &weight});
  Tensor p = target;
  if (label_smoothing > 0)
    p = p * (1 - label_smoothing) + label_smoothing / static_cast<double>(classes);
  Tensor terms = log_softmax(x, dim) * p;
  if (weight.defined()) terms = terms * along_classes(weight, x);
  if (reduction == Reduction::None) return -terms.sum(dim);
  Tensor total = -terms.sum();
  if (reduction == Reduction::Sum) return total;
  // No targets at all: 0 / 0, as for class numbers.
  const int64_t count = x.numel() == 0 ? 0 : x.numel() / classes;
  return total / static_cast<double>(count);
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                     Reduction reduction, int64_t ignore_index, double label_smoothing) {
  WICK_CHECK(ValueError, label_smoothing >= 0 && label_smoothing <= 1,
             "cross_entropy: expected label_smoothing in [0, 1], got ", label_smoothing);
  if (is_floating_point(target.dtype())) {
    return cross_entropy_of_probabilities(x, target, weight, reduction, ignore_index,
                                          label_smoothing);
  }
  NllArgs args = class_args("cross_entropy", x, target, weight);
  args.ignore_index = ignore_index;
  args.reduction = kernel_reduction(reduction);
  args.label_smoothing = label_smoothing;
  return cross_entropy_of_classes(x, target, weight, args);
}

Tensor detail::reduce_loss(const Tensor& x, Reduction reduction) {
  return reduction == Reduction::None ? x : reduction == Reduction::Sum ? x.sum() : x.mean();
}

std::pair<Tensor, Tensor> detail::compared(const char* op, const Tensor& x, const Tensor& target) {
  WICK_CHECK(ShapeError, x.sizes() == target.sizes(), op, ": expected x and target of one ",
             "shape, got ", x.sizes(), " and ", target.sizes(),
             "; broadcasting would compare wrong pairs: view() or expand() one of them");
  const DType dtype = result_type(x, target);
  WICK_CHECK(DTypeError, is_floating_point(dtype), op, ": expected floating-point tensors, got ",
             x.dtype(), " and ", target.dtype(), "; convert one with .to(kFloat32)");
  common_device(op, {&x, &target});
  return {x.to(dtype), target.to(dtype)};
}

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const auto [a, b] = detail::compared("mse_loss", x, target);
  Tensor y;
  {
    const NoGradGuard no_grad;
    const Tensor difference = a - b;
    y = detail::reduce_loss(difference * difference, reduction);
  }
  if (needs_grad(a, b)) {
    const double scale = reduction == Reduction::Mean ? 2.0 / static_cast<double>(a.numel()) : 2.0;
    record("mse_loss", {a, b}, y, [a = save(a), b = save(b), scale](Backward& ctx) -> Grads {
      const Tensor grad_a = (ctx.unpack(a) - ctx.unpack(b)) * (ctx.grad() * scale);
      return {ctx.needs(0) ? grad_a : Tensor(), ctx.needs(1) ? -grad_a : Tensor()};
    });
  }
  return y;
}

}  // namespace wick
