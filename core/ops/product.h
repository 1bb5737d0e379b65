#pragma once

#include <wick/core/tensor.h>
#include <string>

// Products (core/ops/matmul.cpp)
namespace wick {

/// Matrix product with PyTorch's rules for 1, 2 and more dimensions (batches broadcast).
WICK_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x W^T + b; x: [..., in], weight: [out, in], bias: [out] or undefined -> [..., out].
WICK_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// relu(linear(x, weight, bias)), or with activation "gelu_tanh" gelu(.., "tanh"), in one pass over
/// the result where the device's library can. x: a floating type. As torch._addmm_activation, which
/// has no gradient and whose "gelu" is this one on CUDA.
WICK_API Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                  const std::string& activation = "relu");

}  // namespace wick
