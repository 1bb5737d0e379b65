#include <wick/kernels/cpu/simd/lanes.h>
#include <wick/kernels/cpu/simd/pool.h>

// Windows are taken apart into taps: for each position inside the window a loop runs along a row of
// outputs, so that the inner loops have no conditions on padding.
namespace wick::cpu::WICK_ISA {
namespace {

constexpr int64_t kTile = 64;  // outputs of a row at a time

WICK_SIMD int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
WICK_SIMD int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

struct Range {
  int64_t begin, end;
};
/// The o in [begin, end) with 0 <= o * stride + offset < size.
WICK_SIMD Range inside(int64_t stride, int64_t offset, int64_t size, Range o) {
  const int64_t first = offset >= 0 ? 0 : (stride - 1 - offset) / stride;
  const int64_t last = offset >= size ? 0 : (size - 1 - offset) / stride + 1;
  return {larger(o.begin, first), smaller(o.end, last)};
}

/// Calls f(kernel row's input row, offset of the tap, outputs it has) for the taps of a tile of one
/// output row, in row-major order.
template <class F>
WICK_SIMD void for_each_tap(const Pool2dArgs& a, int64_t out_row, Range tile, F f) {
  const int64_t last = tile.end - 1;
  for (int64_t kh = 0; kh < a.kernel[0]; ++kh) {
    const int64_t ih = out_row * a.stride[0] - a.padding[0] + kh * a.dilation[0];
    if (ih < 0) continue;
    if (ih >= a.in[0]) return;
    for (int64_t kw = 0; kw < a.kernel[1]; ++kw) {
      const int64_t offset = kw * a.dilation[1] - a.padding[1];
      Range o = tile;
      if (tile.begin * a.stride[1] + offset < 0 || last * a.stride[1] + offset >= a.in[1]) {
        o = inside(a.stride[1], offset, a.in[1], tile);
      }
      if (o.begin < o.end) f(ih, offset, o);
    }
  }
}
template <class F>
WICK_SIMD void for_each_tile(const Pool2dArgs& a, F f) {
  for (int64_t oh = 0; oh < a.out[0]; ++oh) {
    for (int64_t ow = 0; ow < a.out[1]; ow += kTile) {
      f(oh, Range{ow, smaller(ow + kTile, a.out[1])});
    }
  }
}
/// Calls f(stride), with the usual strides as constants.
template <class F>
WICK_SIMD void with_stride(int64_t stride, F f) {
  if (stride == 1) return f(std::integral_constant<int64_t, 1>());
  if (stride == 2) return f(std::integral_constant<int64_t, 2>());
  f(stride);
}

/// The first position of window o along dimension d that is not padding.
WICK_SIMD int64_t first_inside(const Pool2dArgs& a, int d, int64_t o) {
  const int64_t begin = o * a.stride[d] - a.padding[d];
  return begin >= 0 ? begin : begin + (a.dilation[d] - 1 - begin) / a.dilation[d] * a.dilation[d];
}

/// One plane. A position is int32_t where it fits, as wide as a float.
template <class E, class Index, class S>
void max_plane(const Pool2dArgs& a, S stride, const E* x, E* y, int64_t* indices) {
  for_each_tile(a, [&](int64_t oh, Range tile) WICK_INLINE_LAMBDA {
    E best[kTile];
    Index index[kTile];
    const int64_t width = tile.end - tile.begin;
    for (int64_t j = 0; j < width; ++j) {
      best[j] = static_cast<E>(-math::kInfinity);
      index[j] = -1;
    }
    for_each_tap(a, oh, tile, [&](int64_t ih, int64_t offset, Range o) WICK_INLINE_LAMBDA {
      const int64_t first = ih * a.in[1] + offset + o.begin * stride;
      const E* __restrict const from = x + first;
      const Index start = static_cast<Index>(first);
      E* __restrict const to = best + (o.begin - tile.begin);
      Index* __restrict const at = index + (o.begin - tile.begin);
      const int64_t count = o.end - o.begin;
      for (int64_t j = 0; j < count; ++j) {
        const E v = from[j * stride];
        const bool better = !(v <= to[j]) & (to[j] == to[j]);  // larger, or the first NaN
        to[j] = better ? v : to[j];
        at[j] = better ? start + static_cast<Index>(j) * static_cast<Index>(stride) : at[j];
      }
    });
    const int64_t row = oh * a.out[1] + tile.begin;
    for (int64_t j = 0; j < width; ++j) y[row + j] = best[j];
    if (indices == nullptr) return;
    for (int64_t j = 0; j < width; ++j) {
      // Nothing was larger than -infinity: the window's first position.
      indices[row + j] =
          index[j] >= 0 ? index[j]
                        : first_inside(a, 0, oh) * a.in[1] + first_inside(a, 1, tile.begin + j);
    }
  });
}

template <class E>
void max_plane(const Pool2dArgs& a, const E* x, E* y, int64_t* indices) {
  with_stride(a.stride[1], [&](auto stride) WICK_INLINE_LAMBDA {
    if (a.in[0] * a.in[1] <= INT32_MAX) {
      max_plane<E, int32_t>(a, stride, x, y, indices);
    } else {
      max_plane<E, int64_t>(a, stride, x, y, indices);
    }
  });
}

/// What the sums of a tile of windows are divided by.
template <class E>
WICK_SIMD void divisors(const Pool2dArgs& a, int64_t oh, Range tile, E* to) {
  const auto extent = [&](int d, int64_t o) WICK_INLINE_LAMBDA {
    const int64_t begin = o * a.stride[d] - a.padding[d], end = begin + a.kernel[d];
    return a.count_include_pad ? smaller(end, a.in[d] + a.padding[d]) - begin
                               : smaller(end, a.in[d]) - larger(begin, 0);
  };
  const int64_t rows = extent(0, oh);
  for (int64_t o = tile.begin; o < tile.end; ++o) {
    const int64_t n = a.divisor_override != 0 ? a.divisor_override : rows * extent(1, o);
    to[o - tile.begin] = static_cast<E>(n);
  }
}

template <class E, class S>
void avg_plane(const Pool2dArgs& a, S stride, const E* x, E* y) {
  for_each_tile(a, [&](int64_t oh, Range tile) WICK_INLINE_LAMBDA {
    E sum[kTile], divisor[kTile];
    const int64_t width = tile.end - tile.begin;
    for (int64_t j = 0; j < width; ++j) sum[j] = 0;
    divisors(a, oh, tile, divisor);
    bool any = false;
    for_each_tap(a, oh, tile, [&](int64_t ih, int64_t offset, Range o) WICK_INLINE_LAMBDA {
      const E* __restrict const from = x + ih * a.in[1] + offset + o.begin * stride;
      E* __restrict const to = sum + (o.begin - tile.begin);
      const int64_t count = o.end - o.begin;
      for (int64_t j = 0; j < count; ++j) to[j] += from[j * stride];
      any = true;
    });
    E* const to = y + oh * a.out[1] + tile.begin;
    for (int64_t j = 0; j < width; ++j) to[j] = any ? sum[j] / divisor[j] : E(0);
  });
}

template <class E>
void avg_plane(const Pool2dArgs& a, const E* x, E* y) {
  const bool whole = a.out[0] == 1 && a.out[1] == 1 && a.kernel[0] == a.in[0] &&
                     a.kernel[1] == a.in[1] && a.padding[0] == 0 && a.padding[1] == 0;
  if (whole) {
    using V = Vec<E>;
    const V sum = fold<V::kSize, 4>(
        a.in[0] * a.in[1], V(0),
        [&](V& acc, int64_t i, auto lanes)
            WICK_INLINE_LAMBDA { acc = keep(lanes, acc + load(x + i, lanes), acc); },
        SumOf());
    E divisor;
    divisors(a, 0, Range{0, 1}, &divisor);
    *y = across(sum, SumOf())[0] / divisor;
    return;
  }
  with_stride(a.stride[1], [&](auto stride) WICK_INLINE_LAMBDA { avg_plane(a, stride, x, y); });
}

template <class E>
void max_plane_backward(int64_t outputs, const E* grad_y, const int64_t* indices, E* grad_x) {
  for (int64_t i = 0; i < outputs; ++i) {
    if (indices[i] >= 0) grad_x[indices[i]] += grad_y[i];
  }
}

template <class E>
void avg_plane_backward(const Pool2dArgs& a, const E* grad_y, E* grad_x) {
  for_each_tile(a, [&](int64_t oh, Range tile) WICK_INLINE_LAMBDA {
    E share[kTile];
    divisors(a, oh, tile, share);
    const E* const g = grad_y + oh * a.out[1] + tile.begin;
    const int64_t width = tile.end - tile.begin;
    for (int64_t j = 0; j < width; ++j) share[j] = g[j] / share[j];
    with_stride(a.stride[1], [&](auto stride) WICK_INLINE_LAMBDA {
      for_each_tap(a, oh, tile, [&](int64_t ih, int64_t offset, Range o) WICK_INLINE_LAMBDA {
        const E* __restrict const from = share + (o.begin - tile.begin);
        E* __restrict const to = grad_x + ih * a.in[1] + offset + o.begin * stride;
        const int64_t count = o.end - o.begin;
        for (int64_t j = 0; j < count; ++j) to[j * stride] += from[j];
      });
    });
  });
}

/// The plane itself, or its numbers as float32.
template <class T>
const typename Io<T>::E* widened(const T* plane, int64_t n, float* scratch) {
  if constexpr (Io<T>::kDirect) {
    return plane;
  } else {
    sweep<VecF::kSize, 1>(n, [&](int64_t i, auto lanes, int) WICK_INLINE_LAMBDA {
      store(scratch + i, Io<T>::load(plane + i, lanes), lanes);
    });
    return scratch;
  }
}
/// Where to compute a plane of results, and its way back to memory.
template <class T>
typename Io<T>::E* target_of(T* plane, float* scratch) {
  if constexpr (Io<T>::kDirect) {
    return plane;
  } else {
    return scratch;
  }
}
template <class T>
void narrowed(T* plane, int64_t n, const typename Io<T>::E* from) {
  if constexpr (!Io<T>::kDirect) {
    sweep<VecF::kSize, 1>(n, [&](int64_t i, auto lanes, int) WICK_INLINE_LAMBDA {
      Io<T>::store(plane + i, load(from + i, lanes), lanes);
    });
  }
}

/// Calls f(from, to, plane) with planes of x of `n` elements and results of `m`.
template <class F>
WICK_SIMD void for_each_plane(DType dtype, const void* x, int64_t n, void* y, int64_t m,
                              int64_t begin, int64_t end, float* scratch, F f) {
  with_float(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t p = begin; p < end; ++p) {
      const auto* const from = widened(static_cast<const T*>(x) + p * n, n, scratch);
      T* const result = static_cast<T*>(y) + p * m;
      auto* const to = target_of(result, scratch + (Io<T>::kDirect ? 0 : n));
      f(from, to, p);
      narrowed(result, m, to);
    }
  });
}

