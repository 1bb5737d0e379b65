#pragma once

#include <wick/core/dtype.h>
#include <cstdint>

// Factorizations of float32 and float64 matrices on the CPU, row-major, in place, `batch` one after
// another.
namespace wick::cpu {

/// a [n, n] = P^T L U: U on and above the diagonal, below it L, whose diagonal is 1. Row i was
/// swapped with row pivots[i] >= i (https://en.wikipedia.org/wiki/LU_decomposition, partial
/// pivoting). A pivot of 0 stays in U.
void lu_factor(DType dtype, int64_t batch, int64_t n, void* a, int64_t* pivots);
/// a = L L^T of a's lower half, which becomes L; the rest is left. failed[i] is the pivot that is
/// not positive, where matrix i ends, or -1.
void cholesky(DType dtype, int64_t batch, int64_t n, void* a, int64_t* failed);
/// b [n, k] = the rows of b swapped as by lu_factor.
void swap_rows(DType dtype, int64_t batch, int64_t n, int64_t k, const int64_t* pivots, void* b);
/// b [n, k] = x with a x = b for one half of a [n, n], its diagonal taken as 1 if `unit`.
void solve_triangular(DType dtype, int64_t batch, int64_t n, int64_t k, const void* a, bool upper,
                      bool unit, void* b);

}  // namespace wick::cpu
