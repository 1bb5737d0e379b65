#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

// Layers (core/ops/conv.cpp, pool.cpp, adaptive_pool.cpp, pad.cpp, norm.cpp, layer_norm.cpp,
// dropout.cpp)
namespace wick {

/// A padding by its name: "same" (y has x's sizes; stride 1) or "valid" (none).
struct PaddingName {
  std::string_view name;
  template <class T>
  requires(std::is_convertible_v<const T&, std::string_view>) PaddingName(const T& n)  // NOLINT
      : name(n) {}
};
/// Cross-correlation over 1 to 3 dimensions. For 2: x: [N, C, H, W] or [C, H, W]; weight:
/// [K, C / groups, R, S]; bias: [K] or undefined. One value or one for each dimension (height,
/// width) for each of stride, padding, dilation.
WICK_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                       int64_t groups = 1);
WICK_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       IntArrayRef stride, PaddingName padding, IntArrayRef dilation = 1,
                       int64_t groups = 1);
WICK_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                       int64_t groups = 1);
WICK_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       IntArrayRef stride, PaddingName padding, IntArrayRef dilation = 1,
                       int64_t groups = 1);
WICK_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                       int64_t groups = 1);
WICK_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       IntArrayRef stride, PaddingName padding, IntArrayRef dilation = 1,
                       int64_t groups = 1);
/// The gradient of a convolution with respect to its input, as a function of that of its output: x
/// has the shape of such an output and y, with output_padding more at its end, of the input.
/// weight: [C, K / groups, R, S] for x with C channels; bias: [K] or undefined. output_padding is
/// smaller than stride or dilation.
WICK_API Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                 IntArrayRef stride = 1, IntArrayRef padding = 0,
                                 IntArrayRef output_padding = 0, int64_t groups = 1,
                                 IntArrayRef dilation = 1);
WICK_API Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                 IntArrayRef stride = 1, IntArrayRef padding = 0,
                                 IntArrayRef output_padding = 0, int64_t groups = 1,
                                 IntArrayRef dilation = 1);
WICK_API Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                 IntArrayRef stride = 1, IntArrayRef padding = 0,
                                 IntArrayRef output_padding = 0, int64_t groups = 1,
                                 IntArrayRef dilation = 1);
/// x: [N, C, H, W] or [C, H, W] for 2 dimensions. `stride` defaults to the kernel size.
WICK_API Tensor max_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, IntArrayRef dilation = 1,
                           bool ceil_mode = false);
WICK_API Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, IntArrayRef dilation = 1,
                           bool ceil_mode = false);
WICK_API Tensor max_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, IntArrayRef dilation = 1,
                           bool ceil_mode = false);
/// Also the position of each maximum in its plane, row-major (int64).
WICK_API std::tuple<Tensor, Tensor> max_pool1d_with_indices(
    const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,
    IntArrayRef dilation = 1, bool ceil_mode = false);
WICK_API std::tuple<Tensor, Tensor> max_pool2d_with_indices(
    const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,
    IntArrayRef dilation = 1, bool ceil_mode = false);
WICK_API std::tuple<Tensor, Tensor> max_pool3d_with_indices(
    const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,
    IntArrayRef dilation = 1, bool ceil_mode = false);
WICK_API Tensor avg_pool1d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, bool ceil_mode = false,
                           bool count_include_pad = true);
WICK_API Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, bool ceil_mode = false,
                           bool count_include_pad = true,
                           std::optional<int64_t> divisor_override = std::nullopt);
WICK_API Tensor avg_pool3d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, bool ceil_mode = false,
                           bool count_include_pad = true,
                           std::optional<int64_t> divisor_override = std::nullopt);
/// Windows that share x evenly: y has output_size planes, of which the i-th begins at
/// floor(i in / out) and ends before ceil((i + 1) in / out). One output size for all dimensions, or
/// one for each. An empty plane of x is an error.
WICK_API Tensor adaptive_avg_pool1d(const Tensor& x, IntArrayRef output_size);
WICK_API Tensor adaptive_avg_pool2d(const Tensor& x, IntArrayRef output_size);
WICK_API Tensor adaptive_avg_pool3d(const Tensor& x, IntArrayRef output_size);
/// Also the positions, as max_pool2d_with_indices.
WICK_API std::tuple<Tensor, Tensor> adaptive_max_pool1d(const Tensor& x, IntArrayRef output_size);
WICK_API std::tuple<Tensor, Tensor> adaptive_max_pool2d(const Tensor& x, IntArrayRef output_size);
WICK_API std::tuple<Tensor, Tensor> adaptive_max_pool3d(const Tensor& x, IntArrayRef output_size);
/// x: [N, C, ...]; weight, bias, running_mean, running_var: [C] or undefined. In training the
/// batch's statistics are used and the running ones updated in place:
/// running = (1 - momentum) * running + momentum * new.
WICK_API Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           Tensor running_mean, Tensor running_var, bool training,
                           double momentum = 0.1, double eps = 1e-5);
/// (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions of x, whose sizes are
/// normalized_shape, with the biased variance (https://arxiv.org/abs/1607.06450). weight, bias:
/// normalized_shape or undefined, of x's type or, for half types, float32.
WICK_API Tensor layer_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight = {},
                           const Tensor& bias = {}, double eps = 1e-5);
/// x / sqrt(mean(x^2) + eps) * weight, as layer_norm (https://arxiv.org/abs/1910.07467). eps
/// defaults to the precision of x's type (2^-23 for float32).
WICK_API Tensor rms_norm(const Tensor& x, IntArrayRef normalized_shape, const Tensor& weight = {},
                         std::optional<double> eps = std::nullopt);
/// x: [N, C, ...], normalised over groups of C / num_groups channels of each sample
/// (https://arxiv.org/abs/1803.08494); weight, bias: [C] or undefined.
WICK_API Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {},
                           const Tensor& bias = {}, double eps = 1e-5);
/// batch_norm of each sample alone; the running statistics get the samples' average. Without
/// use_input_stats it is batch_norm in evaluation.
WICK_API Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                              Tensor running_mean = {}, Tensor running_var = {},
                              bool use_input_stats = true, double momentum = 0.1,
                              double eps = 1e-5);
/// x / max(norm, eps) with the p-norm over `dim`; p > 0 or infinite.
WICK_API Tensor normalize(const Tensor& x, double p = 2, int64_t dim = 1, double eps = 1e-12);
/// Zeroes each element with probability p and scales the rest by 1 / (1 - p), when training.
WICK_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

/// dropout of whole channels of each sample; x: [N, C, ...] (dropout1d, 2d, 3d).
WICK_API Tensor feature_dropout(const Tensor& x, double p = 0.5, bool training = true);
/// dropout that keeps mean and variance of what selu makes (https://arxiv.org/abs/1706.02515), and
/// that of whole channels.
WICK_API Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = false);
WICK_API Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = false);
/// Adds pad[0] elements before and pad[1] behind in the last dimension of x, pad[2] and pad[3] in
/// the one before, and so on. mode: "constant" (`value`; negative numbers cut away), "reflect"
/// (mirrored without the edge; less than the size), "replicate" (the edge again), "circular" (from
/// the other end; at most the size). The last three work in up to 3 dimensions behind the channels,
/// and take no x of size 0 there.
WICK_API Tensor pad(const Tensor& x, IntArrayRef pad, const std::string& mode = "constant",
                    double value = 0);

}  // namespace wick
