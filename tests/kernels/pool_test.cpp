#include <gtest/gtest.h>

#include <wick/kernels/pool.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace wick {
namespace {

template <class T>
double number(T x) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(static_cast<float>(x));
  } else {
    return static_cast<double>(x);
  }
}
/// Small integers, with ties.
template <class T>
std::vector<T> numbers(int64_t n, uint32_t seed) {
  std::vector<T> x(static_cast<size_t>(n));
  for (auto& v : x) {
    seed = seed * 1664525u + 1013904223u;
    v = T(static_cast<float>(static_cast<int>(seed >> 24) % 41 - 20));
  }
  return x;
}

struct Axis {
  int64_t in, kernel, stride, padding, dilation;
};
struct Case {
  Axis h, w;
  bool ceil = false;
};
const Case kCases[] = {
    {{1, 1, 1, 0, 1}, {1, 1, 1, 0, 1}},       {{8, 2, 2, 0, 1}, {8, 2, 2, 0, 1}},
    {{9, 3, 2, 1, 1}, {7, 3, 2, 1, 1}},       {{13, 3, 1, 1, 2}, {150, 2, 3, 1, 3}},
    {{20, 5, 2, 2, 1}, {20, 4, 1, 1, 2}},     {{6, 6, 1, 0, 1}, {5, 5, 1, 0, 1}},
    {{10, 2, 2, 1, 1}, {200, 3, 2, 1, 1}},    {{4, 3, 3, 1, 1}, {4, 3, 3, 1, 1}},
    {{5, 2, 2, 0, 1}, {7, 2, 2, 0, 1}, true},
};
constexpr int64_t kPlanes = 3;

Pool2dArgs make_args(const Case& c, DType dtype) {
  Pool2dArgs args;
  args.dtype = dtype;
  args.planes = kPlanes;
  for (int d = 0; d < 2; ++d) {
    const Axis& a = d == 0 ? c.h : c.w;
    args.in[d] = a.in;
    args.kernel[d] = a.kernel;
    args.stride[d] = a.stride;
    args.padding[d] = a.padding;
    args.dilation[d] = a.dilation;
    const int64_t room = a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1;
    args.out[d] = (room + (c.ceil ? a.stride - 1 : 0)) / a.stride + 1;
  }
  return args;
}

/// f(h, w) for the positions of a window inside the plane.
template <class F>
void for_window(const Pool2dArgs& a, int64_t oh, int64_t ow, F f) {
  for (int64_t i = 0; i < a.kernel[0]; ++i) {
    for (int64_t j = 0; j < a.kernel[1]; ++j) {
      const int64_t h = oh * a.stride[0] - a.padding[0] + i * a.dilation[0];
      const int64_t w = ow * a.stride[1] - a.padding[1] + j * a.dilation[1];
      if (h >= 0 && h < a.in[0] && w >= 0 && w < a.in[1]) f(h * a.in[1] + w);
    }
  }
}

template <class T>
void expect_max_pool(const Case& c) {
  const Pool2dArgs args = make_args(c, dtype_of<T>);
  const int64_t in = args.in[0] * args.in[1], out = args.out[0] * args.out[1];
  const auto x = numbers<T>(kPlanes * in, 1), g = numbers<T>(kPlanes * out, 2);
  std::vector<T> y(g.size()), alone(g.size()), grad_x(x.size(), T(5.0f));
  std::vector<int64_t> indices(g.size());
  cpu::max_pool2d(args, x.data(), y.data(), indices.data());
  cpu::max_pool2d(args, x.data(), alone.data(), nullptr);
  cpu::max_pool2d_backward(args, g.data(), indices.data(), grad_x.data());
  std::vector<double> want_grad(x.size());
  for (int64_t i = 0; i < kPlanes * out; ++i) {
    const int64_t base = i / out * in;
    int64_t best = -1;
    for_window(args, i % out / args.out[1], i % args.out[1], [&](int64_t at) {
      if (best < 0 || number(x[base + at]) > number(x[base + best])) best = at;
    });
    ASSERT_EQ(indices[i], best) << "output " << i;
    ASSERT_EQ(number(y[i]), number(x[base + best]));
    ASSERT_EQ(number(alone[i]), number(y[i]));
    want_grad[base + best] += number(g[i]);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(number(grad_x[i]), want_grad[i], 4e-3 * std::abs(want_grad[i]));
  }
}

