#include <wick/kernels/linalg.h>

#include <wick/kernels/cpu/blas.h>
#include <wick/kernels/cpu/parallel.h>
#include <cmath>
#include <utility>
#include <vector>

// Each factorization halves its matrix until it is small, so that most of the work is in matrix
// products (Toledo, "Locality of reference in LU decomposition with partial pivoting", 1997,
// https://doi.org/10.1137/S0895479896297744).
namespace wick::cpu {
namespace {

constexpr int64_t kSmall = 32;

template <class T>
struct Block {
  T* data;
  int64_t step;  // from row to row
  T* row(int64_t i) const { return data + i * step; }
  Block at(int64_t i, int64_t j) const { return {data + i * step + j, step}; }
};

/// c [m, n] -= a [m, k] b [k, n], or b^T for b [n, k].
template <class T>
void subtract_product(int64_t m, int64_t n, int64_t k, Block<T> a, Block<T> b, bool transposed,
                      Block<T> c) {
  if (m == 0 || n == 0 || k == 0) return;
  std::vector<T> negative(static_cast<size_t>(m * k));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < k; ++j) negative[i * k + j] = -a.row(i)[j];
  Gemm<T> g;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a = negative.data();
  g.lda = k;
  g.b = b.data;
  g.ldb = b.step;
  g.c = c.data;
  g.ldc = c.step;
  g.trans_b = transposed;
  g.accumulate = true;
  blas::gemm(g);
}

template <class T>
void solve(int64_t n, int64_t k, Block<T> a, bool upper, bool unit, Block<T> b) {
  if (n > kSmall) {
    const int64_t half = n / 2, rest = n - half;
    if (upper) {
      solve(rest, k, a.at(half, half), upper, unit, b.at(half, 0));
      subtract_product(half, k, rest, a.at(0, half), b.at(half, 0), false, b);
      return solve(half, k, a, upper, unit, b);
    }
    solve(half, k, a, upper, unit, b);
    subtract_product(rest, k, half, a.at(half, 0), b, false, b.at(half, 0));
    return solve(rest, k, a.at(half, half), upper, unit, b.at(half, 0));
  }
  for (int64_t s = 0; s < n; ++s) {
    const int64_t i = upper ? n - 1 - s : s;
    T* const to = b.row(i);
    for (int64_t j = upper ? i + 1 : 0; j < (upper ? n : i); ++j) {
      const T factor = a.row(i)[j];
      const T* const from = b.row(j);
      for (int64_t c = 0; c < k; ++c) to[c] -= factor * from[c];
    }
    if (unit) continue;
    for (int64_t c = 0; c < k; ++c) to[c] /= a.row(i)[i];
  }
}

template <class T>
void swap_rows(int64_t n, int64_t k, const int64_t* pivots, Block<T> b) {
  for (int64_t i = 0; i < n; ++i)
    if (pivots[i] != i) std::swap_ranges(b.row(i), b.row(i) + k, b.row(pivots[i]));
}

/// Columns [0, n) of a [m, n], m >= n.
template <class T>
void lu(int64_t m, int64_t n, Block<T> a, int64_t* pivots) {
  if (n > kSmall) {
    const int64_t half = n / 2, rest = n - half;
    lu(m, half, a, pivots);
    swap_rows(half, rest, pivots, a.at(0, half));
    solve(half, rest, a, false, true, a.at(0, half));
    subtract_product(m - half, rest, half, a.at(half, 0), a.at(0, half), false, a.at(half, half));
    lu(m - half, rest, a.at(half, half), pivots + half);
    swap_rows(rest, half, pivots + half, a.at(half, 0));
    for (int64_t i = half; i < n; ++i) pivots[i] += half;
    return;
  }
  for (int64_t j = 0; j < n; ++j) {
    int64_t best = j;
    for (int64_t i = j + 1; i < m; ++i)
      if (std::abs(a.row(i)[j]) > std::abs(a.row(best)[j])) best = i;
    pivots[j] = best;
    if (best != j) std::swap_ranges(a.row(j), a.row(j) + n, a.row(best));
    const T pivot = a.row(j)[j];
    if (pivot == 0) continue;
    for (int64_t i = j + 1; i < m; ++i) {
      T* const row = a.row(i);
      const T factor = row[j] /= pivot;
      for (int64_t c = j + 1; c < n; ++c) row[c] -= factor * a.row(j)[c];
    }
  }
}

/// The first pivot that is not positive, or -1.
template <class T>
int64_t factor_symmetric(int64_t n, Block<T> a) {
  if (n > kSmall) {
    const int64_t half = n / 2, rest = n - half;
    int64_t failed = factor_symmetric(half, a);
    if (failed >= 0) return failed;
    for (int64_t i = half; i < n; ++i) {  // x L^T = a row
      T* const row = a.row(i);
      for (int64_t j = 0; j < half; ++j) {
        T sum = row[j];
        for (int64_t c = 0; c < j; ++c) sum -= row[c] * a.row(j)[c];
        row[j] = sum / a.row(j)[j];
      }
    }
    subtract_product(rest, rest, half, a.at(half, 0), a.at(half, 0), true, a.at(half, half));
    failed = factor_symmetric(rest, a.at(half, half));
    return failed < 0 ? failed : failed + half;
  }
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j; i < n; ++i) {
      T sum = a.row(i)[j];
      for (int64_t c = 0; c < j; ++c) sum -= a.row(i)[c] * a.row(j)[c];
      if (i == j && !(sum > 0)) return j;
      a.row(i)[j] = i == j ? std::sqrt(sum) : sum / a.row(j)[j];
    }
  }
  return -1;
}

/// Calls f(number of the matrix, zero of the element type) for each.
template <class F>
void for_each_matrix(DType dtype, int64_t batch, F f) {
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (dtype == DType::Float32) {
        f(i, float{});
      } else {
        f(i, double{});
      }
    }
  });
}

}  // namespace

void lu_factor(DType dtype, int64_t batch, int64_t n, void* a, int64_t* pivots) {
  for_each_matrix(dtype, batch, [&](int64_t i, auto t) {
    using T = decltype(t);
    lu(n, n, Block<T>{static_cast<T*>(a) + i * n * n, n}, pivots + i * n);
  });
}

void cholesky(DType dtype, int64_t batch, int64_t n, void* a, int64_t* failed) {
  for_each_matrix(dtype, batch, [&](int64_t i, auto t) {
    using T = decltype(t);
    failed[i] = factor_symmetric(n, Block<T>{static_cast<T*>(a) + i * n * n, n});
  });
}

void swap_rows(DType dtype, int64_t batch, int64_t n, int64_t k, const int64_t* pivots, void* b) {
  for_each_matrix(dtype, batch, [&](int64_t i, auto t) {
    using T = decltype(t);
    swap_rows(n, k, pivots + i * n, Block<T>{static_cast<T*>(b) + i * n * k, k});
  });
}

void solve_triangular(DType dtype, int64_t batch, int64_t n, int64_t k, const void* a, bool upper,
                      bool unit, void* b) {
  for_each_matrix(dtype, batch, [&](int64_t i, auto t) {
    using T = decltype(t);
    T* const matrix = static_cast<T*>(const_cast<void*>(a)) + i * n * n;  // is read only
    solve(n, k, Block<T>{matrix, n}, upper, unit, Block<T>{static_cast<T*>(b) + i * n * k, k});
  });
}

}  // namespace wick::cpu
