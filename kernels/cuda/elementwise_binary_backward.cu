// grad_a = grad_y * df/da(a, b, y), or the same for b. Bytes moved: the gradients and those of a, b
// and y that the op's `reads` names, once each.
#include <wick/kernels/cuda/elementwise_engine.h>
#include <wick/kernels/pointwise.h>

namespace wick::cuda {
namespace {

template <class Op, class T, bool kSideA>
struct Gradient {
  __device__ static T apply(T grad, T a, T b, T y) {
    if constexpr (kSideA) {
      return down<T>(Op::grad_a(up(grad), up(a), up(b), up(y)));
    } else {
      return down<T>(Op::grad_b(up(grad), up(a), up(b), up(y)));
    }
  }
};

// Operands that are not needed are grad_y again; the compiler drops the loads.
template <class Op, class T>
void backward(int side, const ElementwiseArgs& args) {
  if (side == 0) {
    launch_elementwise<Gradient<Op, T, true>, T, T, T, T, T, T>(args, args.immediate.as<T>());
  } else {
    launch_elementwise<Gradient<Op, T, false>, T, T, T, T, T, T>(args, args.immediate.as<T>());
  }
}

template <class T>
void dispatch(BinaryOp op, int side, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return backward<pointwise::Name, T>(side, args);
    WICK_BINARY_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      return binary_backward_rare(op, side, dtype_of<T>, args);
  }
}

}  // namespace

void binary_backward(BinaryOp op, int side, DType dtype, const ElementwiseArgs& args) {
  switch (dtype) {
    case DType::Float16:
      return dispatch<Half>(op, side, args);
    case DType::BFloat16:
      return dispatch<BFloat16>(op, side, args);
    case DType::Float32:
      return dispatch<float>(op, side, args);
    case DType::Float64:
      return dispatch<double>(op, side, args);
    default:
      WICK_FAIL(DTypeError, "binary_backward: expected a floating type, got ", dtype);
  }
}

}  // namespace wick::cuda
