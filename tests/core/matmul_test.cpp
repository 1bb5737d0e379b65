#include <tests/support/expect.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;

class Matmul : public test::Float64Test {};

Tensor numbers(IntArrayRef sizes, double shift) {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  return (arange(n, kFloat64) * 0.7 + shift).view(sizes);
}

/// The definition, for a: [B, m, k] and b: [B, k, n].
Tensor product(const Tensor& a, const Tensor& b) {
  return (a.unsqueeze(3) * b.unsqueeze(1)).sum(2);
}

TEST_F(Matmul, RulesForDimensions) {
  const Tensor v = tensor({1., 2., 3.});
  const Tensor m = tensor({{1., 0., 2.}, {-1., 3., 1.}});
  expect_tensor(matmul(v, v), {}, {14});
  expect_tensor(matmul(m, v), {2}, {7, 8});
  expect_tensor(matmul(v, m.t()), {2}, {7, 8});
  expect_tensor(matmul(m, m.t()), {2, 2}, {5, 1, 1, 11});
  expect_tensor(matmul(m.expand({2, 2, 3}), v), {2, 2}, {7, 8, 7, 8});
  expect_tensor(matmul(v, m.t().expand({2, 3, 2})), {2, 2}, {7, 8, 7, 8});
}

TEST_F(Matmul, BatchesBroadcast) {
  const Tensor a = numbers({2, 1, 3, 4}, -5);
  const Tensor b = numbers({5, 4, 2}, 1);
  const Tensor c = matmul(a, b);
  ASSERT_EQ(c.sizes().vec(), (std::vector<int64_t>{2, 5, 3, 2}));
  const Tensor expected = product(a.expand({2, 5, 3, 4}).reshape({10, 3, 4}),
                                  b.expand({2, 5, 4, 2}).reshape({10, 4, 2}));
  EXPECT_TRUE(allclose(c.view({10, 3, 2}), expected));
}

TEST_F(Matmul, AnyStridesGiveTheSame) {
  const Tensor a = numbers({3, 5, 4}, -9);
  const Tensor b = numbers({3, 4, 2}, 2);
  const Tensor expected = product(a, b);
  const Tensor columns = a.transpose(1, 2).contiguous().transpose(1, 2);
  const Tensor wide = cat({b, b}, 2).slice(2, 0, 2);
  const Tensor spread = stack({b, b}, 3).select(3, 1);
  const Tensor swapped = a.transpose(0, 1).contiguous().transpose(0, 1);
  for (const Tensor& x : {a, columns, swapped})
    for (const Tensor& y : {b, wide, spread}) EXPECT_TRUE(allclose(matmul(x, y), expected));
}

TEST_F(Matmul, NothingToMultiply) {
  expect_tensor(matmul(zeros({2, 0}), zeros({0, 3})), {2, 3}, {0, 0, 0, 0, 0, 0});
  expect_tensor(matmul(zeros({0, 2}), zeros({2, 3})), {0, 3}, {});
  expect_tensor(matmul(zeros({4, 0, 2}), zeros({2, 3})), {4, 0, 3}, {});
  expect_tensor(linear(zeros({2, 0}), zeros({2, 0}), tensor({1., 2.})), {2, 2}, {1, 2, 1, 2});
  const Tensor x = zeros({0, 3}).requires_grad_();
  const Tensor w = ones({2, 3}).requires_grad_();
  linear(x, w).sum().backward();
  expect_tensor(w.grad(), {2, 3}, {0, 0, 0, 0, 0, 0});
}

TEST_F(Matmul, LinearAndItsGradients) {
  const Tensor x = numbers({2, 3, 4}, -3).requires_grad_();
  const Tensor w = numbers({2, 4}, -1).requires_grad_();
  const Tensor b = tensor({1., -1.}).requires_grad_();
  const Tensor y = linear(x, w, b);
  EXPECT_TRUE(allclose(y.detach(), matmul(x, w.t()).detach() + b.detach()));
  const Tensor v = numbers({2, 3, 2}, 0.5);
  y.backward(v);
  EXPECT_TRUE(allclose(x.grad(), matmul(v, w.detach())));
  EXPECT_TRUE(allclose(w.grad(), matmul(v.view({6, 2}).t(), x.detach().view({6, 4}))));
  EXPECT_TRUE(allclose(b.grad(), v.sum({0, 1})));
}

TEST_F(Matmul, Errors) {
  EXPECT_ERROR(ShapeError,
               "matmul: expected a [.., m, k] and b [.., k, n], got [2, 3] and [4, 5]: 3 and 4 "
               "differ",
               matmul(ones({2, 3}), ones({4, 5})));
  EXPECT_THROW(matmul(ones({2, 3, 4}), ones({3, 4, 5})), ShapeError);
  EXPECT_ERROR(ShapeError,
               "matmul: expected tensors of at least 1 dimension, got [] and [3]; use mul() for "
               "numbers",
               matmul(tensor(2.), ones({3})));
  EXPECT_ERROR(DTypeError,
               "matmul: expected both of one type, got float64 and int64; convert one with "
               ".to(dtype)",
               matmul(ones({2, 3}), ones({3, 2}, kInt64)));
  EXPECT_ERROR(ShapeError, "linear: expected x of shape [..., 5], got [2, 4]",
               linear(ones({2, 4}), ones({3, 5})));
  EXPECT_ERROR(ShapeError, "linear: expected bias of shape [3], got [1]",
               linear(ones({2, 5}), ones({3, 5}), ones({1})));
}

}  // namespace
}  // namespace wick
