#pragma once

#include <wick/core/tensor.h>
#include <optional>

// Softmax and losses (core/ops/softmax.cpp, core/ops/loss.cpp)
namespace wick {

WICK_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor log_softmax(const Tensor& x, int64_t dim,
                            std::optional<DType> dtype = std::nullopt);
enum class Reduction : uint8_t { None, Mean, Sum };
/// x: log-probabilities [N, C], [C] or [N, C, d1, ...]; target: int64 class numbers [N], [] or
/// [N, d1, ...]; weight: [C] or undefined. Mean divides by the total weight of the counted targets.
/// A target outside [0, C) other than ignore_index is an IndexError, which comes later on a GPU
/// (cuda::synchronize).
WICK_API Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                         Reduction reduction = Reduction::Mean, int64_t ignore_index = -100);
/// nll_loss of log_softmax(x, 1) in one pass; x: logits. Target may also be probabilities of x's
/// shape and a floating type.
WICK_API Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                              Reduction reduction = Reduction::Mean, int64_t ignore_index = -100,
                              double label_smoothing = 0);
/// (x - target)^2, reduced. Both have one shape: broadcasting would compare wrong pairs.
WICK_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                         Reduction reduction = Reduction::Mean);

}  // namespace wick
