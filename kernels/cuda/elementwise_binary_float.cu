// out = f(a, b) for floating types. Bytes moved: a, b and out, once each.
#include <wick/kernels/cuda/elementwise_binary.h>

namespace wick::cuda {
namespace {

template <class T>
void dispatch(BinaryOp op, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return launch_binary<pointwise::Name, T>(args);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      return binary_rare(op, dtype_of<T>, args);
  }
}

}  // namespace

void binary_float(BinaryOp op, DType dtype, const ElementwiseArgs& args) {
  switch (dtype) {
    case DType::Float16:
      return dispatch<Half>(op, args);
    case DType::BFloat16:
      return dispatch<BFloat16>(op, args);
    case DType::Float32:
      return dispatch<float>(op, args);
    default:
      return dispatch<double>(op, args);
  }
}

void binary(BinaryOp op, DType dtype, const ElementwiseArgs& args) {
  if (is_floating_point(dtype)) return binary_float(op, dtype, args);
  binary_integer(op, dtype, args);
}

}  // namespace wick::cuda
