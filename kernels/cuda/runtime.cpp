#include <cuda_runtime_api.h>

#include <pthread.h>

#include <wick/kernels/cuda/runtime.h>
#include <wick/kernels/dispatch.h>
#include <mutex>

namespace wick::cuda {

constinit Attention attention[kMaxDevices];

namespace {

constexpr int kPooledStreams = 32;
static_assert(sizeof(detail::ThreadState::cuda_stream) == kMaxDevices * sizeof(void*));

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) [[unlikely]]
    throw_error(error, what);
}

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

/// Of the answer to a query.
bool is_done(cudaError_t answer, const char* what) {
  if (answer == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return false;
  }
  check(answer, what);
  return true;
}

/// After these the context is gone: every later call fails in the same way.
bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
      return true;
    default:
      return false;
  }
}

constexpr uint32_t kLoud = 1;
std::atomic<bool> used{false};                            // the driver was asked, and has devices
std::atomic<bool> forked{false};                          // thereafter, and this is the child
std::atomic<const std::string*> lost_cause[kMaxDevices];  // leaked

constexpr const char* kForked =
    "CUDA was in use when this process was forked, and cannot be used in the child; fork before "
    "the "
    "first use of CUDA, or start a new program with exec";

void after_fork_in_child() {
  if (!used.load(std::memory_order_relaxed)) return;
  forked.store(true, std::memory_order_relaxed);
  for (Attention& a : attention) a.word.store(&kLoud, std::memory_order_relaxed);
}

std::string version_text(int version) { return str(version / 1000, ".", version % 1000 / 10); }

int query_status(std::string& reason) {
  int driver = 0;
  int runtime = 0;
  // Without a driver this succeeds and gives 0.
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    reason = "no CUDA driver is installed (libcuda.so.1 was not found)";
    return 0;
  }
  cudaRuntimeGetVersion(&runtime);
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  (void)cudaGetLastError();  // not to be reported by the next launch
  if (error == cudaErrorInsufficientDriver) {
    reason = str("the CUDA driver supports CUDA ", version_text(driver), ", wick was built with ",
                 version_text(runtime), "; update the driver");
  } else if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    reason = "the CUDA driver found no device (is one hidden by CUDA_VISIBLE_DEVICES?)";
  } else if (error != cudaSuccess) {
    reason = str("the CUDA driver failed: ", cudaGetErrorString(error));
  } else {
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    used.store(true, std::memory_order_relaxed);
    return count < kMaxDevices ? count : kMaxDevices;
  }
  return 0;
}

void check_device(int device) {
  std::string reason;
  const int count = runtime_status(reason);
  WICK_CHECK(DeviceError, count > 0, "cuda: cannot use device cuda:", device, ": ", reason);
  WICK_CHECK(DeviceError, device >= 0 && device < count, "cuda: there is no device cuda:", device,
             "; CUDA devices here: ", count);
}

void copy_peer(void* dst, int dst_device, const void* src, int src_device, size_t bytes) {
  void* const from = native_stream(src_device);
  void* const to = native_stream(dst_device);
  join_streams(dst_device, to, src_device, from);  // dst may still be in use
  {
    const DeviceScope scope(src_device);
    check(cudaMemcpyPeerAsync(dst, dst_device, src, src_device, bytes, stream_of(from)), "copy");
  }
  join_streams(src_device, from, dst_device, to);
}

}  // namespace

int runtime_status(std::string& reason) noexcept {
  struct Status {
    std::string reason;
    int devices = 0;
  };
  static const Status* const status = [] {
    auto* s = new Status;  // leaked: used until the very end of the process
    s->devices = query_status(s->reason);
    return s;
  }();
  if (is_forked()) {
    reason = kForked;
    return 0;
  }
  reason = status->reason;
  return status->devices;
}

bool is_forked() noexcept { return forked.load(std::memory_order_relaxed); }

