#include <wick/core/ops/window.h>
#include <wick/kernels/conv.h>

namespace wick {

using detail::Dims;
using detail::Window;

namespace {

/// A convolution without its tensors.
struct Conv {
  Window window;
  int64_t groups;
  Dims x, weight, y;  // shapes

  int spatial() const { return window.kernel.n; }
};

constexpr const char* kNames[] = {"conv1d", "conv2d", "conv3d"};
constexpr const char* kTransposedNames[] = {"conv_transpose1d", "conv_transpose2d",
                                            "conv_transpose3d"};

ConvArgs conv_args(const Conv& conv, DType dtype, bool channels_last) {
  ConvArgs args;
  args.dtype = dtype;
  args.spatial = conv.spatial();
  args.channels_last = channels_last;
  args.n = conv.x[0];
  args.c = conv.x[1];
  args.k = conv.weight[0];
  args.groups = conv.groups;
  for (int i = 0; i < conv.spatial(); ++i) {
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
  return x.dim() == 4 && !x.is_contiguous() && x.is_contiguous(MemoryFormat::ChannelsLast);
}

Tensor in_format(const Tensor& x, bool channels_last) {
  if (!channels_last) return detail::contiguous_raw(x);
  const NoGradGuard no_grad;
  return x.contiguous(MemoryFormat::ChannelsLast);
}

Tensor make_result(IntArrayRef sizes, bool channels_last, const Tensor& like) {
  Tensor y = detail::make_checked("conv", sizes, like.dtype(), like.device());
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

/// The sums over all but the channels.
Tensor sum_channels(const Tensor& g) {
  Dims dims;
  dims.push_back(0);
  for (int64_t d = 2; d < g.dim(); ++d) dims.push_back(d);
  return g.sum(OptionalIntArrayRef(IntArrayRef(dims)));
}

/// A bias as it broadcasts over y.
Tensor along_channels(const Tensor& bias, const Tensor& y) {
  Dims sizes;
  sizes.push_back(bias.numel());
  for (int64_t d = 2; d < y.dim(); ++d) sizes.push_back(1);
  return bias.reshape(sizes);
}

bool is_empty(const Conv& conv) {
  for (int i = 0; i < conv.x.n; ++i)
    if (conv.x[i] == 0 || conv.weight[i] == 0 || conv.y[i] == 0) return true;
  return false;
}

Tensor conv_input(const Conv& conv, const Tensor& g, const Tensor& weight) {
  const bool channels_last = wants_channels_last(g);
  Tensor grad_x = make_result(conv.x, channels_last, g);
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
    record("conv_backward_input", {g, weight}, grad_x,
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
  Tensor grad_weight = make_result(conv.weight, channels_last, g);
  if (is_empty(conv)) {
    grad_weight.zero_();
    if (grad_bias) *grad_bias = sum_channels(g);
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
    record("conv_backward_weight", {x, g}, grad_weight,
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
  Tensor y = make_result(conv.y, channels_last, x);
  const Tensor in_b = bias.defined() ? detail::contiguous_raw(bias) : Tensor();
  if (!is_empty(conv)) {
    const ConvArgs args = conv_args(conv, x.dtype(), channels_last);
    const Tensor in_x = in_format(x, channels_last);
    const Tensor in_w = in_format(weight, channels_last);
    WICK_DISPATCH(x.device(), conv, args, in_x.data_ptr(), in_w.data_ptr(),
                  detail::data_or_null(in_b), y.data_ptr());
  } else if (bias.defined()) {  // sums of nothing
    detail::copy_raw(y, along_channels(in_b.detach(), y));
  } else {
    y.zero_();
  }
  if (needs_grad(x, weight, bias)) {
    record(kNames[conv.spatial() - 1], {x, weight, bias}, y,
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
             if (ctx.needs(2) && !grad_bias.defined()) grad_bias = sum_channels(g);
             return {grad_x, grad_weight, grad_bias};
           });
  }
  return y;
}

/// What a convolution and a transposed one check alike; `in` is the weight's dimension of x's
/// channels. Sets all but the shapes of x and y.
Conv checked_weight(const char* op, int spatial, const Tensor& x, const Tensor& weight,
                    const Tensor& bias, IntArrayRef stride, IntArrayRef padding,
                    IntArrayRef dilation, int64_t groups, int in) {
  detail::require_planes(op, x, spatial);
  static constexpr const char* kKernels[] = {"T]", "R, S]", "T, R, S]"};
  WICK_CHECK(ShapeError, weight.dim() == spatial + 2, op, ": expected weight of shape ",
             in == 1 ? "[K, C / groups, " : "[C, K / groups, ", kKernels[spatial - 1], ", got ",
             weight.sizes());
  detail::require_floating(op, x);
  detail::require_dtype(op, "weight", weight, x.dtype());
  WICK_CHECK(ValueError, groups > 0, op, ": expected groups > 0, got ", groups);
  Conv conv;
  conv.groups = groups;
  conv.weight = Dims(weight.sizes());
  int64_t grouped = 0;  // channels on the weight's grouped side
  const bool overflow = __builtin_mul_overflow(conv.weight[1], groups, &grouped);
  const int64_t channels = in == 1 ? grouped : conv.weight[0];
  const int64_t x_channels = x.sizes()[x.dim() - spatial - 1];
  WICK_CHECK(ShapeError, !overflow && x_channels == channels, op, ": expected x with ", channels,
             " channels (weight is ", weight.sizes(), " with groups ", groups, "), got x ",
             x.sizes());
  WICK_CHECK(ShapeError, conv.weight[0] % groups == 0, op, ": expected a number of ",
             in == 1 ? "output" : "input", " channels that groups ", groups,
             " divides, got weight ", weight.sizes());
  conv.window.kernel.n = spatial;
  for (int i = 0; i < spatial; ++i) {
    conv.window.kernel[i] = conv.weight[2 + i];
    WICK_CHECK(ShapeError, conv.weight[2 + i] > 0 && conv.weight[2 + i] <= INT32_MAX, op,
               ": expected kernel sizes from 1 to ", INT32_MAX, ", got weight ", weight.sizes());
  }
  detail::require_vector(op, "bias", bias, in == 1 ? conv.weight[0] : grouped);
  if (bias.defined()) detail::require_dtype(op, "bias", bias, x.dtype());
  detail::common_device(op, {&x, &weight, &bias});
  conv.window.stride = detail::window_values(op, "stride", stride, spatial, 1);
  conv.window.padding = detail::window_values(op, "padding", padding, spatial, 0);
  conv.window.dilation = detail::window_values(op, "dilation", dilation, spatial, 1);
  return conv;
}

/// f of a batch, with one made and taken away if x has none.
template <class F>
Tensor batched(const Tensor& x, int spatial, const F& f) {
  return x.dim() == spatial + 1 ? f(x.unsqueeze(0)).squeeze(0) : f(x);
}

Tensor conv(int spatial, const Tensor& x, const Tensor& weight, const Tensor& bias,
            IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation, int64_t groups) {
  const char* const op = kNames[spatial - 1];
  Conv conv = checked_weight(op, spatial, x, weight, bias, stride, padding, dilation, groups, 1);
  return batched(x, spatial, [&](const Tensor& in) {
    const Dims out = detail::window_positions(op, in, conv.window, false);
    conv.x = Dims(in.sizes());
    conv.y.push_back(conv.x[0]);
    conv.y.push_back(conv.weight[0]);
    for (int i = 0; i < spatial; ++i) conv.y.push_back(out[i]);
    return conv_forward(conv, in, weight, bias);
  });
}

/// "same" pads so that y has x's sizes, the odd element at the end.
Tensor conv(int spatial, const Tensor& x, const Tensor& weight, const Tensor& bias,
            IntArrayRef stride, PaddingName padding, IntArrayRef dilation, int64_t groups) {
  const char* const op = kNames[spatial - 1];
  WICK_CHECK(ValueError, padding.name == "same" || padding.name == "valid", op,
             ": expected padding \"same\" or \"valid\", got \"", std::string(padding.name), '"');
  if (padding.name == "valid") return conv(spatial, x, weight, bias, stride, 0, dilation, groups);
  const Conv conv_args =
      checked_weight(op, spatial, x, weight, bias, stride, 0, dilation, groups, 1);
  Dims before, more;
  bool even = true;
  for (int i = 0; i < spatial; ++i) {
    WICK_CHECK(ValueError, conv_args.window.stride[i] == 1, op,
               ": padding \"same\" needs stride 1, got ", stride);
    const int64_t total = conv_args.window.dilation[i] * (conv_args.window.kernel[i] - 1);
    before.push_back(total / 2);
    even &= total % 2 == 0;
  }
  if (even) return conv(spatial, x, weight, bias, stride, before, dilation, groups);
  for (int i = spatial; i-- > 0;) {
    more.push_back(0);
    more.push_back(conv_args.window.dilation[i] * (conv_args.window.kernel[i] - 1) % 2);
  }
  return conv(spatial, pad(x, more), weight, bias, stride, before, dilation, groups);
}

/// The gradient of a convolution with respect to its x, as a function of that of its y.
Tensor conv_transpose(int spatial, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      IntArrayRef stride, IntArrayRef padding, IntArrayRef output_padding,
                      int64_t groups, IntArrayRef dilation) {
  const char* const op = kTransposedNames[spatial - 1];
  Conv conv = checked_weight(op, spatial, x, weight, bias, stride, padding, dilation, groups, 0);
  const Dims more = detail::window_values(op, "output_padding", output_padding, spatial, 0);
  Window& w = conv.window;
  Dims out;
  bool beyond = false;  // past what a convolution of this stride would have read
  for (int i = 0; i < spatial; ++i) {
    WICK_CHECK(ValueError, more[i] < w.stride[i] || more[i] < w.dilation[i], op,
               ": expected output_padding smaller than stride or dilation, got ", output_padding);
    const int64_t in = x.sizes()[x.dim() - spatial + i];
    WICK_CHECK(ShapeError, in <= INT32_MAX, op, ": x ", x.sizes(), " is too large");
    out.push_back((in - 1) * w.stride[i] - 2 * w.padding[i] + w.dilation[i] * (w.kernel[i] - 1) +
                  more[i] + 1);
    WICK_CHECK(ShapeError, out[i] > 0, op, ": padding ", padding, " leaves nothing of the result ",
               "for x ", x.sizes());
    beyond |= more[i] >= w.stride[i];
  }
  Dims cut;  // then: of the result without padding
  for (int i = spatial; beyond && i-- > 0;) {
    const int64_t full = out[i] + 2 * w.padding[i] - more[i];
    cut.push_back(-w.padding[i]);
    cut.push_back(out[i] + w.padding[i] - full);
    out[i] = full;
    w.padding[i] = 0;
  }
  return batched(x, spatial, [&](const Tensor& in) {
    conv.y = conv.x = Dims(in.sizes());
    conv.x[1] = conv.weight[1] * groups;
    for (int i = 0; i < spatial; ++i) conv.x[2 + i] = out[i];
    Tensor y = conv_input(conv, in, weight);
    if (beyond) y = pad(y, cut);
    return bias.defined() ? y + along_channels(bias, y) : y;
  });
}

}  // namespace

#define WICK_DEFINE_CONV(n)                                                                        \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, \
                    IntArrayRef padding, IntArrayRef dilation, int64_t groups) {                   \
    return conv(n, x, weight, bias, stride, padding, dilation, groups);                            \
  }                                                                                                \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, IntArrayRef stride, \
                    PaddingName padding, IntArrayRef dilation, int64_t groups) {                   \
    return conv(n, x, weight, bias, stride, padding, dilation, groups);                            \
  }                                                                                                \
  Tensor conv_transpose##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias,           \
                              IntArrayRef stride, IntArrayRef padding, IntArrayRef output_padding, \
                              int64_t groups, IntArrayRef dilation) {                              \
    return conv_transpose(n, x, weight, bias, stride, padding, output_padding, groups, dilation);  \
  }
WICK_DEFINE_CONV(1)
WICK_DEFINE_CONV(2)
WICK_DEFINE_CONV(3)
#undef WICK_DEFINE_CONV

}  // namespace wick
