#pragma once

#include <wick/kernels/conv.h>
#include <wick/kernels/cpu/gemm.h>

// The adapter to oneDNN. Every function is for float32 and returns false, with nothing written,
// where oneDNN is not part of the build or has no fast code for the case.
namespace wick::cpu::dnn {

bool gemm(const Gemm<float>& g);

// As wick::cpu::conv and its gradients; no dimension is 0.
bool conv(const ConvArgs& args, const float* x, const float* weight, const float* bias, float* y);
bool conv_backward_input(const ConvArgs& args, const float* grad_y, const float* weight,
                         float* grad_x);
bool conv_backward_weight(const ConvArgs& args, const float* x, const float* grad_y,
                          float* grad_weight, float* grad_bias);

}  // namespace wick::cpu::dnn
