#pragma once

#include <wick/core/tensor.h>
#include <optional>

// Attention (core/ops/attention.cpp)
namespace wick {

/// softmax(q k^T scale + mask) v; q: [..., L, E], k: [..., S, E], v: [..., S, Ev] of one floating
/// type, whose leading dimensions broadcast -> [..., L, Ev]. attn_mask broadcasts to [..., L, S]:
/// bool (true: takes part) or of q's type, added. is_causal: query i sees the keys up to i; not
/// with a mask. dropout_p: the share of weights that is zeroed, always (0 in evaluation). scale: 1
/// / sqrt(E). A row that sees no key is 0, and so are its gradients. Needs memory in proportion to
/// L + S, not L S (https://arxiv.org/abs/2205.14135), unless there is dropout, the mask requires a
/// gradient, backward must be differentiable or, on a GPU, E or Ev is more than 128.
WICK_API Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                             const Tensor& attn_mask = {}, double dropout_p = 0,
                                             bool is_causal = false,
                                             std::optional<double> scale = std::nullopt);

}  // namespace wick
