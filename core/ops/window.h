#pragma once

#include <wick/core/ops/common.h>

// Geometry of sliding windows, for convolution and pooling. Internal.
namespace wick::detail {

struct Pair {
  int64_t v[2];
  int64_t operator[](int i) const { return v[i]; }
};
inline std::string to_string(const Pair& p) { return wick::to_string(IntArrayRef(p.v, 2)); }

/// One value for both dimensions, or (height, width), each in [least, 2^31).
inline Pair window_pair(const char* op, const char* name, IntArrayRef values, int64_t least) {
  WICK_CHECK(ValueError, values.size() == 1 || values.size() == 2, op, ": expected 1 or 2 values ",
             "for ", name, ", got ", values);
  const Pair pair{{values[0], values[values.size() - 1]}};
  for (const int64_t v : pair.v) {
    WICK_CHECK(ValueError, v >= least, op, ": expected ", name, " >= ", least, ", got ", values);
    WICK_CHECK(ValueError, v <= INT32_MAX, op, ": expected ", name, " <= ", INT32_MAX, ", got ",
               values);
  }
  return pair;
}

struct Window {
  Pair kernel, stride, padding, dilation;
};

/// Checks that x is [N, C, H, W] or [C, H, W].
inline void require_planes(const char* op, const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() == 4 || x.dim() == 3, op,
             ": expected x of shape [N, C, H, W] or [C, H, W], got ", x.sizes());
}

/// Number of positions of the window along each spatial dimension of x. With `ceil` a last window
/// that is partly outside counts if it starts inside the input or its left padding.
inline Pair window_positions(const char* op, const Tensor& x, const Window& w, bool ceil) {
  Pair out{};
  for (int i = 0; i < 2; ++i) {
    const int64_t in = x.sizes()[x.dim() - 2 + i];
    const int64_t reach = w.dilation[i] * (w.kernel[i] - 1) + 1;
    WICK_CHECK(ShapeError, in < INT64_MAX / 4 && reach <= in + 2 * w.padding[i], op, ": kernel ",
               w.kernel, " with dilation ", w.dilation, " is larger than x ", x.sizes(),
               " with padding ", w.padding);
    const int64_t room = in + 2 * w.padding[i] - reach;
    out.v[i] = (room + (ceil ? w.stride[i] - 1 : 0)) / w.stride[i] + 1;
    if (ceil && (out.v[i] - 1) * w.stride[i] >= in + w.padding[i]) --out.v[i];
  }
  return out;
}

}  // namespace wick::detail
