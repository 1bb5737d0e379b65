#include <omp.h>
#include <pthread.h>

#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <algorithm>
#include <atomic>
#include <exception>

namespace wick::cpu {
namespace {

std::atomic<int> g_threads{0};  // 0: not set, OpenMP's default
std::atomic<bool> g_forked{false};
thread_local int t_serial_depth = 0;

// Nothing but a flag: clang's runtime still holds its locks when this runs.
void after_fork_in_child() { g_forked.store(true, std::memory_order_relaxed); }
// At load time, since a library may start the pool before wick does.
[[maybe_unused]] const int g_registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);

}  // namespace

int num_threads() {
  if (g_forked.load(std::memory_order_relaxed)) {
    omp_set_num_threads(1);  // for the libraries that share the pool
    return 1;
  }
  if (t_serial_depth > 0 || omp_in_parallel()) return 1;
  const int threads = g_threads.load(std::memory_order_relaxed);
  return threads > 0 ? threads : omp_get_max_threads();
}

void set_num_threads(int threads) {
  WICK_CHECK(ValueError, threads >= 1, "set_num_threads: expected at least 1 thread, got ",
             threads);
  g_threads.store(threads, std::memory_order_relaxed);
  if (num_threads() == threads) omp_set_num_threads(threads);
}

SerialScope::SerialScope() : previous_(omp_get_max_threads()) {
  ++t_serial_depth;
  omp_set_num_threads(1);
}

SerialScope::~SerialScope() {
  --t_serial_depth;
  omp_set_num_threads(previous_);
}

void parallel_for_erased(int64_t n, int64_t grain, const void* context, RangeBody body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t grains = (n - 1) / grain + 1;
  const int ranges = static_cast<int>(std::min<int64_t>(grains, num_threads()));
  if (ranges <= 1) return body(context, 0, n);

  // grains / ranges each, the first grains % ranges ranges one more.
  const int64_t each = grains / ranges, longer = grains % ranges;
  const auto begin_of = [&](int64_t range) {
    return std::min((range * each + std::min(range, longer)) * grain, n);
  };
  std::exception_ptr error;
#pragma omp parallel num_threads(ranges)
  {
    // OpenMP may give fewer threads than were asked for.
    for (int r = omp_get_thread_num(); r < ranges; r += omp_get_num_threads()) {
      try {
        body(context, begin_of(r), begin_of(r + 1));
      } catch (...) {
#pragma omp critical(wick_parallel_error)
        if (!error) error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace wick::cpu
