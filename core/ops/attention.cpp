#include <wick/core/ops/common.h>
#include <wick/kernels/attention.h>
#include <cmath>
#include <limits>

namespace wick {

using detail::Dims;

namespace {

constexpr const char* kOp = "scaled_dot_product_attention";

/// What is done to the scores.
struct Scores {
  bool causal;
  double scale;
};

Dims leading(const Tensor& x) { return Dims(x.sizes().slice(0, x.dim() - 2)); }

/// x with other leading dimensions, which its own broadcast to.
Tensor with_batch(const Tensor& x, Dims batch) {
  batch.push_back(x.size(-2));
  batch.push_back(x.size(-1));
  return x.sizes() == IntArrayRef(batch) ? x : x.expand(batch);
}

/// The matrix of weights, made of differentiable ops.
Tensor weights_of(const Tensor& q, const Tensor& k, const Tensor& mask, const Scores& s) {
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  Tensor scores = matmul(q, k.transpose(-2, -1)) * s.scale;
  if (s.causal) {
    const TensorOptions options = q.options().dtype(kInt64);
    const Tensor keys = arange(k.size(-2), options);
    scores = masked_fill(scores, keys > arange(q.size(-2), options).unsqueeze(1), kLeast);
  }
  if (mask.defined()) {
    scores = mask.dtype() == DType::Bool ? where(mask, scores, kLeast)
                                         : scores + mask.to(scores.dtype());
  }
  if (scores.numel() == 0) return scores;
  const Tensor blind = std::get<0>(scores.detach().max(-1, true)) == kLeast;
  return where(blind, 0.0, where(blind, 0.0, scores).softmax(-1));
}

Tensor composed(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                const Scores& s, double dropout_p) {
  const DType stats = detail::stats_dtype(q.dtype());  // half types are rounded once
  const Tensor weights = weights_of(q.to(stats), k.to(stats), mask, s);
  return matmul(dropout(weights, dropout_p), v.to(stats)).to(q.dtype());
}

Grads gradients_composed(const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Tensor& mask, const Scores& s) {
  const DType stats = detail::stats_dtype(q.dtype());
  const Tensor in_g = g.to(stats), in_q = q.to(stats), in_k = k.to(stats);
  const Tensor weights = weights_of(in_q, in_k, mask, s);
  const Tensor to_weights = matmul(in_g, v.to(stats).transpose(-2, -1));
  const Tensor to_scores = weights * (to_weights - (to_weights * weights).sum(-1, true)) * s.scale;
  return {matmul(to_scores, in_k).to(q.dtype()),
          matmul(to_scores.transpose(-2, -1), in_q).to(q.dtype()),
          matmul(weights.transpose(-2, -1), in_g).to(q.dtype())};
}

/// The type that the kernels take: on the CPU no half types.
DType kernel_type(const Tensor& x) {
  return x.is_cpu() ? detail::stats_dtype(x.dtype()) : x.dtype();
}

/// Kernel arguments, with the mask that they point to in the kernels' type.
struct Call {
  AttentionArgs args;
  Tensor mask;

