#pragma once

#include <wick/kernels/conv.h>
#include <string>

// cuDNN behind three functions. See dnn.cpp for how it is loaded and what is asked of it.
namespace wick::cuda {

/// The functions of <wick/kernels/conv.h>, without biases, on the current stream. False if cuDNN
/// cannot be used here or does not have this case; then nothing has been done, and the answer stays
/// the same. Throws OutOfMemoryError or DeviceError.
bool dnn_conv(const ConvArgs& args, const void* x, const void* weight, void* y);
bool dnn_conv_backward_input(const ConvArgs& args, const void* grad_y, const void* weight,
                             void* grad_x);
bool dnn_conv_backward_weight(const ConvArgs& args, const void* x, const void* grad_y,
                              void* grad_weight);

/// Whether cuDNN can be used; if not, `reason` says why in one line.
bool dnn_available(std::string& reason);

}  // namespace wick::cuda
