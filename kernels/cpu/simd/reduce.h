#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/reduce.h>

namespace wick::cpu {

/// A rectangle of kept x reduced, both counted row-major over their dimensions.
struct ReducePart {
  int64_t kept_begin, kept_end, reduced_begin, reduced_end;
};

/// Accumulators hold float32 for float32 and half types, float64 for float64, else int64.
constexpr DType accumulator_type(DType type) {
  return type == DType::Float64    ? DType::Float64
         : is_floating_point(type) ? DType::Float32
                                   : DType::Int64;
}

/// acc[i] = the reduction of the part's i-th output over the part's inputs; Mean is only summed,
/// Any and All give 0 or 1.
WICK_ISA_KERNEL(void, reduce_part, ReduceOp op, DType type, const ReduceArgs& args,
                const ReducePart& part, void* acc)
/// values (accumulators) and indices receive kept_end - kept_begin results each.
WICK_ISA_KERNEL(void, reduce_index_part, ReduceOp op, DType type, const ReduceArgs& args,
                int64_t kept_begin, int64_t kept_end, void* values, int64_t* indices)

}  // namespace wick::cpu
