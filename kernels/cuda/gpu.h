#pragma once

// What kernel files (.cu) are written in. They are compiled by nvcc, and, to be tested where there
// is no GPU, by the host compiler with the SIMT emulation of tests/simt (WICK_SIMT), which provides
// the same names. A kernel file therefore uses
//   gpu::launch(kernel, grid, block, shared_bytes, stream, args...)  and no <<<>>>
//   GPU_SHARED(float, tile, [32][33]);    shared memory
//   GPU_DYNAMIC_SHARED(float, stage);     the launch's shared memory, as float*
//   GPU_GRID_CONSTANT(Args) args          a large parameter, passed by value
//   gpu::stream()                         the current stream of the current device
// and neither inline PTX, CUB, cooperative groups, half intrinsics nor std:: functions of the host.
// Blocks are multiples of 32 threads; no thread returns before a barrier; masks are full.
#if defined(WICK_SIMT)
#include <wick/simt/simt.h>
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <wick/kernels/cuda/runtime.h>
#include <type_traits>

#define GPU_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#define GPU_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char gpu_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(gpu_dynamic_shared)
#define GPU_GRID_CONSTANT(T) const __grid_constant__ T

namespace gpu {

inline cudaStream_t stream() { return static_cast<cudaStream_t>(wick::cuda::native_stream()); }

/// Starts a kernel; throws what wick::cuda::throw_error makes of an error (also of one that an
/// earlier kernel has left behind).
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            A&&... args) {
  static_assert(sizeof...(P) == sizeof...(A), "wrong number of kernel arguments");
  static_assert((std::is_trivially_copyable_v<std::decay_t<P>> && ...));
  static_assert((sizeof(std::decay_t<P>) + ... + 0) <= 4096, "kernel parameters exceed 4 KiB");
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
  if (error != cudaSuccess) wick::cuda::throw_error(error, "a kernel launch");
}

}  // namespace gpu
#endif
