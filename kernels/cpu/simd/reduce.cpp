#include <wick/kernels/cpu/simd/lanes.h>
#include <wick/kernels/cpu/simd/reduce.h>

namespace wick::cpu::WICK_ISA {
namespace {

/// Calls f(offset, count) for the runs along the last dimension that make up [begin, end).
template <class F>
WICK_SIMD void for_each_run(int ndim, const int64_t* sizes, const int64_t* strides, int64_t begin,
                            int64_t end, F f) {
  if (begin >= end) return;
  const int last = ndim - 1;
  int64_t index[kMaxRank] = {};
  int64_t offset = 0;
  if (ndim == 1) {
    offset = begin * strides[0];
  } else {
    int64_t rest = begin;
    for (int d = last; d >= 0; --d) {
      index[d] = rest % sizes[d];
      rest /= sizes[d];
      offset += index[d] * strides[d];
    }
  }
  for (int64_t left = end - begin;;) {
    int64_t count = left;
    if (ndim > 1 && sizes[last] - index[last] < left) count = sizes[last] - index[last];
    f(offset, count);
    left -= count;
    if (left == 0) return;
    offset -= index[last] * strides[last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += strides[d];
      if (++index[d] < sizes[d]) break;
      offset -= sizes[d] * strides[d];
      index[d] = 0;
    }
  }
}
template <class F>
WICK_SIMD void for_each_kept_run(const ReduceArgs& a, int64_t begin, int64_t end, F f) {
  for_each_run(a.kept_ndim, a.kept_sizes, a.kept_strides, begin, end, f);
}
template <class F>
WICK_SIMD void for_each_reduced_run(const ReduceArgs& a, int64_t begin, int64_t end, F f) {
  for_each_run(a.reduced_ndim, a.reduced_sizes, a.reduced_strides, begin, end, f);
}
int64_t inner_stride(int ndim, const int64_t* strides) { return ndim > 0 ? strides[ndim - 1] : 0; }

// --- values

struct AsIs {
  template <class V>
  WICK_SIMD V operator()(V x) const {
    return x;
  }
};
struct Truth {
  template <class V>
  WICK_SIMD V operator()(V x) const {
    return where(x == V(0), V(0), V(1));
  }
};

/// The loads of a kernel: contiguous or not, elements as they are or as 0 and 1.
template <class T, class Map, bool kGather>
struct Source {
  using V = typename Io<T>::V;
  int64_t stride;
  template <class L>
  WICK_SIMD V operator()(const T* p, L lanes) const {
    if constexpr (kGather) {
      return Map()(Io<T>::gather(p, stride, lanes));
    } else {
      return Map()(Io<T>::load(p, lanes));
    }
  }
};

/// Each output from its own runs of inputs, vectors along the runs.
template <class T, class Combine, class Map, bool kGather>
void reduce_rows(const ReduceArgs& a, const ReducePart& part, typename Io<T>::E identity,
                 typename Io<T>::E* acc) {
  using V = typename Io<T>::V;
  const Combine combine;
  const int64_t stride = kGather ? inner_stride(a.reduced_ndim, a.reduced_strides) : 1;
  const Source<T, Map, kGather> source{stride};
  const V start(identity);
  const auto run = [&](const T* p, int64_t count) WICK_INLINE_LAMBDA {
    return fold<V::kSize, 4>(count, start, [&](V& sum, int64_t i, auto lanes) WICK_INLINE_LAMBDA {
      sum = keep(lanes, combine(sum, source(p + i * stride, lanes)), sum);
    }, combine);
  };
  const T* const in = static_cast<const T*>(a.in);
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  for_each_kept_run(a, part.kept_begin, part.kept_end, [&](int64_t offset, int64_t outputs) {
    for (int64_t k = 0; k < outputs; ++k) {
      const T* const p = in + offset + k * step;
      Cascade<V, Combine> tree(combine);
      tree.push(start);
      for_each_reduced_run(a, part.reduced_begin, part.reduced_end,
                           [&](int64_t at, int64_t count) WICK_INLINE_LAMBDA {
                             tree.push(run(p + at, count));
                           });
      *acc++ = across(tree.result(), combine)[0];
    }
  });
}

/// kWidth vectors of neighbouring outputs (or `lanes` of one), stepping over the inputs.
template <int kWidth, class T, class Combine, class S, class L>
WICK_SIMD void reduce_tile(const ReduceArgs& a, const ReducePart& part, const T* p, const S& source,
                           L lanes, typename Io<T>::E identity, typename Io<T>::E* acc) {
  using V = typename Io<T>::V;
  struct Tile {
    V v[kWidth];
  };
  const auto combine = [](const Tile& x, const Tile& y) WICK_INLINE_LAMBDA {
    Tile z;
    for (int w = 0; w < kWidth; ++w) z.v[w] = Combine()(x.v[w], y.v[w]);
    return z;
  };
  Tile start;
  for (int w = 0; w < kWidth; ++w) start.v[w] = V(identity);
  const int64_t stride = inner_stride(a.reduced_ndim, a.reduced_strides);
  const int64_t across_step = V::kSize * source.stride;
  Cascade<Tile, decltype(combine)> tree(combine);
  tree.push(start);
  for_each_reduced_run(
      a, part.reduced_begin, part.reduced_end, [&](int64_t at, int64_t count) WICK_INLINE_LAMBDA {
        const T* const from = p + at;
        tree.push(fold<1, kWidth == 1 ? 4 : 1>(
            count, start,
            [&](Tile& sum, int64_t i, Full) WICK_INLINE_LAMBDA {
              for (int w = 0; w < kWidth; ++w) {
                sum.v[w] = Combine()(sum.v[w], source(from + i * stride + w * across_step, lanes));
              }
            },
            combine));
      });
  const Tile result = tree.result();
  for (int w = 0; w < kWidth; ++w) Io<typename Io<T>::E>::store(acc + w * V::kSize, result.v[w], lanes);
}

template <class T, class Combine, class Map, bool kGather>
void reduce_columns(const ReduceArgs& a, const ReducePart& part, typename Io<T>::E identity,
                    typename Io<T>::E* acc) {
  constexpr int64_t kSize = Io<T>::V::kSize, kWidth = 4;
  const Source<T, Map, kGather> source{kGather ? inner_stride(a.kept_ndim, a.kept_strides) : 1};
  const T* const in = static_cast<const T*>(a.in);
  for_each_kept_run(a, part.kept_begin, part.kept_end, [&](int64_t offset, int64_t outputs) {
    const T* const p = in + offset;
    int64_t k = 0;
    if constexpr (!kGather) {
      for (; k + kWidth * kSize <= outputs; k += kWidth * kSize) {
        reduce_tile<kWidth, T, Combine>(a, part, p + k, source, Full{}, identity, acc + k);
      }
    }
    for (; k + kSize <= outputs; k += kSize) {
      reduce_tile<1, T, Combine>(a, part, p + k * source.stride, source, Full{}, identity, acc + k);
    }
    if (k < outputs) {
      reduce_tile<1, T, Combine>(a, part, p + k * source.stride, source, outputs - k, identity,
                                 acc + k);
    }
    acc += outputs;
  });
}

template <class T, class Combine, class Map = AsIs>
void reduce_any(const ReduceArgs& a, const ReducePart& part, typename Io<T>::E identity, void* acc) {
  auto* const to = static_cast<typename Io<T>::E*>(acc);
  if (inner_stride(a.reduced_ndim, a.reduced_strides) == 1) {
    reduce_rows<T, Combine, Map, false>(a, part, identity, to);
  } else if (inner_stride(a.kept_ndim, a.kept_strides) == 1) {
    reduce_columns<T, Combine, Map, false>(a, part, identity, to);
  } else if (a.kept_ndim == 0 || (a.reduced_ndim > 0 && a.reduced_sizes[a.reduced_ndim - 1] >
                                                            a.kept_sizes[a.kept_ndim - 1])) {
    reduce_rows<T, Combine, Map, true>(a, part, identity, to);
  } else {
    reduce_columns<T, Combine, Map, true>(a, part, identity, to);
  }
}

template <class E>
constexpr E lowest() {
  if constexpr (std::is_integral_v<E>) return INT64_MIN;
  return static_cast<E>(-math::kInfinity);
}
template <class E>
constexpr E highest() {
  if constexpr (std::is_integral_v<E>) return INT64_MAX;
  return static_cast<E>(math::kInfinity);
}

template <class T>
void reduce_type(ReduceOp op, const ReduceArgs& a, const ReducePart& part, void* acc) {
  using E = typename Io<T>::E;
  switch (op) {
    case ReduceOp::Sum:
    case ReduceOp::Mean: return reduce_any<T, SumOf>(a, part, 0, acc);
    case ReduceOp::Prod: return reduce_any<T, ProductOf>(a, part, 1, acc);
    case ReduceOp::Max: return reduce_any<T, MaxOf>(a, part, lowest<E>(), acc);
    case ReduceOp::Min: return reduce_any<T, MinOf>(a, part, highest<E>(), acc);
    case ReduceOp::Any: return reduce_any<T, MaxOf, Truth>(a, part, 0, acc);
    case ReduceOp::All: return reduce_any<T, MinOf, Truth>(a, part, 1, acc);
  }
}

// --- positions

/// The best element so far of one output, in the order of the scan.
template <class E>
struct Best {
  E value;
  int64_t index;
};
template <class Combine, class E>
WICK_SIMD bool beats(E x, E best) {
  if constexpr (std::is_same_v<Combine, MaxOf>) {
    return x > best || (x != x && best == best);
  } else {
    return x < best || (x != x && best == best);
  }
}

/// A contiguous run: the extreme of a block first, then, if it is one of the output, its position.
template <class T, class Combine>
WICK_SIMD void index_in_run(const T* p, int64_t count, int64_t position,
                            Best<typename Io<T>::E>& best) {
  using V = typename Io<T>::V;
  constexpr int64_t kBlock = 1024;
  const Combine combine;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const T* const q = p + begin;
    const int64_t n = count - begin < kBlock ? count - begin : kBlock;
    const V start = Io<T>::broadcast(q);
    const V v = fold<V::kSize, 4>(n, start, [&](V& x, int64_t i, auto lanes) WICK_INLINE_LAMBDA {
      x = keep(lanes, combine(x, Io<T>::load(q + i, lanes)), x);
    }, combine);
    const auto extreme = across(v, combine)[0];
    if (best.index >= 0 && !beats<Combine>(extreme, best.value)) continue;
    int64_t i = 0;
    for (; i + 1 < n; ++i) {
      const auto x = to_lane(q[i]);
      if (x == extreme || x != x) break;  // a NaN is the extreme if there is one
    }
    best = {to_lane(q[i]), position + begin + i};
  }
}

template <class T, class Combine>
void index_rows(const ReduceArgs& a, int64_t kept_begin, int64_t kept_end, T* values,
                int64_t* indices) {
  using E = typename Io<T>::E;
  const T* const in = static_cast<const T*>(a.in);
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  const auto* out_strides = a.kept_out_strides;
  const int64_t out_step = inner_stride(a.kept_ndim, out_strides);
  int64_t k = kept_begin;
  for_each_kept_run(a, kept_begin, kept_end, [&](int64_t offset, int64_t outputs) {
    int64_t to = 0;
    for_each_run(a.kept_ndim, a.kept_sizes, out_strides, k, k + 1,
                 [&](int64_t at, int64_t) { to = at; });
    for (int64_t j = 0; j < outputs; ++j, to += out_step) {
      const T* const p = in + offset + j * step;
      Best<E> best{E(0), -1};
      int64_t position = 0;
      for_each_reduced_run(a, 0, a.reduced, [&](int64_t at, int64_t count) WICK_INLINE_LAMBDA {
        index_in_run<T, Combine>(p + at, count, position, best);
        position += count;
      });
      indices[to] = best.index;
      if (values != nullptr) Io<T>::store_one(values + to, best.value);
    }
    k += outputs;
  });
}

template <class T, class Combine>
void index_columns(const ReduceArgs& a, int64_t kept_begin, int64_t kept_end, T* values,
                   int64_t* indices) {
  using E = typename Io<T>::E;
  constexpr int64_t kTile = 64;
  const T* const in = static_cast<const T*>(a.in);
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  const int64_t out_step = inner_stride(a.kept_ndim, a.kept_out_strides);
  const int64_t stride = inner_stride(a.reduced_ndim, a.reduced_strides);
  const auto tile = [&](const T* p, int64_t width, int64_t to) {
    E best[kTile];
    int64_t index[kTile];
    for (int64_t j = 0; j < width; ++j) {
      best[j] = to_lane(p[j * step]);  // position 0 has no offset
      index[j] = 0;
    }
    int64_t position = 0;
    for_each_reduced_run(a, 0, a.reduced, [&](int64_t at, int64_t count) WICK_INLINE_LAMBDA {
      for (int64_t i = 0; i < count; ++i, ++position) {
        const T* const q = p + at + i * stride;
        for (int64_t j = 0; j < width; ++j) {
          const E x = to_lane(q[j * step]);
          const bool better = beats<Combine>(x, best[j]);
          best[j] = better ? x : best[j];
          index[j] = better ? position : index[j];
        }
      }
    });
    for (int64_t j = 0; j < width; ++j) {
      indices[to + j * out_step] = index[j];
      if (values != nullptr) Io<T>::store_one(values + to + j * out_step, best[j]);
    }
  };
  int64_t k = kept_begin;
  for_each_kept_run(a, kept_begin, kept_end, [&](int64_t offset, int64_t outputs) {
    int64_t to = 0;
    for_each_run(a.kept_ndim, a.kept_sizes, a.kept_out_strides, k, k + 1,
                 [&](int64_t at, int64_t) { to = at; });
    for (int64_t j = 0; j < outputs; j += kTile) {
      tile(in + offset + j * step, outputs - j < kTile ? outputs - j : kTile, to + j * out_step);
    }
    k += outputs;
  });
}

template <class T, class Combine>
void index_type(const ReduceArgs& a, int64_t kept_begin, int64_t kept_end, void* values,
                int64_t* indices) {
  T* const to = static_cast<T*>(values);
  if (inner_stride(a.reduced_ndim, a.reduced_strides) == 1) {
    index_rows<T, Combine>(a, kept_begin, kept_end, to, indices);
  } else {
    index_columns<T, Combine>(a, kept_begin, kept_end, to, indices);
  }
}

}  // namespace

