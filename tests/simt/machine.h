#pragma once

#include <tests/simt/fiber.h>
#include <tests/simt/internal.h>
#include <tests/simt/simt.h>

#include <array>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

// The machine that runs kernels: one block after another, each thread of a block as a fiber. A
// fiber is kept only while its thread waits; a thread that ends hands its stack to the next, so
// kernels without barriers cost no switch at all.
namespace simt {

inline constexpr int kLanes = 32;
inline constexpr int kMaxThreads = 1024;
inline constexpr size_t kStaticShared = size_t{48} << 10;  // bytes, without a kernel's opting in

/// A thread of the block that is being run, and what it waits for.
struct Thread {
  Fiber* fiber = nullptr;  // null: it has not begun, or has ended
  uint3 index{};
  Collective what{};
  int width = 0, argument = 0;
  uint32_t mask = 0;
  uint64_t value = 0, result = 0;
  Site site;
};

/// Lanes of a warp. Each is ready, waiting, gone or the one that runs.
struct Warp {
  uint32_t ready = 0, waiting = 0;
  uint32_t gone = 0;  // ended, or never existed
};

class Machine {
 public:
  void run(const LaunchInfo& info, int device, void (*thread)(void*), void* context,
           size_t context_bytes);

  int block_collective(Collective what, int predicate, Site site);
  uint64_t warp_collective(Collective what, uint32_t mask, uint64_t value, int argument, int width,
                           Site site);
  void warp_custom(void* data, void (*body)(void* const*), Site site);
  void* allocate_shared(SharedSlot& slot, size_t bytes, size_t alignment, const char* name);
  void* dynamic_shared();

  /// Ends the launch with an error of the running thread: text() makes the message. It is called
  /// on the host's stack, as nothing on a thread's will ever be destroyed.
  template <class F>
  [[noreturn]] void fail(const F& text, const void* code = nullptr) {
    fail(
        &text, [](const void* f) -> std::string { return (*static_cast<const F*>(f))(); }, code);
  }

 private:
  // machine.cpp
  [[noreturn]] void fail(const void* text, std::string (*call)(const void*), const void* code);
  void place_threads();
  void run_blocks();
  void run_block();
  void run_threads(Fiber& self);
  void run_thread(int thread);
  void resume(int thread);
  void wait();
  int pick();
  std::vector<uint64_t> block_order(uint64_t blocks);
  Fiber& fiber_of(int thread);
  void go(Fiber& from, Fiber& to, bool ends);
  void recover();
  std::string report() const;

  // collectives.cpp
  bool is_waiting(int thread) const {
    return (warps_[thread / kLanes].waiting >> (thread % kLanes) & 1) != 0;
  }
  void release_barrier();
  void make_ready(int warp, uint32_t lanes);
  void check_call(const Thread& t, int thread);
  bool complete(int thread, uint32_t lanes);
  std::string where(int thread) const;
  std::string deadlock() const;

  // shared_memory.cpp
  void clear_shared();
  void* take_shared(size_t bytes, size_t alignment);

  std::array<Thread, kMaxThreads> threads_;
  dim3 placed_{0, 0, 0};  // the size of block that the threads' indices are for
  std::array<Warp, kMaxThreads / kLanes> warps_;
  uint32_t ready_warps_ = 0;
  int size_ = 0;       // threads of the block
  int alive_ = 0;      // that have not ended
  int arrived_ = 0;    // at a barrier
  int current_ = 0;    // the thread that runs
  bool stay_ = false;  // in one warp while it has ready lanes
  Order warp_order_ = Order::Random, lane_order_ = Order::Random;
  uint64_t random_ = 0;
  void (*custom_)(void* const*) = nullptr;

  Fiber host_;
  Fiber* running_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> free_;

  const LaunchInfo* info_ = nullptr;
  void (*thread_)(void*) = nullptr;
  void* context_ = nullptr;
  uint64_t launch_ = 0;
  std::mutex mutex_;  // one grid at a time

  bool failed_ = false;
  std::string failure_;  // what the host has been told
  std::string thrown_;   // by a kernel
  const void* failed_code_ = nullptr;
  const void* failure_text_ = nullptr;  // of a thread, and how to call it
  std::string (*failure_call_)(const void*) = nullptr;

  char* shared_ = nullptr;
  size_t shared_end_ = 0;     // of what the block uses
  size_t shared_static_ = 0;  // bytes in variables
  void* shared_dynamic_ = nullptr;
};

Machine& machine();

/// The parts as text, one after another.
template <class... A>
std::string join(const A&... parts) {
  std::ostringstream s;
  (s << ... << parts);
  return s.str();
}
/// "(x,y,z)".
std::string text(const uint3& index);

}  // namespace simt
