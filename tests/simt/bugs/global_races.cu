// Races through global memory, between the threads of a block and between blocks. Blocks run one
// after another in the emulation, so most of these give the right result by luck.
#include <tests/simt/bugs/bugs.h>

namespace bugs {
namespace {

template <bool kAtomic>
__global__ void histogram_kernel(const int* index, float* y) {
  float* const bin = &y[index[global_index()]];
  if (kAtomic) {
    atomicAdd(bin, 1.f);
  } else {
    *bin += 1;
  }
}

template <bool kAtomic>
bool histogram(int blocks, int bins) {
  const int n = blocks * 64;
  std::vector<int> values(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) values[static_cast<size_t>(i)] = i % bins;
  const Array<int> index(values);
  Array<float> y(static_cast<size_t>(bins));
  y.clear();
  gpu::launch(histogram_kernel<kAtomic>, blocks, 64, 0, stream(), index.p, y.p);
  return y.get() != std::vector<float>(y.n, static_cast<float>(n / bins));
}

// Reads the element that another thread writes.
__global__ void shift_kernel(float* x, int n) {
  const int i = global_index();
  if (i + 1 < n) x[i] = x[i + 1];
}

__global__ void write_same_kernel(float* y) {
  GPU_SHARED(float, s, [128]);
  s[threadIdx.x / 2] = static_cast<float>(threadIdx.x);
  __syncthreads();
  if (threadIdx.x < 128) y[threadIdx.x] = s[threadIdx.x];
}

// What the last block to draw a ticket may read: the parts that were written before a fence before
// the ticket was drawn.
enum class Fence { Right, Missing, AfterTicket, BeforeWrite, InSomeBlocks };

template <Fence kFence>
__global__ void last_block_kernel(float* parts, unsigned* ticket, float* sum) {
  GPU_SHARED(bool, last);
  if (threadIdx.x == 0) {
    if (kFence == Fence::BeforeWrite) __threadfence();
    parts[blockIdx.x] = 1;
    if (kFence == Fence::Right || (kFence == Fence::InSomeBlocks && blockIdx.x % 2 == 0))
      __threadfence();
    last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    if (kFence == Fence::AfterTicket) __threadfence();
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    float s = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) s += parts[i];
    *sum = s;
  }
}

template <Fence kFence>
bool last_block(unsigned blocks) {
  const Array<float> parts(blocks), sum(1);
  Array<unsigned> ticket(1);
  ticket.clear();
  gpu::launch(last_block_kernel<kFence>, blocks, 32, 0, stream(), parts.p, ticket.p, sum.p);
  return sum.get()[0] != static_cast<float>(blocks);
}

__global__ void atomics_kernel(unsigned* u, unsigned long long* wide, float* f, double* d) {
  atomicAdd(&u[0], 1u);
  atomicMax(&u[1], static_cast<unsigned>(global_index()));
  atomicOr(&u[2], 1u << threadIdx.x % 32);
  atomicCAS(&u[3], 0u, 7u);
  atomicAdd(wide, 1ull << 32);
  atomicAdd(f, 1.f);
  atomicAdd(d, 0.5);
}

// A barrier of each block is none of the grid.
__global__ void neighbour_block_kernel(float* x, float* y) {
  x[global_index()] = 1;
  __syncthreads();
  y[global_index()] = x[(global_index() + 32) % 256];
}

// All blocks read what one of them writes.
__global__ void write_what_is_read_kernel(float* x, float* y, unsigned writer) {
  y[global_index()] = x[0];
  if (static_cast<unsigned>(global_index()) == writer) x[0] = 2;
}
bool write_what_is_read(unsigned writer) {
  Array<float> x(1), y(256);
  x.clear();
  gpu::launch(write_what_is_read_kernel, 8, 32, 0, stream(), x.p, y.p, writer);
  must(cudaStreamSynchronize(stream()));
  return false;
}

// The last element of each vector is the next thread's first.
__global__ void overlapping_vectors_kernel(float* y) {
  reinterpret_cast<double*>(y)[threadIdx.x] = 1;
  y[2 * threadIdx.x + 2] = 2;
}

// Neighbouring elements of one word belong to different threads.
__global__ void neighbours_kernel(unsigned char* y) {
  y[global_index()] = static_cast<unsigned char>(global_index());
}

}  // namespace

CONTROL(ok_histogram_grid) { return histogram<true>(8, 64); }
CONTROL(ok_last_block) { return last_block<Fence::Right>(8); }
CONTROL(ok_neighbours) {
  const Array<unsigned char> y(256);
  gpu::launch(neighbours_kernel, 8, 32, 0, stream(), y.p);
  const std::vector<unsigned char> got = y.get();
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != i) return true;
  return false;
}
CONTROL(ok_atomics) {
  Array<unsigned> u(4);
  Array<unsigned long long> wide(1);
  Array<float> f(1);
  Array<double> d(1);
  u.clear(), wide.clear(), f.clear(), d.clear();
  gpu::launch(atomics_kernel, 8, 64, 0, stream(), u.p, wide.p, f.p, d.p);
  return u.get() != std::vector<unsigned>{512, 511, ~0u, 7} || wide.get()[0] != 512ull << 32 ||
         f.get()[0] != 512 || d.get()[0] != 256;
}

BUG(race_no_atomic_block, reported(kCheck, "data race")) { return histogram<false>(1, 8); }
BUG(race_no_atomic_grid, reported(kCheck, "data race")) { return histogram<false>(8, 64); }
BUG(race_inplace_shift, wrong(kFast | kAsan), reported(kCheck, "data race")) {
  constexpr int n = 1024;
  const std::vector<float> values = ramp(n);
  const Array<float> x(values);
  gpu::launch(shift_kernel, n / 128, 128, 0, stream(), x.p, n);
  const std::vector<float> got = x.get();
  for (size_t i = 0; i + 1 < n; ++i)
    if (got[i] != values[i + 1]) return true;
  return false;
}
BUG(race_neighbour_block, wrong(kFast | kAsan), reported(kCheck, "data race|uninitialised read")) {
  const Array<float> x(256), y(256);
  gpu::launch(neighbour_block_kernel, 8, 32, 0, stream(), x.p, y.p);
  return y.get() != std::vector<float>(256, 1);
}
BUG(race_first_reader_writes, reported(kCheck, "data race")) { return write_what_is_read(0); }
BUG(race_last_reader_writes, reported(kCheck, "data race")) { return write_what_is_read(255); }
BUG(race_overlapping_vectors, reported(kCheck, "data race")) {
  const Array<float> y(66);
  gpu::launch(overlapping_vectors_kernel, 1, 32, 0, stream(), y.p);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(race_shared_ww, sometimes_wrong(kFast | kAsan), reported(kCheck, "data race")) {
  const Array<float> y(128);
  gpu::launch(write_same_kernel, 1, 256, 0, stream(), y.p);
  const std::vector<float> got = y.get();
  for (size_t i = 0; i < got.size(); ++i)
    if (got[i] != static_cast<float>(2 * i + 1)) return true;
  return false;
}
BUG(race_last_block_no_fence, reported(kCheck, "data race")) {
  return last_block<Fence::Missing>(8);
}
BUG(race_last_block_fence_late, reported(kCheck, "data race")) {
  return last_block<Fence::AfterTicket>(8);
}
BUG(race_last_block_fence_early, reported(kCheck, "data race")) {
  return last_block<Fence::BeforeWrite>(8);
}
BUG(race_last_block_some_fences, reported(kCheck, "data race")) {
  return last_block<Fence::InSomeBlocks>(8);
}

}  // namespace bugs
