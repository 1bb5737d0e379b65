#pragma once

#include <tests/simt/internal.h>

// What the machine tells the checker of kernels' memory accesses, and what the callbacks of
// instrumented code ask of it. Nothing happens unless it is active.
namespace simt::checker {

extern bool is_active;

/// Memory that the code now running may use unseen: a thread's own stack while kernel code runs,
/// everything while other code does.
struct Unseen {
  uintptr_t base = 0;
  size_t bytes = SIZE_MAX;
};
extern constinit thread_local Unseen unseen;
inline void enter_kernel(const void* stack, size_t bytes) {
  unseen = {reinterpret_cast<uintptr_t>(stack), bytes};
}
inline void leave_kernel() { unseen = {}; }
/// Kernel code is left for the life of this.
class Outside {
 public:
  Outside() : before_(unseen) { leave_kernel(); }
  ~Outside() { unseen = before_; }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  Unseen before_;
};

void begin_launch(int device, const LaunchInfo& info, const void* parameters, size_t bytes);
void begin_block(uint64_t block);
void begin_thread(int thread);
void barrier();                               // all threads of the block have met
void warp_barrier(int warp, uint32_t lanes);  // these lanes have met in __syncwarp
void fence();
void shared_memory(char* base, size_t bytes);
void shared_variable(void* p, size_t bytes);

enum class Access : uint8_t { Read, Write, Atomic };
/// An access by kernel code to memory that is not `unseen`. What it finds wrong ends the launch.
template <Access kAccess>
void check(const void* p, size_t bytes, size_t alignment, const void* code);
template <Access kAccess>
[[gnu::always_inline]] inline void see(const volatile void* p, size_t bytes, size_t alignment,
                                       const void* code) {
  if (reinterpret_cast<uintptr_t>(p) - unseen.base >= unseen.bytes)
    check<kAccess>(const_cast<const void*>(p), bytes, alignment, code);
}

}  // namespace simt::checker
