#include <gtest/gtest.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <algorithm>
#include <cmath>
#include <set>

namespace wick {
namespace {

using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

TEST(Creation, SizesTypesAndValues) {
  const Tensor x = full({2, 3}, 1.5, kFloat64);
  EXPECT_EQ(x.sizes().vec(), (Ints{2, 3}));
  EXPECT_EQ(x.strides().vec(), (Ints{3, 1}));
  EXPECT_EQ(x.to_vector<double>(), Doubles(6, 1.5));
  EXPECT_EQ(zeros({4}, kInt8).to_vector<int64_t>(), Ints(4, 0));
  EXPECT_EQ(ones({}, kBool).item().toBool(), true);
  EXPECT_EQ(zeros({2}).dtype(), kFloat32);
  EXPECT_EQ(empty({0, 3}).numel(), 0);
  EXPECT_EQ(zeros(5).numel(), 5);
  EXPECT_EQ(full({1}, 3).dtype(), kInt64);
  EXPECT_EQ(full({1}, true).dtype(), kBool);
  EXPECT_EQ(full({1}, 3.).dtype(), kFloat32);
  EXPECT_EQ(full({1}, kMost).item<int64_t>(), kMost);
  for (int d = 0; d < kNumDTypes; ++d) {
    EXPECT_EQ(ones({3}, static_cast<DType>(d)).to_vector<double>(), Doubles(3, 1));
    EXPECT_EQ(zeros({70}, static_cast<DType>(d)).to_vector<double>(), Doubles(70, 0));
  }
}

TEST(Creation, RequiresGradIsHonoured) {
  EXPECT_FALSE(zeros({2}).requires_grad());
  EXPECT_TRUE(zeros({2}, requires_grad()).requires_grad());
  EXPECT_TRUE(randn({2}, requires_grad().dtype(kFloat64)).requires_grad());
  EXPECT_THROW(ones({2}, requires_grad().dtype(kInt64)), DTypeError);
  EXPECT_FALSE(ones_like(zeros({2}, requires_grad())).requires_grad());
}

TEST(Creation, RefusesWrongSizesAndDevices) {
  EXPECT_THROW(zeros({2, -1}), ValueError);
  EXPECT_THROW(zeros({int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
  EXPECT_THROW(empty({1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  if (!cuda::is_available()) {
    EXPECT_THROW(zeros({2}, kCUDA), DeviceError);
  }
}

TEST(Creation, FullChecksTheRange) {
  EXPECT_THROW(full({2}, 256, kUInt8), ValueError);
  EXPECT_THROW(full({2}, 128, kInt8), ValueError);
  EXPECT_THROW(full({2}, NAN, kInt32), ValueError);
  EXPECT_THROW(full({2}, 1e300, kFloat32), ValueError);
  EXPECT_THROW(full({2}, 70000, kFloat16), ValueError);
  EXPECT_THROW(full({0}, 256, kUInt8), ValueError);
  EXPECT_EQ(full({1}, -1, kUInt8).item<int>(), 255);
  EXPECT_EQ(full({1}, 2.9, kInt32).item<int>(), 2);
  EXPECT_TRUE(std::isinf(full({1}, HUGE_VAL, kFloat16).item<double>()));
  EXPECT_TRUE(std::isnan(full({1}, NAN, kBFloat16).item<double>()));
}

TEST(Creation, EmptyStridedAndFromBlob) {
  const Tensor x = empty_strided({2, 3}, {1, 2});
  EXPECT_EQ(x.strides().vec(), (Ints{1, 2}));
  EXPECT_EQ(x.storage()->nbytes(), 24);
  EXPECT_EQ(empty_strided({0, 3}, {100, 100}).storage()->nbytes(), 0);
  EXPECT_THROW(empty_strided({2}, {-1}), ShapeError);
  EXPECT_THROW(empty_strided({2}, {1, 1}), ShapeError);
  EXPECT_THROW(empty_strided({3}, {kMost}), ShapeError);

  float data[] = {1, 2, 3, 4, 5, 6};
  int freed = 0;
  {
    const Tensor y = from_blob(data, {2, 3}, [&](void* p) { freed += p == data; });
    EXPECT_EQ(y.data_ptr<float>(), data);
    EXPECT_EQ(y.to_vector<double>(), (Doubles{1, 2, 3, 4, 5, 6}));
    data[1] = 20;
    EXPECT_EQ(y[0][1].item<float>(), 20);
    EXPECT_EQ(freed, 0);
  }
  EXPECT_EQ(freed, 1);
  EXPECT_EQ(from_blob(data, {3, 2}, {1, 3}).to_vector<double>(), (Doubles{1, 4, 20, 5, 3, 6}));
  EXPECT_EQ(from_blob(nullptr, {0}).numel(), 0);
  EXPECT_THROW(from_blob(nullptr, {1}), ValueError);
  EXPECT_THROW(from_blob(data, {2}, {-1}), ShapeError);
  EXPECT_THROW(from_blob(reinterpret_cast<char*>(data) + 1, {1}), ValueError);
}

TEST(Creation, LikeKeepsTheMemoryOrder) {
  const Tensor x = zeros({2, 3, 4}).permute({2, 0, 1});
  for (const Tensor& y : {zeros_like(x), ones_like(x), rand_like(x), randn_like(x)})
    EXPECT_EQ(y.strides().vec(), x.strides().vec());
  EXPECT_EQ(full_like(x, 7, kInt32).to_vector<int32_t>(), std::vector<int32_t>(24, 7));
  const Tensor gaps = zeros({4, 4}).slice(1, 0, 2);
  EXPECT_EQ(empty_like(gaps).strides().vec(), (Ints{2, 1}));
  EXPECT_EQ(empty_like(gaps, kInt8).dtype(), kInt8);
}

TEST(Creation, TensorTakesNestedNumbers) {
  const Tensor m = tensor({{1., 2.}, {3., 4.}});
  EXPECT_EQ(m.sizes().vec(), (Ints{2, 2}));
  EXPECT_EQ(m.dtype(), kFloat32);
  EXPECT_EQ(m.to_vector<double>(), (Doubles{1, 2, 3, 4}));
  EXPECT_EQ(tensor(3).dim(), 0);
  EXPECT_EQ(tensor(3).dtype(), kInt64);
  EXPECT_EQ(tensor({3}).sizes().vec(), Ints{1});
  EXPECT_EQ(tensor({{3}}).sizes().vec(), (Ints{1, 1}));
  EXPECT_EQ(tensor({{{1}, {2}}}).sizes().vec(), (Ints{1, 2, 1}));
  EXPECT_EQ(tensor({true, false}).dtype(), kBool);
  EXPECT_EQ(tensor({true, false}).to_vector<int64_t>(), (Ints{1, 0}));
  EXPECT_EQ(tensor({{true}, {false}}).dtype(), kBool);
  EXPECT_EQ(tensor({kMost, kMost - 1}).to_vector<int64_t>(), (Ints{kMost, kMost - 1}));
  EXPECT_EQ(tensor({{kMost}, {1}})[0].item<int64_t>(), kMost);
  EXPECT_EQ(tensor(std::vector<float>{1, 2}).dtype(), kFloat32);
  EXPECT_EQ(tensor(Ints{1, 2, 3}).to_vector<int64_t>(), (Ints{1, 2, 3}));
  EXPECT_EQ(tensor({1, 2}, kFloat64).to_vector<double>(), (Doubles{1, 2}));
  EXPECT_EQ(tensor({1.5, 2.5}, kInt32).to_vector<int64_t>(), (Ints{1, 2}));
  EXPECT_EQ(tensor(std::vector<double>()).sizes().vec(), Ints{0});
  EXPECT_TRUE(tensor({1.f}, requires_grad()).requires_grad());
}

TEST(Creation, TensorRefusesRaggedAndLargeNumbers) {
  EXPECT_THROW(tensor({{1, 2}, {3}}), ShapeError);
  EXPECT_THROW(tensor({{{1}}, {{1, 2}}}), ShapeError);
  EXPECT_THROW(tensor({300}, kUInt8), ValueError);
  EXPECT_THROW(tensor({1e30}, kInt64), ValueError);
  EXPECT_THROW(tensor({uint64_t{1} << 63}), ValueError);
  EXPECT_TRUE(std::isinf(tensor({1e300}).item<double>()));
}

// Sizes and values as torch.arange gives them.
TEST(Creation, Arange) {
  EXPECT_EQ(arange(5).to_vector<int64_t>(), (Ints{0, 1, 2, 3, 4}));
  EXPECT_EQ(arange(5).dtype(), kInt64);
  EXPECT_EQ(arange(5.).dtype(), kFloat32);
  EXPECT_EQ(arange(0).numel(), 0);
  EXPECT_EQ(arange(2, 9, 3).to_vector<int64_t>(), (Ints{2, 5, 8}));
  EXPECT_EQ(arange(9, 2, -3).to_vector<int64_t>(), (Ints{9, 6, 3}));
  EXPECT_EQ(arange(3, 3, -1).numel(), 0);
  EXPECT_EQ(arange(0, 1, 0.25).to_vector<double>(), (Doubles{0, 0.25, 0.5, 0.75}));
  EXPECT_EQ(arange(1, 2.1, 0.1, kFloat64).numel(), 11);
  EXPECT_EQ(arange(0, 5.5, 1, kInt64).numel(), 5);
  EXPECT_EQ(arange(0, 5.5, 1, kInt32).numel(), 6);
  EXPECT_EQ(arange(0.5, 5.5, 1, kInt64).to_vector<int64_t>(), (Ints{0, 1, 2, 3, 4}));
  EXPECT_EQ(arange(kMost - 1, kMost).to_vector<int64_t>(), Ints{kMost - 1});
  EXPECT_EQ(arange(-kMost, kMost, kMost).to_vector<int64_t>(), (Ints{-kMost, 0}));
  EXPECT_EQ(arange(3, kBFloat16).to_vector<double>(), (Doubles{0, 1, 2}));
  EXPECT_THROW(arange(1, 5, 0), ValueError);
  EXPECT_THROW(arange(1, 5, -1), ValueError);
  EXPECT_THROW(arange(5, 1), ValueError);
  EXPECT_THROW(arange(0, 5, 0.5, kInt64), ValueError);
  EXPECT_THROW(arange(NAN), ValueError);
  EXPECT_THROW(arange(HUGE_VAL), ValueError);
  EXPECT_THROW(arange(0, 1, 1e-300), ShapeError);
  EXPECT_THROW(arange(-kMost - 1, kMost), ShapeError);
  EXPECT_THROW(arange(2, kBool), DTypeError);
}

TEST(Random, SeedRepeatsAndStateRestores) {
  manual_seed(7);
  const Tensor a = rand({3, 5}), b = randn({4});
  manual_seed(7);
  EXPECT_EQ(rand({15}).to_vector<double>(), a.to_vector<double>());
  const RngState state = get_rng_state();
  EXPECT_EQ(state.seed, 7u);
  EXPECT_EQ(state.offset, 4u);  // 15 numbers, 4 from each block
  EXPECT_EQ(randn({4}).to_vector<double>(), b.to_vector<double>());
  EXPECT_NE(randn({4}).to_vector<double>(), b.to_vector<double>());
  set_rng_state(state);
  EXPECT_EQ(randn({4}).to_vector<double>(), b.to_vector<double>());
}

TEST(Random, RangesAndTypes) {
  manual_seed(1);
  for (const DType d : {kFloat16, kBFloat16, kFloat32, kFloat64}) {
    const Doubles u = rand({1001}, d).to_vector<double>();
    EXPECT_GE(*std::min_element(u.begin(), u.end()), 0);
    // Half types round numbers just below 1 up to it.
    EXPECT_LE(*std::max_element(u.begin(), u.end()), 1);
    EXPECT_GT(*std::max_element(u.begin(), u.end()), 0.98);
  }
  const Doubles z = randn({10001}, kFloat64).to_vector<double>();
  double sum = 0, squares = 0;
  for (const double v : z) sum += v, squares += v * v;
  EXPECT_NEAR(sum / 10001, 0, 0.05);
  EXPECT_NEAR(squares / 10001, 1, 0.06);
  EXPECT_THROW(rand({2}, kInt32), DTypeError);
  EXPECT_THROW(randn({2}, kBool), DTypeError);
  EXPECT_EQ(rand({0}).numel(), 0);
}

TEST(Random, Integers) {
  manual_seed(2);
  const Tensor x = randint(-3, 4, {500});
  EXPECT_EQ(x.dtype(), kInt64);
  const Ints v = x.to_vector<int64_t>();
  EXPECT_EQ(std::set<int64_t>(v.begin(), v.end()), (std::set<int64_t>{-3, -2, -1, 0, 1, 2, 3}));
  const Ints b = randint(2, {100}, kBool).to_vector<int64_t>();
  EXPECT_EQ(std::set<int64_t>(b.begin(), b.end()), (std::set<int64_t>{0, 1}));
  EXPECT_EQ(randint(256, {3}, kUInt8).dtype(), kUInt8);
  EXPECT_EQ(randint(5, 6, {3}, kFloat32).to_vector<double>(), Doubles(3, 5));
  EXPECT_EQ(randint(-kMost - 1, kMost, {3}).numel(), 3);
  EXPECT_THROW(randint(0, {1}), ValueError);
  EXPECT_THROW(randint(3, 2, {1}), ValueError);
  EXPECT_THROW(randint(257, {1}, kUInt8), ValueError);
  EXPECT_THROW(randint(-1, 2, {1}, kBool), ValueError);
  EXPECT_THROW(randint(100000, {1}, kFloat16), ValueError);
}

TEST(Random, Permutation) {
  manual_seed(3);
  Ints p = randperm(101).to_vector<int64_t>();
  EXPECT_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  EXPECT_EQ(p, arange(101).to_vector<int64_t>());
  EXPECT_EQ(randperm(0).numel(), 0);
  EXPECT_EQ(randperm(9, kFloat32).dtype(), kFloat32);
  EXPECT_THROW(randperm(-1), ValueError);
  EXPECT_THROW(randperm(1000, kUInt8), ValueError);
}

}  // namespace
}  // namespace wick
