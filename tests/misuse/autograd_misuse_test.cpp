#include <tests/misuse/misuse.h>
#include <wick/core/autograd.h>
#include <wick/core/function.h>
#include <wick/core/ops.h>

#include <stdexcept>

// Wrong uses of gradients.
using namespace wick;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

Tensor leaf(IntArrayRef sizes = {3}) { return ones(sizes).requires_grad_(); }

template <size_t kReturned>
struct Wrong : autograd::Function<Wrong<kReturned>> {
  static Tensor forward(AutogradContext*, const Tensor& x, const Tensor&) { return x * 2; }
  static variable_list backward(AutogradContext*, const variable_list& grads) {
    return variable_list(kReturned, grads[0]);
  }
};

// Its gradient has a shape or a type that its argument has not.
struct WrongGradient : autograd::Function<WrongGradient> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, bool dtype) {
    ctx->saved_data["dtype"] = dtype;
    return x * 2;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    if (std::get<bool>(ctx->saved_data["dtype"])) return {grads[0].to(kFloat64), Tensor()};
    return {ones({7}), Tensor()};
  }
};

struct Square : autograd::Function<Square> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    return {grads[0] * 2 * ctx->get_saved_variables()[0]};
  }
};

struct PeeksInForward : autograd::Function<PeeksInForward> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return ctx->get_saved_variables()[0];
  }
  static variable_list backward(AutogradContext*, const variable_list& grads) { return grads; }
};

struct Throws : autograd::Function<Throws> {
  static Tensor forward(AutogradContext*, const Tensor& x) { return x * 2; }
  static variable_list backward(AutogradContext*, const variable_list&) {
    throw FormatError("thrown by a backward of the user's own");
  }
};

}  // namespace

