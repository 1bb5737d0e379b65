#pragma once

#include <gtest/gtest.h>
#include <wick/core/ops.h>
#include <cmath>
#include <string>
#include <vector>

namespace wick::test {

/// Shape and values, compared as float64 within atol + rtol = tolerance; NaN equals NaN.
inline void expect_tensor(const Tensor& x, const std::vector<int64_t>& sizes,
                          const std::vector<double>& values, double tolerance = 1e-7) {
  ASSERT_TRUE(x.defined());
  EXPECT_EQ(x.sizes().vec(), sizes);
  const std::vector<double> got = x.to_vector<double>();
  ASSERT_EQ(got.size(), values.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
    } else if (std::isinf(values[i])) {
      EXPECT_EQ(got[i], values[i]) << "element " << i;
    } else {
      EXPECT_NEAR(got[i], values[i], tolerance * (1 + std::abs(values[i]))) << "element " << i;
    }
  }
}

/// Tests in which numbers are float64 unless said otherwise.
class Float64Test : public testing::Test {
 protected:
  void SetUp() override { set_default_dtype(kFloat64); }
  void TearDown() override { set_default_dtype(kFloat32); }
};

}  // namespace wick::test

/// The statement throws exactly Type with exactly this text.
#define EXPECT_ERROR(Type, text, ...)                          \
  do {                                                         \
    try {                                                      \
      __VA_ARGS__;                                             \
      ADD_FAILURE() << "no error";                             \
    } catch (const ::wick::Error& error) {                     \
      EXPECT_NE(dynamic_cast<const Type*>(&error), nullptr)    \
          << "another type of error: " << error.what();        \
      EXPECT_EQ(std::string(error.what()), std::string(text)); \
    }                                                          \
  } while (false)
