#include <wick/core/gradcheck.h>

#include <gtest/gtest.h>
#include <tests/support/leaf.h>
#include <wick/core/function.h>

namespace {

using namespace wick;
using autograd::gradcheck;
using autograd::GradcheckOptions;
using autograd::gradgradcheck;
using autograd::variable_list;
using test::leaf;

/// x^2 with a gradient that is `wrong_by` too large, and a second one that is `wrong_second`.
double wrong_by = 0, wrong_second = 0;
struct Square : autograd::Function<Square> {
  static Tensor forward(autograd::AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x;
  }
  static variable_list backward(autograd::AutogradContext* ctx, const variable_list& g) {
    const Tensor x = ctx->get_saved_variables()[0];
    return {g[0] * (x * (2 + wrong_second) - x.detach() * wrong_second + wrong_by)};
  }
};
variable_list square(const variable_list& in) { return {Square::apply(in[0])}; }

class AutogradGradcheck : public testing::Test {
 protected:
  void SetUp() override { wrong_by = wrong_second = 0; }
};

TEST_F(AutogradGradcheck, right_gradients_pass) {
  const Tensor x = leaf({0.5, -2}), y = leaf({3, 1});
  EXPECT_TRUE(gradcheck(square, {x}));
  EXPECT_TRUE(gradgradcheck(square, {x}));
  const auto several = [](const variable_list& in) {
    return variable_list{in[0].view({2, 1}) * in[1], in[1].argmax(0), in[0].exp().sum()};
  };
  EXPECT_TRUE(gradcheck(several, {x, y}));
  EXPECT_TRUE(gradgradcheck(several, {x, y}));
  EXPECT_TRUE(gradcheck(several, {x, y.detach()}));
  EXPECT_EQ(x.detach().to_vector<double>(), (std::vector<double>{0.5, -2})) << "put back";
}

TEST_F(AutogradGradcheck, wrong_gradients_fail) {
  const Tensor x = leaf({0.5, -2});
  GradcheckOptions quiet;
  quiet.raise_exception = false;
  wrong_by = 1e-2;
  EXPECT_FALSE(gradcheck(square, {x}, quiet));
  try {
    gradcheck(square, {x});
    ADD_FAILURE() << "no error";
  } catch (const AutogradError& error) {
    EXPECT_NE(std::string(error.what()).find("input 0, element 0, is 1.01"), std::string::npos)
        << error.what();
  }
  wrong_by = 0;
  wrong_second = 0.5;
  EXPECT_TRUE(gradcheck(square, {x}));
  EXPECT_FALSE(gradgradcheck(square, {x}, {}, quiet));
  EXPECT_THROW(gradgradcheck(square, {x}), AutogradError);
}

TEST_F(AutogradGradcheck, gradients_that_are_missing_or_random_fail) {
  const Tensor x = leaf({0.5, -2});
  GradcheckOptions quiet;
  quiet.raise_exception = false;
  EXPECT_FALSE(gradcheck([](const variable_list& in) { return variable_list{in[0].detach() * 2}; },
                         {x}, quiet));
  struct Random : autograd::Function<Random> {
    static Tensor forward(autograd::AutogradContext*, const Tensor& y) { return y * 2; }
    static variable_list backward(autograd::AutogradContext*, const variable_list& g) {
      return {g[0] * 2 + randn_like(g[0]) * 1e-12};
    }
  };
  EXPECT_FALSE(gradcheck(
      [](const variable_list& in) { return variable_list{Random::apply(in[0])}; }, {x}, quiet));
}

TEST_F(AutogradGradcheck, unsuitable_inputs_are_errors) {
  EXPECT_THROW(gradcheck(square, {ones({2}).requires_grad_()}), DTypeError);
  EXPECT_THROW(gradcheck(square, {ones({2}, kFloat64)}), ValueError);
  EXPECT_THROW(gradcheck(square, {ones({1}, kFloat64).expand({3}).requires_grad_()}), ValueError);
  EXPECT_THROW(gradgradcheck(square, {leaf({1})}, {leaf({1}), leaf({1})}), ValueError);
}

// --- anomaly mode

TEST(AutogradAnomaly, names_the_op_that_made_the_first_nan) {
  const Tensor x = leaf({-1, 4});
  const autograd::DetectAnomalyGuard guard;
  const Tensor y = (x * 2).sqrt() * 3;
  try {
    y.sum().backward();
    ADD_FAILURE() << "no error";
  } catch (const AutogradError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("'sqrt' returned nan values in its 0th output, of shape [2]"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("core_tests+0x"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(x.grad().defined());
}

TEST(AutogradAnomaly, is_on_while_the_guard_lives) {
  using autograd::AnomalyMode;
  const Tensor x = leaf({-1});
  EXPECT_FALSE(AnomalyMode::is_enabled());
  {
    const autograd::DetectAnomalyGuard unchecked(/*check_nan=*/false);
    EXPECT_TRUE(AnomalyMode::is_enabled());
    EXPECT_FALSE(AnomalyMode::should_check_nan());
    x.sqrt().sum().backward();
  }
  EXPECT_FALSE(AnomalyMode::is_enabled());
  EXPECT_TRUE(AnomalyMode::should_check_nan());
  const Tensor y = x.sqrt().sum();
  const autograd::DetectAnomalyGuard guard;
  try {
    y.backward();
    ADD_FAILURE() << "no error";
  } catch (const AutogradError& error) {
    EXPECT_NE(std::string(error.what()).find("anomaly mode was off"), std::string::npos);
  }
}

}  // namespace
