#include <wick/core/ops/pointwise_engine.h>

namespace wick::detail {

namespace {

bool same_memory(const Tensor& a, const Tensor& b) {
  return a.impl().storage() == b.impl().storage();
}

bool same_geometry(const Tensor& a, const Tensor& b) {
  return a.storage_offset() == b.storage_offset() && a.sizes() == b.sizes() &&
         a.strides() == b.strides() && a.dtype() == b.dtype();
}

// The output: dense in the order of the first input that already has the shape.
Tensor make_output(const char* op, const Tensor* a, const Tensor* b, DType dtype, Device device) {
  if (a && b) {
    if (a->sizes() == b->sizes())
      return make_empty_like(a->impl().is_contiguous() ? *b : *a, dtype);
    const Dims shape = broadcast_shapes(op, a->sizes(), b->sizes());
    if (a->sizes() == IntArrayRef(shape)) return make_empty_like(*a, dtype);
    if (b->sizes() == IntArrayRef(shape)) return make_empty_like(*b, dtype);
    return make_empty(shape, dtype, device);
  }
  return make_empty_like(a ? *a : *b, dtype);
}

#define WICK_TYPES(name, Name) pointwise::Name::types,
constexpr pointwise::Types kBinaryTypes[] = {WICK_BINARY_OPS(WICK_TYPES) WICK_BINARY_RARE_OPS(
    WICK_TYPES) WICK_BINARY_SPECIAL_OPS(WICK_TYPES)};
#undef WICK_TYPES

void check_binary_type(const char* op, BinaryOp kind, DType dtype, const Operand& b) {
  const int types = kBinaryTypes[static_cast<size_t>(kind)];
  WICK_CHECK(DTypeError, dtype != kBool || (types & pointwise::kBooleans) != 0, op,
             ": not defined for two bool tensors; convert one with .to(kInt64), or use ne() for "
             "the exclusive or");
  WICK_CHECK(DTypeError, !is_floating_point(dtype) || (types & pointwise::kFloats) != 0, op,
             ": expected integers, got ", dtype, "; convert with .to(kInt64)");
  if (kind == BinaryOp::Pow && !b.tensor && !is_floating_point(dtype)) {
    WICK_CHECK(ValueError, b.scalar.to<int64_t>() >= 0, op,
               ": Integers to negative integer powers are not allowed; convert the base to a "
               "floating type");
  }
}

}  // namespace

// Converts both to `dtype` on one device; scalars on the host follow the other argument.
static void fill_pair(const char* op, Pair& pair, const Operand& a, const Operand& b) {
  static const Tensor* const none = new Tensor;
  pair.device = common_device(op, {a.tensor ? a.tensor : none, b.tensor ? b.tensor : none}, true);
  const auto convert = [&](const Operand& from, Tensor& held) -> const Tensor* {
    if (!from.tensor) return nullptr;
    if (from.tensor->dtype() == pair.dtype && from.tensor->device() == pair.device)
      return from.tensor;
    held = from.tensor->to(pair.device, pair.dtype);
    return &held;
  };
  pair.a = convert(a, pair.held_a);
  pair.b = convert(b, pair.held_b);
}

Pair make_pair(const char* op, BinaryOp kind, const Operand& a, const Operand& b) {
  Pair pair;
  pair.dtype = !a.tensor   ? result_type(*b.tensor, a.scalar)
               : !b.tensor ? result_type(*a.tensor, b.scalar)
                           : result_type(*a.tensor, *b.tensor);
  if (kBinaryTypes[static_cast<size_t>(kind)] == pointwise::kFloats)
    pair.dtype = to_float_type(pair.dtype);
  check_binary_type(op, kind, pair.dtype, b);
  fill_pair(op, pair, a, b);
  return pair;
}

Tensor unary_input(const char* op, const Tensor& x, bool float_only) {
  if (float_only) return x.to(to_float_type(x.dtype()));
  WICK_CHECK(DTypeError, x.dtype() != kBool, op,
             ": not defined for bool tensors; convert with .to(kInt64), or compare with eq()");
  return x;
}

// The kernels read the numbers only on the host, before they return.
static void* numbers_of(const void* op) { return const_cast<void*>(op); }

Tensor unary_raw(UnaryOp kind, const Tensor& x, const void* numbers) {
  Tensor y = make_empty_like(x, x.dtype());
  ElementwiseArgs args = elementwise_args(y, {&x});
  args.data[ElementwiseArgs::kNumbers] = numbers_of(numbers);
  WICK_DISPATCH(x.device(), unary, kind, x.dtype(), args);
  return y;
}

Tensor unary_backward_raw(UnaryOp kind, const Tensor& grad, const Tensor& x, const Tensor& y,
                          const void* numbers) {
  Tensor grad_x = make_empty_like(x.defined() ? x : y, grad.dtype());
  ElementwiseArgs args =
      elementwise_args(grad_x, {&grad, x.defined() ? &x : &grad, y.defined() ? &y : &grad});
  args.data[ElementwiseArgs::kNumbers] = numbers_of(numbers);
  WICK_DISPATCH(grad.device(), unary_backward, kind, grad.dtype(), args);
  return grad_x;
}

Tensor binary_raw(const char* op, BinaryOp kind, const Pair& pair, const Operand& a,
                  const Operand& b) {
  Tensor y = make_output(op, pair.a, pair.b, pair.dtype, pair.device);
  ElementwiseArgs args = elementwise_args(y, {pair.a, pair.b});
  if (!pair.a) args.immediate = a.immediate(pair.dtype);
  if (!pair.b) args.immediate = b.immediate(pair.dtype);
  WICK_DISPATCH(pair.device, binary, kind, pair.dtype, args);
  return y;
}

Tensor binary_backward_raw(BinaryOp kind, int side, const Tensor& grad, const Tensor& a,
                           const Tensor& b, const Tensor& y) {
  Tensor out = make_empty_like(grad, grad.dtype());
  const Tensor* unused = &grad;
  WICK_DISPATCH(grad.device(), binary_backward, kind, side, grad.dtype(),
                elementwise_args(out, {&grad, a.defined() ? &a : unused, b.defined() ? &b : unused,
                                       y.defined() ? &y : unused}));
  return out;
}

Tensor compare(const char* op, CompareOp kind, const Operand& a, const Operand& b) {
  const NoGradGuard no_grad;  // conversions of the arguments need no history either
  Pair pair;
  pair.dtype = b.tensor ? result_type(*a.tensor, *b.tensor) : result_type(*a.tensor, b.scalar);
  fill_pair(op, pair, a, b);
  Tensor y = make_output(op, pair.a, pair.b, kBool, pair.device);
  ElementwiseArgs args = elementwise_args(y, {pair.a, pair.b});
  if (!pair.b) args.immediate = b.immediate(pair.dtype);
  WICK_DISPATCH(pair.device, compare, kind, pair.dtype, args);
  return y;
}

void check_inplace_result(const char* op, const Tensor& x, DType result, IntArrayRef shape) {
  const auto category = [](DType d) { return is_floating_point(d) ? 2 : d == kBool ? 0 : 1; };
  WICK_CHECK(DTypeError, category(result) <= category(x.dtype()), op, ": result type ", result,
             " can't be cast to the desired output type ", x.dtype(),
             "; use the out-of-place form or convert first");
  WICK_CHECK(ShapeError, shape == x.sizes(), op, ": the result of shape ", shape,
             " does not fit into the tensor of shape ", x.sizes());
}

Tensor take_previous(const Tensor& x, bool copy) {
  Tensor before = previous(x);
  if (!copy) return before;
  Tensor copied = x.detach().clone();
  copied.impl().ensure_meta().grad_fn = gradient_edge(x.impl());
  return copied;
}

void adopt(Tensor& x, const Tensor& y) {
  copy_raw(x, y);
  bump_version(x);
  adopt_inplace(y.grad_fn(), x);
}

void binary_into(const char* op, BinaryOp kind, const Tensor& x, const Operand& b) {
  check_binary_type(op, kind, x.dtype(), b);
  Tensor other;
  if (b.tensor) {
    const NoGradGuard no_grad;
    other = b.tensor->to(x.device(), x.dtype());
    // Writing while reading shifted elements of the same memory would depend on the order.
    if (same_memory(x, other) && !same_geometry(x, other)) other = other.clone();
  }
  ElementwiseArgs args = elementwise_args(x, {&x, b.tensor ? &other : nullptr});
  if (!b.tensor) args.immediate = b.immediate(x.dtype());
  WICK_DISPATCH(x.device(), binary, kind, x.dtype(), args);
}

void unary_into(UnaryOp kind, const Tensor& x, const void* numbers) {
  ElementwiseArgs args = elementwise_args(x, {&x});
  args.data[ElementwiseArgs::kNumbers] = numbers_of(numbers);
  WICK_DISPATCH(x.device(), unary, kind, x.dtype(), args);
}

}  // namespace wick::detail
