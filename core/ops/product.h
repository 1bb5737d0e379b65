#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <string>

// Products (core/ops/matmul.cpp, product.cpp, einsum.cpp)
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

/// Matrix products of exactly these shapes: [m, k] [k, n]; [b, m, k] [b, k, n]; [m, k] [k]; [k]
/// [k].
WICK_API Tensor mm(const Tensor& a, const Tensor& b);
WICK_API Tensor bmm(const Tensor& a, const Tensor& b);
WICK_API Tensor mv(const Tensor& a, const Tensor& b);
WICK_API Tensor dot(const Tensor& a, const Tensor& b);
/// [m] and [n] -> [m, n]; ger is the same.
WICK_API Tensor outer(const Tensor& a, const Tensor& b);
WICK_API Tensor ger(const Tensor& a, const Tensor& b);
/// beta * x + alpha * (a b), where x broadcasts to the product; with beta = 0 it is not read.
WICK_API Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta = 1,
                      Scalar alpha = 1);
WICK_API Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta = 1,
                      Scalar alpha = 1);
WICK_API Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, Scalar beta = 1,
                        Scalar alpha = 1);
/// Sums of products by Einstein's convention: "bik,bkj->bij". A letter is a dimension; letters that
/// the output lacks are summed over, a letter twice in a term is its diagonal, and "..." stands for
/// dimensions that broadcast. Without "->" the output is "..." and the letters that occur once, in
/// order. Pairs are contracted from left to right, each as one matrix product.
WICK_API Tensor einsum(const std::string& equation, TensorList tensors);
/// Sums over pairs of dimensions, of which the result has none: the rest of a's, then of b's.
WICK_API Tensor tensordot(const Tensor& a, const Tensor& b, IntArrayRef dims_a, IntArrayRef dims_b);
/// The sum of a matrix's diagonal.
WICK_API Tensor trace(const Tensor& x);
/// The cross product along a dimension of size 3, by default the first such one.
WICK_API Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim = std::nullopt);
/// Distances |a_i - b_j|_p between the rows of [..., m, k] and [..., n, k]: [..., m, n]. With p = 2
/// and more than 25 rows they come from one matrix product, unless `compute_mode` is 2 (always if
/// it is 1), which cancels for rows that are close.
WICK_API Tensor cdist(const Tensor& a, const Tensor& b, double p = 2,
                      std::optional<int64_t> compute_mode = std::nullopt);
/// a b / (max(|a|, eps) max(|b|, eps)) along `dim`.
WICK_API Tensor cosine_similarity(const Tensor& a, const Tensor& b, int64_t dim = 1,
                                  double eps = 1e-8);
/// |a - b + eps|_p along the last dimension.
WICK_API Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p = 2, double eps = 1e-6,
                                  bool keepdim = false);

}  // namespace wick
