#include <tests/support/op_case.h>
#include <tests/support/reference.h>
#include <wick/core/autograd.h>
#include <cmath>

// Over the rows of tests/support/op_table/: gradients.
namespace wick::test {
namespace {

/// Whether differences mean something: the mean of nothing has none.
bool is_finite(const Case& c, const std::vector<Tensor>& inputs) {
  for (const Tensor& y : c.row(inputs))
    for (const double e : y.to_vector<double>())
      if (!std::isfinite(e)) return false;
  return true;
}

TEST_P(OpTable, GradientsAreCentralDifferences) {
  for_each_case([&](const Case& c) {
    if (!c.differentiable() || !c.is_drawn()) return;
    const auto inputs = make_samples(c.specs, kFloat64);
    if (!is_finite(c, inputs)) return;
    EXPECT_TRUE(gradcheck(c.function(), inputs, c.wanted()));
  });
}

TEST_P(OpTable, SecondGradientsAreCentralDifferences) {
  for_each_case([&](const Case& c) {
    if (!c.differentiable() || !c.row.has(kTwice) || !c.is_drawn()) return;
    int64_t elements = 0;
    for (const SampleSpec& s : c.specs) elements += s.kind == '-' ? 0 : s.numel();
    if (elements > 100) return;
    const auto inputs = make_samples(c.specs, kFloat64);
    if (!is_finite(c, inputs)) return;
    EXPECT_TRUE(gradgradcheck(c.function(), inputs, c.wanted()));
  });
}

// Fused kernels and compositions of differentiable ops must say the same.
TEST_P(OpTable, GradientsWithAGraphAreTheSame) {
  for_each_case([](const Case& c) {
    if (!c.differentiable() || !c.row.has(kTwice)) return;
    for (const DType run : {kFloat64, kFloat32}) {
      const auto leaves = fresh_leaves(make_samples(c.specs, run), c.wanted());
      const std::vector<Tensor> plain = gradients(c.function(), leaves);
      const std::vector<Tensor> graph = gradients(c.function(), leaves, true);
      for (size_t i = 0; i < plain.size(); ++i) {
        if (!plain[i].defined()) continue;
        EXPECT_EQ(graph[i].dtype(), plain[i].dtype());
        EXPECT_LE(distance(graph[i].detach(), plain[i]), 64 * precision(run))
            << "input " << i << " in " << name_of(run) << "\nplain " << plain[i].str() << "\ngraph "
            << graph[i].str();
      }
    }
  });
}

TEST_P(OpTable, GradientsAtEdgesArePyTorchs) {
  for_each_case([&](const Case& c) {
    const Reference* reference = find_reference(c.row.name, c.text);
    if (!reference || reference->grads.empty()) return;
    for (const DType run : {kFloat64, kFloat32}) {
      const auto leaves = fresh_leaves(make_samples(c.specs, run), c.wanted());
      const std::vector<Tensor> grads = gradients(c.function(), leaves);
      ASSERT_EQ(grads.size(), reference->grads.size());
      for (size_t i = 0; i < grads.size(); ++i) {
        ASSERT_EQ(grads[i].defined(), reference->grads[i].defined);
        if (!grads[i].defined()) continue;
        const Tensor wanted = reference->grads[i].values();
        EXPECT_LE(distance(grads[i], wanted), 64 * precision(run))
            << "input " << i << " in " << name_of(run) << "\ngot      " << grads[i].str()
            << "\nexpected " << wanted.str();
      }
    }
  });
}

TEST_P(OpTable, ThereIsNoGradientWithoutAsking) {
  for_each_case([](const Case& c) {
    for (const Tensor& y : c.row(make_samples(c.specs, kFloat32))) EXPECT_FALSE(y.requires_grad());
    if (!c.differentiable()) return;
    const auto leaves = fresh_leaves(make_samples(c.specs, kFloat32), c.wanted());
    const NoGradGuard no_grad;
    for (const Tensor& y : c.row(leaves))
      for (const Tensor& x : leaves) EXPECT_TRUE(y.is_same(x) || !y.requires_grad());
  });
}

}  // namespace
}  // namespace wick::test
