#include <tests/support/expect.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>

namespace wick {
namespace {

using test::expect_tensor;

class BatchNorm : public test::Float64Test {};

Tensor wave(IntArrayRef sizes) {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(std::sin(static_cast<double>(i)));
  return tensor(v).view(sizes);
}

TEST_F(BatchNorm, ValuesOfPyTorch) {
  const Tensor x = wave({2, 3, 2}).requires_grad_();
  const Tensor w = tensor({0.5, 2., 1.5});
  const Tensor mean = zeros({3}, kFloat64);
  const Tensor var = ones({3}, kFloat64);
  const Tensor y = batch_norm(x, w, tensor({0., 1., 2.}), mean, var, true, 0.1);
  expect_tensor(y, {2, 3, 2},
                {-0.33128063, 0.58341474, 2.68897312, -1.68944886, 2.48038793, 0.81010617,
                 -0.63501072, 0.38287661, 3.14530007, -0.14482433, 4.23875789, 0.47074801});
  expect_tensor(mean, {3}, {0.03047605, 0.06129735, -0.08149345});
  expect_tensor(var, {3}, {0.92820873, 0.91641539, 0.90439174});
  (y * y * y).sum().backward();
  expect_tensor(x.grad(), {2, 3, 2},
                {-0.49807616, 0.36649789, -8.30554097, 37.28327305, -58.06069627, -0.80131801,
                 0.42166485, -0.29008658, 24.66794861, -53.64568068, 31.12239669, 27.73961760});
  expect_tensor(batch_norm(x.detach(), w, {}, mean, var, false), {2, 3, 2},
                {-0.01581625, 0.42088455, 1.77164755, 0.16676603, -1.06515579, -1.38395973,
                 -0.16082538, 0.32514212, 1.93891116, 0.73293791, -0.72953860, -1.44873246});
}

TEST_F(BatchNorm, ChannelsLastStays) {
  const Tensor x = wave({2, 3, 4, 5});
  const Tensor y = batch_norm(x.contiguous(MemoryFormat::ChannelsLast), {}, {}, {}, {}, true);
  EXPECT_TRUE(y.is_contiguous(MemoryFormat::ChannelsLast));
  EXPECT_TRUE(allclose(y, batch_norm(x, {}, {}, {}, {}, true)));
}

TEST_F(BatchNorm, HalfKeepsFloatStatistics) {
  const Tensor x = wave({4, 2}).to(kFloat16).requires_grad_();
  const Tensor w = ones({2}, kFloat32).requires_grad_();
  const Tensor half_mean = zeros({2}, kFloat16);
  const Tensor y = batch_norm(x, w, ones({2}, kFloat16), half_mean, ones({2}, kFloat32), true);
  EXPECT_EQ(y.dtype(), kFloat16);
  y.sum().backward();
  EXPECT_EQ(w.grad().dtype(), kFloat32);
  EXPECT_EQ(x.grad().dtype(), kFloat16);
  EXPECT_TRUE(allclose(half_mean.to(kFloat32), x.detach().to(kFloat32).mean(0) * 0.1, 1e-2));
}

TEST_F(BatchNorm, EvaluationSurvivesLaterTraining) {
  const Tensor x = wave({4, 2}).requires_grad_();
  const Tensor mean = zeros({2}, kFloat64);
  const Tensor var = ones({2}, kFloat64);
  const Tensor y = batch_norm(x, {}, {}, mean, var, false, 0.1, 0);
  batch_norm(x.detach(), {}, {}, mean, var, true);
  y.sum().backward();
  EXPECT_TRUE(equal(x.grad(), ones({4, 2}, kFloat64)));
}

TEST_F(BatchNorm, EmptyBatch) {
  const Tensor w = ones({3}).requires_grad_();
  const Tensor mean = zeros({3});
  const Tensor y = batch_norm(zeros({0, 3}), w, {}, mean, ones({3}), true);
  y.sum().backward();
  expect_tensor(w.grad(), {3}, {0, 0, 0});
  expect_tensor(mean, {3}, {0, 0, 0});
}

TEST_F(BatchNorm, Errors) {
  EXPECT_ERROR(ValueError,
               "batch_norm: expected more than 1 value per channel when training, got x [1, 3]; "
               "use a larger batch or eval()",
               batch_norm(ones({1, 3}), {}, {}, {}, {}, true));
  EXPECT_ERROR(ShapeError, "batch_norm: expected running_var of shape [3], got [2]",
               batch_norm(ones({2, 3}), {}, {}, {}, ones({2}), true));
  EXPECT_ERROR(DTypeError,
               "batch_norm: expected weight of type float64 for x of type float64, got float32",
               batch_norm(ones({2, 3}), ones({3}, kFloat32), {}, {}, {}, true));
  EXPECT_THROW(batch_norm(ones({2, 3}), {}, {}, {}, {}, false), ValueError);
  EXPECT_THROW(batch_norm(ones({3}), {}, {}, {}, {}, true), ShapeError);
}

/// (x - mean) / sqrt(var + eps) over rows, of elementwise ops and sums alone.
Tensor rows_normalised(const Tensor& x, bool center) {
  const Tensor d = center ? x - x.mean(-1, true) : x;
  return d / sqrt((d * d).mean(-1, true) + 1e-5);
}

class LayerNorm : public test::Float64Test {};

// More rows than a partial sum has, and rows around vectors, warps and blocks.
TEST_F(LayerNorm, LargeShapes) {
  for (const auto& [rows, dim] : {std::pair<int64_t, int64_t>{600, 67}, {3, 1031}, {70, 1}}) {
    for (const bool center : {true, false}) {
      for (const DType dtype : {kFloat32, kFloat64}) {
        SCOPED_TRACE(str(dtype, " ", rows, " ", dim, " ", center));
        manual_seed(4);
        const Tensor x = randn({rows, dim}, dtype), w = randn(dim, dtype), b = randn(dim, dtype);
        const Tensor g = randn({rows, dim}, dtype);
        const auto run = [&, dim = dim](bool own, DType type) {
          std::vector<Tensor> in;
          for (const Tensor& t : {x, w, b}) in.push_back(t.to(type).clone().requires_grad_());
          Tensor y = !own     ? rows_normalised(in[0], center) * in[1]
                     : center ? layer_norm(in[0], dim, in[1], in[2])
                              : rms_norm(in[0], dim, in[1], 1e-5);
          if (!own && center) y = y + in[2];
          std::vector<Tensor> all =
              autograd::grad({(y * g.to(type)).sum()}, in, {}, {}, false, true);
          all.push_back(y.detach());
          return all;
        };
        const auto got = run(true, dtype), expected = run(false, kFloat64);
        for (size_t i = 0; i < got.size(); ++i) {
          if (!got[i].defined()) continue;
          EXPECT_LE(test::distance(got[i], expected[i]), 256 * test::precision(dtype)) << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace wick
