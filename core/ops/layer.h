#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <tuple>

// Layers (core/ops/conv.cpp, pool.cpp, norm.cpp, dropout.cpp)
namespace wick {

/// Cross-correlation. x: [N, C, H, W] or [C, H, W]; weight: [K, C / groups, R, S]; bias: [K] or
/// undefined. One value or two (height, width) for each of stride, padding, dilation.
WICK_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                       int64_t groups = 1);
/// x: [N, C, H, W] or [C, H, W]. `stride` defaults to the kernel size.
WICK_API Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, IntArrayRef dilation = 1,
                           bool ceil_mode = false);
/// Also the position of each maximum in its H x W plane (int64).
WICK_API std::tuple<Tensor, Tensor> max_pool2d_with_indices(
    const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,
    IntArrayRef dilation = 1, bool ceil_mode = false);
WICK_API Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, bool ceil_mode = false,
                           bool count_include_pad = true,
                           std::optional<int64_t> divisor_override = std::nullopt);
/// x: [N, C, ...]; weight, bias, running_mean, running_var: [C] or undefined. In training the
/// batch's statistics are used and the running ones updated in place:
/// running = (1 - momentum) * running + momentum * new.
WICK_API Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           Tensor running_mean, Tensor running_var, bool training,
                           double momentum = 0.1, double eps = 1e-5);
/// Zeroes each element with probability p and scales the rest by 1 / (1 - p), when training.
WICK_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

}  // namespace wick
