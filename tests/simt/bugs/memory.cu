// Accesses outside arrays, to freed or foreign memory, of wrong alignment, and reads of memory that
// nobody has written.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

// The limit should be n.
template <int kBeyond>
__global__ void copy_kernel(const float* x, float* y, int n) {
  const int i = global_index();
  if (i < n + kBeyond) y[i] = x[i < n ? i : n - 1];
}

template <int kBeyond>
bool copy(int n) {
  const std::vector<float> values = ramp(n);
  const Array<float> x(values), y(values.size()), behind(100);
  gpu::launch(copy_kernel<kBeyond>, (n + 255 + kBeyond) / 256, 256, 0, stream(), x.p, y.p, n);
  return y.get() != values;
}

__global__ void read_beyond_kernel(const float* x, float* y, int n) {
  const int i = global_index();
  if (i < n) y[i] = x[i + 1] > 0 ? x[i] : x[i] + 0;
}

__global__ void write_one_kernel(float* p) { *p = 5; }

__global__ void shared_beyond_kernel(float* y) {
  GPU_SHARED(float, s, [32]);
  const unsigned lane = threadIdx.x;
  s[lane + 1] = static_cast<float>(lane);
  __syncwarp();
  y[lane] = lane > 0 ? s[lane] : 0;
}

