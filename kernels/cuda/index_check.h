#pragma once

#include <cstdint>
#include <optional>

namespace wick::cuda {

/// Throws IndexError if an index outside [0, size) that is not `ignored` is among the `count`
/// indices: the first one, with its position. Waits for the current stream.
void check_indices(const char* op, const char* what, const int64_t* index, int64_t count,
                   int64_t size, std::optional<int64_t> ignored);

}  // namespace wick::cuda
