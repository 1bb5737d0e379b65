#pragma once

#include <wick/kernels/cpu/parallel.h>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

// wick's own matrix product in portable vector code: for products so small that a library's
// overhead would dominate, for integers, and for builds without a BLAS.
namespace wick::cpu {

/// c = op(a) op(b) (+ c when accumulate) (+ bias), with the fields of MatmulArgs.
template <class T>
struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  const T* b = nullptr;
  T* c = nullptr;
  int64_t lda = 0, ldb = 0, ldc = 0;
  bool trans_a = false, trans_b = false;
  const T* bias = nullptr;
  bool accumulate = false;

  // With k == 0 the operands have no elements, and their pointers may be null.
  const T* a_at(int64_t i, int64_t p) const {
    return k == 0 ? a : a + (trans_a ? p * lda + i : i * lda + p);
  }
  const T* b_at(int64_t p, int64_t j) const {
    return k == 0 ? b : b + (trans_b ? j * ldb + p : p * ldb + j);
  }

  /// The part with rows [i, i + rows) and columns [j, j + cols) of c.
  Gemm part(int64_t i, int64_t rows, int64_t j, int64_t cols) const {
    Gemm g = *this;
    g.m = rows;
    g.n = cols;
    g.a = a_at(i, 0);
    g.b = b_at(0, j);
    g.c = c + i * ldc + j;
    if (bias != nullptr) g.bias = bias + j;
    return g;
  }
};

namespace gemm_detail {

// A tile of 4 rows by two 16-byte vectors keeps its sums in half of the registers that every x86-64
// and AArch64 has. Unsigned types stand in for signed integers, so that overflow wraps around.
template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(16)));
};
template <class T>
inline constexpr int kLanes = 16 / sizeof(T);
inline constexpr int kTileRows = 4;
template <class T>
inline constexpr int kTileCols = 2 * kLanes<T>;
inline constexpr int64_t kDepth = 256;  // one packed panel of b stays in the first-level cache

/// sums[R][kTileCols] = a[R, k] b[k, kTileCols]
template <class T, int R>
void tile(int64_t k, const T* a, int64_t row, int64_t depth, const T* b, int64_t ldb, T* sums) {
  using V = typename VectorOf<T>::type;
  V sum[R][2] = {};
  for (int64_t p = 0; p < k; ++p) {
    V b0, b1;
    std::memcpy(&b0, b + p * ldb, sizeof(V));
    std::memcpy(&b1, b + p * ldb + kLanes<T>, sizeof(V));
    for (int r = 0; r < R; ++r) {
      const T factor = a[r * row + p * depth];
      sum[r][0] += b0 * factor;
      sum[r][1] += b1 * factor;
    }
  }
  std::memcpy(sums, sum, sizeof(sum));
}

template <class T>
void run_tile(int64_t rows, int64_t k, const T* a, int64_t row, int64_t depth, const T* b,
              int64_t ldb, T* sums) {
  switch (rows) {
    case 1:
      return tile<T, 1>(k, a, row, depth, b, ldb, sums);
    case 2:
      return tile<T, 2>(k, a, row, depth, b, ldb, sums);
    case 3:
      return tile<T, 3>(k, a, row, depth, b, ldb, sums);
    default:
      return tile<T, 4>(k, a, row, depth, b, ldb, sums);
  }
}

/// a b; widened, because a product of two uint16_t would be one of ints that can overflow.
template <class T>
T times(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else {
    return a * b;
  }
}

/// Writes sums over, or adds them to, part of a row of c.
template <class T>
void write(const T* sums, int64_t cols, const T* bias, bool add, T* c) {
  if (add) {
    for (int64_t j = 0; j < cols; ++j) c[j] = static_cast<T>(c[j] + sums[j]);
  } else {
    for (int64_t j = 0; j < cols; ++j) c[j] = sums[j];
  }
  if (bias != nullptr) {
    for (int64_t j = 0; j < cols; ++j) c[j] = static_cast<T>(c[j] + bias[j]);
  }
}

/// Dot products, for few rows or columns whose operands both run along k: nothing to pack.
template <class T>
void dots(const Gemm<T>& g) {
  using V = typename VectorOf<T>::type;
  constexpr int64_t kStep = 4 * kLanes<T>;
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      const T* a = g.a_at(i, 0);
      const T* b = g.b_at(0, j);
      V sums[4] = {};
      int64_t p = 0;
      for (; p + kStep <= g.k; p += kStep) {
        for (int v = 0; v < 4; ++v) {
          V x, y;
          std::memcpy(&x, a + p + v * kLanes<T>, sizeof(V));
          std::memcpy(&y, b + p + v * kLanes<T>, sizeof(V));
          sums[v] += x * y;
        }
      }
      const V total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      T sum = 0;
      for (int lane = 0; lane < kLanes<T>; ++lane) sum = static_cast<T>(sum + total[lane]);
      for (; p < g.k; ++p) sum = static_cast<T>(sum + times(a[p], b[p]));
      write(&sum, 1, g.bias == nullptr ? nullptr : g.bias + j, g.accumulate, g.c + i * g.ldc + j);
    }
  }
}

