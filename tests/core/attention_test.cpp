#include <gtest/gtest.h>

#include <tests/support/gradcheck.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <cmath>
#include <limits>

// At sizes beyond a tile, against the matrix of all weights.
namespace wick::test {
namespace {

struct Shape {
  int64_t queries, keys, depth, width;
};

/// Numbers in (-1, 1) with 10 bits, so that every type has them.
Tensor numbers(IntArrayRef sizes, DType dtype) {
  return (randint(-512, 512, sizes, kFloat32) / 512).to(dtype);
}

Tensor whole(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, bool causal) {
  Tensor scores = matmul(q, k.transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(-1)));
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  if (causal) {
    const Tensor later = arange(k.size(-2)) > arange(q.size(-2)).unsqueeze(1);
    scores = masked_fill(scores, later, kLeast);
  }
  if (mask.defined()) {
    scores = mask.dtype() == kBool ? where(mask, scores, kLeast) : scores + mask.to(scores.dtype());
  }
  return matmul(scores.softmax(-1), v);
}

void expect_like_whole(const Shape& s, int64_t batch, const Tensor& mask, bool causal) {
  for (const DType dtype : {kFloat32, kFloat64, kFloat16}) {
    SCOPED_TRACE(str(dtype, " ", s.queries, " ", s.keys, " ", s.depth, " ", s.width));
    const std::vector<Tensor> inputs{numbers({batch, 2, s.queries, s.depth}, dtype),
                                     numbers({batch, 2, s.keys, s.depth}, dtype),
                                     numbers({batch, 2, s.keys, s.width}, dtype)};
    std::vector<Tensor> exact;
    for (const Tensor& x : inputs) exact.push_back(x.to(kFloat64));
    const Tensor in_mask = mask.defined() && mask.dtype() != kBool ? mask.to(dtype) : mask;
    const auto run = [&](const std::vector<Tensor>& in) {
      return std::vector<Tensor>{
          scaled_dot_product_attention(in[0], in[1], in[2], in_mask, 0, causal)};
    };
    const auto reference = [&](const std::vector<Tensor>& in) {
      return std::vector<Tensor>{whole(in[0], in[1], in[2], mask, causal)};
    };
    const double allowed = is_reduced_float(dtype) ? 4 : 64;
    EXPECT_LE(distance(run(inputs)[0], reference(exact)[0]), allowed * precision(dtype));
    const std::vector<bool> wanted(3, true);
    const auto grads = gradients(run, fresh_leaves(inputs, wanted));
    const auto expected = gradients(reference, fresh_leaves(exact, wanted));
    for (size_t i = 0; i < 3; ++i)
      EXPECT_LE(distance(grads[i], expected[i]), 4 * allowed * precision(dtype)) << "input " << i;
  }
}

TEST(Attention, TilesAreLikeTheWhole) {
  manual_seed(1);
  for (const Shape& s : {Shape{1, 1, 1, 1}, Shape{65, 300, 33, 20}, Shape{130, 64, 16, 128},
                         Shape{31, 257, 128, 7}}) {
    expect_like_whole(s, 1, {}, false);
    expect_like_whole(s, 1, {}, true);
  }
}

TEST(Attention, MasksAreBroadcast) {
  manual_seed(2);
  const Shape s{70, 90, 12, 8};
  const Tensor seen = (randint(4, {2, 1, 1, 90}) > 0).to(kBool);
  expect_like_whole(s, 2, seen, false);
  expect_like_whole(s, 2, numbers({70, 90}, kFloat32), false);
  expect_like_whole(s, 2, numbers({2, 70, 1}, kFloat32).to(kFloat64), false);
}

TEST(Attention, WideHeadsAndDropoutAreComposed) {
  manual_seed(3);
  expect_like_whole({5, 7, 130, 3}, 1, {}, false);
  const Tensor q = numbers({3, 4}, kFloat32), k = numbers({200, 4}, kFloat32);
  const Tensor y = scaled_dot_product_attention(q, k, ones({200, 1}), {}, 0.5);
  const Tensor mean = y.mean();  // the kept weights sum to about 1 again
  EXPECT_NEAR(mean.item<double>(), 1, 0.2);
  EXPECT_FALSE(allclose(y, ones({3, 1})));
}

TEST(Attention, BlindRowsAreZeroAndHaveNoGradient) {
  Tensor seen = ones({80, 70}, kBool);
  seen[3].fill_(false);
  const std::vector<Tensor> leaves = fresh_leaves(
      {numbers({80, 4}, kFloat32), numbers({70, 4}, kFloat32), numbers({70, 4}, kFloat32)},
      {true, true, true});
  const Tensor y = scaled_dot_product_attention(leaves[0], leaves[1], leaves[2], seen);
  EXPECT_TRUE(equal(y[3].detach(), zeros({4})));
  y.sum().backward();
  EXPECT_TRUE(equal(leaves[0].grad()[3], zeros({4})));
  for (const Tensor& x : leaves) EXPECT_TRUE(allclose(x.grad(), x.grad()));  // no NaN
}

TEST(Attention, AChangedInputIsSeen) {
  const Tensor q = numbers({3, 4}, kFloat32).requires_grad_(), k = numbers({3, 4}, kFloat32);
  const Tensor y = scaled_dot_product_attention(q, k, k);
  Tensor changed = k;
  changed.add_(1);
  EXPECT_THROW(y.sum().backward(), AutogradError);
}

}  // namespace
}  // namespace wick::test
