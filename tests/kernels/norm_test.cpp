#include <gtest/gtest.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/norm.h>
#include <cmath>
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
template <class T>
std::vector<T> numbers(int64_t n, uint32_t seed, double low, double high) {
  std::vector<T> x(static_cast<size_t>(n));
  for (auto& v : x) {
    seed = seed * 1664525u + 1013904223u;
    const double u = low + (high - low) * static_cast<double>(seed >> 8) / 16777216.0;
    if constexpr (std::is_same_v<T, double>) {
      v = u;
    } else {
      v = T(static_cast<float>(u));
    }
  }
  return x;
}
template <class T>
constexpr double tolerance() {
  return std::is_same_v<T, double>  ? 1e-12
         : std::is_same_v<T, float> ? 1e-5
         : std::is_same_v<T, Half>  ? 6e-3
                                    : 5e-2;
}

struct Shape {
  int64_t n, c, inner;
};
const Shape kShapes[] = {{3, 1, 1},    {5, 3, 1},    {128, 64, 1}, {33, 100, 1},
                         {300, 17, 1}, {4, 3, 2},    {2, 5, 49},   {3, 8, 700},
                         {64, 3, 9},   {1, 2, 5000}, {2, 3, 16}};

/// Offsets of the numbers of a channel.
std::vector<size_t> channel(const Shape& s, int64_t c) {
  std::vector<size_t> at;
  for (int64_t i = 0; i < s.n; ++i) {
    for (int64_t j = 0; j < s.inner; ++j) {
      at.push_back(static_cast<size_t>((i * s.c + c) * s.inner + j));
    }
  }
  return at;
}

template <class T>
void expect_batch_norm(const Shape& s, bool affine, bool train) {
  using S = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const int64_t size = s.n * s.c * s.inner;
  const auto x = numbers<T>(size, 1, -2, 4), g = numbers<T>(size, 2, -1, 1);
  const auto weight = numbers<S>(s.c, 3, 0.5, 1.5), bias = numbers<S>(s.c, 4, -1, 1);
  const auto old_mean = numbers<S>(s.c, 5, -1, 1), old_var = numbers<S>(s.c, 6, 0.5, 2);
  auto running_mean = old_mean, running_var = old_var;
  std::vector<S> mean(old_mean), inv_std(old_mean), grad_weight(old_mean), grad_bias(old_mean);
  std::vector<T> y(x.size()), grad_x(x.size());
  const BatchNormArgs args{dtype_of<T>, dtype_of<S>, s.n, s.c, s.inner, 1e-5};
  const S *const w = affine ? weight.data() : nullptr, *const b = affine ? bias.data() : nullptr;
  if (train) {
    cpu::batch_norm_train(args, x.data(), w, b, running_mean.data(), running_var.data(), 0.1,
                          y.data(), mean.data(), inv_std.data());
  } else {
    cpu::batch_norm_eval(args, x.data(), w, b, old_mean.data(), old_var.data(), y.data());
    for (int64_t c = 0; c < s.c; ++c) {
      inv_std[c] = static_cast<S>(1 / std::sqrt(number(old_var[c]) + 1e-5));
    }
  }
  cpu::batch_norm_backward(args, train, g.data(), x.data(), w, mean.data(), inv_std.data(),
                           grad_x.data(), grad_weight.data(), grad_bias.data());

  const double near = tolerance<T>(), count = static_cast<double>(s.n * s.inner);
  for (int64_t c = 0; c < s.c; ++c) {
    const auto at = channel(s, c);
    double m = number(old_mean[c]), var = number(old_var[c]);
    if (train) {
      m = var = 0;
      for (const size_t i : at) m += number(x[i]) / count;
      for (const size_t i : at) var += (number(x[i]) - m) * (number(x[i]) - m) / count;
      EXPECT_NEAR(number(mean[c]), m, 1e-5);
      EXPECT_NEAR(number(inv_std[c]) * std::sqrt(var + 1e-5), 1, 1e-5);
      EXPECT_NEAR(number(running_mean[c]), 0.9 * number(old_mean[c]) + 0.1 * m, 1e-5);
      const double unbiased = var * count / (count - 1);
      EXPECT_NEAR(number(running_var[c]), 0.9 * number(old_var[c]) + 0.1 * unbiased, 1e-5);
    }
    const double inv = 1 / std::sqrt(var + 1e-5), scale = affine ? number(weight[c]) : 1;
    double sum = 0, dot = 0, sizes = 0;
    for (const size_t i : at) {
      sum += number(g[i]);
      dot += number(g[i]) * (number(x[i]) - m) * inv;
      sizes += std::abs(number(g[i]));
    }
    EXPECT_NEAR(number(grad_bias[c]), sum, 1e-5 * (1 + sizes));
    EXPECT_NEAR(number(grad_weight[c]), dot, 1e-5 * (1 + 4 * sizes));
    for (const size_t i : at) {
      const double normal = (number(x[i]) - m) * inv;
      const double want = normal * scale + (affine ? number(bias[c]) : 0);
      ASSERT_NEAR(number(y[i]), want, near * (1 + std::abs(want)))
          << name_of(args.dtype) << " " << s.n << " " << s.c << " " << s.inner;
      double slope = number(g[i]);
      if (train) slope -= sum / count + normal * dot / count;
      ASSERT_NEAR(number(grad_x[i]), slope * scale * inv, near * (1 + inv))
          << name_of(args.dtype) << " " << s.n << " " << s.c << " " << s.inner;
    }
  }
}

