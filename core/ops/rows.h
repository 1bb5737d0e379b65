#pragma once

#include <wick/core/ops/common.h>
#include <wick/kernels/index.h>

// What the ops that read and write by index share. Internal.
namespace wick::detail {

/// x as [outer, size, inner] around dimension `dim`; `count` rows are picked.
IndexArgs index_args(FaultOp op, const Tensor& x, int64_t dim, int64_t count);

/// `dim` of a tensor that has one, made non-negative.
int checked_dim(const char* op, const Tensor& x, int64_t dim);
/// Dimensions, made non-negative and all different, as bits.
unsigned dim_bits(const char* op, const Tensor& x, IntArrayRef dims);

inline TensorOptions index_options(const Tensor& x) {
  return TensorOptions(kInt64).device(x.device());
}

/// Dense int64 numbers on x's device; a kernel checks their range.
Tensor checked_index(const char* op, const Tensor& x, const Tensor& index);

/// Kernel flat_index over a dense `index`; `rows` may be undefined.
Tensor flat_index(const IndexArgs& args, bool wrap, const Tensor& index, const Tensor& rows);

/// The elements of a bool tensor that are true: [count, dim] coordinates, or as numbers [count] of
/// the flattened tensor. Waits for CUDA.
Tensor true_places(const Tensor& x, bool coordinates);

/// Writes (adds) `values` to the rows `index` of dimension `dim` of x in the shape `sizes`,
/// whatever x's strides are. Recorded.
void put_rows(const Tensor& x, IntArrayRef sizes, int64_t dim, const Tensor& index,
              const Tensor& values, bool accumulate);

}  // namespace wick::detail
