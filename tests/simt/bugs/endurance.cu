// What tells two accesses apart (launch, block, barriers passed) must not start anew after many.
// These take longer: "long" in the name spares them most seeds.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

constexpr int kMany = 70000;

// 2^8, 2^9, ... 2^16 barriers lie between a write and another thread's read.
template <bool kWarp>
__global__ void barriers_apart_kernel(float* y) {
  GPU_SHARED(float, s, [64]);
  float sum = 0;
  for (int distance = 1 << 8; distance <= 1 << 16; distance *= 2) {
    s[threadIdx.x] = 1;
    for (int i = 0; i < distance; ++i) {
      if (kWarp) {
        __syncwarp();
      } else {
        __syncthreads();
      }
    }
    sum += s[blockDim.x - 1 - threadIdx.x];
    __syncthreads();
  }
  y[threadIdx.x] = sum;
}

template <bool kWarp>
bool barriers_apart(int threads) {
  const Array<float> y(static_cast<size_t>(threads));
  gpu::launch(barriers_apart_kernel<kWarp>, 1, threads, 0, stream(), y.p);
  return y.get() != std::vector<float>(y.n, 9);
}

__global__ void many_barriers_kernel(float* y) {
  GPU_SHARED(float, s, [32]);
  for (int i = 0; i < kMany; ++i) __syncthreads();
  s[threadIdx.x / 2] = static_cast<float>(threadIdx.x);
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x / 2];
}

__global__ void own_element_kernel(const float* x, float* y) {
  if (threadIdx.x == 0) y[blockIdx.x] = x[blockIdx.x];
}

// Blocks 2^12, 2^14 and 2^16 write what block 0 has written.
__global__ void blocks_apart_kernel(float* y, unsigned distance) {
  if (threadIdx.x == 0 && blockIdx.x % distance == 0) *y = static_cast<float>(blockIdx.x);
}
bool blocks_apart(unsigned distance) {
  const Array<float> y(1);
  gpu::launch(blocks_apart_kernel, distance + 1, 32, 0, stream(), y.p, distance);
  must(cudaStreamSynchronize(stream()));
  return false;
}

__global__ void empty_kernel() {}
__global__ void write_kernel(float* y) { y[threadIdx.x] = static_cast<float>(threadIdx.x + 1); }
__global__ void read_kernel(const float* x, float* y) { y[threadIdx.x] = x[63 - threadIdx.x]; }
__global__ void race_kernel(float* y) { y[threadIdx.x / 2] = static_cast<float>(threadIdx.x); }

void launch_empty(int n) {
  for (int i = 0; i < n; ++i) gpu::launch(empty_kernel, 1, 32, 0, stream());
}

__global__ void sum_of_blocks_kernel(float* parts, unsigned* ticket, float* sum) {
  GPU_SHARED(bool, last);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 1;
    __threadfence();
    last = atomicAdd(ticket, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    double s = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) s += static_cast<double>(parts[i]);
    *sum = static_cast<float>(s);
  }
}

}  // namespace

CONTROL(ok_long_barriers_apart) { return barriers_apart<false>(64); }
CONTROL(ok_long_warp_barriers_apart) { return barriers_apart<true>(32); }
CONTROL(ok_long_70000_blocks) {
  const std::vector<float> values = ramp(kMany);
  const Array<float> x(values), y(values.size());
  gpu::launch(own_element_kernel, kMany, 32, 0, stream(), x.p, y.p);
  return y.get() != values;
}
CONTROL(ok_long_last_of_70000_blocks) {
  const Array<float> parts(kMany), sum(1);
  Array<unsigned> ticket(1);
  ticket.clear();
  gpu::launch(sum_of_blocks_kernel, kMany, 32, 0, stream(), parts.p, ticket.p, sum.p);
  return sum.get()[0] != kMany;
}
// 2^8, 2^10, ... 2^16 launches lie between a write and another thread's read.
CONTROL(ok_long_launches_apart) {
  const Array<float> x(64), y(64);
  for (int distance = 1 << 8; distance <= 1 << 16; distance *= 4) {
    gpu::launch(write_kernel, 1, 64, 0, stream(), x.p);
    launch_empty(distance - 1);
    gpu::launch(read_kernel, 1, 64, 0, stream(), x.p, y.p);
  }
  const std::vector<float> values = ramp(64);
  return y.get() != std::vector<float>(values.rbegin(), values.rend());
}

BUG(long_race_after_70000_barriers, reported(kCheck, "data race")) {
  const Array<float> y(64);
  gpu::launch(many_barriers_kernel, 1, 64, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(long_race_after_70000_launches, reported(kCheck, "data race")) {
  const Array<float> y(64);
  launch_empty(kMany);
  gpu::launch(race_kernel, 1, 64, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(long_race_4096_blocks_apart, reported(kCheck, "data race")) { return blocks_apart(1 << 12); }
BUG(long_race_65536_blocks_apart, reported(kCheck, "data race")) { return blocks_apart(1 << 16); }
BUG(long_race_1048576_blocks_apart, reported(kCheck, "data race")) { return blocks_apart(1 << 20); }

}  // namespace bugs
