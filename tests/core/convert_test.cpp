#include <gtest/gtest.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <cmath>

namespace wick {
namespace {

using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;

TEST(Convert, ToType) {
  const Tensor x = tensor({-1.7, 0., 2.5}, kFloat64);
  EXPECT_TRUE(x.to(kFloat64).is_same(x));
  EXPECT_FALSE(x.to(kFloat64, false, /*copy=*/true).is_alias_of(x));
  EXPECT_EQ(x.to(kInt32).to_vector<int32_t>(), (std::vector<int32_t>{-1, 0, 2}));
  EXPECT_EQ(x.to(kBool).to_vector<int64_t>(), (Ints{1, 0, 1}));
  EXPECT_EQ(x.to(kFloat16).dtype(), kFloat16);
  EXPECT_EQ(x.to(TensorOptions(kInt64)).dtype(), kInt64);
  EXPECT_EQ(x.to(kCPU, kFloat32).dtype(), kFloat32);
  EXPECT_EQ(x.to(ones({1}, kInt8)).dtype(), kInt8);
  EXPECT_EQ(x.type_as(ones({1}, kInt8)).dtype(), kInt8);
  EXPECT_TRUE(x.to(x.device()).is_same(x));
  const Tensor host = x.cpu();
  EXPECT_TRUE(host.to("cpu").is_same(host));
  EXPECT_TRUE(host.cpu().is_same(host));
  EXPECT_THROW(x.to(TensorOptions().requires_grad(true)), ValueError);
  EXPECT_EQ(zeros({0, 2}).to(kInt8).sizes().vec(), (Ints{0, 2}));
  if (!cuda::is_available()) {
    EXPECT_THROW(x.cuda(), DeviceError);
    EXPECT_THROW(x.to("cuda:0"), DeviceError);
  }
}

TEST(Convert, EveryPairOfTypesKeepsSmallNumbers) {
  for (int from = 0; from < kNumDTypes; ++from) {
    const Tensor x = tensor({0, 1, 1, 0, 1}).to(static_cast<DType>(from));
    for (int to = 0; to < kNumDTypes; ++to) {
      const Tensor y = x.to(static_cast<DType>(to));
      EXPECT_EQ(y.dtype(), static_cast<DType>(to));
      EXPECT_EQ(y.to_vector<double>(), (Doubles{0, 1, 1, 0, 1}));
    }
  }
}

TEST(Convert, ToKeepsTheMemoryOrderAndTheGradient) {
  const Tensor x = tensor({{1., 2., 3.}, {4., 5., 6.}}, kFloat64).t().requires_grad_();
  const Tensor y = x.to(kFloat32);
  EXPECT_EQ(y.strides().vec(), x.strides().vec());
  const Tensor g = autograd::grad({sum(y * y)}, {x}, {}, std::nullopt, true)[0];
  EXPECT_EQ(g.dtype(), kFloat64);
  EXPECT_EQ(g.to_vector<double>(), (Doubles{2, 8, 4, 10, 6, 12}));
  EXPECT_EQ(autograd::grad({sum(g)}, {x})[0].to_vector<double>(), Doubles(6, 2));
  EXPECT_FALSE(x.to(kInt64).requires_grad());
}

TEST(Convert, CloneAndContiguous) {
  const Tensor x = arange(6, kFloat32).view({2, 3}).t();
  const Tensor c = x.clone();
  EXPECT_FALSE(c.is_alias_of(x));
  EXPECT_EQ(c.strides().vec(), x.strides().vec());
  const Tensor d = x.contiguous();
  EXPECT_EQ(d.strides().vec(), (Ints{2, 1}));
  EXPECT_EQ(d.to_vector<double>(), (Doubles{0, 3, 1, 4, 2, 5}));
  EXPECT_TRUE(d.contiguous().is_same(d));
  const Tensor w = tensor({1., 2.}, requires_grad());
  const Tensor v = w.expand({3, 2}).contiguous();
  EXPECT_EQ(autograd::grad({sum(v * v)}, {w})[0].to_vector<double>(), (Doubles{6, 12}));
  EXPECT_EQ(autograd::grad({sum(w.clone() * 3)}, {w})[0].to_vector<double>(), (Doubles{3, 3}));
}

TEST(Convert, ChannelsLast) {
  const Tensor x = arange(24).view({1, 2, 3, 4});
  EXPECT_FALSE(x.is_contiguous(MemoryFormat::ChannelsLast));
  const Tensor y = x.contiguous(MemoryFormat::ChannelsLast);
  EXPECT_EQ(y.strides().vec(), (Ints{24, 1, 8, 2}));
  EXPECT_TRUE(y.is_contiguous(MemoryFormat::ChannelsLast));
  EXPECT_FALSE(y.is_contiguous());
  EXPECT_EQ(y.to_vector<int64_t>(), x.to_vector<int64_t>());
  EXPECT_EQ(y.contiguous().strides().vec(), x.strides().vec());
  EXPECT_THROW(arange(4).contiguous(MemoryFormat::ChannelsLast), ShapeError);
  EXPECT_THROW(x.contiguous(MemoryFormat::Preserve), ValueError);
  EXPECT_TRUE(zeros({2, 1, 3, 4}).is_contiguous(MemoryFormat::ChannelsLast));
}

TEST(Convert, CopyBroadcastsAndConverts) {
  Tensor x = zeros({2, 3});
  EXPECT_TRUE(x.copy_(tensor({1, 2, 3})).is_same(x));
  EXPECT_EQ(x.to_vector<double>(), (Doubles{1, 2, 3, 1, 2, 3}));
  x.copy_(tensor(7));
  EXPECT_EQ(x.to_vector<double>(), Doubles(6, 7));
  EXPECT_EQ(x._version(), 2u);
  x.t().copy_(arange(6).view({3, 2}));
  EXPECT_EQ(x.to_vector<double>(), (Doubles{0, 2, 4, 1, 3, 5}));
  EXPECT_THROW(x.copy_(zeros({2})), ShapeError);
  EXPECT_THROW(x[0].copy_(x), ShapeError);
  EXPECT_THROW(x[0][0].expand({3}).copy_(zeros({3})), ValueError);
  EXPECT_THROW(x.copy_(Tensor()), ValueError);
}

TEST(Convert, CopyBetweenOverlappingPartsReadsFirst) {
  Tensor x = arange(6);
  x.slice(0, 1).copy_(x.slice(0, 0, 5));
  EXPECT_EQ(x.to_vector<int64_t>(), (Ints{0, 0, 1, 2, 3, 4}));
  x = arange(9).view({3, 3});
  x.copy_(x.t());
  EXPECT_EQ(x.to_vector<int64_t>(), (Ints{0, 3, 6, 1, 4, 7, 2, 5, 8}));
}

TEST(Convert, CopyGradients) {
  const Tensor a = tensor({1., 2., 3.}, requires_grad());
  const Tensor s = tensor({5.}, requires_grad().dtype(kFloat64));
  Tensor x = a * 2;
  x.copy_(s);
  const auto g = autograd::grad({sum(x * tensor({1., 2., 3.}))}, {a, s});
  EXPECT_EQ(g[0].to_vector<double>(), (Doubles{0, 0, 0}));
  EXPECT_EQ(g[1].to_vector<double>(), Doubles{6});
  EXPECT_EQ(g[1].dtype(), kFloat64);

  // A plain tensor takes part in the graph from then on; an integer one does not.
  Tensor y = zeros({3});
  y.slice(0, 1).copy_(a.slice(0, 1));
  EXPECT_TRUE(y.requires_grad());
  EXPECT_EQ(autograd::grad({sum(y * y)}, {a})[0].to_vector<double>(), (Doubles{0, 4, 6}));
  Tensor z = zeros({3}, kInt64);
  z.copy_(a);
  EXPECT_FALSE(z.requires_grad());
  EXPECT_THROW(Tensor(a).copy_(zeros({3})), AutogradError);
  const NoGradGuard no_grad;
  Tensor(a).copy_(zeros({3}));
  EXPECT_EQ(a.to_vector<double>(), Doubles(3, 0));
}

TEST(Convert, FillAndAssignThroughViews) {
  Tensor x = zeros({2, 2});
  x[0] = 3;
  x[1] = x[0];
  x[1][1] = tensor(5.);
  EXPECT_EQ(x.to_vector<double>(), (Doubles{3, 3, 3, 5}));
  x.t()[0].zero_();
  EXPECT_EQ(x.to_vector<double>(), (Doubles{0, 3, 0, 5}));
  EXPECT_THROW(zeros({2}, kUInt8).fill_(256), ValueError);
  EXPECT_THROW(zeros({1}).expand({2}).fill_(1), ValueError);
  const Tensor a = ones({2}, requires_grad());
  Tensor y = a * 3;
  y[0] = 7;
  EXPECT_EQ(autograd::grad({sum(y * y)}, {a})[0].to_vector<double>(), (Doubles{0, 18}));
  EXPECT_THROW(Tensor(a).fill_(1), AutogradError);
}

TEST(Convert, ItemAndVectors) {
  EXPECT_EQ(tensor({{2.5}}).item<float>(), 2.5f);
  EXPECT_TRUE(tensor(true).item().is_boolean());
  EXPECT_TRUE(tensor(3).item().is_integral());
  EXPECT_EQ(full({}, 1.5, kFloat16).item().toDouble(), 1.5);
  EXPECT_EQ(tensor(INT64_MAX).item<int64_t>(), INT64_MAX);
  EXPECT_THROW(tensor({1, 2}).item(), ValueError);
  EXPECT_THROW(zeros({0}).item(), ValueError);
  EXPECT_THROW(tensor(300).item<uint8_t>(), ValueError);
  EXPECT_EQ(arange(3).to_vector<float>(), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(arange(3).to_vector<bool>(), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(zeros({0, 4}).to_vector<double>(), Doubles());
}

}  // namespace
}  // namespace wick
