#pragma once

#include <wick/kernels/args.h>
#include <wick/kernels/fault.h>

namespace wick {

/// Softmax or log-softmax over the middle of x: [outer, dim, inner], contiguous, floating types.
struct SoftmaxArgs {
  DType dtype = DType::Float32;
  bool log = false;
  int64_t outer = 1, dim = 0, inner = 1;
};

WICK_KERNEL(void, softmax, const SoftmaxArgs& args, const void* x, void* y)
/// grad_x = y (grad_y - sum(grad_y y)), or grad_y - exp(y) sum(grad_y) for the logarithm.
WICK_KERNEL(void, softmax_backward, const SoftmaxArgs& args, const void* grad_y, const void* y,
            void* grad_x)

/// Negative log likelihood, or, with `fused_softmax`, cross entropy of logits, over
/// x: [n, classes, inner] and target int64 [n, inner].
/// per element: w[t] * -x[t] (after log-softmax if fused), with label smoothing s (fused only):
/// (1 - s) * that + s / classes * sum_c w[c] * -x[c]; 0 where t == ignore_index.
struct NllArgs {
  DType dtype = DType::Float32;  // floating types
  bool fused_softmax = false;
  int64_t n = 0, classes = 0, inner = 1;
  int64_t ignore_index = -100;
  double label_smoothing = 0;
  enum Reduction : uint8_t { None, Mean, Sum } reduction = Mean;
  FaultOp op() const { return fused_softmax ? FaultOp::CrossEntropy : FaultOp::NllLoss; }
};

/// loss: [n, inner] for None, else one element (Mean: sum / total weight of the counted targets;
/// NaN when that is 0). total_weight: one element of x's type (float32 for half). log_sum_exp:
/// [n, inner] of the same type, written when fused. weight [classes] may be null.
/// A target outside [0, classes) that is not ignore_index is a Fault: an IndexError, which CUDA
/// throws later (cuda/fault.h); the CPU checks before it writes anything.
WICK_KERNEL(void, nll_loss, const NllArgs& args, const void* x, const int64_t* target,
            const void* weight, void* loss, void* total_weight, void* log_sum_exp)
WICK_KERNEL(void, nll_loss_backward, const NllArgs& args, const void* grad_loss, const void* x,
            const int64_t* target, const void* weight, const void* total_weight,
            const void* log_sum_exp, void* grad_x)

}  // namespace wick
