#include <gtest/gtest.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/matmul.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace wick;

struct Case {
  int64_t m, n, k;
  int64_t batch = 1;
  bool trans_a = false, trans_b = false;
  bool bias = false, accumulate = false;
  int64_t pad = 0;                        // extra elements in every row
  bool share_a = false, share_b = false;  // one matrix for the whole batch

  std::string text() const {
    return str("batch ", batch, " m ", m, " n ", n, " k ", k, " trans ", trans_a, trans_b, " bias ",
               bias, " accumulate ", accumulate, " pad ", pad, " shared ", share_a, share_b);
  }
};

/// The operands of a case, with canaries in the padding of c.
template <class T>
struct Operands {
  explicit Operands(const Case& t) {
    std::minstd_rand engine(12345);
    const auto fill = [&](std::vector<T>& v, int64_t size) {
      v.resize(static_cast<size_t>(size) + 8);
      for (size_t i = 0; i < v.size(); ++i) {
        const auto r = static_cast<int64_t>(engine() % 2001) - 1000;
        if constexpr (std::is_integral_v<T>) {
          v[i] = static_cast<T>(r * 1234567 * 7654321);
        } else {
          v[i] = T(static_cast<float>(r) / 1000);
        }
      }
    };
    const int64_t a_rows = t.trans_a ? t.k : t.m, a_cols = t.trans_a ? t.m : t.k;
    const int64_t b_rows = t.trans_b ? t.n : t.k, b_cols = t.trans_b ? t.k : t.n;
    args.dtype = dtype_of<T>;
    args.batch = t.batch;
    args.m = t.m;
    args.n = t.n;
    args.k = t.k;
    args.trans_a = t.trans_a;
    args.trans_b = t.trans_b;
    args.accumulate = t.accumulate;
    args.lda = a_cols + t.pad;
    args.ldb = b_cols + t.pad;
    args.ldc = t.n + t.pad;
    args.stride_a = t.share_a ? 0 : a_rows * args.lda + t.pad;
    args.stride_b = t.share_b ? 0 : b_rows * args.ldb + t.pad;
    args.stride_c = t.m * args.ldc + t.pad;
    fill(a, a_rows * args.lda + (t.batch - 1) * args.stride_a);
    fill(b, b_rows * args.ldb + (t.batch - 1) * args.stride_b);
    fill(c, t.batch * args.stride_c);
    fill(bias, t.n);
    // Without accumulate, what c held must not matter.
    if constexpr (std::is_floating_point_v<T>) {
      if (!t.accumulate) std::fill(c.begin(), c.end(), std::numeric_limits<T>::quiet_NaN());
    }
    args.a = a.data();
    args.b = b.data();
    args.c = c.data();
    if (t.k == 0) args.a = args.b = nullptr;  // as in tensors without elements
    args.bias = t.bias ? bias.data() : nullptr;
  }

  MatmulArgs args;
  std::vector<T> a, b, c, bias;
};

/// Element (i, j) of matrix `index`: sums in double, or in 64 bits that wrap around.
template <class T>
auto expected(const MatmulArgs& args, const T* old, int64_t index, int64_t i, int64_t j) {
  const T* a = static_cast<const T*>(args.a) + index * args.stride_a;
  const T* b = static_cast<const T*>(args.b) + index * args.stride_b;
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  Sum sum = args.accumulate ? static_cast<Sum>(*old) : Sum(0);
  if (args.bias != nullptr) sum += static_cast<Sum>(static_cast<const T*>(args.bias)[j]);
  for (int64_t p = 0; p < args.k; ++p) {
    sum += static_cast<Sum>(a[args.trans_a ? p * args.lda + i : i * args.lda + p]) *
           static_cast<Sum>(b[args.trans_b ? j * args.ldb + p : p * args.ldb + j]);
  }
  return sum;
}

template <class T>
bool same_bits(const T& x, const T& y) {
  return std::memcmp(&x, &y, sizeof(T)) == 0;
}

