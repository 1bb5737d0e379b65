#include <gtest/gtest.h>

#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/softmax.h>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace wick {
namespace {

const double kInf = std::numeric_limits<double>::infinity();

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
  return std::is_same_v<T, double>  ? 1e-13
         : std::is_same_v<T, float> ? 4e-6
         : std::is_same_v<T, Half>  ? 4e-3
                                    : 3e-2;
}

struct Shape {
  int64_t outer, dim, inner;
};
const Shape kShapes[] = {{1, 1, 1},    {3, 10, 1},   {5, 16, 1}, {4, 1000, 1},
                         {300, 17, 1}, {1, 9000, 1}, {2, 5, 3},  {3, 10, 16},
                         {2, 40, 65},  {1, 7, 130},  {3, 0, 4},  {0, 3, 1}};

/// log-softmax of the numbers x[0], x[stride], ...
template <class T>
std::vector<double> naive_log_softmax(const T* x, int64_t n, int64_t stride) {
  double top = -kInf, sum = 0;
  for (int64_t i = 0; i < n; ++i) top = std::max(top, number(x[i * stride]));
  for (int64_t i = 0; i < n; ++i) sum += std::exp(number(x[i * stride]) - top);
  std::vector<double> y(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) y[i] = number(x[i * stride]) - top - std::log(sum);
  return y;
}

template <class T>
void expect_softmax(const Shape& s, bool log) {
  const int64_t n = s.outer * s.dim * s.inner;
  const auto x = numbers<T>(n, 1, -6, 6), g = numbers<T>(n, 2, -1, 1);
  std::vector<T> y(x.size()), grad_x(x.size());
  const SoftmaxArgs args{dtype_of<T>, log, s.outer, s.dim, s.inner};
  cpu::softmax(args, x.data(), y.data());
  cpu::softmax_backward(args, g.data(), y.data(), grad_x.data());
  for (int64_t line = 0; line < s.outer * s.inner && s.dim > 0; ++line) {
    const int64_t at = line / s.inner * s.dim * s.inner + line % s.inner;
    const auto want = naive_log_softmax(x.data() + at, s.dim, s.inner);
    double sum = 0;
    for (int64_t i = 0; i < s.dim; ++i) {
      const size_t k = static_cast<size_t>(at + i * s.inner);
      sum += number(g[k]) * (log ? 1 : std::exp(want[i]));
    }
    for (int64_t i = 0; i < s.dim; ++i) {
      const size_t k = static_cast<size_t>(at + i * s.inner);
      const double p = std::exp(want[i]), w = log ? want[i] : p;
      ASSERT_NEAR(number(y[k]), w, tolerance<T>() * (1 + std::abs(w)))
          << name_of(args.dtype) << " " << s.outer << " " << s.dim << " " << s.inner;
      const double gw = log ? number(g[k]) - p * sum : p * (number(g[k]) - sum);
      ASSERT_NEAR(number(grad_x[k]), gw, tolerance<T>() * (2 + std::abs(sum)))
          << name_of(args.dtype) << " " << s.outer << " " << s.dim << " " << s.inner;
    }
  }
}

TEST(Softmax, MatchesNaive) {
  for (const Shape& s : kShapes) {
    for (const bool log : {false, true}) {
      expect_softmax<float>(s, log);
      expect_softmax<double>(s, log);
      expect_softmax<Half>(s, log);
      expect_softmax<BFloat16>(s, log);
    }
  }
}

TEST(Softmax, ExtremeRows) {
  const float inf = std::numeric_limits<float>::infinity();
  const float x[5][4] = {{-inf, -inf, -inf, -inf},
                         {1, 2, -inf, 0},
                         {1e30f, 0, 0, -1e30f},
                         {-1e4f, -1e4f, -1e4f, -1e4f},
                         {inf, 0, 0, 0}};
  float y[5][4];
  cpu::softmax({kFloat, false, 5, 4, 1}, x, y);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(std::isnan(y[0][i]));
  EXPECT_EQ(y[1][2], 0);
  EXPECT_NEAR(y[1][0] + y[1][1] + y[1][3], 1, 1e-6);
  EXPECT_EQ(y[2][0], 1);
  EXPECT_EQ(y[2][3], 0);
  EXPECT_NEAR(y[3][1], 0.25, 1e-7);
  EXPECT_TRUE(std::isnan(y[4][0]));
  cpu::softmax({kFloat, true, 5, 4, 1}, x, y);
  EXPECT_EQ(y[1][2], -inf);
  EXPECT_NEAR(y[3][0], -std::log(4.0), 1e-6);
}

