#pragma once

#include <cstdint>
#include <optional>

namespace wick::cuda {

struct BadIndex {
  int64_t position = -1;  // -1: there is none
  int64_t value = 0;
};

/// The first of `count` indices that is outside [0, size) and not `ignored`. Waits for the current
/// stream.
BadIndex find_bad_index(const int64_t* index, int64_t count, int64_t size,
                        std::optional<int64_t> ignored);

}  // namespace wick::cuda
