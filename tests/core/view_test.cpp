#include <gtest/gtest.h>
#include <wick/core/autograd.h>
#include <wick/core/ops.h>
#include <functional>

namespace wick {
namespace {

using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

Tensor numbers(IntArrayRef sizes, DType dtype = kInt64) {
  int64_t n = 1;
  for (const int64_t s : sizes) n *= s;
  return arange(n, dtype).view(sizes);
}

void expect(const Tensor& x, const Ints& sizes, const Ints& values) {
  EXPECT_EQ(x.sizes().vec(), sizes);
  EXPECT_EQ(x.to_vector<int64_t>(), values);
}

template <class E>
void expect_error(const std::function<void()>& f, const std::string& text) {
  try {
    f();
    ADD_FAILURE() << "no error, expected: " << text;
  } catch (const E& e) {
    EXPECT_EQ(std::string(e.what()), text);
  }
}

TEST(View, ViewSizes) {
  const Tensor x = numbers({3, 4});
  expect(x.view({2, 6})[1], {6}, {6, 7, 8, 9, 10, 11});
  EXPECT_EQ(x.view(-1).sizes().vec(), Ints{12});
  EXPECT_EQ(x.view({2, -1, 3}).sizes().vec(), (Ints{2, 2, 3}));
  EXPECT_EQ(x.view({12, 1, 1}).strides().vec(), (Ints{1, 1, 1}));
  EXPECT_EQ(numbers({0, 3}).view({-1, 3}).sizes().vec(), (Ints{0, 3}));
  EXPECT_EQ(numbers({0, 3}).view({5, 0}).sizes().vec(), (Ints{5, 0}));
  EXPECT_EQ(numbers({1}).view({}).dim(), 0);
  EXPECT_TRUE(x.view({4, 3}).is_alias_of(x));
  expect_error<ShapeError>(
      [&] {
        x.view({2, 5});
      },
      "view: sizes [2, 5] have 10 elements, the tensor [3, 4] has 12");
  EXPECT_THROW(x.view({-1, -1}), ShapeError);
  EXPECT_THROW(x.view({-2, 6}), ShapeError);
  EXPECT_THROW(x.view({5, -1}), ShapeError);
  EXPECT_THROW(numbers({0}).view({0, -1}), ShapeError);
  EXPECT_THROW(x.view({int64_t{1} << 33, int64_t{1} << 33}), ShapeError);
  EXPECT_THROW(x.view({12, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
}

// Strides as torch gives them.
TEST(View, ViewOfStridedTensors) {
  const Tensor x = numbers({2, 3, 4});
  const Tensor y = x.transpose(0, 1);  // [3, 2, 4], strides [4, 12, 1]
  EXPECT_EQ(y.view({3, 2, 2, 2}).strides().vec(), (Ints{4, 12, 2, 1}));
  EXPECT_EQ(y.view({3, 1, 2, 4}).to_vector<int64_t>(), y.to_vector<int64_t>());
  expect_error<ShapeError>(
      [&] {
        y.view({6, 4});
      },
      "view: a tensor of shape [3, 2, 4] with strides [4, 12, 1] has no view "
      "of shape [6, 4] without a copy; use reshape()");
  const Tensor z = x.slice(2, 0, 2);  // [2, 3, 2], strides [12, 4, 1]
  EXPECT_EQ(z.view({6, 2}).strides().vec(), (Ints{4, 1}));
  EXPECT_THROW(z.view({2, 6}), ShapeError);
  const Tensor e = numbers({3, 1}).expand({3, 4});
  EXPECT_EQ(e.view({3, 2, 2}).strides().vec(), (Ints{1, 0, 0}));
  EXPECT_THROW(e.view({12}), ShapeError);
}

TEST(View, ReshapeCopiesWhereItMust) {
  const Tensor x = numbers({2, 3});
  EXPECT_TRUE(x.reshape({3, 2}).is_alias_of(x));
  const Tensor y = x.transpose(0, 1).reshape(6);
  EXPECT_FALSE(y.is_alias_of(x));
  expect(y, {6}, {0, 3, 1, 4, 2, 5});
  expect_error<ShapeError>([&] { x.reshape({4}); },
                           "reshape: sizes [4] have 4 elements, the tensor [2, 3] has 6");
}

TEST(View, FlattenSqueezeUnsqueeze) {
  const Tensor x = numbers({2, 3, 1, 4});
  EXPECT_EQ(x.flatten().sizes().vec(), Ints{24});
  EXPECT_EQ(x.flatten(1).sizes().vec(), (Ints{2, 12}));
  EXPECT_EQ(x.flatten(0, 1).sizes().vec(), (Ints{6, 1, 4}));
  EXPECT_EQ(x.flatten(-2, -1).sizes().vec(), (Ints{2, 3, 4}));
  EXPECT_EQ(tensor(3).flatten().sizes().vec(), Ints{1});
  EXPECT_THROW(x.flatten(2, 1), ShapeError);
  EXPECT_THROW(x.flatten(0, 4), IndexError);
  EXPECT_EQ(numbers({0, 5}).flatten().sizes().vec(), Ints{0});

  EXPECT_EQ(x.squeeze().sizes().vec(), (Ints{2, 3, 4}));
  EXPECT_EQ(x.squeeze(2).sizes().vec(), (Ints{2, 3, 4}));
  EXPECT_EQ(x.squeeze(-2).sizes().vec(), (Ints{2, 3, 4}));
  EXPECT_EQ(x.squeeze(0).sizes().vec(), x.sizes().vec());
  EXPECT_EQ(numbers({1, 1}).squeeze().dim(), 0);
  EXPECT_EQ(tensor(3).squeeze(-1).dim(), 0);
  EXPECT_THROW(x.squeeze(4), IndexError);

  EXPECT_EQ(x.unsqueeze(0).sizes().vec(), (Ints{1, 2, 3, 1, 4}));
  EXPECT_EQ(x.unsqueeze(-1).sizes().vec(), (Ints{2, 3, 1, 4, 1}));
  EXPECT_EQ(tensor(3).unsqueeze(-1).sizes().vec(), Ints{1});
  EXPECT_THROW(x.unsqueeze(5), IndexError);
  EXPECT_THROW(numbers({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0), ShapeError);
}

TEST(View, TransposePermuteExpand) {
  const Tensor x = numbers({2, 3});
  expect(x.transpose(0, -1), {3, 2}, {0, 3, 1, 4, 2, 5});
  expect(x.t(), {3, 2}, {0, 3, 1, 4, 2, 5});
  expect(x.transpose(1, 1), {2, 3}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(tensor(3).transpose(0, -1).dim(), 0);
  EXPECT_EQ(tensor({3, 4}).t().sizes().vec(), Ints{2});
  EXPECT_THROW(x.transpose(0, 2), IndexError);
  EXPECT_THROW(numbers({1, 1, 1}).t(), ShapeError);

  EXPECT_EQ(numbers({2, 3, 4}).permute({2, 0, -2}).strides().vec(), (Ints{1, 12, 4}));
  EXPECT_EQ(tensor(1).permute({}).dim(), 0);
  EXPECT_THROW(x.permute({0}), ShapeError);
  EXPECT_THROW(x.permute({0, 0}), ShapeError);
  EXPECT_THROW(x.permute({0, -2}), ShapeError);
  EXPECT_THROW(x.permute({0, 2}), IndexError);

  const Tensor c = numbers({2, 1});
  expect(c.expand({2, 3}), {2, 3}, {0, 0, 0, 1, 1, 1});
  expect(c.expand({2, -1, 2}), {2, 2, 2}, {0, 0, 1, 1, 0, 0, 1, 1});
  EXPECT_EQ(c.expand({3, 2, 2}).strides().vec(), (Ints{0, 1, 0}));
  EXPECT_EQ(c.expand({2, 0}).numel(), 0);
  EXPECT_EQ(tensor(7).expand({2}).to_vector<int64_t>(), (Ints{7, 7}));
  EXPECT_THROW(c.expand({3, 3}), ShapeError);
  EXPECT_THROW(c.expand({3}), ShapeError);
  EXPECT_THROW(c.expand({-1, 2, 3}), ShapeError);
  EXPECT_THROW(c.expand({2, -3}), ShapeError);
  EXPECT_THROW(tensor(7).expand({int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
}

TEST(View, Parts) {
  const Tensor x = numbers({3, 4});
  expect(x[1], {4}, {4, 5, 6, 7});
  expect(x.select(1, -1), {3}, {3, 7, 11});
  expect_error<IndexError>([&] { x[3]; },
                           "select: index 3 is out of range for dimension 0 of size 3");
  EXPECT_THROW(x.select(2, 0), IndexError);
  EXPECT_THROW(tensor(3)[0], IndexError);
  EXPECT_THROW(numbers({0})[0], IndexError);

  expect(x.slice(0, 1), {2, 4}, {4, 5, 6, 7, 8, 9, 10, 11});
  expect(x.slice(1, 0, 4, 3), {3, 2}, {0, 3, 4, 7, 8, 11});
  expect(x.slice(1, -3, -1), {3, 2}, {1, 2, 5, 6, 9, 10});
  expect(x.slice(1, -100, 100, 2), {3, 2}, {0, 2, 4, 6, 8, 10});
  expect(x.slice(0, 2, 1), {0, 4}, {});
  expect(x.slice(0, 5), {0, 4}, {});
  expect(x.slice(1, 1, kMost, kMost), {3, 1}, {1, 5, 9});
  expect(x.slice(0, -kMost - 1, kMost), {3, 4}, x.to_vector<int64_t>());
  EXPECT_THROW(x.slice(0, 0, 1, 0), ValueError);
  EXPECT_THROW(x.slice(0, 0, 1, -1), ValueError);
  EXPECT_THROW(tensor(3).slice(0), IndexError);

  expect(x.narrow(1, 1, 2), {3, 2}, {1, 2, 5, 6, 9, 10});
  expect(x.narrow(1, -1, 1), {3, 1}, {3, 7, 11});
  expect(x.narrow(1, 4, 0), {3, 0}, {});
  EXPECT_THROW(x.narrow(1, 3, 2), IndexError);
  EXPECT_THROW(x.narrow(1, 0, -1), IndexError);
  EXPECT_THROW(x.narrow(1, 5, 0), IndexError);
  EXPECT_THROW(x.narrow(1, 1, kMost), IndexError);
}

TEST(View, AsStrided) {
  const Tensor x = numbers({3, 4});
  expect(x.as_strided({2, 2}, {4, 1}, 5), {2, 2}, {5, 6, 9, 10});
  expect(x.as_strided({3, 3}, {1, 1}), {3, 3}, {0, 1, 2, 1, 2, 3, 2, 3, 4});
  expect(x[1].as_strided({2}, {1}), {2}, {4, 5});
  expect(x[1].as_strided({2}, {1}, 0), {2}, {0, 1});
  EXPECT_EQ(x.as_strided({0, 9}, {100, 100}, 12).numel(), 0);
  EXPECT_THROW(x.as_strided({13}, {1}), ShapeError);
  EXPECT_THROW(x.as_strided({2}, {kMost}), ShapeError);
  EXPECT_THROW(x.as_strided({3}, {kMost / 2 + 1}), ShapeError);
  EXPECT_THROW(x.as_strided({1}, {1}, 12), ShapeError);
  EXPECT_THROW(x.as_strided({1}, {1}, -1), ShapeError);
  EXPECT_THROW(x.as_strided({2}, {-1}, 5), ShapeError);
  EXPECT_THROW(x.as_strided({2}, {1, 1}), ShapeError);
  EXPECT_THROW(x.as_strided({-1}, {1}), ShapeError);
}

TEST(View, UndefinedTensorsAreNamed) {
  EXPECT_THROW(Tensor().view({1}), ValueError);
  EXPECT_THROW(view(Tensor(), {1}), ValueError);
  EXPECT_THROW(Tensor()[0], ValueError);
}

// Gradients: the same view of an array of positions says where each element of the result came
// from, so its gradient must arrive there, and the number of arrivals gives the second order.
struct GradCase {
  const char* name;
  Ints sizes;
  std::function<Tensor(const Tensor&)> view;
};

class ViewGrad : public testing::TestWithParam<GradCase> {};

TEST_P(ViewGrad, FirstAndSecondOrder) {
  const GradCase& c = GetParam();
  const Tensor x = (numbers(c.sizes, kFloat64) * 0.25 + 1).requires_grad_();
  const Ints from = c.view(numbers(c.sizes)).to_vector<int64_t>();
  const Tensor y = c.view(x);
  ASSERT_EQ(y.numel(), static_cast<int64_t>(from.size()));
  ASSERT_TRUE(y.requires_grad());
  const Tensor w = numbers(y.sizes(), kFloat64) + 1;
  const Tensor g = autograd::grad({sum(y * w)}, {x}, {}, true)[0];
  Doubles expected(x.numel(), 0), count(x.numel(), 0);
  for (size_t j = 0; j < from.size(); ++j) {
    expected[from[j]] += static_cast<double>(j) + 1;
    count[from[j]] += 1;
  }
  EXPECT_EQ(g.sizes().vec(), c.sizes);
  EXPECT_EQ(g.to_vector<double>(), expected);

  // sum(y^3): the gradient is 3 count x^2, and that of its sum 6 count x.
  const Tensor first = autograd::grad({sum(y * y * y)}, {x}, {}, std::nullopt, true)[0];
  const Tensor second = autograd::grad({sum(first)}, {x}, {}, std::nullopt, false, true)[0];
  const Doubles at = x.to_vector<double>();
  for (size_t i = 0; i < at.size(); ++i) {
    EXPECT_DOUBLE_EQ(first.to_vector<double>()[i], 3 * count[i] * at[i] * at[i]);
    if (second.defined()) {
      EXPECT_DOUBLE_EQ(second.to_vector<double>()[i], 6 * count[i] * at[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ViewGrad,
    testing::Values(
        GradCase{"view",
                 {3, 4},
                 [](const Tensor& x) {
                   return x.view({2, 6});
                 }},
        GradCase{"view_of_strided",
                 {2, 3, 4},
                 [](const Tensor& x) {
                   return x.transpose(0, 1).view({3, 2, 2, 2});
                 }},
        GradCase{"reshape",
                 {3, 4},
                 [](const Tensor& x) {
                   return x.reshape({4, 3});
                 }},
        GradCase{"reshape_copy",
                 {3, 4},
                 [](const Tensor& x) {
                   return x.t().reshape({2, 6});
                 }},
        GradCase{"flatten", {2, 3, 2}, [](const Tensor& x) { return x.flatten(1); }},
        GradCase{"transpose", {3, 4}, [](const Tensor& x) { return x.transpose(0, 1); }},
        GradCase{"permute",
                 {2, 3, 4},
                 [](const Tensor& x) {
                   return x.permute({2, 0, 1});
                 }},
        GradCase{"squeeze", {2, 1, 3, 1}, [](const Tensor& x) { return x.squeeze(); }},
        GradCase{"squeeze_dim", {2, 1, 3}, [](const Tensor& x) { return x.squeeze(1); }},
        GradCase{"squeeze_nothing", {2, 1, 3}, [](const Tensor& x) { return x.squeeze(0); }},
        GradCase{"unsqueeze", {2, 3}, [](const Tensor& x) { return x.unsqueeze(1); }},
        GradCase{"expand",
                 {2, 1, 3},
                 [](const Tensor& x) {
                   return x.expand({4, 2, 5, 3});
                 }},
        GradCase{"expand_scalar",
                 {},
                 [](const Tensor& x) {
                   return x.expand({4, 2});
                 }},
        GradCase{"select", {3, 4}, [](const Tensor& x) { return x.select(1, -2); }},
        GradCase{"select_twice", {3, 4}, [](const Tensor& x) { return x[1][2]; }},
        GradCase{"slice", {5, 4}, [](const Tensor& x) { return x.slice(0, 1, 5, 3); }},
        GradCase{"slice_step", {7}, [](const Tensor& x) { return x.slice(0, 1, 7, 100); }},
        GradCase{"slice_of_strided", {4, 3}, [](const Tensor& x) { return x.t().slice(1, 1, 3); }},
        GradCase{"narrow", {3, 4}, [](const Tensor& x) { return x.narrow(1, 1, 2); }},
        GradCase{"slice_empty", {3, 4}, [](const Tensor& x) { return x.slice(1, 3, 1, 2); }},
        GradCase{"view_empty",
                 {0, 4},
                 [](const Tensor& x) {
                   return x.view({2, 0});
                 }},
        GradCase{"as_strided",
                 {4, 5},
                 [](const Tensor& x) {
                   return x.as_strided({2, 3}, {10, 2}, 1);
                 }},
        GradCase{"as_strided_overlap",
                 {9},
                 [](const Tensor& x) {
                   return x.as_strided({7, 3}, {1, 1});
                 }},
        GradCase{"as_strided_repeat",
                 {9},
                 [](const Tensor& x) {
                   return x.as_strided({2, 3, 4}, {2, 0, 1}, 1);
                 }},
        GradCase{"as_strided_of_expanded",
                 {3},
                 [](const Tensor& x) {
                   return x.expand({4, 3}).as_strided({5, 2}, {0, 1});
                 }},
        GradCase{
            "as_strided_scalar", {4}, [](const Tensor& x) { return x.as_strided({}, {}, 2); }}),
    [](const auto& info) { return std::string(info.param.name); });

// What as_strided() of a part reaches outside that part does not come through the part.
TEST(View, AsStridedBeyondItsInput) {
  const Tensor x = zeros({6}, requires_grad().dtype(kFloat64));
  const Tensor part = x.slice(0, 2, 4);
  const Tensor y = part.as_strided({6}, {1}, 0);
  const Tensor w = numbers({6}, kFloat64) + 1;
  const auto g = autograd::grad({sum(y * w)}, {part, x});
  EXPECT_EQ(g[0].to_vector<double>(), (Doubles{3, 4}));
  EXPECT_EQ(g[1].to_vector<double>(), (Doubles{0, 0, 3, 4, 0, 0}));
}

TEST(View, ViewsKnowTheirBase) {
  const Tensor x = zeros({2, 3});
  EXPECT_FALSE(x.is_view());
  EXPECT_TRUE(x[0].is_view());
  EXPECT_TRUE(x.t().slice(0, 1)._base().is_same(x));
  x[1].fill_(2);
  EXPECT_EQ(x.to_vector<double>(), (Doubles{0, 0, 0, 2, 2, 2}));
}

TEST(View, ChangesThroughViewsAreDifferentiated) {
  const Tensor a = (numbers({2, 3}, kFloat64) + 1).requires_grad_();
  const Tensor v = tensor({10., 20.}, requires_grad().dtype(kFloat64));
  Tensor x = a * 2;
  x.select(1, 1) = v;
  x.slice(1, 2) = 5;
  const auto g = autograd::grad({sum(x * x)}, {a, v});
  EXPECT_EQ(x.to_vector<double>(), (Doubles{2, 10, 5, 8, 20, 5}));
  EXPECT_EQ(g[0].to_vector<double>(), (Doubles{8, 0, 0, 32, 0, 0}));
  EXPECT_EQ(g[1].to_vector<double>(), (Doubles{20, 40}));
}

}  // namespace
}  // namespace wick
