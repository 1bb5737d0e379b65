#pragma once

#include <wick/kernels/args.h>

namespace wick {

enum class ReduceOp : uint8_t { Sum, SumSquares, Mean, Prod, Max, Min, Any, All };

/// A reduction over any set of dimensions. The input is seen as kept x reduced; the output is dense
/// in the order of the kept dimensions. Both parts are already merged where possible; each is
/// sorted so that its last dimension is innermost in memory.
struct ReduceArgs {
  int64_t kept = 1;     // number of outputs, >= 0
  int64_t reduced = 1;  // inputs for each output, >= 0
  int kept_ndim = 0;
  int reduced_ndim = 0;
  int64_t kept_sizes[kMaxRank] = {};
  int64_t kept_strides[kMaxRank] = {};      // of the input
  int64_t kept_out_strides[kMaxRank] = {};  // of the output
  int64_t reduced_sizes[kMaxRank] = {};
  int64_t reduced_strides[kMaxRank] = {};
  const void* in = nullptr;
  void* out = nullptr;
};

/// Sum, Prod: `out_type` is the type of accumulation and of the result (int64 for integers and
/// bool), except that half types accumulate in float32. SumSquares: as Sum, floating types, each
/// element times itself. Mean: floating types, in == out. Max, Min:
/// in == out, a NaN wins; `reduced` must be > 0. Any, All: out is bool. Empty Sum 0, Prod 1, Mean
/// NaN, Any false, All true. Floating sums are pairwise or blocked (error O(log n)) and do not
/// depend on the thread count.
WICK_KERNEL(void, reduce, ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args)

/// Max or Min with the position (row-major over the reduced dimensions *in the order given*, which
/// here is the caller's order, not memory order) of the first extreme element; the first NaN wins.
/// `values` may be null (argmax); both outputs are indexed by kept_out_strides. reduced > 0.
WICK_KERNEL(void, reduce_index, ReduceOp op, DType dtype, const ReduceArgs& args, void* values,
            int64_t* indices)

}  // namespace wick
