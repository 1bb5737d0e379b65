#include <gtest/gtest.h>
#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/index.h>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace wick {
namespace {

using Index = std::vector<int64_t>;

template <class T>
T number(int64_t i) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(i);
  } else {
    return T(static_cast<float>(i));
  }
}

// std::vector<bool> has no data().
template <class T>
struct Array {
  explicit Array(int64_t n) : size(n), data(new T[static_cast<size_t>(n)]()) {}
  T& operator[](int64_t i) const { return data[static_cast<size_t>(i)]; }
  int64_t size;
  std::unique_ptr<T[]> data;
};

Index some_index(int64_t count, int64_t size) {
  Index index(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) index[static_cast<size_t>(i)] = (i * i * 31 + 5 * i) % size;
  return index;
}

template <class T>
void expect_select(int64_t outer, int64_t size, int64_t inner, int64_t count) {
  const IndexArgs args{dtype_of<T>, outer, size, inner, count, FaultOp::IndexSelect};
  const Array<T> x(outer * size * inner), y(outer * count * inner);
  for (int64_t i = 0; i < x.size; ++i) x[i] = number<T>(i % 120);
  const Index index = some_index(count, size);
  cpu::index_select(args, x.data.get(), index.data(), y.data.get());
  for (int64_t i = 0; i < y.size; ++i) {
    const int64_t o = i / inner / count, k = i / inner % count, c = i % inner;
    const T expected = x[(o * size + index[static_cast<size_t>(k)]) * inner + c];
    ASSERT_EQ(static_cast<double>(y[i]), static_cast<double>(expected)) << i;
  }
}

template <class T>
void expect_selects() {
  expect_select<T>(1, 1, 1, 1);
  expect_select<T>(1, 7, 1, 20);
  expect_select<T>(3, 5, 4, 9);
  expect_select<T>(2, 6, 3, 0);
  expect_select<T>(0, 6, 3, 4);
  expect_select<T>(2, 6, 0, 4);
  expect_select<T>(5, 11, 13, 17);
}

TEST(IndexSelect, AllTypes) {
  expect_selects<bool>();
  expect_selects<uint8_t>();
  expect_selects<int8_t>();
  expect_selects<int16_t>();
  expect_selects<int32_t>();
  expect_selects<int64_t>();
  expect_selects<Half>();
  expect_selects<BFloat16>();
  expect_selects<float>();
  expect_selects<double>();
}

TEST(IndexSelect, ManyRows) {
  expect_select<float>(1, 1000, 1, 100000);
  expect_select<float>(7, 50, 33, 601);
  expect_select<double>(300, 4, 1, 500);
}

template <class T>
void expect_add(int64_t outer, int64_t size, int64_t inner, int64_t count, int64_t skip = -1) {
  const IndexArgs args{dtype_of<T>, outer, size, inner, count, FaultOp::IndexAdd};
  const Array<T> y(outer * count * inner), x(outer * size * inner), expected(x.size);
  // Sums of floats like these depend on the order of their terms.
  const auto value = [](int64_t i) {
    if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(static_cast<double>(i % 37) * 0.7 - 9);
    } else {
      return number<T>(i % 37);
    }
  };
  for (int64_t i = 0; i < y.size; ++i) y[i] = value(i);
  // Half types are added in float and rounded once; integers wrap.
  using Sum = std::conditional_t<std::is_floating_point_v<T>, T,
                                 std::conditional_t<std::is_integral_v<T>, int64_t, float>>;
  std::vector<Sum> sums;
  for (int64_t i = 0; i < x.size; ++i) {
    x[i] = value(i + 11);
    sums.push_back(static_cast<Sum>(x[i]));
  }
  const Index index = some_index(count, size);
  for (int64_t i = 0; i < y.size; ++i) {
    const int64_t o = i / inner / count, k = i / inner % count, c = i % inner;
    if (index[static_cast<size_t>(k)] == skip) continue;
    const int64_t at = (o * size + index[static_cast<size_t>(k)]) * inner + c;
    sums[static_cast<size_t>(at)] += static_cast<Sum>(y[i]);
  }
  for (int64_t i = 0; i < x.size; ++i) expected[i] = static_cast<T>(sums[static_cast<size_t>(i)]);
  cpu::index_add(args, y.data.get(), index.data(), skip, x.data.get());
  for (int64_t i = 0; i < x.size; ++i) {
    ASSERT_EQ(static_cast<double>(x[i]), static_cast<double>(expected[i])) << i;
  }
}

