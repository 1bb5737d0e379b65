#pragma once

#include <wick/core/tensor.h>

// Indexing and joining (core/ops/index.cpp)
namespace wick {

/// Rows of dimension `dim`; index is int64 (or int32) with at most 1 dimension.
WICK_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// Tensors that agree in all sizes but that of `dim`; types are promoted.
WICK_API Tensor cat(TensorList tensors, int64_t dim = 0);
/// Adds a new dimension.
WICK_API Tensor stack(TensorList tensors, int64_t dim = 0);
/// Rows of weight [num, dim] by index (int64, any shape) -> index.shape + [dim]. Rows equal to
/// `padding_idx` (-1: none) get no gradient.
WICK_API Tensor embedding(const Tensor& weight, const Tensor& index, int64_t padding_idx = -1);

}  // namespace wick
