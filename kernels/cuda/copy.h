#pragma once

#include <wick/kernels/cuda/elementwise_engine.h>

namespace wick::cuda {

template <class To, class From>
struct Convert {
  __device__ static To apply(From x) { return convert_value<To>(x); }
};

/// Conversion from one type to any other.
template <class From>
void convert_from(DType to, const ElementwiseArgs& args) {
  visit_dtype(to, [&](auto t) {
    using To = decltype(t);
    if constexpr (!std::is_same_v<To, From>)
      launch_elementwise<Convert<To, From>, To, To, From>(args);
  });
}

void copy_from_float(DType to, DType from, const ElementwiseArgs& args);
void copy_from_integer(DType to, DType from, const ElementwiseArgs& args);

}  // namespace wick::cuda
