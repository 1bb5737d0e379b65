#pragma once

#include <wick/core/dtype.h>
#include <wick/kernels/cpu/simd/vec.h>
#include <utility>

// What the reduction-like kernels share: elements of every type in vectors, parts of vectors, and
// sums whose error grows with the logarithm of their length.
//
// A kernel is written once for rows (whole vectors along the data and a rest) and columns (one
// vector of neighbours, stepping over them): a lambda takes `lanes`, which is Full or a number.
#define WICK_INLINE_LAMBDA __attribute__((always_inline))

namespace wick::cpu::WICK_ISA {

/// All lanes of a vector, where otherwise an int64_t says how many.
struct Full {};

template <class T>
requires(std::is_integral_v<T>) WICK_SIMD int64_t to_lane(T x) { return static_cast<int64_t>(x); }
WICK_SIMD float to_lane(float x) { return x; }
WICK_SIMD double to_lane(double x) { return x; }
WICK_SIMD float to_lane(BFloat16 x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x.bits) << 16);
}
WICK_SIMD float to_lane(Half x) {
#if defined(__F16C__)
  return _cvtsh_ss(x.bits);
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(x.bits & 0x7fffu) << 13;
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112f;
  const uint32_t value =
      magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : __builtin_bit_cast(uint32_t, scaled);
  return __builtin_bit_cast(float, value | sign);
#endif
}

/// Vectors of numbers that memory holds as T, a floating type: half types become float32.
template <class T>
struct Io {
  using V = std::conditional_t<std::is_same_v<T, double>, VecD, VecF>;
  using E = typename V::Element;
  static constexpr bool kDirect = std::is_same_v<T, E>;

  WICK_SIMD static V load(const T* p, Full) {
    if constexpr (kDirect) {
      return V::load(p);
    } else if constexpr (std::is_same_v<T, Half>) {
      return load_half(&p->bits);
    } else {
      return load_bfloat16(&p->bits);
    }
  }
  /// The first n lanes, n < kSize; the others are 0.
  WICK_SIMD static V load(const T* p, int64_t n) {
    if constexpr (kDirect) {
      return V::load(p, n);
    } else {
      T part[V::kSize] = {};
      for (int64_t i = 0; i < n; ++i) part[i].bits = p[i].bits;
      return load(part, Full{});
    }
  }
  WICK_SIMD static void store(T* p, V x, Full) {
    if constexpr (std::is_same_v<T, Half>) {
      store_half(&p->bits, x);
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      store_bfloat16(&p->bits, x);
    } else {
      x.store(p);
    }
  }
  WICK_SIMD static void store(T* p, V x, int64_t n) {
    if constexpr (kDirect) {
      x.store(p, n);
    } else {
      uint16_t bits[V::kSize];
      if constexpr (std::is_same_v<T, Half>) {
        store_half(bits, x);
      } else {
        store_bfloat16(bits, x);
      }
      for (int64_t i = 0; i < n; ++i) p[i].bits = bits[i];
    }
  }
  WICK_SIMD static void store_one(T* p, E x) {
    if constexpr (kDirect) {
      *p = x;
    } else {
      store(p, V(x), 1);
    }
  }
};

template <class V, size_t... I>
WICK_SIMD typename V::M first_lanes(int64_t n, std::index_sequence<I...>) {
  using Native = typename V::M::Native;
  using Index = SignedOf<sizeof(typename V::Element)>;
  return {(Native)(Native{static_cast<Index>(I)...} < (static_cast<Index>(n) - Native{}))};
}
/// a in the lanes that count, b in the others.
template <class V>
WICK_SIMD V keep(int64_t n, V a, V b) {
  return where(first_lanes<V>(n, std::make_index_sequence<V::kSize>()), a, b);
}
template <class V>
WICK_SIMD V keep(Full, V a, V) {
  return a;
}

template <class E>
WICK_SIMD Vec<E> load(const E* p, Full) {
  return Vec<E>::load(p);
}
template <class E>
WICK_SIMD Vec<E> load(const E* p, int64_t n) {
  return Vec<E>::load(p, n);
}
template <class E>
WICK_SIMD void store(E* p, Vec<E> x, Full) {
  x.store(p);
}
template <class E>
WICK_SIMD void store(E* p, Vec<E> x, int64_t n) {
  x.store(p, n);
}
template <int kStep, class V, size_t... I>
WICK_SIMD V exchanged(V x, std::index_sequence<I...>) {
  return V(__builtin_shufflevector(x.v, x.v, (static_cast<int>(I) ^ kStep)...));
}
/// All lanes combined by a commutative f, in every lane.
template <int kStep, class V, class F>
WICK_SIMD V across_from(V x, F f) {
  if constexpr (kStep > 0) {
    return across_from<kStep / 2>(f(x, exchanged<kStep>(x, std::make_index_sequence<V::kSize>())),
                                  f);
  } else {
    return x;
  }
}
template <class V, class F>
WICK_SIMD V across(V x, F f) {
  return across_from<V::kSize / 2>(x, f);
}

