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

namespace cuda {

/// Around a kernel's launcher: its device is current, after whatever stands in the way of work
/// there (look() in cuda/runtime.h) was thrown.
class OpScope {
 public:
  explicit OpScope(int device);
  ~OpScope();
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

 private:
  int previous_;
};

}  // namespace cuda
}  // namespace wick

/// WICK_KERNEL(void, softmax, const SoftmaxArgs& args);
#define WICK_KERNEL(Return, name, ...) \
  namespace cpu {                      \
  Return name(__VA_ARGS__);            \
  }                                    \
  namespace cuda {                     \
  Return name(__VA_ARGS__);            \
  }

/// Calls the kernel of the device, which is the current one for as long as that takes. (As a
/// template over function pointers this would refer to the CUDA symbol in debug builds without
/// CUDA; a discarded statement does not.)
#define WICK_DISPATCH(device, kernel, ...)                   \
  [&]() -> decltype(auto) {                                  \
    if constexpr (::wick::kBuiltWithCuda) {                  \
      if ((device).is_cuda()) {                              \
        const ::wick::cuda::OpScope scope((device).index()); \
        return ::wick::cuda::kernel(__VA_ARGS__);            \
      }                                                      \
    }                                                        \
    return ::wick::cpu::kernel(__VA_ARGS__);                 \
  }()
