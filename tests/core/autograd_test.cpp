#include <wick/core/autograd.h>

#include <pthread.h>
#include <tests/support/expect.h>
#include <wick/core/function.h>
#include <wick/core/storage.h>

#include <stdexcept>
#include <thread>

namespace {

using namespace wick;
using autograd::AutogradContext;
using autograd::variable_list;
using test::expect_tensor;

Tensor leaf(std::initializer_list<double> values) {
  return tensor(std::vector<double>(values), kFloat64).requires_grad_();
}

std::vector<double> grad_of(const Tensor& x) {
  return x.grad().defined() ? x.grad().to_vector<double>() : std::vector<double>();
}
using Values = std::vector<double>;

// --- backward and grad

TEST(Autograd, accumulates_over_calls_and_paths) {
  const Tensor x = leaf({2, 3});
  const Tensor y = x * x;
  (y + y * x).sum().backward();  // 2x + 3x^2
  EXPECT_EQ(grad_of(x), (Values{16, 33}));
  (x * 10).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{26, 43}));
}

TEST(Autograd, sums_broadcast_dimensions) {
  const Tensor row = leaf({1, 2, 3});
  const Tensor number = full({}, 2.0, kFloat64).requires_grad_();
  const Tensor column = ones({2, 1}, kFloat64).requires_grad_();
  (row * column * number).sum().backward();
  expect_tensor(row.grad(), {3}, {4, 4, 4});
  expect_tensor(column.grad(), {2, 1}, {12, 12});
  expect_tensor(number.grad(), {}, {12});
}

TEST(Autograd, weights_outputs_by_their_gradients) {
  const Tensor x = leaf({1, 2});
  autograd::backward({x * 2, x.sum()}, {tensor({10., 100.}, kFloat64), Tensor()});
  EXPECT_EQ(grad_of(x), (Values{21, 201}));
}

TEST(Autograd, leaves_and_flags) {
  const Tensor x = leaf({1});
  const Tensor y = x * 2;
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(y.is_leaf());
  EXPECT_TRUE(y.requires_grad());
  EXPECT_STREQ(y.grad_fn()->name(), "mul");
  EXPECT_FALSE(x.grad_fn());
  EXPECT_FALSE(y.detach().requires_grad());
  EXPECT_TRUE(y.detach().is_alias_of(y));
  EXPECT_FALSE((x > 0).requires_grad());
  EXPECT_FALSE(x.to(kInt64).requires_grad());
  Tensor z = x * 3;
  z.detach_();
  EXPECT_TRUE(z.is_leaf());
  EXPECT_FALSE(z.requires_grad());
}

TEST(Autograd, grad_mode_nests) {
  const Tensor x = leaf({1});
  {
    const NoGradGuard no_grad;
    EXPECT_FALSE((x * 2).requires_grad());
    {
      const AutoGradMode on(true);
      EXPECT_TRUE((x * 2).requires_grad());
    }
    EXPECT_FALSE((x * 2).requires_grad());
  }
  EXPECT_TRUE((x * 2).requires_grad());
}

TEST(Autograd, grad_accumulates_nothing) {
  const Tensor x = leaf({2, 3}), w = leaf({5, 7}), unused = leaf({1});
  const Tensor y = x * w;
  const variable_list g = autograd::grad({y.sum()}, {w, y, x, w, unused}, {}, true, false, true);
  EXPECT_EQ(g[0].to_vector<double>(), (Values{2, 3}));
  EXPECT_EQ(g[1].to_vector<double>(), (Values{1, 1}));
  EXPECT_EQ(g[2].to_vector<double>(), (Values{5, 7}));
  EXPECT_EQ(g[3].to_vector<double>(), (Values{2, 3}));
  EXPECT_FALSE(g[4].defined());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(w.grad().defined());
  const Tensor seed = tensor({10., 100.}, kFloat64);
  EXPECT_EQ(autograd::grad({y}, {y}, {seed})[0].to_vector<double>(), (Values{10, 100}));
}

TEST(Autograd, backward_for_some_inputs_only) {
  const Tensor x = leaf({2}), w = leaf({5});
  const Tensor y = x * 3;
  const variable_list inputs{w, y};
  (y * w).backward({}, std::nullopt, false, TensorList(inputs));
  EXPECT_EQ(grad_of(w), Values{6});
  EXPECT_EQ(grad_of(y), Values{5});
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, retained_graph_can_be_walked_again) {
  const Tensor x = leaf({2});
  const Tensor y = x.exp();
  y.backward({}, true);
  y.backward({}, true);
  y.backward();
  EXPECT_NEAR(grad_of(x)[0], 3 * std::exp(2), 1e-12);
}

