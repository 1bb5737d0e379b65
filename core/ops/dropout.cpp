#include <wick/core/ops/common.h>
#include <wick/core/random.h>
#include <wick/kernels/random.h>
#include <cmath>

namespace wick {

namespace {

/// mask ? g * scale : 0. Linear, and its own reverse.
Tensor masked_scale(const Tensor& g, const Tensor& mask, double scale) {
  const Tensor in = detail::contiguous_raw(g);
  Tensor out = detail::make_empty(g.sizes(), g.dtype(), g.device());
  if (out.numel() > 0) {
    WICK_DISPATCH(g.device(), dropout_backward, g.dtype(), g.numel(), in.data_ptr(),
                  mask.data_ptr<uint8_t>(), out.data_ptr(), scale);
  }
  if (needs_grad(g)) {
    record("dropout_backward", {g}, out, [mask = save(mask), scale](Backward& ctx) -> Grads {
      return {masked_scale(ctx.grad(), ctx.unpack(mask), scale)};
    });
  }
  return out;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  WICK_CHECK(ValueError, p >= 0 && p <= 1, "dropout: expected a probability p in [0, 1], got ", p);
  detail::require_floating("dropout", x);
  if (!training || p == 0) return x;
  const double scale = p == 1 ? 0 : 1 / (1 - p);
  const Tensor in = detail::contiguous_raw(x);
  const Tensor mask = detail::make_empty(x.sizes(), DType::UInt8, x.device());
  Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
  if (y.numel() > 0) {
    const PhiloxState state = detail::next_philox(philox_blocks(x.numel(), 4));
    WICK_DISPATCH(x.device(), dropout, x.dtype(), x.numel(), in.data_ptr(), y.data_ptr(),
                  mask.data_ptr<uint8_t>(), state, p, scale);
  }
  if (needs_grad(x)) {
    record("dropout", {x}, y, [mask = save(mask), scale](Backward& ctx) -> Grads {
      return {masked_scale(ctx.grad(), ctx.unpack(mask), scale)};
    });
  }
  return y;
}

namespace {

/// The shape of a mask: x's, or one element for each channel.
detail::Dims mask_sizes(const char* op, const Tensor& x, double p, bool channels) {
  WICK_CHECK(ValueError, p >= 0 && p <= 1, op, ": expected a probability p in [0, 1], got ", p);
  detail::require_floating(op, x);
  WICK_CHECK(ShapeError, !channels || x.dim() >= 2, op, ": expected x of shape [N, C, ...], got ",
             x.sizes());
  detail::Dims sizes(x.sizes());
  for (int d = 2; channels && d < sizes.n; ++d) sizes[d] = 1;
  return sizes;
}

Tensor alpha(const char* op, const Tensor& x, double p, bool training, bool channels) {
  const detail::Dims sizes = mask_sizes(op, x, p, channels);
  if (!training || p == 0) return x;
  if (p == 1) return x * 0;
  constexpr double kAlpha = 1.7580993408473766;  // of selu: what its negative part tends to
  const double scale = 1 / std::sqrt((kAlpha * kAlpha * p + 1) * (1 - p));
  const Tensor kept = dropout(ones(sizes, x.options()), p) != 0;
  return where(kept, x + kAlpha * p, kAlpha * (p - 1)) * scale;
}

}  // namespace

Tensor feature_dropout(const Tensor& x, double p, bool training) {
  const detail::Dims sizes = mask_sizes("feature_dropout", x, p, true);
  return !training || p == 0 ? x : x * dropout(ones(sizes, x.options()), p);
}

Tensor alpha_dropout(const Tensor& x, double p, bool training) {
  return alpha("alpha_dropout", x, p, training, false);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool training) {
  return alpha("feature_alpha_dropout", x, p, training, true);
}

}  // namespace wick
