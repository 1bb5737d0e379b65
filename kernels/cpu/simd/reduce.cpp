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

// --- elements of any type as numbers to accumulate

enum class ReadAs : uint8_t { Number, Truth, Square };

/// Brings elements to contiguous accumulators' type, or leaves them where they are.
template <class E>
struct Reader {
  const char* in;
  int64_t bytes;
  bool direct;  // memory holds E, taken as it is
  void (*convert)(const void* from, int64_t stride, int64_t n, E* to);

  WICK_SIMD const E* operator()(int64_t offset, int64_t stride, int64_t n, E* buffer) const {
    const char* const from = in + offset * bytes;
    if (direct && stride == 1) return reinterpret_cast<const E*>(from);
    convert(from, stride, n, buffer);
    return buffer;
  }
};

template <class T, class E, ReadAs kAs>
void convert(const void* from, int64_t stride, int64_t n, E* to) {
  const T* const p = static_cast<const T*>(from);
  const auto value = [](T x) WICK_INLINE_LAMBDA {
    const E e = to_lane(x);
    if constexpr (kAs == ReadAs::Truth) return static_cast<E>(e != E(0));
    if constexpr (kAs == ReadAs::Square && !std::is_integral_v<E>) return e * e;
    return e;
  };
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = value(p[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = value(p[i * stride]);
  }
}

template <class T, class E>
WICK_SIMD Reader<E> reader_of(const ReduceArgs& a, ReadAs as) {
  return {static_cast<const char*>(a.in), static_cast<int64_t>(sizeof(T)),
          std::is_same_v<T, E> && as == ReadAs::Number,
          as == ReadAs::Number  ? convert<T, E, ReadAs::Number>
          : as == ReadAs::Truth ? convert<T, E, ReadAs::Truth>
                                : convert<T, E, ReadAs::Square>};
}

/// Calls f(reader) with a reader of `type` for its accumulator's type.
template <class F>
WICK_SIMD void with_reader(DType type, const ReduceArgs& a, ReadAs as, F f) {
  if (type == DType::Float64) return f(reader_of<double, double>(a, as));
  if (type == DType::Float32) return f(reader_of<float, float>(a, as));
  if (is_reduced_float(type)) {
    return f(type == DType::Float16 ? reader_of<Half, float>(a, as)
                                    : reader_of<BFloat16, float>(a, as));
  }
  f(type == DType::Bool    ? reader_of<bool, int64_t>(a, as)
    : type == DType::UInt8 ? reader_of<uint8_t, int64_t>(a, as)
    : type == DType::Int8  ? reader_of<int8_t, int64_t>(a, as)
    : type == DType::Int16 ? reader_of<int16_t, int64_t>(a, as)
    : type == DType::Int32 ? reader_of<int32_t, int64_t>(a, as)
                           : reader_of<int64_t, int64_t>(a, as));
}

// --- values

/// Whole vectors of E in four chains, 32 of each.
template <class E>
inline constexpr int64_t kBlock = int64_t{Vec<E>::kSize} * 4 * 32;

/// At most kBlock contiguous elements, in the lanes of one vector.
template <class E, class Combine>
WICK_SIMD Vec<E> fold_block(const E* p, int64_t n, Vec<E> identity, Combine combine) {
  using V = Vec<E>;
  V acc[4] = {identity, identity, identity, identity};
  sweep<V::kSize, 4>(n, [&](int64_t i, auto lanes, int slot) WICK_INLINE_LAMBDA {
    acc[slot] = keep(lanes, combine(acc[slot], load(p + i, lanes)), acc[slot]);
  });
  return combine(combine(acc[0], acc[1]), combine(acc[2], acc[3]));
}

/// Each output from its own runs of inputs, vectors along the runs.
template <class E, class Combine>
void reduce_rows(const ReduceArgs& a, const ReducePart& part, const Reader<E>& read, E identity,
                 E* acc) {
  using V = Vec<E>;
  const Combine combine;
  const int64_t stride = inner_stride(a.reduced_ndim, a.reduced_strides);
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  E buffer[kBlock<E>];
  for_each_kept_run(a, part.kept_begin, part.kept_end, [&](int64_t offset, int64_t outputs) {
    for (int64_t k = 0; k < outputs; ++k) {
      Cascade<V, Combine> tree(combine);
      tree.push(V(identity));
      for_each_reduced_run(a, part.reduced_begin, part.reduced_end, [&](int64_t at, int64_t count) {
        const int64_t from = offset + k * step + at;
        for (int64_t b = 0; b < count; b += kBlock<E>) {
          const int64_t n = count - b < kBlock<E> ? count - b : kBlock<E>;
          const E* const p = read(from + b * stride, stride, n, buffer);
          tree.push(fold_block(p, n, V(identity), combine));
        }
      });
      *acc++ = across(tree.result(), combine)[0];
    }
  });
}

/// `width` neighbouring outputs, stepping over the inputs: kWidth whole vectors or a part of one.
template <int kWidth, class Combine, class E>
WICK_SIMD void reduce_tile(const ReduceArgs& a, const ReducePart& part, const Reader<E>& read,
                           int64_t offset, int64_t width, E identity, E* acc) {
  using V = Vec<E>;
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
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  const bool whole = kWidth > 1 || width == V::kSize;
  E buffer[kWidth * V::kSize];
  Cascade<Tile, decltype(combine)> tree(combine);
  tree.push(start);
  for_each_reduced_run(a, part.reduced_begin, part.reduced_end, [&](int64_t at, int64_t count) {
    const int64_t from = offset + at;
    tree.push(fold<1, 1>(
        count, start,
        [&](Tile& sum, int64_t i, Full) WICK_INLINE_LAMBDA {
          const E* const p = read(from + i * stride, step, width, buffer);
          for (int w = 0; w < kWidth; ++w) {
            const E* const q = p + w * V::kSize;
            sum.v[w] = Combine()(sum.v[w], whole ? V::load(q) : V::load(q, width));
          }
        },
        combine));
  });
  const Tile result = tree.result();
  for (int w = 0; w < kWidth; ++w) {
    E* const q = acc + w * V::kSize;
    whole ? result.v[w].store(q) : result.v[w].store(q, width);
  }
}

template <class E, class Combine>
void reduce_columns(const ReduceArgs& a, const ReducePart& part, const Reader<E>& read, E identity,
                    E* acc) {
  constexpr int64_t kSize = Vec<E>::kSize, kWidth = 4;
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  for_each_kept_run(a, part.kept_begin, part.kept_end, [&](int64_t offset, int64_t outputs) {
    int64_t k = 0;
    for (; k + kWidth * kSize <= outputs; k += kWidth * kSize) {
      reduce_tile<kWidth, Combine>(a, part, read, offset + k * step, kWidth * kSize, identity,
                                   acc + k);
    }
    for (; k < outputs; k += kSize) {
      const int64_t width = outputs - k < kSize ? outputs - k : kSize;
      reduce_tile<1, Combine>(a, part, read, offset + k * step, width, identity, acc + k);
    }
    acc += outputs;
  });
}

template <class Combine, class E>
void reduce_with(const ReduceArgs& a, const ReducePart& part, const Reader<E>& read, E identity,
                 E* acc) {
  const int64_t kept_inner = a.kept_ndim > 0 ? a.kept_sizes[a.kept_ndim - 1] : 1;
  const int64_t reduced_inner = a.reduced_ndim > 0 ? a.reduced_sizes[a.reduced_ndim - 1] : 1;
  const bool rows = inner_stride(a.reduced_ndim, a.reduced_strides) == 1;
  const bool columns = inner_stride(a.kept_ndim, a.kept_strides) == 1;
  if (rows || (!columns && reduced_inner > kept_inner)) {
    reduce_rows<E, Combine>(a, part, read, identity, acc);
  } else {
    reduce_columns<E, Combine>(a, part, read, identity, acc);
  }
}

template <class E>
constexpr E extreme_of(bool highest) {
  if constexpr (std::is_integral_v<E>) {
    return highest ? INT64_MAX : INT64_MIN;
  } else {
    return static_cast<E>(highest ? math::kInfinity : -math::kInfinity);
  }
}

// --- positions

template <class Combine, class E>
WICK_SIMD bool beats(E x, E best) {
  if constexpr (std::is_same_v<Combine, MaxOf>) {
    return x > best || (x != x && best == best);
  } else {
    return x < best || (x != x && best == best);
  }
}

/// The extreme of each block first, then its position if it is the best so far.
template <class E, class Combine>
void index_rows(const ReduceArgs& a, int64_t kept_begin, int64_t kept_end, const Reader<E>& read,
                E* values, int64_t* indices) {
  const Combine combine;
  const int64_t stride = inner_stride(a.reduced_ndim, a.reduced_strides);
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  E buffer[kBlock<E>];
  for_each_kept_run(a, kept_begin, kept_end, [&](int64_t offset, int64_t outputs) {
    for (int64_t k = 0; k < outputs; ++k) {
      E best{};
      int64_t index = -1, position = 0;
      for_each_reduced_run(a, 0, a.reduced, [&](int64_t at, int64_t count) {
        const int64_t from = offset + k * step + at;
        for (int64_t b = 0; b < count; b += kBlock<E>) {
          const int64_t n = count - b < kBlock<E> ? count - b : kBlock<E>;
          const E* const p = read(from + b * stride, stride, n, buffer);
          const E extreme = across(fold_block(p, n, Vec<E>(p[0]), combine), combine)[0];
          if (index >= 0 && !beats<Combine>(extreme, best)) continue;
          int64_t i = 0;  // a NaN is the extreme if there is one
          while (i + 1 < n && !(p[i] == extreme || p[i] != p[i])) ++i;
          best = p[i];
          index = position + b + i;
        }
        position += count;
      });
      *values++ = best;
      *indices++ = index;
    }
  });
}

/// Neighbouring outputs side by side, stepping over the inputs.
template <class E, class Combine>
void index_columns(const ReduceArgs& a, int64_t kept_begin, int64_t kept_end, const Reader<E>& read,
                   E* values, int64_t* indices) {
  constexpr int64_t kTile = 64;
  const int64_t step = inner_stride(a.kept_ndim, a.kept_strides);
  const int64_t stride = inner_stride(a.reduced_ndim, a.reduced_strides);
  E buffer[kTile];
  for_each_kept_run(a, kept_begin, kept_end, [&](int64_t offset, int64_t outputs) {
    for (int64_t k = 0; k < outputs; k += kTile) {
      const int64_t width = outputs - k < kTile ? outputs - k : kTile;
      int64_t position = 0;
      for_each_reduced_run(a, 0, a.reduced, [&](int64_t at, int64_t count) {
        for (int64_t i = 0; i < count; ++i, ++position) {
          const E* const p = read(offset + k * step + at + i * stride, step, width, buffer);
          for (int64_t j = 0; j < width; ++j) {
            const bool better = position == 0 || beats<Combine>(p[j], values[j]);
            values[j] = better ? p[j] : values[j];
            indices[j] = better ? position : indices[j];
          }
        }
      });
      values += width;
      indices += width;
    }
  });
}

}  // namespace

