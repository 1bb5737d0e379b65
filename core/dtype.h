#pragma once

#include <wick/core/check.h>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#if defined(__CUDACC__)
#define WICK_HOST_DEVICE __host__ __device__
#else
#define WICK_HOST_DEVICE
#endif

namespace wick {

/// Most dimensions that a tensor can have. Sizes and strides live inside TensorImpl.
inline constexpr int kMaxRank = 8;

/// Element types. The order is the order of promotion inside a category.
enum class DType : uint8_t {
  Bool,
  UInt8,
  Int8,
  Int16,
  Int32,
  Int64,
  Float16,
  BFloat16,
  Float32,
  Float64,
};
using ScalarType = DType;
inline constexpr int kNumDTypes = 10;

inline constexpr DType kBool = DType::Bool;
inline constexpr DType kUInt8 = DType::UInt8, kByte = kUInt8;
inline constexpr DType kInt8 = DType::Int8, kChar = kInt8;
inline constexpr DType kInt16 = DType::Int16, kShort = kInt16;
inline constexpr DType kInt32 = DType::Int32, kInt = kInt32;
inline constexpr DType kInt64 = DType::Int64, kLong = kInt64;
inline constexpr DType kFloat16 = DType::Float16, kHalf = kFloat16;
inline constexpr DType kBFloat16 = DType::BFloat16;
inline constexpr DType kFloat32 = DType::Float32, kFloat = kFloat32;
inline constexpr DType kFloat64 = DType::Float64, kDouble = kFloat64;

/// Bytes of one element.
constexpr int64_t element_size(DType dtype) {
  constexpr int8_t kBytes[kNumDTypes] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
  return kBytes[static_cast<int>(dtype)];
}
constexpr bool is_floating_point(DType dtype) { return dtype >= DType::Float16; }
constexpr bool is_reduced_float(DType dtype) {
  return dtype == DType::Float16 || dtype == DType::BFloat16;
}
/// True for the integer types; bool is not one.
constexpr bool is_integral(DType dtype) { return dtype > DType::Bool && dtype < DType::Float16; }
constexpr bool is_signed(DType dtype) { return dtype != DType::Bool && dtype != DType::UInt8; }

/// "float32", "int64", ...
WICK_API const char* name_of(DType dtype);
inline std::string to_string(DType dtype) { return name_of(dtype); }

/// The type in which `a op b` is computed when both are tensors with at least one dimension
/// (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc).
WICK_API DType promote_types(DType a, DType b);

/// The type of new floating-point tensors, float32 unless changed.
WICK_API DType get_default_dtype();
/// Throws DTypeError unless `dtype` is a floating-point type.
WICK_API void set_default_dtype(DType dtype);

/// IEEE binary16 as a storage type: convert to float, compute, convert back (round to nearest
/// even).
struct Half {
  uint16_t bits = 0;
  Half() = default;
  WICK_HOST_DEVICE explicit Half(float value);
  WICK_HOST_DEVICE operator float() const;
};

/// bfloat16 as a storage type: the upper half of a float (round to nearest even).
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  WICK_HOST_DEVICE explicit BFloat16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    bits = (u & 0x7fffffffu) > 0x7f800000u
               ? static_cast<uint16_t>((u >> 16) | 0x40u)  // keep a NaN a NaN
               : static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  WICK_HOST_DEVICE operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

inline WICK_HOST_DEVICE Half::Half(float value) {
  uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000u;
  u &= 0x7fffffffu;
  uint32_t h;
  if (u > 0x7f800000u) {
    h = 0x7e00u | ((u >> 13) & 0x3ffu);  // NaN
  } else if (u >= 0x477ff000u) {
    h = 0x7c00u;  // rounds to infinity
  } else if (u >= 0x38800000u) {
    h = (u - 0x38000000u + 0xfffu + ((u >> 13) & 1u)) >> 13;  // normal
  } else {
    // Subnormal or zero: adding 0.5 aligns the mantissa so that the hardware rounds for us.
    h = std::bit_cast<uint32_t>(std::bit_cast<float>(u) + 0.5f) - 0x3f000000u;
  }
  bits = static_cast<uint16_t>(sign | h);
}

inline WICK_HOST_DEVICE Half::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1fu) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 5.9604644775390625e-8f;  // 2^-24, exact
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

template <class T>
struct DTypeOf;
#define WICK_DTYPE_OF(T, D)                  \
  template <>                                \
  struct DTypeOf<T> {                        \
    static constexpr DType value = DType::D; \
  };
WICK_DTYPE_OF(bool, Bool)
WICK_DTYPE_OF(uint8_t, UInt8)
WICK_DTYPE_OF(int8_t, Int8)
WICK_DTYPE_OF(int16_t, Int16)
WICK_DTYPE_OF(int32_t, Int32)
WICK_DTYPE_OF(int64_t, Int64)
WICK_DTYPE_OF(Half, Float16)
WICK_DTYPE_OF(BFloat16, BFloat16)
WICK_DTYPE_OF(float, Float32)
WICK_DTYPE_OF(double, Float64)
WICK_DTYPE_OF(long long, Int64)
#undef WICK_DTYPE_OF
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// Calls f with a value of the C++ type of `dtype`: visit_dtype(d, [&](auto t) { using T =
/// decltype(t); }).
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Bool:
      return f(bool{});
    case DType::UInt8:
      return f(uint8_t{});
    case DType::Int8:
      return f(int8_t{});
    case DType::Int16:
      return f(int16_t{});
    case DType::Int32:
      return f(int32_t{});
    case DType::Int64:
      return f(int64_t{});
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
  }
  WICK_FAIL(InternalError, "unknown element type");
}

}  // namespace wick
