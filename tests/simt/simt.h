#pragma once

// CUDA C++ for the host compiler: what a kernel file sees instead of <cuda_runtime.h> when it is
// compiled with WICK_SIMT (<wick/kernels/cuda/gpu.h>). Types and the runtime's prototypes are those
// of the CUDA Toolkit; keywords, built-in variables, collectives, atomics, intrinsics and launches
// are the emulation's.
#include <math.h>  // NOLINT: for the names in the global namespace

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <tests/simt/internal.h>
#include <wick/kernels/cuda/runtime.h>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __managed__
#undef __grid_constant__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __grid_constant__
#define __launch_bounds__(...)
#define __shared__ WICK_SIMT_use_GPU_SHARED

// clang 14's ThreadSanitizer calls the C library's functions where a struct is copied or cleared.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
asm(".set memcpy, __tsan_memcpy\n.set memmove, __tsan_memmove\n.set memset, __tsan_memset");
#endif
#endif

// --- built-in variables
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace simt {

/// What the threads of a block, or the lanes of a warp, do together.
enum class Collective : uint8_t {
  Barrier,
  BarrierCount,
  BarrierAnd,
  BarrierOr,
  SyncWarp,  // from here on: of a warp
  ShuffleIndex,
  ShuffleUp,
  ShuffleDown,
  ShuffleXor,
  MatchAny,
  Ballot,
  Any,
  All,
  Add,
  And,
  Or,
  Xor,
  MinUnsigned,
  MaxUnsigned,
  MinSigned,
  MaxSigned,
  Custom,
};

/// The place of a call in a kernel file.
struct Site {
  const char* file = "?";
  int line = 0;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Waits for all threads of the block; what comes of the threads' predicates.
int block_collective(Collective what, int predicate, Site site);
/// Waits for the lanes in `mask`; `argument` and `width` are those of shuffles.
uint64_t warp_collective(Collective what, uint32_t mask, uint64_t value, int argument, int width,
                         Site site);
/// An instruction of a full warp (mma.sync, ldmatrix, ...): each lane gives the address of its own
/// data, and `body` is run once with all 32.
void warp_custom(void* data, void (*body)(void* const lanes[32]), Site site = Site::here());

/// *memory = combine(*memory, value) of 2, 4 or 8 bytes; returns what was there.
uint64_t atomic(void* memory, size_t bytes, uint64_t value,
                uint64_t (*combine)(uint64_t old, uint64_t value));
uint64_t compare_and_swap(void* memory, size_t bytes, uint64_t expected, uint64_t value);
void fence();
[[noreturn]] void trap(Site site);

/// Where a shared variable is, and in which block.
struct SharedSlot {
  void* memory;
  uint64_t block;
};
extern constinit thread_local uint64_t block_serial;
void* allocate_shared(SharedSlot& slot, size_t bytes, size_t alignment, const char* name);
inline void* shared_variable(SharedSlot& slot, size_t bytes, size_t alignment, const char* name) {
  return slot.block == block_serial ? slot.memory : allocate_shared(slot, bytes, alignment, name);
}
void* dynamic_shared();

template <class T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>, "expected at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}
template <class T, class F>
[[gnu::always_inline]] inline T atomic(T* memory, T value, F) {
  static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8,
                "atomics are of 2, 4 or 8 bytes");
  return from_bits<T>(atomic(memory, sizeof(T), to_bits(value), [](uint64_t a, uint64_t b) {
    return to_bits<T>(F()(from_bits<T>(a), from_bits<T>(b)));
  }));
}

}  // namespace simt

