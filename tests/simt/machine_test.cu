#include <tests/simt/machine_test.h>
#include <wick/kernels/cuda/gpu.h>

#include <stdexcept>

namespace simt::machine_test {
namespace {

constexpr unsigned kAll = 0xffffffffu;

void expect_success(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

/// Device memory, at first of zeros or a copy of a vector.
template <class T>
class Array {
 public:
  explicit Array(size_t n) : Array(std::vector<T>(n)) {}
  explicit Array(const std::vector<T>& values) : n_(values.size()) {
    expect_success(cudaMalloc(reinterpret_cast<void**>(&p), n_ * sizeof(T)));
    expect_success(cudaMemcpy(p, values.data(), n_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Array() { cudaFree(p); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  std::vector<T> get() const {
    std::vector<T> values(n_);
    expect_success(cudaMemcpy(values.data(), p, n_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  T* p = nullptr;

 private:
  size_t n_;
};

template <class... P, class... A>
void run(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, A... args) {
  gpu::launch(kernel, grid, block, shared_bytes, gpu::stream(), args...);
  expect_success(cudaDeviceSynchronize());
}

__device__ inline unsigned linear_thread() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

// --- collectives

__global__ void collectives_kernel(int64_t* out) {
  const int l = static_cast<int>(threadIdx.x);
  int64_t* o = out + l * kColumns;
  int i = 0;
  o[i++] = __shfl_sync(kAll, l, 7);
  o[i++] = __shfl_sync(kAll, l, 37);  // taken modulo the width
  o[i++] = __shfl_sync(kAll, l, 13, 8);
  o[i++] = __shfl_up_sync(kAll, l, 3);
  o[i++] = __shfl_up_sync(kAll, l, 3, 8);
  o[i++] = __shfl_down_sync(kAll, l, 3);
  o[i++] = __shfl_down_sync(kAll, l, 3, 8);
  o[i++] = __shfl_xor_sync(kAll, l, 5);
  o[i++] = __shfl_xor_sync(kAll, l, 12, 8);
  o[i++] = static_cast<int64_t>(__shfl_down_sync(kAll, l * 0.5, 2) * 2);
  o[i++] = __shfl_xor_sync(kAll, (int64_t{1} << 40) + l, 1);
  o[i++] = __ballot_sync(kAll, l % 3 == 0);
  o[i++] = __any_sync(kAll, l == 31) + 2 * __any_sync(kAll, l == 32);
  o[i++] = __all_sync(kAll, l < 32) + 2 * __all_sync(kAll, l < 31);
  o[i++] = __match_any_sync(kAll, l / 8);
  o[i++] = __reduce_add_sync(kAll, l - 100);
  o[i++] = __reduce_min_sync(kAll, l - 100) + 1000 * __reduce_max_sync(kAll, l - 100);
  o[i++] = __reduce_min_sync(kAll, static_cast<unsigned>(l - 16));
  o[i++] = __reduce_max_sync(kAll, static_cast<unsigned>(l - 16));
  o[i++] = __reduce_and_sync(kAll, static_cast<unsigned>(l | 64));
  o[i++] = __reduce_or_sync(kAll, static_cast<unsigned>(l));
  o[i++] = __reduce_xor_sync(kAll, static_cast<unsigned>(l) * 3u);
}

__global__ void segment_sums_kernel(int* out, int width) {
  int v = static_cast<int>(threadIdx.x);
  for (int o = width / 2; o > 0; o /= 2) v += __shfl_xor_sync(kAll, v, o, width);
  out[threadIdx.x] = v;
}

__global__ void half_sums_kernel(int* out) {
  const int l = static_cast<int>(threadIdx.x);
  int v = l;
  if (l < 16) {
    for (int o = 8; o > 0; o /= 2) v += __shfl_xor_sync(0x0000ffffu, v, o);
  } else {
    v = __reduce_add_sync(0xffff0000u, v);
    __syncwarp(0xffff0000u);
    v = __shfl_sync(0xffff0000u, v, 20);
  }
  out[l] = v;
}

__global__ void squares_kernel(int* out) {
  struct Lane {
    int in, out;
  } mine{static_cast<int>(threadIdx.x), 0};
  warp_custom(&mine, [](void* const lanes[32]) {
    int sum = 0;
    for (int l = 0; l < 32; ++l) {
      const int v = static_cast<Lane*>(lanes[l])->in;
      sum += v * v;
    }
    for (int l = 0; l < 32; ++l) static_cast<Lane*>(lanes[l])->out = sum;
  });
  out[threadIdx.x] = mine.out;
}

__global__ void block_votes_kernel(int* out, int limit) {
  const int mine = static_cast<int>(threadIdx.x);
  out[mine * 3] = __syncthreads_count(mine < limit);
  out[mine * 3 + 1] = __syncthreads_and(mine < limit);
  out[mine * 3 + 2] = __syncthreads_or(mine < limit);
}

// --- shared memory

__device__ inline void rotate(int* shared, int* out, int shift, int times) {
  const int n = static_cast<int>(blockDim.x), mine = static_cast<int>(threadIdx.x);
  int v = mine;
  for (int i = 0; i < times; ++i) {
    shared[mine] = v;
    __syncthreads();
    v = shared[(mine + shift) % n];
    __syncthreads();
  }
  out[mine] = v;
}
__global__ void rotate_static_kernel(int* out, int shift, int times) {
  GPU_SHARED(int, shared, [1024]);
  rotate(shared, out, shift, times);
}
__global__ void rotate_dynamic_kernel(int* out, int shift, int times) {
  GPU_DYNAMIC_SHARED(int, shared);
  rotate(shared, out, shift, times);
}

// Volatile, and so that no checker minds: the bytes of what was never written are looked at.
__global__ void poison_kernel(uint32_t* out) {
  GPU_SHARED(uint32_t, shared, [2][4]);
  if (threadIdx.x == 0) out[blockIdx.x] = atomicExch(&shared[1][2], 5u);
}

__global__ void coordinates_kernel(uint32_t* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  uint32_t* o = out + (block * threads + linear_thread()) * 12;
  const uint32_t all[12] = {blockIdx.x,  blockIdx.y,  blockIdx.z, threadIdx.x,
                            threadIdx.y, threadIdx.z, blockDim.x, blockDim.y,
                            blockDim.z,  gridDim.x,   gridDim.y,  gridDim.z};
  for (int i = 0; i < 12; ++i) o[i] = all[i];
}

// --- atomics

__global__ void atomics_kernel(Atomics* a) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&a->add, i);
  atomicSub(&a->sub, 2u);
  atomicMin(&a->min, i + 5);
  atomicMax(&a->max, i);
  atomicAnd(&a->and_, ~(1u << (i % 31)));
  atomicOr(&a->or_, 1u << (i % 31));
  atomicXor(&a->xor_, i);
  atomicInc(&a->inc, 6u);
  atomicDec(&a->dec, 6u);
  atomicMin(&a->smin, 10 - static_cast<int>(i));
  atomicMax(&a->smax, -3 - static_cast<int>(i));
  atomicAdd(&a->add64, 1ull * i << 33);
  atomicMax(&a->max64, 1ull * i << 40);
  atomicMin(&a->min64, 1ull << (63 - i % 8));
  atomicAdd(&a->addf, 0.5f);
  atomicAdd(&a->addd, 0.25);
  unsigned long long seen = 0;
  for (;;) {
    const unsigned long long now = atomicCAS(&a->swaps64, seen, seen + (1ull << 32));
    if (now == seen) break;
    seen = now;
  }
}

__global__ void exchange_kernel(int* place, int* got) {
  got[threadIdx.x] = atomicExch(place, static_cast<int>(threadIdx.x));
}

__global__ void order_kernel(int* counter, int* order, bool meet) {
  if (meet) __syncthreads();
  order[atomicAdd(counter, 1)] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

// --- mistakes

__device__ inline void misuse_thread(Mistake what, int mine) {
  switch (what) {
    case Mistake::TooMuchShared: {
      GPU_SHARED(char, large, [40000]);
      GPU_SHARED(char, more, [10000]);
      large[mine] = more[mine] = 1;
      break;
    }
    case Mistake::TooMuchSharedTogether: {
      GPU_SHARED(char, part, [20000]);
      part[mine] = 1;
      break;
    }
    case Mistake::NoDynamicShared: {
      GPU_DYNAMIC_SHARED(char, none);
      none[mine] = 1;
      break;
    }
    case Mistake::Trap:
      if (mine == 5) __trap();
      break;
    case Mistake::Throw:
      if (mine == 5) throw std::runtime_error("thrown by a thread");
      break;
    default:
      break;
  }
}

__global__ void mistake_kernel(Mistake what, int zero) {
  const int mine = static_cast<int>(threadIdx.x);
  const int lane = mine % 32;
  switch (what) {
    case Mistake::BarrierInBranch:
      if (mine < 16) __syncthreads();
      break;
    case Mistake::BarrierSites:
      if (mine < 32) {
        __syncthreads();
      } else {
        __syncthreads();
      }
      break;
    case Mistake::BarrierAfterReturn:
      if (mine >= 40) return;
      __syncthreads();
      break;
    case Mistake::NotInMask:
      __shfl_sync(0x0000ffffu, mine, 0);
      break;
    case Mistake::ExitedLane:
      if (lane == 9) return;
      __syncwarp(kAll & ~(1u << 9));
      __shfl_sync(kAll, mine, 0);
      break;
    case Mistake::AbsentLane:
      __shfl_sync(kAll, mine, 0);
      break;
    case Mistake::DifferentCollectives:
      if (lane < 16) {
        __shfl_sync(kAll, mine, 0);
      } else {
        __ballot_sync(kAll, 1);
      }
      break;
    case Mistake::DifferentMasks:
      __shfl_sync(lane == 3 ? 0x0000ffffu : kAll, mine, 0);
      break;
    case Mistake::ShuffleWidth:
      __shfl_sync(kAll, mine, 0, 12 + zero);
      break;
    case Mistake::ShuffleTooFar:
      __shfl_down_sync(kAll, mine, static_cast<unsigned>(32 + zero));
      break;
    case Mistake::HalfWarp:
      if (lane < 16) __shfl_down_sync(kAll, mine, 8);
      break;
    case Mistake::BarrierAndShuffle:
      if (lane % 2 == 0) {
        __syncthreads();
      } else {
        __shfl_sync(kAll, mine, 0);
      }
      break;
    default:
      misuse_thread(what, mine);
  }
}

__global__ void use_stack_kernel(int* out, int bytes) {
  char* const memory = static_cast<char*>(__builtin_alloca(static_cast<size_t>(bytes)));
  volatile char* const end = memory;
  for (int i = bytes - 1; i >= 0; i -= 256) end[i] = static_cast<char>(i);
  __syncthreads();
  if (end[bytes - 1] == static_cast<char>(bytes - 1)) atomicAdd(out, 1);
}

__global__ void count_up_kernel(int* numbers, int n) {
  const int mine = static_cast<int>(threadIdx.x);
  for (int i = 0; i < n; ++i) {
    numbers[(mine + i) % n] += 1;
    __syncthreads();
  }
}

}  // namespace

std::vector<int64_t> collectives() {
  const Array<int64_t> out(32 * kColumns);
  run(collectives_kernel, 1, 32, 0, out.p);
  return out.get();
}
std::vector<int> segment_sums(int width) {
  const Array<int> out(32);
  run(segment_sums_kernel, 1, 32, 0, out.p, width);
  return out.get();
}
std::vector<int> half_sums() {
  const Array<int> out(32);
  run(half_sums_kernel, 1, 32, 0, out.p);
  return out.get();
}
std::vector<int> squares() {
  const Array<int> out(32);
  run(squares_kernel, 1, 32, 0, out.p);
  return out.get();
}
std::vector<int> block_votes(int threads, int limit) {
  const Array<int> out(static_cast<size_t>(threads) * 3);
  run(block_votes_kernel, 1, dim3(static_cast<unsigned>(threads)), 0, out.p, limit);
  return out.get();
}
std::vector<int> rotate_static(int threads, int shift, int times) {
  const Array<int> out(static_cast<size_t>(threads));
  run(rotate_static_kernel, 1, dim3(static_cast<unsigned>(threads)), 0, out.p, shift, times);
  return out.get();
}
std::vector<int> rotate_dynamic(int threads, int shift, int times) {
  const auto n = static_cast<size_t>(threads);
  const Array<int> out(n);
  run(rotate_dynamic_kernel, 1, dim3(static_cast<unsigned>(threads)), n * sizeof(int), out.p, shift,
      times);
  return out.get();
}
std::vector<uint32_t> poison() {
  const Array<uint32_t> out(3);
  run(poison_kernel, 3, 32, 0, out.p);
  return out.get();
}
std::vector<uint32_t> coordinates(const uint32_t (&grid)[3], const uint32_t (&block)[3]) {
  const size_t threads = size_t{grid[0]} * grid[1] * grid[2] * block[0] * block[1] * block[2];
  const Array<uint32_t> out(threads * 12);
  run(coordinates_kernel, dim3(grid[0], grid[1], grid[2]), dim3(block[0], block[1], block[2]), 0,
      out.p);
  return out.get();
}
Atomics atomics(int blocks, int threads) {
  Atomics start{};
  start.min = start.and_ = ~0u;
  start.smax = -1000;
  start.min64 = ~0ull;
  const Array<Atomics> a(std::vector<Atomics>{start});
  run(atomics_kernel, dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)), 0,
      a.p);
  return a.get()[0];
}
std::vector<int> exchange(int threads) {
  const Array<int> place(std::vector<int>{-1}), got(static_cast<size_t>(threads));
  run(exchange_kernel, 1, dim3(static_cast<unsigned>(threads)), 0, place.p, got.p);
  std::vector<int> all = got.get();
  all.push_back(place.get()[0]);
  return all;
}
std::vector<int> order_of_threads(int blocks, int threads) {
  const Array<int> counter(1), order(static_cast<size_t>(blocks) * static_cast<size_t>(threads));
  run(order_kernel, dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads)), 0,
      counter.p, order.p, false);
  return order.get();
}
std::vector<int> order_after_barrier(int threads) {
  const Array<int> counter(1), order(static_cast<size_t>(threads));
  run(order_kernel, 1, dim3(static_cast<unsigned>(threads)), 0, counter.p, order.p, true);
  return order.get();
}
void run_mistake(Mistake mistake) {
  const unsigned threads = mistake == Mistake::AbsentLane ? 20 : 64;
  const size_t shared_bytes = mistake == Mistake::TooMuchSharedTogether ? 40000 : 0;
  run(mistake_kernel, 2, threads, shared_bytes, mistake, 0);
}
void use_stack(int bytes) {
  const Array<int> out(1);
  run(use_stack_kernel, 1, 64, 0, out.p, bytes);
  if (out.get()[0] != 64) throw std::runtime_error("use_stack: a thread's stack was not its own");
}
std::vector<int> count_up(int n) {
  const Array<int> numbers(static_cast<size_t>(n));
  run(count_up_kernel, 1, dim3(static_cast<unsigned>(n)), 0, numbers.p, n);
  return numbers.get();
}

}  // namespace simt::machine_test
