// Wrong arguments of launches, copies, allocations.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

__global__ void write_kernel(float* y) {
  if (threadIdx.x == 0) *y = 1;
}

__global__ void static_shared_kernel(float* y) {
  GPU_SHARED(float, s, [12289]);
  s[threadIdx.x] = 1;
  if (threadIdx.x == 0) *y = s[0];
}

__global__ void trap_kernel(float* y) {
  if (*y == 0) __trap();
}

bool run_one(void (*kernel)(float*)) {
  Array<float> y(1);
  y.clear();
  gpu::launch(kernel, 1, 32, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}

bool run(dim3 grid, dim3 block, size_t shared_bytes = 0) {
  const Array<float> y(1);
  gpu::launch(write_kernel, grid, block, shared_bytes, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}

bool copy(void* dst, const void* src, size_t bytes, cudaMemcpyKind kind) {
  must(cudaMemcpyAsync(dst, src, bytes, kind, stream()));
  must(cudaStreamSynchronize(stream()));
  return false;
}

}  // namespace

BUG(cfg_block_1056, reported(kAll, "invalid configuration")) { return run(1, 1056); }
BUG(cfg_block_z_65, reported(kAll, "invalid configuration")) { return run(1, dim3(1, 1, 65)); }
BUG(cfg_grid_0, reported(kAll, "invalid configuration")) { return run(0, 32); }
BUG(cfg_grid_y_70000, reported(kAll, "invalid configuration")) { return run(dim3(1, 70000), 32); }
BUG(cfg_smem_50000, reported(kAll, "invalid argument")) { return run(1, 32, 50000); }
BUG(cfg_static_shared, reported(kAll, "more than 48 KiB of static shared memory at variable s")) {
  return run_one(static_shared_kernel);
}
BUG(cfg_trap, reported(kAll, "__trap.. at")) { return run_one(trap_kernel); }
CONTROL(ok_smem_49152) { return run(1, 32, 49152); }

BUG(cfg_memcpy_size, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(64);
  return copy(x.p, ramp(65).data(), 260, cudaMemcpyHostToDevice);
}
BUG(cfg_memset_size, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(64);
  must(cudaMemsetAsync(x.p, 0, 260, stream()));
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(cfg_memcpy_kind, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(ramp(64)), y(64);
  return copy(y.p, x.p, 256, cudaMemcpyHostToDevice);
}
BUG(cfg_memcpy_host_as_device, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(64);
  return copy(x.p, ramp(64).data(), 256, cudaMemcpyDeviceToDevice);
}
BUG(cfg_memcpy_freed, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(ramp(64)), y(64);
  must(cudaFree(x.p));
  return copy(y.p, x.p, 256, cudaMemcpyDeviceToDevice);
}
BUG(cfg_memcpy_freed_late, reported(kAll, "freed")) {
  const cudaStream_t other = new_stream();
  const Array<float> y(64);
  float* x = nullptr;
  must(cudaMallocAsync(reinterpret_cast<void**>(&x), 256, other));
  must(cudaMemsetAsync(x, 0, 256, other));
  must(cudaMemcpyAsync(y.p, x, 256, cudaMemcpyDeviceToDevice, stream()));
  must(cudaFreeAsync(x, other));
  must(cudaStreamSynchronize(other));
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(cfg_free_twice, reported(kAll, "cudaErrorInvalidValue")) {
  const Array<float> x(64);
  must(cudaFree(x.p));
  must(cudaFree(x.p));
  return false;
}
BUG(cfg_free_inside, reported(kAll, "cudaErrorInvalidValue")) {
  must(cudaFree(Array<float>(64).p + 8));
  return false;
}
BUG(cfg_free_host, reported(kAll, "cudaErrorInvalidValue")) {
  float x = 0;
  must(cudaFree(&x));
  return false;
}
BUG(cfg_free_pinned_as_device, reported(kAll, "cudaErrorInvalidValue")) {
  void* p = nullptr;
  must(cudaMallocHost(&p, 256));
  must(cudaFree(p));
  return false;
}
BUG(cfg_no_such_device, reported(kAll, "cudaErrorInvalidDevice")) {
  must(cudaSetDevice(7));
  return false;
}

}  // namespace bugs
