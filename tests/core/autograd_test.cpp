#include <wick/core/autograd.h>

#include <tests/support/expect.h>
#include <tests/support/leaf.h>
#include <wick/core/storage.h>

#include <stdexcept>

namespace {

using namespace wick;
using autograd::variable_list;
using test::expect_tensor;
using test::grad_of;
using test::leaf;
using test::Values;

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
  const Device device = get_default_device();
  const int64_t bytes = live_bytes(device);
  const Tensor x = ones({1000}).requires_grad_();
  const int64_t with_x = live_bytes(device);
  const Tensor loss = x.exp().exp().exp().sum();
  EXPECT_GE(live_bytes(device), with_x + 3 * 4000);
  loss.backward();
  EXPECT_LE(live_bytes(device), with_x + 4000 + 64);  // the gradient and the loss
  EXPECT_GE(live_bytes(device), bytes);
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

}  // namespace
