#include <gtest/gtest.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/reduce.h>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace wick {
namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

struct Dim {
  int64_t size, stride;
};

/// Kept and reduced dimensions of an input; the output is row-major over the kept ones.
ReduceArgs make_args(const std::vector<Dim>& kept, const std::vector<Dim>& reduced, const void* in,
                     void* out) {
  ReduceArgs a;
  a.in = in;
  a.out = out;
  a.kept_ndim = static_cast<int>(kept.size());
  a.reduced_ndim = static_cast<int>(reduced.size());
  for (int d = a.kept_ndim - 1; d >= 0; --d) {
    a.kept_sizes[d] = kept[d].size;
    a.kept_strides[d] = kept[d].stride;
    a.kept_out_strides[d] = a.kept;
    a.kept *= kept[d].size;
  }
  for (int d = 0; d < a.reduced_ndim; ++d) {
    a.reduced_sizes[d] = reduced[d].size;
    a.reduced_strides[d] = reduced[d].stride;
    a.reduced *= reduced[d].size;
  }
  return a;
}

/// Row-major offsets of some dimensions.
std::vector<int64_t> offsets(const std::vector<Dim>& dims) {
  std::vector<int64_t> all{0};
  for (const Dim& d : dims) {
    std::vector<int64_t> next;
    for (const int64_t base : all) {
      for (int64_t i = 0; i < d.size; ++i) next.push_back(base + i * d.stride);
    }
    all = next;
  }
  return all;
}

template <class T>
double number(T x) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(static_cast<float>(x));
  } else {
    return static_cast<double>(x);
  }
}
template <class T>
std::unique_ptr<T[]> numbers(int64_t n) {  // (std::vector<bool> has no data())
  std::unique_ptr<T[]> x(new T[static_cast<size_t>(n)]);
  uint32_t state = 12345;
  for (int64_t i = 0; i < n; ++i) {
    T& v = x[static_cast<size_t>(i)];
    state = state * 1664525u + 1013904223u;
    const int small = static_cast<int>(state >> 16) % 5 + (std::is_signed_v<T> ? -2 : 0);
    if constexpr (std::is_same_v<T, bool>) {
      v = small > 1;
    } else if constexpr (std::is_integral_v<T>) {
      v = static_cast<T>(small);
    } else {
      v = T(static_cast<float>(small) * 0.25f + 0.125f);
    }
  }
  return x;
}

struct Layout {
  std::vector<Dim> kept, reduced;
  int64_t extent;  // elements that it can reach
};
std::vector<Layout> layouts() {
  return {
      {{}, {}, 1},
      {{}, {{1, 1}}, 1},
      {{}, {{1000, 1}}, 1000},
      {{}, {{5003, 1}}, 5003},
      {{}, {{66000, 1}}, 66000},
      {{}, {{300, 3}}, 900},
      {{{7, 10}}, {{10, 1}}, 70},
      {{{3, 3000}}, {{2500, 1}}, 9000},
      {{{70, 1}}, {{33, 70}}, 2310},
      {{{600, 1}}, {{5, 600}}, 3000},
      {{{5, 300}, {17, 1}}, {{8, 30}}, 1500},
      {{{6, 49}}, {{4, 294}, {49, 1}}, 1176},
      {{{20, 4}}, {{9, 90}}, 820},
      {{{3, 2}}, {{40, 10}}, 400},
      {{{4, 0}}, {{6, 1}}, 6},
      {{{5, 1}, {4, 200}}, {{3, 60}, {6, 5}}, 1000},
  };
}

template <class T, class R>
void expect_matches_naive(ReduceOp op, double tolerance) {
  for (const Layout& layout : layouts()) {
    const auto in = numbers<T>(layout.extent);
    const auto kept = offsets(layout.kept), reduced = offsets(layout.reduced);
    std::unique_ptr<R[]> out(new R[kept.size() + 1]());
    cpu::reduce(op, dtype_of<T>, dtype_of<R>,
                make_args(layout.kept, layout.reduced, in.get(), out.get()));
    for (size_t k = 0; k < kept.size(); ++k) {
      double want = op == ReduceOp::Prod ? 1 : op == ReduceOp::All ? 1 : 0;
      double scale = 1;
      for (size_t r = 0; r < reduced.size(); ++r) {
        const double v = number(in[static_cast<size_t>(kept[k] + reduced[r])]);
        scale += std::abs(v);
        switch (op) {
          case ReduceOp::Sum:
            want += v;
            break;
          case ReduceOp::SumSquares:
            want += v * v;
            scale += v * v;
            break;
          case ReduceOp::Mean:
            want += v / static_cast<double>(reduced.size());
            break;
          case ReduceOp::Prod:
            want *= v;
            break;
          case ReduceOp::Max:
            want = r == 0 ? v : std::max(want, v);
            break;
          case ReduceOp::Min:
            want = r == 0 ? v : std::min(want, v);
            break;
          case ReduceOp::Any:
            want = want != 0 || v != 0;
            break;
          case ReduceOp::All:
            want = want != 0 && v != 0;
            break;
        }
      }
      if (op == ReduceOp::Mean) scale /= static_cast<double>(reduced.size());
      if (op == ReduceOp::Max || op == ReduceOp::Min) scale = 0;
      ASSERT_NEAR(number(out[k]), want, tolerance * scale)
          << "op " << static_cast<int>(op) << ", " << name_of(dtype_of<T>) << ", output " << k
          << " of " << kept.size() << " of " << reduced.size();
    }
  }
}

