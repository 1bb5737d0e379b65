#pragma once

#include <wick/kernels/args.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/elementwise.h>
#include <utility>

// One engine for all elementwise kernels: out[i] = f(in[i]...). Each functor gets two kernels: one
// for dense operands with accesses of 16 bytes, one for any strides (and misaligned memory). Each
// operand is read, and the output written, once.
namespace wick::cuda {

/// Operand 0 is the output. An operand without memory is the immediate value.
template <int N, class Value>
struct Operands {
  int64_t numel;
  int64_t sizes[kMaxRank];
  int64_t strides[N][kMaxRank];
  void* data[N];
  int ndim;
  Value immediate;
};

/// Offsets of element i in each operand; the last dimension varies fastest.
template <int N, class Index>
__device__ inline void strided_offsets(const int64_t* sizes, const int64_t (*strides)[kMaxRank],
                                       int ndim, Index i, int64_t* offsets) {
  for (int k = 0; k < N; ++k) offsets[k] = 0;
  for (int d = ndim - 1; d >= 0; --d) {
    const Index size = static_cast<Index>(sizes[d]);
    const Index rest = i / size;
    const auto position = static_cast<int64_t>(i - rest * size);
    for (int k = 0; k < N; ++k) offsets[k] += position * strides[k][d];
    i = rest;
  }
}
/// The same, with 32-bit divisions where they suffice.
template <int N>
__device__ inline void element_offsets(const int64_t* sizes, const int64_t (*strides)[kMaxRank],
                                       int ndim, int64_t numel, int64_t i, int64_t* offsets) {
  if (numel <= UINT32_MAX) {
    strided_offsets<N>(sizes, strides, ndim, static_cast<uint32_t>(i), offsets);
  } else {
    strided_offsets<N>(sizes, strides, ndim, static_cast<uint64_t>(i), offsets);
  }
}

template <class T, int N, class Value>
__device__ inline T load_operand(const Operands<N, Value>& p, int k, int64_t offset) {
  if constexpr (std::is_same_v<T, Value>) {
    if (!p.data[k]) return p.immediate;
  }
  return static_cast<const T*>(p.data[k])[offset];
}
template <class T, int V, int N, class Value>
__device__ inline Vec<T, V> load_vector(const Operands<N, Value>& p, int k, int64_t i) {
  if constexpr (std::is_same_v<T, Value>) {
    if (!p.data[k]) {
      Vec<T, V> all;
      for (int j = 0; j < V; ++j) all.v[j] = p.immediate;
      return all;
    }
  }
  return static_cast<const Vec<T, V>*>(p.data[k])[i];
}

template <class Out, class... In>
constexpr int vector_length() {
  size_t widest = sizeof(Out);
  ((widest = sizeof(In) > widest ? sizeof(In) : widest), ...);
  return static_cast<int>(16 / widest);
}

template <class F, class Out, class... In>
struct Elementwise {
  static constexpr int kOperands = 1 + static_cast<int>(sizeof...(In));
  static constexpr int kVector = vector_length<Out, In...>();
  template <class Value>
  struct Args : Operands<kOperands, Value> {
    F f;
  };

  template <class Value, size_t... I>
  __device__ static void strided_element(const Args<Value>& p, int64_t i,
                                         std::index_sequence<I...>) {
    int64_t offsets[kOperands];
    element_offsets<kOperands>(p.sizes, p.strides, p.ndim, p.numel, i, offsets);
    static_cast<Out*>(p.data[0])[offsets[0]] =
        p.f.apply(load_operand<In>(p, static_cast<int>(I) + 1, offsets[I + 1])...);
  }
  template <class Value, size_t... I>
  __device__ static void dense_vector(const Args<Value>& p, int64_t i, std::index_sequence<I...>) {
    Vec<Out, kVector> out;
    const auto body = [&](const auto&... in) {
#pragma unroll
      for (int j = 0; j < kVector; ++j) out.v[j] = p.f.apply(in.v[j]...);
    };
    body(load_vector<In, kVector>(p, static_cast<int>(I) + 1, i)...);
    static_cast<Vec<Out, kVector>*>(p.data[0])[i] = out;
  }
  template <class Value, size_t... I>
  __device__ static void dense_element(const Args<Value>& p, int64_t i, std::index_sequence<I...>) {
    static_cast<Out*>(p.data[0])[i] = p.f.apply(load_operand<In>(p, static_cast<int>(I) + 1, i)...);
  }
  template <int N, class Value>
  static bool vectors_fit(const Operands<N, Value>& p) {
    return fits<0, Out, In...>(p);
  }

