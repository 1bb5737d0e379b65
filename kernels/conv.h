#pragma once

#include <wick/kernels/args.h>
#include <compare>

namespace wick {

/// Cross-correlation over 1 to 3 spatial dimensions (the first `spatial` entries are used).
/// x: [n, c, in...], weight: [k, c / groups, kernel...], y: [n, k, out...]; contiguous, or, when
/// channels_last, x and y as [n, spatial..., channels] and weight as [k, kernel..., c / groups].
/// out = (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1, checked by the caller.
struct ConvArgs {
  DType dtype = DType::Float32;  // floating types
  int spatial = 2;
  bool channels_last = false;
  bool deterministic = true;
  int64_t n = 0, c = 0, k = 0, groups = 1;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1}, padding[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};

  auto operator<=>(const ConvArgs&) const = default;  // a key for what is made once for a shape
};

/// y = conv(x, weight) + bias; bias [k] may be null.
WICK_KERNEL(void, conv, const ConvArgs& args, const void* x, const void* weight, const void* bias,
            void* y)
/// grad_x from grad_y and weight.
WICK_KERNEL(void, conv_backward_input, const ConvArgs& args, const void* grad_y, const void* weight,
            void* grad_x)
/// grad_weight, and grad_bias [k] unless null, from x and grad_y.
WICK_KERNEL(void, conv_backward_weight, const ConvArgs& args, const void* x, const void* grad_y,
            void* grad_weight, void* grad_bias)

}  // namespace wick
