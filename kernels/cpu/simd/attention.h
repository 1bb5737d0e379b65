#pragma once

#include <wick/core/dtype.h>
#include <wick/kernels/cpu/isa.h>
#include <cstdint>

// The exponentials of attention, over tiles [rows, cols] of scores whose rows are ld elements
// apart. Float32 or float64.
namespace wick::cpu {

/// One step of an online softmax: scores become exp(score - max) with the new maximum of all seen
/// so far, sums and y [rows, width] are brought to it. A row that has seen only -inf has weights 0.
WICK_ISA_KERNEL(void, attention_step_part, DType dtype, int64_t rows, int64_t cols, void* scores,
                int64_t ld, void* max, void* sum, void* y, int64_t width)
/// scores become exp(score - log_sum_exp), 0 where that is -inf.
WICK_ISA_KERNEL(void, attention_weights_part, DType dtype, int64_t rows, int64_t cols, void* scores,
                int64_t ld, const void* log_sum_exp)

}  // namespace wick::cpu
