#include <tests/support/expect.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;

class Dropout : public test::Float64Test {};

TEST_F(Dropout, KeepsItsShareAndScales) {
  manual_seed(3);
  const Tensor x = ones({10000}).requires_grad_();
  const Tensor y = dropout(x, 0.25);
  const double kept = (y > 0).sum().item<double>();
  EXPECT_NEAR(kept, 7500, 200);
  EXPECT_NEAR(y.detach().sum().item<double>(), kept / 0.75, 1e-2);
  y.sum().backward();
  EXPECT_TRUE(equal(x.grad(), y.detach()));
}

TEST_F(Dropout, SameSeedSameMaskInAnyMemoryOrder) {
  const Tensor x = ones({30, 40});
  manual_seed(7);
  const Tensor y = dropout(x, 0.5);
  const Tensor next = dropout(x, 0.5);
  manual_seed(7);
  EXPECT_TRUE(equal(dropout(x.t().contiguous().t(), 0.5), y));
  EXPECT_FALSE(equal(next, y));
}

TEST_F(Dropout, Edges) {
  const Tensor x = tensor({1., 2.});
  EXPECT_TRUE(dropout(x, 0.5, false).is_same(x));
  EXPECT_TRUE(dropout(x, 0).is_same(x));
  expect_tensor(dropout(x, 1), {2}, {0, 0});
  expect_tensor(dropout(zeros({0}), 0.5), {0}, {});
  EXPECT_ERROR(ValueError, "dropout: expected a probability p in [0, 1], got 1.5", dropout(x, 1.5));
  EXPECT_THROW(dropout(x, std::nan("")), ValueError);
  EXPECT_THROW(dropout(tensor({1, 2}), 0.5), DTypeError);
}

}  // namespace
}  // namespace wick
