#pragma once

#include <cstdint>
#include <vector>

// Launches of the kernels of machine_test.cu, on device 0.
namespace simt::machine_test {

/// What each lane of a warp gets from every collective, a row of kColumns for each lane.
inline constexpr int kColumns = 22;
std::vector<int64_t> collectives();
/// Sums of lanes' numbers within groups of `width` lanes, by shuffles with that width.
std::vector<int> segment_sums(int width);
/// Each half of the warp adds its lanes' numbers, with its own mask and its own code.
std::vector<int> half_sums();
/// The warp's 32 numbers, squared and added by warp_custom.
std::vector<int> squares();

/// __syncthreads_count, _and and _or of the predicates `thread < limit`, in every thread.
std::vector<int> block_votes(int threads, int limit);
/// Numbers 0..n-1 moved round a block by `shift`, `times` times, through static shared memory.
std::vector<int> rotate_static(int threads, int shift, int times);
/// The same through dynamic shared memory.
std::vector<int> rotate_dynamic(int threads, int shift, int times);
/// What a block finds in shared memory that it has not written, before and after another block.
std::vector<uint32_t> poison();

/// blockIdx, threadIdx, blockDim and gridDim of each thread: 12 numbers.
std::vector<uint32_t> coordinates(const uint32_t (&grid)[3], const uint32_t (&block)[3]);

/// Results of each atomic after all threads of the grid have run it once on one word.
struct Atomics {
  uint32_t add, sub, min, max, and_, or_, xor_, inc, dec;
  int smin, smax;
  unsigned long long add64, max64, min64, swaps64;
  float addf;
  double addd;
};
Atomics atomics(int blocks, int threads);
/// What atomicExch gave each thread of a block; together with the last value, each number once.
std::vector<int> exchange(int threads);

/// The order in which the threads of a grid, and then warps that have met, came to a counter.
std::vector<int> order_of_threads(int blocks, int threads);
std::vector<int> order_after_barrier(int threads);

/// Kernels with mistakes.
enum class Mistake {
  BarrierInBranch,
  BarrierSites,
  BarrierAfterReturn,
  NotInMask,
  ExitedLane,
  AbsentLane,
  DifferentCollectives,
  DifferentMasks,
  ShuffleWidth,
  ShuffleTooFar,
  HalfWarp,
  BarrierAndShuffle,
  TooMuchShared,
  TooMuchSharedTogether,
  NoDynamicShared,
  Trap,
  Throw,
};
void run_mistake(Mistake mistake);
/// Each thread fills so many bytes of its stack.
void use_stack(int bytes);
/// Adds 1 to each of n numbers, n times a barrier apart.
std::vector<int> count_up(int n);

}  // namespace simt::machine_test
