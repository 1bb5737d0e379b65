#include <wick/core/random.h>

#include <wick/core/ops.h>
#include <mutex>

namespace wick {
namespace {

struct Generator {
  std::mutex mutex;
  RngState state;
};

// Leaked: threads may still draw while the process exits.
Generator& generator() {
  static Generator* const instance = new Generator;
  return *instance;
}

}  // namespace

void manual_seed(uint64_t seed) { set_rng_state({seed, 0}); }

RngState get_rng_state() {
  const std::lock_guard lock(generator().mutex);
  return generator().state;
}

void set_rng_state(RngState state) {
  const std::lock_guard lock(generator().mutex);
  generator().state = state;
}

PhiloxState detail::next_philox(uint64_t blocks) {
  const std::lock_guard lock(generator().mutex);
  RngState& state = generator().state;
  const PhiloxState drawn{state.seed, state.offset};
  state.offset += blocks;
  return drawn;
}

}  // namespace wick
