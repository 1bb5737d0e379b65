#include <wick/core/autograd.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/core/ops/pointwise_engine.h>
#include <cmath>

namespace wick {

using detail::Operand;

// --- unary

#define WICK_DEFINE_UNARY(name, Name, float_only)                               \
  Tensor name(const Tensor& x) {                                                \
    return detail::unary<pointwise::Name>(#name, UnaryOp::Name, x, float_only); \
  }
#define WICK_DEFINE_UNARY_METHODS(name, Name, float_only)                                       \
  Tensor Tensor::name() const { return wick::name(*this); }                                     \
  Tensor& Tensor::name##_() {                                                                   \
    return detail::unary_inplace<pointwise::Name>(#name "_", UnaryOp::Name, *this, float_only); \
  }
#define WICK_DEFINE_FLOAT(name, Name) \
  WICK_DEFINE_UNARY(name, Name, true) \
  WICK_DEFINE_UNARY_METHODS(name, Name, true)
#define WICK_DEFINE_ANY(name, Name)    \
  WICK_DEFINE_UNARY(name, Name, false) \
  WICK_DEFINE_UNARY_METHODS(name, Name, false)
WICK_UNARY_FLOAT_OPS(WICK_DEFINE_FLOAT)
WICK_UNARY_RARE_OPS(WICK_DEFINE_FLOAT)
WICK_UNARY_ANY_OPS(WICK_DEFINE_ANY)

// Integers are whole.
#define WICK_DEFINE_ROUNDING(name, Name)                                                   \
  Tensor name(const Tensor& x) {                                                           \
    if (is_integral(x.dtype())) return x.clone();                                          \
    return detail::unary<pointwise::Name>(#name, UnaryOp::Name, x, false);                 \
  }                                                                                        \
  Tensor Tensor::name() const { return wick::name(*this); }                                \
  Tensor& Tensor::name##_() {                                                              \
    if (is_integral(dtype())) return *this;                                                \
    return detail::unary_inplace<pointwise::Name>(#name "_", UnaryOp::Name, *this, false); \
  }
WICK_UNARY_ROUNDING_OPS(WICK_DEFINE_ROUNDING)

Tensor gelu(const Tensor& x, const std::string& approximate) {
  if (approximate == "none") return detail::unary<pointwise::Gelu>("gelu", UnaryOp::Gelu, x, true);
  WICK_CHECK(ValueError, approximate == "tanh",
             "gelu: expected approximate to be \"none\" or \"tanh\", got \"", approximate, "\"");
  return detail::unary<pointwise::GeluTanh>("gelu", UnaryOp::GeluTanh, x, true);
}

// --- binary

#define WICK_DEFINE_BINARY(name, Name)                                                     \
  Tensor name(const Tensor& a, const Tensor& b) {                                          \
    return detail::binary<pointwise::Name>(#name, BinaryOp::Name, Operand(a), Operand(b)); \
  }                                                                                        \
  Tensor Tensor::name(const Tensor& other) const { return wick::name(*this, other); }      \
  Tensor& Tensor::name##_(const Tensor& other) {                                           \
    return detail::binary_inplace<pointwise::Name>(#name "_", BinaryOp::Name, *this,       \
                                                   Operand(other));                        \
  }
WICK_BINARY_OPS(WICK_DEFINE_BINARY)
WICK_BINARY_RARE_OPS(WICK_DEFINE_BINARY)

#define WICK_DEFINE_SCALAR(name, Name)                                                     \
  Tensor name(const Tensor& a, Scalar b) {                                                 \
    return detail::binary<pointwise::Name>(#name, BinaryOp::Name, Operand(a), Operand(b)); \
  }                                                                                        \
  Tensor Tensor::name(Scalar other) const { return wick::name(*this, other); }             \
  Tensor& Tensor::name##_(Scalar other) {                                                  \
    return detail::binary_inplace<pointwise::Name>(#name "_", BinaryOp::Name, *this,       \
                                                   Operand(other));                        \
  }
WICK_BINARY_SCALAR_OPS(WICK_DEFINE_SCALAR)

Tensor pow(Scalar a, const Tensor& b) {
  return detail::binary<pointwise::Pow>("pow", BinaryOp::Pow, Operand(a), Operand(b));
}
Tensor remainder(Scalar a, const Tensor& b) {
  return detail::binary<pointwise::Remainder>("remainder", BinaryOp::Remainder, Operand(a),
                                              Operand(b));
}
Tensor operator-(Scalar a, const Tensor& b) {
  return detail::binary<pointwise::Sub>("sub", BinaryOp::Sub, Operand(a), Operand(b));
}
Tensor operator/(Scalar a, const Tensor& b) {
  return detail::binary<pointwise::Div>("div", BinaryOp::Div, Operand(a), Operand(b));
}

namespace {
// alpha * b, as add() with alpha wants it.
Tensor scaled(const char* op, const Tensor& a, const Tensor& b, Scalar alpha) {
  WICK_CHECK(DTypeError, !alpha.is_floating_point() || is_floating_point(detail::result_type(a, b)),
             op, ": expected an integer alpha for integer tensors, got ", alpha);
  return mul(b, alpha);
}
}  // namespace

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  return add(a, scaled("add", a, b, alpha));
}
Tensor Tensor::add(const Tensor& other, Scalar alpha) const {
  return wick::add(*this, other, alpha);
}
Tensor& Tensor::add_(const Tensor& other, Scalar alpha) {
  return add_(scaled("add_", *this, other, alpha));
}

// --- comparisons

#define WICK_DEFINE_COMPARE(name, Name)                                               \
  Tensor name(const Tensor& a, const Tensor& b) {                                     \
    return detail::compare(#name, CompareOp::Name, Operand(a), Operand(b));           \
  }                                                                                   \
  Tensor name(const Tensor& a, Scalar b) {                                            \
    return detail::compare(#name, CompareOp::Name, Operand(a), Operand(b));           \
  }                                                                                   \
  Tensor Tensor::name(const Tensor& other) const { return wick::name(*this, other); } \
  Tensor Tensor::name(Scalar other) const { return wick::name(*this, other); }
WICK_COMPARE_OPS(WICK_DEFINE_COMPARE)

// --- where

namespace {

Tensor select_by(const Tensor& condition, const Operand& a, const Operand& b, DType dtype) {
  WICK_CHECK(DTypeError, condition.dtype() == kBool, "where: expected a bool condition, got ",
             condition.dtype(), "; compare it first");
  static const Tensor* const none = new Tensor;
  const Tensor& like_a = a.tensor ? *a.tensor : *none;
  const Tensor& like_b = b.tensor ? *b.tensor : *none;
  const Device device = detail::common_device("where", {&condition, &like_a, &like_b}, true);
  const Tensor c = condition.to(device);
  const Tensor x = a.tensor ? a.tensor->to(device, dtype) : Tensor();
  const Tensor y = b.tensor ? b.tensor->to(device, dtype) : Tensor();
  detail::Dims shape(c.sizes());
  if (x.defined()) shape = detail::broadcast_shapes("where", shape, x.sizes());
  if (y.defined()) shape = detail::broadcast_shapes("where", shape, y.sizes());
  Tensor out = detail::make_empty(shape, dtype, device);
  ElementwiseArgs args =
      detail::elementwise_args(out, {&c, x.defined() ? &x : nullptr, y.defined() ? &y : nullptr});
  if (!x.defined()) args.immediate = a.immediate(dtype);
  if (!y.defined()) args.immediate = b.immediate(dtype);
  WICK_DISPATCH(device, where, dtype, args);
  if (needs_grad(x, y)) {
    record("where", {x, y}, out, [c = save(c)](Backward& ctx) -> Grads {
      const Tensor condition = ctx.unpack(c);
      return {ctx.needs(0) ? where(condition, ctx.grad(), 0.0) : Tensor(),
              ctx.needs(1) ? where(condition, 0.0, ctx.grad()) : Tensor()};
    });
  }
  return out;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return select_by(condition, Operand(a), Operand(b), detail::result_type(a, b));
}
Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  return select_by(condition, Operand(a), Operand(b), detail::result_type(a, b));
}
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  return select_by(condition, Operand(a), Operand(b), detail::result_type(b, a));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  WICK_CHECK(DTypeError, detail::result_type(x, value) == x.dtype(), "masked_fill: cannot fill a ",
             x.dtype(), " tensor with ", value);
  return select_by(mask, Operand(value), Operand(x), x.dtype());
}

Tensor Tensor::where(const Tensor& condition, const Tensor& other) const {
  return wick::where(condition, *this, other);
}
Tensor Tensor::masked_fill(const Tensor& mask, Scalar value) const {
  return wick::masked_fill(*this, mask, value);
}

// --- differentiable values

namespace detail {

Value where(const Condition& c, const Value& a, const Value& b) {
  if (c.known()) return c.answer() ? a : b;
  if (a.is_number() && b.is_number()) {
    // Two numbers have no type of their own. In float64 they decide nothing: float32 would, against
    // a float64 tensor without dimensions. The gradient is given its type in the end.
    const Tensor x = full({}, a.number(), TensorOptions(kFloat64).device(c.tensor().device()));
    return wick::where(c.tensor(), x, Scalar(b.number()));
  }
  if (a.is_number()) return wick::where(c.tensor(), Scalar(a.number()), b.tensor());
  if (b.is_number()) return wick::where(c.tensor(), a.tensor(), Scalar(b.number()));
  return wick::where(c.tensor(), a.tensor(), b.tensor());
}
#define WICK_DEFINE_VALUE(name, of_number)                    \
  Value name(const Value& x) {                                \
    if (!x.is_number()) return Value(wick::name(x.tensor())); \
    const double v = x.number();                              \
    return Value(of_number);                                  \
  }
WICK_VALUE_FUNCTIONS(WICK_DEFINE_VALUE)
Value rint(const Value& x) {
  return x.is_number() ? Value(std::nearbyint(x.number())) : Value(round(x.tensor()));
}
Value pow(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return Value(std::pow(a.number(), b.number()));
  if (a.is_number()) return wick::pow(Scalar(a.number()), b.tensor());
  if (b.is_number()) return wick::pow(a.tensor(), Scalar(b.number()));
  return wick::pow(a.tensor(), b.tensor());
}

}  // namespace detail
}  // namespace wick
