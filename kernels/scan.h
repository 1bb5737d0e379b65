#pragma once

#include <wick/kernels/args.h>

namespace wick {

enum class ScanOp : uint8_t { Sum, Prod, Max };

/// Running results along the middle of x: [outer, dim, inner], contiguous, from its end if
/// `reverse`. Sum and Prod: floating types and int64, y has the type of x. Max: x is int64, y the
/// position (int64) of the largest number so far, of equal ones the last.
struct ScanArgs {
  ScanOp op = ScanOp::Sum;
  DType dtype = DType::Float32;
  bool reverse = false;
  int64_t outer = 1, dim = 0, inner = 1;
};

/// The order of additions depends on the shape alone.
WICK_KERNEL(void, scan, const ScanArgs& args, const void* x, void* y)

}  // namespace wick
