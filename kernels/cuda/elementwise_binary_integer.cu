// out = f(a, b) for integers and bool. Bytes moved: a, b and out, once each.
#include <wick/kernels/cuda/elementwise_binary.h>

namespace wick::cuda {
namespace {

template <class T>
void dispatch(BinaryOp op, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name)                                                                   \
  case BinaryOp::Name:                                                                          \
    if constexpr (pointwise::kDefined<pointwise::Name, T>) {                                    \
      return launch_binary<pointwise::Name, T>(args);                                           \
    } else {                                                                                    \
      WICK_FAIL(DTypeError, #name ": not available for ", dtype_of<T>, "; convert with .to()"); \
    }
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      return binary_rare(op, dtype_of<T>, args);
  }
}

}  // namespace

void binary_integer(BinaryOp op, DType dtype, const ElementwiseArgs& args) {
  switch (dtype) {
    case DType::Bool:
      return dispatch<bool>(op, args);
    case DType::UInt8:
      return dispatch<uint8_t>(op, args);
    case DType::Int8:
      return dispatch<int8_t>(op, args);
    case DType::Int16:
      return dispatch<int16_t>(op, args);
    case DType::Int32:
      return dispatch<int32_t>(op, args);
    default:
      return dispatch<int64_t>(op, args);
  }
}

}  // namespace wick::cuda
