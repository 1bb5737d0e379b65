#pragma once

#include <wick/kernels/random.h>
#include <cstdint>

namespace wick::detail {

/// The next `blocks` blocks of the process's generator, for one kernel call. Any thread may ask.
PhiloxState next_philox(uint64_t blocks);

}  // namespace wick::detail
