#pragma once

#include <wick/core/check.h>
#include <wick/core/dtype.h>
#include <cstdint>
#include <string>
#include <type_traits>

namespace wick {

/// A number that remembers its category: bool, integer (int64) or floating (double).
class Scalar {
 public:
  Scalar() : Scalar(int64_t{0}) {}
  template <class T>
  requires(std::is_arithmetic_v<T>) Scalar(T value) {  // NOLINT: implicit, as in LibTorch
    if constexpr (std::is_same_v<T, bool>) {
      kind_ = Kind::Bool;
      integer_ = value;
    } else if constexpr (std::is_integral_v<T>) {
      WICK_CHECK(ValueError, std::is_signed_v<T> || static_cast<int64_t>(value) >= 0,
                 "Scalar: ", value, " does not fit in int64");
      kind_ = Kind::Integer;
      integer_ = static_cast<int64_t>(value);
    } else {
      kind_ = Kind::Real;
      real_ = static_cast<double>(value);
    }
  }

  bool is_floating_point() const { return kind_ == Kind::Real; }
  bool is_integral() const { return kind_ == Kind::Integer; }
  bool is_boolean() const { return kind_ == Kind::Bool; }
  /// The type that a tensor of this number alone has: bool, int64 or the default dtype.
  DType type() const { return is_boolean() ? kBool : is_integral() ? kInt64 : get_default_dtype(); }
  /// The value as a C++ number. Throws ValueError when an integer type cannot hold it.
  template <class T>
  T to() const {
    if constexpr (std::is_same_v<T, bool>) {
      return is_floating_point() ? real_ != 0 : integer_ != 0;
    } else if constexpr (std::is_floating_point_v<T>) {
      return is_floating_point() ? static_cast<T>(real_) : static_cast<T>(integer_);
    } else {
      const int64_t v = to_int64();
      WICK_CHECK(ValueError,
                 static_cast<int64_t>(static_cast<T>(v)) == v && (std::is_signed_v<T> || v >= 0),
                 "Scalar: ", v, " does not fit in the type it is converted to");
      return static_cast<T>(v);
    }
  }
  double toDouble() const { return to<double>(); }
  float toFloat() const { return to<float>(); }
  int64_t toLong() const { return to_int64(); }
  int toInt() const { return to<int>(); }
  bool toBool() const { return to<bool>(); }

 private:
  enum class Kind : uint8_t { Bool, Integer, Real };
  WICK_API int64_t to_int64() const;

  union {
    double real_;
    int64_t integer_;
  };
  Kind kind_;
};

WICK_API std::string to_string(const Scalar& value);

}  // namespace wick
