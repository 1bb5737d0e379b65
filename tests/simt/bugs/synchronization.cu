// Barriers that are missing between a write to shared memory and another thread's read or write.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

constexpr int kThreads = 256;

// A block's sum by shuffles and one shared array. Called twice, it needs a barrier at its start
// (the array may still be read) as well as one before the read.
template <bool kLeading, bool kMiddle>
__device__ float block_sum(float v) {
  GPU_SHARED(float, partial, [32]);
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  v = warp_sum(v);
  if (kLeading) __syncthreads();
  if (lane == 0) partial[warp] = v;
  if (kMiddle) __syncthreads();
  v = lane < blockDim.x / 32 ? partial[lane] : 0.f;
  return warp_sum(v);
}

template <bool kLeading, bool kMiddle>
__global__ void two_sums_kernel(const float* x, float* y) {
  const float a = block_sum<kLeading, kMiddle>(x[threadIdx.x]);
  const float b = block_sum<kLeading, kMiddle>(2 * x[threadIdx.x]);
  if (threadIdx.x == 0) y[0] = a, y[1] = b;
  if (threadIdx.x == kThreads - 1) y[2] = a, y[3] = b;
}

template <bool kLeading, bool kMiddle>
bool two_sums() {
  const Array<float> x(std::vector<float>(kThreads, 1)), y(4);
  gpu::launch(two_sums_kernel<kLeading, kMiddle>, 1, kThreads, 0, stream(), x.p, y.p);
  return y.get() != std::vector<float>{kThreads, 2 * kThreads, kThreads, 2 * kThreads};
}

template <bool kBarrier>
__global__ void tree_kernel(const float* x, float* y) {
  GPU_SHARED(float, s, [kThreads]);
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) s[threadIdx.x] += s[threadIdx.x + half];
    if (kBarrier) __syncthreads();
  }
  if (threadIdx.x == 0) *y = s[0];
}

template <bool kBarrier>
bool tree() {
  const Array<float> x(std::vector<float>(kThreads, 1)), y(1);
  gpu::launch(tree_kernel<kBarrier>, 1, kThreads, 0, stream(), x.p, y.p);
  return y.get()[0] != kThreads;
}

// Threads of a warp do not run in lockstep.
template <bool kBarrier>
__global__ void warp_tree_kernel(const float* x, float* y) {
  GPU_SHARED(float, s, [64]);
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 32) s[threadIdx.x + 32] = 0;
  for (unsigned half = 16; half > 0; half /= 2) {
    if (kBarrier) __syncwarp();
    const float v = s[threadIdx.x] + s[threadIdx.x + half];
    if (kBarrier) __syncwarp();
    s[threadIdx.x] = v;
  }
  if (threadIdx.x == 0) *y = s[0];
}

template <bool kBarrier>
bool warp_tree() {
  const Array<float> x(std::vector<float>(32, 1)), y(1);
  gpu::launch(warp_tree_kernel<kBarrier>, 1, 32, 0, stream(), x.p, y.p);
  return y.get()[0] != 32;
}

template <bool kBarrier>
__global__ void reverse_kernel(const float* x, float* y) {
  GPU_SHARED(float, s, [kThreads]);
  s[threadIdx.x] = x[threadIdx.x];
  if (kBarrier) __syncthreads();
  y[threadIdx.x] = s[kThreads - 1 - threadIdx.x];
}

template <bool kBarrier>
bool reverse() {
  const std::vector<float> values = ramp(kThreads);
  const Array<float> x(values), y(kThreads);
  gpu::launch(reverse_kernel<kBarrier>, 1, kThreads, 0, stream(), x.p, y.p);
  return y.get() != std::vector<float>(values.rbegin(), values.rend());
}

template <bool kBarrier>
__global__ void histogram_kernel(const int* x, int* y) {
  GPU_SHARED(int, counts, [16]);
  if (threadIdx.x < 16) counts[threadIdx.x] = 0;
  if (kBarrier) __syncthreads();
  atomicAdd(&counts[x[threadIdx.x]], 1);
  __syncthreads();
  if (threadIdx.x < 16) y[threadIdx.x] = counts[threadIdx.x];
}

template <bool kBarrier>
bool histogram() {
  std::vector<int> values(kThreads);
  for (int i = 0; i < kThreads; ++i) values[static_cast<size_t>(i)] = i % 16;
  const Array<int> x(values), y(16);
  gpu::launch(histogram_kernel<kBarrier>, 1, kThreads, 0, stream(), x.p, y.p);
  return y.get() != std::vector<int>(16, kThreads / 16);
}

// Tiles of a row are loaded into one of two buffers while the other is read. One barrier a tile is
// enough with two buffers, and not with one.
template <int kBuffers>
__global__ void shift_kernel(const float* x, float* y, int tiles) {
  GPU_SHARED(float, tile, [kBuffers][kThreads]);
  for (int t = 0; t < tiles; ++t) {
    const unsigned i = static_cast<unsigned>(t) * kThreads + threadIdx.x;
    float* const buffer = tile[t % kBuffers];
    buffer[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = buffer[(threadIdx.x + 65) % kThreads];
  }
}

template <int kBuffers>
bool shift() {
  constexpr int kTiles = 5;
  const std::vector<float> values = ramp(kTiles * kThreads);
  const Array<float> x(values), y(values.size());
  gpu::launch(shift_kernel<kBuffers>, 1, kThreads, 0, stream(), x.p, y.p, kTiles);
  const std::vector<float> got = y.get();
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != values[i / kThreads * kThreads + (i % kThreads + 65) % kThreads]) return true;
  return false;
}

