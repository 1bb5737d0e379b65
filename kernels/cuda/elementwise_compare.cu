// out (bool) = a ? b. Bytes moved: a and b once, one byte for each result.
#include <wick/kernels/cuda/elementwise_engine.h>
#include <wick/kernels/pointwise.h>

namespace wick::cuda {
namespace {

template <class Op, class T>
struct Comparison {
  __device__ static bool apply(T a, T b) { return Op::forward(up(a), up(b)); }
};

template <class T>
void dispatch(CompareOp op, const ElementwiseArgs& args) {
  const T immediate = args.immediate.as<T>();
  switch (op) {
#define WICK_CASE(name, Name) \
  case CompareOp::Name:       \
    return launch_elementwise<Comparison<pointwise::Name, T>, T, bool, T, T>(args, immediate);
    WICK_COMPARE_OPS(WICK_CASE)
#undef WICK_CASE
  }
}

}  // namespace

void compare(CompareOp op, DType dtype, const ElementwiseArgs& args) {
  visit_dtype(dtype, [&](auto t) { dispatch<decltype(t)>(op, args); });
}

}  // namespace wick::cuda
