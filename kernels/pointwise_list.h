#pragma once

// The elementwise ops: one line here and one struct in kernels/pointwise.h give an op its CPU and
// CUDA kernels, its function, its Tensor method, its in-place form and its gradient.
//   _(name of the function, name of the struct)

/// Floating types only; integers are promoted to the default dtype first.
#define WICK_UNARY_FLOAT_OPS(_) \
  _(exp, Exp)                   \
  _(log, Log)                   \
  _(sqrt, Sqrt)                 \
  _(sigmoid, Sigmoid)           \
  _(tanh, Tanh)                 \
  _(erf, Erf)

/// Floating types only; functions with arguments of their own, so no method is made from the list.
#define WICK_UNARY_SPECIAL_OPS(_) \
  _(gelu, Gelu)                   \
  _(gelu_tanh, GeluTanh)

/// All types but bool (as in PyTorch).
#define WICK_UNARY_ANY_OPS(_) \
  _(neg, Neg)                 \
  _(abs, Abs)                 \
  _(relu, Relu)

#define WICK_UNARY_OPS(_) \
  WICK_UNARY_FLOAT_OPS(_) \
  WICK_UNARY_SPECIAL_OPS(_) WICK_UNARY_ANY_OPS(_)

#define WICK_BINARY_OPS(_) \
  _(add, Add)              \
  _(sub, Sub)              \
  _(mul, Mul)              \
  _(div, Div)              \
  _(pow, Pow)              \
  _(maximum, Maximum)      \
  _(minimum, Minimum)

#define WICK_COMPARE_OPS(_) \
  _(eq, Eq)                 \
  _(ne, Ne)                 \
  _(lt, Lt)                 \
  _(le, Le)                 \
  _(gt, Gt)                 \
  _(ge, Ge)
