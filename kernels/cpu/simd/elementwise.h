#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/elementwise.h>

// The inner loops of the elementwise kernels, over contiguous memory. kernels/cpu/elementwise.cpp
// brings everything else down to them.
namespace wick::cpu {

/// operands[0] receives n elements computed from operands[1], operands[2], ...; it may be one of
/// them. operands[ElementwiseArgs::kNumbers] is read for ops with numbers alone. An element's bits
/// do not depend on its position.
using Loop = void (*)(void* const* operands, int64_t n);

// Operands are as those of the kernels of these names in kernels/elementwise.h. Null where the op
// does not exist for the type; half types never do, they are converted to float32 around the loop.
[[noreturn]] void throw_zero_division(BinaryOp op);
WICK_ISA_KERNEL(Loop, unary_loop, UnaryOp op, DType dtype)
WICK_ISA_KERNEL(Loop, unary_backward_loop, UnaryOp op, DType dtype)
WICK_ISA_KERNEL(Loop, binary_loop, BinaryOp op, DType dtype)
WICK_ISA_KERNEL(Loop, binary_backward_loop, BinaryOp op, int side, DType dtype)
WICK_ISA_KERNEL(Loop, compare_loop, CompareOp op, DType dtype)
WICK_ISA_KERNEL(Loop, where_loop, int64_t element_size)
/// out = x converted (kernels/convert.h); neither a half type.
WICK_ISA_KERNEL(Loop, convert_loop, DType to, DType from)
/// n numbers of a half type (Float16, BFloat16) to float32 and back.
WICK_ISA_KERNEL(void, half_to_float, DType half, const void* x, float* y, int64_t n)
WICK_ISA_KERNEL(void, float_to_half, DType half, const float* x, void* y, int64_t n)

}  // namespace wick::cpu
