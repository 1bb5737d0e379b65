#pragma once

#include <cstdint>

namespace wick::cuda {

/// Elements that sort_pairs needs room for: the next power of two.
int64_t sort_length(int64_t n);

/// Sorts pairs in place by key, then by position. `padded` is a sort_length; the caller has filled
/// the end with keys of UINT64_MAX and the positions that follow.
void sort_pairs(uint64_t* keys, int64_t* positions, int64_t padded);

}  // namespace wick::cuda
