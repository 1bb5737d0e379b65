#include <gtest/gtest.h>
#include <wick/core/array_ref.h>
#include <wick/core/check.h>
#include <cmath>
#include <cstdlib>

namespace wick {
namespace {

TEST(Check, MessageIsMadeOfItsParts) {
  try {
    WICK_CHECK(ShapeError, 1 == 2, "op: got ", IntArrayRef({2, -1}), ' ', 0.1, ' ', true, ' ', 7u);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "op: got [2, -1] 0.1 true 7");
    EXPECT_NE(dynamic_cast<const ShapeError*>(&e), nullptr);
  }
}

TEST(Check, MessageIsOneLineWhateverIsInIt) {
  EXPECT_STREQ(ValueError("a\nb\r\x1b[31m\x7f\t\xc3\xa4").what(),
               "a\\nb\\x0d\\x1b[31m\\x7f\\x09\xc3\xa4");
}

TEST(Check, NumbersReadBack) {
  for (const double v : {0.1, 1e300, -1. / 3, 5e-324, 1e22, 123456789.})
    EXPECT_EQ(std::strtod(str(v).c_str(), nullptr), v);
  EXPECT_EQ(str(1.), "1");
  EXPECT_EQ(str(HUGE_VAL), "inf");
}

TEST(Check, ArrayRefPrintsAndChecks) {
  EXPECT_EQ(to_string(IntArrayRef()), "[]");
  EXPECT_EQ(str(IntArrayRef({1, 2, 3})), "[1, 2, 3]");
  const std::vector<int64_t> v = {1, 2, 3};
  EXPECT_EQ(IntArrayRef(v).slice(1, 2).vec(), (std::vector<int64_t>{2, 3}));
  EXPECT_THROW(IntArrayRef(v).slice(2, 2), IndexError);
  EXPECT_THROW(IntArrayRef(v).at(3), IndexError);
  EXPECT_THROW(IntArrayRef().back(), IndexError);
}

}  // namespace
}  // namespace wick
