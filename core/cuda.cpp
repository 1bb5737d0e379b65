#include <wick/core/cuda.h>

#include <wick/core/check.h>
#include <wick/core/log.h>
#include <wick/core/options.h>
#include <wick/core/tensor.h>
#include <wick/core/thread_state.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/runtime.h>
#include <wick/kernels/dispatch.h>
#include <atomic>
#include <bit>
#include <cstdio>
#include <utility>

// The names of kernels/cuda are only used where wick was built with CUDA.
#define WICK_IF_CUDA(...)           \
  do {                              \
    if constexpr (kBuiltWithCuda) { \
      __VA_ARGS__;                  \
    }                               \
  } while (false)

namespace wick {
namespace {

/// How many devices can be used, and if none, why; said once in the log.
int status(std::string& reason) {
  int devices = 0;
  if constexpr (kBuiltWithCuda) {
    devices = cuda::runtime_status(reason);
  } else {
    reason = "wick was built without CUDA (configure with -DWICK_CUDA=ON)";
  }
  static const bool told [[maybe_unused]] = [&] {
    if (!kBuiltWithCuda) detail::log_info(reason);
    if (kBuiltWithCuda && devices == 0)
      detail::log_warning("CUDA is not available: " + reason + "; on the CPU");
    return true;
  }();
  return devices;
}

/// The index of a device that can be used; throws DeviceError.
int index_of(const char* op, int device) {
  return detail::resolve_device(op, Device(kCUDA, device)).index();
}

/// The current device for a call of the runtime, if there is such a device and it is not lost.
struct UsableScope {
  explicit UsableScope(int device) : device_(index_of("stream", device)) {
    cuda::check_usable(device);
  }
  cuda::DeviceScope device_;
};

// A Device in one word: clang has no instruction for an atomic of its alignment.
std::atomic<uint16_t> default_device{std::bit_cast<uint16_t>(Device(kCPU, 0))};

}  // namespace

Device get_default_device() {
  return std::bit_cast<Device>(default_device.load(std::memory_order_relaxed));
}

void set_default_device(Device device) {
  (void)detail::resolve_device("set_default_device", device);
  default_device.store(std::bit_cast<uint16_t>(device), std::memory_order_relaxed);
}

Device detail::resolve_device(const char* op, Device device) {
  if (device.is_cpu()) {
    WICK_CHECK(DeviceError, device.index() <= 0, op, ": there is one CPU device, got index ",
               device.index());
    return Device(kCPU, 0);
  }
  std::string reason;
  const int devices = status(reason);
  WICK_CHECK(DeviceError, devices > 0, op, ": cannot use device ", device, ": ", reason);
  const int index = device.has_index() ? device.index() : thread_state().cuda_device;
  WICK_CHECK(DeviceError, index < devices, op, ": there is no device cuda:", index,
             "; CUDA devices here: ", devices);
  return Device(kCUDA, index);
}

void Tensor::record_stream(const cuda::Stream& stream) const {
  WICK_CHECK(DeviceError, is_cuda(), "record_stream: expected a CUDA tensor, got one on ",
             device());
  WICK_CHECK(DeviceError, stream.device() == device(), "record_stream: the tensor is on ", device(),
             ", the stream belongs to ", stream.device());
  WICK_IF_CUDA(cuda::record_stream(storage()->data(), device().index(), stream.native_handle()));
}

namespace cuda {

bool is_available() { return device_count() > 0; }
int device_count() {
  std::string reason;
  return status(reason);
}
std::string unavailable_reason() {
  std::string reason;
  status(reason);
  return reason;
}

void set_allow_tf32([[maybe_unused]] bool allow) { WICK_IF_CUDA(allow_tf32_in_libraries(allow)); }
bool allow_tf32() {
  bool allowed = false;
  WICK_IF_CUDA(allowed = tf32_allowed());
  return allowed;
}

// --- devices

int current_device() { return detail::thread_state().cuda_device; }

void set_device(int device) {
  const int index = index_of("set_device", device);
  WICK_IF_CUDA(set_current_device(index));
}

DeviceGuard::DeviceGuard(Device device) : previous_(current_device()) {
  if (device.is_cpu()) return;
  const int index = index_of("DeviceGuard", device.index());
  if (index != previous_) set_device(index);
}
DeviceGuard::~DeviceGuard() {
  if (current_device() != previous_) WICK_IF_CUDA(restore_device(previous_));
}

DeviceProperties get_device_properties(int device) {
  const int index = index_of("get_device_properties", device);
  DeviceProperties properties;
  WICK_IF_CUDA(properties = device_properties(index));
  return properties;
}

void synchronize(int device) {
  const int index = index_of("synchronize", device);
  WICK_IF_CUDA(wait_for_device(index); look(index));
}

// --- streams

Stream default_stream(int device) { return {nullptr, index_of("default_stream", device)}; }

Stream current_stream(int device) {
  const int index = index_of("current_stream", device);
  return {detail::thread_state().cuda_stream[index], index};
}

void set_stream(const Stream& stream) {
  const int index = index_of("set_stream", stream.device_index());
  detail::thread_state().cuda_stream[index] = stream.native_handle();
}

Stream stream_from_pool(int device) {
  const int index = index_of("stream_from_pool", device);
  void* native = nullptr;
  WICK_IF_CUDA(native = pooled_stream(index));
  return {native, index};
}

bool Stream::query() const {
  bool done = true;
  WICK_IF_CUDA(const UsableScope scope(device_); done = stream_done(native_));
  return done;
}

void Stream::synchronize() const {
  WICK_IF_CUDA(const UsableScope scope(device_); wait_for_stream(native_); look(device_));
}

void Stream::wait_event(const Event& event) const { event.block(*this); }

void Stream::wait_stream(const Stream& other) const {
  WICK_IF_CUDA(const UsableScope scope(other.device_);
               join_streams(other.device_, other.native_, device_, native_));
}

Event Stream::record_event() const {
  Event event;
  event.record(*this);
  return event;
}

StreamGuard::StreamGuard(const Stream& stream)
    : device_(stream.device_index()), previous_(current_stream(stream.device_index())) {
  set_stream(stream);
}
StreamGuard::~StreamGuard() {
  detail::thread_state().cuda_stream[previous_.device_index()] = previous_.native_handle();
}

// --- events

Event::Event(Event&& o) noexcept
    : native_(std::exchange(o.native_, nullptr)), device_(o.device_), timing_(o.timing_) {}
Event& Event::operator=(Event&& o) noexcept {
  std::swap(native_, o.native_);
  std::swap(device_, o.device_);
  std::swap(timing_, o.timing_);
  return *this;
}
Event::~Event() { WICK_IF_CUDA(destroy_event(native_)); }

void Event::record() { record(current_stream(-1)); }

void Event::record(const Stream& stream) {
  const int index = index_of("Event::record", stream.device_index());
  WICK_CHECK(DeviceError, !native_ || index == device_,
             "Event::record: the event belongs to cuda:", device_, ", the stream to cuda:", index,
             "; use another event");
  device_ = index;
  WICK_IF_CUDA(const DeviceScope scope(index); if (!native_) native_ = create_event(timing_);
               cuda::record_event(native_, stream.native_handle()));
}

bool Event::query() const {
  bool done = true;
  if (!native_) return true;
  WICK_IF_CUDA(const UsableScope scope(device_); done = event_done(native_));
  return done;
}

void Event::synchronize() const {
  if (!native_) return;
  WICK_IF_CUDA(const UsableScope scope(device_); wait_for_event(native_); look(device_));
}

void Event::block(const Stream& stream) const {
  if (!native_) return;
  WICK_IF_CUDA(const UsableScope scope(stream.device_index());
               stream_wait_event(stream.native_handle(), native_));
}

double Event::elapsed_time(const Event& end) const {
  WICK_CHECK(ValueError, timing_ && end.timing_,
             "elapsed_time: expected events made with enable_timing, as in Event(true)");
  WICK_CHECK(ValueError, native_ && end.native_,
             "elapsed_time: expected two recorded events; call record() on both");
  WICK_CHECK(ValueError, query() && end.query(),
             "elapsed_time: an event has not happened yet; call synchronize() on the later one");
  double ms = 0;
  WICK_IF_CUDA(ms = milliseconds_between(native_, end.native_));
  return ms;
}

// --- memory

namespace {

MemoryStats stats_of(const char* op, int device) {
  MemoryStats stats;
  if (is_available()) {
    const int index = index_of(op, device);
    WICK_IF_CUDA(stats = memory_stats(index));
  }
  return stats;
}

/// " allocated  |   1.5 GiB |   2.0 GiB\n"
[[maybe_unused]] std::string row(const char* name, int64_t now, int64_t peak = -1) {
  const auto text = [](int64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 0) return std::string();
    double value = static_cast<double>(bytes);
    int unit = 0;
    for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return std::string(buffer);
  };
  char line[96];
  std::snprintf(line, sizeof(line), " %-22s | %11s | %11s\n", name, text(now).c_str(),
                text(peak).c_str());
  return line;
}

}  // namespace

int64_t memory_allocated(int device) { return stats_of("memory_allocated", device).allocated; }
int64_t max_memory_allocated(int device) {
  return stats_of("max_memory_allocated", device).max_allocated;
}
int64_t memory_reserved(int device) { return stats_of("memory_reserved", device).reserved; }
int64_t max_memory_reserved(int device) {
  return stats_of("max_memory_reserved", device).max_reserved;
}

void reset_peak_memory_stats(int device) {
  if (!is_available()) return;
  const int index = index_of("reset_peak_memory_stats", device);
  WICK_IF_CUDA(reset_memory_peaks(index));
}

void empty_cache() {
  const int devices = device_count();
  WICK_IF_CUDA(for (int d = 0; d < devices; ++d) empty_cache(d);
               if (devices > 0) empty_pinned_cache());
}

std::string memory_summary(int device) {
  if (!is_available()) return "CUDA is not available: " + unavailable_reason() + "\n";
  const int index = index_of("memory_summary", device);
  std::string text;
  if constexpr (kBuiltWithCuda) {
    const MemoryStats s = memory_stats(index);
    const MemoryStats pinned = pinned_memory_stats();
    const MemoryInfo info = memory_info(index);
    text = str("cuda:", index, ", ", device_properties(index).name, '\n');
    char head[96];
    std::snprintf(head, sizeof(head), " %-22s | %11s | %11s\n", "memory", "now", "at most");
    text += head;
    text += row("allocated", s.allocated, s.max_allocated);
    text += row("reserved", s.reserved, s.max_reserved);
    text += row("reserved, not in use", s.reserved - s.allocated);
    text += row("free on the device", info.free);
    text += row("of", info.total);
    text += row("pinned host memory", pinned.allocated, pinned.max_allocated);
    text += row("pinned, reserved", pinned.reserved, pinned.max_reserved);
  }
  return text;
}

}  // namespace cuda
}  // namespace wick