// --- losses

struct LossCase {
  Shape shape;
  bool fused, weighted;
  double smoothing;
  NllArgs::Reduction reduction;
};

template <class T>
void expect_loss(const LossCase& c) {
  using S = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const auto [n, classes, inner] = c.shape;
  const int64_t elements = n * inner;
  NllArgs args;
  args.dtype = dtype_of<T>;
  args.fused_softmax = c.fused;
  args.n = n;
  args.classes = classes;
  args.inner = inner;
  args.ignore_index = 1;
  args.label_smoothing = c.smoothing;
  args.reduction = c.reduction;
  const auto x = numbers<T>(n * classes * inner, 3, -4, 4), weight = numbers<T>(classes, 4, 0.5, 2);
  std::vector<int64_t> target(static_cast<size_t>(elements));
  for (int64_t i = 0; i < elements; ++i) target[i] = i * 7 % classes;
  const bool none = c.reduction == NllArgs::None;
  std::vector<T> loss(none ? target.size() : 1);
  std::vector<S> lse(target.size());
  S total = -1;
  const T* const w = c.weighted ? weight.data() : nullptr;
  cpu::nll_loss(args, x.data(), target.data(), w, loss.data(), &total, lse.data());
  const auto g = numbers<T>(static_cast<int64_t>(loss.size()), 5, 0.5, 1.5);
  std::vector<T> grad_x(x.size(), T(9.0f));
  cpu::nll_loss_backward(args, g.data(), x.data(), target.data(), w, &total, lse.data(),
                         grad_x.data());

  std::vector<double> losses(target.size()), weights(target.size());
  double sum = 0, weight_total = 0;
  const auto weight_of = [&](int64_t k) { return c.weighted ? number(weight[k]) : 1.0; };
  std::vector<double> slopes(x.size());  // of each element's loss
  for (int64_t e = 0; e < elements; ++e) {
    const int64_t t = target[e], at = e / inner * classes * inner + e % inner;
    if (t == args.ignore_index) continue;
    std::vector<double> log_p(static_cast<size_t>(classes));
    for (int64_t k = 0; k < classes; ++k) log_p[k] = number(x[at + k * inner]);
    if (c.fused) log_p = naive_log_softmax(x.data() + at, classes, inner);
    // share[k]: what class k weighs in this element's loss
    std::vector<double> share(static_cast<size_t>(classes));
    double all = 0;
    for (int64_t k = 0; k < classes; ++k) {
      share[k] = weight_of(k) *
                 ((k == t ? 1 - c.smoothing : 0.0) + c.smoothing / static_cast<double>(classes));
      all += share[k];
      losses[e] -= share[k] == 0 ? 0 : share[k] * log_p[k];
    }
    for (int64_t k = 0; k < classes; ++k) {
      slopes[at + k * inner] = (c.fused ? all * std::exp(log_p[k]) : 0) - share[k];
    }
    sum += losses[e];
    weight_total += weight_of(t);
  }
  const double near = tolerance<T>();
  EXPECT_NEAR(number(total), weight_total, 1e-5 * (1 + weight_total));
  if (none) {
    for (int64_t e = 0; e < elements; ++e) {
      ASSERT_NEAR(number(loss[e]), losses[e], near * (1 + std::abs(losses[e])));
    }
  } else {
    const double want = c.reduction == NllArgs::Mean ? sum / weight_total : sum;
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(number(loss[0])));
    } else {
      ASSERT_NEAR(number(loss[0]), want, near * (1 + std::abs(want)));
    }
  }
  for (int64_t i = 0; i < n * classes * inner; ++i) {
    const int64_t e = i / (classes * inner) * inner + i % inner;
    double scale = number(g[none ? e : 0]);
    if (c.reduction == NllArgs::Mean) scale /= weight_total;
    const double want = slopes[i] == 0 ? 0 : slopes[i] * scale;
    ASSERT_NEAR(number(grad_x[i]), want, near * 3) << "element " << i;
  }
}

