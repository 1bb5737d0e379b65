#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <limits>

namespace wick {
namespace {

using test::expect_tensor;

class Pool : public test::Float64Test {};

Tensor wave(IntArrayRef sizes) {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  std::vector<double> v;
  for (int64_t i = 1; i <= n; ++i) v.push_back(std::sin(static_cast<double>(i)));
  return tensor(v).view(sizes);
}

TEST_F(Pool, ValuesOfPyTorch) {
  const Tensor x = wave({1, 4, 4});
  const auto [y, indices] = max_pool2d_with_indices(x, 3, 2, 1);
  expect_tensor(y, {1, 2, 2}, {0.90929743, 0.98935825, 0.99060736, 0.99060736});
  expect_tensor(indices, {1, 2, 2}, {1, 7, 13, 13});
  expect_tensor(max_pool2d(x.unsqueeze(0), 3, 2, 1), {1, 1, 2, 2},
                {0.90929743, 0.98935825, 0.99060736, 0.99060736});
  expect_tensor(avg_pool2d(x, 3, 2, 1, true), {1, 3, 3},
                {0.05693652, 0.18450492, 0.03875929, 0.00450355, 0.07103744, 0.02748034, 0.23512907,
                 0.22549865, -0.07197583});
  expect_tensor(avg_pool2d(x, 3, 2, 1, true, false), {1, 3, 3},
                {0.12810716, 0.27675738, 0.11627788, 0.00675533, 0.07103744, 0.05496067, 0.70538720,
                 0.45099729, -0.28790332});
  expect_tensor(avg_pool2d(ones({1, 2, 2}), 2, {}, 0, false, true, -2), {1, 1, 1}, {-2});
}

TEST_F(Pool, MaximumTakesNanAndPassesGradientsOn) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_tensor(max_pool2d(tensor({{{1., nan}, {7., 2.}}}), 2), {1, 1, 1}, {nan});
  const Tensor x = tensor({{{1., 5., 2.}}}).requires_grad_();
  max_pool2d(x, {1, 2}, 1).sum().backward();
  expect_tensor(x.grad(), {1, 1, 3}, {0, 2, 0});
}

TEST_F(Pool, AnyMemoryOrder) {
  const Tensor x = wave({2, 3, 5, 4});
  const Tensor last = x.contiguous(MemoryFormat::ChannelsLast);
  EXPECT_TRUE(equal(max_pool2d(last, 2), max_pool2d(x, 2)));
  EXPECT_TRUE(equal(avg_pool2d(last, 2), avg_pool2d(x, 2)));
  EXPECT_EQ(max_pool2d(zeros({0, 3, 4, 4}), 2).sizes().vec(), (std::vector<int64_t>{0, 3, 2, 2}));
}

TEST_F(Pool, Errors) {
  const Tensor x = ones({1, 2, 4, 4});
  EXPECT_ERROR(ValueError,
               "max_pool2d: expected padding of at most half the kernel size [2, 2], got [2, 2]",
               max_pool2d(x, 2, {}, 2));
  EXPECT_ERROR(ShapeError,
               "avg_pool2d: kernel [5, 5] with dilation [1, 1] is larger than x [1, 2, 4, 4] with "
               "padding [0, 0]",
               avg_pool2d(x, 5));
  EXPECT_ERROR(ShapeError,
               "max_pool2d: expected planes of at least one element, got x [1, 2, 0, 4]",
               max_pool2d(ones({1, 2, 0, 4}), 1));
  EXPECT_ERROR(ShapeError,
               "max_pool2d: a window of kernel [2, 2] with dilation [2, 2] and padding [1, 1] "
               "holds no element of x [1, 1, 4]",
               max_pool2d(ones({1, 1, 4}), 2, 1, 1, 2));
  EXPECT_THROW(max_pool2d(ones({4, 4}), 2), ShapeError);
  EXPECT_THROW(avg_pool2d(x, 2, {}, 0, false, true, 0), ValueError);
  EXPECT_THROW(max_pool2d(x, IntArrayRef()), ValueError);
  EXPECT_THROW(max_pool2d(ones({1, 4, 4}, kInt64), 2), DTypeError);
}

}  // namespace
}  // namespace wick