using VecI = Vec<int64_t>;

struct SumOf {
  template <class V>
  WICK_SIMD V operator()(V a, V b) const {
    if constexpr (std::is_same_v<V, VecI>) {  // wraps
      using U = typename VecL::Native;
      return V((typename V::Native)((U)a.v + (U)b.v));
    } else {
      return a + b;
    }
  }
};
struct ProductOf {
  template <class V>
  WICK_SIMD V operator()(V a, V b) const {
    if constexpr (std::is_same_v<V, VecI>) {
      using U = typename VecL::Native;
      return V((typename V::Native)((U)a.v * (U)b.v));
    } else {
      return a * b;
    }
  }
};
/// The larger one; a NaN wins.
struct MaxOf {
  template <class V>
  WICK_SIMD V operator()(V a, V b) const {
    return where(a != a, a, where(a > b, a, b));
  }
};
struct MinOf {
  template <class V>
  WICK_SIMD V operator()(V a, V b) const {
    return where(a != a, a, where(a < b, a, b));
  }
};

/// Two sums at a time.
template <class V>
struct Two {
  V a, b;
};
struct SumOfTwo {
  template <class V>
  WICK_SIMD Two<V> operator()(const Two<V>& x, const Two<V>& y) const {
    return {x.a + y.a, x.b + y.b};
  }
};

/// Combines a sequence as a balanced tree while it arrives: level i holds 2^i of its items.
template <class A, class Combine>
class Cascade {
 public:
  WICK_SIMD explicit Cascade(Combine combine) : combine_(combine) {}
  WICK_SIMD void push(A x) {
    int i = 0;
    for (uint64_t bits = count_++; (bits & 1) != 0; bits >>= 1, ++i) x = combine_(levels_[i], x);
    levels_[i] = x;
  }
  /// At least one item must have come.
  WICK_SIMD A result() const {
    int i = __builtin_ctzll(count_);
    A x = levels_[i];
    for (++i; count_ >> i != 0; ++i) {
      if ((count_ >> i & 1) != 0) x = combine_(levels_[i], x);
    }
    return x;
  }

 private:
  Combine combine_;
  uint64_t count_ = 0;
  A levels_[48];
};

/// Calls f(i, lanes, slot) for i = 0, kStep, 2 kStep, ... < n: kSlots at a time with slots 0, 1,
/// ... (independent chains of operations), then one by one in slot 0.
template <int kStep, int kSlots, class F, size_t... I>
WICK_SIMD void sweep(int64_t n, F f, std::index_sequence<I...>) {
  int64_t i = 0;
  for (; i + kSlots * kStep <= n; i += kSlots * kStep) {
    (f(i + static_cast<int64_t>(I) * kStep, Full{}, static_cast<int>(I)), ...);
  }
  if constexpr (kSlots > 1) {
    for (; i + kStep <= n; i += kStep) f(i, Full{}, 0);
  }
  if constexpr (kStep > 1) {
    if (i < n) f(i, n - i, 0);
  }
}
template <int kStep, int kSlots, class F>
WICK_SIMD void sweep(int64_t n, F f) {
  sweep<kStep, kSlots>(n, f, std::make_index_sequence<kSlots>());
}

/// Combines what update(accumulator, i, lanes) gathers over a sweep: plain accumulation in blocks
/// of 32 steps for each slot, a balanced tree above them.
template <int kStep, int kSlots, class A, class Update, class Combine>
WICK_SIMD A fold(int64_t n, const A& identity, Update update, Combine combine) {
  constexpr int64_t kBlock = int64_t{kStep} * kSlots * 32;
  Cascade<A, Combine> tree(combine);
  for (int64_t begin = 0;; begin += kBlock) {
    const int64_t count = n - begin < kBlock ? n - begin : kBlock;
    A acc[kSlots];
    for (int s = 0; s < kSlots; ++s) acc[s] = identity;
    sweep<kStep, kSlots>(count, [&](int64_t i, auto lanes, int slot)
                                    WICK_INLINE_LAMBDA { update(acc[slot], begin + i, lanes); });
    for (int width = kSlots / 2; width > 0; width /= 2) {
      for (int s = 0; s < width; ++s) acc[s] = combine(acc[s], acc[s + width]);
    }
    if (n <= kBlock) return acc[0];
    tree.push(acc[0]);
    if (begin + kBlock >= n) return tree.result();
  }
}

/// Calls f with a value of the C++ type of a floating dtype.
template <class F>
WICK_SIMD void with_float(DType dtype, F f) {
  switch (dtype) {
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    case DType::Float64:
      return f(double{});
    default:
      return f(float{});
  }
}

}  // namespace wick::cpu::WICK_ISA
