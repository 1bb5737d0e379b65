#pragma once

#include <wick/core/tensor.h>

// Tensors by a rule, and triangles and diagonals (core/ops/pattern.cpp).
namespace wick {

/// `steps` numbers from start to end, both included.
WICK_API Tensor linspace(Scalar start, Scalar end, int64_t steps,
                         const TensorOptions& options = {});
/// base to the power of these.
WICK_API Tensor logspace(Scalar start, Scalar end, int64_t steps, double base = 10,
                         const TensorOptions& options = {});
/// [n, m] (m = n unless given): ones on the diagonal, else zeros.
WICK_API Tensor eye(int64_t n, const TensorOptions& options = {});
WICK_API Tensor eye(int64_t n, int64_t m, const TensorOptions& options = {});
/// The elements [..., i, j] with j - i <= diagonal (>= diagonal); the others are 0.
WICK_API Tensor tril(const Tensor& x, int64_t diagonal = 0);
WICK_API Tensor triu(const Tensor& x, int64_t diagonal = 0);
/// Their coordinates in a matrix, in order: [2, count]; int64 unless another integer type is given.
WICK_API Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset = 0,
                             const TensorOptions& options = kInt64);
WICK_API Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset = 0,
                             const TensorOptions& options = kInt64);
/// A matrix with a vector on a diagonal, or that diagonal of a matrix (a copy).
WICK_API Tensor diag(const Tensor& x, int64_t diagonal = 0);
/// The last dimension on a diagonal of two new ones, dim1 and dim2 of the result; else zeros.
WICK_API Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2,
                           int64_t dim2 = -1);

}  // namespace wick
