#pragma once

#include <cstdint>
#include <mutex>

// Device memory: a cache of blocks for each device.
namespace wick::cuda {

/// Uninitialised memory of `bytes` >= 0 (0 gives null), 512-byte aligned. It belongs to the current
/// stream of the device, which is stored in `*stream_out` (may be null). Throws OutOfMemoryError
/// after one retry with the cache emptied.
void* allocate(int64_t bytes, int device, void** stream_out);
/// Gives the memory back; later allocations of its stream may have it at once, without waiting.
/// Silent when the driver is gone.
void deallocate(void* memory, int device, void* stream) noexcept;
/// The memory is in use by `stream`, which is not its own: it will be reused only after what that
/// stream has been given until the memory is deallocated.
void record_stream(void* memory, int device, void* stream);

/// Whether the process has memory there: other devices need not be waited for.
bool is_device_used(int device) noexcept;

/// Returns cached blocks to the driver.
void empty_cache(int device);

struct MemoryStats {
  int64_t allocated = 0;      // bytes in blocks that are in use
  int64_t max_allocated = 0;  // the most that `allocated` has been
  int64_t reserved = 0;       // bytes taken from the driver; the rest of it is cached
  int64_t max_reserved = 0;
};
MemoryStats memory_stats(int device);
/// The peaks are what is in use now.
void reset_memory_peaks(int device);

/// Page-locked host memory from a cache of the process. Throws OutOfMemoryError.
void* allocate_pinned(int64_t bytes);
/// A stream of `device` has been given work with it: it will be reused only after that.
void record_pinned(void* memory, int device, void* stream);
void free_pinned(void* memory) noexcept;
void empty_pinned_cache();
MemoryStats pinned_memory_stats();

/// Temporary memory of a launcher on the current device.
class Scratch {
 public:
  explicit Scratch(int64_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_;
  int device_;
};

/// A copy on the current device of numbers that a kernel is to read, kept while the same come again
/// on the same stream: the tables of optimizer steps. Lives until the kernel has been launched.
class DeviceTable {
 public:
  DeviceTable(const void* content, int64_t bytes);
  const void* get() const { return memory_; }

 private:
  std::unique_lock<std::mutex> lock_;  // nobody takes its place before the launch
  void* memory_ = nullptr;
};

}  // namespace wick::cuda
