#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/dlpack.h>
#include <sstream>

namespace wick {
namespace {

using indexing::None;
using indexing::Slice;
using indexing::TensorIndex;
using test::expect_tensor;

class Indexing : public test::Float64Test {};

std::string text_of(const auto& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TEST_F(Indexing, Text) {
  EXPECT_EQ(text_of(Slice(1, 5, 2)), "1:5:2");
  EXPECT_EQ(text_of(Slice()), str("0:", INT64_MAX, ":1"));
  EXPECT_EQ(text_of(std::vector<TensorIndex>{0, Slice(1, 2), None, "...", true}),
            "(0, 1:2:1, None, ..., true)");
  EXPECT_EQ(text_of(TensorIndex(tensor({1, 2}, kCPU))), "tensor([1, 2])");
}

TEST_F(Indexing, EntriesKnowWhatTheyAre) {
  EXPECT_TRUE(TensorIndex(None).is_none() && TensorIndex("...").is_ellipsis());
  EXPECT_TRUE(TensorIndex(true).is_boolean() && TensorIndex(true).boolean());
  EXPECT_TRUE(TensorIndex(3).is_integer() && TensorIndex(3).integer() == 3);
  EXPECT_TRUE(TensorIndex(Slice(1)).is_slice() && TensorIndex(Slice(1)).slice().start() == 1);
  EXPECT_TRUE(TensorIndex(ones({2})).is_tensor());
  EXPECT_THROW(TensorIndex(3).slice(), ValueError);
}

TEST_F(Indexing, WithoutTensorsItIsAView) {
  const Tensor x = zeros({2, 3});
  x.index({Slice(), 1}).fill_(5);
  x.index({0, "..."})[2] = 7;
  expect_tensor(x, {2, 3}, {0, 5, 7, 0, 5, 0});
}

TEST_F(Indexing, OfSeveralWritesTheLastStays) {
  for (const int64_t n : {7, 3000}) {
    Tensor x = zeros({3, 2});
    x.index_put_({full({n}, 1)}, arange(2 * n, kFloat64).view({n, 2}));
    expect_tensor(x, {3, 2}, {0, 0, 2. * n - 2, 2. * n - 1, 0, 0});
  }
}

TEST_F(Indexing, PlacesOfManyChunks) {
  for (const int64_t n : {4095, 4096, 4097, 20000}) {
    const Tensor x = arange(n);
    const Tensor third = zeros({n}, kBool);
    third.slice(0, 0, std::nullopt, 3).fill_(true);
    const Tensor expected = arange(0, n, 3);
    EXPECT_TRUE(masked_select(x, third).equal(expected)) << n;
    EXPECT_TRUE(nonzero(third).equal(expected.unsqueeze(1))) << n;
    EXPECT_TRUE(nonzero(third.view({1, n, 1})).select(1, 1).equal(expected)) << n;
    EXPECT_EQ(nonzero(zeros({n})).numel(), 0);
  }
}

TEST_F(Indexing, AChangedIndexIsFoundInBackward) {
  const Tensor x = ones({4}).requires_grad_();
  Tensor index = tensor({0, 3});
  const Tensor y = index_select(x, 0, index);
  const Tensor z = x.index({index});
  index.fill_(1);
  EXPECT_THROW(y.sum().backward(), AutogradError);
  z.sum().backward();  // of what was computed from the index
  expect_tensor(x.grad(), {4}, {1, 0, 0, 1});
}

TEST_F(Indexing, SplitGivesZerosWhereNothingFlowed) {
  const Tensor x = arange(5, kFloat64).requires_grad_();
  const std::vector<Tensor> parts = x.split(2);
  (parts[2] * 3).sum().backward();
  expect_tensor(x.grad(), {5}, {0, 0, 0, 0, 3});
  EXPECT_TRUE(parts[1].is_alias_of(x));
}

TEST_F(Indexing, InPlaceOnAPart) {
  const Tensor x = ones({2, 3}).requires_grad_();
  Tensor y = x * 2;
  y.unbind(1)[1].mul_(5);
  y.diagonal().add_(1);
  y.sum().backward();
  expect_tensor(x.grad(), {2, 3}, {2, 10, 2, 2, 10, 2});
}

TEST_F(Indexing, DlpackSharesElements) {
  Tensor x = arange(6, kFloat64).view({2, 3});
  DLManagedTensor* const exported = to_dlpack(x.t());
  Tensor y = from_dlpack(exported);
  EXPECT_EQ(y.sizes().vec(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(y.device(), x.device());
  EXPECT_EQ(y.data_ptr(), x.data_ptr());
  y.select(0, 1).fill_(9);
  expect_tensor(x, {2, 3}, {0, 9, 2, 3, 9, 5});
  x = Tensor();
  expect_tensor(y, {3, 2}, {0, 3, 9, 9, 2, 5});
  for (int d = 0; d < kNumDTypes; ++d)
    EXPECT_EQ(from_dlpack(to_dlpack(ones({2}, static_cast<DType>(d)))).dtype(),
              static_cast<DType>(d));
  EXPECT_EQ(from_dlpack(to_dlpack(zeros({0, 3}))).sizes().vec(), (std::vector<int64_t>{0, 3}));
}

TEST_F(Indexing, DlpackFromOthers) {
  float numbers[] = {0, 1, 2, 3, 4, 5};
  int64_t shape[] = {5};
  static int freed;
  freed = 0;
  DLManagedTensor managed{{numbers, {kDLCPU, 0}, 1, {kDLFloat, 32, 1}, shape, nullptr, 4},
                          nullptr,
                          [](DLManagedTensor*) { ++freed; }};
  {
    const Tensor x = from_dlpack(&managed);
    EXPECT_EQ(x.to_vector<double>(), (std::vector<double>{1, 2, 3, 4, 5}));
    EXPECT_EQ(freed, 0);
  }
  EXPECT_EQ(freed, 1);
  managed.dl_tensor.dtype.lanes = 4;
  EXPECT_ERROR(DTypeError, "from_dlpack: no element type has code 2, 32 bits and 4 lanes",
               from_dlpack(&managed));
  managed.dl_tensor.dtype = {kDLFloat, 32, 1};
  managed.dl_tensor.ndim = 9;
  EXPECT_THROW(from_dlpack(&managed), ShapeError);
  managed.dl_tensor.ndim = 1;
  shape[0] = -1;
  EXPECT_THROW(from_dlpack(&managed), ValueError);
  managed.dl_tensor.device.device_type = static_cast<DLDeviceType>(7);
  EXPECT_THROW(from_dlpack(&managed), DeviceError);
  EXPECT_THROW(from_dlpack(nullptr), ValueError);
  EXPECT_EQ(freed, 1);
}

TEST_F(Indexing, ClassesAreDrawnInProportion) {
  const Tensor weights = tensor({{1., 0., 3.}, {2., 2., 0.}});
  const Tensor drawn = multinomial(weights, 20000, true).cpu();
  const auto share = [&](int64_t row, int64_t value) {
    return (drawn[row] == value).to(kFloat64).mean().item<double>();
  };
  EXPECT_NEAR(share(0, 0), 0.25, 0.02);
  EXPECT_EQ(share(0, 1), 0);
  EXPECT_NEAR(share(1, 1), 0.5, 0.02);
  EXPECT_EQ(share(1, 2), 0);
  // Without replacement the first of a row is distributed as one that is drawn alone.
  const Tensor pairs = multinomial(weights.narrow(0, 0, 1).expand({20000, 3}), 2).cpu();
  EXPECT_NEAR((pairs.select(1, 0) == 2).to(kFloat64).mean().item<double>(), 0.75, 0.02);
  EXPECT_TRUE((pairs.sum(1) == 2).all().item<bool>());
}

TEST_F(Indexing, RandomNumbersHaveTheirMoments) {
  const Tensor x = empty({20000}).exponential_(2);
  EXPECT_NEAR(x.mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR((x * x).mean().item<double>(), 0.5, 0.05);
  EXPECT_NEAR(bernoulli(full({20000}, 0.3)).mean().item<double>(), 0.3, 0.02);
  const Tensor z = normal(full({20000}, 3.), 0.5);
  EXPECT_NEAR(z.mean().item<double>(), 3, 0.02);
  EXPECT_NEAR((z * z).mean().item<double>(), 9.25, 0.1);
  EXPECT_GT(zeros({100}, kInt64).random_().max().item<int64_t>(), int64_t{1} << 60);
}

}  // namespace
}  // namespace wick