/// sums[kVectors * lanes] = a[k] b[k, kVectors * lanes], in kParts interleaved sums: enough
/// additions that do not wait for each other.
template <class T, int kVectors, int kParts>
void strip(int64_t k, const T* a, int64_t depth, const T* b, int64_t ldb, T* sums) {
  using V = typename VectorOf<T>::type;
  V sum[kParts][kVectors] = {};
  const auto step = [&](int64_t p, int part) {
    const T factor = a[p * depth];
    for (int v = 0; v < kVectors; ++v) {
      V x;
      std::memcpy(&x, b + p * ldb + v * kLanes<T>, sizeof(V));
      sum[part][v] += x * factor;
    }
  };
  int64_t p = 0;
  for (; p + kParts <= k; p += kParts) {
    for (int part = 0; part < kParts; ++part) step(p + part, part);
  }
  for (; p < k; ++p) step(p, 0);
  for (int part = 1; part < kParts; ++part) {
    for (int v = 0; v < kVectors; ++v) sum[0][v] += sum[part][v];
  }
  std::memcpy(sums, sum[0], sizeof(sum[0]));
}

/// One row times a matrix whose rows are contiguous.
template <class T>
void row_times_matrix(const Gemm<T>& g) {
  constexpr int kWide = 8;
  T sums[kWide * kLanes<T>];
  const int64_t depth = g.trans_a ? g.lda : 1;
  for (int64_t j = 0; j < g.n;) {
    const T* b = g.b_at(0, j);
    int64_t cols = 1;
    if (g.n - j >= kWide * kLanes<T>) {
      cols = kWide * kLanes<T>;
      strip<T, kWide, 1>(g.k, g.a, depth, b, g.ldb, sums);
    } else if (g.n - j >= kLanes<T>) {
      cols = kLanes<T>;
      strip<T, 1, 4>(g.k, g.a, depth, b, g.ldb, sums);
    } else {
      sums[0] = 0;
      for (int64_t p = 0; p < g.k; ++p)
        sums[0] = static_cast<T>(sums[0] + times(g.a[p * depth], b[p * g.ldb]));
    }
    write(sums, cols, g.bias == nullptr ? nullptr : g.bias + j, g.accumulate, g.c + j);
    j += cols;
  }
}

}  // namespace gemm_detail

/// The product in the calling thread. T: float, double or an unsigned integer (which wraps around).
/// Any leading dimensions, also overlapping rows of a and b. The sum of an element does not depend
/// on its place in the matrix, so that cutting a product into parts changes no bits.
template <class T>
void gemm_serial(const Gemm<T>& g) {
  using namespace gemm_detail;
  constexpr int kCols = kTileCols<T>;
  alignas(64) T packed[kDepth * kCols];
  alignas(64) T sums[kTileRows * kCols];
  const int64_t row = g.trans_a ? 1 : g.lda, depth = g.trans_a ? g.lda : 1;
  int64_t p = 0;
  do {  // once also for k == 0, which writes zeros and the bias
    const int64_t k = std::min(kDepth, g.k - p);
    const bool first = p == 0;
    for (int64_t j = 0; j < g.n; j += kCols) {
      const int64_t cols = std::min<int64_t>(kCols, g.n - j);
      const T* b = g.b_at(p, j);
      int64_t ldb = g.ldb;
      if (g.trans_b || cols < kCols) {
        const int64_t along = g.trans_b ? g.ldb : 1, down = g.trans_b ? 1 : g.ldb;
        for (int64_t q = 0; q < k; ++q) {
          for (int64_t s = 0; s < cols; ++s) packed[q * kCols + s] = b[q * down + s * along];
          for (int64_t s = cols; s < kCols; ++s) packed[q * kCols + s] = 0;
        }
        b = packed;
        ldb = kCols;
      }
      const T* bias = first && g.bias != nullptr ? g.bias + j : nullptr;
      for (int64_t i = 0; i < g.m; i += kTileRows) {
        const int64_t rows = std::min<int64_t>(kTileRows, g.m - i);
        run_tile(rows, k, g.a_at(i, p), row, depth, b, ldb, sums);
        for (int64_t r = 0; r < rows; ++r) {
          T* c = g.c + (i + r) * g.ldc + j;
          if (cols == kCols && bias == nullptr && !g.accumulate && first) {
            std::memcpy(c, sums + r * kCols, sizeof(T) * kCols);
          } else {
            write(sums + r * kCols, cols, bias, g.accumulate || !first, c);
          }
        }
      }
    }
    p += k;
  } while (p < g.k);
}

/// As gemm_serial, for products of at most a few thousand steps.
template <class T>
void gemm_tiny(const Gemm<T>& g) {
  const bool along_k = !g.trans_a && (g.trans_b || (g.n == 1 && g.ldb == 1));
  if (along_k && (g.m < 4 || g.n == 1)) {
    gemm_detail::dots(g);
  } else if (g.m == 1 && !g.trans_b) {
    gemm_detail::row_times_matrix(g);
  } else {
    gemm_serial(g);
  }
}

/// Calls serial(part) over parts of c in all threads: rows where c is tall, columns where it is
/// wide.
template <class T, class Serial>
void gemm_split(const Gemm<T>& g, const Serial& serial) {
  constexpr int64_t kGrainSteps = 1 << 16;  // what is worth a thread
  const bool by_rows = g.m >= g.n;
  const int64_t count = by_rows ? g.m : g.n,
                each = (by_rows ? g.n : g.m) * std::max<int64_t>(g.k, 1);
  const int64_t share = (count + num_threads() - 1) / num_threads();
  const int64_t grain = std::max({kGrainSteps / std::max<int64_t>(each, 1), share, int64_t{1}});
  const int64_t rounded = (grain + 31) / 32 * 32;  // whole tiles of a library's kernels, too
  parallel_for(count, rounded, [&](int64_t begin, int64_t end) {
    serial(by_rows ? g.part(begin, end - begin, 0, g.n) : g.part(0, g.m, begin, end - begin));
  });
}

}  // namespace wick::cpu
