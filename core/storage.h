#pragma once

#include <wick/core/device.h>
#include <wick/core/intrusive.h>
#include <atomic>
#include <cstdint>
#include <functional>

namespace wick {

/// The bytes that a tensor and all its views share, with the version counter that in-place
/// operations advance. Reference-counted; freed to the allocator it came from.
class WICK_API StorageImpl final : public RefCounted<StorageImpl> {
 public:
  /// Uninitialised memory of `bytes` >= 0 on the device (which must have an index).
  /// Throws OutOfMemoryError.
  static IntrusivePtr<StorageImpl> allocate(int64_t bytes, Device device);
  /// The same in page-locked host memory. Throws DeviceError without CUDA.
  static IntrusivePtr<StorageImpl> allocate_pinned(int64_t bytes);
  /// Memory of somebody else; `deleter` (may be empty) is called with `data` at the end.
  static IntrusivePtr<StorageImpl> borrow(void* data, int64_t bytes, Device device,
                                          std::function<void(void*)> deleter);

  void* data() const noexcept { return data_; }
  int64_t nbytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }
  /// The stream that the memory belongs to (CUDA; null on the CPU).
  void* stream() const noexcept { return stream_; }
  bool is_pinned() const noexcept { return pinned_; }
  uint32_t version() const noexcept { return version_.load(std::memory_order_relaxed); }
  void bump_version() noexcept { version_.fetch_add(1, std::memory_order_relaxed); }

  static void destroy(StorageImpl* storage) noexcept;

 private:
  explicit StorageImpl(Device device) : device_(device) {}
  ~StorageImpl() = default;

  void* data_ = nullptr;
  int64_t bytes_ = 0;
  void* stream_ = nullptr;
  std::function<void(void*)>* deleter_ = nullptr;  // borrowed memory only
  std::atomic<uint32_t> version_{0};
  Device device_;
  bool owned_ = false;
  bool pinned_ = false;
};

using Storage = IntrusivePtr<StorageImpl>;

/// Live objects of the process; after all tensors of a test are gone they are what they were
/// before.
WICK_API int64_t live_tensors();
WICK_API int64_t live_nodes();
/// Bytes in live storages of wick's own memory on the device (-1: all devices of the type).
WICK_API int64_t live_bytes(Device device = kCPU);

}  // namespace wick
