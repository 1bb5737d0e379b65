#include <wick/kernels/cpu/simd/lanes.h>
#include <wick/kernels/cpu/simd/softmax.h>

namespace wick::cpu::WICK_ISA {
namespace {

/// Not inlined: with dozens of uses that would be most of this file's code and compile time.
template <class V>
[[gnu::noinline]] V exp_of(V x) {
  return math::exp(x);
}

/// Calls f(first element, offset of its class 0, lanes) for each row, or for vectors of neighbours.
template <class T, class Rows, class Columns>
WICK_SIMD void for_each_line(int64_t dim, int64_t inner, int64_t begin, int64_t end, Rows rows,
                             Columns columns) {
  if (inner == 1) {
    for (int64_t u = begin; u < end; ++u) rows(u, u * dim);
    return;
  }
  constexpr int64_t kSize = Io<T>::V::kSize;
  const int64_t tiles = (inner + kColumns - 1) / kColumns;
  for (int64_t u = begin; u < end; ++u) {
    const int64_t batch = u / tiles, first = u % tiles * kColumns;
    const int64_t last = first + kColumns < inner ? first + kColumns : inner;
    for (int64_t j = first; j < last; j += kSize) {
      columns(batch * inner + j, batch * dim * inner + j, last - j < kSize ? last - j : kSize);
    }
  }
}

/// One line of `dim` numbers: lanes along it (kColumns false), or `own` lanes, one line in each.
template <class T, bool kColumns>
struct Line {
  using V = typename Io<T>::V;
  static constexpr int kStep = kColumns ? 1 : V::kSize;
  int64_t dim, inner, own;