template <class T>
void check(const Case& t) {
  Operands<T> o(t);
  const std::vector<T> before = o.c;
  cpu::matmul(o.args);
  const double tolerance = std::is_same_v<T, double>  ? 1e-13 * static_cast<double>(t.k + 2)
                           : std::is_same_v<T, float> ? 1e-6 * std::sqrt(t.k + 2.0)
                           : std::is_same_v<T, Half>  ? 1e-3
                                                      : 8e-3;
  std::vector<bool> written(before.size());
  for (int64_t index = 0; index < t.batch; ++index) {
    for (int64_t i = 0; i < t.m; ++i) {
      for (int64_t j = 0; j < t.n; ++j) {
        const auto at = static_cast<size_t>(index * o.args.stride_c + i * o.args.ldc + j);
        written[at] = true;
        const auto want = expected(o.args, &before[at], index, i, j);
        if constexpr (std::is_integral_v<T>) {
          ASSERT_EQ(o.c[at], static_cast<T>(want)) << t.text() << " at " << i << ", " << j;
        } else {
          ASSERT_NEAR(static_cast<double>(o.c[at]), want, tolerance * (1 + std::abs(want)))
              << t.text() << " at " << i << ", " << j;
        }
      }
    }
  }
  for (size_t i = 0; i < before.size(); ++i) {
    ASSERT_TRUE(written[i] || same_bits(o.c[i], before[i])) << t.text() << " wrote outside";
  }
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const int64_t shapes[][3] = {{1, 1, 1},    {4, 4, 4},    {3, 5, 7},    {1, 17, 33},
                               {33, 1, 17},  {2, 100, 20}, {16, 16, 16}, {17, 19, 300},
                               {65, 33, 40}, {1, 130, 70}, {70, 1, 130}, {50, 51, 52},
                               {5, 600, 9},  {600, 5, 9}};
  for (const auto& s : shapes) {
    for (int flags = 0; flags < 16; ++flags) {
      Case t{s[0], s[1], s[2]};
      t.trans_a = flags & 1;
      t.trans_b = flags & 2;
      t.bias = flags & 4;
      t.accumulate = flags & 8;
      t.pad = flags % 3;
      all.push_back(t);
    }
  }
  for (int flags = 0; flags < 16; ++flags) {
    for (int64_t size : {3, 40}) {
      Case t{size, size + 1, size + 2};
      t.batch = 5;
      t.trans_a = flags & 1;
      t.trans_b = flags & 2;
      t.share_a = flags & 4;
      t.share_b = flags & 8;
      t.bias = flags & 1;
      t.accumulate = flags % 3 == 0;
      t.pad = flags % 2;
      all.push_back(t);
    }
  }
  return all;
}

template <class T>
class MatmulTyped : public testing::Test {};
using Types =
    testing::Types<uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float, double>;
TYPED_TEST_SUITE(MatmulTyped, Types);

TYPED_TEST(MatmulTyped, AgreesWithLoops) {
  for (const Case& t : cases()) check<TypeParam>(t);
}

TYPED_TEST(MatmulTyped, EmptySizes) {
  for (const int64_t m : {0, 3}) {
    for (const int64_t n : {0, 4}) {
      for (const int64_t batch : {0, 1, 2}) {
        for (int flags = 0; flags < 4; ++flags) {
          Case t{m, n, 0};
          t.batch = std::max<int64_t>(batch, 1);
          t.bias = flags & 1;
          t.accumulate = flags & 2;
          if (batch > 0) {
            check<TypeParam>(t);
          } else {
            Operands<TypeParam> o(t);
            o.args.batch = 0;
            const auto before = o.c;
            cpu::matmul(o.args);
            for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same_bits(o.c[i], before[i]));
          }
        }
      }
    }
  }
}

TEST(Matmul, BoolIsOrOfAnds) {
  const bool a[] = {true, false, true, false, false, false},
             b[] = {false, true, true, true, false, true};
  bool c[4] = {};
  MatmulArgs args;
  args.dtype = DType::Bool;
  args.m = 2;
  args.n = 2;
  args.k = 3;
  args.a = a;
  args.b = b;
  args.c = c;
  args.lda = 3;
  args.ldb = 2;
  args.ldc = 2;
  cpu::matmul(args);  // b: [[0, 1], [1, 1], [0, 1]]
  EXPECT_FALSE(c[0]);
  EXPECT_TRUE(c[1]);
  EXPECT_FALSE(c[2]);
  EXPECT_FALSE(c[3]);
  c[3] = true;
  args.accumulate = true;
  cpu::matmul(args);
  EXPECT_TRUE(c[3]);
}

TEST(Matmul, RowsThatRepeat) {
  // An expanded tensor has rows 0 elements apart.
  for (const int64_t size : {4, 40}) {
    const std::vector<float> row(static_cast<size_t>(size), 2.0f);
    const std::vector<float> b(static_cast<size_t>(size * size), 3.0f);
    std::vector<float> c(static_cast<size_t>(size * size));
    MatmulArgs args;
    args.m = args.n = args.k = size;
    args.a = row.data();
    args.b = b.data();
    args.c = c.data();
    args.ldb = args.ldc = size;
    cpu::matmul(args);
    for (const float v : c) EXPECT_EQ(v, 6.0f * static_cast<float>(size));
  }
}

