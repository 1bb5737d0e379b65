#pragma once

#include <wick/kernels/args.h>
#include <wick/kernels/fault.h>

namespace wick {

/// Rows of x: [outer, size, inner] picked by index: int64 [count]. Contiguous.
struct IndexArgs {
  DType dtype = DType::Float32;
  int64_t outer = 1, size = 0, inner = 1, count = 0;
  FaultOp op = FaultOp::IndexSelect;  // for error texts
};

/// y: [outer, count, inner] = x[:, index, :]. Any dtype. An index outside [0, size) is a Fault: an
/// IndexError, which CUDA throws later (cuda/fault.h).
WICK_KERNEL(void, index_select, const IndexArgs& args, const void* x, const int64_t* index, void* y)
/// x[:, index, :] += y, in the order of the index (deterministic). x is [outer, size, inner].
/// Rows whose index is `skip` are left out (-1: none).
WICK_KERNEL(void, index_add, const IndexArgs& args, const void* y, const int64_t* index,
            int64_t skip, void* x)

}  // namespace wick
