#pragma once

#include <wick/core/tensor.h>
#include <tuple>

// Linear algebra (core/ops/linalg.cpp) on float32 and float64 matrices [..., n, n]; leading
// dimensions are batches. Computed on the CPU: CUDA tensors are copied there and back. Where a
// matrix is singular, ValueError names the matrix of the batch and the pivot.
namespace wick {

/// Lower triangular L with x = L L^T, or upper U with x = U^T U; of a symmetric x one half is read.
/// Throws ValueError unless x is positive definite.
WICK_API Tensor linalg_cholesky(const Tensor& x, bool upper = false);
/// X with A X = B, or X A = B unless `left`, for a triangular A [..., n, n], whose other half is
/// not read; with `unitriangular` nor its diagonal, taken as 1. Batches broadcast.
WICK_API Tensor linalg_solve_triangular(const Tensor& a, const Tensor& b, bool upper,
                                        bool left = true, bool unitriangular = false);
/// X with A X = B, or X A = B unless `left`. B is [..., n, k], or, where its sizes are those of A
/// without the last (or it has 1 dimension), vectors [..., n].
WICK_API Tensor linalg_solve(const Tensor& a, const Tensor& b, bool left = true);
WICK_API Tensor linalg_inv(const Tensor& x);
/// The determinant. The gradient needs the inverse: it throws where x is singular.
WICK_API Tensor linalg_det(const Tensor& x);
/// Sign and logarithm of the absolute value of the determinant; 0 and -inf where x is singular.
WICK_API std::tuple<Tensor, Tensor> linalg_slogdet(const Tensor& x);
/// x^n; a negative n inverts.
WICK_API Tensor linalg_matrix_power(const Tensor& x, int64_t n);

// Older names.
inline Tensor cholesky(const Tensor& x, bool upper = false) { return linalg_cholesky(x, upper); }
inline Tensor inverse(const Tensor& x) { return linalg_inv(x); }
inline Tensor det(const Tensor& x) { return linalg_det(x); }
inline std::tuple<Tensor, Tensor> slogdet(const Tensor& x) { return linalg_slogdet(x); }
inline Tensor matrix_power(const Tensor& x, int64_t n) { return linalg_matrix_power(x, n); }

}  // namespace wick
