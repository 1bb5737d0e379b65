#include <wick/kernels/convert.h>
#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class To, class From>
void convert_all(void* const* operands, int64_t n) {
  To* const out = static_cast<To*>(operands[0]);
  const From* const x = static_cast<const From*>(operands[1]);
  WICK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i]);
}

template <class From>
Loop loop_to(DType to) {
  switch (to) {
    case DType::Bool:
      return convert_all<bool, From>;
    case DType::UInt8:
      return convert_all<uint8_t, From>;
    case DType::Int8:
      return convert_all<int8_t, From>;
    case DType::Int16:
      return convert_all<int16_t, From>;
    case DType::Int32:
      return convert_all<int32_t, From>;
    case DType::Int64:
      return convert_all<int64_t, From>;
    case DType::Float32:
      return convert_all<float, From>;
    case DType::Float64:
      return convert_all<double, From>;
    default:
      return nullptr;
  }
}

}  // namespace

Loop convert_loop(DType to, DType from) {
  switch (from) {
    case DType::Bool:
      return loop_to<bool>(to);
    case DType::UInt8:
      return loop_to<uint8_t>(to);
    case DType::Int8:
      return loop_to<int8_t>(to);
    case DType::Int16:
      return loop_to<int16_t>(to);
    case DType::Int32:
      return loop_to<int32_t>(to);
    case DType::Int64:
      return loop_to<int64_t>(to);
    case DType::Float32:
      return loop_to<float>(to);
    case DType::Float64:
      return loop_to<double>(to);
    default:
      return nullptr;
  }
}

void half_to_float(DType half, const void* x, float* y, int64_t n) {
  constexpr int kSize = VecF::kSize;
  const uint16_t* const in = static_cast<const uint16_t*>(x);
  const bool bfloat = half == DType::BFloat16;
  int64_t i = 0;
  for (; i + kSize <= n; i += kSize) {
    (bfloat ? load_bfloat16(in + i) : load_half(in + i)).store(y + i);
  }
  if (i == n) return;
  uint16_t rest[kSize] = {};
  for (int64_t j = i; j < n; ++j) rest[j - i] = in[j];
  (bfloat ? load_bfloat16(rest) : load_half(rest)).store(y + i, n - i);
}

void float_to_half(DType half, const float* x, void* y, int64_t n) {
  constexpr int kSize = VecF::kSize;
  uint16_t* const out = static_cast<uint16_t*>(y);
  const bool bfloat = half == DType::BFloat16;
  int64_t i = 0;
  for (; i + kSize <= n; i += kSize) {
    const VecF v = VecF::load(x + i);
    bfloat ? store_bfloat16(out + i, v) : store_half(out + i, v);
  }
  if (i == n) return;
  uint16_t rest[kSize];
  const VecF v = VecF::load(x + i, n - i);
  bfloat ? store_bfloat16(rest, v) : store_half(rest, v);
  for (int64_t j = i; j < n; ++j) out[j] = rest[j - i];
}

}  // namespace wick::cpu::WICK_ISA