void reduce_part(ReduceOp op, DType type, const ReduceArgs& a, const ReducePart& part, void* acc) {
  const ReadAs as = op == ReduceOp::Any || op == ReduceOp::All ? ReadAs::Truth
                    : op == ReduceOp::SumSquares               ? ReadAs::Square
                                                               : ReadAs::Number;
  with_reader(type, a, as, [&]<class E>(const Reader<E>& read) {
    E* const to = static_cast<E*>(acc);
    switch (op) {
      case ReduceOp::Sum:
      case ReduceOp::SumSquares:
      case ReduceOp::Mean:
        return reduce_with<SumOf>(a, part, read, E(0), to);
      case ReduceOp::Prod:
        return reduce_with<ProductOf>(a, part, read, E(1), to);
      case ReduceOp::Max:
        return reduce_with<MaxOf>(a, part, read, extreme_of<E>(false), to);
      case ReduceOp::Min:
        return reduce_with<MinOf>(a, part, read, extreme_of<E>(true), to);
      case ReduceOp::Any:
        return reduce_with<MaxOf>(a, part, read, E(0), to);
      case ReduceOp::All:
        return reduce_with<MinOf>(a, part, read, E(1), to);
    }
  });
}

void reduce_index_part(ReduceOp op, DType type, const ReduceArgs& a, int64_t kept_begin,
                       int64_t kept_end, void* values, int64_t* indices) {
  const bool rows = inner_stride(a.reduced_ndim, a.reduced_strides) == 1;
  with_reader(type, a, ReadAs::Number, [&]<class E>(const Reader<E>& read) {
    E* const to = static_cast<E*>(values);
    if (op == ReduceOp::Max) {
      rows ? index_rows<E, MaxOf>(a, kept_begin, kept_end, read, to, indices)
           : index_columns<E, MaxOf>(a, kept_begin, kept_end, read, to, indices);
    } else {
      rows ? index_rows<E, MinOf>(a, kept_begin, kept_end, read, to, indices)
           : index_columns<E, MinOf>(a, kept_begin, kept_end, read, to, indices);
    }
  });
}

}  // namespace wick::cpu::WICK_ISA
