#include <tests/support/expect.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;

class Softmax : public test::Float64Test {};

TEST_F(Softmax, ValuesOfPyTorch) {
  const Tensor x = tensor({{1., -2., 3.}, {0.5, 4., -1.}});
  expect_tensor(softmax(x, 1), {2, 3},
                {0.11849965, 0.00589975, 0.87560060, 0.02912176, 0.96438030, 0.00649794}, 1e-8);
  expect_tensor(
      log_softmax(x, -2), {2, 3},
      {-0.474076984, -6.00247569, -0.0181499279, -0.974076984, -0.00247568514, -4.01814993}, 1e-8);
  EXPECT_TRUE(equal(softmax(x.t(), 0), softmax(x, 1).t()));
  expect_tensor(softmax(tensor(3.), 0), {}, {1});
  expect_tensor(softmax(zeros({2, 0}), 1), {2, 0}, {});
  EXPECT_EQ(softmax(tensor({1, 2}), 0, kFloat64).dtype(), kFloat64);
}

TEST_F(Softmax, GradientSumsToZero) {
  const Tensor x = tensor({{1., -2., 3.}}).requires_grad_();
  const Tensor y = softmax(x, 1);
  y.backward(tensor({{1., 2., -3.}}));
  const Tensor p = y.detach();
  const Tensor v = tensor({{1., 2., -3.}});
  EXPECT_TRUE(allclose(x.grad(), p * (v - (p * v).sum())));
}

TEST_F(Softmax, Errors) {
  EXPECT_ERROR(DTypeError,
               "softmax: expected a floating-point tensor, got int64; convert it with "
               ".to(kFloat32)",
               softmax(tensor({1, 2}), 0));
  EXPECT_THROW(log_softmax(ones({2}), 1), IndexError);
}

}  // namespace
}  // namespace wick
