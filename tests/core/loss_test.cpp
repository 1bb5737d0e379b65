#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <limits>

namespace wick {
namespace {

using test::expect_tensor;
using test::finish;

class Loss : public test::Float64Test {};
const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  Reduction reduction;
  std::vector<int64_t> sizes;
  std::vector<double> smoothed, plain, ignored, probabilities, nll;
};

TEST_F(Loss, ValuesOfPyTorch) {
  const Tensor x = tensor({{1., -2., 3.}, {0.5, 4., -1.}});
  const Tensor t = tensor({2, 0});
  const Tensor w = tensor({0.5, 2., 1.5});
  const Case cases[] = {
      {Reduction::None,
       {2},
       {0.56372043, 1.90449058},
       {0.13284523, 3.53626957},
       {0.19926785, 0},
       {1.05789055, 0.76276623},
       {-4.5, -0.25}},
      {Reduction::Mean, {}, {1.23410550}, {1.83455740}, {0.13284523}, {0.91032839}, {-2.375}},
      {Reduction::Sum, {}, {2.46821101}, {3.66911480}, {0.19926785}, {1.82065678}, {-4.75}}};
  for (const Case& c : cases) {
    expect_tensor(cross_entropy(x, t, w, c.reduction, -100, 0.1), c.sizes, c.smoothed);
    expect_tensor(cross_entropy(x, t, {}, c.reduction), c.sizes, c.plain);
    expect_tensor(cross_entropy(x, tensor({2, -100}), w, c.reduction), c.sizes, c.ignored);
    expect_tensor(cross_entropy(x, softmax(x, 1), w, c.reduction, -100, 0.2), c.sizes,
                  c.probabilities);
    expect_tensor(nll_loss(x, t, w, c.reduction), c.sizes, c.nll);
  }
}

TEST_F(Loss, ShapesOfClasses) {
  const Tensor x = tensor({{1., -2., 3.}, {0.5, 4., -1.}});
  expect_tensor(cross_entropy(x[0], tensor(2)), {}, {0.13284523});
  const Tensor planes = x.t().reshape({1, 3, 2, 1});
  expect_tensor(cross_entropy(planes, tensor({2, 0}).view({1, 2, 1}), {}, Reduction::None),
                {1, 2, 1}, {0.13284523, 3.53626957});
  expect_tensor(cross_entropy(zeros({0, 3}), zeros({0}, kInt64)), {}, {kNan});
  expect_tensor(cross_entropy(zeros({0, 3}), zeros({0, 3})), {}, {kNan});
  expect_tensor(nll_loss(zeros({0, 3}), zeros({0}, kInt64), {}, Reduction::Sum), {}, {0});
}

TEST_F(Loss, FusedGradientIsThatOfTheParts) {
  Tensor x = tensor({{1., -2., 3.}, {0.5, 4., -1.}}).requires_grad_();
  cross_entropy(x, tensor({2, 0})).backward();
  const Tensor fused = x.grad();
  x.mutable_grad() = Tensor();
  nll_loss(log_softmax(x, 1), tensor({2, 0})).backward();
  EXPECT_TRUE(allclose(fused, x.grad()));
}

TEST_F(Loss, MeanSquaredError) {
  const Tensor x = tensor({1., 2., 4.}).requires_grad_();
  const Tensor y = mse_loss(x, tensor({1., 0., 1.}));
  expect_tensor(y, {}, {13. / 3});
  y.backward();
  expect_tensor(x.grad(), {3}, {0, 4. / 3, 2});
  EXPECT_EQ(mse_loss(ones({2}, kFloat32), ones({2})).dtype(), kFloat64);
}

TEST_F(Loss, Errors) {
  const Tensor x = ones({2, 3});
  EXPECT_ERROR(ShapeError, "nll_loss: expected a target of shape [2] for x [2, 3], got [3]",
               nll_loss(x, zeros({3}, kInt64)));
  EXPECT_ERROR(DTypeError,
               "cross_entropy: expected class numbers of type int64 as target, got int32; convert "
               "them with .to(kInt64)",
               cross_entropy(x, zeros({2}, kInt32)));
  EXPECT_ERROR(ShapeError, "cross_entropy: expected weight of shape [3], got [2]",
               cross_entropy(x, zeros({2}, kInt64), ones({2})));
  EXPECT_THROW(finish(cross_entropy(x, tensor({0, 3}))), IndexError);
  EXPECT_THROW(finish(nll_loss(x, tensor({-1, 0}))), IndexError);
  EXPECT_ERROR(ValueError, "cross_entropy: expected label_smoothing in [0, 1], got 1.5",
               cross_entropy(x, tensor({0, 1}), {}, Reduction::Mean, -100, 1.5));
  EXPECT_ERROR(ValueError,
               "cross_entropy: ignore_index needs class numbers as target, got probabilities",
               cross_entropy(x, x, {}, Reduction::Mean, 1));
  EXPECT_ERROR(ShapeError,
               "mse_loss: expected x and target of one shape, got [2, 3] and [3]; broadcasting "
               "would compare wrong pairs: view() or expand() one of them",
               mse_loss(x, ones({3})));
}

}  // namespace
}  // namespace wick