template <class T>
void expect_adds() {
  expect_add<T>(1, 1, 1, 1);
  expect_add<T>(1, 7, 1, 20);
  expect_add<T>(3, 5, 4, 9);
  expect_add<T>(3, 5, 4, 9, 1);
  expect_add<T>(2, 6, 3, 0);
  expect_add<T>(0, 6, 3, 4);
  expect_add<T>(2, 6, 0, 4);
}

TEST(IndexAdd, AllTypes) {
  expect_adds<bool>();
  expect_adds<uint8_t>();
  expect_adds<int8_t>();
  expect_adds<int16_t>();
  expect_adds<int32_t>();
  expect_adds<int64_t>();
  expect_adds<Half>();
  expect_adds<BFloat16>();
  expect_adds<float>();
  expect_adds<double>();
}

// In the order of the index, however the work is divided.
TEST(IndexAdd, ManyRowsOnAnyNumberOfThreads) {
  const int before = cpu::num_threads();
  for (int threads : {1, 2, 3}) {
    cpu::set_num_threads(threads);
    expect_add<float>(4, 20, 30, 500);   // threads take slices
    expect_add<float>(1, 20, 200, 400);  // columns
    expect_add<float>(1, 50, 5, 20000);  // rows
    expect_add<float>(2, 1, 3, 20000);   // a single row
    expect_add<double>(1, 1000, 1, 40000);
  }
  cpu::set_num_threads(before);
}

TEST(IndexAdd, IntegersWrap) {
  int8_t x[1] = {127}, y[1] = {3};
  int64_t wide[1] = {INT64_MAX}, one[1] = {1};
  const int64_t index[1] = {0};
  cpu::index_add({kInt8, 1, 1, 1, 1, FaultOp::IndexAdd}, y, index, -1, x);
  cpu::index_add({kInt64, 1, 1, 1, 1, FaultOp::IndexAdd}, one, index, -1, wide);
  EXPECT_EQ(x[0], -126);
  EXPECT_EQ(wide[0], INT64_MIN);
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const IndexError& e) {
    return e.what();
  }
  return "no IndexError";
}

TEST(IndexErrors, NameOpPositionAndLimitBeforeAnythingIsWritten) {
  const float x[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  float y[8] = {};
  IndexArgs args{kFloat32, 1, 5, 2, 4, FaultOp::IndexSelect};
  const auto select = [&](Index index) {
    return message_of([&] { cpu::index_select(args, x, index.data(), y); });
  };
  EXPECT_EQ(select({0, 1, 2, 7}),
            "index_select: index 7 at position 3 is out of range for dimension of size 5");
  EXPECT_EQ(select({0, -1, 2, 7}),
            "index_select: index -1 at position 1 is out of range for dimension of size 5");
  EXPECT_EQ(select({5, 0, 0, 0}),
            "index_select: index 5 at position 0 is out of range for dimension of size 5");
  args.op = FaultOp::Embedding;
  EXPECT_EQ(select({0, 1, 2, 7}),
            "embedding: index 7 at position 3 is out of range for 5 embeddings");
  for (float v : y) EXPECT_EQ(v, 0);

  float sum[10] = {};
  const auto add = [&](Index index, int64_t skip) {
    return message_of([&] { cpu::index_add(args, y, index.data(), skip, sum); });
  };
  for (float& v : y) v = 1;
  args.op = FaultOp::IndexAdd;
  EXPECT_EQ(add({0, 1, 2, 7}, -1),
            "index_add: index 7 at position 3 is out of range for dimension of size 5");
  EXPECT_EQ(add({0, -1, 2, 3}, -1),
            "index_add: index -1 at position 1 is out of range for dimension of size 5");
  for (float v : sum) EXPECT_EQ(v, 0);
  EXPECT_EQ(add({0, -100, 2, 0}, -100), "no IndexError");
  EXPECT_EQ(sum[0], 2);
  EXPECT_EQ(sum[2], 0);
  EXPECT_EQ(sum[4], 1);
}

TEST(IndexErrors, EmptyDimension) {
  const int64_t index[1] = {0};
  float y[1];
  EXPECT_THROW(cpu::index_select({kFloat32, 1, 0, 1, 1, FaultOp::IndexSelect}, nullptr, index, y),
               IndexError);
}

}  // namespace
}  // namespace wick
