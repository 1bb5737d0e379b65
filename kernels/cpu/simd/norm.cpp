#include <wick/kernels/cpu/simd/lanes.h>
#include <wick/kernels/cpu/simd/norm.h>

namespace wick::cpu::WICK_ISA {
namespace {

/// The numbers of one channel (inner > 1: runs of `inner`), or of a vector of neighbouring channels
/// (inner == 1: `own` lanes of each row of x).
template <class T, bool kColumns>
struct Channels {
  using V = typename Io<T>::V;
  using S = typename V::Element;  // of statistics
  int64_t n, c, inner, first, own;

  template <class L>
  WICK_SIMD V load(const T* p, int64_t i, L lanes) const {
    if constexpr (kColumns) {
      return own == V::kSize ? Io<T>::load(p + i, Full{}) : Io<T>::load(p + i, own);
    } else {
      return Io<T>::load(p + i, lanes);
    }
  }
  template <class L>
  WICK_SIMD void store(T* p, int64_t i, V x, L lanes) const {
    if constexpr (kColumns) {
      own == V::kSize ? Io<T>::store(p + i, x, Full{}) : Io<T>::store(p + i, x, own);
    } else {
      Io<T>::store(p + i, x, lanes);
    }
  }
  /// f(offset, lanes) for all numbers.
  template <class F>
  WICK_SIMD void each(F f) const {
    if constexpr (kColumns) {
      for (int64_t i = 0; i < n; ++i) f(i * c + first, Full{});
    } else {
      for (int64_t i = 0; i < n; ++i) {
        const int64_t run = (i * c + first) * inner;
        sweep<V::kSize, 1>(
            inner, [&](int64_t j, auto lanes, int) WICK_INLINE_LAMBDA { f(run + j, lanes); });
      }
    }
  }
  /// Two sums at a time: update(sums, offset, lanes) adds in the lanes that count.
  template <class Get>
  WICK_SIMD Two<V> sums(Get get) const {
    const Two<V> zero{V(0), V(0)};
    const auto update = [&](Two<V>& acc, int64_t at, auto lanes) WICK_INLINE_LAMBDA {
      const Two<V> next = get(at, lanes);
      acc.a = keep(lanes, acc.a + next.a, acc.a);
      acc.b = keep(lanes, acc.b + next.b, acc.b);
    };
    if constexpr (kColumns) {
      return fold<1, 2>(
          n, zero,
          [&](Two<V>& acc, int64_t i, Full full)
              WICK_INLINE_LAMBDA { update(acc, i * c + first, full); },
          SumOfTwo());
    } else {
      if (n == 0) return zero;
      Cascade<Two<V>, SumOfTwo> tree{SumOfTwo()};
      for (int64_t i = 0; i < n; ++i) {
        const int64_t run = (i * c + first) * inner;
        tree.push(fold<V::kSize, 2>(
            inner, zero,
            [&](Two<V>& acc, int64_t j, auto lanes)
                WICK_INLINE_LAMBDA { update(acc, run + j, lanes); },
            SumOfTwo()));
      }
      const Two<V> all = tree.result();
      return {across(all.a, SumOf()), across(all.b, SumOf())};
    }
  }