void check_usable(int device) {
  WICK_CHECK(DeviceError, !is_forked(), "cuda: cannot use device cuda:", device, ": ", kForked);
  const std::string* cause = lost_cause[device].load(std::memory_order_acquire);
  WICK_CHECK(DeviceLost, !cause, "cuda: device cuda:", device, " is lost: ", *cause,
             "; its tensors are gone, restart the program");
}

void set_current_device(int device) {
  check_device(device);
  check(cudaSetDevice(device), "set_device");
  detail::thread_state().cuda_device = static_cast<int8_t>(device);
}

void restore_device(int device) noexcept {
  (void)cudaSetDevice(device);
  detail::thread_state().cuda_device = static_cast<int8_t>(device);
}

OpScope::OpScope(int device) : previous_(detail::thread_state().cuda_device) {
  look(device);
  if (device != previous_) [[unlikely]]
    set_current_device(device);
}
OpScope::~OpScope() {
  if (detail::thread_state().cuda_device != previous_) [[unlikely]]
    restore_device(previous_);
}

void* pooled_stream(int device) {
  struct Pool {
    std::mutex mutex;
    cudaStream_t streams[kPooledStreams] = {};
    int next = 0;
  };
  static Pool* const pools = new Pool[kMaxDevices];
  check_device(device);
  const DeviceScope scope(device);
  Pool& pool = pools[device];
  const std::lock_guard lock(pool.mutex);
  cudaStream_t& stream = pool.streams[pool.next];
  if (!stream) check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create a stream");
  pool.next = (pool.next + 1) % kPooledStreams;
  return stream;
}

void wait_for_device(int device) {
  check_device(device);
  const DeviceScope scope(device);
  check(cudaDeviceSynchronize(), "synchronize");
}
void wait_for_stream(void* stream) {
  check(cudaStreamSynchronize(stream_of(stream)), "synchronize");
}
bool stream_done(void* stream) {
  return is_done(cudaStreamQuery(stream_of(stream)), "query a stream");
}

void* create_event(bool timing) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming),
        "create an event");
  return event;
}
void record_event(void* event, void* stream) {
  check(cudaEventRecord(event_of(event), stream_of(stream)), "record an event");
}
bool event_done(void* event) { return is_done(cudaEventQuery(event_of(event)), "query an event"); }
void wait_for_event(void* event) {
  check(cudaEventSynchronize(event_of(event)), "wait for an event");
}
void stream_wait_event(void* stream, void* event) {
  check(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0), "wait for an event");
}
double milliseconds_between(void* start, void* end) {
  float ms = 0;
  check(cudaEventElapsedTime(&ms, event_of(start), event_of(end)), "measure time between events");
  return static_cast<double>(ms);
}
void destroy_event(void* event) noexcept {
  if (event && !is_forked()) (void)cudaEventDestroy(event_of(event));
}

void join_streams(int before_device, void* before, int after_device, void* after) {
  struct Event {
    void* handle = create_event();
    ~Event() { destroy_event(handle); }  // takes effect when it has happened
  };
  const DeviceScope scope(before_device);
  const Event event;
  record_event(event.handle, before);
  const DeviceScope there(after_device);
  stream_wait_event(after, event.handle);
}

void copy_bytes(void* dst, Device dst_device, const void* src, Device src_device, int64_t bytes,
                bool non_blocking) {
  if (bytes <= 0) return;
  const auto size = static_cast<size_t>(bytes);
  if (dst_device.is_cpu() && src_device.is_cpu()) {
    __builtin_memmove(dst, src, size);
    return;
  }
  const int device = src_device.is_cuda() ? src_device.index() : dst_device.index();
  look(device);
  if (dst_device.is_cuda() && src_device.is_cuda() && dst_device != src_device) {
    look(dst_device.index());
    return copy_peer(dst, dst_device.index(), src, device, size);
  }
  const DeviceScope scope(device);
  const cudaStream_t stream = stream_of(native_stream());
  const auto kind = dst_device.is_cpu()   ? cudaMemcpyDeviceToHost
                    : src_device.is_cpu() ? cudaMemcpyHostToDevice
                                          : cudaMemcpyDeviceToDevice;
  check(cudaMemcpyAsync(dst, src, size, kind, stream), "copy");
  if (non_blocking || kind == cudaMemcpyDeviceToDevice) return;
  check(cudaStreamSynchronize(stream), "copy");
  look(device);
}

