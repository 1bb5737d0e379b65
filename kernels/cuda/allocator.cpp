#include <wick/core/check.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/block_pool.h>
#include <wick/kernels/cuda/runtime.h>
#include <mutex>

namespace wick::cuda {
namespace {

class DeviceSource final : public MemorySource {
 public:
  explicit DeviceSource(int device) : device_(device) {}
  void* allocate(int64_t bytes) override {
    const DeviceGuard guard(device_);
    return raw_allocate(bytes);
  }
  void release(void* memory) noexcept override { raw_free(memory); }
  int64_t free_bytes() noexcept override {
    try {
      return memory_info(device_).free;
    } catch (const Error&) {
      return 0;
    }
  }
  void* mark(void* stream) override {
    const DeviceGuard guard(device_);
    void* event = create_event();
    try {
      record_event(event, stream);
    } catch (...) {
      destroy_event(event);
      throw;
    }
    return event;
  }
  bool passed(void* mark) override { return event_done(mark); }
  void drop(void* mark) noexcept override { destroy_event(mark); }
  void synchronize() override { cuda::synchronize(device_); }

 private:
  int device_;
};

constexpr int kMaxDevices = 16;

/// Made when a device is first used; never destroyed, since tensors may outlive static objects.
BlockPool& pool(int device) {
  static BlockPool* pools[kMaxDevices] = {};
  static std::once_flag made[kMaxDevices];
  std::call_once(made[device], [device] {
    pools[device] = new BlockPool(std::make_unique<DeviceSource>(device), str("cuda:", device));
  });
  return *pools[device];
}

}  // namespace

void* allocate(int64_t bytes, int device, void** stream_out) {
  void* const stream = current_stream(device);
  if (stream_out) *stream_out = stream;
  return pool(device).allocate(bytes, stream);
}

void deallocate(void* memory, int device, void* /*stream*/) noexcept {
  if (!memory) return;
  try {
    pool(device).deallocate(memory);
  } catch (...) {
    // Only marks of other streams can fail, and only where the device has: the block stays lost.
  }
}

void record_stream(void* memory, int device, void* stream) {
  if (memory) pool(device).record_stream(memory, stream);
}
void empty_cache(int device) { pool(device).empty_cache(); }
MemoryStats memory_stats(int device) { return pool(device).stats(); }

Scratch::Scratch(int64_t bytes) : device_(current_device()) {
  memory_ = allocate(bytes, device_, &stream_);
}
Scratch::~Scratch() { deallocate(memory_, device_, stream_); }

}  // namespace wick::cuda
