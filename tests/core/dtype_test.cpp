#include <gtest/gtest.h>
#include <wick/core/dtype.h>

namespace wick {
namespace {

TEST(DType, NamesAndSizes) {
  EXPECT_STREQ(name_of(kBool), "bool");
  EXPECT_STREQ(name_of(kBFloat16), "bfloat16");
  EXPECT_EQ(str(kInt64), "int64");
  EXPECT_EQ(element_size(kFloat16), 2);
  EXPECT_EQ(element_size(kFloat64), 8);
}

// Rows and columns in the order of the enumeration; from torch.promote_types.
TEST(DType, PromotionTable) {
  constexpr DType b = kBool, u = kUInt8, c = kInt8, s = kInt16, i = kInt32, l = kInt64,
                  h = kFloat16, bf = kBFloat16, f = kFloat32, d = kFloat64;
  constexpr DType expected[kNumDTypes][kNumDTypes] = {
      {b, u, c, s, i, l, h, bf, f, d}, {u, u, s, s, i, l, h, bf, f, d},
      {c, s, c, s, i, l, h, bf, f, d}, {s, s, s, s, i, l, h, bf, f, d},
      {i, i, i, i, i, l, h, bf, f, d}, {l, l, l, l, l, l, h, bf, f, d},
      {h, h, h, h, h, h, h, f, f, d},  {bf, bf, bf, bf, bf, bf, f, bf, f, d},
      {f, f, f, f, f, f, f, f, f, d},  {d, d, d, d, d, d, d, d, d, d},
  };
  for (int x = 0; x < kNumDTypes; ++x)
    for (int y = 0; y < kNumDTypes; ++y)
      EXPECT_EQ(promote_types(static_cast<DType>(x), static_cast<DType>(y)), expected[x][y])
          << name_of(static_cast<DType>(x)) << ", " << name_of(static_cast<DType>(y));
}

TEST(DType, DefaultIsFloatingPoint) {
  EXPECT_EQ(get_default_dtype(), kFloat32);
  set_default_dtype(kFloat64);
  EXPECT_EQ(get_default_dtype(), kFloat64);
  EXPECT_THROW(set_default_dtype(kInt32), DTypeError);
  EXPECT_EQ(get_default_dtype(), kFloat64);
  set_default_dtype(kFloat32);
}

TEST(DType, HalfTypesRoundToNearestEven) {
  EXPECT_EQ(Half(1.f).bits, 0x3c00);
  EXPECT_EQ(Half(65519.f).bits, 0x7bff);  // the largest that does not become infinite
  EXPECT_EQ(Half(65520.f).bits, 0x7c00);
  EXPECT_EQ(Half(2049.f).bits, Half(2048.f).bits);  // a tie goes to the even neighbour
  EXPECT_EQ(Half(2051.f).bits, Half(2052.f).bits);
  EXPECT_EQ(static_cast<float>(Half(0x1p-24f)), 0x1p-24f);  // the smallest
  EXPECT_EQ(Half(0x1p-25f).bits, 0);
  EXPECT_EQ(BFloat16(1.f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(257.f).bits, BFloat16(256.f).bits);
  EXPECT_EQ(BFloat16(259.f).bits, BFloat16(260.f).bits);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half h;
    h.bits = static_cast<uint16_t>(bits);
    const float value = h;
    if (value == value) {
      EXPECT_EQ(Half(value).bits, h.bits);
    }
  }
}

}  // namespace
}  // namespace wick
