#pragma once

#include <wick/kernels/cuda/elementwise_engine.h>
#include <wick/kernels/pointwise.h>

namespace wick::cuda {

template <class Op, class T>
struct Binary {
  __device__ static T apply(T a, T b) { return down<T>(Op::forward(up(a), up(b))); }
};

template <class Op, class T>
void launch_binary(const ElementwiseArgs& args) {
  launch_elementwise<Binary<Op, T>, T, T, T, T>(args, args.immediate.as<T>());
}

}  // namespace wick::cuda
