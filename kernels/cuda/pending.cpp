#include <wick/core/check.h>
#include <wick/kernels/conv.h>

// Launchers whose CUDA kernels do not exist yet. They say so when they are called.
namespace wick::cuda {

#define WICK_PENDING(name, ...)                                                              \
  void name(__VA_ARGS__) {                                                                   \
    WICK_FAIL(NotImplementedError, #name                                                     \
              ": not available on CUDA yet; move the tensors and the module with .cpu()"); \
  }

WICK_PENDING(conv, const ConvArgs&, const void*, const void*, const void*, void*)
WICK_PENDING(conv_backward_input, const ConvArgs&, const void*, const void*, void*)
WICK_PENDING(conv_backward_weight, const ConvArgs&, const void*, const void*, void*, void*)

#undef WICK_PENDING

}  // namespace wick::cuda
