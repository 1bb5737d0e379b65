#pragma once

#include <wick/core/check.h>
#include <wick/core/device.h>
#include <cstdint>
#include <string>

// wick's own face of the CUDA runtime, without its headers: streams and events are void*. Only
// runtime.cpp and the launches of gpu.h call the runtime itself.
namespace wick::cuda {

/// Number of CUDA devices that can be used; if 0, `reason` says in one line why (no driver, too old
/// a driver, no device). Asks the driver once, prints nothing, never throws.
int runtime_status(std::string& reason) noexcept;

/// The calling thread's device. Kernels are launched on it.
int current_device();
/// Makes `device` the calling thread's. Throws DeviceError if there is no such device.
void set_current_device(int device);

/// Makes a device current for the life of the guard.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : previous_(current_device()) {
    if (device != previous_) set_current_device(device);
  }
  ~DeviceGuard() {
    if (current_device() != previous_) restore();
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  void restore() noexcept;
  int previous_;
};

/// The calling thread's current stream of a device (null: the default stream).
void* current_stream(int device);
inline void* current_stream() { return current_stream(current_device()); }
void set_current_stream(int device, void* stream);
/// A stream of the device's own pool of 32, taken in turn; it lives as long as the process and does
/// not wait for the default stream.
void* pooled_stream(int device);

/// Waits for all work of the device, or of a stream. Throws DeviceLost if the device has failed.
void synchronize(int device);
void synchronize_stream(void* stream);

/// Events order streams; they carry no time. The stream belongs to the current device.
void* create_event();
void record_event(void* event, void* stream);
bool event_done(void* event);
void stream_wait_event(void* stream, void* event);
void destroy_event(void* event) noexcept;

/// Copies `bytes` between any two devices, in the order of the current streams of the CUDA devices
/// concerned. Copies with the CPU are complete on return unless `non_blocking` and the host memory
/// is pinned; then it must stay untouched until the stream has been waited for.
void copy_bytes(void* dst, Device dst_device, const void* src, Device src_device, int64_t bytes,
                bool non_blocking);
/// Zeroes `bytes` in the order of the current stream.
void clear_bytes(void* dst, int64_t bytes);

/// Page-locked host memory. Throws OutOfMemoryError. free_pinned waits for copies in flight.
void* allocate_pinned(int64_t bytes);
void free_pinned(void* memory) noexcept;

/// Raw memory of the current device; null when there is none left. For the allocator.
void* raw_allocate(int64_t bytes);
void raw_free(void* memory) noexcept;
struct MemoryInfo {
  int64_t free = 0, total = 0;  // bytes
};
MemoryInfo memory_info(int device);

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
};
DeviceInfo device_info(int device);

/// Throws what an error of the runtime means: OutOfMemoryError, DeviceLost for a fault after which
/// the device's context is unusable, else DeviceError. `error` is a cudaError_t.
[[noreturn]] void throw_error(int error, const char* what);

}  // namespace wick::cuda
