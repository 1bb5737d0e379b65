#include <gtest/gtest.h>
#include <wick/core/scalar.h>
#include <cmath>
#include <limits>

namespace wick {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

TEST(Scalar, RemembersItsCategory) {
  EXPECT_TRUE(Scalar(true).is_boolean());
  EXPECT_TRUE(Scalar(3).is_integral());
  EXPECT_TRUE(Scalar(uint8_t{3}).is_integral());
  EXPECT_TRUE(Scalar(3.f).is_floating_point());
  EXPECT_EQ(Scalar(false).type(), kBool);
  EXPECT_EQ(Scalar(3).type(), kInt64);
  EXPECT_EQ(Scalar(3.).type(), kFloat32);
}

TEST(Scalar, KeepsIntegersExactly) {
  EXPECT_EQ(Scalar(kMost).toLong(), kMost);
  EXPECT_EQ(Scalar(std::numeric_limits<int64_t>::min()).to<int64_t>(), -kMost - 1);
  EXPECT_EQ(Scalar(7).to<uint8_t>(), 7);
  EXPECT_EQ(Scalar(0.1).toDouble(), 0.1);
  EXPECT_EQ(Scalar(2.9).toInt(), 2);
  EXPECT_EQ(Scalar(-2.9).toInt(), -2);
  EXPECT_TRUE(Scalar(0.5).toBool());
  EXPECT_FALSE(Scalar(0).toBool());
}

TEST(Scalar, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Scalar(300).to<uint8_t>(), ValueError);
  EXPECT_THROW(Scalar(-1).to<uint64_t>(), ValueError);
  EXPECT_THROW(Scalar(int64_t{1} << 40).toInt(), ValueError);
  EXPECT_THROW(Scalar(0x1p63).toLong(), ValueError);
  EXPECT_EQ(Scalar(-0x1p63).toLong(), -kMost - 1);
  EXPECT_THROW(Scalar(NAN).toLong(), ValueError);
  EXPECT_THROW(Scalar(-HUGE_VAL).toLong(), ValueError);
  EXPECT_THROW(Scalar{std::numeric_limits<uint64_t>::max()}, ValueError);
}

TEST(Scalar, Prints) {
  EXPECT_EQ(to_string(Scalar(true)), "true");
  EXPECT_EQ(to_string(Scalar(-3)), "-3");
  EXPECT_EQ(to_string(Scalar(0.1)), "0.1");
  EXPECT_EQ(to_string(Scalar(1e300)), "1e+300");
}

}  // namespace
}  // namespace wick
