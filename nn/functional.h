#pragma once

#include <wick/core/ops.h>

// The functions behind the layers, under LibTorch's name for them: F::relu(x), F::cross_entropy(x,
// t).
namespace wick::nn::functional {

using wick::avg_pool2d;
using wick::batch_norm;
using wick::conv2d;
using wick::cross_entropy;
using wick::dropout;
using wick::embedding;
using wick::gelu;
using wick::linear;
using wick::linear_activation;
using wick::log_softmax;
using wick::max_pool2d;
using wick::max_pool2d_with_indices;
using wick::mse_loss;
using wick::nll_loss;
using wick::relu;
using wick::sigmoid;
using wick::softmax;
using wick::tanh;

}  // namespace wick::nn::functional
