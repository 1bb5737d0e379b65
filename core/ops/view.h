#pragma once

#include <wick/core/tensor.h>
#include <optional>

// Views (core/ops/view.cpp): share elements with x. Dimensions may be negative.
namespace wick {

/// One size may be -1. Throws ShapeError where the strides do not allow a view.
WICK_API Tensor view(const Tensor& x, IntArrayRef sizes);
/// A view if possible, else a copy.
WICK_API Tensor reshape(const Tensor& x, IntArrayRef sizes);
WICK_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
WICK_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
WICK_API Tensor permute(const Tensor& x, IntArrayRef dims);
/// Without `dim` drops all dimensions of size 1; with it that one if its size is 1.
WICK_API Tensor squeeze(const Tensor& x);
WICK_API Tensor squeeze(const Tensor& x, int64_t dim);
WICK_API Tensor unsqueeze(const Tensor& x, int64_t dim);
/// -1 keeps a size; new dimensions come first. The copies have stride 0.
WICK_API Tensor expand(const Tensor& x, IntArrayRef sizes);
WICK_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// Elements start, start + step, ... below `end`; both are clamped as in Python; step > 0.
WICK_API Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = std::nullopt,
                      std::optional<int64_t> end = std::nullopt, int64_t step = 1);
/// Exactly `length` elements from `start`; throws IndexError beyond the end.
WICK_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
/// Any geometry inside the storage of x. Throws ShapeError outside it.
WICK_API Tensor as_strided(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                           std::optional<int64_t> storage_offset = std::nullopt);

}  // namespace wick
