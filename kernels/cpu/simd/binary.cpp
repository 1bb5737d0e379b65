#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class Op, class E>
void forward(void* const* operands, int64_t n) {
  if constexpr (std::is_integral_v<E>) {
    E* const out = static_cast<E*>(operands[0]);
    const E* const a = static_cast<const E*>(operands[1]);
    const E* const b = static_cast<const E*>(operands[2]);
    WICK_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = Op::forward(a[i], b[i]);
  } else {
    using V = Vec<E>;
    map_vectors<2, V>(
        operands, n, [](V a, V b) __attribute__((always_inline)) { return Op::forward(a, b); });
  }
}

template <class Op, class E, int kSide>
void backward(void* const* operands, int64_t n) {
  using V = Vec<E>;
  map_vectors<4, V>(
      operands, n, [](V g, V a, V b, V y) __attribute__((always_inline)) {
        if constexpr (kSide == 0) {
          return Op::grad_a(g, a, b, y);
        } else {
          return Op::grad_b(g, a, b, y);
        }
      });
}

// Which types an op has beside the floating ones.
template <class Op>
constexpr bool kHasIntegers = !std::is_same_v<Op, pointwise::Div>;
template <class Op>
constexpr bool kHasBool =
    std::is_same_v<Op, pointwise::Add> || std::is_same_v<Op, pointwise::Mul> ||
    std::is_same_v<Op, pointwise::Maximum> || std::is_same_v<Op, pointwise::Minimum>;

template <class Op>
Loop forward_loop(DType dtype) {
  if (dtype == DType::Float32) return forward<Op, float>;
  if (dtype == DType::Float64) return forward<Op, double>;
  if constexpr (kHasBool<Op>) {
    if (dtype == DType::Bool) return forward<Op, bool>;
  }
  if constexpr (kHasIntegers<Op>) {
    switch (dtype) {
      case DType::UInt8:
        return forward<Op, uint8_t>;
      case DType::Int8:
        return forward<Op, int8_t>;
      case DType::Int16:
        return forward<Op, int16_t>;
      case DType::Int32:
        return forward<Op, int32_t>;
      case DType::Int64:
        return forward<Op, int64_t>;
      default:
        break;
    }
  }
  return nullptr;
}

template <class Op>
Loop backward_loop(int side, DType dtype) {
  switch (dtype) {
    case DType::Float32:
      return side == 0 ? backward<Op, float, 0> : backward<Op, float, 1>;
    case DType::Float64:
      return side == 0 ? backward<Op, double, 0> : backward<Op, double, 1>;
    default:
      return nullptr;
  }
}

}  // namespace

Loop binary_loop(BinaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return forward_loop<pointwise::Name>(dtype);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

Loop binary_backward_loop(BinaryOp op, int side, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return backward_loop<pointwise::Name>(side, dtype);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

}  // namespace wick::cpu::WICK_ISA
