#pragma once

#include <cstdint>

// The one pool of threads is OpenMP's, shared with oneDNN and OpenBLAS.
namespace wick::cpu {

/// Threads that a parallel region started now would have; 1 inside one, in a loader's worker and
/// in a child after fork (libgomp's pool hangs there). Called before a library that uses OpenMP by
/// itself, it also sees to that library's threads in such a child.
int num_threads();
/// Number of threads for kernels; at least 1. Throws ValueError otherwise.
void set_num_threads(int threads);

/// While one lives, kernels that its thread calls run in that thread alone (workers of a loader).
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  int previous_;
};

using RangeBody = void (*)(const void* context, int64_t begin, int64_t end);
void parallel_for_erased(int64_t n, int64_t grain, const void* context, RangeBody body);

/// Calls body(begin, end) over disjoint ranges that cover [0, n). Runs in the calling thread unless
/// n > grain and threads are free; each range but the last is a multiple of `grain`. The first
/// exception of a body is thrown again in the caller.
template <class Body>
void parallel_for(int64_t n, int64_t grain, const Body& body) {
  if (n <= grain) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  parallel_for_erased(n, grain, &body, [](const void* context, int64_t begin, int64_t end) {
    (*static_cast<const Body*>(context))(begin, end);
  });
}

}  // namespace wick::cpu
