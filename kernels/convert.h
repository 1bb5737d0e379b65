#pragma once

#include <wick/kernels/math.h>

namespace wick {

/// A number of one element type as another, the same on every device and defined for every value:
/// to bool, x != 0; float to integer, NaN gives 0 and others saturate to int64, then wrap around.
template <class To, class From>
WICK_MATH To convert(From x) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    const bool inside = x >= From(-0x1p63) && x < From(0x1p63);
    const int64_t whole = static_cast<int64_t>(inside ? x : From(0));
    const int64_t limit = x > From(0) ? INT64_MAX : x < From(0) ? INT64_MIN : 0;
    return static_cast<To>(inside ? whole : limit);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace wick
