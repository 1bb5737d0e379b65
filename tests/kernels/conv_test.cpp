#include <gtest/gtest.h>

#include <wick/kernels/conv.h>
#include <wick/kernels/cpu/parallel.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace wick;

struct Case {
  int spatial = 2;
  int64_t n = 2, c = 3, k = 4, groups = 1;
  int64_t in[3] = {7, 6, 5}, kernel[3] = {3, 3, 3};
  int64_t stride = 1, padding = 0, dilation = 1;
};

ConvArgs args_of(const Case& t, DType dtype, bool channels_last) {
  ConvArgs args;
  args.dtype = dtype;
  args.spatial = t.spatial;
  args.channels_last = channels_last;
  args.n = t.n;
  args.c = t.c;
  args.k = t.k;
  args.groups = t.groups;
  for (int i = 0; i < t.spatial; ++i) {
    args.in[i] = t.in[i];
    args.kernel[i] = t.kernel[i];
    args.stride[i] = t.stride;
    args.padding[i] = t.padding;
    args.dilation[i] = t.dilation;
    args.out[i] = (t.in[i] + 2 * t.padding - t.dilation * (t.kernel[i] - 1) - 1) / t.stride + 1;
  }
  return args;
}

std::string text(const ConvArgs& a) {
  return str("spatial ", a.spatial, " n ", a.n, " c ", a.c, " k ", a.k, " groups ", a.groups,
             " in ", a.in[0], " kernel ", a.kernel[0], " stride ", a.stride[0], " padding ",
             a.padding[0], " dilation ", a.dilation[0], " channels_last ", a.channels_last);
}

int64_t in_size(const ConvArgs& a) { return a.in[0] * a.in[1] * a.in[2]; }
int64_t out_size(const ConvArgs& a) { return a.out[0] * a.out[1] * a.out[2]; }
int64_t taps(const ConvArgs& a) { return a.kernel[0] * a.kernel[1] * a.kernel[2]; }

/// Place of (outer, channel, position) in a tensor of either layout.
size_t place(bool channels_last, int64_t outer, int64_t channels, int64_t channel, int64_t size,
             int64_t position) {
  const int64_t at = channels_last ? (outer * size + position) * channels + channel
                                   : (outer * channels + channel) * size + position;
  return static_cast<size_t>(at);
}

/// Calls f(x, weight, y) for every multiplication of the convolution, with places in the
/// tensors.
template <class F>
void visit(const ConvArgs& a, const F& f) {
  const int64_t group_c = a.c / a.groups, group_k = a.k / a.groups;
  for (int64_t n = 0; n < a.n; ++n)
    for (int64_t k = 0; k < a.k; ++k)
      for (int64_t c = 0; c < group_c; ++c)
        for (int64_t o = 0; o < out_size(a); ++o)
          for (int64_t tap = 0; tap < taps(a); ++tap) {
            const int64_t os[3] = {o / (a.out[1] * a.out[2]), o / a.out[2] % a.out[1],
                                   o % a.out[2]};
            const int64_t ks[3] = {tap / (a.kernel[1] * a.kernel[2]),
                                   tap / a.kernel[2] % a.kernel[1], tap % a.kernel[2]};
            int64_t at = 0;
            bool inside = true;
            for (int i = 0; i < 3; ++i) {
              const int64_t p = os[i] * a.stride[i] - a.padding[i] + ks[i] * a.dilation[i];
              inside = inside && p >= 0 && p < a.in[i];
              at = at * a.in[i] + p;
            }
            if (!inside) continue;
            f(place(a.channels_last, n, a.c, k / group_k * group_c + c, in_size(a), at),
              place(a.channels_last, k, group_c, c, taps(a), tap),
              place(a.channels_last, n, a.k, k, out_size(a), o));
          }
}

template <class T>
std::vector<T> numbers(int64_t size, unsigned seed) {
  std::minstd_rand engine(seed);
  std::vector<T> v(static_cast<size_t>(size));
  for (T& value : v) value = T(static_cast<float>(engine() % 2001) / 1000 - 1);
  return v;
}

template <class T>
struct Tensors {
  explicit Tensors(const ConvArgs& a)
      : x(numbers<T>(a.n * a.c * in_size(a), 1)),
        weight(numbers<T>(a.k * (a.c / a.groups) * taps(a), 2)),
        bias(numbers<T>(a.k, 3)),
        grad_y(numbers<T>(a.n * a.k * out_size(a), 4)),
        y(grad_y.size(), T(NAN)),
        grad_x(x.size(), T(NAN)),
        grad_weight(weight.size(), T(NAN)),
        grad_bias(bias.size(), T(NAN)) {}

  void run(const ConvArgs& a, bool with_bias) {
    cpu::conv(a, x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data());
    cpu::conv_backward_input(a, grad_y.data(), weight.data(), grad_x.data());
    cpu::conv_backward_weight(a, x.data(), grad_y.data(), grad_weight.data(),
                              with_bias ? grad_bias.data() : nullptr);
  }

