#include <wick/core/ops/window.h>
#include <wick/kernels/conv.h>

namespace wick {

using detail::Pair;
using detail::Window;

namespace {

/// A convolution without its tensors.
struct Conv {
  Window window;
  int64_t groups;
  int64_t x[4], weight[4], y[4];  // shapes

  IntArrayRef x_sizes() const { return {x, 4}; }
  IntArrayRef weight_sizes() const { return {weight, 4}; }
  IntArrayRef y_sizes() const { return {y, 4}; }
};

ConvArgs conv_args(const Conv& conv, DType dtype, bool channels_last) {
  ConvArgs args;
  args.dtype = dtype;
  args.channels_last = channels_last;
  args.n = conv.x[0];
  args.c = conv.x[1];
  args.k = conv.weight[0];
  args.groups = conv.groups;
  for (int i = 0; i < 2; ++i) {
    args.in[i] = conv.x[2 + i];
    args.out[i] = conv.y[2 + i];
    args.kernel[i] = conv.window.kernel[i];
    args.stride[i] = conv.window.stride[i];
    args.padding[i] = conv.window.padding[i];
    args.dilation[i] = conv.window.dilation[i];
  }
  return args;
}

bool wants_channels_last(const Tensor& x) {
  return !x.is_contiguous() && x.is_contiguous(MemoryFormat::ChannelsLast);
}

Tensor in_format(const Tensor& x, bool channels_last) {
  if (!channels_last) return detail::contiguous_raw(x);
  const NoGradGuard no_grad;
  return x.contiguous(MemoryFormat::ChannelsLast);
}

Tensor make_result(IntArrayRef sizes, bool channels_last, const Tensor& like) {
  Tensor y = detail::make_checked("conv2d", sizes, like.dtype(), like.device());
  if (!channels_last) return y;
  const int64_t c = sizes[1], h = sizes[2], w = sizes[3];
  const int64_t strides[4] = {h * w * c, 1, w * c, c};
  return detail::alias_raw(y, sizes, {strides, 4});
}

// Three functions that are linear in each argument and closed under differentiation: with
// <forward(x, w), g> = <x, input(g, w)> = <w, weight(x, g)>, the gradient of each is made of the
// other two.

Tensor conv_forward(const Conv& conv, const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor conv_input(const Conv& conv, const Tensor& g, const Tensor& weight);
Tensor conv_weight(const Conv& conv, const Tensor& x, const Tensor& g);

bool is_empty(const Conv& conv) {
  for (int i = 0; i < 4; ++i)
    if (conv.x[i] == 0 || conv.weight[i] == 0 || conv.y[i] == 0) return true;
  return false;
}

Tensor conv_input(const Conv& conv, const Tensor& g, const Tensor& weight) {
  const bool channels_last = wants_channels_last(g);
  Tensor grad_x = make_result(conv.x_sizes(), channels_last, g);
  if (is_empty(conv)) {
    grad_x.zero_();
  } else {
    const ConvArgs args = conv_args(conv, g.dtype(), channels_last);
    const Tensor in_g = in_format(g, channels_last);
    const Tensor in_w = in_format(weight, channels_last);
    WICK_DISPATCH(g.device(), conv_backward_input, args, in_g.data_ptr(), in_w.data_ptr(),
                  grad_x.data_ptr());
  }
  if (needs_grad(g, weight)) {
    record("conv2d_backward_input", {g, weight}, grad_x,
           [conv, g = detail::save_if(weight.requires_grad(), g),
            weight = detail::save_if(g.requires_grad(), weight)](Backward& ctx) -> Grads {
             const Tensor& gg = ctx.grad();
             return {ctx.needs(0) ? conv_forward(conv, gg, ctx.unpack(weight), {}) : Tensor(),
                     ctx.needs(1) ? conv_weight(conv, gg, ctx.unpack(g)) : Tensor()};
           });
  }
  return grad_x;
}

/// grad_weight, and grad_bias unless null.
Tensor conv_weight_raw(const Conv& conv, const Tensor& x, const Tensor& g, Tensor* grad_bias) {
  const bool channels_last = wants_channels_last(x);
  Tensor grad_weight = make_result(conv.weight_sizes(), channels_last, g);
  if (is_empty(conv)) {
    grad_weight.zero_();
    if (grad_bias) *grad_bias = g.sum({0, 2, 3});
    return grad_weight;
  }
  if (grad_bias) *grad_bias = detail::make_empty(conv.weight[0], g.dtype(), g.device());
  const ConvArgs args = conv_args(conv, g.dtype(), channels_last);
  const Tensor in_x = in_format(x, channels_last);
  const Tensor in_g = in_format(g, channels_last);
  void* bias = grad_bias ? grad_bias->data_ptr() : nullptr;
  WICK_DISPATCH(g.device(), conv_backward_weight, args, in_x.data_ptr(), in_g.data_ptr(),
                grad_weight.data_ptr(), bias);
  return grad_weight;
}

Tensor conv_weight(const Conv& conv, const Tensor& x, const Tensor& g) {
  Tensor grad_weight = conv_weight_raw(conv, x, g, nullptr);
  if (needs_grad(x, g)) {
    record("conv2d_backward_weight", {x, g}, grad_weight,
           [conv, x = detail::save_if(g.requires_grad(), x),
            g = detail::save_if(x.requires_grad(), g)](Backward& ctx) -> Grads {
             const Tensor& gg = ctx.grad();
             return {ctx.needs(0) ? conv_input(conv, ctx.unpack(g), gg) : Tensor(),
                     ctx.needs(1) ? conv_forward(conv, ctx.unpack(x), gg, {}) : Tensor()};
           });
  }
  return grad_weight;
}

Tensor conv_forward(const Conv& conv, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool channels_last = wants_channels_last(x);
  Tensor y = make_result(conv.y_sizes(), channels_last, x);
  const Tensor in_b = bias.defined() ? detail::contiguous_raw(bias) : Tensor();
  if (!is_empty(conv)) {
    const ConvArgs args = conv_args(conv, x.dtype(), channels_last);
    const Tensor in_x = in_format(x, channels_last);
    const Tensor in_w = in_format(weight, channels_last);
    WICK_DISPATCH(x.device(), conv, args, in_x.data_ptr(), in_w.data_ptr(),
                  detail::data_or_null(in_b), y.data_ptr());
  } else if (bias.defined()) {  // sums of nothing
    detail::copy_raw(y, detail::alias_raw(in_b, {conv.y[1], 1, 1}, {1, 1, 1}));
  } else {
    y.zero_();
  }
  if (needs_grad(x, weight, bias)) {
    record("conv2d", {x, weight, bias}, y,
           [conv, x = detail::save_if(weight.requires_grad(), x),
            weight = detail::save_if(x.requires_grad(), weight)](Backward& ctx) -> Grads {
             const Tensor& g = ctx.grad();
             Tensor grad_x, grad_weight, grad_bias;
             if (ctx.needs(0)) grad_x = conv_input(conv, g, ctx.unpack(weight));
             if (ctx.needs(1) && ctx.create_graph()) {
               grad_weight = conv_weight(conv, ctx.unpack(x), g);
             } else if (ctx.needs(1)) {
               grad_weight =
                   conv_weight_raw(conv, ctx.unpack(x), g, ctx.needs(2) ? &grad_bias : nullptr);
             }
             if (ctx.needs(2) && !grad_bias.defined()) grad_bias = g.sum({0, 2, 3});
             return {grad_x, grad_weight, grad_bias};
           });
  }
  return y;
}

Conv checked_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
                  IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  constexpr const char* op = "conv2d";
  detail::require_planes(op, x);
  WICK_CHECK(ShapeError, weight.dim() == 4, "conv2d: expected weight of shape ",
             "[K, C / groups, R, S], got ", weight.sizes());
  detail::require_floating(op, x);
  detail::require_dtype(op, "weight", weight, x.dtype());
  WICK_CHECK(ValueError, groups > 0, "conv2d: expected groups > 0, got ", groups);
  Conv conv;
  conv.groups = groups;
  conv.x[0] = x.dim() == 4 ? x.sizes()[0] : 1;
  for (int i = 1; i < 4; ++i) conv.x[i] = x.sizes()[x.dim() - 4 + i];
  for (int i = 0; i < 4; ++i) conv.weight[i] = weight.sizes()[i];
  int64_t channels = 0;
  const bool overflow = __builtin_mul_overflow(conv.weight[1], groups, &channels);
  WICK_CHECK(ShapeError, !overflow && conv.x[1] == channels, "conv2d: expected x with ", channels,
             " channels (weight is ", weight.sizes(), " with groups ", groups, "), got x ",
             x.sizes());
  WICK_CHECK(ShapeError, conv.weight[0] % groups == 0, "conv2d: expected a number of output ",
             "channels that groups ", groups, " divides, got weight ", weight.sizes());
  WICK_CHECK(ShapeError, conv.weight[2] > 0 && conv.weight[3] > 0,
             "conv2d: expected a kernel of at least 1 x 1, got weight ", weight.sizes());
  WICK_CHECK(ShapeError, conv.weight[2] <= INT32_MAX && conv.weight[3] <= INT32_MAX,
             "conv2d: the kernel is too large, got weight ", weight.sizes());
  detail::require_vector(op, "bias", bias, conv.weight[0]);
  if (bias.defined()) detail::require_dtype(op, "bias", bias, x.dtype());
  detail::common_device(op, {&x, &weight, &bias});
  conv.window.kernel = {{conv.weight[2], conv.weight[3]}};
  conv.window.stride = detail::window_pair(op, "stride", stride, 1);
  conv.window.padding = detail::window_pair(op, "padding", padding, 0);
  conv.window.dilation = detail::window_pair(op, "dilation", dilation, 1);
  const Pair out = detail::window_positions(op, x, conv.window, false);
  conv.y[0] = conv.x[0];
  conv.y[1] = conv.weight[0];
  conv.y[2] = out[0];
  conv.y[3] = out[1];
  return conv;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride,
              IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  const Conv conv = checked_conv(x, weight, bias, stride, padding, dilation, groups);
  if (x.dim() == 3) return conv_forward(conv, x.unsqueeze(0), weight, bias).squeeze(0);
  return conv_forward(conv, x, weight, bias);
}

}  // namespace wick
