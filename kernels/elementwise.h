#pragma once

#include <wick/kernels/args.h>
#include <wick/kernels/pointwise_list.h>

// Elementwise kernels: shapes as in ElementwiseArgs, one launcher for every op of a family.
// The ops themselves are the structs of kernels/pointwise.h.
namespace wick {

#define WICK_ENUM(name, Name) Name,
enum class UnaryOp : uint8_t {
  WICK_UNARY_OPS(WICK_ENUM) WICK_UNARY_NUMBER_OPS(WICK_ENUM) WICK_UNARY_RARE_OPS(WICK_ENUM)
      WICK_UNARY_ROUNDING_OPS(WICK_ENUM)
};
enum class BinaryOp : uint8_t {
  WICK_BINARY_OPS(WICK_ENUM) WICK_BINARY_RARE_OPS(WICK_ENUM) WICK_BINARY_SPECIAL_OPS(WICK_ENUM)
};
enum class CompareOp : uint8_t { WICK_COMPARE_OPS(WICK_ENUM) };
#undef WICK_ENUM

/// out = f(x); all of one dtype. args.data[kNumbers]: the numbers of an op that has some.
WICK_KERNEL(void, unary, UnaryOp op, DType dtype, const ElementwiseArgs& args)
/// grad_x = grad_y * f'(x, y); operands: grad_x, grad_y, x, y. What the op does not need (its
/// `saves`) is passed as grad_y and not read. Floating types only.
WICK_KERNEL(void, unary_backward, UnaryOp op, DType dtype, const ElementwiseArgs& args)
/// out = f(a, b); all of one dtype. One of a, b may be the immediate. An integer divided by 0
/// throws ValueError on the CPU and is 0 on CUDA.
WICK_KERNEL(void, binary, BinaryOp op, DType dtype, const ElementwiseArgs& args)
/// grad_a = grad_y * df/da(a, b, y) (`side` 0) or the same for b (`side` 1); operands: grad_a,
/// grad_y, a, b, y. What is not needed is passed as grad_y. Floating types only.
WICK_KERNEL(void, binary_backward, BinaryOp op, int side, DType dtype, const ElementwiseArgs& args)
/// out (bool) = a ? b; a and b of `dtype`. b may be the immediate.
WICK_KERNEL(void, compare, CompareOp op, DType dtype, const ElementwiseArgs& args)
/// out = condition ? a : b; operands: out, condition (bool), a, b. a or b may be the immediate.
WICK_KERNEL(void, where, DType dtype, const ElementwiseArgs& args)
/// out = x converted. Float to integer: NaN gives 0, others saturate to int64 and then wrap; to
/// bool: x != 0. With to == from a bitwise copy.
WICK_KERNEL(void, copy, DType to, DType from, const ElementwiseArgs& args)
/// out = value; operand 0 only, the value in args.immediate.
WICK_KERNEL(void, fill, DType dtype, const ElementwiseArgs& args)
/// out[i] = start + i * step for i < n, computed in double (or int64 for integer types).
WICK_KERNEL(void, arange, DType dtype, void* out, int64_t n, Immediate start, Immediate step)

}  // namespace wick
