#pragma once

#include <wick/kernels/args.h>
#include <wick/kernels/fault.h>
#include <vector>

namespace wick {

/// Rows of x: [outer, size, inner] picked by index: int64 [count]. Contiguous.
struct IndexArgs {
  DType dtype = DType::Float32;
  int64_t outer = 1, size = 0, inner = 1, count = 0;
  FaultOp op = FaultOp::IndexSelect;  // for error texts
  bool overwrite = false;             // of index_add: x = y, of equal rows the last one
};

/// y: [outer, count, inner] = x[:, index, :]. Any dtype. An index outside [0, size) is a Fault: an
/// IndexError, which CUDA throws later (cuda/fault.h).
WICK_KERNEL(void, index_select, const IndexArgs& args, const void* x, const int64_t* index, void* y)
/// x[:, index, :] += y, in the order of the index (deterministic). x is [outer, size, inner].
/// Rows whose index is `skip` are left out (-1: none).
WICK_KERNEL(void, index_add, const IndexArgs& args, const void* y, const int64_t* index,
            int64_t skip, void* x)
/// flat[j] = (row * size + index[j]) * inner + j % inner: the place in [outer, size, inner] of the
/// element that index: [outer, count, inner] names. `row` is j / (count * inner), or rows[j] if
/// that is not null (-1: there is none). With `wrap` negative indices count from the end. A bad
/// index is a Fault and -1.
WICK_KERNEL(void, flat_index, const IndexArgs& args, bool wrap, const int64_t* index,
            const int64_t* rows, int64_t* flat)

/// Numbers of elements that are true: before each chunk of kTrueChunk, and last in all. On CUDA
/// waits for the device.
inline constexpr int64_t kTrueChunk = 4096;
WICK_KERNEL(std::vector<int64_t>, count_true, int64_t n, const bool* x)
/// The shape of x, for the coordinates in it.
struct TrueArgs {
  int64_t n = 0;
  int ndim = 0;
  int64_t sizes[kMaxRank] = {};
};
/// out: [count, ndim], the coordinates of the elements that are true, in order. `before` is what
/// count_true gave.
WICK_KERNEL(void, find_true, const TrueArgs& args, const bool* x,
            const std::vector<int64_t>& before, int64_t* out)

}  // namespace wick
