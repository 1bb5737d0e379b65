#include <tests/support/expect.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;

class Conv2d : public test::Float64Test {};

// Sines and cosines of 1, 2, 3, ...
Tensor wave(IntArrayRef sizes, bool cosine) {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  std::vector<double> v;
  for (int64_t i = 1; i <= n; ++i) {
    const auto angle = static_cast<double>(i);
    v.push_back(cosine ? std::cos(angle) : std::sin(angle));
  }
  return tensor(v).view(sizes);
}

TEST_F(Conv2d, ValuesOfPyTorch) {
  const Tensor x = wave({2, 1, 4, 4}, false);
  const Tensor w = wave({2, 1, 2, 2}, true);
  const std::vector<double> expected = {
      -0.82529215, -0.30551851, -0.44586888, 0.42661714,  0.05640199,  0.75503749,
      0.41385391,  0.59563617,  0.61500412,  0.33862542,  0.54357256,  -0.19543836,
      0.95381002,  0.24673090,  0.41009713,  -0.45993180, -0.09042393, -0.66331023,
      -0.94660688, -0.89900454, -1.01412113, -0.53654248, -0.77619278, 0.04919630};
  const Tensor b = tensor({0.1, -0.2});
  expect_tensor(conv2d(x, w, b, {2, 1}, {1, 0}, {1, 2}), {2, 2, 3, 2}, expected);
  const Tensor one = conv2d(x[0], w, b, {2, 1}, {1, 0}, {1, 2});
  expect_tensor(one, {2, 3, 2}, {expected.begin(), expected.begin() + 12});
}

TEST_F(Conv2d, GradientsOfPyTorch) {
  const Tensor x = wave({2, 1, 4, 4}, false).requires_grad_();
  const Tensor w = wave({2, 1, 2, 2}, true).requires_grad_();
  const Tensor b = tensor({0.1, -0.2}).requires_grad_();
  const Tensor y = conv2d(x, w, b, 2, 1);
  (y * y).sum().backward();
  expect_tensor(w.grad(), {2, 1, 2, 2},
                {4.74729841, 2.13458004, -9.46974246, -5.47392762, 3.00567236, 7.30192051,
                 3.31963243, -2.95184511});
  expect_tensor(x.grad()[0].slice(1, 0, 2), {1, 2, 4},
                {0.68213654, 2.46812908, 1.03136353, -2.84330673, -2.45849109, 0.98710581,
                 -0.55538506, 1.07597597});
  EXPECT_TRUE(allclose(b.grad(), y.detach().sum({0, 2, 3}) * 2));
}

TEST_F(Conv2d, ChannelsLastStays) {
  const Tensor x = wave({2, 3, 5, 4}, false);
  const Tensor w = wave({4, 3, 3, 2}, true).requires_grad_();
  const Tensor expected = conv2d(x, w, {}, 1, 1);
  const Tensor y = conv2d(x.contiguous(MemoryFormat::ChannelsLast), w, {}, 1, 1);
  EXPECT_TRUE(y.is_contiguous(MemoryFormat::ChannelsLast));
  EXPECT_TRUE(allclose(y, expected));
  const Tensor g = autograd::grad({y}, {w}, {ones_like(y)})[0];
  EXPECT_TRUE(allclose(g, autograd::grad({expected}, {w}, {ones_like(expected)})[0]));
}

TEST_F(Conv2d, NothingToConvolve) {
  const Tensor w = ones({4, 2, 3, 3}).requires_grad_();
  const Tensor y = conv2d(zeros({0, 2, 5, 5}), w);
  EXPECT_EQ(y.sizes().vec(), (std::vector<int64_t>{0, 4, 3, 3}));
  y.sum().backward();
  EXPECT_TRUE(equal(w.grad(), zeros({4, 2, 3, 3})));
  expect_tensor(conv2d(zeros({1, 0, 2, 2}), zeros({2, 0, 2, 2}), tensor({1., 2.})), {1, 2, 1, 1},
                {1, 2});
}

TEST_F(Conv2d, Errors) {
  const Tensor x = ones({1, 4, 8, 8});
  const Tensor w = ones({8, 3, 3, 3});
  EXPECT_ERROR(ShapeError,
               "conv2d: expected x with 3 channels (weight is [8, 3, 3, 3] with groups 1), got x "
               "[1, 4, 8, 8]",
               conv2d(x, w));
  EXPECT_ERROR(ShapeError,
               "conv2d: kernel [3, 3] with dilation [4, 4] is larger than x [1, 3, 8, 8] with "
               "padding [0, 0]",
               conv2d(ones({1, 3, 8, 8}), w, {}, 1, 0, 4));
  EXPECT_ERROR(ShapeError, "conv2d: expected x of shape [N, C, H, W] or [C, H, W], got [3, 8]",
               conv2d(ones({3, 8}), w));
  EXPECT_ERROR(ValueError, "conv2d: expected stride >= 1, got [0]",
               conv2d(ones({1, 3, 8, 8}), w, {}, 0));
  EXPECT_ERROR(ValueError, "conv2d: expected 1 or 2 values for padding, got [1, 1, 1]",
               conv2d(ones({1, 3, 8, 8}), w, {}, 1, {1, 1, 1}));
  EXPECT_THROW(conv2d(ones({1, 6, 8, 8}), w, {}, 1, 0, 1, 3), ShapeError);
  EXPECT_THROW(conv2d(ones({1, 3, 8, 8}), w, {}, 1, 0, 1, 0), ValueError);
  EXPECT_THROW(conv2d(ones({1, 3, 8, 8}, kFloat32), w), DTypeError);
}

}  // namespace
}  // namespace wick
