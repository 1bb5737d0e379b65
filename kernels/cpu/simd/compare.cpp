#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class Op, class E>
void compare(void* const* operands, int64_t n) {
  bool* const out = static_cast<bool*>(operands[0]);
  const E* const a = static_cast<const E*>(operands[1]);
  const E* const b = static_cast<const E*>(operands[2]);
  WICK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) out[i] = Op::forward(a[i], b[i]);
}

template <class Op>
Loop loop_of(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return compare<Op, bool>;
    case DType::UInt8:
      return compare<Op, uint8_t>;
    case DType::Int8:
      return compare<Op, int8_t>;
    case DType::Int16:
      return compare<Op, int16_t>;
    case DType::Int32:
      return compare<Op, int32_t>;
    case DType::Int64:
      return compare<Op, int64_t>;
    case DType::Float32:
      return compare<Op, float>;
    case DType::Float64:
      return compare<Op, double>;
    default:
      return nullptr;
  }
}

template <class E>
void select(void* const* operands, int64_t n) {
  E* const out = static_cast<E*>(operands[0]);
  const uint8_t* const condition = static_cast<const uint8_t*>(operands[1]);
  const E* const a = static_cast<const E*>(operands[2]);
  const E* const b = static_cast<const E*>(operands[3]);
  WICK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const E x = a[i], y = b[i];
    out[i] = condition[i] != 0 ? x : y;
  }
}

}  // namespace

Loop compare_loop(CompareOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case CompareOp::Name:       \
    return loop_of<pointwise::Name>(dtype);
    WICK_COMPARE_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

Loop where_loop(int64_t element_size) {
  switch (element_size) {
    case 1:
      return select<uint8_t>;
    case 2:
      return select<uint16_t>;
    case 4:
      return select<uint32_t>;
    default:
      return select<uint64_t>;
  }
}

}  // namespace wick::cpu::WICK_ISA
