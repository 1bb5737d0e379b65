// Barriers and warp collectives that not all threads reach, or not the same ones.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

__global__ void barrier_in_branch_kernel(float* y) {
  if (threadIdx.x < 16) __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void two_barriers_kernel(float* y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    y[threadIdx.x] = 2;
    __syncthreads();
  }
}

__global__ void early_return_kernel(float* y, unsigned n) {
  if (threadIdx.x >= n) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void barrier_in_loop_kernel(float* y) {
  for (unsigned i = 0; i < threadIdx.x % 3; ++i) __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void vote_barrier_kernel(float* y) {
  if (threadIdx.x < 32) {
    y[threadIdx.x] = static_cast<float>(__syncthreads_count(1));
  } else {
    __syncthreads();
  }
}

__global__ void half_warp_kernel(float* y) {
  float v = 1;
  if (threadIdx.x % 32 < 16) v += __shfl_down_sync(kFullMask, v, 8);
  y[threadIdx.x] = v;
}

__global__ void sum_kernel(float* y, unsigned n) {
  if (threadIdx.x >= n) return;
  const float sum = warp_sum(1);
  if (threadIdx.x == 0) *y = sum;
}

__global__ void not_in_mask_kernel(float* y) { y[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.f, 0); }

__global__ void shuffle_or_barrier_kernel(float* y) {
  if (threadIdx.x % 2 == 1) {
    __syncthreads();
  } else {
    y[threadIdx.x] = __shfl_sync(kFullMask, 1.f, 0);
  }
}

__global__ void shuffle_or_vote_kernel(float* y) {
  if (threadIdx.x % 2 == 1) {
    y[threadIdx.x] = static_cast<float>(__ballot_sync(kFullMask, 1));
  } else {
    y[threadIdx.x] = __shfl_sync(kFullMask, 1.f, 0);
  }
}

__global__ void masks_differ_kernel(float* y) {
  const unsigned mask = threadIdx.x < 16 ? kFullMask : 0xffff0000u;
  y[threadIdx.x] = __shfl_sync(mask, 1.f, 20);
}

// The value of a lane outside the mask is not defined.
__global__ void foreign_lane_kernel(float* y) {
  const unsigned mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u;
  y[threadIdx.x] = __shfl_xor_sync(mask, 1.f, 16);
}

__global__ void width_kernel(float* y) { y[threadIdx.x] = __shfl_sync(kFullMask, 1.f, 0, 24); }

bool run(void (*kernel)(float*), int threads) {
  const Array<float> y(64);
  gpu::launch(kernel, 1, threads, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
bool run(void (*kernel)(float*, unsigned), int threads, unsigned n) {
  const Array<float> y(64);
  gpu::launch(kernel, 1, threads, 0, stream(), y.p, n);
  must(cudaStreamSynchronize(stream()));
  return false;
}

}  // namespace

BUG(div_syncthreads_if,
    reported(kAll, "divergent barrier: 48 threads .*exited.* __syncthreads at .*divergence")) {
  return run(barrier_in_branch_kernel, 64);
}
BUG(div_syncthreads_sites,
    reported(kAll, "divergent barrier: .* __syncthreads at .* at __syncthreads at")) {
  return run(two_barriers_kernel, 64);
}
BUG(div_early_return, reported(kAll, "divergent barrier: 24 threads .*exited.* __syncthreads at")) {
  return run(early_return_kernel, 64, 40);
}
BUG(div_loop_trip_count,
    reported(kAll, "divergent barrier: 22 threads .*exited.* __syncthreads at")) {
  return run(barrier_in_loop_kernel, 64);
}
BUG(div_vote_barrier,
    reported(kAll, "divergent barrier: .*__syncthreads_count at .* __syncthreads at")) {
  return run(vote_barrier_kernel, 64);
}
BUG(div_shfl_half_warp, reported(kAll, "(exited: |deadlock: 16 threads .*)__shfl_down_sync")) {
  return run(half_warp_kernel, 32);
}
BUG(div_shfl_exited, reported(kAll, "(exited: |deadlock: 20 threads .*)__shfl_xor_sync")) {
  return run(sum_kernel, 32, 20);
}
BUG(div_partial_warp, reported(kAll, "lane 20, which the block does not have: __shfl_xor_sync")) {
  return run(sum_kernel, 20, 20);
}
BUG(div_shfl_not_in_mask, reported(kAll, "not in its own mask: __shfl_sync.mask 0xffff\\)")) {
  return run(not_in_mask_kernel, 32);
}
BUG(div_shfl_vs_sync, reported(kAll,
                               "(divergent warp collective|deadlock): "
                               ".*(__shfl_sync.*__syncthreads|__syncthreads.*__shfl_sync)")) {
  return run(shuffle_or_barrier_kernel, 64);
}
BUG(div_shfl_vs_vote,
    reported(
        kAll,
        "divergent warp collective: .*(__shfl_sync.*__ballot_sync|__ballot_sync.*__shfl_sync)")) {
  return run(shuffle_or_vote_kernel, 32);
}
BUG(div_masks_differ,
    reported(kAll, "(exited: |deadlock: 16 threads .*)__shfl_sync.mask 0xffffffff\\)")) {
  return run(masks_differ_kernel, 32);
}
BUG(div_shfl_width, reported(kAll, "width must be a power of two .*got 24: __shfl_sync")) {
  return run(width_kernel, 32);
}
BUG(div_shfl_foreign_lane, wrong(kAll)) {
  const Array<float> y(32);
  gpu::launch(foreign_lane_kernel, 1, 32, 0, stream(), y.p);
  return y.get() != std::vector<float>(32, 1);
}

}  // namespace bugs
