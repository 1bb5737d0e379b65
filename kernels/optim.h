#pragma once

#include <wick/kernels/args.h>

namespace wick {

/// One parameter of a multi-tensor optimizer step; contiguous, n elements.
struct SgdTensor {
  void* param = nullptr;
  const void* grad = nullptr;
  void* momentum = nullptr;  // null when momentum == 0
  int64_t n = 0;
};

/// Semantics of PyTorch's SGD (https://pytorch.org/docs/stable/generated/torch.optim.SGD.html):
/// d = g + weight_decay p; b = first ? d : momentum b + (1 - dampening) d;
/// p -= lr (nesterov ? d + momentum b : b).
struct SgdArgs {
  DType dtype = DType::Float32;  // floating types
  double lr = 0, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
  bool first = false;  // the momentum buffers hold nothing yet
};

/// One pass over all parameters of a group.
WICK_KERNEL(void, sgd, const SgdArgs& args, const SgdTensor* tensors, int64_t count)

}  // namespace wick
