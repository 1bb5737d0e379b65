#pragma once

#include <cstdint>

namespace wick::cuda {

/// Elements that sort_pairs needs room for: the next power of two.
int64_t sort_length(int64_t n);

/// Sorts the pairs of each row in place by key, then by position. `padded`, a row's length, is a
/// sort_length; the caller has filled its end with keys of UINT64_MAX and the positions that
/// follow.
void sort_pairs(uint64_t* keys, int64_t* positions, int64_t padded, int64_t rows = 1);

}  // namespace wick::cuda
