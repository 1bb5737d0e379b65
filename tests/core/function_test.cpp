#include <wick/core/function.h>

#include <gtest/gtest.h>
#include <tests/support/leaf.h>
#include <wick/core/storage.h>

#include <cmath>

namespace {

using namespace wick;
using autograd::AutogradContext;
using autograd::variable_list;
using test::grad_of;
using test::leaf;
using test::Values;

struct Cube : autograd::Function<Cube> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x * x;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    return {grads[0] * 3 * ctx->get_saved_variables()[0].pow(2)};
  }
};

TEST(AutogradFunction, is_differentiable_twice) {
  const Tensor x = leaf({2});
  const Tensor g = autograd::grad({Cube::apply(x)}, {x}, {}, std::nullopt, true)[0];
  EXPECT_EQ(g.item<double>(), 12);
  g.backward();
  EXPECT_EQ(grad_of(x), Values{12});
}

TEST(AutogradFunction, records_only_when_asked) {
  EXPECT_FALSE(Cube::apply(ones({1})).requires_grad());
  const NoGradGuard no_grad;
  EXPECT_FALSE(Cube::apply(leaf({1})).requires_grad());
}

// Two results, other arguments, one gradient that is not wanted.
struct Mixed : autograd::Function<Mixed> {
  static variable_list forward(AutogradContext* ctx, const Tensor& a, double factor,
                               const Tensor& b) {
    ctx->saved_data["factor"] = factor;
    return {a * factor, a + b};
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const double factor = std::get<double>(ctx->saved_data["factor"]);
    EXPECT_TRUE(ctx->needs_input_grad(0));
    EXPECT_FALSE(ctx->needs_input_grad(1));
    return {grads[0] * factor + grads[1], Tensor(), grads[1]};
  }
};

TEST(AutogradFunction, several_results_and_other_arguments) {
  const Tensor a = leaf({2}), b = ones({1}, kFloat64);
  const variable_list y = Mixed::apply(a, 10.0, b);
  (y[0] + y[1] * 100).backward();
  EXPECT_EQ(grad_of(a), Values{110});
  Tensor(a).mutable_grad() = Tensor();
  Mixed::apply(a, 10.0, b)[1].backward();  // the gradient of the first result is zeros
  EXPECT_EQ(grad_of(a), Values{1});
}

struct SavesItsResult : autograd::Function<SavesItsResult> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x) {
    const Tensor y = x.exp(), rank = x.argmax(0);
    ctx->save_for_backward({y});
    ctx->mark_non_differentiable({rank});
    ctx->set_materialize_grads(false);
    return {y, rank, x};
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    EXPECT_FALSE(grads[1].defined());
    Tensor g = grads[2];
    if (grads[0].defined()) g = grads[0] * ctx->get_saved_variables()[0];
    return {g};
  }
};

TEST(AutogradFunction, saved_results_and_results_that_are_arguments) {
  const int64_t nodes = live_nodes();
  {
    const Tensor x = leaf({0, 1});
    const variable_list y = SavesItsResult::apply(x);
    EXPECT_TRUE(y[0].requires_grad());
    EXPECT_FALSE(y[1].requires_grad());
    EXPECT_TRUE(y[2].requires_grad());
    EXPECT_TRUE(x.is_leaf());
    y[0].sum().backward({}, true);
    EXPECT_NEAR(grad_of(x)[1], std::exp(1), 1e-12);
    (y[2] * 2).sum().backward();
    EXPECT_NEAR(grad_of(x)[1], std::exp(1) + 2, 1e-12);
  }
  EXPECT_EQ(live_nodes(), nodes) << "a saved result must not keep its own node alive";
}

// Computes its part of the graph again in backward, as activation checkpoints do.
struct Recomputes : autograd::Function<Recomputes> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x.exp() * x;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const AutoGradMode on(true);
    const Tensor x = ctx->get_saved_variables()[0].detach().requires_grad_();
    (x.exp() * x).backward(grads[0]);
    return {x.grad()};
  }
};

TEST(AutogradFunction, may_run_backward_inside_backward) {
  const Tensor x = leaf({0.5}), y = leaf({0.5});
  Recomputes::apply(Recomputes::apply(x)).sum().backward();
  const Tensor inner = y.exp() * y;
  (inner.exp() * inner).sum().backward();
  EXPECT_NEAR(grad_of(x)[0], grad_of(y)[0], 1e-12);
}

}  // namespace
