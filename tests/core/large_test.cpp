#include <gtest/gtest.h>
#include <wick/core/ops.h>
#include <cstdlib>

// More elements than 32-bit numbers count: 2 to 6 GiB of memory, so only where WICK_TEST_LARGE=1.
namespace wick {
namespace {

class Large : public testing::Test {
 protected:
  static constexpr int64_t kSize = (int64_t{1} << 31) + 17;
  // Ones, with other values at the ends and around the places where 32-bit numbers wrap around.
  static constexpr int64_t kMarks[] = {0, (int64_t{1} << 31) - 1, int64_t{1} << 31, kSize - 1};

  void SetUp() override {
    const char* wanted = std::getenv("WICK_TEST_LARGE");
    if (!wanted || wanted[0] != '1') GTEST_SKIP() << "takes 6 GiB of memory: set WICK_TEST_LARGE=1";
  }

  static Tensor marked() {
    Tensor x = ones({kSize}, kUInt8);
    uint8_t value = 10;
    for (const int64_t at : kMarks) x.select(0, at).fill_(value++);
    return x;
  }
  static void expect_marks(const Tensor& x, int factor) {
    int value = 10;
    for (const int64_t at : kMarks) {
      EXPECT_EQ(x.select(0, at).item<int64_t>(), factor * value++) << "at " << at;
    }
    EXPECT_EQ(x.select(0, 1).item<int64_t>(), factor);
    EXPECT_EQ(x.select(0, (int64_t{1} << 31) + 1).item<int64_t>(), factor);
  }
  static constexpr int64_t kSum = kSize - 4 + 10 + 11 + 12 + 13;
};

TEST_F(Large, Copy) {
  const Tensor x = marked();
  const Tensor y = x.clone();
  expect_marks(y, 1);
}

TEST_F(Large, StridedCopy) {
  const Tensor x = marked().slice(0, 1, kSize, 2);
  const Tensor y = x.contiguous();
  EXPECT_EQ(y.numel(), kSize / 2);
  EXPECT_EQ(y.select(0, ((int64_t{1} << 31) - 2) / 2).item<int64_t>(), 11);
  EXPECT_EQ(y.select(0, kSize / 2 - 1).item<int64_t>(), 1);
}

TEST_F(Large, Add) {
  Tensor x = marked();
  x.add_(x);
  expect_marks(x, 2);
}

TEST_F(Large, Sum) { EXPECT_EQ(marked().sum().item<int64_t>(), kSum); }

}  // namespace
}  // namespace wick