template <class T>
void expect_all_ops(double tolerance) {
  using Total = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
  expect_matches_naive<T, Total>(ReduceOp::Sum, tolerance);
  expect_matches_naive<T, T>(ReduceOp::Max, 0);
  expect_matches_naive<T, T>(ReduceOp::Min, 0);
  expect_matches_naive<T, bool>(ReduceOp::Any, 0);
  expect_matches_naive<T, bool>(ReduceOp::All, 0);
  if constexpr (!std::is_integral_v<T>) {
    expect_matches_naive<T, T>(ReduceOp::Mean, tolerance);
    expect_matches_naive<T, T>(ReduceOp::SumSquares, tolerance);
  }
}

TEST(Reduce, FloatingTypesMatchNaive) {
  expect_all_ops<float>(1e-6);
  expect_all_ops<double>(1e-13);
  expect_all_ops<Half>(1e-3);
  expect_all_ops<BFloat16>(8e-3);
}

TEST(Reduce, IntegerTypesMatchNaive) {
  expect_all_ops<bool>(0);
  expect_all_ops<uint8_t>(0);
  expect_all_ops<int8_t>(0);
  expect_all_ops<int16_t>(0);
  expect_all_ops<int32_t>(0);
  expect_all_ops<int64_t>(0);
}

TEST(Reduce, ProductWrapsAndMultiplies) {
  std::vector<float> x(37, 1.5f);
  float y = 0;
  cpu::reduce(ReduceOp::Prod, kFloat, kFloat, make_args({}, {{37, 1}}, x.data(), &y));
  EXPECT_NEAR(y, std::pow(1.5, 37), 20);
  std::vector<int32_t> i(70, 3);
  int64_t product = 0, want = 1;
  for (int k = 0; k < 70; ++k) {
    want = static_cast<int64_t>(static_cast<uint64_t>(want) * 3);
  }
  cpu::reduce(ReduceOp::Prod, kInt, kLong, make_args({}, {{70, 1}}, i.data(), &product));
  EXPECT_EQ(product, want);
}

TEST(Reduce, EmptyReductionsGiveTheIdentity) {
  float y[3] = {7, 7, 7};
  const auto args = make_args({{3, 1}}, {{0, 3}}, nullptr, y);
  cpu::reduce(ReduceOp::Sum, kFloat, kFloat, args);
  EXPECT_EQ(y[2], 0);
  cpu::reduce(ReduceOp::Prod, kFloat, kFloat, args);
  EXPECT_EQ(y[1], 1);
  cpu::reduce(ReduceOp::Mean, kFloat, kFloat, args);
  EXPECT_TRUE(std::isnan(y[0]));
  bool b[3] = {true, true, true};
  cpu::reduce(ReduceOp::Any, kFloat, kBool, make_args({{3, 0}}, {{0, 1}}, nullptr, b));
  EXPECT_FALSE(b[0] || b[1] || b[2]);
  cpu::reduce(ReduceOp::All, kFloat, kBool, make_args({{3, 0}}, {{0, 1}}, nullptr, b));
  EXPECT_TRUE(b[0] && b[1] && b[2]);
  cpu::reduce(ReduceOp::Sum, kFloat, kFloat, make_args({{0, 1}}, {{5, 0}}, nullptr, nullptr));
}

TEST(Reduce, NaNWinsAndIsTrue) {
  for (const int64_t n : {1, 17, 3000}) {
    std::vector<float> x(static_cast<size_t>(n), 1);
    x[static_cast<size_t>(n / 2)] = kNaN;
    float y = 0;
    for (const auto op : {ReduceOp::Max, ReduceOp::Min, ReduceOp::Sum}) {
      cpu::reduce(op, kFloat, kFloat, make_args({}, {{n, 1}}, x.data(), &y));
      EXPECT_TRUE(std::isnan(y)) << n;
    }
    bool all = false;
    cpu::reduce(ReduceOp::All, kFloat, kBool, make_args({}, {{n, 1}}, x.data(), &all));
    EXPECT_TRUE(all);
  }
  const std::vector<float> low(20, -kInf);
  float y = 0;
  cpu::reduce(ReduceOp::Max, kFloat, kFloat, make_args({}, {{20, 1}}, low.data(), &y));
  EXPECT_EQ(y, -kInf);
}