MISUSE(Autograd, integers_need_no_gradient, DTypeError, "floating point", "int64") {
  ones({2}, kInt64).requires_grad_();
}
MISUSE(Autograd, backward_without_gradient, AutogradError, "does not require grad") {
  ones({}).backward();
}
MISUSE(Autograd, backward_of_many, AutogradError, "scalar outputs", "[3]", "sum()") {
  (leaf() * 2).backward();
}
MISUSE(Autograd, backward_under_no_grad, AutogradError, "does not require grad") {
  const NoGradGuard no_grad;
  leaf().sum().backward();
}
MISUSE(Autograd, backward_gradient_shape, ShapeError, "backward", "[3]", "[4]") {
  (leaf() * 2).backward(ones({4}));
}
MISUSE(Autograd, backward_gradient_type, DTypeError, "backward", "float32", "float64") {
  (leaf() * 2).backward(ones({3}, kFloat64));
}
MISUSE(Autograd, backward_gradient_count, ValueError, "backward", "1 outputs", "2 gradients") {
  autograd::backward({leaf().sum()}, {ones({}), ones({})});
}
MISUSE(Autograd, backward_twice, AutogradError, "second time", "retain_graph=true") {
  const Tensor y = leaf().exp().sum();
  y.backward();
  y.backward();
}
MISUSE(Autograd, backward_through_freed_part, AutogradError, "second time") {
  const Tensor middle = leaf().exp();
  middle.sum().backward();
  (middle * 2).sum().backward();
}
MISUSE(Autograd, backward_input_without_gradient, AutogradError, "input 0",
       "does not require grad") {
  const Tensor unrelated[] = {ones({2})};
  leaf().sum().backward({}, std::nullopt, false, TensorList(unrelated, 1));
}
MISUSE(Autograd, grad_without_inputs, ValueError, "grad", "at least one input") {
  autograd::grad({leaf().sum()}, {});
}
MISUSE(Autograd, grad_of_constant, AutogradError, "does not require grad", "input 0") {
  autograd::grad({leaf().sum()}, {ones({3})});
}
MISUSE(Autograd, grad_of_unused, AutogradError, "not have been used", "input 1") {
  const Tensor x = leaf();
  autograd::grad({x.sum()}, {x, leaf()});
}
MISUSE(Autograd, grad_of_undefined, ValueError, "defined tensor") {
  autograd::grad({leaf().sum()}, {Tensor()});
}
MISUSE(Autograd, in_place_on_leaf, AutogradError, "leaf", "add_", "NoGradGuard") {
  Tensor x = leaf();
  x += 1;
}
MISUSE(Autograd, in_place_on_view_of_leaf, AutogradError, "view of a leaf", "mul_") {
  Tensor x = leaf();
  x[0].mul_(2);
}
MISUSE(Autograd, assignment_into_leaf, AutogradError, "view of a leaf") { leaf()[0] = 5; }
MISUSE(Autograd, in_place_on_view_made_without_grad, AutogradError, "no_grad", "clone()") {
  const Tensor x = leaf() * 2;
  Tensor view;
  {
    const NoGradGuard no_grad;
    view = x[0];
  }
  view.mul_(2);
}
MISUSE(Autograd, saved_argument_changed, AutogradError, "mul", "modified by an inplace operation",
       "[3]", "version 1", "expected version 0") {
  const Tensor x = leaf();
  Tensor factor = ones({3});
  const Tensor y = (x * factor).sum();
  factor += 1;
  y.backward();
}
MISUSE(Autograd, saved_output_changed, AutogradError, "exp", "modified", "its output") {
  Tensor y = leaf().exp();
  y.add_(1);
  y.sum().backward();
}
MISUSE(Autograd, saved_changed_through_view, AutogradError, "modified", "version 1") {
  const Tensor x = leaf();
  Tensor factor = ones({3});
  const Tensor y = (x * factor).sum();
  factor[1] = 7;
  y.backward();
}
MISUSE(Autograd, saved_changed_through_detached, AutogradError, "modified") {
  const Tensor y = leaf().exp();
  y.detach().zero_();
  y.sum().backward();
}
MISUSE(Autograd, requires_grad_off_inside, AutogradError, "leaf", "detach()") {
  (leaf() * 2).requires_grad_(false);
}
MISUSE(Autograd, retain_grad_of_constant, AutogradError, "retain_grad") { ones({2}).retain_grad(); }
MISUSE(Autograd, hook_on_constant, AutogradError, "hook", "require gradient") {
  ones({2}).register_hook([](Tensor g) { return g; });
}
MISUSE(Autograd, hook_empty, ValueError, "register_hook", "empty") {
  leaf().register_hook(nullptr);
}
MISUSE(Autograd, hook_removed_twice, ValueError, "remove_hook", "no hook") {
  Tensor x = leaf();
  const unsigned id = x.register_hook([](Tensor g) { return g; });
  x.remove_hook(id);
  x.remove_hook(id);
}
MISUSE(Autograd, hook_changes_shape, ShapeError, "hook", "[1]", "[3]") {
  Tensor x = leaf();
  x.register_hook([](Tensor) { return ones({1}); });
  x.sum().backward();
}
MISUSE(Autograd, hook_changes_type, DTypeError, "hook", "float64", "float32") {
  Tensor x = leaf() * 2;
  x.register_hook([](Tensor g) { return g.to(kFloat64); });
  x.exp().sum().backward();
}
MISUSE(Autograd, hook_throws, FormatError, "thrown by a hook") {
  Tensor x = leaf();
  const Tensor y = x * 2;
  Tensor(y).register_hook([](Tensor) -> Tensor { throw FormatError("thrown by a hook"); });
  try {
    (y * y).sum().backward();
  } catch (const Error&) {
    // The engine works at once, also on the same leaf.
    (x * 3).sum().backward();
    if (x.grad().to_vector<double>() != std::vector<double>{3, 3, 3}) return;
    throw;
  }
}
MISUSE(Autograd, function_returns_too_few, AutogradError, "custom function", "returned 1",
       "2 arguments") {
  Wrong<1>::apply(leaf(), leaf()).sum().backward();
}
MISUSE(Autograd, function_returns_too_many, AutogradError, "custom function", "returned 3") {
  Wrong<3>::apply(leaf(), leaf()).sum().backward();
}
MISUSE(Autograd, function_returns_nothing, AutogradError, "custom function", "returned 0") {
  Wrong<0>::apply(leaf(), leaf()).sum().backward();
}
MISUSE(Autograd, function_gradient_shape, ShapeError, "custom function", "[3]", "[7]") {
  WrongGradient::apply(leaf(), false).sum().backward();
}
MISUSE(Autograd, function_gradient_type, DTypeError, "custom function", "float32", "float64") {
  WrongGradient::apply(leaf() * 2, true).sum().backward();
}
MISUSE(Autograd, function_backward_throws, FormatError, "backward of the user's own") {
  Throws::apply(leaf()).sum().backward();
}
MISUSE(Autograd, function_backward_twice, AutogradError, "custom function", "second time") {
  const Tensor y = Square::apply(leaf({1}));
  y.backward();
  y.backward();
}
MISUSE(Autograd, function_saved_changed, AutogradError, "custom function", "modified") {
  Tensor x = leaf() * 1;
  const Tensor y = Square::apply(x).sum();
  x.add_(1);
  y.backward();
}
MISUSE(Autograd, function_saved_read_in_forward, AutogradError, "get_saved_variables") {
  PeeksInForward::apply(leaf());
}
MISUSE(Autograd, detach_view_in_place, AutogradError, "detach", "view") {
  Tensor view = (leaf() * 2)[0];
  view.detach_();
}
MISUSE(Autograd, set_data_to_integers, DTypeError, "set_data", "int64") {
  leaf().set_data(ones({3}, kInt64));
}
MISUSE(Autograd, gradient_set_to_other_shape, ShapeError, "[5]", "[3]") {
  Tensor x = leaf();
  x.mutable_grad() = zeros({5});
  x.sum().backward();
}
