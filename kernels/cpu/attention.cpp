#include <wick/kernels/attention.h>

#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/scratch.h>
#include <wick/kernels/cpu/simd/attention.h>
#include <wick/kernels/matmul.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace wick::cpu {
namespace {

// A tile of scores and what it is made of stay in the second-level cache.
constexpr int64_t kQueries = 64, kKeys = 256;

/// c [m, n] = op(a) op(b), or added to c.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, bool trans_a, int64_t lda, const T* b,
              bool trans_b, int64_t ldb, T* c, int64_t ldc, bool accumulate) {
  MatmulArgs args;
  args.dtype = dtype_of<T>;
  args.m = m, args.n = n, args.k = k;
  args.a = a, args.b = b, args.c = c;
  args.lda = lda, args.ldb = ldb, args.ldc = ldc;
  args.trans_a = trans_a, args.trans_b = trans_b;
  args.accumulate = accumulate;
  matmul(args);
}

/// Queries [query, query + rows) and keys [key, key + cols) of one of the batch.
struct Place {
  int64_t b, query, key, rows, cols;
};

/// The scores of a tile, scaled and masked, in rows kKeys apart.
template <class T>
void find_scores(const AttentionArgs& a, const Place& p, const T* q, const T* k, T* scores) {
  multiply(p.rows, p.cols, a.depth, q + (p.b * a.queries + p.query) * a.depth, false, a.depth,
           k + (p.b * a.keys + p.key) * a.depth, true, a.depth, scores, kKeys, false);
  const T scale = static_cast<T>(a.scale);
  constexpr T kLeast = -std::numeric_limits<T>::infinity();
  const int64_t first = p.b / a.inner_batch * a.mask_strides[0] +
                        p.b % a.inner_batch * a.mask_strides[1] + p.key * a.mask_strides[3];
  for (int64_t i = 0; i < p.rows; ++i) {
    T* const row = scores + i * kKeys;
    for (int64_t j = 0; j < p.cols; ++j) row[j] *= scale;
    const int64_t at = first + (p.query + i) * a.mask_strides[2], step = a.mask_strides[3];
    for (int64_t j = 0; a.mask != nullptr && j < p.cols; ++j) {
      if (!a.mask_is_bool) {
        row[j] += static_cast<const T*>(a.mask)[at + j * step];
      } else if (!static_cast<const bool*>(a.mask)[at + j * step]) {
        row[j] = kLeast;
      }
    }
    if (a.causal)
      std::fill(row + std::clamp<int64_t>(p.query + i - p.key + 1, 0, p.cols), row + p.cols,
                kLeast);
  }
}

/// Calls body(b, query, rows) for each tile of queries, or for the whole of each of the batch. With
/// fewer tasks than threads the products inside use the threads.
template <class Body>
void for_tasks(int64_t tasks, const Body& body) {
  parallel_for(tasks, tasks >= num_threads() ? 1 : tasks, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) body(task);
  });
}

template <class T>
void forward(const AttentionArgs& a, const T* q, const T* k, const T* v, T* y, T* log_sum_exp) {
  const int64_t tiles = (a.queries + kQueries - 1) / kQueries;
  for_tasks(a.batch * tiles, [&](int64_t task) {
    Place p{task / tiles, task % tiles * kQueries, 0, 0, 0};
    p.rows = std::min(kQueries, a.queries - p.query);
    T max[kQueries], sum[kQueries] = {};
    std::fill_n(max, kQueries, -std::numeric_limits<T>::infinity());
    T* const out = y + (p.b * a.queries + p.query) * a.width;
    std::fill_n(out, p.rows * a.width, T(0));
    const Scratch scratch(sizeof(T) * kQueries * kKeys);
    T* const scores = scratch.as<T>();
    for (; p.key < (a.causal ? std::min(a.keys, p.query + p.rows) : a.keys); p.key += kKeys) {
      p.cols = std::min(kKeys, a.keys - p.key);
      find_scores(a, p, q, k, scores);
      WICK_ISA_CALL(attention_step_part, a.dtype, p.rows, p.cols, scores, kKeys, max, sum, out,
                    a.width);
      multiply(p.rows, a.width, p.cols, scores, false, kKeys, v + (p.b * a.keys + p.key) * a.width,
               false, a.width, out, a.width, true);
    }
    for (int64_t i = 0; i < p.rows; ++i) {
      const T scale = sum[i] == 0 ? T(0) : 1 / sum[i];
      for (int64_t c = 0; c < a.width; ++c) out[i * a.width + c] *= scale;
      log_sum_exp[p.b * a.queries + p.query + i] = max[i] + std::log(sum[i]);
    }
  });
}

