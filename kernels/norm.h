#pragma once

#include <wick/kernels/args.h>

namespace wick {

/// Batch normalisation (https://arxiv.org/abs/1502.03167) over x: [n, c, inner], contiguous.
/// weight, bias [c] may be null (1 and 0). Statistics of half types are float32, else x's type.
struct BatchNormArgs {
  DType dtype = DType::Float32;       // of x and y
  DType stats_type = DType::Float32;  // of weight, bias, means, variances
  int64_t n = 0, c = 0, inner = 1;
  double eps = 1e-5;
};

/// y from the batch's own statistics; mean and inv_std [c] receive them (inv_std = 1 / sqrt(biased
/// variance + eps)). Unless null, running_mean and running_var become (1 - momentum) * old +
/// momentum * new, with the unbiased variance. n * inner > 1.
WICK_KERNEL(void, batch_norm_train, const BatchNormArgs& args, const void* x, const void* weight,
            const void* bias, void* running_mean, void* running_var, double momentum, void* y,
            void* mean, void* inv_std)
/// y from given statistics: (x - mean) / sqrt(var + eps) * weight + bias.
WICK_KERNEL(void, batch_norm_eval, const BatchNormArgs& args, const void* x, const void* weight,
            const void* bias, const void* mean, const void* var, void* y)
/// Gradients; `train` says whether mean and inv_std depend on x. Any of the outputs may be null.
WICK_KERNEL(void, batch_norm_backward, const BatchNormArgs& args, bool train, const void* grad_y,
            const void* x, const void* weight, const void* mean, const void* inv_std, void* grad_x,
            void* grad_weight, void* grad_bias)

/// Layer normalisation (https://arxiv.org/abs/1607.06450) over the rows of x: [rows, dim],
/// contiguous; weight, bias [dim] may be null. Without `center` the mean counts as 0 (RMSNorm,
/// https://arxiv.org/abs/1910.07467), is not written and may be null. Statistics and parameters are
/// float32 for half types, else of x's type.
struct LayerNormArgs {
  DType dtype = DType::Float32;
  bool center = true;
  int64_t rows = 0, dim = 0;
  double eps = 1e-5;
};
/// y, and mean and inv_std [rows] for backward. dim > 0.
WICK_KERNEL(void, layer_norm, const LayerNormArgs& args, const void* x, const void* weight,
            const void* bias, void* y, void* mean, void* inv_std)
/// Any of the outputs may be null.
WICK_KERNEL(void, layer_norm_backward, const LayerNormArgs& args, const void* grad_y, const void* x,
            const void* weight, const void* mean, const void* inv_std, void* grad_x,
            void* grad_weight, void* grad_bias)

}  // namespace wick
