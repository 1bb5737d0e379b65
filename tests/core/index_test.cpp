#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;
using test::finish;

class Index : public test::Float64Test {};

TEST_F(Index, SelectPicksRowsAndAddsTheirGradients) {
  const Tensor x = arange(6, kFloat64).view({2, 3}).requires_grad_();
  const Tensor y = index_select(x, 1, tensor({2, 0, 2}));
  expect_tensor(y, {2, 3}, {2, 0, 2, 5, 3, 5});
  y.sum().backward();
  expect_tensor(x.grad(), {2, 3}, {1, 0, 2, 1, 0, 2});
  expect_tensor(index_select(x.detach().t(), -1, tensor(1).to(kInt32)), {3, 1}, {3, 4, 5});
  expect_tensor(index_select(tensor(3.), 0, tensor({0})), {}, {3});
  expect_tensor(index_select(tensor({true, false}), 0, tensor({1, 0})), {2}, {0, 1});
  expect_tensor(x.detach().index_select(0, zeros({0}, kInt64)), {0, 3}, {});
}

TEST_F(Index, EmbeddingSkipsPadding) {
  const Tensor w = tensor({{1., 2.}, {3., 4.}, {5., 6.}}).requires_grad_();
  const Tensor y = embedding(w, tensor({{2, 0}, {2, 1}}), 2);
  expect_tensor(y, {2, 2, 2}, {5, 6, 1, 2, 5, 6, 3, 4});
  y.sum().backward();
  expect_tensor(w.grad(), {3, 2}, {1, 1, 1, 1, 0, 0});
}

TEST_F(Index, CatPromotesAndSkipsEmptyVectors) {
  const Tensor a = tensor({{1., 2.}, {3., 4.}}).requires_grad_();
  const Tensor b = tensor({{5}, {6}});
  const Tensor y = cat({a.t(), empty({0}), b}, 1);
  EXPECT_EQ(y.dtype(), kFloat64);
  expect_tensor(y, {2, 3}, {1, 3, 5, 2, 4, 6});
  (y * tensor({{1., 2., 3.}, {4., 5., 6.}})).sum().backward();
  expect_tensor(a.grad(), {2, 2}, {1, 4, 2, 5});
  const Tensor single = ones({1}, kFloat32).requires_grad_();
  cat({single, ones({2}, kFloat64)}).sum().backward();
  EXPECT_EQ(single.grad().dtype(), kFloat32);
}

TEST_F(Index, Stack) {
  const Tensor a = tensor({1., 2.});
  const Tensor b = tensor({3., 4.});
  expect_tensor(stack({a, b}), {2, 2}, {1, 2, 3, 4});
  expect_tensor(stack({a, b}, -1), {2, 2}, {1, 3, 2, 4});
  expect_tensor(stack({tensor(1), tensor(2)}), {2}, {1, 2});
}

TEST_F(Index, Errors) {
  const Tensor x = ones({2, 3});
  EXPECT_THROW(finish(index_select(x, 0, tensor({2}))), IndexError);
  EXPECT_THROW(finish(index_select(x, 0, tensor({-1}))), IndexError);
  EXPECT_THROW(finish(index_select(ones({2, 0}), 0, tensor({7}))), IndexError);
  EXPECT_THROW(finish(embedding(x, tensor({5}))), IndexError);
  EXPECT_THROW(index_select(x, 2, tensor({0})), IndexError);
  EXPECT_THROW(index_select(x, 0, tensor({{0}})), ShapeError);
  EXPECT_ERROR(DTypeError,
               "index_select: expected an index of type int64 or int32, got float64; convert it "
               "with .to(kInt64)",
               index_select(x, 0, ones({1})));
  EXPECT_ERROR(ValueError, "embedding: expected padding_idx in [0, 2) or -1 for none, got 2",
               embedding(x, tensor({0}), 2));
  EXPECT_ERROR(ShapeError,
               "cat: expected sizes that agree in all but dimension 0, got [2, 3] and, as tensor "
               "1, [2, 4]",
               cat({x, ones({2, 4})}));
  EXPECT_ERROR(ShapeError, "cat: tensor 1 has no dimensions; use stack() or unsqueeze(0)",
               cat({x, tensor(1.)}));
  EXPECT_ERROR(ValueError, "cat: expected at least one tensor", cat({}));
  EXPECT_ERROR(ShapeError, "stack: expected tensors of one shape, got [2, 3] and, as tensor 1, [3]",
               stack({x, ones({3})}));
}

}  // namespace
}  // namespace wick
