#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/pool.h>

namespace wick::cpu {

/// Planes [begin, end). Half types need `scratch` for one input and one output plane in float32;
/// otherwise it may be null.
WICK_ISA_KERNEL(void, max_pool2d_part, const Pool2dArgs& args, const void* x, void* y,
                int64_t* indices, int64_t begin, int64_t end, float* scratch)
WICK_ISA_KERNEL(void, max_pool2d_backward_part, const Pool2dArgs& args, const void* grad_y,
                const int64_t* indices, void* grad_x, int64_t begin, int64_t end, float* scratch)
WICK_ISA_KERNEL(void, avg_pool2d_part, const Pool2dArgs& args, const void* x, void* y,
                int64_t begin, int64_t end, float* scratch)
WICK_ISA_KERNEL(void, avg_pool2d_backward_part, const Pool2dArgs& args, const void* grad_y,
                void* grad_x, int64_t begin, int64_t end, float* scratch)

}  // namespace wick::cpu
