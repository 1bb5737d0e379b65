#pragma once

#include <wick/core/check.h>
#include <wick/core/device.h>
#include <wick/core/thread_state.h>
#include <atomic>
#include <cstdint>
#include <string>

// wick's own face of the CUDA runtime, without its headers: streams and events are void*. Only
// runtime.cpp and the launches of gpu.h call the runtime itself.
namespace wick::cuda {

inline constexpr int kMaxDevices = 16;  // as many streams as ThreadState has room for

/// Number of CUDA devices that can be used; if 0, `reason` says in one line why (no driver, too old
/// a driver, no device, a fork). Asks the driver once, prints nothing, never throws.
int runtime_status(std::string& reason) noexcept;

// --- what stands in the way of work on a device
/// For each device a word that is not 0 while there is something to be told before it is given
/// work: a kernel met a bad value (fault.h), the device is lost, the process was forked.
struct Attention {
  static constexpr uint32_t kQuiet = 0;
  std::atomic<const volatile uint32_t*> word{&kQuiet};
};
extern Attention attention[kMaxDevices];
/// Throws what there is to be told.
void attend(int device);
/// The cheap question, asked before every op and after every wait.
inline void look(int device) {
  if (*attention[device].word.load(std::memory_order_relaxed) != 0) [[unlikely]]
    attend(device);
}
/// Throws DeviceError after a fork, DeviceLost for a lost device.
void check_usable(int device);
/// Destructors do nothing in a child of a process that had used CUDA.
bool is_forked() noexcept;

// --- devices
/// The calling thread's device. Kernels are launched on it.
WICK_API int current_device();
/// Makes `device` the calling thread's. Throws DeviceError if there is no such device.
void set_current_device(int device);
/// The same for one that was current before.
void restore_device(int device) noexcept;

/// Makes a device current for the life of the scope.
class DeviceScope {
 public:
  explicit DeviceScope(int device) : previous_(detail::thread_state().cuda_device) {
    if (device != previous_) [[unlikely]]
      set_current_device(device);
  }
  ~DeviceScope() {
    if (detail::thread_state().cuda_device != previous_) [[unlikely]]
      restore_device(previous_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_;
};

DeviceProperties device_properties(int device);
struct MemoryInfo {
  int64_t free = 0, total = 0;  // bytes
};
MemoryInfo memory_info(int device);

// --- streams; a null stream is the default one
inline void* native_stream(int device) { return detail::thread_state().cuda_stream[device]; }
/// The stream that the calling thread's kernels go to.
inline void* native_stream() { return native_stream(detail::thread_state().cuda_device); }
/// A stream of the device's own pool of 32, taken in turn; it lives as long as the process and does
/// not wait for the default stream.
void* pooled_stream(int device);
/// Makes stream `after` of `after_device` wait for what stream `before` has been given.
void join_streams(int before_device, void* before, int after_device, void* after);

/// Wait for all work of the device, or of a stream of the current one. Throw DeviceLost if the
/// device has failed. They do not look(), which is up to the caller.
void wait_for_device(int device);
void wait_for_stream(void* stream);
bool stream_done(void* stream);

/// Events of the current device, to which the streams here must belong.
void* create_event(bool timing = false);
void record_event(void* event, void* stream);
bool event_done(void* event);
void wait_for_event(void* event);
void stream_wait_event(void* stream, void* event);
double milliseconds_between(void* start, void* end);
void destroy_event(void* event) noexcept;

// --- memory
/// Copies `bytes` between any two devices, in the order of the current streams of the CUDA devices
/// concerned. Copies with the CPU are complete on return unless `non_blocking`; then the host
/// memory must be pinned and stay untouched until the stream has been waited for.
void copy_bytes(void* dst, Device dst_device, const void* src, Device src_device, int64_t bytes,
                bool non_blocking);
/// Copies from the current device to the host, waits, and does not look().
void read_bytes(void* dst, const void* src, int64_t bytes);
/// Zeroes `bytes` in the order of the current stream.
void clear_bytes(void* dst, int64_t bytes);

/// Memory of the current device, and page-locked host memory, which all devices can use; null when
/// there is none left. For the allocators.
void* raw_allocate(int64_t bytes);
void raw_free(void* memory) noexcept;
void* raw_allocate_pinned(int64_t bytes);
void raw_free_pinned(void* memory) noexcept;

/// Throws what an error of the runtime means: OutOfMemoryError, DeviceLost for a fault after which
/// the current device's context is unusable (and from then on for every other), else DeviceError.
/// `error` is a cudaError_t.
[[noreturn]] void throw_error(int error, const char* what);
/// After a library has failed: throws DeviceLost if that is because the current device has.
void check_alive(const char* what);

}  // namespace wick::cuda