void read_bytes(void* dst, const void* src, int64_t bytes) {
  const cudaStream_t stream = stream_of(native_stream());
  check(cudaMemcpyAsync(dst, src, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream),
        "copy");
  check(cudaStreamSynchronize(stream), "copy");
}

void clear_bytes(void* dst, int64_t bytes) {
  if (bytes <= 0) return;
  check(cudaMemsetAsync(dst, 0, static_cast<size_t>(bytes), stream_of(native_stream())), "clear");
}

namespace {

/// Null where memory is short, which the callers handle.
void* memory_or_null(cudaError_t error, void* memory, const char* what) {
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // not sticky
    return nullptr;
  }
  check(error, what);
  return memory;
}

}  // namespace

void* raw_allocate(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  return memory_or_null(error, memory, "allocate device memory");
}
void* raw_allocate_pinned(int64_t bytes) {
  check_device(current_device());
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, static_cast<size_t>(bytes),
                                          cudaHostAllocPortable | cudaHostAllocMapped);
  return memory_or_null(error, memory, "allocate pinned memory");
}
// At the end of the process the driver may be gone, and the memory with it.
void raw_free(void* memory) noexcept { (void)cudaFree(memory); }
void raw_free_pinned(void* memory) noexcept { (void)cudaFreeHost(memory); }

MemoryInfo memory_info(int device) {
  check_device(device);
  const DeviceScope scope(device);
  size_t free = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "query memory");
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

DeviceProperties device_properties(int device) {
  check_device(device);
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, device), "query the device");
  return {p.name,
          p.major,
          p.minor,
          static_cast<int64_t>(p.totalGlobalMem),
          p.multiProcessorCount,
          p.maxThreadsPerMultiProcessor,
          static_cast<int64_t>(p.sharedMemPerBlock),
          static_cast<int64_t>(p.sharedMemPerBlockOptin),
          p.l2CacheSize};
}

namespace {

/// Whose error it is that a call has returned: a call may concern several devices.
int find_lost_device(int current) {
  std::string reason;
  const int count = runtime_status(reason);
  int lost = current;
  for (int i = 0; i < count; ++i) {
    const int device = (current + i) % count;  // the current one is the likeliest
    const bool fails = is_sticky(cudaSetDevice(device)) || is_sticky(cudaStreamQuery(nullptr));
    (void)cudaGetLastError();
    if (!fails) continue;
    lost = device;
    break;
  }
  restore_device(current);
  return lost;
}

}  // namespace

void throw_error(int error, const char* what) {
  const auto e = static_cast<cudaError_t>(error);
  (void)cudaGetLastError();  // clears what can be cleared
  const int device = current_device();
  check_usable(device);  // what was first is what matters
  if (e == cudaErrorMemoryAllocation) {
    WICK_FAIL(OutOfMemoryError, "cuda: out of device memory in ", what,
              "; use smaller tensors or batches");
  }
  if (is_sticky(e)) {
    const int lost = find_lost_device(device);
    const auto* cause = new std::string(str(cudaGetErrorString(e), ", noticed in ", what));
    const std::string* none = nullptr;
    if (!lost_cause[lost].compare_exchange_strong(none, cause)) delete cause;
    attention[lost].word.store(&kLoud, std::memory_order_relaxed);
    check_usable(lost);
  }
  WICK_FAIL(DeviceError, "cuda: ", what, " failed: ", cudaGetErrorString(e));
}

void check_alive(const char* what) {
  const cudaError_t error = cudaStreamQuery(stream_of(native_stream()));
  (void)cudaGetLastError();
  if (is_sticky(error)) throw_error(error, what);
}

}  // namespace wick::cuda