TEST(Autograd, a_graph_that_saved_nothing_needs_no_retaining) {
  const Tensor x = leaf({2});
  const Tensor y = (x + x).sum();
  y.backward();
  y.backward();  // as in PyTorch: nothing was freed
  EXPECT_EQ(grad_of(x), Values{4});
}

TEST(Autograd, retained_gradients_of_results) {
  const Tensor x = leaf({2, 3});
  Tensor y = x * 2;
  Tensor z = y * y;
  EXPECT_FALSE(y.retains_grad());
  y.retain_grad();
  y.retain_grad();
  z.retain_grad();
  EXPECT_TRUE(y.retains_grad());
  z.sum().backward();
  EXPECT_EQ(grad_of(y), (Values{8, 12}));
  EXPECT_EQ(grad_of(z), (Values{1, 1}));
  EXPECT_EQ(grad_of(x), (Values{16, 24}));
}

TEST(Autograd, retaining_follows_in_place_changes) {
  const Tensor x = leaf({2});
  Tensor y = x * 2;
  y.retain_grad();
  y.mul_(5);
  (y * 3).sum().backward();
  EXPECT_EQ(grad_of(y), Values{3});
  EXPECT_EQ(grad_of(x), Values{30});
}

TEST(Autograd, gradient_of_a_tensor_that_is_gone_is_dropped) {
  const Tensor x = leaf({2});
  Tensor z;
  {
    const Tensor gone = leaf({5});
    Tensor middle = gone * x;
    middle.retain_grad();
    z = middle * 2;
  }
  z.backward();
  EXPECT_EQ(grad_of(x), Values{10});
}

TEST(Autograd, derivatives_of_higher_order) {
  const Tensor x = leaf({2});
  Tensor d = x.pow(4);
  const Values expected{32, 48, 48, 24};
  for (const double value : expected) {
    d = autograd::grad({d}, {x}, {}, std::nullopt, /*create_graph=*/true)[0];
    EXPECT_NEAR(d.item<double>(), value, 1e-12);
  }
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, create_graph_makes_gradients_differentiable) {
  const Tensor x = leaf({3});
  (x * x * x).backward({}, std::nullopt, /*create_graph=*/true);
  const Tensor first = x.grad();
  EXPECT_TRUE(first.requires_grad());
  EXPECT_EQ(autograd::grad({first * 1}, {x})[0].item<double>(), 18);
  Tensor(x).mutable_grad() = Tensor();
}

TEST(Autograd, gradient_penalty) {
  // d/dw |d/dx (w x^2)|^2 = d/dw 4 w^2 x^2 = 8 w x^2
  const Tensor x = leaf({3}), w = leaf({5});
  const Tensor g = autograd::grad({w * x * x}, {x}, {}, std::nullopt, true)[0];
  (g * g).backward();
  EXPECT_EQ(grad_of(w), Values{8 * 5 * 9});
}

TEST(Autograd, gradient_does_not_alias_what_it_came_from) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor seed = tensor({1., 1.}, kFloat64);
  (a + b).backward(seed);
  Tensor(a).mutable_grad().mul_(10);
  EXPECT_EQ(grad_of(b), (Values{1, 1}));
  EXPECT_EQ(seed.to_vector<double>(), (Values{1, 1}));
}

// --- hooks

TEST(AutogradHooks, see_replace_and_leave_gradients) {
  Tensor x = leaf({2});
  Tensor y = x * 3;
  std::vector<std::string> seen;
  y.register_hook([&](Tensor g) {
    seen.push_back("first " + str(g.item<double>()));
    return g * 10;
  });
  const unsigned second = y.register_hook([&](Tensor g) {
    seen.push_back("second " + str(g.item<double>()));
    return Tensor();
  });
  x.register_hook([&](Tensor g) {
    seen.push_back("leaf " + str(g.item<double>()));
    return g + 1;
  });
  (y * 2).backward({}, /*retain_graph=*/true);
  EXPECT_EQ(seen, (std::vector<std::string>{"first 2", "second 20", "leaf 60"}));
  EXPECT_EQ(grad_of(x), Values{61});
  y.remove_hook(second);
  seen.clear();
  (y * 2).backward();
  EXPECT_EQ(seen, (std::vector<std::string>{"first 2", "leaf 60"}));
}

TEST(AutogradHooks, run_once_on_the_sum_of_all_paths) {
  const Tensor x = leaf({2});
  Tensor y = x * 1;
  int calls = 0;
  y.register_hook([&](Tensor g) {
    ++calls;
    EXPECT_EQ(g.item<double>(), 5);
    return Tensor();
  });
  (y * 2 + y * 3).backward();
  EXPECT_EQ(calls, 1);
}

