#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/norm.h>

namespace wick::cpu {

/// What the kernels read and write; unused pointers are null.
struct BatchNormIo {
  const void* x;
  const void* weight;
  const void* bias;
  const void* mean_in;   // eval and backward
  const void* scale_in;  // eval: the variance; backward: inv_std
  void* y;
  void* mean;     // train
  void* inv_std;  // train
  void* running_mean;
  void* running_var;
  double momentum;
  const void* grad_y;
  void* grad_x;
  void* grad_weight;
  void* grad_bias;
};

// Channels [begin, end). Results do not depend on the division.
WICK_ISA_KERNEL(void, batch_norm_train_part, const BatchNormArgs& args, const BatchNormIo& io,
                int64_t begin, int64_t end)
WICK_ISA_KERNEL(void, batch_norm_eval_part, const BatchNormArgs& args, const BatchNormIo& io,
                int64_t begin, int64_t end)
WICK_ISA_KERNEL(void, batch_norm_backward_part, const BatchNormArgs& args, bool train,
                const BatchNormIo& io, int64_t begin, int64_t end)

// Rows [begin, end) of layer normalisation. Backward adds to grad_weight and grad_bias.
WICK_ISA_KERNEL(void, layer_norm_part, const LayerNormArgs& args, const BatchNormIo& io,
                int64_t begin, int64_t end)
WICK_ISA_KERNEL(void, layer_norm_backward_part, const LayerNormArgs& args, const BatchNormIo& io,
                int64_t begin, int64_t end)

}  // namespace wick::cpu
