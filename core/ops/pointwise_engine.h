#pragma once

#include <wick/core/autograd.h>
#include <wick/core/autograd_meta.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/core/ops/value.h>
#include <wick/kernels/elementwise.h>
#include <wick/kernels/pointwise.h>
#include <optional>

// From the structs of kernels/pointwise.h to tensor ops with gradients. Internal; what does not
// depend on the op is in pointwise_engine.cpp.
namespace wick::detail {

/// An argument of a binary op: a tensor or a number.
struct Operand {
  const Tensor* tensor = nullptr;
  Scalar scalar;
  explicit Operand(const Tensor& t) : tensor(&t) {}
  explicit Operand(Scalar s) : scalar(s) {}
  Immediate immediate(DType dtype) const {
    return is_floating_point(dtype) ? Immediate::of(scalar.to<double>())
                                    : Immediate::of(scalar.to<int64_t>());
  }
};

/// Two arguments made alike: one device, one type; what had to be converted is held here.
struct Pair {
  Tensor held_a, held_b;
  const Tensor* a = nullptr;  // null: the scalar
  const Tensor* b = nullptr;
  DType dtype = DType::Float32;
  Device device = Device(kCPU, 0);
};
Pair make_pair(const char* op, BinaryOp kind, const Operand& a, const Operand& b);
/// `numbers` are those of the op, if it has some.
Tensor unary_raw(UnaryOp kind, const Tensor& x, const void* numbers = nullptr);
Tensor unary_backward_raw(UnaryOp kind, const Tensor& grad, const Tensor& x, const Tensor& y,
                          const void* numbers = nullptr);
Tensor binary_raw(const char* op, BinaryOp kind, const Pair& pair, const Operand& a,
                  const Operand& b);
/// The gradient of one side in the shape of the output; undefined tensors are not read.
Tensor binary_backward_raw(BinaryOp kind, int side, const Tensor& grad, const Tensor& a,
                           const Tensor& b, const Tensor& y);
Tensor compare(const char* op, CompareOp kind, const Operand& a, const Operand& b);
/// x in the type that unary op `kind` computes in. Throws DTypeError for bool where PyTorch does.
Tensor unary_input(const char* op, const Tensor& x, bool float_only);

/// The gradient for which no kernel need run.
template <pointwise::Trivial kTrivial>
Tensor trivial_grad(const Tensor& grad) {
  using pointwise::Trivial;
  static_assert(kTrivial != Trivial::No);
  if constexpr (kTrivial == Trivial::Identity) return grad;
  if constexpr (kTrivial == Trivial::Negate) return neg(grad);
  return zeros_like(grad);
}

/// Makes `y` the result of unary op Op.
template <class Op>
void record_unary(const char* name, UnaryOp kind, const Tensor& input, Tensor& y, Op op = {}) {
  using pointwise::Trivial;
  if constexpr (Op::trivial != Trivial::No) {
    record(name, {input}, y,
           [](Backward& ctx) -> Grads { return {trivial_grad<Op::trivial>(ctx.grad())}; });
  } else {
    constexpr bool kInput = pointwise::saves_input(Op::saves);
    constexpr bool kOutput = pointwise::saves_output(Op::saves);
    record(name, {input}, y,
           [kind, op, x = kInput ? save(input) : SavedTensor(),
            y = kOutput ? save_output(y) : SavedTensor()](Backward& ctx) -> Grads {
             const Tensor in = ctx.unpack(x);
             const Tensor out = ctx.unpack(y);
             if (!ctx.create_graph()) return {unary_backward_raw(kind, ctx.grad(), in, out, &op)};
             const Value slope =
                 op.template derivative<Value>(in.defined() ? in : out, out.defined() ? out : in);
             return {(Value(ctx.grad()) * slope).tensor().to(ctx.grad().dtype())};
           });
  }
}

template <class Op>
Tensor unary(const char* name, UnaryOp kind, const Tensor& input, bool float_only, Op op = {}) {
  const DType type = input.dtype();
  const bool as_is = is_floating_point(type) || (is_integral(type) && !float_only);
  if (!as_is) return unary<Op>(name, kind, unary_input(name, input, float_only), float_only, op);
  Tensor y = unary_raw(kind, input, &op);
  if (needs_grad(input)) record_unary<Op>(name, kind, input, y, op);
  return y;
}

template <class Op, int kSide>
Tensor binary_grad(BinaryOp kind, Backward& ctx, const Tensor& a, const Tensor& b, const Tensor& y,
                   std::optional<Scalar> scalar_a, std::optional<Scalar> scalar_b) {
  using pointwise::Trivial;
  constexpr pointwise::Reads kReads = kSide == 0 ? Op::reads_a : Op::reads_b;
  if constexpr (kReads.trivial != Trivial::No) {
    return trivial_grad<kReads.trivial>(ctx.grad());
  } else {
    if (!ctx.create_graph() && !scalar_a && !scalar_b)
      return binary_backward_raw(kind, kSide, ctx.grad(), a, b, y);
    const Value va = scalar_a ? Value(scalar_a->to<double>()) : Value(a);
    const Value vb = scalar_b ? Value(scalar_b->to<double>()) : Value(b);
    const Value g = kSide == 0 ? Op::template grad_a<Value>(ctx.grad(), va, vb, y)
                               : Op::template grad_b<Value>(ctx.grad(), va, vb, y);
    if (g.is_number()) return full_like(ctx.grad(), g.number());
    return g.tensor().to(ctx.grad().dtype());
  }
}

template <class Op>
Tensor binary(const char* name, BinaryOp kind, const Operand& a, const Operand& b) {
  const Pair pair = make_pair(name, kind, a, b);
  Tensor y = binary_raw(name, kind, pair, a, b);
  static const Tensor* const none = new Tensor;
  const Tensor& ta = pair.a ? *pair.a : *none;
  const Tensor& tb = pair.b ? *pair.b : *none;
  if (!needs_grad(ta, tb)) return y;
  constexpr bool kSavesNothing = Op::reads_a.trivial != pointwise::Trivial::No &&
                                 Op::reads_b.trivial != pointwise::Trivial::No;
  if constexpr (kSavesNothing) {
    record(name, {ta, tb}, y, [](Backward& ctx) -> Grads {
      const Tensor unused;
      return {
          ctx.needs(0) ? binary_grad<Op, 0>({}, ctx, unused, unused, unused, {}, {}) : Tensor(),
          ctx.needs(1) ? binary_grad<Op, 1>({}, ctx, unused, unused, unused, {}, {}) : Tensor()};
    });
  } else {
    const bool want_a = ta.defined() && requires_grad(ta.impl());
    const bool want_b = tb.defined() && requires_grad(tb.impl());
    const bool use_a = (want_a && Op::reads_a.a) || (want_b && Op::reads_b.a);
    const bool use_b = (want_a && Op::reads_a.b) || (want_b && Op::reads_b.b);
    const bool use_y = (want_a && Op::reads_a.y) || (want_b && Op::reads_b.y);
    record(
        name, {ta, tb}, y,
        [kind, sa = use_a ? save(ta) : SavedTensor(), sb = use_b ? save(tb) : SavedTensor(),
         sy = use_y ? save_output(y) : SavedTensor(),
         scalar_a = pair.a ? std::nullopt : std::optional<Scalar>(a.scalar),
         scalar_b =
             pair.b ? std::nullopt : std::optional<Scalar>(b.scalar)](Backward& ctx) -> Grads {
          const Tensor a = ctx.unpack(sa);
          const Tensor b = ctx.unpack(sb);
          const Tensor y = ctx.unpack(sy);
          return {
              ctx.needs(0) ? binary_grad<Op, 0>(kind, ctx, a, b, y, scalar_a, scalar_b) : Tensor(),
              ctx.needs(1) ? binary_grad<Op, 1>(kind, ctx, a, b, y, scalar_a, scalar_b) : Tensor()};
        });
  }
  return y;
}

// --- in place

/// Checks that a result of `result` type and shape can be written into x.
void check_inplace_result(const char* op, const Tensor& x, DType result, IntArrayRef shape);
/// x's present value and history for an in-place op that will record; elements are copied if
/// backward reads them (x's own are about to be overwritten).
Tensor take_previous(const Tensor& x, bool copy);
/// Writes y into x; x takes over y's history.
void adopt(Tensor& x, const Tensor& y);
/// x = f(x, b) without history.
void binary_into(const char* op, BinaryOp kind, const Tensor& x, const Operand& b);
void unary_into(UnaryOp kind, const Tensor& x, const void* numbers = nullptr);

template <class Op>
Tensor& unary_inplace(const char* name, UnaryOp kind, Tensor& x, bool float_only, Op op = {}) {
  const DType result = float_only ? to_float_type(x.dtype()) : x.dtype();
  check_inplace_result(name, x, result, x.sizes());
  check_inplace(name, x, false);
  if (needs_grad(x)) {
    const Tensor before = take_previous(x, pointwise::saves_input(Op::saves));
    adopt(x, unary<Op>(name, kind, before, float_only, op));
  } else {
    unary_input(name, x, float_only);  // refuses bool
    unary_into(kind, x, &op);
    bump_version(x);
  }
  return x;
}

/// x = f(x), where f is made of ops. What these save of x is a copy.
template <class F>
Tensor& composed_inplace(const char* name, Tensor& x, F f) {
  check_inplace(name, x, false);
  const Tensor y = f(GradMode::is_enabled() ? take_previous(x, true) : x);
  check_inplace_result(name, x, y.dtype(), y.sizes());
  return x.copy_(y);
}

template <class Op>
Tensor& binary_inplace(const char* name, BinaryOp kind, Tensor& x, const Operand& b) {
  static const Tensor* const none = new Tensor;
  const Tensor& other = b.tensor ? *b.tensor : *none;
  DType result = b.tensor ? result_type(x, other) : result_type(x, b.scalar);
  if (Op::types == pointwise::kFloats) result = to_float_type(result);
  check_inplace_result(
      name, x, result,
      b.tensor ? broadcast_shapes(name, x.sizes(), other.sizes()) : Dims(x.sizes()));
  const bool other_needs_grad = needs_grad(other);
  check_inplace(name, x, other_needs_grad);
  if (b.tensor && result != x.dtype()) {  // computed in the wider type, rounded once
    return composed_inplace(
        name, x, [&](const Tensor& before) { return binary<Op>(name, kind, Operand(before), b); });
  }
  if (!other_needs_grad && !needs_grad(x)) {
    binary_into(name, kind, x, b);
    bump_version(x);
    return x;
  }
  const bool copy =
      (requires_grad(x.impl()) && Op::reads_a.a) || (other_needs_grad && Op::reads_b.a);
  const Tensor before = take_previous(x, copy);
  if (b.tensor) {
    const Tensor converted = other.to(x.device(), x.dtype());
    adopt(x, binary<Op>(name, kind, Operand(before), Operand(converted)));
  } else {
    adopt(x, binary<Op>(name, kind, Operand(before), b));
  }
  return x;
}

}  // namespace wick::detail
