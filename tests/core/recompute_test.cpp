#include <wick/core/recompute.h>

#include <gtest/gtest.h>
#include <tests/support/leaf.h>

namespace {

using namespace wick;
using autograd::checkpoint;
using autograd::variable_list;
using test::grad_of;
using test::leaf;
using test::Values;

Tensor leaf_of(int64_t size, double value) {
  return full({size}, value, kFloat64).requires_grad_();
}

TEST(AutogradCheckpoint, gives_the_same_gradients) {
  const Tensor w = leaf({0.5, -1}), x = leaf({1, 2}), v = leaf({0.5, -1}), y = leaf({1, 2});
  int calls = 0;
  const auto block = [&](const variable_list& in) {
    ++calls;
    return variable_list{(in[0] * w).tanh() * in[0], in[0].exp()};
  };
  const variable_list out = checkpoint(block, {x});
  (out[0] * out[1]).sum().backward();
  EXPECT_EQ(calls, 2);
  (((y * v).tanh() * y) * y.exp()).sum().backward();
  EXPECT_TRUE(x.grad().allclose(y.grad(), 1e-14));
  EXPECT_TRUE(w.grad().allclose(v.grad(), 1e-14));
}

TEST(AutogradCheckpoint, keeps_nothing_but_the_inputs) {
  const Tensor x = leaf_of(1000, 0.5);
  const auto deep = [](const Tensor& in) {
    Tensor y = in;
    for (int i = 0; i < 10; ++i) y = y.tanh();
    return y;
  };
  const int64_t before = live_bytes(x.device());
  const Tensor y = checkpoint(deep, x);
  EXPECT_EQ(live_bytes(x.device()) - before, 8000) << "the result alone";
  EXPECT_EQ(live_nodes(), 1 + 1) << "the checkpoint and x's accumulator";
  y.sum().backward();
  const Tensor z = leaf_of(1000, 0.5);
  deep(z).sum().backward();
  EXPECT_EQ(grad_of(x), grad_of(z));
}

TEST(AutogradCheckpoint, draws_the_same_random_numbers_again) {
  const auto noisy = [](const Tensor& in) { return dropout(in, 0.5); };
  const Tensor x = leaf_of(200, 1);
  manual_seed(3);
  const Tensor y = checkpoint(noisy, x);
  rand({10});
  const RngState state = get_rng_state();
  y.sum().backward();
  EXPECT_EQ(grad_of(x), y.detach().to_vector<double>());
  EXPECT_EQ(get_rng_state().offset, state.offset);
  const Tensor other = leaf_of(200, 1);
  const Tensor z = checkpoint(noisy, other, /*preserve_rng_state=*/false);
  z.sum().backward();
  EXPECT_NE(grad_of(other), z.detach().to_vector<double>());
}

TEST(AutogradCheckpoint, parameters_alone_may_require_gradients) {
  const Tensor w = leaf({2}), x = ones({1}, kFloat64);
  checkpoint([&](const Tensor& in) { return in * w; }, x).sum().backward();
  EXPECT_EQ(grad_of(w), Values{1});
  const NoGradGuard no_grad;
  EXPECT_FALSE(checkpoint([&](const Tensor& in) { return in * w; }, w).requires_grad());
}

TEST(AutogradCheckpoint, checkpoints_in_checkpoints) {
  const Tensor x = leaf({0.3}), y = leaf({0.3});
  const std::function<Tensor(const Tensor&)> inner = [](const Tensor& in) { return in.exp() * in; };
  checkpoint([&](const Tensor& in) { return checkpoint(inner, checkpoint(inner, in)); }, x)
      .sum()
      .backward();
  inner(inner(y)).sum().backward();
  EXPECT_EQ(grad_of(x), grad_of(y));
}

TEST(AutogradCheckpoint, what_it_cannot_do_is_an_error) {
  const Tensor x = leaf({1, 2});
  const auto square = [](const Tensor& in) { return in * in; };
  const auto once = [&] { return checkpoint(square, x).sum(); };
  EXPECT_THROW(autograd::grad({once()}, {x}), AutogradError);
  EXPECT_THROW(autograd::backward({once()}, {}, std::nullopt, false, {x}), AutogradError);
  EXPECT_THROW(once().backward({}, true, true), NotImplementedError);
  const Tensor y = once();
  y.backward();
  EXPECT_THROW(y.backward(), AutogradError) << "freed";
  Tensor z = x * 1;
  const Tensor w = checkpoint(square, z).sum();
  z.mul_(2);
  EXPECT_THROW(w.backward(), AutogradError) << "an input was changed";
}

}  // namespace