// --- the names of gpu.h
#define GPU_SHARED(T, name, ...)                                  \
  static constinit thread_local ::simt::SharedSlot name##_slot{}; \
  typedef T name##_shared __VA_ARGS__;                            \
  auto& name = *static_cast<name##_shared*>(                      \
      ::simt::shared_variable(name##_slot, sizeof(name##_shared), alignof(name##_shared), #name))
#define GPU_DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::simt::dynamic_shared())
#define GPU_GRID_CONSTANT(T) const T&

// --- barriers, collectives, fences
inline void __syncthreads(simt::Site site = simt::Site::here()) {
  simt::block_collective(simt::Collective::Barrier, 0, site);
}
inline int __syncthreads_count(int predicate, simt::Site site = simt::Site::here()) {
  return simt::block_collective(simt::Collective::BarrierCount, predicate, site);
}
inline int __syncthreads_and(int predicate, simt::Site site = simt::Site::here()) {
  return simt::block_collective(simt::Collective::BarrierAnd, predicate, site);
}
inline int __syncthreads_or(int predicate, simt::Site site = simt::Site::here()) {
  return simt::block_collective(simt::Collective::BarrierOr, predicate, site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, simt::Site site = simt::Site::here()) {
  simt::warp_collective(simt::Collective::SyncWarp, mask, 0, 0, 32, site);
}

#define WICK_SIMT_SHUFFLE(name, what, Argument)                                                    \
  template <class T>                                                                               \
  T name(unsigned mask, T v, Argument argument, int width = 32,                                    \
         simt::Site site = simt::Site::here()) {                                                   \
    return simt::from_bits<T>(simt::warp_collective(                                               \
        simt::Collective::what, mask, simt::to_bits(v), static_cast<int>(argument), width, site)); \
  }
WICK_SIMT_SHUFFLE(__shfl_sync, ShuffleIndex, int)
WICK_SIMT_SHUFFLE(__shfl_up_sync, ShuffleUp, unsigned)
WICK_SIMT_SHUFFLE(__shfl_down_sync, ShuffleDown, unsigned)
WICK_SIMT_SHUFFLE(__shfl_xor_sync, ShuffleXor, int)
#undef WICK_SIMT_SHUFFLE

#define WICK_SIMT_VOTE(name, what, Result)                                                 \
  inline Result name(unsigned mask, int predicate, simt::Site site = simt::Site::here()) { \
    return static_cast<Result>(                                                            \
        simt::warp_collective(simt::Collective::what, mask, predicate != 0, 0, 32, site)); \
  }
WICK_SIMT_VOTE(__ballot_sync, Ballot, unsigned)
WICK_SIMT_VOTE(__any_sync, Any, int)
WICK_SIMT_VOTE(__all_sync, All, int)
#undef WICK_SIMT_VOTE

template <class T>
unsigned __match_any_sync(unsigned mask, T v, simt::Site site = simt::Site::here()) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  return static_cast<unsigned>(
      simt::warp_collective(simt::Collective::MatchAny, mask, simt::to_bits(v), 0, 32, site));
}

#define WICK_SIMT_REDUCE(name, what, T)                                                  \
  inline T name(unsigned mask, T v, simt::Site site = simt::Site::here()) {              \
    return static_cast<T>(simt::warp_collective(simt::Collective::what, mask,            \
                                                static_cast<unsigned>(v), 0, 32, site)); \
  }
WICK_SIMT_REDUCE(__reduce_add_sync, Add, unsigned)
WICK_SIMT_REDUCE(__reduce_add_sync, Add, int)
WICK_SIMT_REDUCE(__reduce_min_sync, MinUnsigned, unsigned)
WICK_SIMT_REDUCE(__reduce_min_sync, MinSigned, int)
WICK_SIMT_REDUCE(__reduce_max_sync, MaxUnsigned, unsigned)
WICK_SIMT_REDUCE(__reduce_max_sync, MaxSigned, int)
WICK_SIMT_REDUCE(__reduce_and_sync, And, unsigned)
WICK_SIMT_REDUCE(__reduce_or_sync, Or, unsigned)
WICK_SIMT_REDUCE(__reduce_xor_sync, Xor, unsigned)
#undef WICK_SIMT_REDUCE
// __activemask() is left out on purpose: what it returns is not the same on all hardware.

inline void __threadfence() { simt::fence(); }
inline void __threadfence_system() { simt::fence(); }
inline void __threadfence_block() {}

// --- atomics
#define WICK_SIMT_ATOMIC(name, value)                                                           \
  template <class T>                                                                            \
  [[gnu::always_inline]] inline T name(T* memory, std::type_identity_t<T> operand) {            \
    return simt::atomic(memory, operand, []([[maybe_unused]] T a, T b) -> T { return value; }); \
  }
WICK_SIMT_ATOMIC(atomicAdd, a + b)
WICK_SIMT_ATOMIC(atomicSub, a - b)
WICK_SIMT_ATOMIC(atomicMin, b < a ? b : a)
WICK_SIMT_ATOMIC(atomicMax, a < b ? b : a)
WICK_SIMT_ATOMIC(atomicAnd, a& b)
WICK_SIMT_ATOMIC(atomicOr, a | b)
WICK_SIMT_ATOMIC(atomicXor, a ^ b)
WICK_SIMT_ATOMIC(atomicExch, b)
WICK_SIMT_ATOMIC(atomicInc, a >= b ? 0u : a + 1u)
WICK_SIMT_ATOMIC(atomicDec, a == 0 || a > b ? b : a - 1u)
#undef WICK_SIMT_ATOMIC
template <class T>
[[gnu::always_inline]] inline T atomicCAS(T* memory, std::type_identity_t<T> expected,
                                          std::type_identity_t<T> value) {
  return simt::from_bits<T>(simt::compare_and_swap(memory, sizeof(T), simt::to_bits<T>(expected),
                                                   simt::to_bits<T>(value)));
}

// --- intrinsics that neither the C library nor the toolkit's host headers have
inline float __expf(float x) { return ::expf(x); }
inline float __exp10f(float x) { return ::powf(10.0f, x); }
inline float __logf(float x) { return ::logf(x); }
inline float __log2f(float x) { return ::log2f(x); }
inline float __log10f(float x) { return ::log10f(x); }
inline float __powf(float x, float y) { return ::powf(x, y); }
inline float __sinf(float x) { return ::sinf(x); }
inline float __cosf(float x) { return ::cosf(x); }
inline float __tanf(float x) { return ::tanf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float rsqrtf(float x) { return 1.0f / ::sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float normcdff(float x) { return 0.5f * ::erfcf(-x * 0.70710678118654752f); }
inline double normcdf(double x) { return 0.5 * ::erfc(-x * 0.70710678118654752); }

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return ::fmaf(a, b, c); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return ::sqrtf(x); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return ::fma(a, b, c); }
inline double __dsqrt_rn(double x) { return ::sqrt(x); }

inline int __mulhi(int a, int b) { return static_cast<int>(int64_t{a} * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>(static_cast<Wide>(a) * b >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned r = 0;
  for (int i = 0; i < 32; ++i) r |= ((x >> i) & 1u) << (31 - i);
  return r;
}
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
inline int __float2int_rn(float x) { return static_cast<int>(::nearbyintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __float2int_rd(float x) { return static_cast<int>(::floorf(x)); }
inline int __float2int_ru(float x) { return static_cast<int>(::ceilf(x)); }

template <class T>
inline T __ldg(const T* p) {
  return *p;
}
template <class T>
inline T __ldcs(const T* p) {
  return *p;
}
template <class T>
inline T __ldcg(const T* p) {
  return *p;
}
template <class T>
inline void __stcs(T* p, std::type_identity_t<T> v) {
  *p = v;
}
template <class T>
inline void __stcg(T* p, std::type_identity_t<T> v) {
  *p = v;
}
template <class T>
requires(std::is_arithmetic_v<T>) inline T min(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmin(a, b);
  return b < a ? b : a;
}
template <class T>
requires(std::is_arithmetic_v<T>) inline T max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmax(a, b);
  return a < b ? b : a;
}
[[noreturn]] inline void __trap(simt::Site site = simt::Site::here()) { simt::trap(site); }

// --- launch
namespace gpu {

inline cudaStream_t stream() { return static_cast<cudaStream_t>(wick::cuda::native_stream()); }

template <class... P>
struct KernelCall {
  void (*kernel)(P...);
  std::tuple<std::decay_t<P>...> parameters;
  static void run(void* call) {
    const KernelCall& c = *static_cast<const KernelCall*>(call);
    std::apply(c.kernel, c.parameters);
  }
};

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            A&&... args) {
  static_assert(sizeof...(P) == sizeof...(A), "wrong number of kernel arguments");
  static_assert((std::is_trivially_copyable_v<std::decay_t<P>> && ...));
  static_assert((sizeof(std::decay_t<P>) + ... + 0) <= 4096, "kernel parameters exceed 4 KiB");
  const simt::LaunchInfo info{reinterpret_cast<const void*>(kernel), grid, block, shared_bytes};
  KernelCall<P...> call{kernel, {static_cast<P>(args)...}};
  const cudaError_t error = simt::launch(info, stream, [info, call](int device) mutable {
    simt::run_grid(info, device, KernelCall<P...>::run, &call, sizeof(call));
  });
  if (error != cudaSuccess) wick::cuda::throw_error(error, "a kernel launch");
}

}  // namespace gpu