int64_t in_size(const Pool2dArgs& a) { return a.in[0] * a.in[1]; }
int64_t out_size(const Pool2dArgs& a) { return a.out[0] * a.out[1]; }

}  // namespace

void max_pool2d_part(const Pool2dArgs& a, const void* x, void* y, int64_t* indices, int64_t begin,
                     int64_t end, float* scratch) {
  for_each_plane(a.dtype, x, in_size(a), y, out_size(a), begin, end, scratch,
                 [&](const auto* from, auto* to, int64_t p) {
                   max_plane(a, from, to, indices != nullptr ? indices + p * out_size(a) : nullptr);
                 });
}

void max_pool2d_backward_part(const Pool2dArgs& a, const void* grad_y, const int64_t* indices,
                              void* grad_x, int64_t begin, int64_t end, float* scratch) {
  for_each_plane(a.dtype, grad_y, out_size(a), grad_x, in_size(a), begin, end, scratch,
                 [&](const auto* from, auto* to, int64_t p) {
                   for (int64_t i = 0; i < in_size(a); ++i) to[i] = 0;
                   max_plane_backward(out_size(a), from, indices + p * out_size(a), to);
                 });
}

void avg_pool2d_part(const Pool2dArgs& a, const void* x, void* y, int64_t begin, int64_t end,
                     float* scratch) {
  for_each_plane(a.dtype, x, in_size(a), y, out_size(a), begin, end, scratch,
                 [&](const auto* from, auto* to, int64_t) { avg_plane(a, from, to); });
}

void avg_pool2d_backward_part(const Pool2dArgs& a, const void* grad_y, void* grad_x, int64_t begin,
                              int64_t end, float* scratch) {
  for_each_plane(a.dtype, grad_y, out_size(a), grad_x, in_size(a), begin, end, scratch,
                 [&](const auto* from, auto* to, int64_t) {
                   for (int64_t i = 0; i < in_size(a); ++i) to[i] = 0;
                   avg_plane_backward(a, from, to);
                 });
}

}  // namespace wick::cpu::WICK_ISA
