#pragma once

#include <wick/core/dtype.h>
#include <wick/kernels/convert.h>
#include <wick/kernels/cuda/gpu.h>

// Helpers of the kernel files.
namespace wick::cuda {

inline constexpr unsigned kFullMask = 0xffffffffu;
inline constexpr int kWarp = 32;
/// Threads of a block where nothing speaks for another number.
inline constexpr int kThreads = 256;
/// For __launch_bounds__ of kernels over 64-bit types: told that one block a multiprocessor will
/// do, ptxas does not spill a few registers to make room for another. 0 leaves it to ptxas.
template <class T>
inline constexpr int kMinBlocks = sizeof(T) == 8 ? 1 : 0;
/// Blocks beyond this loop instead: enough to fill the largest GPUs twice.
inline constexpr int64_t kMaxBlocks = 2048;

/// Blocks for a grid-stride loop over `n` items, `per_block` in each sweep of a block.
inline dim3 grid_for(int64_t n, int64_t per_block) {
  const int64_t blocks = (n + per_block - 1) / per_block;
  return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks > kMaxBlocks ? kMaxBlocks : blocks));
}
__device__ inline int64_t first_item() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t item_step() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

/// The type that values of T are computed in.
template <class T>
struct ComputeOf {
  using type = T;
};
template <>
struct ComputeOf<Half> {
  using type = float;
};
template <>
struct ComputeOf<BFloat16> {
  using type = float;
};
template <class T>
using Compute = typename ComputeOf<T>::type;

/// Calls f with a value of the C++ type of a floating type.
template <class F>
void visit_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
    default:
      WICK_FAIL(DTypeError, "cuda: expected a floating type, got ", dtype);
  }
}

// Storage type to compute type and back, with the hardware's conversions.
template <class T>
__device__ inline T up(T v) {
  return v;
}
__device__ inline float up(Half v) { return __half2float(__ushort_as_half(v.bits)); }
__device__ inline float up(BFloat16 v) { return __bfloat162float(__ushort_as_bfloat16(v.bits)); }

template <class T>
__device__ inline T down(Compute<T> v) {
  if constexpr (std::is_same_v<T, Half>) {
    Half h;
    h.bits = __half_as_ushort(__float2half_rn(v));
    return h;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    BFloat16 h;
    h.bits = __bfloat16_as_ushort(__float2bfloat16_rn(v));
    return h;
  } else {
    return v;
  }
}

/// Conversion between storage types with the rules of <wick/kernels/convert.h>.
template <class To, class From>
__device__ inline To convert_value(From v) {
  if constexpr (std::is_same_v<To, From>) {
    return v;
  } else {
    return down<To>(convert<Compute<To>>(up(v)));
  }
}

/// N values that are loaded and stored at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
};
template <class T, int N>
bool is_aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % (sizeof(T) * N) == 0;
}

template <class T>
__device__ inline T warp_sum(T v) {
#pragma unroll
  for (int o = kWarp / 2; o > 0; o /= 2) v += __shfl_xor_sync(kFullMask, v, o);
  return v;
}
/// The larger one; a NaN wins.
template <class T>
__device__ inline T max_nan(T a, T b) {
  return a != a || a > b ? a : b;
}
template <class T>
__device__ inline T warp_max(T v) {
#pragma unroll
  for (int o = kWarp / 2; o > 0; o /= 2) v = max_nan(v, __shfl_xor_sync(kFullMask, v, o));
  return v;
}

/// Sum over the block in every thread; all threads of a block of up to 32 warps call it.
template <class T>
__device__ inline T block_sum(T v) {
  GPU_SHARED(T, partial, [kWarp]);
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  const int warps = blockDim.x / kWarp;
  v = warp_sum(v);
  __syncthreads();  // an earlier call may still be reading
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  return warp_sum(lane < warps ? partial[lane] : T(0));
}
/// Maximum over the block in every thread; as block_sum.
template <class T>
__device__ inline T block_max(T v) {
  GPU_SHARED(T, partial, [kWarp]);
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  const int warps = blockDim.x / kWarp;
  v = warp_max(v);
  __syncthreads();
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  return warp_max(partial[lane < warps ? lane : 0]);
}

}  // namespace wick::cuda