TEST(AutogradHooks, are_seen_by_grad) {
  const Tensor x = leaf({2});
  Tensor y = x * 3;
  y.register_hook([](Tensor g) { return g * 10; });
  EXPECT_EQ(autograd::grad({y * 2}, {x})[0].item<double>(), 60);
}

TEST(AutogradHooks, may_register_and_remove_hooks) {
  Tensor x = leaf({2});
  unsigned id = 0;
  int inner = 0;
  id = x.register_hook([&](Tensor) {
    x.remove_hook(id);
    x.register_hook([&](Tensor) {
      ++inner;
      return Tensor();
    });
    return Tensor();
  });
  (x * 1).backward();
  EXPECT_EQ(inner, 0);
  (x * 1).backward();
  EXPECT_EQ(inner, 1);
  x = Tensor();  // the hooks refer to x
}

TEST(AutogradHooks, may_run_backward_themselves) {
  Tensor x = leaf({2});
  const Tensor other = leaf({7});
  Tensor y = x * 3;
  y.register_hook([&](Tensor g) {
    const AutoGradMode on(true);
    (other * other).backward();
    (x * 100).backward();  // the very leaf that the outer run is on its way to
    return g;
  });
  (y * 2).backward();
  EXPECT_EQ(grad_of(other), Values{14});
  EXPECT_EQ(grad_of(x), Values{106});
}

TEST(AutogradHooks, a_run_inside_another_walks_nodes_that_wait_in_the_outer_one) {
  const Tensor x = leaf({2});
  const Tensor shared = x * 3;  // gets its gradient from both branches
  Tensor late = shared * 5;
  const Tensor early = late * 1;
  late.register_hook([&](Tensor g) {
    shared.backward({}, /*retain_graph=*/true);
    return g;
  });
  (shared * 7 + early).backward({}, true);
  EXPECT_EQ(grad_of(x), Values{3 + 3 * 12});
}

// --- errors leave the engine usable

TEST(AutogradErrors, arrive_with_their_own_type) {
  struct Mine : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  Tensor x = leaf({2});
  Tensor y = x * 3;
  y.register_hook([](Tensor) -> Tensor { throw Mine("mine"); });
  EXPECT_THROW((y * 2).backward(), Mine);
  EXPECT_TRUE(GradMode::is_enabled());
  EXPECT_FALSE(x.grad().defined());
  (x * 5).backward();
  EXPECT_EQ(grad_of(x), Values{5});
}

TEST(AutogradErrors, nothing_waits_in_the_graph_afterwards) {
  const Tensor x = leaf({2});
  Tensor y = x * 3, a = y * 5, b = y * 7;
  bool fail = true;
  a.register_hook([&](Tensor) -> Tensor {
    if (fail) throw std::runtime_error("now");
    return {};
  });
  // b's gradient already waits at y when a's hook throws: b was made later, so it goes first.
  EXPECT_THROW((a + b).backward({}, true), std::runtime_error);
  fail = false;
  (a + b).backward({}, true);
  EXPECT_EQ(grad_of(x), Values{36});
}

TEST(AutogradErrors, free_what_was_on_the_way) {
  const int64_t nodes = live_nodes(), tensors = live_tensors();
  {
    Tensor x = leaf({2, 3});
    Tensor y = x.exp();
    y.register_hook([](Tensor) -> Tensor { throw std::runtime_error("now"); });
    EXPECT_THROW((y * y).sum().backward(), std::runtime_error);
  }
  EXPECT_EQ(live_nodes(), nodes);
  EXPECT_EQ(live_tensors(), tensors);
}

// --- live objects

TEST(AutogradMemory, backward_frees_what_was_saved) {
  const int64_t bytes = live_bytes();
  const Tensor x = ones({1000}).requires_grad_();
  const int64_t with_x = live_bytes();
  const Tensor loss = x.exp().exp().exp().sum();
  EXPECT_GE(live_bytes(), with_x + 3 * 4000);
  loss.backward();
  EXPECT_LE(live_bytes(), with_x + 4000 + 64);  // the gradient and the loss
  EXPECT_GE(live_bytes(), bytes);
}

TEST(AutogradMemory, a_result_that_is_dropped_frees_its_graph) {
  const Tensor x = leaf({1});
  const int64_t nodes = live_nodes();
  Tensor y = x * 2;
  for (int i = 0; i < 100; ++i) y = y * 2;
  EXPECT_GE(live_nodes(), nodes + 101);
  y = Tensor();
  EXPECT_LE(live_nodes(), nodes + 1);  // the leaf's own
}