 private:
  template <int K, class T, class... Rest, int N, class Value>
  static bool fits(const Operands<N, Value>& p) {
    if (p.data[K] && (!is_aligned<T, kVector>(static_cast<const T*>(p.data[K])) ||
                      (p.ndim == 1 && p.strides[K][0] != 1)))
      return false;
    if constexpr (sizeof...(Rest) > 0) return fits<K + 1, Rest...>(p);
    return p.ndim <= 1;
  }
};

template <class E, class Value>
__global__ void __launch_bounds__(kThreads, kMinBlocks<Value>)
    elementwise_dense_kernel(GPU_GRID_CONSTANT(typename E::template Args<Value>) p) {
  constexpr auto kInputs = std::make_index_sequence<E::kOperands - 1>();
  const int64_t vectors = p.numel / E::kVector;
  for (int64_t i = first_item(); i < vectors; i += item_step()) E::dense_vector(p, i, kInputs);
  for (int64_t i = vectors * E::kVector + first_item(); i < p.numel; i += item_step())
    E::dense_element(p, i, kInputs);
}

template <class E, class Value>
__global__ void __launch_bounds__(kThreads, kMinBlocks<Value>)
    elementwise_strided_kernel(GPU_GRID_CONSTANT(typename E::template Args<Value>) p) {
  constexpr auto kInputs = std::make_index_sequence<E::kOperands - 1>();
  for (int64_t i = first_item(); i < p.numel; i += item_step()) E::strided_element(p, i, kInputs);
}

/// Functors that choose among many ops when they run say so: for them the strided kernel does.
template <class F>
constexpr bool kRare = requires {
  typename F::Rare;
};

template <int N, class Value>
Operands<N, Value> make_operands(const ElementwiseArgs& args, Value immediate) {
  Operands<N, Value> p{};
  p.numel = args.numel;
  p.ndim = args.ndim;
  p.immediate = immediate;
  for (int d = 0; d < args.ndim; ++d) {
    p.sizes[d] = args.sizes[d];
    for (int k = 0; k < N; ++k) p.strides[k][d] = args.strides[k][d];
  }
  for (int k = 0; k < N; ++k) p.data[k] = args.data[k];
  return p;
}

/// out = f.apply(in...) over the operands of `args`. Only operands of type Value may be immediate.
template <class F, class Value, class Out, class... In>
void launch_elementwise(const ElementwiseArgs& args, Value immediate = Value{}, F f = {}) {
  using E = Elementwise<F, Out, In...>;
  if (args.numel == 0) return;
  const typename E::template Args<Value> p{make_operands<E::kOperands>(args, immediate), f};
  if constexpr (!kRare<F>) {
    if (E::vectors_fit(p)) {
      gpu::launch(elementwise_dense_kernel<E, Value>, grid_for(p.numel, kThreads * E::kVector),
                  kThreads, 0, gpu::stream(), p);
      return;
    }
  }
  gpu::launch(elementwise_strided_kernel<E, Value>, grid_for(p.numel, kThreads), kThreads, 0,
              gpu::stream(), p);
}

// The families are split over several files, so that none takes long to compile.
void binary_float(BinaryOp op, DType dtype, const ElementwiseArgs& args);
void binary_integer(BinaryOp op, DType dtype, const ElementwiseArgs& args);
void unary_rare(UnaryOp op, DType dtype, const ElementwiseArgs& args);
void unary_backward_rare(UnaryOp op, DType dtype, const ElementwiseArgs& args);
void binary_rare(BinaryOp op, DType dtype, const ElementwiseArgs& args);
void binary_backward_rare(BinaryOp op, int side, DType dtype, const ElementwiseArgs& args);

}  // namespace wick::cuda
