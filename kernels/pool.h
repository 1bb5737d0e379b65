#pragma once

#include <wick/kernels/args.h>

namespace wick {

/// 2-d pooling over x: [planes, in_h, in_w] -> y: [planes, out_h, out_w], contiguous (planes is
/// batch * channels).
struct Pool2dArgs {
  DType dtype = DType::Float32;  // floating types
  int64_t planes = 0;
  int64_t in[2] = {1, 1}, out[2] = {1, 1}, kernel[2] = {1, 1};
  int64_t stride[2] = {1, 1}, padding[2] = {0, 0}, dilation[2] = {1, 1};
  bool count_include_pad = true;  // average only
  int64_t divisor_override = 0;   // average only; 0: none
};

/// y and indices (position in the plane, ih * in_w + iw, of the first maximum; a NaN wins).
/// Padding never wins. `indices` may be null.
WICK_KERNEL(void, max_pool2d, const Pool2dArgs& args, const void* x, void* y, int64_t* indices)
WICK_KERNEL(void, max_pool2d_backward, const Pool2dArgs& args, const void* grad_y,
            const int64_t* indices, void* grad_x)
WICK_KERNEL(void, avg_pool2d, const Pool2dArgs& args, const void* x, void* y)
WICK_KERNEL(void, avg_pool2d_backward, const Pool2dArgs& args, const void* grad_y, void* grad_x)

}  // namespace wick
