#pragma once

#include <wick/core/ops/common.h>

// Geometry of sliding windows over 1 to 3 dimensions, for convolution and pooling. Internal.
namespace wick::detail {

/// One value for each of `n` dimensions, or the same for all, each in [least, 2^31).
inline Dims window_values(const char* op, const char* name, IntArrayRef values, int n,
                          int64_t least) {
  const auto size = static_cast<int>(values.size());
  WICK_CHECK(ValueError, size == 1 || size == n, op, ": expected ", n == 1 ? "" : "1 or ", n,
             n == 1 ? " value for " : " values for ", name, ", got ", values);
  Dims all;
  for (int i = 0; i < n; ++i) {
    const int64_t v = values[size == 1 ? 0 : i];
    WICK_CHECK(ValueError, v >= least, op, ": expected ", name, " >= ", least, ", got ", values);
    WICK_CHECK(ValueError, v <= INT32_MAX, op, ": expected ", name, " <= ", INT32_MAX, ", got ",
               values);
    all.push_back(v);
  }
  return all;
}

struct Window {
  Dims kernel, stride, padding, dilation;
};

/// Checks that x has channels and n dimensions behind them, and perhaps a batch before.
inline void require_planes(const char* op, const Tensor& x, int n) {
  static constexpr const char* kShapes[] = {"[N, C, L] or [C, L]", "[N, C, H, W] or [C, H, W]",
                                            "[N, C, D, H, W] or [C, D, H, W]"};
  WICK_CHECK(ShapeError, x.dim() == n + 2 || x.dim() == n + 1, op, ": expected x of shape ",
             kShapes[n - 1], ", got ", x.sizes());
}

/// Number of positions of the window along each of the last dimensions of x. With `ceil` a last
/// window that is partly outside counts if it starts inside the input or its left padding.
inline Dims window_positions(const char* op, const Tensor& x, const Window& w, bool ceil) {
  Dims out;
  for (int i = 0; i < w.kernel.n; ++i) {
    const int64_t in = x.sizes()[x.dim() - w.kernel.n + i];
    const int64_t reach = w.dilation[i] * (w.kernel[i] - 1) + 1;
    WICK_CHECK(ShapeError, in < INT64_MAX / 4 && reach <= in + 2 * w.padding[i], op, ": kernel ",
               IntArrayRef(w.kernel), " with dilation ", IntArrayRef(w.dilation),
               " is larger than x ", x.sizes(), " with padding ", IntArrayRef(w.padding));
    const int64_t room = in + 2 * w.padding[i] - reach;
    out.push_back((room + (ceil ? w.stride[i] - 1 : 0)) / w.stride[i] + 1);
    if (ceil && (out[i] - 1) * w.stride[i] >= in + w.padding[i]) --out[i];
  }
  return out;
}

}  // namespace wick::detail
