#pragma once

#include <wick/kernels/cpu/rows.h>
#include <wick/kernels/cpu/simd/elementwise.h>

namespace wick::cpu {

/// What the operands of a loop are in memory. Half types are converted to float32 before the loop
/// and back after it, unless `raw`.
struct Types {
  DType in;                          // of the inputs and of the immediate
  DType out;                         // of operand 0
  bool first_input_is_bool = false;  // the condition of `where`
  bool raw = false;

  DType of(int operand) const {
    return operand == 0 ? out : operand == 1 && first_input_is_bool ? DType::Bool : in;
  }
  bool widened(DType dtype) const { return !raw && is_reduced_float(dtype); }
};

/// The type in which a loop handles `dtype`.
inline DType loop_type(DType dtype) { return is_reduced_float(dtype) ? DType::Float32 : dtype; }

/// The immediate as an element of `dtype`, in the low bytes.
uint64_t immediate_bits(const Immediate& immediate, DType dtype);

void run_contiguous_parallel(Loop loop, const ElementwiseArgs& args, const Types& types);
void run_tiles(Loop loop, const ElementwiseArgs& args, const Types& types);

/// Runs a loop over the operands, whatever their strides: straight over memory that is contiguous,
/// else tile by tile through buffers.
inline void run_loop(Loop loop, const ElementwiseArgs& args, const Types& types) {
  const bool direct = args.contiguous && args.immediate_operand < 0 && !types.widened(types.in) &&
                      !types.widened(types.out);
  if (!direct) return run_tiles(loop, args, types);
  if (args.numel > kParallelElements) return run_contiguous_parallel(loop, args, types);
  loop(args.data, args.numel);
}

}  // namespace wick::cpu