template <class T>
void expect_avg_pool(const Case& c, bool count_include_pad, int64_t divisor) {
  Pool2dArgs args = make_args(c, dtype_of<T>);
  if (args.dilation[0] != 1 || args.dilation[1] != 1) return;
  args.count_include_pad = count_include_pad;
  args.divisor_override = divisor;
  const int64_t in = args.in[0] * args.in[1], out = args.out[0] * args.out[1];
  const auto x = numbers<T>(kPlanes * in, 3), g = numbers<T>(kPlanes * out, 4);
  std::vector<T> y(g.size()), grad_x(x.size(), T(5.0f));
  cpu::avg_pool2d(args, x.data(), y.data());
  cpu::avg_pool2d_backward(args, g.data(), grad_x.data());
  std::vector<double> want_grad(x.size());
  const double near = std::is_same_v<T, double>  ? 1e-13
                      : std::is_same_v<T, float> ? 2e-6
                      : std::is_same_v<T, Half>  ? 1e-3
                                                 : 8e-3;
  for (int64_t i = 0; i < kPlanes * out; ++i) {
    const int64_t base = i / out * in, oh = i % out / args.out[1], ow = i % args.out[1];
    double sum = 0, inside = 0, padded = 0;
    // The padding on each side counts, what a rounded-up size adds beyond it does not.
    const int64_t h = oh * args.stride[0] - args.padding[0];
    const int64_t w = ow * args.stride[1] - args.padding[1];
    for (int64_t a = h; a < h + args.kernel[0]; ++a) {
      for (int64_t b = w; b < w + args.kernel[1]; ++b) {
        padded += a < args.in[0] + args.padding[0] && b < args.in[1] + args.padding[1];
      }
    }
    for_window(args, oh, ow, [&](int64_t at) {
      sum += number(x[base + at]);
      ++inside;
    });
    const double by = divisor != 0        ? static_cast<double>(divisor)
                      : count_include_pad ? padded
                                          : inside;
    ASSERT_NEAR(number(y[i]), sum / by, near * 20) << "output " << i;
    for_window(args, oh, ow, [&](int64_t at) { want_grad[base + at] += number(g[i]) / by; });
  }
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(number(grad_x[i]), want_grad[i], near * (20 + std::abs(want_grad[i])));
  }
}

TEST(MaxPool2d, MatchesNaive) {
  for (const Case& c : kCases) {
    expect_max_pool<float>(c);
    expect_max_pool<double>(c);
    expect_max_pool<Half>(c);
    expect_max_pool<BFloat16>(c);
  }
}

TEST(MaxPool2d, NaNWinsAndPaddingNever) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const float x[8] = {1, nan, 2, nan, 0, 0, 0, 9};
  float y = 0;
  int64_t index = -1;
  Pool2dArgs args;
  args.planes = 1;
  args.in[0] = args.kernel[0] = 2;
  args.in[1] = args.kernel[1] = 4;
  cpu::max_pool2d(args, x, &y, &index);
  EXPECT_TRUE(std::isnan(y));
  EXPECT_EQ(index, 1);

  const Pool2dArgs padded = make_args({{4, 3, 2, 1, 1}, {4, 3, 2, 1, 1}}, kFloat);
  const std::vector<float> low(3 * 16, -inf);
  std::vector<float> out(12);
  std::vector<int64_t> indices(12);
  cpu::max_pool2d(padded, low.data(), out.data(), indices.data());
  EXPECT_EQ(indices[0], 0);
  EXPECT_EQ(indices[1], 1);
  EXPECT_EQ(indices[2], 4);
  EXPECT_EQ(indices[3], 5);
  EXPECT_EQ(out[3], -inf);
}

TEST(AvgPool2d, MatchesNaive) {
  for (const Case& c : kCases) {
    for (const bool count_include_pad : {false, true}) {
      for (const int64_t divisor : {0, 3}) {
        expect_avg_pool<float>(c, count_include_pad, divisor);
        expect_avg_pool<double>(c, count_include_pad, divisor);
        expect_avg_pool<Half>(c, count_include_pad, divisor);
        expect_avg_pool<BFloat16>(c, count_include_pad, divisor);
      }
    }
  }
}

TEST(Pool2d, NoPlanes) {
  Pool2dArgs args = make_args(kCases[1], kFloat);
  args.planes = 0;
  cpu::max_pool2d(args, nullptr, nullptr, nullptr);
  cpu::max_pool2d_backward(args, nullptr, nullptr, nullptr);
  cpu::avg_pool2d(args, nullptr, nullptr);
  cpu::avg_pool2d_backward(args, nullptr, nullptr);
}

}  // namespace
}  // namespace wick
