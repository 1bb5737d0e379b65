// Elements of two bytes, which compilers move in ways of their own, and atomics on eight.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

using Word = unsigned long long;

__device__ float to_float(__half v) { return __half2float(v); }
__device__ float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
template <class T>
__device__ T from_float(float v) {
  if constexpr (std::is_same_v<T, __half>) {
    return __float2half(v);
  } else {
    return __float2bfloat16(v);
  }
}

// `sharers` threads write each element.
template <class T>
__global__ void write_kernel(T* y, unsigned sharers) {
  y[threadIdx.x / sharers] = from_float<T>(static_cast<float>(threadIdx.x % sharers));
}

template <class T>
bool write(unsigned sharers) {
  const Array<T> y(64 / sharers);
  gpu::launch(write_kernel<T>, 1, 64, 0, stream(), y.p, sharers);
  for (const T& v : y.get())
    if (to_float(v) != static_cast<float>(sharers - 1)) return true;
  return false;
}

template <class T, bool kBarrier>
__global__ void reverse_kernel(const T* x, T* y) {
  GPU_SHARED(T, s, [64]);
  s[threadIdx.x] = from_float<T>(to_float(x[threadIdx.x]) + 1);
  if (kBarrier) __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}

template <class T, bool kBarrier>
bool reverse() {
  std::vector<T> values;
  for (int i = 0; i < 64; ++i) values.push_back(from_float<T>(static_cast<float>(i)));
  const Array<T> x(values), y(64);
  gpu::launch(reverse_kernel<T, kBarrier>, 1, 64, 0, stream(), x.p, y.p);
  const std::vector<T> got = y.get();
  for (size_t i = 0; i < 64; ++i)
    if (to_float(got[i]) != static_cast<float>(64 - i)) return true;
  return false;
}

template <class T>
__global__ void partly_written_kernel(float* y, unsigned n) {
  GPU_SHARED(T, s, [32]);
  if (threadIdx.x < n) s[threadIdx.x] = from_float<T>(1);
  __syncthreads();
  const float sum = warp_sum(fmaxf(to_float(s[threadIdx.x]), 0));  // hides a NaN
  if (threadIdx.x == 0) *y = sum;
}

template <class T>
bool partly_written(unsigned n) {
  const Array<float> y(1);
  gpu::launch(partly_written_kernel<T>, 1, 32, 0, stream(), y.p, n);
  return y.get()[0] != static_cast<float>(n);
}

template <class T>
__global__ void sum_kernel(const T* x, float* y) {
  const float sum = warp_sum(to_float(x[threadIdx.x]));
  if (threadIdx.x == 0) *y = sum;
}

template <class T>
bool unwritten_global() {
  const Array<T> x(32);
  const Array<float> y(1);
  must(cudaMemsetAsync(x.p, 0, 30 * sizeof(T), stream()));
  gpu::launch(sum_kernel<T>, 1, 32, 0, stream(), x.p, y.p);
  return y.get()[0] != 0;
}

__global__ void add_kernel(Word* p) { atomicAdd(p, Word{1}); }

// Every thread adds, and the first one overwrites.
__global__ void add_and_write_kernel(Word* p) {
  if (threadIdx.x == 0) {
    *p = 0;
  } else {
    atomicAdd(p, Word{1});
  }
}
// Every thread adds, and one looks at the upper half.
__global__ void add_and_read_kernel(Word* p, unsigned* y) {
  atomicAdd(p, Word{1} << 32);
  if (threadIdx.x == 63) *y = reinterpret_cast<const unsigned*>(p)[1];
}
// A maximum of all blocks, without atomics.
__global__ void max_kernel(Word* p) {
  const Word mine = static_cast<Word>(global_index());
  if (mine > *p) *p = mine;
}

bool add(Word* p) {
  gpu::launch(add_kernel, 1, 64, 0, stream(), p);
  must(cudaStreamSynchronize(stream()));
  return false;
}

}  // namespace

CONTROL(ok_half_neighbours) { return write<__half>(1); }
CONTROL(ok_bfloat16_neighbours) { return write<__nv_bfloat16>(1); }
CONTROL(ok_half_reverse) { return reverse<__half, true>(); }
CONTROL(ok_bfloat16_reverse) { return reverse<__nv_bfloat16, true>(); }
CONTROL(ok_half_written) { return partly_written<__half>(32); }
CONTROL(ok_bfloat16_written) { return partly_written<__nv_bfloat16>(32); }

BUG(race_half, reported(kCheck, "data race")) { return write<__half>(2); }
BUG(race_bfloat16, reported(kCheck, "data race")) { return write<__nv_bfloat16>(2); }
BUG(sync_half, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return reverse<__half, false>();
}
BUG(sync_bfloat16, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return reverse<__nv_bfloat16, false>();
}
BUG(uninit_half_shared, reported(kCheck, "uninitialised read")) {
  return partly_written<__half>(20);
}
BUG(uninit_bfloat16_shared, reported(kCheck, "uninitialised read")) {
  return partly_written<__nv_bfloat16>(20);
}
BUG(uninit_half_global, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  return unwritten_global<__half>();
}
BUG(uninit_bfloat16_global, wrong(kFast | kAsan), reported(kCheck, "uninitialised read")) {
  return unwritten_global<__nv_bfloat16>();
}

BUG(atomic64_oob, reported(kCheck, "out-of-bounds access"), reported(kAsan, "use-after-poison")) {
  Array<Word> x(4);
  x.clear();
  return add(x.p + 4);
}
// The first four bytes are inside.
BUG(atomic64_oob_half, reported(kCheck, "out-of-bounds access"),
    reported(kAsan, "use-after-poison")) {
  Array<float> x(5);
  x.clear();
  return add(reinterpret_cast<Word*>(x.p + 4));
}
BUG(atomic64_misaligned, reported(kCheck, "misaligned access: atomic of 8 bytes")) {
  Array<float> x(5);
  x.clear();
  return add(reinterpret_cast<Word*>(x.p + 1));
}
BUG(atomic64_freed, reported(kCheck, "out-of-bounds access: atomic .*freed allocation of 32 bytes"),
    reported(kAsan, "use-after-poison")) {
  Array<Word> x(4);
  x.clear();
  must(cudaFree(x.p));
  return add(x.p);
}
BUG(atomic64_uninit, reported(kCheck, "uninitialised read")) { return add(Array<Word>(1).p); }
BUG(atomic64_host, reported(kCheck, "access to host memory .*: atomic of 8 bytes")) {
  Word x = 0;
  return add(&x);
}
BUG(race_atomic64_write, reported(kCheck, "data race")) {
  Array<Word> x(1);
  x.clear();
  gpu::launch(add_and_write_kernel, 1, 64, 0, stream(), x.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(race_atomic64_read, reported(kCheck, "data race")) {
  Array<Word> x(1);
  x.clear();
  const Array<unsigned> y(1);
  gpu::launch(add_and_read_kernel, 1, 64, 0, stream(), x.p, y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(race_max64, reported(kCheck, "data race")) {
  Array<Word> x(1);
  x.clear();
  gpu::launch(max_kernel, 8, 32, 0, stream(), x.p);
  return x.get()[0] != 255;
}

}  // namespace bugs
