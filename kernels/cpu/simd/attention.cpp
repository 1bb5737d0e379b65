#include <wick/kernels/cpu/simd/attention.h>
#include <wick/kernels/cpu/simd/lanes.h>

namespace wick::cpu::WICK_ISA {
namespace {

template <class V>
[[gnu::noinline]] V exp_of(V x) {
  return math::exp(x);
}

template <class E>
void step_row(int64_t n, E* scores, E& max, E& sum, E* y, int64_t width) {
  using V = Vec<E>;
  constexpr E kLeast = -math::kInfinity;
  const V tops = fold<V::kSize, 4>(
      n, V(kLeast),
      [&](V& acc, int64_t i, auto lanes)
          WICK_INLINE_LAMBDA { acc = keep(lanes, MaxOf()(acc, load(scores + i, lanes)), acc); },
      MaxOf());
  const E seen = across(tops, MaxOf())[0];
  const E top = max != max || max > seen ? max : seen;
  if (top == kLeast) {
    for (int64_t i = 0; i < n; ++i) scores[i] = 0;
    return;
  }
  const V total = fold<V::kSize, 1>(
      n, V(0),
      [&](V& acc, int64_t i, auto lanes) WICK_INLINE_LAMBDA {
        const V e = exp_of(load(scores + i, lanes) - V(top));
        store(scores + i, e, lanes);
        acc = keep(lanes, acc + e, acc);
      },
      SumOf());
  const V alpha = exp_of(V(max) - V(top));
  sum = sum * alpha[0] + across(total, SumOf())[0];
  max = top;
  sweep<V::kSize, 1>(width, [&](int64_t i, auto lanes, int) WICK_INLINE_LAMBDA {
    store(y + i, load(y + i, lanes) * alpha, lanes);
  });
}

template <class E>
void weights_row(int64_t n, E* scores, E log_sum_exp) {
  using V = Vec<E>;
  // exp(-inf - inf) is 0 too
  const V shift(log_sum_exp == E(-math::kInfinity) ? E(math::kInfinity) : log_sum_exp);
  sweep<V::kSize, 1>(n, [&](int64_t i, auto lanes, int) WICK_INLINE_LAMBDA {
    store(scores + i, exp_of(load(scores + i, lanes) - shift), lanes);
  });
}

template <class F>
WICK_SIMD void with_type(DType dtype, F f) {
  dtype == DType::Float64 ? f(double{}) : f(float{});
}

}  // namespace

void attention_step_part(DType dtype, int64_t rows, int64_t cols, void* scores, int64_t ld,
                         void* max, void* sum, void* y, int64_t width) {
  with_type(dtype, [&](auto t) {
    using E = decltype(t);
    for (int64_t r = 0; r < rows; ++r) {
      step_row(cols, static_cast<E*>(scores) + r * ld, static_cast<E*>(max)[r],
               static_cast<E*>(sum)[r], static_cast<E*>(y) + r * width, width);
    }
  });
}

void attention_weights_part(DType dtype, int64_t rows, int64_t cols, void* scores, int64_t ld,
                            const void* log_sum_exp) {
  with_type(dtype, [&](auto t) {
    using E = decltype(t);
    for (int64_t r = 0; r < rows; ++r)
      weights_row(cols, static_cast<E*>(scores) + r * ld, static_cast<const E*>(log_sum_exp)[r]);
  });
}

}  // namespace wick::cpu::WICK_ISA
