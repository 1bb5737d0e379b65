#include <wick/kernels/cpu/simd/loops.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class Op, class E>
void forward(void* const* operands, int64_t n) {
  if constexpr (std::is_integral_v<E>) {
    map_scalars<2, E>(
        operands, n, [](E a, E b) __attribute__((always_inline)) { return Op::forward(a, b); });
  } else {
    using V = Vec<E>;
    map_vectors<2, V>(
        operands, n, [](V a, V b) __attribute__((always_inline)) { return Op::forward(a, b); });
  }
}

template <class Op, class E>
void rare_forward(void* const* operands, int64_t n) {
  map_scalars<2, E>(
      operands, n, [](E a, E b) __attribute__((always_inline)) { return Op::forward(a, b); });
}

/// Quotients and remainders of integers.
template <class Op, BinaryOp kKind, class E>
void divide(void* const* operands, int64_t n) {
  const E* const b = static_cast<const E*>(operands[2]);
  bool zero = false;
  for (int64_t i = 0; i < n; ++i) zero |= b[i] == 0;
  if (zero) throw_zero_division(kKind);
  rare_forward<Op, E>(operands, n);
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

template <class Op, int kSide, class E>
void rare_backward(void* const* operands, int64_t n) {
  map_scalars<4, E>(
      operands, n, [](E g, E a, E b, E y) __attribute__((always_inline)) {
        if constexpr (kSide == 0) {
          return Op::grad_a(g, a, b, y);
        } else {
          return Op::grad_b(g, a, b, y);
        }
      });
}

constexpr bool divides(BinaryOp op) {
  return op == BinaryOp::Remainder || op == BinaryOp::Fmod || op == BinaryOp::FloorDivide ||
         op == BinaryOp::TruncDivide;
}

template <class Op, BinaryOp kKind, bool kRare, class E>
Loop loop_if_defined() {
  if constexpr (!pointwise::kDefined<Op, E>) {
    return nullptr;
  } else if constexpr (std::is_integral_v<E> && divides(kKind)) {
    return divide<Op, kKind, E>;
  } else if constexpr (kRare) {
    return rare_forward<Op, E>;
  } else {
    return forward<Op, E>;
  }
}

template <class Op, BinaryOp kKind, bool kRare>
Loop forward_loop(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return loop_if_defined<Op, kKind, kRare, bool>();
    case DType::UInt8:
      return loop_if_defined<Op, kKind, kRare, uint8_t>();
    case DType::Int8:
      return loop_if_defined<Op, kKind, kRare, int8_t>();
    case DType::Int16:
      return loop_if_defined<Op, kKind, kRare, int16_t>();
    case DType::Int32:
      return loop_if_defined<Op, kKind, kRare, int32_t>();
    case DType::Int64:
      return loop_if_defined<Op, kKind, kRare, int64_t>();
    case DType::Float32:
      return loop_if_defined<Op, kKind, kRare, float>();
    case DType::Float64:
      return loop_if_defined<Op, kKind, kRare, double>();
    default:
      return nullptr;
  }
}

template <class Op, bool kRare>
Loop backward_loop(int side, DType dtype) {
  if constexpr (kRare) {
    if constexpr (!pointwise::kDefined<Op, float>) return nullptr;
    if (dtype == DType::Float32)
      return side == 0 ? rare_backward<Op, 0, float> : rare_backward<Op, 1, float>;
    if (dtype == DType::Float64)
      return side == 0 ? rare_backward<Op, 0, double> : rare_backward<Op, 1, double>;
    return nullptr;
  } else {
    switch (dtype) {
      case DType::Float32:
        return side == 0 ? backward<Op, float, 0> : backward<Op, float, 1>;
      case DType::Float64:
        return side == 0 ? backward<Op, double, 0> : backward<Op, double, 1>;
      default:
        return nullptr;
    }
  }
}

}  // namespace

Loop binary_loop(BinaryOp op, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return forward_loop<pointwise::Name, BinaryOp::Name, false>(dtype);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return forward_loop<pointwise::Name, BinaryOp::Name, true>(dtype);
    WICK_BINARY_RARE_OPS(WICK_CASE)
    WICK_BINARY_SPECIAL_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

Loop binary_backward_loop(BinaryOp op, int side, DType dtype) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return backward_loop<pointwise::Name, false>(side, dtype);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return backward_loop<pointwise::Name, true>(side, dtype);
    WICK_BINARY_RARE_OPS(WICK_CASE)
    WICK_BINARY_SPECIAL_OPS(WICK_CASE)
#undef WICK_CASE
  }
  return nullptr;
}

}  // namespace wick::cpu::WICK_ISA