  std::vector<T> x, weight, bias, grad_y, y, grad_x, grad_weight, grad_bias;
};

template <class T>
void expect_near(const char* what, const ConvArgs& a, const std::vector<T>& got,
                 const std::vector<double>& want, const std::vector<double>& magnitude) {
  const double epsilon = std::is_same_v<T, double>  ? 1e-14
                         : std::is_same_v<T, float> ? 2e-6
                         : std::is_same_v<T, Half>  ? 1e-3
                                                    : 8e-3;
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(got[i]), want[i], epsilon * (1 + magnitude[i]))
        << what << " at " << i << ": " << text(a);
  }
}

template <class T>
void check(const ConvArgs& a, bool with_bias = true) {
  Tensors<T> t(a);
  t.run(a, with_bias);
  const auto zeros = [](const auto& like) { return std::vector<double>(like.size()); };
  // Sums, and sums of absolute values: what rounding errors are in proportion to.
  auto y = zeros(t.y), x = zeros(t.x), w = zeros(t.weight), b = zeros(t.bias);
  auto y_size = y, x_size = x, w_size = w, b_size = b;
  const auto add = [](double& sum, double& size, double value) {
    sum += value;
    size += std::abs(value);
  };
  visit(a, [&](size_t ix, size_t iw, size_t iy) {
    const double xv = static_cast<double>(t.x[ix]), wv = static_cast<double>(t.weight[iw]);
    const double gv = static_cast<double>(t.grad_y[iy]);
    add(y[iy], y_size[iy], xv * wv);
    add(x[ix], x_size[ix], gv * wv);
    add(w[iw], w_size[iw], gv * xv);
  });
  for (int64_t n = 0; n < a.n && with_bias; ++n) {
    for (int64_t k = 0; k < a.k; ++k) {
      for (int64_t o = 0; o < out_size(a); ++o) {
        const size_t at = place(a.channels_last, n, a.k, k, out_size(a), o);
        const auto channel = static_cast<size_t>(k);
        add(y[at], y_size[at], static_cast<double>(t.bias[channel]));
        add(b[channel], b_size[channel], static_cast<double>(t.grad_y[at]));
      }
    }
  }
  expect_near("y", a, t.y, y, y_size);
  expect_near("grad_x", a, t.grad_x, x, x_size);
  expect_near("grad_weight", a, t.grad_weight, w, w_size);
  if (with_bias) expect_near("grad_bias", a, t.grad_bias, b, b_size);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int spatial = 1; spatial <= 3; ++spatial) {
    for (const int64_t kernel : {1, 3, 5}) {
      for (const int64_t stride : {1, 2}) {
        Case t;
        t.spatial = spatial;
        for (int64_t& size : t.kernel) size = kernel;
        t.stride = stride;
        t.padding = kernel / 2;
        all.push_back(t);
        t.groups = 2;
        t.c = 4;
        t.k = 6;
        all.push_back(t);
        t.groups = t.c = t.k = 5;  // depthwise
        all.push_back(t);
      }
    }
    Case t;
    t.spatial = spatial;
    for (int64_t& size : t.kernel) size = 2;
    t.dilation = 2;
    t.padding = 3;  // more than half of the kernel
    all.push_back(t);
    t.c = 1;
    t.k = 1;
    t.stride = 3;
    all.push_back(t);
  }
  Case whole;  // the kernel covers the image
  whole.kernel[0] = 7;
  whole.kernel[1] = 6;
  all.push_back(whole);
  Case uneven;
  uneven.in[0] = 4;
  uneven.in[1] = 9;
  uneven.kernel[0] = 1;
  uneven.padding = 1;
  all.push_back(uneven);
  Case wide;  // vectors of 16 channels and a rest
  wide.n = 3;
  wide.c = 17;
  wide.k = 33;
  wide.padding = 1;
  all.push_back(wide);
  wide.c = 16;
  wide.k = 32;
  all.push_back(wide);
  return all;
}

template <class T>
class ConvTyped : public testing::Test {};
using Types = testing::Types<Half, BFloat16, float, double>;
TYPED_TEST_SUITE(ConvTyped, Types);

TYPED_TEST(ConvTyped, AgreesWithLoops) {
  for (const Case& t : cases()) {
    for (const bool channels_last : {false, true}) {
      check<TypeParam>(args_of(t, dtype_of<TypeParam>, channels_last));
    }
  }
}

TYPED_TEST(ConvTyped, WithoutBias) {
  for (const bool channels_last : {false, true}) {
    check<TypeParam>(args_of({}, dtype_of<TypeParam>, channels_last), false);
  }
}

