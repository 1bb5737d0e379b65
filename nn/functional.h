#pragma once

#include <wick/core/ops.h>

// The functions behind the layers, under LibTorch's name for them: F::relu(x), F::cross_entropy(x,
// t).
namespace wick::nn::functional {

using wick::adaptive_avg_pool1d;
using wick::adaptive_avg_pool2d;
using wick::adaptive_avg_pool3d;
using wick::adaptive_max_pool1d;
using wick::adaptive_max_pool2d;
using wick::adaptive_max_pool3d;
using wick::alpha_dropout;
using wick::avg_pool1d;
using wick::avg_pool2d;
using wick::avg_pool3d;
using wick::batch_norm;
using wick::binary_cross_entropy;
using wick::binary_cross_entropy_with_logits;
using wick::col2im;
using wick::conv1d;
using wick::conv2d;
using wick::conv3d;
using wick::conv_transpose1d;
using wick::conv_transpose2d;
using wick::conv_transpose3d;
using wick::cosine_embedding_loss;
using wick::cross_entropy;
using wick::dropout;
using wick::embedding;
using wick::feature_alpha_dropout;
using wick::feature_dropout;
using wick::gaussian_nll_loss;
using wick::gelu;
using wick::group_norm;
using wick::gumbel_softmax;
using wick::hinge_embedding_loss;
using wick::huber_loss;
using wick::im2col;
using wick::instance_norm;
using wick::interpolate;
using wick::kl_div;
using wick::l1_loss;
using wick::layer_norm;
using wick::linear;
using wick::linear_activation;
using wick::log_softmax;
using wick::margin_ranking_loss;
using wick::max_pool1d;
using wick::max_pool1d_with_indices;
using wick::max_pool2d;
using wick::max_pool2d_with_indices;
using wick::max_pool3d;
using wick::max_pool3d_with_indices;
using wick::mse_loss;
using wick::multi_margin_loss;
using wick::multilabel_soft_margin_loss;
using wick::nll_loss;
using wick::normalize;
using wick::pad;
using wick::pixel_shuffle;
using wick::pixel_unshuffle;
using wick::poisson_nll_loss;
using wick::relu;
using wick::rms_norm;
using wick::scaled_dot_product_attention;
using wick::sigmoid;
using wick::smooth_l1_loss;
using wick::soft_margin_loss;
using wick::softmax;
using wick::softmin;
using wick::tanh;
using wick::triplet_margin_loss;

}  // namespace wick::nn::functional