TEST(Matmul, NanAndInfinityPassThrough) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const int64_t size : {4, 64}) {
    std::vector<float> a(static_cast<size_t>(size * size), 1.0f), b = a, c = a;
    a[0] = inf;                              // row 0: inf
    a[static_cast<size_t>(size)] = NAN;      // row 1: nan
    a[static_cast<size_t>(2 * size)] = inf;  // row 2: inf - inf
    a[static_cast<size_t>(2 * size + 1)] = -inf;
    MatmulArgs args;
    args.m = args.n = args.k = size;
    args.lda = args.ldb = args.ldc = size;
    args.a = a.data();
    args.b = b.data();
    args.c = c.data();
    for (const bool trans_b : {false, true}) {
      args.trans_b = trans_b;
      cpu::matmul(args);
      EXPECT_EQ(c[0], inf);
      EXPECT_TRUE(std::isnan(c[static_cast<size_t>(size)]));
      EXPECT_TRUE(std::isnan(c[static_cast<size_t>(2 * size)]));
      EXPECT_EQ(c[static_cast<size_t>(3 * size)], static_cast<float>(size));
    }
  }
}

TEST(Matmul, IntegersWrapAround) {
  const int32_t a[] = {2147483647, 2147483647}, b[] = {2, 2};
  int32_t c = 0;
  MatmulArgs args;
  args.dtype = DType::Int32;
  args.m = args.n = 1;
  args.k = 2;
  args.lda = 2;
  args.ldb = args.ldc = 1;
  args.a = a;
  args.b = b;
  args.c = &c;
  cpu::matmul(args);
  EXPECT_EQ(c, -4);
}

TEST(Matmul, HalfAccumulatesInFloat) {
  // 1 + 4096 * 2^-12: a sum in half precision would stay at 1.
  const int64_t k = 4097;
  std::vector<Half> a(static_cast<size_t>(k), Half(1.0f)),
      b(static_cast<size_t>(k), Half(0x1p-12f));
  b[0] = Half(1.0f);
  Half c;
  MatmulArgs args;
  args.dtype = DType::Float16;
  args.m = args.n = 1;
  args.k = k;
  args.lda = k;
  args.ldb = args.ldc = 1;
  args.a = a.data();
  args.b = b.data();
  args.c = &c;
  cpu::matmul(args);
  EXPECT_EQ(static_cast<float>(c), 2.0f);
}

template <class T>
void check_repeatable(const Case& t) {
  Operands<T> first(t);
  cpu::matmul(first.args);
  const size_t bytes = static_cast<size_t>(t.batch * first.args.stride_c) * sizeof(T);
  for (int shift = 0; shift < 6; ++shift) {
    Operands<T> again(t);
    // The same numbers at another alignment.
    std::vector<T> a(again.a.size() + 8), b(again.b.size() + 8), c(again.c.size() + 8);
    std::copy(again.a.begin(), again.a.end(), a.begin() + shift);
    std::copy(again.b.begin(), again.b.end(), b.begin() + shift);
    again.args.a = a.data() + shift;
    again.args.b = b.data() + shift;
    again.args.c = c.data() + shift;
    cpu::matmul(again.args);
    ASSERT_EQ(std::memcmp(c.data() + shift, first.c.data(), bytes), 0) << t.text();
  }
}

TEST(Matmul, SameBitsEveryTime) {
  for (const bool trans_b : {false, true}) {
    for (const int64_t size : {7, 64, 150}) {
      Case t{size, size + 3, size * 2};
      t.trans_b = trans_b;
      check_repeatable<float>(t);
      check_repeatable<double>(t);
    }
  }
}

TEST(MatmulThreads, ManyAtOnce) {
  Case t{60, 70, 80};
  Case u = t;
  u.trans_b = true;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 3; ++repeat) {
        check<float>(t);
        check<float>(u);
        check<double>(t);
        check<int32_t>(t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Matmul, EveryNumberOfThreads) {
  const int before = cpu::num_threads();
  for (const int count : {1, 2, 5}) {
    cpu::set_num_threads(count);
    for (const bool trans_b : {false, true}) {
      Case t{150, 160, 170};
      t.trans_b = trans_b;
      t.bias = true;
      check<float>(t);
      check<double>(t);
      check<int64_t>(t);
    }
  }
  cpu::set_num_threads(before);
}

}  // namespace
