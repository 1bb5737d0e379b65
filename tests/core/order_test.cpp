#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

// Scans, sorting and factorizations of more elements than one tile holds, against naive loops.
namespace wick {
namespace {

/// Numbers with many ties and, every 50th, a NaN.
std::vector<double> numbers(int64_t n) {
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i)
    x.push_back(i % 50 == 7 ? std::numeric_limits<double>::quiet_NaN()
                            : static_cast<double>((i * 7919) % 101 - 50));
  return x;
}

const std::vector<int64_t> kLengths{1, 2, 31, 256, 257, 1024, 1025, 2500};

TEST(Order, SortIsStableWithNaNLast) {
  for (const int64_t n : kLengths) {
    for (const bool descending : {false, true}) {
      SCOPED_TRACE(str(n, descending ? " descending" : " ascending"));
      const std::vector<double> x = numbers(3 * n);
      const auto [values, order] = sort(tensor(x).to(kFloat32).view({3, n}), 1, descending);
      const std::vector<int64_t> got = order.to_vector<int64_t>();
      for (int64_t r = 0; r < 3; ++r) {
        std::vector<int64_t> wanted(static_cast<size_t>(n));
        std::iota(wanted.begin(), wanted.end(), 0);
        const double* const row = x.data() + r * n;
        std::stable_sort(wanted.begin(), wanted.end(), [&](int64_t i, int64_t j) {
          const double a = descending ? row[j] : row[i], b = descending ? row[i] : row[j];
          return std::isnan(b) ? !std::isnan(a) : a < b;
        });
        EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), got.begin() + r * n));
      }
      EXPECT_EQ(values.size(1), n);
    }
  }
}

TEST(Order, ScansOfLongRowsAndOfColumns) {
  for (const int64_t n : kLengths) {
    SCOPED_TRACE(n);
    for (const int64_t inner : {int64_t{1}, int64_t{3}, int64_t{70}}) {
      std::vector<double> x(static_cast<size_t>(2 * n * inner));
      for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 31 % 17) - 8;
      std::vector<double> sums = x, largest = x;
      for (int64_t i = 0; i < 2 * n * inner; ++i) {
        if (i / inner % n == 0) continue;
        sums[i] += sums[i - inner];
        largest[i] = std::max(largest[i], largest[i - inner]);
      }
      const Tensor t = tensor(x).to(kFloat32).view({2, n, inner}).requires_grad_();
      EXPECT_EQ(cumsum(t, 1).to_vector<double>(), sums);
      const auto [values, positions] = cummax(t, 1);
      EXPECT_EQ(values.to_vector<double>(), largest);
      EXPECT_EQ(cumprod(t * 0 - 1, 1).select(1, n - 1).sum().item().to<double>(),
                n % 2 ? -2 * inner : 2 * inner);
      cumsum(t, 1).sum().backward();  // element i counts n - i times
      EXPECT_EQ(t.grad().select(1, 0).sum().item().to<double>(), 2. * n * inner);
      EXPECT_EQ(t.grad().select(1, n - 1).sum().item().to<double>(), 2. * inner);
    }
  }
}

TEST(Order, SearchFindsWhatSortHasPlaced) {
  const Tensor x = tensor(numbers(700)).to(kFloat64);
  const Tensor sorted = std::get<0>(sort(x));
  const std::vector<double> all = numbers(700);
  const std::vector<int64_t> left = searchsorted(sorted, x).to_vector<int64_t>();
  const std::vector<int64_t> right = bucketize(x, sorted, false, true).to_vector<int64_t>();
  for (size_t i = 0; i < all.size(); ++i) {
    const auto before = [&](double v, double w) { return std::isnan(w) ? !std::isnan(v) : v < w; };
    const auto less =
        std::count_if(all.begin(), all.end(), [&](double v) { return before(v, all[i]); });
    const auto more =
        std::count_if(all.begin(), all.end(), [&](double v) { return before(all[i], v); });
    EXPECT_EQ(left[i], less);
    EXPECT_EQ(right[i], 700 - more);
  }
}

TEST(Order, FactorizationsOfLargerMatrices) {
  for (const int64_t n : {33, 70, 150}) {
    SCOPED_TRACE(n);
    std::vector<double> numbers;
    for (int64_t i = 0; i < 2 * n * n; ++i) numbers.push_back(std::sin(static_cast<double>(i * i)));
    const Tensor a = tensor(numbers, kFloat64).view({2, n, n});
    const Tensor b = a.narrow(2, 0, 40 < n ? 40 : n);
    const auto largest = [](const Tensor& t) { return abs(t).max().item().to<double>(); };
    EXPECT_LT(largest(matmul(a, linalg_solve(a, b)) - b), 1e-10);
    const Tensor positive =
        matmul(a, a.transpose(1, 2)) + linalg_matrix_power(a, 0) * static_cast<double>(n);
    const Tensor low = linalg_cholesky(positive);
    EXPECT_LT(largest(matmul(low, low.transpose(1, 2)) - positive), 1e-10);
    EXPECT_LT(largest(matmul(low, linalg_solve_triangular(low, b, false)) - b), 1e-9);
    const Tensor upper = low.transpose(1, 2);
    EXPECT_LT(largest(matmul(upper, linalg_solve_triangular(upper, b, true)) - b), 1e-9);
    // det(L L^T) is the square of L's diagonal.
    const Tensor pivots = low.reshape({2, n * n}).slice(1, 0, n * n, n + 1);
    EXPECT_LT(largest(std::get<1>(linalg_slogdet(positive)) - log(pivots).sum(1) * 2), 1e-10);
  }
}

}  // namespace
}  // namespace wick
