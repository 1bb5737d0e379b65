#pragma once

#include <wick/core/tensor.h>
#include <optional>

// Softmax and losses (core/ops/softmax.cpp, loss.cpp, margin_loss.cpp)
namespace wick {

WICK_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor log_softmax(const Tensor& x, int64_t dim,
                            std::optional<DType> dtype = std::nullopt);
/// softmax(-x)
WICK_API Tensor softmin(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// softmax((x + Gumbel noise) / tau); if `hard` 1 for the largest and 0 for the others, with the
/// gradient of the soft one (https://arxiv.org/abs/1611.01144).
WICK_API Tensor gumbel_softmax(const Tensor& x, double tau = 1, bool hard = false,
                               int64_t dim = -1);
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
/// The losses below compare x and target of one shape (broadcasting would compare wrong pairs),
/// unless said otherwise. (x - target)^2:
WICK_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                         Reduction reduction = Reduction::Mean);
/// |x - target|
WICK_API Tensor l1_loss(const Tensor& x, const Tensor& target,
                        Reduction reduction = Reduction::Mean);
/// d^2 / (2 beta) where d = |x - target| < beta, else d - beta / 2; beta >= 0.
WICK_API Tensor smooth_l1_loss(const Tensor& x, const Tensor& target,
                               Reduction reduction = Reduction::Mean, double beta = 1);
/// d^2 / 2 where d = |x - target| < delta, else delta (d - delta / 2); delta > 0.
WICK_API Tensor huber_loss(const Tensor& x, const Tensor& target,
                           Reduction reduction = Reduction::Mean, double delta = 1);
/// -weight (target log(x) + (1 - target) log(1 - x)) for probabilities x; logarithms are at least
/// -100. weight broadcasts to x. Of x outside [0, 1] the loss is NaN.
WICK_API Tensor binary_cross_entropy(const Tensor& x, const Tensor& target,
                                     const Tensor& weight = {},
                                     Reduction reduction = Reduction::Mean);
/// The same of sigmoid(x), without overflow; pos_weight broadcasts to x and multiplies the part of
/// target.
WICK_API Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                                 const Tensor& weight = {},
                                                 const Tensor& pos_weight = {},
                                                 Reduction reduction = Reduction::Mean);
/// target (log(target) - x) for log-probabilities x, or exp(target) (target - x) with log_target; 0
/// where target is 0. Mean divides by the number of elements.
WICK_API Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::Mean,
                       bool log_target = false);
/// exp(x) - target x, or x - target log(x + eps) without log_input; `full` adds Stirling's
/// approximation of log(target!) where target > 1.
WICK_API Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, bool log_input = true,
                                 bool full = false, double eps = 1e-8,
                                 Reduction reduction = Reduction::Mean);
/// (log(v) + (x - target)^2 / v) / 2 with v = max(var, eps), and log(2 pi) / 2 more if `full`. var:
/// x's shape, or that without or with 1 for the last dimension. The maximum has no gradient.
WICK_API Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& var,
                                  bool full = false, double eps = 1e-6,
                                  Reduction reduction = Reduction::Mean);
/// x where target is 1, max(0, margin - x) where it is -1.
WICK_API Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin = 1,
                                     Reduction reduction = Reduction::Mean);
/// max(0, -target (x1 - x2) + margin); the three broadcast.
WICK_API Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                                    double margin = 0, Reduction reduction = Reduction::Mean);
/// log(1 + exp(-target x))
WICK_API Tensor soft_margin_loss(const Tensor& x, const Tensor& target,
                                 Reduction reduction = Reduction::Mean);
/// sum_i max(0, weight[t] (margin - x[t] + x[i])^p) / C over the classes i other than t; x: [N, C]
/// or [C], target: int64 [N] or []; p: 1 or 2; weight: [C] or undefined.
WICK_API Tensor multi_margin_loss(const Tensor& x, const Tensor& target, Scalar p = 1,
                                  Scalar margin = 1, const Tensor& weight = {},
                                  Reduction reduction = Reduction::Mean);
/// The mean over the last dimension of binary_cross_entropy_with_logits; weight broadcasts.
WICK_API Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target,
                                            const Tensor& weight = {},
                                            Reduction reduction = Reduction::Mean);
/// 1 - cos(x1, x2) where target is 1, max(0, cos(x1, x2) - margin) where it is -1; x1, x2: [N, D]
/// or [D], target: [N] or [].
WICK_API Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                                      double margin = 0, Reduction reduction = Reduction::Mean);
/// max(0, |a - p| - |a - n| + margin) over the last dimension, with `swap` the smaller of |a - n|
/// and |p - n|. |d| is the p-norm of d + eps.
WICK_API Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive,
                                    const Tensor& negative, double margin = 1, double p = 2,
                                    double eps = 1e-6, bool swap = false,
                                    Reduction reduction = Reduction::Mean);

}  // namespace wick
