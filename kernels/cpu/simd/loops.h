#pragma once

#include <wick/kernels/cpu/simd/elementwise.h>
#include <wick/kernels/cpu/simd/vec.h>
#include <wick/kernels/pointwise.h>

// Says that iterations do not depend on each other: the output is either one of the inputs or
// apart from them. (clang's pragma for this warns about loops that it does not vectorise anyway.)
#if defined(__clang__)
#define WICK_INDEPENDENT
#else
#define WICK_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace wick::cpu::WICK_ISA {
namespace {

template <class V, class F, size_t... I>
WICK_SIMD void map_vectors(void* const* operands, int64_t n, F f, std::index_sequence<I...>) {
  using E = typename V::Element;
  E* const out = static_cast<E*>(operands[0]);
  const E* const in[] = {static_cast<const E*>(operands[I + 1])...};
  int64_t i = 0;
  for (; i + V::kSize <= n; i += V::kSize) f(V::load(in[I] + i)...).store(out + i);
  if (i < n) f(V::load(in[I] + i, n - i)...).store(out + i, n - i);
}

/// operands[0][i] = f(operands[1][i], ...), whole vectors first, then the rest in the lanes of one.
template <int kInputs, class V, class F>
WICK_SIMD void map_vectors(void* const* operands, int64_t n, F f) {
  map_vectors<V>(operands, n, f, std::make_index_sequence<kInputs>());
}

template <class E, class F, size_t... I>
WICK_SIMD void map_scalars(void* const* operands, int64_t n, F f, std::index_sequence<I...>) {
  E* const out = static_cast<E*>(operands[0]);
  const E* const in[] = {static_cast<const E*>(operands[I + 1])...};
  WICK_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) out[i] = f(in[I][i]...);
}

/// The same one by one, in as far as the compiler sees no way to do more.
template <int kInputs, class E, class F>
WICK_SIMD void map_scalars(void* const* operands, int64_t n, F f) {
  map_scalars<E>(operands, n, f, std::make_index_sequence<kInputs>());
}

/// An op with its numbers, which lie in memory one after the other; most have none.
template <class Op>
WICK_SIMD Op op_of([[maybe_unused]] void* const* operands) {
  Op op{};
  if constexpr (!std::is_empty_v<Op>) {
    __builtin_memcpy(&op, operands[ElementwiseArgs::kNumbers], sizeof op);
  }
  return op;
}

}  // namespace
}  // namespace wick::cpu::WICK_ISA
