#include <gtest/gtest.h>
#include <tests/support/leaf.h>

// Changes in place, of tensors and of their views. Values and errors are as in PyTorch.
namespace {

using namespace wick;
using test::grad_of;
using test::leaf;
using test::Values;

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

TEST(AutogradInPlace, nothing_overlaps_in_a_tensor_without_elements) {
  Tensor empty = zeros({1, 0}).expand({3, 0});
  empty.add_(1);
  // Neither in the engine's own sums of gradients that were expanded.
  const Tensor x = zeros({2, 0}).requires_grad_();
  (x.sum() + x.sum(0).sum()).backward();
  EXPECT_EQ(x.grad().sizes(), x.sizes());
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

TEST(AutogradInPlace, an_argument_that_is_a_view_of_what_it_changes_has_the_new_history) {
  const Tensor x = leaf({1, 2, 3, 4}), w = tensor({1, 10, 100, 1000}, kFloat64).view({2, 2});
  Tensor y = (x * 1).view({2, 2}).clone();
  const Tensor v = y.t();
  y.copy_(v);  // v is now what y was
  EXPECT_EQ(v.detach().to_vector<double>(), (Values{1, 2, 3, 4}));
  (v * w).sum().backward();
  EXPECT_EQ(grad_of(x), (Values{1, 10, 100, 1000}));
}

}  // namespace
