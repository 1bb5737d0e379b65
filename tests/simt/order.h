#pragma once

#include <tests/simt/shadow.h>

#include <array>
#include <utility>
#include <vector>

namespace simt::checker {

/// Which of a launch's accesses happen before the running thread's next one: those of earlier
/// launches, those before the block's last barrier, those of other lanes before a __syncwarp of
/// both, its own; and those of other blocks that their block published and this one acquired.
///
/// Publishing is a fence followed by an atomic on device memory, acquiring an atomic, as when the
/// last block to draw a ticket adds up what the others have written. Which atomic a block acquires
/// from is not looked at.
class Order {
 public:
  void begin_launch();
  void begin_block(uint64_t block);
  void begin_thread(int thread) {
    thread_ = thread;
    now_ = tick_ | static_cast<Stamp>(thread) << kThreadShift;
  }
  void barrier() { barrier_ = next_tick(); }
  void warp_barrier(int warp, uint32_t lanes);
  void fence();
  void device_atomic();

  Stamp now() const { return now_; }
  /// Whether a read need not be remembered, as what it could race with races anyway.
  bool is_known(Stamp read) const {
    return read == now_ || (read >= barrier_ && (read & kWarps) != 0);
  }
  /// Whether an access is unordered with the running thread's.
  bool races(Stamp earlier) const {
    if (earlier < launch_) return false;
    if (earlier >= block_ && (earlier & kBlocks) == 0) {
      if (earlier < barrier_) return false;
      if (((earlier ^ now_) >> kThreadShift & 1023) == 0 && (earlier & (kLanes | kWarps)) == 0)
        return false;
    }
    return races_slowly(earlier);
  }
  /// The stamp of the running thread's access and of the earlier ones that it is unordered with.
  Stamp merge(Stamp earlier) const;
  /// The same of an atomic, given the last write.
  Stamp merge_atomic(Stamp earlier) const;
  /// Whether an atomic need not care for the last write, as that was one too.
  bool are_atomic(Stamp earlier) const {
    return (earlier & kAtomic) != 0 && ((earlier & kPlain) == 0 || earlier >= block_);
  }
  /// The number of the block of an access of this launch.
  uint64_t block_of(Stamp stamp) const;

 private:
  /// What a block has published: all before a moment, and of some threads more.
  struct Published {
    Stamp block = 0;  // its begin
    Stamp all = 0;
    std::vector<std::pair<int, Stamp>> threads;
  };
  Stamp next_tick() {
    tick_ += Stamp{1} << kTickShift;
    begin_thread(thread_);
    return tick_;
  }
  bool races_slowly(Stamp earlier) const;
  bool is_published(Stamp earlier) const;
  bool has_acquired() const;

  Stamp tick_ = 0, now_ = 0;
  int thread_ = 0;
  Stamp launch_ = 0, block_ = 0, barrier_ = 0;  // when they began
  std::vector<std::pair<Stamp, uint64_t>> blocks_;
  // Of each thread: before when it knows each lane of its warp, and all of them, to have finished.
  std::array<std::array<Stamp, 32>, 1024> known_{};
  std::array<Stamp, 1024> known_all_{};

  struct Fence {
    Stamp at = 0, barrier = 0;  // the barrier before it
  };
  std::array<Fence, 1024> fences_{};
  bool any_fence_ = false;
  std::array<Stamp, 1024> atomics_{};  // each thread's last one
  Stamp first_atomic_ = 0;
  std::vector<Published> published_;
};

}  // namespace simt::checker