  template <class L>
  WICK_SIMD V load(const T* p, int64_t i, L lanes) const {
    if constexpr (kColumns) {
      return own == V::kSize ? Io<T>::load(p + i * inner, Full{}) : Io<T>::load(p + i * inner, own);
    } else {
      return Io<T>::load(p + i, lanes);
    }
  }
  template <class L>
  WICK_SIMD void store(T* p, int64_t i, V x, L lanes) const {
    if constexpr (kColumns) {
      own == V::kSize ? Io<T>::store(p + i * inner, x, Full{})
                      : Io<T>::store(p + i * inner, x, own);
    } else {
      Io<T>::store(p + i, x, lanes);
    }
  }
  template <class F>
  WICK_SIMD void each(F f) const {
    sweep<kStep, 1>(dim, [&](int64_t i, auto lanes, int) WICK_INLINE_LAMBDA { f(i, lanes); });
  }
  /// combine(..., get(i, lanes), ...), the same in all lanes of a row.
  template <int kSlots = 1, class Get, class Combine>
  WICK_SIMD V reduce(V identity, Get get, Combine combine) const {
    const V all = fold<kStep, kSlots>(
        dim, identity,
        [&](V& acc, int64_t i, auto lanes)
            WICK_INLINE_LAMBDA { acc = keep(lanes, combine(acc, get(i, lanes)), acc); },
        combine);
    if constexpr (kColumns) {
      return all;
    } else {
      return across(all, combine);
    }
  }
  WICK_SIMD V max(const T* x) const {
    return reduce<4>(
        V(-math::kInfinity),
        [&](int64_t i, auto lanes) WICK_INLINE_LAMBDA { return load(x, i, lanes); }, MaxOf());
  }
};

template <class T, bool kColumns>
void softmax_line(const Line<T, kColumns>& line, bool log, const T* x, T* y) {
  using V = typename Io<T>::V;
  const V top = line.max(x);
  if (log) {
    const V sum = line.reduce(
        V(0),
        [&](int64_t i, auto lanes)
            WICK_INLINE_LAMBDA { return exp_of(line.load(x, i, lanes) - top); },
        SumOf());
    const V log_sum = math::log(sum);
    line.each([&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
      line.store(y, i, (line.load(x, i, lanes) - top) - log_sum, lanes);
    });
    return;
  }
  const V sum = line.reduce(
      V(0),
      [&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
        const V e = exp_of(line.load(x, i, lanes) - top);
        if constexpr (Io<T>::kDirect) line.store(y, i, e, lanes);
        return e;
      },
      SumOf());
  const V scale = V(1) / sum;
  line.each([&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
    if constexpr (Io<T>::kDirect) {
      line.store(y, i, line.load(y, i, lanes) * scale, lanes);
    } else {  // y would keep too few digits
      line.store(y, i, exp_of(line.load(x, i, lanes) - top) * scale, lanes);
    }
  });
}

template <class T, bool kColumns>
void softmax_backward_line(const Line<T, kColumns>& line, bool log, const T* grad_y, const T* y,
                           T* grad_x) {
  using V = typename Io<T>::V;
  const V sum = line.reduce(
      V(0),
      [&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
        const V g = line.load(grad_y, i, lanes);
        return log ? g : g * line.load(y, i, lanes);
      },
      SumOf());
  line.each([&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
    const V g = line.load(grad_y, i, lanes), out = line.load(y, i, lanes);
    line.store(grad_x, i, log ? g - exp_of(out) * sum : out * (g - sum), lanes);
  });
}

// --- negative log likelihood

/// Scalars of a group of neighbours, one for each lane.
template <class V>
struct Group {
  using E = typename V::Element;
  E v[V::kSize] = {};
  WICK_SIMD Group() = default;
  WICK_SIMD explicit Group(V x) { x.store(v); }
  WICK_SIMD V lanes() const { return V::load(v); }
};

template <class T, bool kColumns>
void nll_line(const Line<T, kColumns>& line, const NllArgs& a, const NllForward& io,
              int64_t element, const T* x, double* sums) {
  using V = typename Io<T>::V;
  using E = typename V::Element;
  const T* const weight = static_cast<const T*>(io.weight);
  const bool smoothed = a.fused_softmax && a.label_smoothing != 0;
  V top(0), log_sum(0), spread(0);
  if (a.fused_softmax) {
    top = line.max(x);
    log_sum = math::log(line.reduce(
        V(0),
        [&](int64_t i, auto lanes)
            WICK_INLINE_LAMBDA { return exp_of(line.load(x, i, lanes) - top); },
        SumOf()));
  }
  if (smoothed) {
    spread = line.reduce(
        V(0),
        [&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
          const V below = top - line.load(x, i, lanes);
          if (weight == nullptr) return below;
          if constexpr (kColumns) {
            return below * V(to_lane(weight[i]));
          } else {
            return below * Io<T>::load(weight + i, lanes);
          }
        },
        SumOf());
  }
  const Group<V> tops(top), log_sums(log_sum), spreads(spread);
  const E smoothing = static_cast<E>(a.label_smoothing);
  const E share = smoothing / static_cast<E>(a.classes), weight_sum = static_cast<E>(io.weight_sum);
  for (int64_t j = 0; j < line.own; ++j) {
    const int64_t t = io.target[element + j];
    const E m = tops.v[j], s = log_sums.v[j];
    E loss = 0;
    if (t != a.ignore_index) {
      const E w = weight != nullptr ? to_lane(weight[t]) : E(1);
      loss = w * ((m - to_lane(x[t * a.inner + j])) + s);
      if (smoothed) loss = (E(1) - smoothing) * loss + share * (spreads.v[j] + s * weight_sum);
      sums[0] += static_cast<double>(loss);
      sums[1] += static_cast<double>(w);
    }
    if (io.loss != nullptr) Io<T>::store_one(static_cast<T*>(io.loss) + element + j, loss);
    if (a.fused_softmax) static_cast<E*>(io.log_sum_exp)[element + j] = m + s;
  }
}

template <class T, bool kColumns>
void nll_backward_line(const Line<T, kColumns>& line, const NllArgs& a, const NllBackward& io,
                       int64_t element, const T* x, T* grad_x) {
  using V = typename Io<T>::V;
  using E = typename V::Element;
  const T* const weight = static_cast<const T*>(io.weight);
  const T* const grad_loss = static_cast<const T*>(io.grad_loss);
  const E smoothing = a.fused_softmax ? static_cast<E>(a.label_smoothing) : E(0);
  const E share = smoothing / static_cast<E>(a.classes), weight_sum = static_cast<E>(io.weight_sum);
  // d loss / d x[c] = factor softmax(x)[c] - uniform w[c], less hit at the target
  Group<V> factors, uniforms, hits, log_sums;
  for (int64_t j = 0; j < line.own; ++j) {
    const int64_t t = io.target[element + j];
    log_sums.v[j] = static_cast<E>(math::kInfinity);  // of an ignored one: softmax 0
    if (t == a.ignore_index) continue;
    const E g = grad_loss != nullptr ? to_lane(grad_loss[element + j]) : static_cast<E>(io.scale);
    const E w = weight != nullptr ? to_lane(weight[t]) : E(1);
    hits.v[j] = g * (E(1) - smoothing) * w;
    uniforms.v[j] = g * share;
    factors.v[j] = hits.v[j] + uniforms.v[j] * weight_sum;
    if (a.fused_softmax) log_sums.v[j] = static_cast<const E*>(io.log_sum_exp)[element + j];
  }
  const auto lanes_of = [](const Group<V>& group)
                            WICK_INLINE_LAMBDA { return kColumns ? group.lanes() : V(group.v[0]); };
  if (!a.fused_softmax || (!kColumns && io.target[element] == a.ignore_index)) {
    line.each([&](int64_t i, auto lanes)
                  WICK_INLINE_LAMBDA { line.store(grad_x, i, V(0), lanes); });
  } else {
    const V factor = lanes_of(factors), uniform = lanes_of(uniforms), log_sum = lanes_of(log_sums);
    line.each([&](int64_t i, auto lanes) WICK_INLINE_LAMBDA {
      V w(1);
      if (smoothing != 0 && weight != nullptr) {
        if constexpr (kColumns) {
          w = V(to_lane(weight[i]));
        } else {
          w = Io<T>::load(weight + i, lanes);
        }
      }
      const V p = exp_of(line.load(x, i, lanes) - log_sum);
      line.store(grad_x, i, p * factor - uniform * w, lanes);
    });
  }
  for (int64_t j = 0; j < line.own; ++j) {
    const int64_t t = io.target[element + j];
    if (t == a.ignore_index) continue;
    // From x again, for grad_x may be rounded already.
    const E w = weight != nullptr ? to_lane(weight[t]) : E(1);
    E rest = 0;
    if (a.fused_softmax) {
      const E p = math::exp(to_lane(x[t * a.inner + j]) - log_sums.v[j]);
      rest = p * factors.v[j] - uniforms.v[j] * w;
    }
    Io<T>::store_one(grad_x + t * a.inner + j, rest - hits.v[j]);
  }
}

}  // namespace

void softmax_part(const SoftmaxArgs& args, const void* x, void* y, int64_t begin, int64_t end) {
  with_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    const T* const from = static_cast<const T*>(x);
    T* const to = static_cast<T*>(y);
    for_each_line<T>(
        args.dim, args.inner, begin, end,
        [&](int64_t, int64_t at) {
          softmax_line(Line<T, false>{args.dim, 1, 1}, args.log, from + at, to + at);
        },
        [&](int64_t, int64_t at, int64_t lanes) {
          softmax_line(Line<T, true>{args.dim, args.inner, lanes}, args.log, from + at, to + at);
        });
  });
}

