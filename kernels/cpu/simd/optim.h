#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/optim.h>

namespace wick::cpu {

/// The step of kernels/optim.h on one contiguous piece of Float32 or Float64.
WICK_ISA_KERNEL(void, sgd_step, const SgdArgs& args, const SgdTensor& piece)

}  // namespace wick::cpu