// The lower half of a warp writes what the upper half reads.
template <bool kTogether>
__global__ void halves_kernel(float* y) {
  GPU_SHARED(float, s, [16]);
  const unsigned lane = threadIdx.x;
  if (lane < 16) s[lane] = static_cast<float>(lane + 1);
  const unsigned mask = kTogether ? kFullMask : lane < 16 ? 0x0000ffffu : 0xffff0000u;
  __syncwarp(mask);
  if (lane >= 16) y[lane - 16] = s[lane - 16];
}

template <bool kTogether>
bool halves() {
  const Array<float> y(16);
  gpu::launch(halves_kernel<kTogether>, 1, 32, 0, stream(), y.p);
  return y.get() != ramp(16);
}

// Neither a shuffle nor a fence is a barrier for memory.
template <bool kShuffle>
__global__ void exchange_kernel(float* y) {
  GPU_SHARED(float, s, [32]);
  s[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (kShuffle) {
    __shfl_xor_sync(kFullMask, 1, 1);
  } else {
    __threadfence_block();
  }
  y[threadIdx.x] = s[threadIdx.x ^ 1];
}

template <bool kShuffle>
bool exchange() {
  const Array<float> y(32);
  gpu::launch(exchange_kernel<kShuffle>, 1, 32, 0, stream(), y.p);
  const std::vector<float> got = y.get();
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != static_cast<float>(i ^ 1)) return true;
  return false;
}

// All lanes read what one of them then writes.
__global__ void write_what_is_read_kernel(float* y, unsigned writer) {
  GPU_SHARED(float, s, [1]);
  if (threadIdx.x == 0) s[0] = 1;
  __syncthreads();
  y[threadIdx.x] = s[0];
  if (threadIdx.x == writer) s[0] = 2;
}
bool write_what_is_read(unsigned writer) {
  const Array<float> y(64);
  gpu::launch(write_what_is_read_kernel, 1, 64, 0, stream(), y.p, writer);
  must(cudaStreamSynchronize(stream()));
  return false;
}

// Sums over the quarters of a warp, each with a mask and a number of rounds of its own.
__global__ void quarters_kernel(const float* x, float* y) {
  const unsigned quarter = threadIdx.x % 32 / 8;
  const unsigned mask = 0xffu << 8 * quarter;
  float total = 0;
  for (unsigned round = 0; round <= quarter; ++round) {
    float v = x[threadIdx.x];
    for (unsigned o = 4; o > 0; o /= 2) v += __shfl_down_sync(mask, v, o, 8);
    total += __shfl_sync(mask, v, 0, 8);
  }
  y[threadIdx.x] = total;
}

}  // namespace

CONTROL(ok_block_sum) { return two_sums<true, true>(); }
CONTROL(ok_tree) { return tree<true>(); }
CONTROL(ok_warp_tree) { return warp_tree<true>(); }
CONTROL(ok_reverse) { return reverse<true>(); }
CONTROL(ok_histogram) { return histogram<true>(); }
CONTROL(ok_double_buffer) { return shift<2>(); }
CONTROL(ok_halves) { return halves<true>(); }
CONTROL(ok_sub_masks) {
  const Array<float> x(ramp(64)), y(64);
  gpu::launch(quarters_kernel, 1, 64, 0, stream(), x.p, y.p);
  const std::vector<float> got = y.get();
  for (size_t i = 0; i < 64; ++i) {
    const size_t first = i / 8 * 8;
    const size_t rounds = i % 32 / 8 + 1;
    if (got[i] != static_cast<float>(rounds * (8 * first + 36))) return true;
  }
  return false;
}

BUG(sync_raw_block_sum, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return two_sums<true, false>();
}
BUG(sync_war_block_sum, sometimes_wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return two_sums<false, true>();
}
BUG(sync_tree_loop, wrong(kFast | kAsan), reported(kCheck, "data race")) { return tree<false>(); }
BUG(sync_implicit_warp, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return warp_tree<false>();
}
BUG(sync_transpose, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return reverse<false>();
}
BUG(sync_histogram_zero, sometimes_wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return histogram<false>();
}
BUG(sync_single_buffer, sometimes_wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return shift<1>();
}
BUG(sync_by_shuffle, reported(kCheck, "data race")) { return exchange<true>(); }
BUG(sync_by_fence, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return exchange<false>();
}
BUG(sync_first_reader_writes, reported(kCheck, "data race")) { return write_what_is_read(0); }
BUG(sync_last_reader_writes, reported(kCheck, "data race")) { return write_what_is_read(63); }
BUG(sync_half_warps, sometimes_wrong(kFast | kAsan), reported(kCheck, "data race")) {
  return halves<false>();
}

}  // namespace bugs
