// Work that does not wait for other work, handles that are gone, and two devices.
#include <tests/simt/bugs/bugs.h>

#include <algorithm>

namespace bugs {
namespace {

__global__ void copy_kernel(const float* x, float* y, int n) {
  const int i = global_index();
  if (i < n) y[i] = x[i];
}
void copy(const float* x, float* y, cudaStream_t s) {
  gpu::launch(copy_kernel, 1, 64, 0, s, x, y, 64);
}

// Tells the host by way of its own memory.
__global__ void mapped_kernel(const float* x, float* y, unsigned* ready) {
  y[threadIdx.x] = x[threadIdx.x];
  __threadfence_system();
  atomicAdd(ready, 1u);
}

cudaEvent_t new_event() {
  cudaEvent_t event = nullptr;
  must(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

cudaEvent_t recorded(cudaStream_t s) {
  const cudaEvent_t event = new_event();
  must(cudaEventRecord(event, s));
  return event;
}

std::vector<float> ones() { return std::vector<float>(64, 1); }

/// 64 floats of the host that copies and kernels reach on their own; 1 each.
float* pinned() {
  void* p = nullptr;
  must(cudaHostAlloc(&p, 64 * sizeof(float), cudaHostAllocPortable | cudaHostAllocMapped));
  std::fill_n(static_cast<float*>(p), 64, 1.f);
  return static_cast<float*>(p);
}

// x -> y in one stream, y -> z in another.
template <bool kWait>
bool two_streams() {
  const cudaStream_t a = new_stream(), b = new_stream();
  const Array<float> x(ramp(64), a), y(64), z(64);
  copy(x.p, y.p, a);
  const cudaEvent_t event = recorded(a);
  if (kWait) must(cudaStreamWaitEvent(b, event, 0));
  copy(y.p, z.p, b);
  return z.get(b) != ramp(64);
}

template <bool kWait>
bool download() {
  float* const host = pinned();
  const Array<float> x(ramp(64));
  must(cudaMemcpyAsync(host, x.p, 256, cudaMemcpyDeviceToHost, stream()));
  if (kWait) must(cudaStreamSynchronize(stream()));
  return std::vector<float>(host, host + 64) != ramp(64);
}

template <bool kWait>
bool upload() {
  float* const host = pinned();
  const Array<float> x(64);
  must(cudaMemcpyAsync(x.p, host, 256, cudaMemcpyHostToDevice, stream()));
  if (kWait) must(cudaStreamSynchronize(stream()));
  host[0] = 2;
  return x.get() != ones();
}

template <bool kWait>
bool mapped() {
  const Array<float> x(ramp(64));
  float* const y = pinned();
  void* ready = nullptr;
  must(cudaHostAlloc(&ready, sizeof(unsigned), cudaHostAllocMapped));
  auto* const count = static_cast<volatile unsigned*>(ready);
  *count = 0;
  gpu::launch(mapped_kernel, 1, 64, 0, stream(), x.p, y, static_cast<unsigned*>(ready));
  if (kWait) must(cudaStreamSynchronize(stream()));
  return *count != 64 || std::vector<float>(y, y + 64) != ramp(64);
}

// Device 0 -> device 1 -> device 0, each with a stream of its own.
template <bool kWait>
bool round_trip() {
  const Array<float> x(ramp(64)), z(64);
  const cudaEvent_t uploaded = recorded(stream());
  must(cudaSetDevice(1));
  const cudaStream_t there = new_stream();
  const Array<float> y0(64), y1(64);
  must(cudaStreamWaitEvent(there, uploaded, 0));
  must(cudaMemcpyPeerAsync(y0.p, 1, x.p, 0, 256, there));
  copy(y0.p, y1.p, there);
  const cudaEvent_t computed = recorded(there);
  must(cudaSetDevice(0));
  if (kWait) must(cudaStreamWaitEvent(stream(), computed, 0));
  must(cudaMemcpyPeerAsync(z.p, 0, y1.p, 1, 256, stream()));
  return z.get() != ramp(64);
}

}  // namespace

CONTROL(ok_streams) { return two_streams<true>(); }
CONTROL(ok_pinned_download) { return download<true>(); }
CONTROL(ok_pinned_upload) { return upload<true>(); }
CONTROL(ok_mapped) { return mapped<true>(); }
CONTROL(ok_two_devices) { return round_trip<true>(); }
CONTROL(ok_default_stream) {  // waits for streams that were not created as non-blocking
  cudaStream_t a = nullptr;
  must(cudaStreamCreate(&a));
  const Array<float> x(ramp(64), a), y(64), z(64);
  copy(x.p, y.p, a);
  copy(y.p, z.p, nullptr);
  return z.get(a) != ramp(64);
}

BUG(stream_missing_wait, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  return two_streams<false>();
}
BUG(stream_not_default, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  const Array<float> x(ramp(64)), y(64), z(64);
  copy(x.p, y.p, stream());
  copy(y.p, z.p, nullptr);  // does not wait for it
  return z.get(nullptr) != ramp(64);
}
BUG(stream_pinned_read_early, wrong(kAll)) { return download<false>(); }
BUG(stream_pinned_overwrite, wrong(kAll)) { return upload<false>(); }
BUG(stream_mapped_read_early, wrong(kAll)) { return mapped<false>(); }
BUG(stream_cross_device, wrong(kAll)) { return round_trip<false>(); }
// The memory is given back in the order of one stream while another still uses it.
BUG(stream_cross_free, wrong(kFast),
    reported(kCheck, "out-of-bounds access: .*freed allocation of 256 bytes"),
    reported(kAsan, "use-after-poison")) {
  const cudaStream_t other = new_stream();
  float* x = nullptr;
  must(cudaMallocAsync(reinterpret_cast<void**>(&x), 256, other));
  must(cudaMemcpyAsync(x, ones().data(), 256, cudaMemcpyHostToDevice, other));
  must(cudaStreamSynchronize(other));
  const Array<float> y(64);
  copy(x, y.p, stream());
  must(cudaFreeAsync(x, other));
  must(cudaStreamSynchronize(other));
  return y.get() != ones();
}

BUG(stream_destroyed, reported(kAll, "stream .* was destroyed")) {
  const Array<float> x(ramp(64)), y(64);
  const cudaStream_t s = new_stream();
  must(cudaStreamDestroy(s));
  copy(x.p, y.p, s);
  return y.get() != ramp(64);
}
BUG(event_destroyed, reported(kAll, "event .* was destroyed")) {
  const cudaEvent_t event = new_event();
  must(cudaEventDestroy(event));
  must(cudaEventRecord(event, stream()));
  return false;
}
BUG(event_destroyed_before_wait, reported(kAll, "event .* was destroyed")) {
  const cudaEvent_t event = recorded(stream());
  must(cudaEventDestroy(event));
  must(cudaStreamWaitEvent(new_stream(), event, 0));
  return false;
}

BUG(device_foreign_memory, reported(kCheck, "another device's memory: read of 4 .* of device 1")) {
  must(cudaSetDevice(1));
  const Array<float> x(64);
  must(cudaMemset(x.p, 0, 256));
  must(cudaDeviceSynchronize());
  must(cudaSetDevice(0));
  const Array<float> y(64);
  copy(x.p, y.p, stream());
  return y.get() != std::vector<float>(64, 0);
}
BUG(device_foreign_stream, reported(kAll, "invalid resource handle")) {
  const Array<float> x(ramp(64)), y(64);
  must(cudaStreamSynchronize(stream()));
  must(cudaSetDevice(1));
  copy(x.p, y.p, stream());
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(device_foreign_event, reported(kAll, "cudaErrorInvalidResourceHandle")) {
  const cudaEvent_t event = new_event();
  must(cudaSetDevice(1));
  must(cudaEventRecord(event, new_stream()));
  return false;
}
BUG(device_copy_confused, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(ramp(64)), y(64);
  must(cudaMemcpyPeerAsync(y.p, 1, x.p, 0, 256, stream()));
  must(cudaStreamSynchronize(stream()));
  return false;
}

}  // namespace bugs