TYPED_TEST(ConvTyped, EmptySizes) {
  for (const bool channels_last : {false, true}) {
    Case t;
    t.n = 0;  // zero gradients
    check<TypeParam>(args_of(t, dtype_of<TypeParam>, channels_last));
    t.n = 2;
    t.c = 0;  // the bias alone
    check<TypeParam>(args_of(t, dtype_of<TypeParam>, channels_last));
    t.c = 3;
    t.k = 0;
    check<TypeParam>(args_of(t, dtype_of<TypeParam>, channels_last));
    t.k = 2;
    ConvArgs args = args_of(t, dtype_of<TypeParam>, channels_last);
    args.in[1] = args.out[1] = 0;
    check<TypeParam>(args);
    args.in[1] = 2;  // smaller than the kernel
    check<TypeParam>(args);
    Case padded;  // nothing but padding to see
    padded.in[1] = 0;
    padded.padding = 2;
    padded.groups = 2;
    padded.c = 4;
    check<TypeParam>(args_of(padded, dtype_of<TypeParam>, channels_last));
  }
}

// A layer large enough for threads, several blocks and oneDNN's own layouts.
template <class T>
void check_large(bool channels_last) {
  Case t;
  t.n = 3;
  t.c = 20;
  t.k = 2;
  t.in[0] = t.in[1] = 41;
  t.padding = 1;
  check<T>(args_of(t, dtype_of<T>, channels_last));
}

TEST(Conv, Large) {
  for (const bool channels_last : {false, true}) {
    check_large<float>(channels_last);
    check_large<double>(channels_last);
  }
}

TEST(Conv, NanStaysInItsSample) {
  for (const DType dtype : {DType::Float32, DType::Float64}) {
    Case t;
    t.padding = 1;
    const ConvArgs args = args_of(t, dtype, false);
    const auto run = [&](auto value) {
      using T = decltype(value);
      Tensors<T> tensors(args);
      tensors.x[0] = std::numeric_limits<T>::quiet_NaN();
      tensors.run(args, true);
      EXPECT_TRUE(std::isnan(tensors.y[0]));
      EXPECT_FALSE(std::isnan(tensors.y.back()));
      EXPECT_FALSE(std::isnan(tensors.y[tensors.y.size() / 2]));
    };
    dtype == DType::Float32 ? run(float{}) : run(double{});
  }
}

template <class T>
void check_repeatable(const ConvArgs& args) {
  Tensors<T> first(args);
  first.run(args, true);
  for (int repeat = 0; repeat < 4; ++repeat) {
    Tensors<T> again(args);
    again.run(args, true);
    const auto same = [](const std::vector<T>& a, const std::vector<T>& b) {
      return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
    };
    EXPECT_TRUE(same(again.y, first.y)) << text(args);
    EXPECT_TRUE(same(again.grad_x, first.grad_x)) << text(args);
    EXPECT_TRUE(same(again.grad_weight, first.grad_weight)) << text(args);
    EXPECT_TRUE(same(again.grad_bias, first.grad_bias)) << text(args);
  }
}

TEST(Conv, SameBitsEveryTime) {
  Case t;
  t.n = 9;
  t.c = 8;
  t.k = 16;
  t.in[0] = t.in[1] = 14;
  t.padding = 1;
  for (const bool channels_last : {false, true}) {
    check_repeatable<float>(args_of(t, DType::Float32, channels_last));
    check_repeatable<double>(args_of(t, DType::Float64, channels_last));
  }
}

TEST(ConvThreads, ManyAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i] {
      for (int repeat = 0; repeat < 4; ++repeat) {
        Case t;
        t.c = 2 + (i + repeat) % 3;
        t.padding = 1;
        check<float>(args_of(t, DType::Float32, repeat % 2 == 0));
        check<double>(args_of(t, DType::Float64, repeat % 2 == 0));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Conv, MoreShapesThanAreRemembered) {
  for (int64_t width = 3; width < 100; ++width) {
    Case t;
    t.spatial = 1;
    t.n = 1;
    t.in[0] = width;
    check<float>(args_of(t, DType::Float32, false));
  }
}

TEST(Conv, EveryNumberOfThreads) {
  const int before = cpu::num_threads();
  for (const int count : {1, 2, 5}) {
    cpu::set_num_threads(count);
    for (const bool channels_last : {false, true}) {
      Case t;
      t.n = 4;
      t.groups = 2;
      t.c = 4;
      t.padding = 1;
      check<float>(args_of(t, DType::Float32, channels_last));
      check<double>(args_of(t, DType::Float64, channels_last));
    }
  }
  cpu::set_num_threads(before);
}

TEST(Conv, OtherTypesAreRefused) {
  const ConvArgs args = args_of({}, DType::Int32, false);
  EXPECT_THROW(cpu::conv(args, nullptr, nullptr, nullptr, nullptr), DTypeError);
}

}  // namespace