// --- the operations that change their argument

TEST(AutogradInPlace, changes_history) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  y.mul_(3).add_(1);
  y *= x;  // (6x + 1) x
  y.sum().backward();
  EXPECT_EQ(grad_of(x), (Values{13, 25}));
}

TEST(AutogradInPlace, versions_count_for_all_views) {
  const Tensor x = zeros({4});
  Tensor view = x.slice(0, 1, 3);
  EXPECT_EQ(x._version(), 0u);
  view.add_(1);
  x[3] = 5;
  x.detach().zero_();
  EXPECT_EQ(x._version(), 3u);
  EXPECT_EQ(view._version(), 3u);
}

TEST(AutogradInPlace, change_of_what_was_not_saved_is_fine) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  const Tensor z = y + 1;  // keeps nothing
  y.zero_();
  z.sum().backward();
  EXPECT_EQ(grad_of(x), (Values{2, 2}));
}

TEST(AutogradInPlace, write_into_a_view_reaches_the_base) {
  const Tensor x = leaf({1, 2, 3});
  Tensor y = x * 1;
  y[0].mul_(5);
  y.slice(0, 1, 3).mul_(y.slice(0, 0, 2).detach().clone());  // 2 * 5, 3 * 2
  y.sum().backward();
  EXPECT_EQ(y.to_vector<double>(), (Values{5, 10, 6}));
  EXPECT_EQ(grad_of(x), (Values{5, 5, 2}));
}

TEST(AutogradInPlace, a_view_made_before_follows_its_base) {
  const Tensor x = leaf({1, 2, 3});
  Tensor y = x * 1;
  const Tensor view = y[1];
  EXPECT_TRUE(view.is_view());
  EXPECT_TRUE(view._base().is_same(y));
  y.mul_(3);
  EXPECT_EQ(view.item<double>(), 6);
  (view * view).backward();  // 9 x^2
  EXPECT_EQ(grad_of(x), (Values{0, 36, 0}));
}

TEST(AutogradInPlace, a_view_follows_writes_through_another_view) {
  const Tensor x = leaf({1, 2, 3, 4});
  Tensor y = x * 1;
  const Tensor head = y.slice(0, 0, 3);
  Tensor tail = y.slice(0, 2, 4);
  tail.mul_(10);
  (head * head).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{2, 4, 2 * 30 * 10, 0}));
}

TEST(AutogradInPlace, views_of_views_and_transposed_ones) {
  const Tensor x = arange(6, kFloat64).requires_grad_();
  Tensor y = (x * 1).view({2, 3});
  Tensor column = y.transpose(0, 1)[2];  // elements 2 and 5
  EXPECT_FALSE(column.is_contiguous());
  column.mul_(column.detach().clone());
  y.sum().backward();
  EXPECT_EQ(grad_of(x), (Values{1, 1, 2, 1, 1, 5}));
}

TEST(AutogradInPlace, a_constant_base_gets_a_history) {
  const Tensor x = leaf({1, 2});
  Tensor all = zeros({3}, kFloat64);
  const Tensor other = all.slice(0, 1, 3);
  EXPECT_FALSE(other.requires_grad());
  all.slice(0, 0, 2).copy_(x * 2);
  EXPECT_TRUE(all.requires_grad());
  EXPECT_TRUE(other.requires_grad());
  (other * other).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{0, 16}));
}

TEST(AutogradInPlace, overwritten_values_get_no_gradient) {
  const Tensor x = leaf({1, 2, 3}), w = leaf({7});
  Tensor y = x * 1;
  y[1] = w[0] * 2;
  y[2] = 9;
  (y * y).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{2, 0, 0}));
  EXPECT_EQ(grad_of(w), Values{2 * 14 * 2});
}

TEST(AutogradInPlace, rows_are_filled_in_a_loop) {
  const Tensor w = leaf({0.5});
  Tensor states = zeros({5, 1}, kFloat64);
  Tensor h = ones({1}, kFloat64);
  for (int t = 0; t < 5; ++t) {
    h = h * w;
    states[t] = h;
  }
  states.sum().backward();  // sum of w^1 ... w^5
  EXPECT_NEAR(grad_of(w)[0], 1 + 2 * .5 + 3 * .25 + 4 * .125 + 5 * .0625, 1e-12);
}

