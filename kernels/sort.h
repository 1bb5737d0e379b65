#pragma once

#include <wick/kernels/args.h>
#include <cstring>

namespace wick {

/// Integers in the order of numbers: from the largest if `descending`. Zeros of both signs are
/// equal; a NaN is the greatest integer if `nan_last`, else the least. All are contiguous.
WICK_KERNEL(void, order_keys, const double* x, int64_t n, bool descending, bool nan_last,
            int64_t* keys)

/// The positions 0..n-1 of each row in the order of its keys [rows, n], of equal ones the first
/// first.
WICK_KERNEL(void, sort_rows, const int64_t* keys, int64_t rows, int64_t n, int64_t* order)

/// For each of values [rows, count] how many of its row of `sorted` [rows, n], which ascends, are
/// smaller, or not larger if `right`. With `shared_row` there is one row of `sorted` for all.
struct SearchArgs {
  int64_t rows = 1, n = 0, count = 0;
  bool shared_row = false, right = false;
};
WICK_KERNEL(void, search_rows, const SearchArgs& args, const int64_t* sorted, const int64_t* values,
            int64_t* positions)

/// What both devices compute for one of them.
WICK_HOST_DEVICE inline int64_t order_key(double x, bool descending, bool nan_last) {
  if (x != x) return nan_last ? INT64_MAX : INT64_MIN;
  if (x == 0) return 0;
  int64_t bits;
  memcpy(&bits, &x, sizeof(bits));
  // Magnitudes of negative numbers grow downwards.
  const int64_t key = bits < 0 ? -(bits & INT64_MAX) : bits;
  return descending ? -key : key;
}
WICK_HOST_DEVICE inline int64_t search_row(const SearchArgs& args, const int64_t* sorted,
                                           int64_t value) {
  int64_t low = 0, high = args.n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (args.right ? sorted[middle] <= value : sorted[middle] < value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace wick
