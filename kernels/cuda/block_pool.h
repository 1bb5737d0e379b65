#pragma once

#include <wick/kernels/cuda/allocator.h>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

// The logic of the device allocator, apart from the device.
namespace wick::cuda {

/// Where a pool gets its memory from, and how it asks about streams.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  /// Memory, or null if there is none left.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// Bytes that are free outside the pool.
  virtual int64_t free_bytes() noexcept = 0;
  /// A mark behind all work that a stream has been given; null if none can be made.
  virtual void* mark(void* stream) noexcept = 0;
  virtual bool passed(void* mark) = 0;
  virtual void drop(void* mark) noexcept = 0;
  /// Waits for all streams.
  virtual void synchronize() = 0;
};

/// Blocks cut from segments of a source. Each belongs to the stream it was allocated on and is
/// reused by it alone, in stream order; so a free needs no event. Requests up to 1 MiB come from
/// segments of 2 MiB, others from segments of at least 20 MiB; blocks are split, and merged with
/// their free neighbours. Thread-safe.
class BlockPool {
 public:
  /// `name` is the device's, for error texts.
  BlockPool(std::unique_ptr<MemorySource> source, std::string name);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  void* allocate(int64_t bytes, void* stream);
  /// False if `memory` is not a live block of this pool.
  bool deallocate(void* memory) noexcept;
  /// False if `memory` is not a live block of this pool.
  bool record_stream(void* memory, void* stream);
  void empty_cache();
  MemoryStats stats() const;
  void reset_peaks();

 private:
  struct Block;
  struct Smaller {
    using is_transparent = void;
    bool operator()(const Block* a, const Block* b) const;
  };
  using FreeList = std::set<Block*, Smaller>;

  FreeList& list_of(const Block& block);
  Block* take_cached(int64_t size, void* stream, bool small);
  Block* take_segment(int64_t size, void* stream, bool small);
  void* hand_out(Block* block, int64_t size);
  void make_free(Block* block);
  void absorb(Block* block, Block* neighbour);
  void finish_marks(bool wait);
  void release_segments();
  [[noreturn]] void fail(int64_t bytes, int64_t cached) const;

  std::unique_ptr<MemorySource> source_;
  std::string name_;
  mutable std::mutex mutex_;
  FreeList small_, large_;
  std::unordered_map<void*, Block*> live_;
  struct Mark {
    void* mark;
    Block* block;
  };
  std::deque<Mark> marks_;  // of freed blocks that other streams may still use
  MemoryStats stats_;
};

}  // namespace wick::cuda
