#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/reduce_args.h>
#include <limits>

namespace wick {
namespace {

using test::expect_tensor;

class Reduce : public test::Float64Test {};
const double kNan = std::numeric_limits<double>::quiet_NaN();

TEST_F(Reduce, ArgsMergeWhatIsDense) {
  const Tensor x = empty({2, 3, 4, 5});
  const ReduceArgs all = detail::reduce_args(x, detail::all_dims(4), nullptr);
  EXPECT_EQ(all.kept, 1);
  EXPECT_EQ(all.reduced, 120);
  EXPECT_EQ(all.kept_ndim, 0);
  EXPECT_EQ(all.reduced_ndim, 1);
  EXPECT_EQ(all.reduced_strides[0], 1);
  const ReduceArgs channel = detail::reduce_args(x, 0b1101, nullptr);
  EXPECT_EQ(channel.kept, 3);
  EXPECT_EQ(channel.kept_strides[0], 20);
  EXPECT_EQ(channel.reduced_ndim, 2);
  EXPECT_EQ(channel.reduced_sizes[1], 20);
  EXPECT_EQ(channel.reduced_strides[0], 60);
}

TEST_F(Reduce, ArgsFollowMemoryOrLogicalOrder) {
  const Tensor x = empty({4, 3, 2}).permute({2, 1, 0});  // sizes 2 3 4, strides 1 2 6
  const ReduceArgs memory = detail::reduce_args(x, 0b110, nullptr);
  EXPECT_EQ(memory.reduced_ndim, 1);
  EXPECT_EQ(memory.reduced_strides[0], 2);
  const ReduceArgs logical = detail::reduce_args(x, 0b110, nullptr, detail::ReduceOrder::Logical);
  EXPECT_EQ(logical.reduced_ndim, 2);
  EXPECT_EQ(logical.reduced_strides[0], 2);
  EXPECT_EQ(logical.reduced_strides[1], 6);
  // The output is row-major in the tensor's order whatever the input's memory is.
  const ReduceArgs kept = detail::reduce_args(x, 0b010, nullptr);
  EXPECT_EQ(kept.kept_ndim, 2);
  EXPECT_EQ(kept.kept_strides[1], 1);
  EXPECT_EQ(kept.kept_out_strides[1], 4);
  EXPECT_EQ(kept.kept_out_strides[0], 1);
}

TEST_F(Reduce, SumAndMean) {
  const Tensor x = arange(24, kFloat64).view({2, 3, 4});
  expect_tensor(x.sum(), {}, {276});
  expect_tensor(x.sum({0, 2}, true), {1, 3, 1}, {60, 92, 124});
  expect_tensor(x.transpose(0, 2).sum(1), {4, 2}, {12, 48, 15, 51, 18, 54, 21, 57});
  expect_tensor(x.mean(-1), {2, 3}, {1.5, 5.5, 9.5, 13.5, 17.5, 21.5});
  expect_tensor(x.sum(IntArrayRef()), {}, {276});
  expect_tensor(tensor(3.).sum(0), {}, {3});
  expect_tensor(x.slice(2, 0, 4, 2).expand({2, 3, 2}).sum({1, 2}), {2}, {30, 102});
}

TEST_F(Reduce, EmptySumsAndMeans) {
  expect_tensor(zeros({0, 3}).sum(), {}, {0});
  expect_tensor(zeros({2, 0}).sum(1), {2}, {0, 0});
  expect_tensor(zeros({0, 3}).sum(1), {0}, {});
  expect_tensor(zeros({2, 0}).mean(1), {2}, {kNan, kNan});
  EXPECT_TRUE(all(zeros({0})).item<bool>());
  EXPECT_FALSE(any(zeros({0})).item<bool>());
}

TEST_F(Reduce, TypesOfSums) {
  EXPECT_EQ(tensor({true, true}).sum().dtype(), kInt64);
  EXPECT_EQ(tensor({true, true}).sum().item<int64_t>(), 2);
  const Tensor bytes = full({3}, 200, kUInt8);
  EXPECT_EQ(bytes.sum().item<int64_t>(), 600);
  EXPECT_EQ(bytes.sum(kUInt8).item<int64_t>(), 600 % 256);
  EXPECT_EQ(tensor({1.7, 1.7}).sum(kInt64).item<int64_t>(), 2);
  EXPECT_EQ(tensor({2, -2}).sum(kBool).item<bool>(), true);
  expect_tensor(full({1000}, 100, kFloat16).sum(0, false, kFloat32), {}, {100000});
  expect_tensor(tensor({1, 2}).mean(kFloat32), {}, {1.5});
}

TEST_F(Reduce, Extremes) {
  const Tensor x = tensor({{3., 1., 3.}, {kNan, 7., -2.}});
  expect_tensor(x.max(), {}, {kNan});
  const auto [values, indices] = x.max(1);
  expect_tensor(values, {2}, {3, kNan});
  expect_tensor(indices, {2}, {0, 0});
  expect_tensor(x[0].min(), {}, {1});
  expect_tensor(argmax(x[0]), {}, {0});
  expect_tensor(argmin(x.transpose(0, 1), 0, true), {1, 2}, {1, 0});
  // Without a dimension the position is the row-major one, also for a transposed tensor.
  expect_tensor(argmax(tensor({{1, 2}, {9, 4}}).transpose(0, 1)), {}, {1});
  expect_tensor(argmax(tensor({{1, 2}, {9, 4}}), std::nullopt, true), {1, 1}, {2});
}

TEST_F(Reduce, TiesShareTheGradientOfTheWhole) {
  const Tensor x = tensor({2., 5., 5., 1.}).requires_grad_();
  x.max().backward();
  expect_tensor(x.grad(), {4}, {0, 0.5, 0.5, 0});
  const Tensor y = tensor({{2., 5., 5.}}).requires_grad_();
  std::get<0>(y.max(1)).sum().backward();
  expect_tensor(y.grad(), {1, 3}, {0, 1, 0});
  const Tensor z = tensor({1., kNan, kNan}).requires_grad_();
  z.max().backward();
  expect_tensor(z.grad(), {3}, {0, 0.5, 0.5});
}

TEST_F(Reduce, SumToSize) {
  const Tensor x = ones({2, 3, 4});
  expect_tensor(sum_to_size(x, {3, 1}), {3, 1}, {8, 8, 8});
  expect_tensor(sum_to_size(x, {}), {}, {24});
  EXPECT_TRUE(sum_to_size(x, x.sizes()).is_same(x));
  EXPECT_ERROR(ShapeError, "sum_to_size: [2] does not broadcast to [2, 3, 4]", sum_to_size(x, {2}));
}

TEST_F(Reduce, Errors) {
  const Tensor x = ones({2, 3});
  EXPECT_ERROR(IndexError,
               "sum: dimension 2 is out of range for a tensor of 2 dimensions (-2 to 1)", x.sum(2));
  EXPECT_ERROR(ValueError, "sum: dimension -2 appears more than once in [0, -2]", x.sum({0, -2}));
  EXPECT_ERROR(DTypeError,
               "mean: expected a floating-point tensor, got int64; pass dtype = kFloat32 or use "
               "sum()",
               tensor({1, 2}).mean());
  EXPECT_ERROR(ValueError, "max: expected at least one element, got shape [0]", zeros({0}).max());
  EXPECT_ERROR(ValueError,
               "argmin: expected dimension 1 to have at least one element, got shape [3, 0]",
               argmin(zeros({3, 0}), 1));
}

}  // namespace
}  // namespace wick