// Out of the row, and for the last row out of the array.
__global__ void shared_row_kernel(float* y, int column) {
  GPU_SHARED(float, s, [4][8]);
  s[threadIdx.x][column] = 1;
  __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void local_kernel(float* y, int n) {
  float values[4] = {};
  for (int i = 0; i <= n; ++i) values[i] = static_cast<float>(n);
  y[0] = values[n / 2];
}

__global__ void product_kernel(int* y, int n) { *y = n * n; }

__global__ void dynamic_shared_kernel(float* y) {
  GPU_DYNAMIC_SHARED(float, s);
  s[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x ^ 1];
}

bool dynamic_shared(size_t bytes) {
  const Array<float> y(128);
  gpu::launch(dynamic_shared_kernel, 1, 128, bytes, stream(), y.p);
  return y.get() != std::vector<float>(128, 1);
}

// Only the first n elements of the shared array are written.
template <bool kClamp>
__global__ void partly_written_kernel(const float* x, float* y, unsigned n) {
  GPU_SHARED(float, s, [32]);
  if (threadIdx.x < n) s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  // fmaxf(NaN, 0) is 0, which hides the poison.
  const float sum = warp_sum(kClamp ? fmaxf(s[threadIdx.x], 0) : s[threadIdx.x]);
  if (threadIdx.x == 0) *y = sum;
}

template <bool kClamp>
bool partly_written() {
  const Array<float> x(std::vector<float>(32, 1)), y(1);
  gpu::launch(partly_written_kernel<kClamp>, 1, 32, 0, stream(), x.p, y.p, 20u);
  return y.get()[0] != 20;
}

__global__ void count_kernel(float* y) { atomicAdd(y, 1.f); }

template <class T>
__global__ void copy_kernel(const T* x, T* y, int n) {
  const int i = global_index();
  if (i < n) y[i] = x[i];
}

// y = x for 64 floats.
bool copy64(const float* x, const std::vector<float>& expected) {
  const Array<float> y(64);
  gpu::launch(copy_kernel<float>, 1, 64, 0, stream(), x, y.p, 64);
  return y.get() != expected;
}

struct alignas(16) Four {
  float v[4];
};

// As large as a float4, but made of numbers that need not lie so well.
struct Pair {
  double a, b;
};

__global__ void leak_kernel(float* y) {
  GPU_SHARED(float*, pointer);
  float mine = static_cast<float>(threadIdx.x);
  if (threadIdx.x == 0) pointer = &mine;
  __syncthreads();
  y[threadIdx.x] = *pointer;
  __syncthreads();
}

// A shared array does not outlive its block.
__global__ void last_block_shared_kernel(float* y) {
  GPU_SHARED(float, s, [32]);
  if (blockIdx.x == 0) s[threadIdx.x] = 1;
  __syncthreads();
  y[global_index()] = s[threadIdx.x];
}

struct Scale {
  float factor[4];
};

__global__ void parameter_kernel(GPU_GRID_CONSTANT(Scale) scale, float* y) {
  float& factor = const_cast<float&>(scale.factor[0]);
  factor += 1;
  y[threadIdx.x] = factor;
}

int host_counter = 0;

__global__ void write_host_kernel(float* y) {
  if (threadIdx.x == 0) host_counter = 1;
  y[threadIdx.x] = 1;
}
__global__ void read_host_kernel(float* y) { y[threadIdx.x] = static_cast<float>(host_counter); }

bool run(void (*kernel)(float*)) {
  const Array<float> y(32);
  gpu::launch(kernel, 1, 32, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}

}  // namespace

BUG(oob_write_by_1, reported(kCheck, "out-of-bounds access"), reported(kAsan, "use-after-poison")) {
  return copy<1>(100);
}
BUG(oob_write_by_1_n4096, reported(kCheck, "out-of-bounds access"),
    reported(kAsan, "use-after-poison")) {
  return copy<1>(4096);
}
BUG(oob_read_by_1, reported(kCheck, "out-of-bounds access"), reported(kAsan, "use-after-poison")) {
  const Array<float> x(ramp(100)), y(100);
  gpu::launch(read_beyond_kernel, 1, 128, 0, stream(), x.p, y.p, 100);
  return y.get() != ramp(100);
}
BUG(oob_negative_index, reported(kCheck, "out-of-bounds access"),
    reported(kAsan, "use-after-poison")) {
  const Array<float> x(ramp(100));
  gpu::launch(write_one_kernel, 1, 1, 0, stream(), x.p - 1);
  return x.get() != ramp(100);
}
// As with compute-sanitizer: an address inside another live array is a good address.
BUG(oob_other_allocation, wrong(kAll)) {
  const Array<float> y(100), z(std::vector<float>(1000, 1));
  gpu::launch(write_one_kernel, 1, 1, 0, stream(), y.p + (z.p - y.p) + 10);
  return z.get() != std::vector<float>(1000, 1);
}
BUG(oob_null, reported(kAsan, "null pointer"),
    reported(kCheck, "access to the null pointer: write of 4 bytes")) {
  gpu::launch(write_one_kernel, 1, 1, 0, stream(), static_cast<float*>(nullptr));
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(oob_pinned, reported(kCheck, "access to host memory .*: write of 4 bytes"),
    reported(kAsan, "heap-buffer-overflow")) {
  float* host = nullptr;
  must(cudaMallocHost(reinterpret_cast<void**>(&host), 256));
  gpu::launch(write_one_kernel, 1, 1, 0, stream(), host + 64);
  must(cudaStreamSynchronize(stream()));
  return false;
}
// Of the thread's own, so the checker does not look.
BUG(oob_local, reported(kAsan, "index 4 out of bounds")) {
  const Array<float> y(4);
  gpu::launch(local_kernel, 1, 1, 0, stream(), y.p, 4);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(overflow, reported(kAsan, "signed integer overflow")) {
  const Array<int> y(1);
  gpu::launch(product_kernel, 1, 1, 0, stream(), y.p, 70000);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(oob_shared, reported(kCheck, "out-of-bounds access"), reported(kAsan, "out of bounds")) {
  return run(shared_beyond_kernel);
}
BUG(oob_shared_row, reported(kCheck, "out-of-bounds access"), reported(kAsan, "out of bounds")) {
  const Array<float> y(4);
  gpu::launch(shared_row_kernel, 1, 4, 0, stream(), y.p, 8);
  return y.get() != std::vector<float>(4, 1);
}
BUG(oob_dynamic_shared, reported(kCheck, "out-of-bounds access"),
    reported(kAsan, "use-after-poison")) {
  return dynamic_shared(127 * sizeof(float));
}
BUG(oob_dynamic_none, reported(kAll, "dynamic shared memory used, but the launch gave 0 bytes")) {
  return dynamic_shared(0);
}
CONTROL(ok_dynamic_shared) { return dynamic_shared(128 * sizeof(float)); }

BUG(uninit_shared_swallowed, reported(kCheck, "uninitialised read")) {
  return partly_written<true>();
}
BUG(uninit_shared_sum, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  return partly_written<false>();
}
BUG(uninit_shared_of_last_block, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  const Array<float> y(64);
  gpu::launch(last_block_shared_kernel, 2, 32, 0, stream(), y.p);
  return y.get() != std::vector<float>(64, 1);
}
BUG(uninit_global, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  const Array<float> y(1);
  gpu::launch(count_kernel, 1, 32, 0, stream(), y.p);
  return y.get()[0] != 32;
}
// A copy on the device is as initialised as its source.
BUG(uninit_copied, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  const Array<float> x(64), y(64);
  must(cudaMemcpyAsync(y.p, x.p, 256, cudaMemcpyDeviceToDevice, stream()));
  return copy64(y.p, ramp(64));
}
BUG(uninit_copied_to_other_device, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  must(cudaSetDevice(1));
  const Array<float> x(64);
  must(cudaSetDevice(0));
  const Array<float> y(64);
  must(cudaMemcpyPeerAsync(y.p, 0, x.p, 1, 256, stream()));
  return copy64(y.p, ramp(64));
}

BUG(misaligned_float4, reported(kAsan, "misaligned address")) {
  const Array<float> x(ramp(132)), y(128);
  gpu::launch(copy_kernel<Four>, 1, 32, 0, stream(), reinterpret_cast<const Four*>(x.p + 1),
              reinterpret_cast<Four*>(y.p), 32);
  return y.get()[0] != 2;
}
BUG(misaligned_double, reported(kCheck, "misaligned access: read of 8 bytes"),
    reported(kAsan, "misaligned address")) {
  const Array<float> x(ramp(66)), y(64);
  gpu::launch(copy_kernel<double>, 1, 32, 0, stream(), reinterpret_cast<const double*>(x.p + 1),
              reinterpret_cast<double*>(y.p), 32);
  return y.get()[0] != 2;
}
CONTROL(ok_pair_copy) {
  const Array<double> x(std::vector<double>(65, 3)), y(65);
  gpu::launch(copy_kernel<Pair>, 1, 32, 0, stream(), reinterpret_cast<const Pair*>(x.p + 1),
              reinterpret_cast<Pair*>(y.p + 1), 32);
  must(cudaMemsetAsync(y.p, 0, sizeof(double), stream()));
  std::vector<double> expected(65, 3);
  expected[0] = 0;
  return y.get() != expected;
}

BUG(host_pointer_in_kernel, reported(kCheck, "access to host memory .*: read of 4 bytes")) {
  const std::vector<float> values = ramp(64);
  return copy64(values.data(), values);
}
BUG(host_deref_device, reported(kProtect, "host code accessed device memory")) {
  const Array<float> x(ramp(64));
  must(cudaStreamSynchronize(stream()));
  return *static_cast<const volatile float*>(x.p + 3) != 4;
}
BUG(host_write_device, reported(kProtect, "host code accessed device memory")) {
  const Array<float> x(ramp(64));
  must(cudaStreamSynchronize(stream()));
  *static_cast<volatile float*>(x.p + 3) = 7;
  return false;
}
BUG(leak_local_address, reported(kCheck, "another thread's local memory: read of 4 bytes")) {
  return run(leak_kernel);
}
BUG(write_kernel_parameter, wrong(kFast | kAsan), reported(kCheck, "write to a kernel parameter")) {
  const Array<float> y(32);
  gpu::launch(parameter_kernel, 1, 32, 0, stream(), Scale{{1, 2, 3, 4}}, y.p);
  return y.get() != std::vector<float>(32, 2);
}
BUG(host_global_write, reported(kCheck, "a host global variable: write")) {
  return run(write_host_kernel);
}
BUG(host_global_read, reported(kCheck, "a host global variable: read")) {
  return run(read_host_kernel);
}

BUG(use_after_free, wrong(kFast),
    reported(kCheck, "out-of-bounds access: .*freed allocation of 256 bytes"),
    reported(kAsan, "use-after-poison")) {
  const Array<float> x(ramp(64));
  must(cudaFree(x.p));
  return copy64(x.p, ramp(64));
}
BUG(use_of_freed_pinned, reported(kAsan, "heap-use-after-free"),
    reported(kCheck, "access to host memory .*: read of 4 bytes")) {
  float* host = nullptr;
  must(cudaMallocHost(reinterpret_cast<void**>(&host), 256));
  for (int i = 0; i < 64; ++i) host[i] = 1;
  must(cudaFreeHost(host));
  return copy64(host, std::vector<float>(64, 1));
}

}  // namespace bugs