TEST(NllLoss, MatchesNaive) {
  const Shape shapes[] = {{1, 1, 1}, {1, 2, 1},   {4, 10, 1}, {130, 10, 1}, {3, 1000, 1},
                          {2, 5, 7}, {3, 10, 16}, {2, 4, 65}, {0, 3, 1}};
  for (const Shape& shape : shapes) {
    for (const bool weighted : {false, true}) {
      for (const auto reduction : {NllArgs::None, NllArgs::Mean, NllArgs::Sum}) {
        for (const LossCase& c : {LossCase{shape, false, weighted, 0, reduction},
                                  LossCase{shape, true, weighted, 0, reduction},
                                  LossCase{shape, true, weighted, 0.1, reduction}}) {
          expect_loss<float>(c);
          expect_loss<double>(c);
          expect_loss<Half>(c);
          expect_loss<BFloat16>(c);
        }
      }
    }
  }
}

TEST(NllLoss, TargetOutOfRangeChangesNothing) {
  const std::vector<float> x(40, 1);
  float loss = 5, total = 6, lse[4] = {7, 7, 7, 7};
  NllArgs args;
  args.n = 4;
  args.classes = 10;
  for (const bool fused : {false, true}) {
    for (const int64_t wrong : {int64_t{12}, int64_t{10}, int64_t{-1}, INT64_MIN, INT64_MAX}) {
      const int64_t target[4] = {1, -100, 9, wrong};
      args.fused_softmax = fused;
      try {
        cpu::nll_loss(args, x.data(), target, nullptr, &loss, &total, lse);
        FAIL() << "no exception for " << wrong;
      } catch (const IndexError& e) {
        EXPECT_EQ(std::string(e.what()),
                  std::string(fused ? "cross_entropy" : "nll_loss") + ": target " +
                      std::to_string(wrong) +
                      " at position 3 is out of range for 10 classes (ignore_index is -100)");
      }
      EXPECT_EQ(loss, 5);
      EXPECT_EQ(total, 6);
      EXPECT_EQ(lse[0], 7);
    }
  }
}

TEST(NllLoss, NothingCountedIsNaN) {
  const std::vector<float> x(40, 1);
  const int64_t target[4] = {-100, -100, -100, -100};
  float loss = 5, total = 6, lse[4];
  NllArgs args;
  args.fused_softmax = true;
  args.n = 4;
  args.classes = 10;
  cpu::nll_loss(args, x.data(), target, nullptr, &loss, &total, lse);
  EXPECT_TRUE(std::isnan(loss));
  EXPECT_EQ(total, 0);
}

TEST(NllLoss, ExtremeLogits) {
  const float inf = std::numeric_limits<float>::infinity();
  const float x[3][3] = {{-inf, 1, 2}, {-inf, -inf, -inf}, {1e4f, 0, -1e4f}};
  const int64_t target[3] = {1, 0, 2};
  float loss[3], total, lse[3];
  NllArgs args;
  args.fused_softmax = true;
  args.n = args.classes = 3;
  args.reduction = NllArgs::None;
  cpu::nll_loss(args, x, target, nullptr, loss, &total, lse);
  EXPECT_NEAR(loss[0], 1 + std::log(1 + std::exp(-1.0)), 1e-6);
  EXPECT_TRUE(std::isnan(loss[1]));
  EXPECT_EQ(loss[2], 2e4f);
}

TEST(NllLoss, SumsIgnoreTheThreadCount) {
  const int before = cpu::num_threads();
  const auto x = numbers<float>(20000 * 10, 8, -3, 3);
  std::vector<int64_t> target(20000);
  for (size_t i = 0; i < target.size(); ++i) target[i] = static_cast<int64_t>(i % 10);
  std::vector<float> lse(target.size());
  NllArgs args;
  args.fused_softmax = true;
  args.n = 20000;
  args.classes = 10;
  float loss[3], total;
  for (int threads = 1; threads <= 3; ++threads) {
    cpu::set_num_threads(threads);
    cpu::nll_loss(args, x.data(), target.data(), nullptr, &loss[threads - 1], &total, lse.data());
  }
  cpu::set_num_threads(before);
  EXPECT_EQ(loss[0], loss[1]);
  EXPECT_EQ(loss[0], loss[2]);
}

}  // namespace
}  // namespace wick
