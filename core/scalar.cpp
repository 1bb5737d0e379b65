#include <wick/core/scalar.h>

namespace wick {

int64_t Scalar::to_int64() const {
  if (!is_floating_point()) return integer_;
  // 2^63 is the first double above the range; -2^63 is inside it. A NaN fails both comparisons.
  WICK_CHECK(ValueError, real_ >= -0x1p63 && real_ < 0x1p63, "Scalar: ", real_,
             " does not fit in int64");
  return static_cast<int64_t>(real_);
}

std::string to_string(const Scalar& value) {
  if (value.is_boolean()) return value.toBool() ? "true" : "false";
  return value.is_floating_point() ? str(value.toDouble()) : std::to_string(value.toLong());
}

}  // namespace wick
