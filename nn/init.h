#pragma once

#include <wick/core/tensor.h>
#include <utility>

// Initial values, written in place without recording. Fan-in and fan-out are those of a weight
// [out, in, kernel...].
namespace wick::nn::init {

enum class FanMode : uint8_t { FanIn, FanOut };
enum class Nonlinearity : uint8_t { Linear, Sigmoid, Tanh, ReLU, LeakyReLU };

/// The factor by which a nonlinearity asks for wider weights; `param` is LeakyReLU's slope.
WICK_API double calculate_gain(Nonlinearity nonlinearity, double param = 0.01);
/// Throws ShapeError below 2 dimensions.
WICK_API std::pair<int64_t, int64_t> calculate_fan_in_and_fan_out(const Tensor& tensor);

WICK_API Tensor constant_(Tensor tensor, Scalar value);
WICK_API Tensor zeros_(Tensor tensor);
WICK_API Tensor ones_(Tensor tensor);
WICK_API Tensor uniform_(Tensor tensor, double low = 0, double high = 1);
WICK_API Tensor normal_(Tensor tensor, double mean = 0, double std = 1);
/// Glorot and Bengio 2010 (https://proceedings.mlr.press/v9/glorot10a.html).
WICK_API Tensor xavier_uniform_(Tensor tensor, double gain = 1);
WICK_API Tensor xavier_normal_(Tensor tensor, double gain = 1);
/// He et al. 2015 (https://arxiv.org/abs/1502.01852); `a` is LeakyReLU's slope.
WICK_API Tensor kaiming_uniform_(Tensor tensor, double a = 0, FanMode mode = FanMode::FanIn,
                                 Nonlinearity nonlinearity = Nonlinearity::LeakyReLU);
WICK_API Tensor kaiming_normal_(Tensor tensor, double a = 0, FanMode mode = FanMode::FanIn,
                                Nonlinearity nonlinearity = Nonlinearity::LeakyReLU);

}  // namespace wick::nn::init