void reduce_part(ReduceOp op, DType type, const ReduceArgs& args, const ReducePart& part,
                 void* acc) {
  switch (type) {
    case DType::Bool: return reduce_type<bool>(op, args, part, acc);
    case DType::UInt8: return reduce_type<uint8_t>(op, args, part, acc);
    case DType::Int8: return reduce_type<int8_t>(op, args, part, acc);
    case DType::Int16: return reduce_type<int16_t>(op, args, part, acc);
    case DType::Int32: return reduce_type<int32_t>(op, args, part, acc);
    case DType::Int64: return reduce_type<int64_t>(op, args, part, acc);
    case DType::Float16: return reduce_type<Half>(op, args, part, acc);
    case DType::BFloat16: return reduce_type<BFloat16>(op, args, part, acc);
    case DType::Float32: return reduce_type<float>(op, args, part, acc);
    case DType::Float64: return reduce_type<double>(op, args, part, acc);
  }
}

void reduce_index_part(ReduceOp op, DType type, const ReduceArgs& args, int64_t kept_begin,
                       int64_t kept_end, void* values, int64_t* indices) {
  const auto run = [&](auto t) {
    using T = decltype(t);
    if (op == ReduceOp::Max) {
      index_type<T, MaxOf>(args, kept_begin, kept_end, values, indices);
    } else {
      index_type<T, MinOf>(args, kept_begin, kept_end, values, indices);
    }
  };
  switch (type) {
    case DType::Bool: return run(bool{});
    case DType::UInt8: return run(uint8_t{});
    case DType::Int8: return run(int8_t{});
    case DType::Int16: return run(int16_t{});
    case DType::Int32: return run(int32_t{});
    case DType::Int64: return run(int64_t{});
    case DType::Float16: return run(Half{});
    case DType::BFloat16: return run(BFloat16{});
    case DType::Float32: return run(float{});
    case DType::Float64: return run(double{});
  }
}

}  // namespace wick::cpu::WICK_ISA
