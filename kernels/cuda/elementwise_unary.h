#pragma once

#include <wick/kernels/cuda/elementwise_engine.h>
#include <wick/kernels/pointwise.h>
#include <cstring>

namespace wick::cuda {

template <class Op, class T>
struct Unary {
  Op op;
  __device__ T apply(T x) const { return down<T>(op.forward(up(x))); }
};
template <class Op, class T>
struct BothSaved {
  Op op;
  __device__ T apply(T grad, T x, T y) const {
    return down<T>(up(grad) * op.derivative(up(x), up(y)));
  }
};

/// An op with its numbers, which lie in memory one after the other; most have none.
template <class Op>
Op op_of([[maybe_unused]] const ElementwiseArgs& args) {
  Op op{};
  if constexpr (!std::is_empty_v<Op>) {
    std::memcpy(&op, args.data[ElementwiseArgs::kNumbers], sizeof op);
  }
  return op;
}

}  // namespace wick::cuda