template <class T>
void backward(const AttentionArgs& a, const T* grad_y, const T* q, const T* k, const T* v,
              const T* log_sum_exp, const T* delta, T* grad_q, T* grad_k, T* grad_v) {
  for_tasks(a.batch, [&](int64_t b) {
    std::fill_n(grad_q + b * a.queries * a.depth, a.queries * a.depth, T(0));
    std::fill_n(grad_k + b * a.keys * a.depth, a.keys * a.depth, T(0));
    std::fill_n(grad_v + b * a.keys * a.width, a.keys * a.width, T(0));
    const Scratch scratch(sizeof(T) * kQueries * kKeys * 2);
    T *const weights = scratch.as<T>(), *const grads = weights + kQueries * kKeys;
    for (int64_t key = 0; key < a.keys; key += kKeys) {
      const int64_t start = a.causal ? key / kQueries * kQueries : 0;
      for (int64_t query = start; query < a.queries; query += kQueries) {
        const Place p{b, query, key, std::min(kQueries, a.queries - query),
                      std::min(kKeys, a.keys - key)};
        const int64_t row = b * a.queries + query, col = b * a.keys + key;
        const T* const g = grad_y + row * a.width;
        find_scores(a, p, q, k, weights);
        WICK_ISA_CALL(attention_weights_part, a.dtype, p.rows, p.cols, weights, kKeys,
                      log_sum_exp + row);
        multiply(p.cols, a.width, p.rows, weights, true, kKeys, g, false, a.width,
                 grad_v + col * a.width, a.width, true);
        multiply(p.rows, p.cols, a.width, g, false, a.width, v + col * a.width, true, a.width,
                 grads, kKeys, false);
        for (int64_t i = 0; i < p.rows; ++i) {
          const T shift = delta[row + i], scale = static_cast<T>(a.scale);
          for (int64_t j = i * kKeys; j < i * kKeys + p.cols; ++j)
            grads[j] = weights[j] * (grads[j] - shift) * scale;
        }
        multiply(p.rows, a.depth, p.cols, grads, false, kKeys, k + col * a.depth, false, a.depth,
                 grad_q + row * a.depth, a.depth, true);
        multiply(p.cols, a.depth, p.rows, grads, true, kKeys, q + row * a.depth, false, a.depth,
                 grad_k + col * a.depth, a.depth, true);
      }
    }
  });
}

/// Calls f with a value of the C++ type.
template <class F>
void with_type(DType dtype, const F& f) {
  WICK_CHECK(DTypeError, dtype == DType::Float32 || dtype == DType::Float64,
             "attention: expected float32 or float64, got ", dtype);
  dtype == DType::Float64 ? f(double{}) : f(float{});
}

}  // namespace

void fused_attention(const AttentionArgs& args, const void* q, const void* k, const void* v,
                     void* y, void* log_sum_exp) {
  with_type(args.dtype, [&](auto t) {
    using T = decltype(t);
    forward(args, static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
            static_cast<T*>(y), static_cast<T*>(log_sum_exp));
  });
}

void fused_attention_backward(const AttentionArgs& args, const void* grad_y, const void* q,
                              const void* k, const void* v, const void* log_sum_exp,
                              const void* delta, void* grad_q, void* grad_k, void* grad_v) {
  with_type(args.dtype, [&](auto t) {
    using T = decltype(t);
    backward(args, static_cast<const T*>(grad_y), static_cast<const T*>(q),
             static_cast<const T*>(k), static_cast<const T*>(v), static_cast<const T*>(log_sum_exp),
             static_cast<const T*>(delta), static_cast<T*>(grad_q), static_cast<T*>(grad_k),
             static_cast<T*>(grad_v));
  });
}

}  // namespace wick::cpu
