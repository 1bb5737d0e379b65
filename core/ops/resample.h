#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <string>

// Images in other sizes (core/ops/resample.cpp)
namespace wick {

/// [..., C r^2, H, W] -> [..., C, H r, W r] (https://arxiv.org/abs/1609.05158), and back.
WICK_API Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor);
WICK_API Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor);
/// x: [N, C, L], [N, C, H, W] or [N, C, D, H, W] in another size, given as such or as a factor for
/// each dimension (one for all; the size is rounded down). mode: "nearest", "nearest-exact" (which
/// takes the nearest of the centres), "linear", "bilinear", "trilinear" (for 1, 2, 3 dimensions),
/// "bicubic" (2), "area" (averages). align_corners, for linear and cubic modes: the outermost
/// elements stay where they are, where otherwise their edges do.
WICK_API Tensor interpolate(const Tensor& x, OptionalIntArrayRef size,
                            ArrayRef<double> scale_factor = {}, const std::string& mode = "nearest",
                            std::optional<bool> align_corners = std::nullopt);
/// The windows of images x, [N, C, H, W] or [C, H, W], as columns [N, C kh kw, L] (F::unfold), and
/// the sum of such columns where they came from (F::fold).
WICK_API Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation = 1,
                       IntArrayRef padding = 0, IntArrayRef stride = 1);
WICK_API Tensor col2im(const Tensor& x, IntArrayRef output_size, IntArrayRef kernel_size,
                       IntArrayRef dilation = 1, IntArrayRef padding = 0, IntArrayRef stride = 1);
/// The values of images x, [N, C, H, W], at the points of grid, [N, h, w, 2] -> [N, C, h, w]. A
/// point is (column, row), from -1 to 1 across the image: from edge to edge, or with align_corners
/// between the centres of the outermost elements. mode: "bilinear", "nearest"; padding_mode: what
/// is outside is 0 ("zeros"), as at the edge ("border"), or mirrored ("reflection").
WICK_API Tensor grid_sample(const Tensor& x, const Tensor& grid,
                            const std::string& mode = "bilinear",
                            const std::string& padding_mode = "zeros", bool align_corners = false);

}  // namespace wick
