// out = f(x). Bytes moved: one read and one write of the tensor.
#include <wick/kernels/cuda/elementwise_unary.h>

namespace wick::cuda {
namespace {

template <class Op, class T>
void forward(const ElementwiseArgs& args) {
  launch_elementwise<Unary<Op, T>, T, T, T>(args, T{}, {op_of<Op>(args)});
}

template <class T>
void unary_of_float(UnaryOp op, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return forward<pointwise::Name, T>(args);
    WICK_UNARY_OPS(WICK_CASE)
    WICK_UNARY_NUMBER_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      return unary_rare(op, dtype_of<T>, args);
  }
}

template <class T>
void unary_of_integer(UnaryOp op, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return forward<pointwise::Name, T>(args);
    WICK_UNARY_ANY_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      WICK_FAIL(DTypeError, "unary: this function needs a floating type");
  }
}

}  // namespace

void unary(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  switch (dtype) {
    case DType::Float16:
      return unary_of_float<Half>(op, args);
    case DType::BFloat16:
      return unary_of_float<BFloat16>(op, args);
    case DType::Float32:
      return unary_of_float<float>(op, args);
    case DType::Float64:
      return unary_of_float<double>(op, args);
    case DType::UInt8:
      return unary_of_integer<uint8_t>(op, args);
    case DType::Int8:
      return unary_of_integer<int8_t>(op, args);
    case DType::Int16:
      return unary_of_integer<int16_t>(op, args);
    case DType::Int32:
      return unary_of_integer<int32_t>(op, args);
    case DType::Int64:
      return unary_of_integer<int64_t>(op, args);
    case DType::Bool:
      break;
  }
  WICK_FAIL(DTypeError, "unary: not available for bool; convert with .to(wick::kFloat32)");
}

}  // namespace wick::cuda
