#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <vector>

// Reading and writing at indices (core/ops/scatter.cpp). Indices are int64 or int32; one out of
// range is an IndexError. Every op is deterministic: what meets in one place is added in the order
// of the index, and of several writes the last one stays.
namespace wick {

/// y[i][j][k] = x[i][index[i][j][k]][k] for dim 1; y has the shape of the index, which has as many
/// dimensions as x and is nowhere larger but in `dim`.
WICK_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
/// A copy of x with x[i][index[i][j][k]][k] = source[i][j][k] for dim 1. The source has x's type
/// and is at least as large as the index.
WICK_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
WICK_API Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
/// The same, added.
WICK_API Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index,
                            const Tensor& source);
/// A copy of x to whose rows `index` (at most 1 dimension) of `dim` alpha times the rows of source
/// are added.
WICK_API Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                          Scalar alpha = 1);
/// A copy of x whose rows `index` are those of source, or all `value`.
WICK_API Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
WICK_API Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
/// Elements of the flattened x, in the shape of the index; negative ones count from the end.
WICK_API Tensor take(const Tensor& x, const Tensor& index);
/// gather after broadcasting x and index in all dimensions but `dim`; without it of both flattened.
WICK_API Tensor take_along_dim(const Tensor& x, const Tensor& index,
                               std::optional<int64_t> dim = std::nullopt);
/// The elements where the bool mask, which broadcasts with x, is true, in one dimension. This and
/// the next two wait for CUDA.
WICK_API Tensor masked_select(const Tensor& x, const Tensor& mask);
/// The coordinates [count, dim] of elements that are not 0, in order.
WICK_API Tensor nonzero(const Tensor& x);
/// The same in a tensor for each dimension.
WICK_API std::vector<Tensor> where(const Tensor& condition);
/// int64 [..., num_classes]: 1 at the class, else 0. num_classes -1: the largest class + 1.
WICK_API Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

}  // namespace wick
