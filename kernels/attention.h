#pragma once

#include <wick/kernels/args.h>

namespace wick {

/// softmax(q k^T scale + mask) v for each of a batch, without a matrix of all weights
/// (https://arxiv.org/abs/2205.14135, https://arxiv.org/abs/2307.08691). q: [batch, queries,
/// depth], k: [batch, keys, depth], v: [batch, keys, width], contiguous; no size is 0.
struct AttentionArgs {
  DType dtype = DType::Float32;  // floating types; on the CPU float32 and float64
  int64_t batch = 0, queries = 0, keys = 0, depth = 0, width = 0;
  double scale = 1;
  bool causal = false;  // query i sees keys 0 to i
  /// Null, or bool (true: seen) or numbers of `dtype` that are added. Element (b, query, key) is at
  /// b / inner_batch * strides[0] + b % inner_batch * strides[1] + query * [2] + key * [3].
  const void* mask = nullptr;
  bool mask_is_bool = false;
  int64_t inner_batch = 1;
  int64_t mask_strides[4] = {};
};

/// The most that depth and width may be on a GPU, where sums are kept in registers.
inline constexpr int64_t kMaxAttentionDepth = 128;

/// y [batch, queries, width] and log_sum_exp [batch, queries] (float32 for half types, else of
/// `dtype`) of the scaled and masked scores: -inf, and y = 0, for a query that sees no key.
WICK_KERNEL(void, fused_attention, const AttentionArgs& args, const void* q, const void* k,
            const void* v, void* y, void* log_sum_exp)
/// All three gradients. delta: [batch, queries], the sums of grad_y times y, of log_sum_exp's type.
WICK_KERNEL(void, fused_attention_backward, const AttentionArgs& args, const void* grad_y,
            const void* q, const void* k, const void* v, const void* log_sum_exp, const void* delta,
            void* grad_q, void* grad_k, void* grad_v)

}  // namespace wick
