#include <wick/core/ops/window.h>
#include <wick/kernels/pool.h>

namespace wick {

using detail::Dims;
using detail::Window;

namespace {

/// Windows over the last dimensions of x, and their number in each.
struct Windows {
  Window w;
  Dims out;
};

/// A dilated window that starts in the padding may step over a small input.
void require_elements(const char* op, const Tensor& x, const Window& w, int i) {
  if (w.dilation[i] == 1) return;
  const int64_t in = x.sizes()[x.dim() - w.kernel.n + i];
  for (int64_t outside = w.padding[i]; outside > 0; outside -= w.stride[i]) {
    const int64_t rest = outside % w.dilation[i];
    WICK_CHECK(ShapeError, rest == 0 || w.dilation[i] - rest < in, op, ": a window of kernel ",
               IntArrayRef(w.kernel), " with dilation ", IntArrayRef(w.dilation), " and padding ",
               IntArrayRef(w.padding), " holds no element of x ", x.sizes());
  }
}

Windows checked_windows(const char* op, int n, const Tensor& x, IntArrayRef kernel_size,
                        IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                        bool ceil_mode) {
  detail::require_planes(op, x, n);
  detail::require_floating(op, x);
  Window w;
  w.kernel = detail::window_values(op, "kernel_size", kernel_size, n, 1);
  w.stride = stride.empty() ? w.kernel : detail::window_values(op, "stride", stride, n, 1);
  w.padding = detail::window_values(op, "padding", padding, n, 0);
  w.dilation = detail::window_values(op, "dilation", dilation, n, 1);
  for (int i = 0; i < n; ++i) {
    WICK_CHECK(ShapeError, x.sizes()[x.dim() - n + i] > 0, op,
               ": expected planes of at least one element, got x ", x.sizes());
    WICK_CHECK(ValueError, w.padding[i] <= w.kernel[i] / 2, op,
               ": expected padding of at most half the kernel size ", IntArrayRef(w.kernel),
               ", got ", IntArrayRef(w.padding));
  }
  const Dims out = detail::window_positions(op, x, w, ceil_mode);
  for (int i = 0; i < n; ++i) require_elements(op, x, w, i);
  return {w, out};
}

struct Pool {
  Pool2dArgs args;
  Dims x, y;  // shapes
};

/// Pooling over the last two dimensions of x by the windows of dimensions a and b; -1: none.
Pool plane_pool(const Tensor& x, const Windows& s, int a, int b) {
  Pool pool;
  pool.x = pool.y = Dims(x.sizes());
  pool.args.dtype = x.dtype();
  pool.args.planes = 1;
  for (int i = 0; i < pool.x.n - 2; ++i) pool.args.planes *= pool.x[i];
  for (int i = 0; i < 2; ++i) {
    const int from = i == 0 ? a : b, to = pool.x.n - 2 + i;
    pool.args.in[i] = pool.args.out[i] = pool.x[to];
    if (from < 0) continue;
    pool.args.out[i] = pool.y[to] = s.out[from];
    pool.args.kernel[i] = s.w.kernel[from];
    pool.args.stride[i] = s.w.stride[from];
    pool.args.padding[i] = s.w.padding[from];
    pool.args.dilation[i] = s.w.dilation[from];
  }
  return pool;
}

/// Pools x as planes: one dimension as rows of height 1, three dimensions in two steps, first over
/// the last two. `step`(pool, x) returns the pooled x.
template <class Step>
Tensor in_planes(const Tensor& x, const Windows& s, const Step& step) {
  if (s.out.n == 2) return step(plane_pool(x, s, 0, 1), x);
  if (s.out.n == 1) {
    const Tensor rows = x.unsqueeze(-2);
    return step(plane_pool(rows, s, -1, 0), rows).squeeze(-2);
  }
  const Tensor flat = step(plane_pool(x, s, 1, 2), x);
  Dims sizes(flat.sizes());
  const Tensor columns = flat.flatten(-2);
  sizes[sizes.n - 3] = s.out[0];
  return step(plane_pool(columns, s, 0, -1), columns).view(sizes);
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

/// Positions count in the whole of x behind the channels.
std::tuple<Tensor, Tensor> max_pool_nd(const char* op, int n, const Tensor& x,
                                       IntArrayRef kernel_size, IntArrayRef stride,
                                       IntArrayRef padding, IntArrayRef dilation, bool ceil_mode,
                                       bool want_indices) {
  const Windows s = checked_windows(op, n, x, kernel_size, stride, padding, dilation, ceil_mode);
  Tensor indices;
  Tensor y = in_planes(x, s, [&](const Pool& pool, const Tensor& in) {
    auto [out, positions] = max_pool(in, pool, want_indices);
    if (!want_indices) return out;
    if (!indices.defined()) {
      indices = positions;
      return out;
    }
    // The second step of three dimensions: what the first one found where this one looked.
    const Tensor area = arange(x.size(-3), indices.options()) * (x.size(-2) * x.size(-1));
    const Tensor all = (indices + area.view({-1, 1, 1})).reshape(-1);
    const Tensor from = flat_positions(pool.args, positions);
    indices = index_select(all, 0, from);
    return out;
  });
  if (want_indices) indices = indices.view(y.sizes());
  return {std::move(y), std::move(indices)};
}

}  // namespace

#define WICK_DEFINE_MAX_POOL(n)                                                                    \
  std::tuple<Tensor, Tensor> max_pool##n##d_with_indices(const Tensor& x, IntArrayRef kernel_size, \
                                                         IntArrayRef stride, IntArrayRef padding,  \
                                                         IntArrayRef dilation, bool ceil_mode) {   \
    return max_pool_nd("max_pool" #n "d", n, x, kernel_size, stride, padding, dilation, ceil_mode, \
                       true);                                                                      \
  }                                                                                                \
  Tensor max_pool##n##d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride,              \
                        IntArrayRef padding, IntArrayRef dilation, bool ceil_mode) {               \
    return std::get<0>(max_pool_nd("max_pool" #n "d", n, x, kernel_size, stride, padding,          \
                                   dilation, ceil_mode, false));                                   \
  }
WICK_DEFINE_MAX_POOL(1)
WICK_DEFINE_MAX_POOL(2)
WICK_DEFINE_MAX_POOL(3)
#undef WICK_DEFINE_MAX_POOL

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

/// Each step divides by what it counted; together they divide by the product, which is what a
/// window of three dimensions holds. A divisor of the caller's is for the last step.
Tensor avg_pool_nd(const char* op, int n, const Tensor& x, IntArrayRef kernel_size,
                   IntArrayRef stride, IntArrayRef padding, bool ceil_mode, bool count_include_pad,
                   std::optional<int64_t> divisor_override) {
  const Windows s = checked_windows(op, n, x, kernel_size, stride, padding, 1, ceil_mode);
  WICK_CHECK(ValueError, !divisor_override || *divisor_override != 0, op,
             ": expected a divisor_override other than 0");
  int steps = n == 3 ? 2 : 1;
  return in_planes(x, s, [&](Pool pool, const Tensor& in) {
    pool.args.count_include_pad = count_include_pad;
    if (divisor_override) pool.args.divisor_override = --steps == 0 ? *divisor_override : 1;
    return avg_pool(pool, in);
  });
}

}  // namespace

Tensor avg_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  bool ceil_mode, bool count_include_pad) {
  return avg_pool_nd("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                     std::nullopt);
}

Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool_nd("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                     divisor_override);
}

Tensor avg_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,
                  bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool_nd("avg_pool3d", 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                     divisor_override);
}

}  // namespace wick