  /// A number of each channel; `otherwise` without memory.
  WICK_SIMD V parameter(const void* p, double otherwise = 0) const {
    const S* const s = static_cast<const S*>(p);
    if (s == nullptr) return V(otherwise);
    if constexpr (kColumns) {
      return own == V::kSize ? V::load(s + first) : V::load(s + first, own);
    } else {
      return V(s[first]);
    }
  }
  WICK_SIMD void set_parameter(void* p, V x) const {
    S* const s = static_cast<S*>(p);
    if (s == nullptr) return;
    if constexpr (kColumns) {
      own == V::kSize ? x.store(s + first) : x.store(s + first, own);
    } else {
      s[first] = x[0];
    }
  }
};

template <class T, bool kColumns>
WICK_SIMD void normalise(const Channels<T, kColumns>& ch, const BatchNormIo& io,
                         typename Io<T>::V mean, typename Io<T>::V inv_std) {
  const auto scale = ch.parameter(io.weight, 1) * inv_std, bias = ch.parameter(io.bias, 0);
  const T* const x = static_cast<const T*>(io.x);
  T* const y = static_cast<T*>(io.y);
  ch.each([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
    ch.store(y, at, (ch.load(x, at, lanes) - mean) * scale + bias, lanes);
  });
}

/// Mean and variance, or with the mean taken to be 0 if not `center`.
template <class T, bool kColumns>
WICK_SIMD Two<typename Io<T>::V> moments(const Channels<T, kColumns>& ch, const T* x, double total,
                                         bool center) {
  using V = typename Io<T>::V;
  const V count(static_cast<typename V::Element>(total));
  V rough(0);
  if (center) {
    rough = ch.sums([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
                return Two<V>{ch.load(x, at, lanes), V(0)};
              }).a /
            count;
  }
  // The deviations tell by how much the rounded mean is off, and what that adds to their squares.
  const Two<V> deviation = ch.sums([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
    const V d = ch.load(x, at, lanes) - rough;
    return Two<V>{d, d * d};
  });
  if (!center) return {V(0), deviation.b / count};
  const V correction = deviation.a / count;
  const V variance = deviation.b / count - correction * correction;
  return {rough + correction, where(variance < V(0), V(0), variance)};
}

template <class T, bool kColumns>
void train_channels(const Channels<T, kColumns>& ch, const BatchNormArgs& args,
                    const BatchNormIo& io) {
  using V = typename Io<T>::V;
  using S = typename V::Element;
  const double total = static_cast<double>(ch.n) * static_cast<double>(ch.inner);
  const auto [mean, variance] = moments(ch, static_cast<const T*>(io.x), total, true);
  const V inv_std = V(1) / sqrt(variance + V(static_cast<S>(args.eps)));
  ch.set_parameter(io.mean, mean);
  ch.set_parameter(io.inv_std, inv_std);
  const V fresh(static_cast<S>(io.momentum)), old(static_cast<S>(1 - io.momentum));
  if (io.running_mean != nullptr) {
    ch.set_parameter(io.running_mean, old * ch.parameter(io.running_mean) + fresh * mean);
  }
  if (io.running_var != nullptr) {
    const V unbiased = variance * V(static_cast<S>(total / (total - 1)));
    ch.set_parameter(io.running_var, old * ch.parameter(io.running_var) + fresh * unbiased);
  }
  normalise(ch, io, mean, inv_std);
}

template <class T, bool kColumns>
void eval_channels(const Channels<T, kColumns>& ch, const BatchNormArgs& args,
                   const BatchNormIo& io) {
  using V = typename Io<T>::V;
  const V variance = ch.parameter(io.scale_in);
  const V inv_std = V(1) / sqrt(variance + V(static_cast<typename V::Element>(args.eps)));
  normalise(ch, io, ch.parameter(io.mean_in), inv_std);
}

template <class T, bool kColumns>
void backward_channels(const Channels<T, kColumns>& ch, bool train, const BatchNormIo& io) {
  using V = typename Io<T>::V;
  using S = typename V::Element;
  const T *const x = static_cast<const T*>(io.x), *const grad_y = static_cast<const T*>(io.grad_y);
  const V mean = ch.parameter(io.mean_in), inv_std = ch.parameter(io.scale_in);
  const V scale = ch.parameter(io.weight, 1) * inv_std;
  V center(0), slope(0);
  if (train || io.grad_weight != nullptr || io.grad_bias != nullptr) {
    const Two<V> sums = ch.sums([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
      const V g = ch.load(grad_y, at, lanes);
      return Two<V>{g, g * (ch.load(x, at, lanes) - mean)};
    });
    ch.set_parameter(io.grad_bias, sums.a);
    ch.set_parameter(io.grad_weight, sums.b * inv_std);
    if (train) {
      const V count(static_cast<S>(static_cast<double>(ch.n) * static_cast<double>(ch.inner)));
      center = sums.a / count;
      slope = sums.b / count * inv_std * inv_std;
    }
  }
  if (io.grad_x == nullptr) return;
  T* const grad_x = static_cast<T*>(io.grad_x);
  if (!train) {
    ch.each([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
      ch.store(grad_x, at, ch.load(grad_y, at, lanes) * scale, lanes);
    });
    return;
  }
  ch.each([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
    const V g = ch.load(grad_y, at, lanes), d = ch.load(x, at, lanes) - mean;
    ch.store(grad_x, at, (g - center - d * slope) * scale, lanes);
  });
}

// --- layer normalisation: rows are runs of a channel, parameters go along them

template <class T>
void normalise_row(const Channels<T, false>& row, const LayerNormArgs& args,
                   const BatchNormIo& io) {
  using V = typename Io<T>::V;
  using S = typename V::Element;
  const T* const x = static_cast<const T*>(io.x);
  const S *const weight = static_cast<const S*>(io.weight), *const bias =
                                                                static_cast<const S*>(io.bias);
  const auto [mean, variance] = moments(row, x, static_cast<double>(args.dim), args.center);
  const V inv_std = V(1) / sqrt(variance + V(static_cast<S>(args.eps)));
  row.set_parameter(io.mean, mean);
  row.set_parameter(io.inv_std, inv_std);
  const int64_t start = row.first * args.dim;
  row.each([&, mean = mean](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
    V y = (row.load(x, at, lanes) - mean) * inv_std;
    if (weight != nullptr) y = y * load(weight + (at - start), lanes);
    if (bias != nullptr) y = y + load(bias + (at - start), lanes);
    row.store(static_cast<T*>(io.y), at, y, lanes);
  });
}

/// Adds to the gradients of weight and bias what the row gives them.
template <class T>
void backward_row(const Channels<T, false>& row, const LayerNormArgs& args, const BatchNormIo& io) {
  using V = typename Io<T>::V;
  using S = typename V::Element;
  const T *const x = static_cast<const T*>(io.x), *const grad_y = static_cast<const T*>(io.grad_y);
  const S* const weight = static_cast<const S*>(io.weight);
  const V mean = row.parameter(io.mean_in), inv_std = row.parameter(io.scale_in);
  const int64_t start = row.first * args.dim;
  S *const grad_weight = static_cast<S*>(io.grad_weight), *const grad_bias =
                                                              static_cast<S*>(io.grad_bias);
  Two<V> sums{V(0), V(0)};
  if (io.grad_x != nullptr) {
    sums = row.sums([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
      V g = row.load(grad_y, at, lanes);
      if (weight != nullptr) g = g * load(weight + (at - start), lanes);
      return Two<V>{g, g * (row.load(x, at, lanes) - mean)};
    });
  }
  const V count(static_cast<S>(args.dim));
  const V center = args.center ? sums.a / count : V(0);
  const V slope = sums.b / count * inv_std * inv_std;
  row.each([&](int64_t at, auto lanes) WICK_INLINE_LAMBDA {
    const V g = row.load(grad_y, at, lanes), d = row.load(x, at, lanes) - mean;
    const int64_t i = at - start;
    if (io.grad_x != nullptr) {
      const V scaled = weight == nullptr ? g : g * load(weight + i, lanes);
      row.store(static_cast<T*>(io.grad_x), at, (scaled - center - d * slope) * inv_std, lanes);
    }
    if (grad_weight != nullptr)
      store(grad_weight + i, load(grad_weight + i, lanes) + g * (d * inv_std), lanes);
    if (grad_bias != nullptr) store(grad_bias + i, load(grad_bias + i, lanes) + g, lanes);
  });
}

/// Calls f for each channel or vector of channels in [begin, end).
template <class T, class Rows, class Columns>
WICK_SIMD void for_each_channel(const BatchNormArgs& a, int64_t begin, int64_t end, Rows rows,
                                Columns columns) {
  if (a.inner != 1) {
    for (int64_t c = begin; c < end; ++c) rows(Channels<T, false>{a.n, a.c, a.inner, c, 1});
    return;
  }
  constexpr int64_t kSize = Io<T>::V::kSize;
  for (int64_t c = begin; c < end; c += kSize) {
    columns(Channels<T, true>{a.n, a.c, 1, c, end - c < kSize ? end - c : kSize});
  }
}

}  // namespace

void batch_norm_train_part(const BatchNormArgs& args, const BatchNormIo& io, int64_t begin,
                           int64_t end) {
  with_float(args.dtype, [&](auto t) {
    const auto run = [&](const auto& channels) { train_channels(channels, args, io); };
    for_each_channel<decltype(t)>(args, begin, end, run, run);
  });
}

void batch_norm_eval_part(const BatchNormArgs& args, const BatchNormIo& io, int64_t begin,
                          int64_t end) {
  with_float(args.dtype, [&](auto t) {
    const auto run = [&](const auto& channels) { eval_channels(channels, args, io); };
    for_each_channel<decltype(t)>(args, begin, end, run, run);
  });
}

void batch_norm_backward_part(const BatchNormArgs& args, bool train, const BatchNormIo& io,
                              int64_t begin, int64_t end) {
  with_float(args.dtype, [&](auto t) {
    const auto run = [&](const auto& channels) { backward_channels(channels, train, io); };
    for_each_channel<decltype(t)>(args, begin, end, run, run);
  });
}

void layer_norm_part(const LayerNormArgs& args, const BatchNormIo& io, int64_t begin, int64_t end) {
  with_float(args.dtype, [&](auto t) {
    for (int64_t r = begin; r < end; ++r)
      normalise_row(Channels<decltype(t), false>{1, args.rows, args.dim, r, 1}, args, io);
  });
}

void layer_norm_backward_part(const LayerNormArgs& args, const BatchNormIo& io, int64_t begin,
                              int64_t end) {
  with_float(args.dtype, [&](auto t) {
    for (int64_t r = begin; r < end; ++r)
      backward_row(Channels<decltype(t), false>{1, args.rows, args.dim, r, 1}, args, io);
  });
}

}  // namespace wick::cpu::WICK_ISA
