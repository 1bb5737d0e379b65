#pragma once

#include <wick/core/device.h>

// A kernel is a function that exists twice, as wick::cpu::name and wick::cuda::name, with one
// declaration made by WICK_KERNEL. Nothing is registered: a missing kernel is a link error.
namespace wick {

// Known where ops are; the files of the CPU's kernels are the same with and without CUDA.
#if defined(WICK_WITH_CUDA)
constexpr bool kBuiltWithCuda = true;
#else
constexpr bool kBuiltWithCuda = false;
#endif

}  // namespace wick

/// WICK_KERNEL(void, softmax, const SoftmaxArgs& args);
#define WICK_KERNEL(Return, name, ...) \
  namespace cpu {                      \
  Return name(__VA_ARGS__);            \
  }                                    \
  namespace cuda {                     \
  Return name(__VA_ARGS__);            \
  }

/// Calls the kernel of the device. (As a template over function pointers this would refer to the
/// CUDA symbol in debug builds without CUDA; a discarded statement does not.)
#define WICK_DISPATCH(device, kernel, ...)                              \
  [&]() -> decltype(auto) {                                             \
    if constexpr (::wick::kBuiltWithCuda) {                             \
      if ((device).is_cuda()) return ::wick::cuda::kernel(__VA_ARGS__); \
    }                                                                   \
    return ::wick::cpu::kernel(__VA_ARGS__);                            \
  }()
