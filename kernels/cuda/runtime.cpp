#include <cuda_runtime_api.h>

#include <wick/core/thread_state.h>
#include <wick/kernels/cuda/runtime.h>
#include <mutex>

namespace wick::cuda {
namespace {

constexpr int kMaxDevices = 16;  // as many streams as ThreadState has room for
constexpr int kPooledStreams = 32;

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) [[unlikely]]
    throw_error(error, what);
}

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }

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

/// Makes stream `after` of device `after_device` wait for what stream `before` has been given.
void join_streams(int before_device, void* before, int after_device, void* after) {
  void* event;
  {
    const DeviceGuard guard(before_device);
    event = create_event();
    record_event(event, before);
  }
  {
    const DeviceGuard guard(after_device);
    stream_wait_event(after, event);
  }
  destroy_event(event);  // takes effect when it has happened
}

void copy_peer(void* dst, int dst_device, const void* src, int src_device, size_t bytes) {
  void* const from = current_stream(src_device);
  void* const to = current_stream(dst_device);
  join_streams(dst_device, to, src_device, from);  // dst may still be in use
  {
    const DeviceGuard guard(src_device);
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
  reason = status->reason;
  return status->devices;
}

int current_device() { return detail::thread_state().cuda_device; }

void set_current_device(int device) {
  check_device(device);
  check(cudaSetDevice(device), "set_device");
  detail::thread_state().cuda_device = static_cast<int8_t>(device);
}

void DeviceGuard::restore() noexcept {
  (void)cudaSetDevice(previous_);  // it was current before
  detail::thread_state().cuda_device = static_cast<int8_t>(previous_);
}

void* current_stream(int device) { return detail::thread_state().cuda_stream[device]; }
void set_current_stream(int device, void* stream) {
  check_device(device);
  detail::thread_state().cuda_stream[device] = stream;
}

void* pooled_stream(int device) {
  struct Pool {
    std::mutex mutex;
    cudaStream_t streams[kPooledStreams] = {};
    int next = 0;
  };
  static Pool* const pools = new Pool[kMaxDevices];
  check_device(device);
  const DeviceGuard guard(device);
  Pool& pool = pools[device];
  const std::lock_guard lock(pool.mutex);
  cudaStream_t& stream = pool.streams[pool.next];
  if (!stream) check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create a stream");
  pool.next = (pool.next + 1) % kPooledStreams;
  return stream;
}

void synchronize(int device) {
  check_device(device);
  const DeviceGuard guard(device);
  check(cudaDeviceSynchronize(), "synchronize");
}
void synchronize_stream(void* stream) {
  check(cudaStreamSynchronize(stream_of(stream)), "synchronize");
}

void* create_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
  return event;
}
void record_event(void* event, void* stream) {
  check(cudaEventRecord(static_cast<cudaEvent_t>(event), stream_of(stream)), "record an event");
}
bool event_done(void* event) {
  const cudaError_t error = cudaEventQuery(static_cast<cudaEvent_t>(event));
  if (error == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return false;
  }
  check(error, "query an event");
  return true;
}
void stream_wait_event(void* stream, void* event) {
  check(cudaStreamWaitEvent(stream_of(stream), static_cast<cudaEvent_t>(event), 0),
        "wait for an event");
}
void destroy_event(void* event) noexcept {
  (void)cudaEventDestroy(static_cast<cudaEvent_t>(event));
}

void copy_bytes(void* dst, Device dst_device, const void* src, Device src_device, int64_t bytes,
                bool non_blocking) {
  if (bytes <= 0) return;
  const auto size = static_cast<size_t>(bytes);
  if (dst_device.is_cuda() && src_device.is_cuda()) {
    if (dst_device != src_device)
      return copy_peer(dst, dst_device.index(), src, src_device.index(), size);
    const DeviceGuard guard(dst_device.index());
    return check(
        cudaMemcpyAsync(dst, src, size, cudaMemcpyDeviceToDevice, stream_of(current_stream())),
        "copy");
  }
  if (dst_device.is_cpu() && src_device.is_cpu()) {
    __builtin_memmove(dst, src, size);
    return;
  }
  const bool upload = dst_device.is_cuda();
  const DeviceGuard guard(upload ? dst_device.index() : src_device.index());
  const cudaStream_t stream = stream_of(current_stream());
  check(cudaMemcpyAsync(dst, src, size, upload ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost,
                        stream),
        "copy");
  if (!non_blocking) check(cudaStreamSynchronize(stream), "copy");
}

void clear_bytes(void* dst, int64_t bytes) {
  if (bytes <= 0) return;
  check(cudaMemsetAsync(dst, 0, static_cast<size_t>(bytes), stream_of(current_stream())), "clear");
}

void* allocate_pinned(int64_t bytes) {
  check_device(current_device());
  if (bytes <= 0) return nullptr;
  void* memory = nullptr;
  const cudaError_t error =
      cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocPortable);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    WICK_FAIL(OutOfMemoryError, "out of pinned host memory: requested ", bytes,
              " bytes; pin less or use pageable memory");
  }
  check(error, "allocate pinned memory");
  return memory;
}
void free_pinned(void* memory) noexcept {
  if (memory) (void)cudaFreeHost(memory);
}

void* raw_allocate(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // not sticky, and handled by the caller
    return nullptr;
  }
  check(error, "allocate device memory");
  return memory;
}
void raw_free(void* memory) noexcept {
  // At the end of the process the driver may be gone, and the memory with it.
  (void)cudaFree(memory);
}

MemoryInfo memory_info(int device) {
  check_device(device);
  const DeviceGuard guard(device);
  size_t free = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "query memory");
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

DeviceInfo device_info(int device) {
  check_device(device);
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, device), "query the device");
  return {p.name, p.major, p.minor, p.multiProcessorCount};
}

void throw_error(int error, const char* what) {
  const auto e = static_cast<cudaError_t>(error);
  (void)cudaGetLastError();  // clears what can be cleared
  if (e == cudaErrorMemoryAllocation) {
    WICK_FAIL(OutOfMemoryError, "cuda: out of device memory in ", what,
              "; use smaller tensors or batches");
  }
  if (is_sticky(e)) {
    WICK_FAIL(DeviceLost, "cuda: the device failed (", cudaGetErrorString(e), "), noticed in ",
              what, "; its tensors are lost, restart the program");
  }
  WICK_FAIL(DeviceError, "cuda: ", what, " failed: ", cudaGetErrorString(e));
}

}  // namespace wick::cuda