void softmax_backward_part(const SoftmaxArgs& args, const void* grad_y, const void* y, void* grad_x,
                           int64_t begin, int64_t end) {
  with_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    const T *const g = static_cast<const T*>(grad_y), *const out = static_cast<const T*>(y);
    T* const to = static_cast<T*>(grad_x);
    for_each_line<T>(
        args.dim, args.inner, begin, end,
        [&](int64_t, int64_t at) {
          softmax_backward_line(Line<T, false>{args.dim, 1, 1}, args.log, g + at, out + at,
                                to + at);
        },
        [&](int64_t, int64_t at, int64_t lanes) {
          softmax_backward_line(Line<T, true>{args.dim, args.inner, lanes}, args.log, g + at,
                                out + at, to + at);
        });
  });
}

void nll_part(const NllArgs& args, const NllForward& io, int64_t begin, int64_t end, double* sums) {
  with_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    const T* const x = static_cast<const T*>(io.x);
    for_each_line<T>(
        args.classes, args.inner, begin, end,
        [&](int64_t element, int64_t at) {
          nll_line(Line<T, false>{args.classes, 1, 1}, args, io, element, x + at, sums);
        },
        [&](int64_t element, int64_t at, int64_t lanes) {
          nll_line(Line<T, true>{args.classes, args.inner, lanes}, args, io, element, x + at, sums);
        });
  });
}

void nll_backward_part(const NllArgs& args, const NllBackward& io, int64_t begin, int64_t end) {
  with_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    const T* const x = static_cast<const T*>(io.x);
    T* const to = static_cast<T*>(io.grad_x);
    for_each_line<T>(
        args.classes, args.inner, begin, end,
        [&](int64_t element, int64_t at) {
          nll_backward_line(Line<T, false>{args.classes, 1, 1}, args, io, element, x + at, to + at);
        },
        [&](int64_t element, int64_t at, int64_t lanes) {
          nll_backward_line(Line<T, true>{args.classes, args.inner, lanes}, args, io, element,
                            x + at, to + at);
        });
  });
}

}  // namespace wick::cpu::WICK_ISA
