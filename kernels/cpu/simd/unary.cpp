#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class Op, class E>
void forward(void* const* operands, int64_t n) {
  if constexpr (std::is_integral_v<E>) {
    E* const out = static_cast<E*>(operands[0]);
    const E* const x = static_cast<const E*>(operands[1]);
    WICK_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) out[i] = Op::forward(x[i]);
  } else {
    using V = Vec<E>;
    map_vectors<1, V>(
        operands, n, [](V x) __attribute__((always_inline)) { return Op::forward(x); });
  }
}

template <class Op, class E>
void backward(void* const* operands, int64_t n) {
  using V = Vec<E>;
  map_vectors<3, V>(
      operands, n,
      [](V g, V x, V y) __attribute__((always_inline)) { return g * Op::derivative(x, y); });
}

template <class Op>
Loop float_loop(DType dtype) {
  switch (dtype) {
    case DType::Float32:
      return forward<Op, float>;
    case DType::Float64:
      return forward<Op, double>;
    default:
      return nullptr;
  }
}

template <class Op>
Loop any_loop(DType dtype) {
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
      return float_loop<Op>(dtype);
  }
}

template <class Op>
Loop backward_loop(DType dtype) {
  switch (dtype) {
    case DType::Float32:
      return backward<Op, float>;
    case DType::Float64:
      return backward<Op, double>;
    default:
      return nullptr;
  }
}

}  // namespace

Loop unary_loop(UnaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return float_loop<pointwise::Name>(dtype);
    WICK_UNARY_FLOAT_OPS(WICK_CASE)
    WICK_UNARY_SPECIAL_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return any_loop<pointwise::Name>(dtype);
    WICK_UNARY_ANY_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

Loop unary_backward_loop(UnaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return backward_loop<pointwise::Name>(dtype);
    WICK_UNARY_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

}  // namespace wick::cpu::WICK_ISA
