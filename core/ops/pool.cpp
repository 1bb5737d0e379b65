#include <wick/core/ops/window.h>
#include <wick/kernels/pool.h>

namespace wick {

using detail::Dims;
using detail::Pair;
using detail::Window;

namespace {

struct Pool {
  Pool2dArgs args;
  Dims x, y;  // shapes
};

/// A dilated window that starts in the padding may step over a small input.
void require_elements(const char* op, const Tensor& x, const Window& w, int i) {
  if (w.dilation[i] == 1) return;
  const int64_t in = x.sizes()[x.dim() - 2 + i];
  for (int64_t outside = w.padding[i]; outside > 0; outside -= w.stride[i]) {
    const int64_t rest = outside % w.dilation[i];
    WICK_CHECK(ShapeError, rest == 0 || w.dilation[i] - rest < in, op, ": a window of kernel ",
               w.kernel, " with dilation ", w.dilation, " and padding ", w.padding,
               " holds no element of x ", x.sizes());
  }
}

Pool checked_pool(const char* op, const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,
                  IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {
  detail::require_planes(op, x);
  detail::require_floating(op, x);
  Window w;
  w.kernel = detail::window_pair(op, "kernel_size", kernel_size, 1);
  w.stride = stride.empty() ? w.kernel : detail::window_pair(op, "stride", stride, 1);
  w.padding = detail::window_pair(op, "padding", padding, 0);
  w.dilation = detail::window_pair(op, "dilation", dilation, 1);
  const int64_t n = x.dim();
  WICK_CHECK(ShapeError, x.sizes()[n - 1] > 0 && x.sizes()[n - 2] > 0, op,
             ": expected planes of at least 1 x 1, got x ", x.sizes());
  for (int i = 0; i < 2; ++i) {
    WICK_CHECK(ValueError, w.padding[i] <= w.kernel[i] / 2, op,
               ": expected padding of at most half the kernel size ", w.kernel, ", got ",
               w.padding);
  }
  const Pair out = detail::window_positions(op, x, w, ceil_mode);
  Pool pool;
  pool.x = pool.y = Dims(x.sizes());
  pool.args.dtype = x.dtype();
  pool.args.planes = n == 4 ? x.sizes()[0] * x.sizes()[1] : x.sizes()[0];
  for (int i = 0; i < 2; ++i) {
    const int64_t in = x.sizes()[n - 2 + i];
    require_elements(op, x, w, i);
    pool.args.in[i] = in;
    pool.args.out[i] = pool.y[static_cast<int>(n) - 2 + i] = out[i];
    pool.args.kernel[i] = w.kernel[i];
    pool.args.stride[i] = w.stride[i];
    pool.args.padding[i] = w.padding[i];
    pool.args.dilation[i] = w.dilation[i];
  }
  return pool;
}

// --- maximum

/// For each output, the position of its maximum in all of x. indices: [planes, out_h, out_w].
Tensor flat_positions(const Pool2dArgs& args, const Tensor& indices) {
  const Tensor plane = arange(args.planes, indices.options()) * (args.in[0] * args.in[1]);
  return (indices.view({args.planes, args.out[0] * args.out[1]}) + plane.unsqueeze(1)).view(-1);
}

/// Each gradient goes where its maximum came from; the reverse picks it up again.
Tensor max_pool_reverse(const Pool& pool, const Tensor& g, const Tensor& indices) {
  const Tensor in_g = detail::contiguous_raw(g);
  Tensor grad_x = detail::make_empty(pool.x, g.dtype(), g.device());
  if (grad_x.numel() > 0) {
    WICK_DISPATCH(g.device(), max_pool2d_backward, pool.args, in_g.data_ptr(),
                  indices.data_ptr<int64_t>(), grad_x.data_ptr());
  }
  if (needs_grad(g)) {
    record("max_pool2d_backward", {g}, grad_x,
           [pool, indices = save(indices)](Backward& ctx) -> Grads {
             const Tensor from = flat_positions(pool.args, ctx.unpack(indices));
             return {index_select(ctx.grad().reshape(-1), 0, from).view(pool.y)};
           });
  }
  return grad_x;
}

/// The indices are undefined unless wanted or needed for the gradient.
std::tuple<Tensor, Tensor> max_pool(const Tensor& x, const Pool& pool, bool want_indices) {
  Tensor y = detail::make_checked("max_pool2d", pool.y, x.dtype(), x.device());
  const bool needed = needs_grad(x);
  Tensor indices;
  if (want_indices || needed) indices = detail::make_empty(pool.y, DType::Int64, x.device());
  if (y.numel() > 0) {
    const Tensor in = detail::contiguous_raw(x);
    int64_t* positions = indices.defined() ? indices.data_ptr<int64_t>() : nullptr;
    WICK_DISPATCH(x.device(), max_pool2d, pool.args, in.data_ptr(), y.data_ptr(), positions);
  }
  if (needed) {
    record("max_pool2d", {x}, y, [pool, indices = save(indices)](Backward& ctx) -> Grads {
      return {max_pool_reverse(pool, ctx.grad(), ctx.unpack(indices))};
    });
  }
  return {std::move(y), std::move(indices)};
}

}  // namespace

std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, IntArrayRef kernel_size,
                                                   IntArrayRef stride, IntArrayRef padding,
                                                   IntArrayRef dilation, bool ceil_mode) {
  const Pool pool =
      checked_pool("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode);
  return max_pool(x, pool, true);
}

Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  IntArrayRef dilation, bool ceil_mode) {
  const Pool pool =
      checked_pool("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode);
  return std::get<0>(max_pool(x, pool, false));
}

// --- average

namespace {

/// Linear in x, so the reverse of its reverse is itself.
Tensor avg_pool(const Pool& pool, const Tensor& x);

Tensor avg_pool_reverse(const Pool& pool, const Tensor& g) {
  const Tensor in_g = detail::contiguous_raw(g);
  Tensor grad_x = detail::make_empty(pool.x, g.dtype(), g.device());
  if (grad_x.numel() > 0) {
    WICK_DISPATCH(g.device(), avg_pool2d_backward, pool.args, in_g.data_ptr(), grad_x.data_ptr());
  }
  if (needs_grad(g)) {
    record("avg_pool2d_backward", {g}, grad_x,
           [pool](Backward& ctx) -> Grads { return {avg_pool(pool, ctx.grad())}; });
  }
  return grad_x;
}

Tensor avg_pool(const Pool& pool, const Tensor& x) {
  Tensor y = detail::make_checked("avg_pool2d", pool.y, x.dtype(), x.device());
  if (y.numel() > 0) {
    const Tensor in = detail::contiguous_raw(x);
    WICK_DISPATCH(x.device(), avg_pool2d, pool.args, in.data_ptr(), y.data_ptr());
  }
  if (needs_grad(x)) {
    record("avg_pool2d", {x}, y,
           [pool](Backward& ctx) -> Grads { return {avg_pool_reverse(pool, ctx.grad())}; });
  }
  return y;
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
  Pool pool = checked_pool("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode);
  WICK_CHECK(ValueError, !divisor_override || *divisor_override != 0,
             "avg_pool2d: expected a divisor_override other than 0");
  pool.args.count_include_pad = count_include_pad;
  pool.args.divisor_override = divisor_override.value_or(0);
  return avg_pool(pool, x);
}

}  // namespace wick
