// Attention without a matrix of all weights (T. Dao, "FlashAttention-2", 2023,
// https://arxiv.org/abs/2307.08691). A block takes a tile of queries and walks the tiles of keys
// with an online softmax; backward makes the weights anew from the log-sum-exp, once for tiles of
// queries and once for tiles of keys, so that nothing is added atomically. All products are of
// tiles in shared memory, 32 columns at a time; each thread holds a square of the scores and its
// share of the results in registers, in float32 for half types. Bytes moved: q and y once, k and v
// once for each tile of queries; backward: twice that and the gradients.
#include <wick/kernels/attention.h>
#include <wick/kernels/cuda/device_utils.h>

namespace wick::cuda {
namespace {

constexpr int kSide = 16;   // threads along each side of a tile
constexpr int kChunk = 32;  // columns in shared memory
constexpr int kChunks = kMaxAttentionDepth / kChunk;
static_assert(kSide * kSide == kThreads);

/// Queries and keys of a tile: what 48 KiB of shared memory hold.
template <class C>
inline constexpr int kTile = sizeof(C) == 8 ? 32 : 64;
/// Rows and columns of a tile's scores that a thread has: its own number, and every 16th after it.
template <class C>
inline constexpr int kOwn = kTile<C> / kSide;

template <class C>
struct Shared {
  C a[kTile<C>][kChunk + 1], b[kTile<C>][kChunk + 1];
  C weights[kTile<C>][kTile<C> + 1];
};

/// A thread's part of the scores, and of rows of up to kMaxAttentionDepth results.
template <class C>
struct Scores {
  C v[kOwn<C>][kOwn<C>];
};
template <class C>
struct Results {
  C v[kOwn<C>][2 * kChunks];
};

/// A tile of the rows of a matrix; rows past the end count as 0.
template <class T>
struct Tile {
  const T* rows;
  int64_t count, width;
};
template <class T>
__device__ inline Tile<T> tile_of(const T* matrix, int64_t b, int64_t rows, int64_t first,
                                  int64_t width) {
  return {matrix + (b * rows + first) * width, rows - first, width};
}

template <class T, class C>
__device__ inline void load_chunk(C (*to)[kChunk + 1], const Tile<T>& from, int64_t column) {
  for (int i = threadIdx.x; i < kTile<C> * kChunk; i += kThreads) {
    const int r = i / kChunk;
    const int64_t c = column + i % kChunk;
    to[r][i % kChunk] = r < from.count && c < from.width ? up(from.rows[r * from.width + c]) : C(0);
  }
}

/// The products of the rows of a with those of b.
template <class T, class C>
__device__ inline Scores<C> products(Shared<C>& s, const Tile<T>& a, const Tile<T>& b) {
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
  Scores<C> sums{};
  for (int64_t column = 0; column < a.width; column += kChunk) {
    __syncthreads();  // what is there may still be being read
    load_chunk(s.a, a, column);
    load_chunk(s.b, b, column);
    __syncthreads();
    for (int e = 0; e < kChunk; ++e) {
      C from_b[kOwn<C>];
#pragma unroll
      for (int j = 0; j < kOwn<C>; ++j) from_b[j] = s.b[x + kSide * j][e];
#pragma unroll
      for (int i = 0; i < kOwn<C>; ++i) {
        const C from_a = s.a[y + kSide * i][e];
#pragma unroll
        for (int j = 0; j < kOwn<C>; ++j) sums.v[i][j] += from_a * from_b[j];
      }
    }
  }
  return sums;
}

/// Adds the tile's rows, by the weights in shared memory. The caller may change those again after
/// the next barrier.
template <class T, class C>
__device__ inline void add_weighted(Shared<C>& s, const Tile<T>& rows, Results<C>& sums) {
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    if (chunk * kChunk >= rows.width) break;
    __syncthreads();
    load_chunk(s.b, rows, chunk * kChunk);
    __syncthreads();
    for (int j = 0; j < kTile<C>; ++j) {
      const C low = s.b[j][x];
      const C high = s.b[j][x + kSide];
#pragma unroll
      for (int i = 0; i < kOwn<C>; ++i) {
        const C weight = s.weights[y + kSide * i][j];
        sums.v[i][2 * chunk] += weight * low;
        sums.v[i][2 * chunk + 1] += weight * high;
      }
    }
  }
}

template <class T, class C>
__device__ inline void store_rows(T* to, int64_t count, int64_t width, const Results<C>& sums,
                                  const C* factors) {
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
#pragma unroll
  for (int i = 0; i < kOwn<C>; ++i) {
#pragma unroll
    for (int c = 0; c < 2 * kChunks; ++c) {
      const int column = x + kSide * c;
      if (y + kSide * i < count && column < width)
        to[(y + kSide * i) * width + column] = down<T>(sums.v[i][c] * factors[i]);
    }
  }
}

/// A score as softmax sees it: -inf where the query does not see the key, or one is past the end.
template <class T, class C>
__device__ inline C masked(const AttentionArgs& a, int64_t b, int64_t query, int64_t key, C score) {
  if (query >= a.queries || key >= a.keys || (a.causal && key > query)) return -INFINITY;
  score *= static_cast<C>(a.scale);
  if (!a.mask) return score;
  const int64_t at = b / a.inner_batch * a.mask_strides[0] + b % a.inner_batch * a.mask_strides[1] +
                     query * a.mask_strides[2] + key * a.mask_strides[3];
  if (a.mask_is_bool) return static_cast<const bool*>(a.mask)[at] ? score : C(-INFINITY);
  return score + up(static_cast<const T*>(a.mask)[at]);
}

/// exp(score - log_sum_exp), 0 for what is not seen.
template <class C>
__device__ inline C weight_of(C score, C log_sum_exp) {
  return score == C(-INFINITY) ? C(0) : ::exp(score - log_sum_exp);
}

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    attention_kernel(GPU_GRID_CONSTANT(AttentionArgs) a, int64_t tiles, const T* q, const T* k,
                     const T* v, T* out, Compute<T>* log_sum_exp) {
  using C = Compute<T>;
  constexpr int kN = kOwn<C>;
  GPU_SHARED(Shared<C>, shared, [1]);
  Shared<C>& s = shared[0];
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
  for (int64_t item = blockIdx.x; item < a.batch * tiles; item += gridDim.x) {
    const int64_t b = item / tiles;
    const int64_t first = item % tiles * kTile<C>;
    Results<C> sums{};
    C top[kN];
    C total[kN];
    for (int i = 0; i < kN; ++i) top[i] = -INFINITY, total[i] = 0;
    const int64_t end = a.causal && first + kTile<C> < a.keys ? first + kTile<C> : a.keys;
    for (int64_t key = 0; key < end; key += kTile<C>) {
      const Scores<C> scores = products(s, tile_of(q, b, a.queries, first, a.depth),
                                        tile_of(k, b, a.keys, key, a.depth));
#pragma unroll
      for (int i = 0; i < kN; ++i) {
        C values[kN];
        C most = top[i];
#pragma unroll
        for (int j = 0; j < kN; ++j) {
          values[j] = masked<T>(a, b, first + y + kSide * i, key + x + kSide * j, scores.v[i][j]);
          most = max_nan(most, values[j]);
        }
        // The 16 threads of a row are neighbours in a warp.
        for (int o = kSide / 2; o > 0; o /= 2)
          most = max_nan(most, __shfl_xor_sync(kFullMask, most, o));
        const C shift = most == C(-INFINITY) ? C(0) : most;
        const C scale = ::exp(top[i] - shift);
        C part = 0;
#pragma unroll
        for (int j = 0; j < kN; ++j) {
          const C weight = ::exp(values[j] - shift);
          s.weights[y + kSide * i][x + kSide * j] = weight;
          part += weight;
        }
        for (int o = kSide / 2; o > 0; o /= 2) part += __shfl_xor_sync(kFullMask, part, o);
        total[i] = total[i] * scale + part;
        top[i] = most;
#pragma unroll
        for (int c = 0; c < 2 * kChunks; ++c) sums.v[i][c] *= scale;
      }
      add_weighted(s, tile_of(v, b, a.keys, key, a.width), sums);
    }
    for (int i = 0; i < kN; ++i) {
      const int64_t query = first + y + kSide * i;
      if (x == 0 && query < a.queries)
        log_sum_exp[b * a.queries + query] = top[i] + ::log(total[i]);
      total[i] = total[i] == C(0) ? C(0) : C(1) / total[i];
    }
    store_rows(out + (b * a.queries + first) * a.width, a.queries - first, a.width, sums, total);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    attention_grad_queries_kernel(GPU_GRID_CONSTANT(AttentionArgs) a, int64_t tiles,
                                  const T* grad_y, const T* q, const T* k, const T* v,
                                  const Compute<T>* log_sum_exp, const Compute<T>* delta,
                                  T* grad_q) {
  using C = Compute<T>;
  constexpr int kN = kOwn<C>;
  GPU_SHARED(Shared<C>, shared, [1]);
  Shared<C>& s = shared[0];
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
  for (int64_t item = blockIdx.x; item < a.batch * tiles; item += gridDim.x) {
    const int64_t b = item / tiles;
    const int64_t first = item % tiles * kTile<C>;
    Results<C> sums{};
    C log_sum[kN];
    C shift[kN];
    C factors[kN];
    for (int i = 0; i < kN; ++i) {
      const int64_t query = first + y + kSide * i;
      log_sum[i] = query < a.queries ? log_sum_exp[b * a.queries + query] : C(0);
      shift[i] = query < a.queries ? delta[b * a.queries + query] : C(0);
      factors[i] = static_cast<C>(a.scale);
    }
    const int64_t end = a.causal && first + kTile<C> < a.keys ? first + kTile<C> : a.keys;
    for (int64_t key = 0; key < end; key += kTile<C>) {
      const Tile<T> keys = tile_of(k, b, a.keys, key, a.depth);
      const Scores<C> scores = products(s, tile_of(q, b, a.queries, first, a.depth), keys);
      const Scores<C> grads = products(s, tile_of(grad_y, b, a.queries, first, a.width),
                                       tile_of(v, b, a.keys, key, a.width));
#pragma unroll
      for (int i = 0; i < kN; ++i) {
#pragma unroll
        for (int j = 0; j < kN; ++j) {
          const C score =
              masked<T>(a, b, first + y + kSide * i, key + x + kSide * j, scores.v[i][j]);
          s.weights[y + kSide * i][x + kSide * j] =
              weight_of(score, log_sum[i]) * (grads.v[i][j] - shift[i]);
        }
      }
      add_weighted(s, keys, sums);
    }
    store_rows(grad_q + (b * a.queries + first) * a.depth, a.queries - first, a.depth, sums,
               factors);
  }
}

/// Here the tile's rows are keys, its columns queries.
template <class T>
__global__ void __launch_bounds__(kThreads, kMinBlocks<T>)
    attention_grad_keys_kernel(GPU_GRID_CONSTANT(AttentionArgs) a, int64_t tiles, const T* grad_y,
                               const T* q, const T* k, const T* v, const Compute<T>* log_sum_exp,
                               const Compute<T>* delta, T* grad_k, T* grad_v) {
  using C = Compute<T>;
  constexpr int kN = kOwn<C>;
  GPU_SHARED(Shared<C>, shared, [1]);
  Shared<C>& s = shared[0];
  const int x = threadIdx.x % kSide;
  const int y = threadIdx.x / kSide;
  for (int64_t item = blockIdx.x; item < a.batch * tiles; item += gridDim.x) {
    const int64_t b = item / tiles;
    const int64_t first = item % tiles * kTile<C>;
    Results<C> keys{};
    Results<C> values{};
    for (int64_t query = a.causal ? first : 0; query < a.queries; query += kTile<C>) {
      const Tile<T> queries = tile_of(q, b, a.queries, query, a.depth);
      const Tile<T> grad_rows = tile_of(grad_y, b, a.queries, query, a.width);
      Scores<C> weights = products(s, tile_of(k, b, a.keys, first, a.depth), queries);
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        const int64_t column = query + x + kSide * j;
        const C log_sum = column < a.queries ? log_sum_exp[b * a.queries + column] : C(0);
#pragma unroll
        for (int i = 0; i < kN; ++i) {
          weights.v[i][j] =
              weight_of(masked<T>(a, b, column, first + y + kSide * i, weights.v[i][j]), log_sum);
          s.weights[y + kSide * i][x + kSide * j] = weights.v[i][j];
        }
      }
      add_weighted(s, grad_rows, values);
      const Scores<C> grads = products(s, tile_of(v, b, a.keys, first, a.width), grad_rows);
#pragma unroll
      for (int j = 0; j < kN; ++j) {
        const int64_t column = query + x + kSide * j;
        const C shift = column < a.queries ? delta[b * a.queries + column] : C(0);
#pragma unroll
        for (int i = 0; i < kN; ++i)
          s.weights[y + kSide * i][x + kSide * j] = weights.v[i][j] * (grads.v[i][j] - shift);
      }
      add_weighted(s, queries, keys);
    }
    C factors[kN];
    for (int i = 0; i < kN; ++i) factors[i] = static_cast<C>(a.scale);
    store_rows(grad_k + (b * a.keys + first) * a.depth, a.keys - first, a.depth, keys, factors);
    for (int i = 0; i < kN; ++i) factors[i] = 1;
    store_rows(grad_v + (b * a.keys + first) * a.width, a.keys - first, a.width, values, factors);
  }
}

template <class C>
int64_t tiles_of(int64_t rows) {
  return (rows + kTile<C> - 1) / kTile<C>;
}

}  // namespace

void fused_attention(const AttentionArgs& args, const void* q, const void* k, const void* v,
                     void* y, void* log_sum_exp) {
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    const int64_t tiles = tiles_of<Compute<T>>(args.queries);
    gpu::launch(attention_kernel<T>, grid_for(args.batch * tiles, 1), kThreads, 0, gpu::stream(),
                args, tiles, static_cast<const T*>(q), static_cast<const T*>(k),
                static_cast<const T*>(v), static_cast<T*>(y),
                static_cast<Compute<T>*>(log_sum_exp));
  });
}

void fused_attention_backward(const AttentionArgs& args, const void* grad_y, const void* q,
                              const void* k, const void* v, const void* log_sum_exp,
                              const void* delta, void* grad_q, void* grad_k, void* grad_v) {
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    using C = Compute<T>;
    const int64_t queries = tiles_of<C>(args.queries);
    const int64_t keys = tiles_of<C>(args.keys);
    gpu::launch(attention_grad_queries_kernel<T>, grid_for(args.batch * queries, 1), kThreads, 0,
                gpu::stream(), args, queries, static_cast<const T*>(grad_y),
                static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
                static_cast<const C*>(log_sum_exp), static_cast<const C*>(delta),
                static_cast<T*>(grad_q));
    gpu::launch(attention_grad_keys_kernel<T>, grid_for(args.batch * keys, 1), kThreads, 0,
                gpu::stream(), args, keys, static_cast<const T*>(grad_y), static_cast<const T*>(q),
                static_cast<const T*>(k), static_cast<const T*>(v),
                static_cast<const C*>(log_sum_exp), static_cast<const C*>(delta),
                static_cast<T*>(grad_k), static_cast<T*>(grad_v));
  });
}

}  // namespace wick::cuda
