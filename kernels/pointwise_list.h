#pragma once

// The elementwise ops: one line here and one struct in kernels/pointwise_unary.h or
// kernels/pointwise_binary.h give an op its CPU and CUDA kernels, its function, its Tensor method,
// its in-place form and its gradient.
//   _(name of the function, name of the struct)
// Ops called rare share one kernel on CUDA and run one element after the other on the CPU.

/// Floating types only; integers are promoted to the default dtype first.
#define WICK_UNARY_FLOAT_OPS(_) \
  _(exp, Exp)                   \
  _(log, Log)                   \
  _(sqrt, Sqrt)                 \
  _(sigmoid, Sigmoid)           \
  _(tanh, Tanh)                 \
  _(erf, Erf)                   \
  _(rsqrt, Rsqrt)               \
  _(reciprocal, Reciprocal)     \
  _(expm1, Expm1)               \
  _(log1p, Log1p)               \
  _(sin, Sin)                   \
  _(cos, Cos)                   \
  _(silu, Silu)                 \
  _(mish, Mish)                 \
  _(hardswish, Hardswish)
#define WICK_UNARY_RARE_OPS(_) \
  _(log2, Log2)                \
  _(log10, Log10)              \
  _(exp2, Exp2)                \
  _(tan, Tan)                  \
  _(asin, Asin)                \
  _(acos, Acos)                \
  _(atan, Atan)                \
  _(sinh, Sinh)                \
  _(cosh, Cosh)                \
  _(asinh, Asinh)              \
  _(acosh, Acosh)              \
  _(atanh, Atanh)              \
  _(erfc, Erfc)                \
  _(frac, Frac)                \
  _(log_sigmoid, LogSigmoid)   \
  _(hardsigmoid, Hardsigmoid)
/// Rare; integers are whole already.
#define WICK_UNARY_ROUNDING_OPS(_) \
  _(floor, Floor)                  \
  _(ceil, Ceil)                    \
  _(round, Round)                  \
  _(trunc, Trunc)

/// Floating types only; functions with arguments of their own, so no method is made from the list.
#define WICK_UNARY_SPECIAL_OPS(_) \
  _(gelu, Gelu)                   \
  _(gelu_tanh, GeluTanh)
/// The same; the struct holds the arguments.
#define WICK_UNARY_NUMBER_OPS(_) \
  _(clamp, Clamp)                \
  _(hardtanh, Hardtanh)          \
  _(leaky_relu, LeakyRelu)       \
  _(elu, Elu)                    \
  _(softplus, Softplus)

/// All types but bool (as in PyTorch).
#define WICK_UNARY_ANY_OPS(_) \
  _(neg, Neg)                 \
  _(abs, Abs)                 \
  _(relu, Relu)               \
  _(square, Square)           \
  _(sign, Sign)

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
#define WICK_BINARY_RARE_OPS(_)             \
  _(remainder, Remainder)                   \
  _(fmod, Fmod)                             \
  _(floor_divide, FloorDivide)              \
  _(bitwise_and, BitwiseAnd)                \
  _(bitwise_or, BitwiseOr)                  \
  _(bitwise_xor, BitwiseXor)                \
  _(bitwise_left_shift, BitwiseLeftShift)   \
  _(bitwise_right_shift, BitwiseRightShift) \
  _(atan2, Atan2)                           \
  _(hypot, Hypot)                           \
  _(copysign, Copysign)
/// Rare, and no function of this name: division with its rounding mode.
#define WICK_BINARY_SPECIAL_OPS(_) _(trunc_divide, TruncDivide)
/// These take a number on the right too.
#define WICK_BINARY_SCALAR_OPS(_)           \
  _(add, Add)                               \
  _(sub, Sub)                               \
  _(mul, Mul)                               \
  _(div, Div)                               \
  _(pow, Pow)                               \
  _(remainder, Remainder)                   \
  _(fmod, Fmod)                             \
  _(floor_divide, FloorDivide)              \
  _(bitwise_and, BitwiseAnd)                \
  _(bitwise_or, BitwiseOr)                  \
  _(bitwise_xor, BitwiseXor)                \
  _(bitwise_left_shift, BitwiseLeftShift)   \
  _(bitwise_right_shift, BitwiseRightShift) \
  _(copysign, Copysign)

#define WICK_COMPARE_OPS(_) \
  _(eq, Eq)                 \
  _(ne, Ne)                 \
  _(lt, Lt)                 \
  _(le, Le)                 \
  _(gt, Gt)                 \
  _(ge, Ge)
