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

// A forward that takes its arguments by value owns what was passed as a temporary.
struct TakesValues : autograd::Function<TakesValues> {
  static Tensor forward(AutogradContext*, Tensor x) {
    const Tensor taken = std::move(x);
    return taken * 3;
  }
  static variable_list backward(AutogradContext*, const variable_list& g) { return {g[0] * 3}; }
};

TEST(AutogradFunction, arguments_may_be_moved_away) {
  const Tensor x = leaf({2});
  TakesValues::apply(x * 1).backward();
  EXPECT_EQ(grad_of(x), Values{3});
}

// --- arguments that forward changes

struct DoublesInPlace : autograd::Function<DoublesInPlace> {
  static Tensor forward(AutogradContext* ctx, Tensor x, const Tensor& y) {
    x.mul_(2).add_(y);
    ctx->mark_dirty({x});
    return x;
  }
  static variable_list backward(AutogradContext*, const variable_list& grads) {
    return {grads[0] * 2, grads[0]};
  }
};

TEST(AutogradFunction, dirty_arguments_keep_their_identity) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  Tensor z = x * 10;
  const Tensor w = DoublesInPlace::apply(z, y);
  EXPECT_TRUE(w.is_same(z));
  EXPECT_EQ(z.detach().to_vector<double>(), (Values{23, 44}));
  (w * z).sum().backward();  // 2 w dw
  EXPECT_EQ(grad_of(x), (Values{2 * 23 * 20, 2 * 44 * 20}));
  EXPECT_EQ(grad_of(y), (Values{46, 88}));
}

TEST(AutogradFunction, dirty_views_change_the_history_of_their_base) {
  const Tensor x = leaf({1, 2, 3}), y = leaf({5});
  Tensor z = x * 1;
  DoublesInPlace::apply(z.narrow(0, 1, 1), y);
  EXPECT_EQ(z.detach().to_vector<double>(), (Values{1, 9, 3}));
  (z * tensor({1, 10, 100}, kFloat64)).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{1, 20, 100}));
  EXPECT_EQ(grad_of(y), (Values{10}));
}

TEST(AutogradFunction, what_was_saved_before_it_was_dirtied_is_an_error) {
  const Tensor x = leaf({1, 2}), y = leaf({3, 4});
  Tensor z = x * 10;
  const Tensor square = z * z;
  DoublesInPlace::apply(z, y);
  EXPECT_THROW(square.sum().backward(), AutogradError);
}

struct MarksAnother : autograd::Function<MarksAnother> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->mark_dirty({x});
    return x * 2;
  }
  static variable_list backward(AutogradContext*, const variable_list& g) { return {g[0]}; }
};
struct DirtiesTheSecond : autograd::Function<DirtiesTheSecond> {
  static Tensor forward(AutogradContext* ctx, const Tensor&, Tensor x) {
    ctx->mark_dirty({x.mul_(2)});
    return x;
  }
  static variable_list backward(AutogradContext*, const variable_list& g) { return {g[0], g[0]}; }
};

TEST(AutogradFunction, wrong_marks_are_errors) {
  const Tensor x = leaf({1, 2});
  EXPECT_THROW(DoublesInPlace::apply(x, x), AutogradError) << "a leaf";
  EXPECT_THROW(MarksAnother::apply(x * 1), AutogradError) << "not a result";
  const Tensor base = x * 1;
  EXPECT_THROW(DirtiesTheSecond::apply(x, base[0]), AutogradError) << "a view, not the first";
}

struct AsksForRanges : autograd::Function<AsksForRanges> {
  static Tensor forward(AutogradContext*, const Tensor& a, const Tensor& b, const Tensor& c) {
    return a + b + c;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& g) {
    EXPECT_FALSE(ctx->needs_input_grad({{0, 2}}));
    EXPECT_TRUE(ctx->needs_input_grad({{0, 1}, {1, 3}}));
    EXPECT_THROW((void)ctx->needs_input_grad({{2, 4}}), IndexError);
    return {Tensor(), Tensor(), g[0]};
  }
};

TEST(AutogradFunction, ranges_of_arguments) {
  const Tensor x = leaf({1}), one = ones({1}, kFloat64);
  AsksForRanges::apply(one, one, x).backward();
  EXPECT_EQ(grad_of(x), Values{1});
}

// --- backward inside backward, deeper than a stack is

struct Deeper : autograd::Function<Deeper> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->saved_data["x"] = (x.detach() - 1).requires_grad_();
    return x.detach().clone();
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const Tensor x = std::get<Tensor>(ctx->saved_data["x"]);
    if (x.item<double>() >= 0) {
      const AutoGradMode on(true);
      apply(x).sum().backward();
    }
    return grads;
  }
};

TEST(AutogradFunction, backward_may_nest_thousands_deep) {
  const Tensor x = leaf({8193});
  Deeper::apply(x).sum().backward();
  EXPECT_EQ(grad_of(x), Values{1});
}

struct ThrowsInside : autograd::Function<ThrowsInside> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->saved_data["x"] = (x.detach() - 1).requires_grad_();
    return x.detach().clone();
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const Tensor x = std::get<Tensor>(ctx->saved_data["x"]);
    WICK_CHECK(ValueError, x.item<double>() > 0, "the bottom");
    const AutoGradMode on(true);
    apply(x).sum().backward();
    return grads;
  }
};

TEST(AutogradFunction, errors_come_out_of_nested_backwards) {
  const Tensor x = leaf({200});
  EXPECT_THROW(ThrowsInside::apply(x).sum().backward(), ValueError);
  x.detach().fill_(2);
  EXPECT_THROW(ThrowsInside::apply(x).sum().backward(), ValueError);
}

}  // namespace