TEST(Reduce, LongSumsAreAccurateAndIgnoreTheThreadCount) {
  struct Case {
    std::vector<Dim> kept, reduced;
  };
  const int before = cpu::num_threads();
  const std::vector<Case> cases = {{{}, {{2000003, 1}}},
                                   {{{10, 1}}, {{200000, 10}}},
                                   {{{500, 1}}, {{4000, 500}}},
                                   {{{100, 20000}}, {{20000, 1}}}};
  std::vector<float> x(2000003);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.01f + static_cast<float>(i % 97) * 1e-4f;
  for (const Case& c : cases) {
    std::vector<float> y[3];
    for (int threads = 1; threads <= 3; ++threads) {
      auto& out = y[threads - 1];
      out.resize(500);
      cpu::set_num_threads(threads);
      cpu::reduce(ReduceOp::Sum, kFloat, kFloat,
                  make_args(c.kept, c.reduced, x.data(), out.data()));
    }
    EXPECT_EQ(y[0], y[1]);
    EXPECT_EQ(y[0], y[2]);
    double want = 0;
    for (const int64_t at : offsets(c.reduced)) want += static_cast<double>(x[at]);
    EXPECT_NEAR(y[0][0] / want, 1, 3e-7);
  }
  cpu::set_num_threads(before);
}

template <class T>
void expect_first_extreme(ReduceOp op, const Layout& layout) {
  const auto in = numbers<T>(layout.extent);
  const auto kept = offsets(layout.kept), reduced = offsets(layout.reduced);
  std::unique_ptr<T[]> values(new T[kept.size()]());
  std::vector<int64_t> indices(kept.size(), -1), alone(kept.size(), -1);
  const auto args = make_args(layout.kept, layout.reduced, in.get(), nullptr);
  cpu::reduce_index(op, dtype_of<T>, args, values.get(), indices.data());
  cpu::reduce_index(op, dtype_of<T>, args, nullptr, alone.data());
  EXPECT_EQ(indices, alone);
  for (size_t k = 0; k < kept.size(); ++k) {
    size_t best = 0;
    for (size_t r = 1; r < reduced.size(); ++r) {
      const double v = number(in[static_cast<size_t>(kept[k] + reduced[r])]);
      const double b = number(in[static_cast<size_t>(kept[k] + reduced[best])]);
      if (op == ReduceOp::Max ? v > b : v < b) best = r;
    }
    ASSERT_EQ(indices[k], static_cast<int64_t>(best)) << name_of(dtype_of<T>);
    ASSERT_EQ(number(values[k]), number(in[static_cast<size_t>(kept[k] + reduced[best])]));
  }
}

TEST(ReduceIndex, FirstExtremeInTheOrderGiven) {
  auto all = layouts();
  all.push_back({{}, {{7, 1}, {50, 7}}, 350});  // not the order of memory
  all.push_back({{{3, 350}}, {{50, 7}, {7, 1}}, 1050});
  for (const Layout& layout : all) {
    for (const auto op : {ReduceOp::Max, ReduceOp::Min}) {
      expect_first_extreme<float>(op, layout);
      expect_first_extreme<double>(op, layout);
      expect_first_extreme<Half>(op, layout);
      expect_first_extreme<BFloat16>(op, layout);
      expect_first_extreme<uint8_t>(op, layout);
      expect_first_extreme<int64_t>(op, layout);
      expect_first_extreme<bool>(op, layout);
    }
  }
}

TEST(ReduceIndex, FirstNaNWins) {
  for (const bool rows : {true, false}) {
    std::vector<float> x(2 * 3000);
    const int64_t stride = rows ? 1 : 2;
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    x[static_cast<size_t>(1234 * stride)] = kNaN;
    x[static_cast<size_t>(2000 * stride)] = kNaN;
    float value = 0;
    int64_t index = 0;
    for (const auto op : {ReduceOp::Max, ReduceOp::Min}) {
      cpu::reduce_index(op, kFloat, make_args({}, {{3000, stride}}, x.data(), nullptr), &value,
                        &index);
      EXPECT_TRUE(std::isnan(value));
      EXPECT_EQ(index, 1234);
    }
  }
}

}  // namespace
}  // namespace wick
