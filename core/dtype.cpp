#include <wick/core/dtype.h>

#include <algorithm>
#include <atomic>

namespace wick {
namespace {

std::atomic<DType> default_dtype{DType::Float32};

}  // namespace

const char* name_of(DType dtype) {
  constexpr const char* kNames[kNumDTypes] = {"bool",  "uint8",   "int8",     "int16",   "int32",
                                              "int64", "float16", "bfloat16", "float32", "float64"};
  const auto i = static_cast<size_t>(dtype);
  return i < kNumDTypes ? kNames[i] : "unknown";
}

DType promote_types(DType a, DType b) {
  const DType low = std::min(a, b), high = std::max(a, b);
  // The enumeration is in the order of promotion, but for two pairs of which neither holds the
  // other's values.
  if (low == DType::UInt8 && high == DType::Int8) return DType::Int16;
  if (low == DType::Float16 && high == DType::BFloat16) return DType::Float32;
  return high;
}

DType get_default_dtype() { return default_dtype.load(std::memory_order_relaxed); }

void set_default_dtype(DType dtype) {
  WICK_CHECK(DTypeError, is_floating_point(dtype),
             "set_default_dtype: expected a floating-point type, got ", dtype);
  default_dtype.store(dtype, std::memory_order_relaxed);
}

}  // namespace wick