  Call(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& given, const Scores& s) {
    args.dtype = kernel_type(q);
    args.queries = q.size(-2);
    args.keys = k.size(-2);
    args.depth = q.size(-1);
    args.width = v.size(-1);
    args.batch = q.numel() / (args.queries * args.depth);
    args.scale = s.scale;
    args.causal = s.causal;
    if (!given.defined()) return;
    const NoGradGuard no_grad;
    args.mask_is_bool = given.dtype() == DType::Bool;
    mask = args.mask_is_bool ? given : detail::cast_raw(given, args.dtype);
    args.inner_batch = q.dim() > 2 ? q.size(-3) : 1;
    Dims sizes = leading(q);
    sizes.push_back(args.queries);
    sizes.push_back(args.keys);
    mask = mask.expand(sizes).reshape(
        {args.batch / args.inner_batch, args.inner_batch, args.queries, args.keys});
    args.mask = mask.data_ptr();
    for (int i = 0; i < 4; ++i) args.mask_strides[i] = mask.strides()[i];
  }
};

Tensor as_kernel_takes(const Tensor& x) {
  return detail::contiguous_raw(detail::cast_raw(x, kernel_type(x)));
}

Grads gradients_by_kernel(const Tensor& g, const Tensor& q, const Tensor& k, const Tensor& v,
                          const Tensor& y, const Tensor& mask, const Tensor& log_sum_exp,
                          const Scores& s) {
  const DType stats = log_sum_exp.dtype();
  const Call call(q, k, v, mask, s);
  const Tensor delta = detail::contiguous_raw((g.to(stats) * y.to(stats)).sum(-1));
  const Tensor in_g = as_kernel_takes(g), in_q = as_kernel_takes(q), in_k = as_kernel_takes(k),
               in_v = as_kernel_takes(v);
  const auto made = [&](const Tensor& like) {
    return detail::make_empty(like.sizes(), call.args.dtype, like.device());
  };
  const Tensor grad_q = made(q), grad_k = made(k), grad_v = made(v);
  WICK_DISPATCH(q.device(), fused_attention_backward, call.args, in_g.data_ptr(), in_q.data_ptr(),
                in_k.data_ptr(), in_v.data_ptr(), log_sum_exp.data_ptr(), delta.data_ptr(),
                grad_q.data_ptr(), grad_k.data_ptr(), grad_v.data_ptr());
  return {detail::cast_raw(grad_q, q.dtype()), detail::cast_raw(grad_k, q.dtype()),
          detail::cast_raw(grad_v, q.dtype())};
}

Tensor by_kernel(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                 const Scores& s) {
  const Call call(q, k, v, mask, s);
  const Tensor in_q = as_kernel_takes(q), in_k = as_kernel_takes(k), in_v = as_kernel_takes(v);
  Dims sizes = leading(q);
  sizes.push_back(call.args.queries);
  const Tensor log_sum_exp = detail::make_empty(sizes, detail::stats_dtype(q.dtype()), q.device());
  sizes.push_back(call.args.width);
  const Tensor out = detail::make_checked(kOp, sizes, call.args.dtype, q.device());
  WICK_DISPATCH(q.device(), fused_attention, call.args, in_q.data_ptr(), in_k.data_ptr(),
                in_v.data_ptr(), out.data_ptr(), log_sum_exp.data_ptr());
  Tensor y = detail::cast_raw(out, q.dtype());
  if (needs_grad(q, k, v)) {
    record(kOp, {q, k, v}, y,
           [q = save(q), k = save(k), v = save(v), mask = save(mask), y = save_output(y),
            lse = save(log_sum_exp), s](Backward& ctx) -> Grads {
             const Tensor in_q = ctx.unpack(q), in_k = ctx.unpack(k), in_v = ctx.unpack(v);
             if (ctx.create_graph())
               return gradients_composed(ctx.grad(), in_q, in_k, in_v, ctx.unpack(mask), s);
             return gradients_by_kernel(ctx.grad(), in_q, in_k, in_v, ctx.unpack(y),
                                        ctx.unpack(mask), ctx.unpack(lse), s);
           });
  }
  return y;
}

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v) {
  for (const Tensor* x : {&q, &k, &v}) {
    WICK_CHECK(ShapeError, x->dim() >= 2, kOp, ": expected q, k and v of shape [..., L, E], got ",
               x->sizes());
  }
  WICK_CHECK(ShapeError, q.size(-1) == k.size(-1), kOp,
             ": expected q and k of one size E in the last dimension, got ", q.sizes(), " and ",
             k.sizes());
  WICK_CHECK(ShapeError, k.size(-2) == v.size(-2), kOp,
             ": expected k and v with one number of keys S, got ", k.sizes(), " and ", v.sizes());
  detail::require_floating(kOp, q);
  detail::require_dtype(kOp, "k", k, q.dtype());
  detail::require_dtype(kOp, "v", v, q.dtype());
}

void check_mask(const Tensor& mask, const Tensor& q, const Tensor& k, const Dims& batch) {
  WICK_CHECK(DTypeError, mask.dtype() == DType::Bool || mask.dtype() == q.dtype(), kOp,
             ": expected attn_mask of type bool or ", q.dtype(), ", got ", mask.dtype());
  Dims sizes = batch;
  sizes.push_back(q.size(-2));
  sizes.push_back(k.size(-2));
  bool fits = mask.dim() <= sizes.n;
  for (int64_t d = 0; fits && d < mask.dim(); ++d) {
    const int64_t size = mask.sizes()[mask.dim() - 1 - d];
    fits = size == 1 || size == sizes[sizes.n - 1 - static_cast<int>(d)];
  }
  WICK_CHECK(ShapeError, fits, kOp, ": expected attn_mask that broadcasts to ", IntArrayRef(sizes),
             ", got ", mask.sizes());
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    std::optional<double> scale) {
  check_shapes(q, k, v);
  WICK_CHECK(ValueError, !is_causal || !attn_mask.defined(), kOp,
             ": expected attn_mask or is_causal, got both; put the triangle into the mask");
  WICK_CHECK(ValueError, dropout_p >= 0 && dropout_p <= 1, kOp,
             ": expected a probability dropout_p in [0, 1], got ", dropout_p);
  detail::common_device(kOp, {&q, &k, &v, &attn_mask});
  const Dims batch = detail::broadcast_shapes(
      kOp, detail::broadcast_shapes(kOp, leading(q), leading(k)), leading(v));
  if (attn_mask.defined()) check_mask(attn_mask, q, k, batch);
  const Tensor in_q = with_batch(q, batch), in_k = with_batch(k, batch),
               in_v = with_batch(v, batch);
  const int64_t depth = q.size(-1);
  const Scores s{is_causal,
                 scale.value_or(depth == 0 ? 1 : 1 / std::sqrt(static_cast<double>(depth)))};
  const bool large = q.is_cuda() && std::max(depth, v.size(-1)) > kMaxAttentionDepth;
  const bool empty = in_q.numel() == 0 || in_k.numel() == 0 || in_v.numel() == 0;
  if (dropout_p > 0 || large || empty || (attn_mask.defined() && needs_grad(attn_mask)))
    return composed(in_q, in_k, in_v, attn_mask, s, dropout_p);
  return by_kernel(in_q, in_k, in_v, attn_mask, s);
}

}  // namespace wick
