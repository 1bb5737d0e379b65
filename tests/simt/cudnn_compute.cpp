#include <tests/simt/cudnn.h>

#include <algorithm>
#include <bit>
#include <vector>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// Loops over all multiplications of a convolution, in the order of the dimensions. Sums are kept in
// double and rounded once.
namespace simt::dnn {
namespace {

/// What a tensor core keeps of a float: 10 bits behind the point.
double to_tf32(float v) {
  if (v != v) return v;
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

std::vector<double> read(const void* data, int64_t size, const Problem& p) {
  std::vector<double> values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) {
    switch (p.type) {
      case CUDNN_DATA_HALF:
        values[i] = __half2float(static_cast<const __half*>(data)[i]);
        break;
      case CUDNN_DATA_BFLOAT16:
        values[i] = __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
        break;
      case CUDNN_DATA_FLOAT: {
        const float v = static_cast<const float*>(data)[i];
        values[i] = p.math == CUDNN_FMA_MATH ? v : to_tf32(v);
        break;
      }
      default:
        values[i] = static_cast<const double*>(data)[i];
    }
  }
  return values;
}

void write(void* data, const std::vector<double>& values, const Problem& p) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto v = static_cast<float>(values[i]);
    switch (p.type) {
      case CUDNN_DATA_HALF:
        static_cast<__half*>(data)[i] = __float2half_rn(v);
        break;
      case CUDNN_DATA_BFLOAT16:
        static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(v);
        break;
      case CUDNN_DATA_FLOAT:
        static_cast<float*>(data)[i] = v;
        break;
      default:
        static_cast<double*>(data)[i] = values[i];
    }
  }
}

/// Distances in memory between neighbours of a tensor [outer, channels, sizes...].
struct Strides {
  int64_t outer, channel, at[3];
};
Strides strides_of(bool channels_last, int64_t channels, const Problem::Sizes& s) {
  if (channels_last) {
    return {channels * s[0] * s[1] * s[2], 1, {channels * s[1] * s[2], channels * s[2], channels}};
  }
  return {channels * s[0] * s[1] * s[2], s[0] * s[1] * s[2], {s[1] * s[2], s[2], 1}};
}

/// The outputs along dimension d that read inside of x through kernel element t: [first, end).
struct Range {
  int64_t first, end;
};
Range inside(const Problem& p, size_t d, int64_t t) {
  const int64_t shift = t * p.dilation[d] - p.padding[d];
  int64_t first = 0;
  while (first < p.out[d] && first * p.stride[d] + shift < 0) ++first;
  int64_t end = p.out[d];
  while (end > first && (end - 1) * p.stride[d] + shift >= p.in[d]) --end;
  return {first, end};
}

/// f(x, weight, y) with places in the tensors, for every multiplication of one channel of the
/// output with one of the input through one kernel element.
template <class F>
void visit_pixels(const Problem& p, const Strides& sx, const Strides& sy, const int64_t* taps,
                  int64_t x, int64_t weight, int64_t y, const F& f) {
  const Range r0 = inside(p, 0, taps[0]), r1 = inside(p, 1, taps[1]), r2 = inside(p, 2, taps[2]);
  for (size_t d = 0; d < 3; ++d) x += (taps[d] * p.dilation[d] - p.padding[d]) * sx.at[d];
  for (int64_t a = r0.first; a < r0.end; ++a) {
    for (int64_t b = r1.first; b < r1.end; ++b) {
      const int64_t row_x = x + a * p.stride[0] * sx.at[0] + b * p.stride[1] * sx.at[1];
      const int64_t row_y = y + a * sy.at[0] + b * sy.at[1];
      for (int64_t c = r2.first; c < r2.end; ++c)
        f(static_cast<size_t>(row_x + c * p.stride[2] * sx.at[2]), static_cast<size_t>(weight),
          static_cast<size_t>(row_y + c * sy.at[2]));
    }
  }
}

template <class F>
void visit(const Problem& p, const F& f) {
  const int64_t group_c = p.c / p.groups, group_k = p.k / p.groups;
  const Strides sx = strides_of(p.channels_last, p.c, p.in);
  const Strides sw = strides_of(p.channels_last, group_c, p.kernel);
  const Strides sy = strides_of(p.channels_last, p.k, p.out);
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t k = 0; k < p.k; ++k)
      for (int64_t c = 0; c < group_c; ++c)
        for (int64_t t0 = 0; t0 < p.kernel[0]; ++t0)
          for (int64_t t1 = 0; t1 < p.kernel[1]; ++t1)
            for (int64_t t2 = 0; t2 < p.kernel[2]; ++t2) {
              const int64_t taps[3] = {t0, t1, t2};
              visit_pixels(
                  p, sx, sy, taps, n * sx.outer + (k / group_k * group_c + c) * sx.channel,
                  k * sw.outer + c * sw.channel + t0 * sw.at[0] + t1 * sw.at[1] + t2 * sw.at[2],
                  n * sy.outer + k * sy.channel, f);
            }
}

}  // namespace

size_t size_of(cudnnDataType_t type) {
  switch (type) {
    case CUDNN_DATA_HALF:
    case CUDNN_DATA_BFLOAT16:
      return 2;
    case CUDNN_DATA_FLOAT:
      return 4;
    default:
      return 8;
  }
}

void compute(Direction direction, const Problem& p, void* x, void* weight, void* y) {
  const auto zeros = [](int64_t size) { return std::vector<double>(static_cast<size_t>(size)); };
  switch (direction) {
    case Direction::Forward: {
      const auto xs = read(x, p.x_size(), p), ws = read(weight, p.weight_size(), p);
      auto sums = zeros(p.y_size());
      visit(p, [&](size_t ix, size_t iw, size_t iy) { sums[iy] += xs[ix] * ws[iw]; });
      return write(y, sums, p);
    }
    case Direction::BackwardData: {
      const auto ws = read(weight, p.weight_size(), p), ys = read(y, p.y_size(), p);
      auto sums = zeros(p.x_size());
      visit(p, [&](size_t ix, size_t iw, size_t iy) { sums[ix] += ys[iy] * ws[iw]; });
      return write(x, sums, p);
    }
    case Direction::BackwardFilter: {
      const auto xs = read(x, p.x_size(), p), ys = read(y, p.y_size(), p);
      auto sums = zeros(p.weight_size());
      visit(p, [&](size_t ix, size_t iw, size_t iy) { sums[iw] += ys[iy] * xs[ix]; });
      return write(weight, sums, p);
    }
  }
}

}  // namespace simt::dnn
