#pragma once

#include <wick/core/export.h>
#include <cstdint>

// All thread-local state of wick, in one struct defined in one .cpp. Autograd nodes carry what they
// need of it from forward to backward.
namespace wick::detail {

struct ThreadState {
  bool grad_enabled = true;
  bool anomaly_mode = false;
  bool anomaly_check_nan = true;
  uint8_t backward_depth = 0;  // backward passes that run inside each other
  int8_t cuda_device = 0;
  void* cuda_stream[16] = {};  // the current stream of each device; null: the default stream
  // Autograd nodes whose last reference went, being freed one by one (core/autograd.cpp).
  void* released_nodes = nullptr;
  bool releasing = false;
};

/// The calling thread's state. Not inline: a thread-local in a header would break shared libraries.
WICK_API ThreadState& thread_state();

}  // namespace wick::detail