TEST(AutogradInPlace, second_derivative_through_a_written_view) {
  const Tensor x = leaf({2, 3});
  Tensor y = x * 1;
  y[0].pow_(3);
  const Tensor g = autograd::grad({y.sum()}, {x}, {}, std::nullopt, true)[0];
  EXPECT_EQ(g.to_vector<double>(), (Values{12, 1}));
  g.sum().backward();
  EXPECT_EQ(grad_of(x), (Values{12, 0}));
}

TEST(AutogradInPlace, an_argument_that_overlaps_is_read_before_it_is_written) {
  Tensor x = arange(1, 6, kFloat64);
  x.slice(0, 1, 5).add_(x.slice(0, 0, 4));
  EXPECT_EQ(x.to_vector<double>(), (Values{1, 3, 5, 7, 9}));
  x.slice(0, 1, 5).copy_(x.slice(0, 0, 4));
  EXPECT_EQ(x.to_vector<double>(), (Values{1, 1, 3, 5, 7}));
}

TEST(AutogradInPlace, under_no_grad_a_leaf_changes_and_stays_one) {
  Tensor x = leaf({1, 2});
  {
    const NoGradGuard no_grad;
    x.add_(1);
    x[0] = 7;
  }
  EXPECT_TRUE(x.is_leaf());
  (x * x).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{14, 6}));
}

TEST(AutogradInPlace, detached_views_do_not_record) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  Tensor part = y.detach()[0];
  part.mul_(100);
  EXPECT_EQ(y.to_vector<double>(), (Values{200, 4}));
  y.sum().backward();
  EXPECT_EQ(grad_of(x), (Values{2, 2}));
}

// --- functions of the user's own

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
  static variable_list forward(AutogradContext* ctx, const Tensor& a, double factor, const Tensor& b) {
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

// --- depth

void on_small_stack(void (*work)()) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
  pthread_t thread;
  const auto run = [](void* f) -> void* {
    reinterpret_cast<void (*)()>(f)();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, reinterpret_cast<void*>(work)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(AutogradDeepChain, a_million_ops_run_backward_and_are_freed) {
  on_small_stack([] {
    const int64_t nodes = live_nodes();
    const Tensor x = ones({1}).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1;
    EXPECT_GE(live_nodes(), nodes + 1'000'000);
    y.backward();
    EXPECT_EQ(grad_of(x), Values{1});
    y = Tensor();
    EXPECT_LE(live_nodes(), nodes + 1);
  });
}

TEST(AutogradDeepChain, saved_tensors_are_freed_without_a_backward) {
  on_small_stack([] {
    const Tensor x = ones({1}).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 200'000; ++i) y = (y * x).relu();
    y = Tensor();
    EXPECT_LE(live_nodes(), 1);
  });
}

TEST(AutogradDeepChain, of_writes_into_a_view) {
  on_small_stack([] {
    const Tensor x = ones({2}).requires_grad_();
    Tensor y = x * 1;
    Tensor view = y[0];
    for (int i = 0; i < 20'000; ++i) view.add_(1);
    y.sum().backward();
    EXPECT_EQ(grad_of(x), (Values{1, 1}));
  });
}

TEST(AutogradDeepChain, of_functions_of_the_users_own) {
  on_small_stack([] {
    const Tensor x = ones({1}).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 50'000; ++i) y = Cube::apply(y);
    EXPECT_EQ(autograd::grad({y}, {x}, {}, true)[0].numel(), 1);  // the walk that looks for x
    y = Tensor();
    EXPECT_LE(live_nodes(), 1);
  });
}

// --- threads

template <class Work>
void on_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (auto& t : threads) t.join();
}

TEST(AutogradThreads, leaves_add_up_gradients_of_all_threads) {
  const Tensor x = ones({64}).requires_grad_();
  on_threads(8, [&](int) {
    for (int i = 0; i < 50; ++i) (x * 2).sum().backward();
  });
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(64, 800));
}

TEST(AutogradThreads, grad_mode_is_each_threads_own) {
  const NoGradGuard no_grad;
  const Tensor x = ones({4}).requires_grad_();
  on_threads(2, [&](int) { EXPECT_TRUE((x * 2).requires_grad()); });
  EXPECT_FALSE((x * 2).requires_grad());
}

TEST(AutogradThreads, a_graph_is_made_walked_and_freed_by_different_threads) {
  const Tensor x = ones({4}).requires_grad_();
  std::vector<Tensor> losses(8);
  on_threads(8, [&](int i) { losses[i] = (x.exp() * x).sum(); });
  on_threads(8, [&](int i) { losses[i].backward(); });
  on_threads(8, [&](int i) { losses[7 - i] = Tensor(); });
  EXPECT_NEAR(x.grad()[0].item<double>(), 8 * 2 * std::exp(1), 1e-4);
}

}  // namespace
