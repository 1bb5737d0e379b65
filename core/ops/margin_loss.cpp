#include <wick/core/ops/common.h>
#include <cmath>

// Losses that are compositions of differentiable ops.
namespace wick {

using detail::compared;
using detail::reduce_loss;

namespace {

constexpr double kSmall = 1e-12f;  // as in PyTorch, where it is a float

/// max(x, 0), whose derivative at 0 is 1.
Tensor at_least_zero(const Tensor& x) { return where(x < 0, 0.0, x); }

/// log(1 + exp(x)), with all digits where it is small.
Tensor soft_plus(const Tensor& x) {
  Tensor y;
  {
    const NoGradGuard no_grad;
    const Tensor e = exp(-abs(x)), sum = e + 1;
    const Tensor tiny = sum == 1;
    y = relu(x) + where(tiny, e, log(sum) * (e / where(tiny, 1.0, sum - 1)));
  }
  if (needs_grad(x)) {
    record("soft_plus", {x}, y,
           [x = save(x)](Backward& ctx) -> Grads { return {ctx.grad() * sigmoid(ctx.unpack(x))}; });
  }
  return y;
}

Tensor weighted(const char* op, const Tensor& loss, const Tensor& weight) {
  if (!weight.defined()) return loss;
  const Tensor y = loss * weight;
  WICK_CHECK(ShapeError, y.sizes() == loss.sizes(), op, ": expected a weight that broadcasts to x ",
             loss.sizes(), ", got ", weight.sizes());
  return y.to(loss.dtype());
}

}  // namespace

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const auto [a, b] = compared("l1_loss", x, target);
  return reduce_loss(abs(a - b), reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, double beta) {
  WICK_CHECK(ValueError, beta >= 0, "smooth_l1_loss: expected beta >= 0, got ", beta);
  if (beta == 0) return l1_loss(x, target, reduction);
  const auto [a, b] = compared("smooth_l1_loss", x, target);
  const Tensor d = abs(a - b), least = where(d < beta, d, beta);
  return reduce_loss((d - least * 0.5) * (least / beta), reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction, double delta) {
  WICK_CHECK(ValueError, delta > 0, "huber_loss: expected delta > 0, got ", delta);
  const auto [a, b] = compared("huber_loss", x, target);
  const Tensor d = abs(a - b), least = where(d < delta, d, delta);
  return reduce_loss((d - least * 0.5) * least, reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                            Reduction reduction) {
  constexpr const char* op = "binary_cross_entropy";
  const auto [p, t] = compared(op, x, target);
  Tensor y;
  {
    const NoGradGuard no_grad;
    const auto log_of = [](const Tensor& v) {
      const Tensor l = log(v);
      return where(l < -100, -100.0, l);
    };
    y = (t - 1) * log_of(1 - p) - t * log_of(p);
  }
  if (needs_grad(p, t)) {
    record(op, {p, t}, y, [p = save(p), t = save(t)](Backward& ctx) -> Grads {
      const Tensor in = ctx.unpack(p), wanted = ctx.unpack(t), spread = (1 - in) * in;
      // The divisor is bounded as the logarithms are.
      const Tensor grad_p = (in - wanted) / where(spread < kSmall, kSmall, spread);
      return {ctx.needs(0) ? ctx.grad() * grad_p : Tensor(),
              ctx.needs(1) ? ctx.grad() * (log(1 - in) - log(in)) : Tensor()};
    });
  }
  return reduce_loss(weighted(op, y, weight), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, Reduction reduction) {
  constexpr const char* op = "binary_cross_entropy_with_logits";
  const auto [a, t] = compared(op, x, target);
  Tensor negative = soft_plus(-a);
  if (pos_weight.defined()) negative = weighted(op, negative, (pos_weight - 1) * t + 1);
  return reduce_loss(weighted(op, (1 - t) * a + negative, weight), reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction, bool log_target) {
  const auto [a, t] = compared("kl_div", x, target);
  if (log_target) return reduce_loss(exp(t) * (t - a), reduction);
  return reduce_loss(t * log(where(t == 0, 1.0, t)) - t * a, reduction);
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, bool log_input, bool full,
                        double eps, Reduction reduction) {
  const auto [a, t] = compared("poisson_nll_loss", x, target);
  Tensor loss = log_input ? exp(a) - t * a : a - t * log(a + eps);
  if (full) {
    const Tensor large = where(t > 1, t, 1.0);
    loss = loss + where(t > 1, large * log(large) - large + log(large * (2 * M_PI)) * 0.5, 0.0);
  }
  return reduce_loss(loss, reduction);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var, bool full,
                         double eps, Reduction reduction) {
  constexpr const char* op = "gaussian_nll_loss";
  WICK_CHECK(ValueError, eps > 0, op, ": expected eps > 0, got ", eps);
  const auto [a, t] = compared(op, x, target);
  Tensor v = var.dim() + 1 == a.dim() ? var.unsqueeze(-1) : var;
  bool fits = v.dim() == a.dim();
  for (int64_t d = 0; fits && d < a.dim(); ++d)
    fits = v.sizes()[d] == a.sizes()[d] || (d + 1 == a.dim() && v.sizes()[d] == 1);
  WICK_CHECK(ShapeError, fits, op, ": expected var of x's shape ", a.sizes(),
             ", or that without or with 1 for the last dimension, got ", var.sizes());
  v = where(v < eps, v - v.detach() + eps, v);
  const Tensor d = a - t;
  Tensor loss = (log(v) + d * d / v) * 0.5;
  if (full) loss = loss + 0.5 * std::log(2 * M_PI);
  return reduce_loss(loss, reduction);
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin,
                            Reduction reduction) {
  const auto [a, t] = compared("hinge_embedding_loss", x, target);
  return reduce_loss(where(t != 1, at_least_zero(margin - a), 0.0) + where(t != -1, a, 0.0),
                     reduction);
}

Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, double margin,
                           Reduction reduction) {
  const Tensor loss = -target * (x1 - x2) + margin;
  return reduce_loss(at_least_zero(loss), reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  const auto [a, t] = compared("soft_margin_loss", x, target);
  return reduce_loss(soft_plus(-t * a), reduction);
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& target, Scalar p, Scalar margin,
                         const Tensor& weight, Reduction reduction) {
  constexpr const char* op = "multi_margin_loss";
  detail::require_floating(op, x);
  WICK_CHECK(DTypeError, target.dtype() == DType::Int64, op, ": expected class numbers of type ",
             "int64 as target, got ", target.dtype(), "; convert them with .to(kInt64)");
  const double power = p.to<double>();
  WICK_CHECK(ValueError, power == 1 || power == 2, op, ": expected p of 1 or 2, got ", power);
  WICK_CHECK(ShapeError,
             (x.dim() == 2 && target.dim() == 1 && target.size(0) == x.size(0)) ||
                 (x.dim() == 1 && target.dim() == 0),
             op, ": expected x of shape [N, C] or [C] and a target of shape [N] or [], got ",
             x.sizes(), " and ", target.sizes());
  const int64_t classes = x.size(-1);
  detail::require_vector(op, "weight", weight, classes);
  detail::common_device(op, {&x, &target, &weight});
  const Tensor all = arange(classes, target.options());
  const Tensor t = index_select(all, 0, target).unsqueeze(-1);  // which looks at the numbers
  const Tensor wanted = all == t;
  Tensor terms = at_least_zero(margin.to<double>() - where(wanted, x, 0.0).sum(-1, true) + x);
  if (power == 2) terms = terms * terms;
  if (weight.defined()) terms = terms * index_select(weight, 0, target).unsqueeze(-1);
  return reduce_loss(where(wanted, 0.0, terms).sum(-1) / static_cast<double>(classes), reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const Tensor& weight,
                                   Reduction reduction) {
  const Tensor loss = binary_cross_entropy_with_logits(x, target, weight, {}, Reduction::None);
  return reduce_loss(loss.mean(-1), reduction);
}

Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             double margin, Reduction reduction) {
  constexpr const char* op = "cosine_embedding_loss";
  const auto [a, b] = compared(op, x1, x2);
  WICK_CHECK(ShapeError,
             (a.dim() == 2 || a.dim() == 1) && target.sizes() == a.sizes().slice(0, a.dim() - 1),
             op,
             ": expected x1 and x2 of shape [N, D] or [D] and a target of shape [N] or [], got ",
             a.sizes(), " and ", target.sizes());
  const Tensor squares = ((a * a).sum(-1) + kSmall) * ((b * b).sum(-1) + kSmall);
  const Tensor cosine = (a * b).sum(-1) / sqrt(squares);
  return reduce_loss(where(target == 1, 1 - cosine, 0.0) +
                         where(target == -1, at_least_zero(cosine - margin), 0.0),
                     reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, Reduction reduction) {
  constexpr const char* op = "triplet_margin_loss";
  WICK_CHECK(ShapeError, anchor.dim() > 0, op, ": expected an anchor of shape [..., D], got []");
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return detail::vector_norm(op, a - b + eps, p, -1, false);
  };
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (swap) far = minimum(far, distance(positive, negative));
  return reduce_loss(at_least_zero(near - far + margin), reduction);
}

}  // namespace wick
