#pragma once

#include <wick/core/device.h>
#include <cstdint>
#include <string>

// CUDA devices, streams, events and memory, as torch.cuda has them. Where CUDA is not available,
// everything here that needs a device throws a DeviceError that says why. A device index of -1 is
// the calling thread's current device.
namespace wick {

namespace cuda {

/// Whether tensors can live on a GPU here: wick was built with CUDA, and a driver and a device are
/// there. Never throws.
WICK_API bool is_available();
/// 0 if CUDA is not available.
WICK_API int device_count();
/// One line that says why CUDA is not available; empty if it is.
WICK_API std::string unavailable_reason();

// --- devices

/// The calling thread's device, on which tensors for "cuda" are made: 0 until it is set.
WICK_API int current_device();
WICK_API void set_device(int device);

/// Makes a device the current one for the life of the guard. A CPU device changes nothing.
class WICK_API DeviceGuard {
 public:
  explicit DeviceGuard(Device device);
  explicit DeviceGuard(int device) : DeviceGuard(Device(kCUDA, device)) {}
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_;
};

WICK_API DeviceProperties get_device_properties(int device = -1);
/// Waits for all work of the device. Throws what went wrong there: IndexError for a bad index or
/// label that a kernel met (optimizers have changed nothing since), DeviceLost.
WICK_API void synchronize(int device = -1);

// --- streams

class Event;

/// A queue of work of one device; work in different streams is not ordered. Copies are the same
/// stream. Kernels go to the current stream of the calling thread.
class WICK_API Stream {
 public:
  /// A stream that was made elsewhere (a cudaStream_t) and outlives its use here.
  Stream(void* native, int device) : native_(native), device_(device) {}

  Device device() const { return Device(kCUDA, device_); }
  int device_index() const { return device_; }
  /// The cudaStream_t; null for the default stream.
  void* native_handle() const { return native_; }
  /// The same number for equal streams, another one for others of the device.
  int64_t id() const { return reinterpret_cast<int64_t>(native_); }
  bool operator==(const Stream&) const = default;

  /// Whether all work that it was given is done.
  bool query() const;
  /// Waits for it; throws as cuda::synchronize.
  void synchronize() const;
  /// What comes after in this stream waits for the event, or for what `other` has been given. The
  /// caller does not wait.
  void wait_event(const Event& event) const;
  void wait_stream(const Stream& other) const;
  Event record_event() const;

 private:
  void* native_;
  int device_;
};

/// The stream that is there from the start and current until another one is set.
WICK_API Stream default_stream(int device = -1);
WICK_API Stream current_stream(int device = -1);
/// Makes it the current stream of its device; the current device stays.
WICK_API void set_stream(const Stream& stream);
/// One of 32 of the device, in turn. They do not wait for the default stream, and live as long as
/// the process.
WICK_API Stream stream_from_pool(int device = -1);

/// Makes a stream and its device current for the life of the guard.
class WICK_API StreamGuard {
 public:
  explicit StreamGuard(const Stream& stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  DeviceGuard device_;
  Stream previous_;
};

// --- events

/// A mark in a stream. It belongs to the device of the stream that it is first recorded in.
class WICK_API Event {
 public:
  explicit Event(bool enable_timing = false) : timing_(enable_timing) {}
  Event(Event&& o) noexcept;
  Event& operator=(Event&& o) noexcept;
  ~Event();

  /// Marks what the (current) stream has been given; an earlier mark is forgotten.
  void record();
  void record(const Stream& stream);
  /// Whether everything before the mark is done; true for an event that was never recorded.
  bool query() const;
  void synchronize() const;
  /// What comes after in the stream waits for the mark.
  void block(const Stream& stream) const;
  /// Milliseconds from this event to `end`. Throws ValueError unless both were made with
  /// enable_timing, recorded, and are done.
  double elapsed_time(const Event& end) const;

 private:
  void* native_ = nullptr;  // made when first recorded
  int device_ = -1;
  bool timing_;
};

// --- memory, in bytes; 0 where CUDA is not available

/// In tensors and workspaces, and the most it was since the start or reset_peak_memory_stats.
WICK_API int64_t memory_allocated(int device = -1);
WICK_API int64_t max_memory_allocated(int device = -1);
/// Taken from the driver; what is not allocated is kept for later.
WICK_API int64_t memory_reserved(int device = -1);
WICK_API int64_t max_memory_reserved(int device = -1);
WICK_API void reset_peak_memory_stats(int device = -1);
/// Gives what is kept back to the driver, of all devices and of pinned host memory.
WICK_API void empty_cache();
/// The above as a table for reading.
WICK_API std::string memory_summary(int device = -1);

/// Lets matrix products and convolutions of float32 on GPUs of compute capability 8.0 and later
/// round their factors to TF32 (10 bits of fraction instead of 23), which is several times faster.
/// For the whole process; false at first, and always in a build without CUDA.
WICK_API void set_allow_tf32(bool allow);
WICK_API bool allow_tf32();

}  // namespace cuda

namespace detail {

/// The device with a definite index: 0 for the CPU, the calling thread's current device for "cuda".
/// Throws DeviceError, which begins with the name of the op, if there is no such device.
Device resolve_device(const char* op, Device device);

}  // namespace detail
}  // namespace wick
