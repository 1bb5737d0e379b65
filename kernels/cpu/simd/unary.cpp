#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class Op, class E>
void forward(void* const* operands, int64_t n) {
  const Op op = op_of<Op>(operands);
  if constexpr (std::is_integral_v<E>) {
    map_scalars<1, E>(
        operands, n, [op](E x) __attribute__((always_inline)) { return op.forward(x); });
  } else {
    using V = Vec<E>;
    map_vectors<1, V>(
        operands, n, [op](V x) __attribute__((always_inline)) { return op.forward(x); });
  }
}

template <class Op, class E>
void backward(void* const* operands, int64_t n) {
  const Op op = op_of<Op>(operands);
  using V = Vec<E>;
  map_vectors<3, V>(
      operands,
      n, [op](V g, V x, V y) __attribute__((always_inline)) { return g * op.derivative(x, y); });
}

template <class Op, class E>
void rare_forward(void* const* operands, int64_t n) {
  map_scalars<1, E>(
      operands, n, [](E x) __attribute__((always_inline)) { return Op::forward(x); });
}

template <class Op, class E>
void rare_backward(void* const* operands, int64_t n) {
  map_scalars<3, E>(
      operands, n,
      [](E g, E x, E y) __attribute__((always_inline)) { return g * Op::derivative(x, y); });
}

/// One of two loops for a floating type.
Loop either(DType dtype, Loop of_float, Loop of_double) {
  return dtype == DType::Float32 ? of_float : dtype == DType::Float64 ? of_double : nullptr;
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
      return either(dtype, forward<Op, float>, forward<Op, double>);
  }
}

}  // namespace

Loop unary_loop(UnaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return either(dtype, forward<pointwise::Name, float>, forward<pointwise::Name, double>);
    WICK_UNARY_FLOAT_OPS(WICK_CASE)
    WICK_UNARY_SPECIAL_OPS(WICK_CASE)
    WICK_UNARY_NUMBER_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return any_loop<pointwise::Name>(dtype);
    WICK_UNARY_ANY_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name)                                  \
  case UnaryOp::Name:                                          \
    return either(dtype, rare_forward<pointwise::Name, float>, \
                  rare_forward<pointwise::Name, double>);
    WICK_UNARY_RARE_OPS(WICK_CASE)
    WICK_UNARY_ROUNDING_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

Loop unary_backward_loop(UnaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return either(dtype, backward<pointwise::Name, float>, backward<pointwise::Name, double>);
    WICK_UNARY_OPS(WICK_CASE)
    WICK_UNARY_NUMBER_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name)                                   \
  case UnaryOp::Name:                                           \
    return either(dtype, rare_backward<pointwise::Name, float>, \
                  rare_backward<pointwise::Name, double>);
    WICK_UNARY_RARE_OPS(WICK_CASE)
    WICK_UNARY_ROUNDING_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

}  // namespace wick::cpu::WICK_ISA
