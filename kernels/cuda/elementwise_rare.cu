// The ops called rare in kernels/pointwise_list.h, and their gradients: one kernel for each type,
// which chooses the op when it runs. Bytes moved: all operands once, the unneeded among those of
// the gradients included.
#include <wick/kernels/cuda/elementwise_unary.h>

namespace wick::cuda {
namespace {

struct RareUnary {
  UnaryOp kind;
#define WICK_EACH(call) \
  switch (kind) { WICK_UNARY_RARE_OPS(call) WICK_UNARY_ROUNDING_OPS(call) default : break; }
  template <class C>
  __device__ C forward(C x) const {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return pointwise::Name::forward(x);
    WICK_EACH(WICK_CASE)
#undef WICK_CASE
    return x;
  }
  template <class C>
  __device__ C derivative(C x, C y) const {
#define WICK_CASE(name, Name) \
  case UnaryOp::Name:         \
    return pointwise::Name::derivative(x, y);
    WICK_EACH(WICK_CASE)
#undef WICK_CASE
    return x;
  }
#undef WICK_EACH
};
template <class T>
struct RareForward : Unary<RareUnary, T> {
  using Rare = void;
};
template <class T>
struct RareBackward : BothSaved<RareUnary, T> {
  using Rare = void;
};

/// f(a, b) for side -1, else the gradient of that side.
template <class T, bool kGradient>
struct RareBinary {
  using Rare = void;
  BinaryOp kind;
  int side;

  template <class Op, class C>
  __device__ C call(C g, C a, C b, C y) const {
    if constexpr (!pointwise::kDefined<Op, C>) {
      return a;
    } else if constexpr (kGradient) {
      return side == 0 ? Op::grad_a(g, a, b, y) : Op::grad_b(g, a, b, y);
    } else {
      return Op::forward(a, b);
    }
  }
  template <class C>
  __device__ C choose(C g, C a, C b, C y) const {
    switch (kind) {
#define WICK_CASE(name, Name) \
  case BinaryOp::Name:        \
    return call<pointwise::Name>(g, a, b, y);
      WICK_BINARY_RARE_OPS(WICK_CASE)
      WICK_BINARY_SPECIAL_OPS(WICK_CASE)
#undef WICK_CASE
      default:
        return a;
    }
  }
  __device__ T apply(T a, T b) const { return down<T>(choose(up(a), up(a), up(b), up(b))); }
  __device__ T apply(T g, T a, T b, T y) const {
    return down<T>(choose(up(g), up(a), up(b), up(y)));
  }
};

}  // namespace

void unary_rare(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    launch_elementwise<RareForward<T>, T, T, T>(args, T{}, {{{op}}});
  });
}

void unary_backward_rare(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    launch_elementwise<RareBackward<T>, T, T, T, T, T>(args, T{}, {{{op}}});
  });
}

void binary_rare(BinaryOp op, DType dtype, const ElementwiseArgs& args) {
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    launch_elementwise<RareBinary<T, false>, T, T, T, T>(args, args.immediate.as<T>(), {op, 0});
  });
}

void binary_backward_rare(BinaryOp op, int side, DType dtype, const ElementwiseArgs& args) {
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    launch_elementwise<RareBinary<T, true>, T, T, T, T, T, T>(args, args.immediate.as<T>(),
                                                              {op, side});
  });
}

}  // namespace wick::cuda
