// grad_x = grad_y * f'(x, y). Bytes moved: grad_y, what the op saves, and grad_x, once each.
#include <wick/kernels/cuda/elementwise_unary.h>

namespace wick::cuda {
namespace {

// What an op does not save is not read, so that the kernel moves no more than it must.
template <class Op, class T>
struct OneSaved {
  Op op;
  __device__ T apply(T grad, T saved) const {
    const auto s = up(saved);
    return down<T>(up(grad) * op.derivative(s, s));
  }
};
template <class Op, class T>
struct NoneSaved {
  __device__ static T apply(T grad) {
    return down<T>(up(grad) * Op::derivative(Compute<T>(0), Compute<T>(0)));
  }
};

/// The first `count` operands, with operand `from` moved to the place `to`.
ElementwiseArgs pick(ElementwiseArgs args, int from, int to, int count) {
  args.data[to] = args.data[from];
  for (int d = 0; d < args.ndim; ++d) args.strides[to][d] = args.strides[from][d];
  args.operands = count;
  return args;
}

template <class Op, class T>
void backward(const ElementwiseArgs& args) {
  using pointwise::Saves;
  if constexpr (Op::saves == Saves::None) {
    launch_elementwise<NoneSaved<Op, T>, T, T, T>(pick(args, 1, 1, 2));
  } else if constexpr (Op::saves == Saves::Both) {
    launch_elementwise<BothSaved<Op, T>, T, T, T, T, T>(args, T{}, {op_of<Op>(args)});
  } else {
    const int saved = Op::saves == Saves::Input ? 2 : 3;
    launch_elementwise<OneSaved<Op, T>, T, T, T, T>(pick(args, saved, 2, 3), T{},
                                                    {op_of<Op>(args)});
  }
}

template <class T>
void dispatch(UnaryOp op, const ElementwiseArgs& args) {
  switch (op) {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return backward<pointwise::Name, T>(args);
    WICK_UNARY_OPS(WICK_CASE)
    WICK_UNARY_NUMBER_OPS(WICK_CASE)
#undef WICK_CASE
    default:
      return unary_backward_rare(op, dtype_of<T>, args);
  }
}

}  // namespace

void unary_backward(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  switch (dtype) {
    case DType::Float16:
      return dispatch<Half>(op, args);
    case DType::BFloat16:
      return dispatch<BFloat16>(op, args);
    case DType::Float32:
      return dispatch<float>(op, args);
    case DType::Float64:
      return dispatch<double>(op, args);
    default:
      WICK_FAIL(DTypeError, "unary_backward: expected a floating type, got ", dtype);
  }
}

}  // namespace wick::cuda