TEST(BatchNorm, MatchesNaive) {
  for (const Shape& s : kShapes) {
    for (const bool affine : {false, true}) {
      for (const bool train : {false, true}) {
        expect_batch_norm<float>(s, affine, train);
        expect_batch_norm<double>(s, affine, train);
        expect_batch_norm<Half>(s, affine, train);
        expect_batch_norm<BFloat16>(s, affine, train);
      }
    }
  }
}

TEST(BatchNorm, VarianceFarFromZero) {
  for (const Shape& s : {Shape{64, 4, 784}, Shape{784, 40, 1}}) {
    auto x = numbers<float>(s.n * s.c * s.inner, 9, 1e4 - 1.7, 1e4 + 1.7);
    std::vector<float> y(x.size()), mean(40), inv_std(40), running_mean(40), running_var(40);
    const BatchNormArgs args{kFloat, kFloat, s.n, s.c, s.inner, 0};
    cpu::batch_norm_train(args, x.data(), nullptr, nullptr, running_mean.data(), running_var.data(),
                          1, y.data(), mean.data(), inv_std.data());
    for (int64_t c = 0; c < s.c; ++c) {
      const auto at = channel(s, c);
      double m = 0, var = 0;
      for (const size_t i : at) m += static_cast<double>(x[i]);
      m /= static_cast<double>(at.size());
      for (const size_t i : at) {
        var += (static_cast<double>(x[i]) - m) * (static_cast<double>(x[i]) - m);
      }
      var /= static_cast<double>(at.size() - 1);
      EXPECT_NEAR(running_var[c] / var, 1, 1e-5);
    }
  }
}

TEST(BatchNorm, ConstantChannelAndAbsentOutputs) {
  const std::vector<float> x(40, 3.0f), g(40, 1.0f);
  std::vector<float> y(40), mean(2), inv_std(2), grad(40, 7.0f);
  const BatchNormArgs args{kFloat, kFloat, 4, 2, 5, 1e-5};
  cpu::batch_norm_train(args, x.data(), nullptr, nullptr, nullptr, nullptr, 0.1, y.data(),
                        mean.data(), inv_std.data());
  for (const float v : y) EXPECT_EQ(v, 0);
  EXPECT_NEAR(inv_std[0], 1 / std::sqrt(1e-5), 1e-2);
  cpu::batch_norm_backward(args, true, g.data(), x.data(), nullptr, mean.data(), inv_std.data(),
                           grad.data(), nullptr, nullptr);
  for (const float v : grad) EXPECT_NEAR(v, 0, 1e-3);
  cpu::batch_norm_backward(args, false, g.data(), x.data(), nullptr, mean.data(), inv_std.data(),
                           nullptr, nullptr, grad.data());
  EXPECT_EQ(grad[0], 20);
}

TEST(BatchNorm, EmptyBatch) {
  for (const int64_t inner : {1, 4}) {
    float weight[2] = {1, 1}, bias[2] = {0, 0}, mean[2] = {0, 0}, var[2] = {1, 1};
    float grad_weight[2] = {7, 7}, grad_bias[2] = {7, 7};
    const BatchNormArgs args{kFloat, kFloat, 0, 2, inner, 1e-5};
    cpu::batch_norm_eval(args, nullptr, weight, bias, mean, var, nullptr);
    cpu::batch_norm_backward(args, false, nullptr, nullptr, weight, mean, var, nullptr, grad_weight,
                             grad_bias);
    EXPECT_EQ(grad_weight[1], 0);
    EXPECT_EQ(grad_bias[0], 0);
  }
}

TEST(BatchNorm, SameBitsForAnyThreadCount) {
  const int before = cpu::num_threads();
  for (const Shape& s : {Shape{16, 6, 900}, Shape{900, 70, 1}}) {
    const auto x = numbers<float>(s.n * s.c * s.inner, 7, -1, 1);
    const BatchNormArgs args{kFloat, kFloat, s.n, s.c, s.inner, 1e-5};
    std::vector<float> y[2], mean(70), inv_std(70);
    for (int i = 0; i < 2; ++i) {
      y[i].resize(x.size());
      cpu::set_num_threads(i + 1);
      cpu::batch_norm_train(args, x.data(), nullptr, nullptr, nullptr, nullptr, 0.1, y[i].data(),
                            mean.data(), inv_std.data());
    }
    EXPECT_EQ(y[0], y[1]);
  }
  cpu::set_num_threads(before);
}

}  // namespace
}  // namespace wick
