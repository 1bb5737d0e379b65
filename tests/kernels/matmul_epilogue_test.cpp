#include <gtest/gtest.h>

#include <wick/kernels/matmul.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

// What goes with a product: the activation, its argument, and the sums of op(a).
namespace {

using namespace wick;

struct Case {
  int64_t m, n, k, pad;  // pad: extra elements in every row
  bool trans_a, trans_b, bias, sum, row_sums;
  std::optional<UnaryOp> activation;

  std::string text() const {
    return str("m ", m, " n ", n, " k ", k, " pad ", pad, " trans ", trans_a, trans_b, " bias ",
               bias, " sum ", sum, " row_sums ", row_sums, " activation ",
               activation ? static_cast<int>(*activation) : -1);
  }
};

double activated(UnaryOp op, double x) {
  if (op == UnaryOp::Relu) return x > 0 ? x : 0;
  if (op == UnaryOp::Gelu) return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
  EXPECT_EQ(op, UnaryOp::GeluTanh);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/// A matrix whose rows have `pad` more elements, and some more behind it.
template <class T>
struct Matrix {
  Matrix(int64_t rows, int64_t columns, int64_t pad, uint32_t seed)
      : ld(std::max<int64_t>(columns + pad, 1)), values(static_cast<size_t>(rows * ld + 8)) {
    std::minstd_rand engine(seed);
    for (T& v : values) v = T((static_cast<float>(engine() % 2001) - 1000) / 1000);
    before = values;
  }
  double at(int64_t row, int64_t column) const {
    return static_cast<double>(values[static_cast<size_t>(row * ld + column)]);
  }
  /// What is outside [rows, columns] is what it was.
  bool intact_outside(int64_t rows, int64_t columns) const {
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t row = static_cast<int64_t>(i) / ld, column = static_cast<int64_t>(i) % ld;
      if (row < rows && column < columns) continue;
      if (std::memcmp(&values[i], &before[i], sizeof(T)) != 0) return false;
    }
    return true;
  }
  int64_t ld;
  std::vector<T> values, before;
};

template <class T>
void check(const Case& t) {
  SCOPED_TRACE(t.text());
  Matrix<T> a(t.trans_a ? t.k : t.m, t.trans_a ? t.m : t.k, t.pad, 1);
  Matrix<T> b(t.trans_b ? t.n : t.k, t.trans_b ? t.k : t.n, t.pad, 2);
  Matrix<T> c(t.m, t.n, t.pad, 3), sum(t.m, t.n, t.pad, 4), bias(1, t.n, 0, 5);
  Matrix<T> row_sums(1, t.m, 0, 6);
  MatmulArgs args;
  args.dtype = dtype_of<T>;
  args.m = t.m;
  args.n = t.n;
  args.k = t.k;
  args.lda = a.ld;
  args.ldb = b.ld;
  args.ldc = c.ld;
  args.trans_a = t.trans_a;
  args.trans_b = t.trans_b;
  args.a = a.values.data();
  args.b = b.values.data();
  args.c = c.values.data();
  if (t.bias) args.bias = bias.values.data();
  args.activation = t.activation;
  if (t.sum) args.sum = sum.values.data();
  if (t.row_sums) args.row_sums = row_sums.values.data();
  cpu::matmul(args);

  // Half types round the sum, and what comes of it.
  const double unit = std::is_same_v<T, double>  ? 1e-14
                      : std::is_same_v<T, float> ? 1e-6
                      : std::is_same_v<T, Half>  ? 0x1p-9
                                                 : 0x1p-6;
  const auto tolerance = [&](double wanted) { return unit * (std::sqrt(t.k) + std::abs(wanted)); };
  for (int64_t i = 0; i < t.m; ++i) {
    double of_a = 0;
    for (int64_t p = 0; p < t.k; ++p) of_a += t.trans_a ? a.at(p, i) : a.at(i, p);
    if (t.row_sums) {
      ASSERT_NEAR(row_sums.at(0, i), of_a, tolerance(of_a)) << i;
    }
    for (int64_t j = 0; j < t.n; ++j) {
      double wanted = t.bias ? bias.at(0, j) : 0;
      for (int64_t p = 0; p < t.k; ++p)
        wanted += (t.trans_a ? a.at(p, i) : a.at(i, p)) * (t.trans_b ? b.at(j, p) : b.at(p, j));
      if (t.sum) {
        ASSERT_NEAR(sum.at(i, j), wanted, tolerance(wanted)) << i << ", " << j;
      }
      if (t.activation) wanted = activated(*t.activation, wanted);
      ASSERT_NEAR(c.at(i, j), wanted, tolerance(wanted)) << i << ", " << j;
    }
  }
  EXPECT_TRUE(c.intact_outside(t.m, t.n));
  EXPECT_TRUE(sum.intact_outside(t.sum ? t.m : 0, t.n));
  EXPECT_TRUE(row_sums.intact_outside(1, t.row_sums ? t.m : 0));
}

template <class T>
class MatmulEpilogue : public testing::Test {};
using Types = testing::Types<Half, BFloat16, float, double>;
TYPED_TEST_SUITE(MatmulEpilogue, Types);

TYPED_TEST(MatmulEpilogue, AgreesWithFormulas) {
  const int64_t shapes[][3] = {{1, 1, 1}, {1, 17, 3}, {17, 1, 3}, {4, 8, 0},
                               {0, 3, 5}, {3, 0, 5},  {3, 4, 1},  {33, 40, 21}};
  for (const auto& [m, n, k] : shapes) {
    for (const std::optional<UnaryOp> activation :
         {std::optional<UnaryOp>(), std::optional(UnaryOp::Relu), std::optional(UnaryOp::GeluTanh),
          std::optional(UnaryOp::Gelu)}) {
      for (int flags = 0; flags < 64; ++flags) {
        check<TypeParam>({.m = m,
                          .n = n,
                          .k = k,
                          .pad = flags & 1 ? 3 : 0,
                          .trans_a = (flags & 2) != 0,
                          .trans_b = (flags & 4) != 0,
                          .bias = (flags & 8) != 0,
                          .sum = (flags & 16) != 0 && activation.has_value(),
                          .row_sums = (flags & 32) != 0,
                          .activation = activation});
      }
    }
  }
}

}  // namespace
