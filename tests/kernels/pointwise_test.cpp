#include <gtest/gtest.h>

#include <wick/kernels/elementwise.h>
#include <wick/kernels/pointwise.h>
#include <cmath>
#include <limits>
#include <vector>

namespace wick {

// A differentiable value with exactly what kernels/pointwise.h says one needs: a number and its
// slope along one variable.
namespace dual {

struct Value {
  double v = 0, d = 0;
  explicit Value(double number) : v(number) {}
  Value(double number, double slope) : v(number), d(slope) {}
};
struct Condition {
  bool holds;
};

Value operator+(Value a, Value b) { return {a.v + b.v, a.d + b.d}; }
Value operator-(Value a, Value b) { return {a.v - b.v, a.d - b.d}; }
Value operator*(Value a, Value b) { return {a.v * b.v, a.d * b.v + a.v * b.d}; }
Value operator/(Value a, Value b) { return {a.v / b.v, a.d / b.v - a.v / b.v * b.d / b.v}; }
Value operator-(Value a) { return {-a.v, -a.d}; }
Condition operator<(Value a, Value b) { return {a.v < b.v}; }
Condition operator<=(Value a, Value b) { return {a.v <= b.v}; }
Condition operator>(Value a, Value b) { return {a.v > b.v}; }
Condition operator>=(Value a, Value b) { return {a.v >= b.v}; }
Condition operator==(Value a, Value b) { return {a.v == b.v}; }
// As in reverse mode: the branch not taken gets a gradient of 0, which its ops may turn into NaN.
Value where(Condition c, Value a, Value b) {
  return {c.holds ? a.v : b.v, c.holds ? a.d + 0 * b.d : b.d + 0 * a.d};
}
Value exp(Value x) { return {std::exp(x.v), std::exp(x.v) * x.d}; }
Value log(Value x) { return {std::log(x.v), x.d / x.v}; }
Value tanh(Value x) {
  const double y = std::tanh(x.v);
  return {y, (1 - y * y) * x.d};
}
Value sigmoid(Value x) {
  const double y = 1 / (1 + std::exp(-x.v));
  return {y, y * (1 - y) * x.d};
}
Value sqrt(Value x) { return {std::sqrt(x.v), x.d / (2 * std::sqrt(x.v))}; }
Value sin(Value x) { return {std::sin(x.v), std::cos(x.v) * x.d}; }
Value cos(Value x) { return {std::cos(x.v), -std::sin(x.v) * x.d}; }
Value sinh(Value x) { return {std::sinh(x.v), std::cosh(x.v) * x.d}; }
Value cosh(Value x) { return {std::cosh(x.v), std::sinh(x.v) * x.d}; }
Value rint(Value x) { return {std::nearbyint(x.v), 0}; }
Value erf(Value x) { return {std::erf(x.v), 1.1283791670955126 * std::exp(-x.v * x.v) * x.d}; }
Value pow(Value a, Value b) {
  const double y = std::pow(a.v, b.v);
  const double by_a = b.v == 0 ? 0 : b.v * std::pow(a.v, b.v - 1);
  const double by_b = a.v == 0 && b.v >= 0 ? 0 : y * std::log(a.v);
  return {y, by_a * a.d + (b.d == 0 ? 0 : by_b * b.d)};
}

}  // namespace dual

namespace {

using dual::Value;

template <class Op>
void check_second_derivative(const char* name, std::vector<double> points, Op op = {}) {
  const auto first = [&](double x) { return op.template derivative<double>(x, op.forward(x)); };
  for (const double x : points) {
    if (std::isnan(op.forward(x))) continue;
    const double h = 1e-5, expected = (first(x + h) - first(x - h)) / (2 * h);
    const Value in(x, 1), out(op.forward(x), first(x));
    const Value slope = op.template derivative<Value>(in, out);
    EXPECT_NEAR(slope.v, first(x), 1e-14 * std::max(1.0, std::fabs(first(x)))) << name << " " << x;
    EXPECT_NEAR(slope.d, expected, 1e-6 * std::max(1.0, std::fabs(expected))) << name << " " << x;
  }
}

TEST(Pointwise, DerivativesOfDerivatives) {
#define WICK_OP(name, Name) check_second_derivative<pointwise::Name>(#name, {0.3, 0.9, 1.7});
  WICK_UNARY_OPS(WICK_OP)
  WICK_UNARY_RARE_OPS(WICK_OP)
#undef WICK_OP
  for (const double x : {-2.5, -0.4, 0.0, 2.5, 40.0}) {
    check_second_derivative<pointwise::Clamp>("clamp", {x}, {-1, 2});
    check_second_derivative<pointwise::Hardtanh>("hardtanh", {x}, {-1, 2});
    check_second_derivative<pointwise::Softplus>("softplus", {x}, {0.5, 10});
    check_second_derivative<pointwise::Silu>("silu", {x});
    check_second_derivative<pointwise::Mish>("mish", {x});
    check_second_derivative<pointwise::LogSigmoid>("log_sigmoid", {x});
  }
  // Below and above the bend; the branch not taken would overflow.
  for (const double x : {-2.5, -0.4, 800.0}) {
    check_second_derivative<pointwise::Elu>("elu", {x}, {1.5, 1.25, 0.75});
    check_second_derivative<pointwise::LeakyRelu>("leaky_relu", {x}, {0.25});
  }
  for (const double x : {-2.5, -0.4, 0.0}) {
    check_second_derivative<pointwise::Gelu>("gelu", {x});
    check_second_derivative<pointwise::GeluTanh>("gelu_tanh", {x});
    check_second_derivative<pointwise::Tanh>("tanh", {x});
    check_second_derivative<pointwise::Sigmoid>("sigmoid", {x});
    check_second_derivative<pointwise::Erf>("erf", {x});
  }
}

template <class Op>
void check_second_gradients(const char* name) {
  const double h = 1e-5, g = 1.5;
  for (const double a : {0.4, 1.3}) {
    for (const double b : {0.7, 2.0}) {
      const auto by_a = [&](double u) { return Op::grad_a(g, u, b, Op::forward(u, b)); };
      const auto by_b = [&](double v) { return Op::grad_b(g, a, v, Op::forward(a, v)); };
      const double y = Op::forward(a, b);
      const double slope_a = Op::grad_a(1.0, a, b, y), slope_b = Op::grad_b(1.0, a, b, y);
      const Value aa = Op::grad_a(Value(g), Value(a, 1), Value(b), Value(y, slope_a));
      const Value bb = Op::grad_b(Value(g), Value(a), Value(b, 1), Value(y, slope_b));
      EXPECT_NEAR(aa.v, by_a(a), 1e-14) << name;
      EXPECT_NEAR(bb.v, by_b(b), 1e-14) << name;
      EXPECT_NEAR(aa.d, (by_a(a + h) - by_a(a - h)) / (2 * h), 1e-6) << name << a << " " << b;
      EXPECT_NEAR(bb.d, (by_b(b + h) - by_b(b - h)) / (2 * h), 1e-6) << name << a << " " << b;
    }
  }
}

TEST(Pointwise, GradientsOfGradients) {
#define WICK_OP(name, Name) check_second_gradients<pointwise::Name>(#name);
  WICK_BINARY_OPS(WICK_OP)
#undef WICK_OP
  check_second_gradients<pointwise::Remainder>("remainder");
  check_second_gradients<pointwise::Fmod>("fmod");
  check_second_gradients<pointwise::Atan2>("atan2");
  check_second_gradients<pointwise::Hypot>("hypot");
  check_second_gradients<pointwise::Copysign>("copysign");
}

// x^0, x^1, x^2 and 0^y differentiated twice: no 0 * inf from the branches that do not count.
TEST(Pointwise, PowAtZeroIsDifferentiableTwice) {
  using pointwise::Pow;
  const auto second = [](double a, double b) {
    const double y = Pow::forward(a, b);
    return Pow::grad_a(Value(1.0), Value(a, 1), Value(b), Value(y, Pow::grad_a(1.0, a, b, y)));
  };
  EXPECT_EQ(second(0, 0).v, 0);
  EXPECT_EQ(second(0, 0).d, 0);
  EXPECT_EQ(second(0, 1).v, 1);
  EXPECT_EQ(second(0, 1).d, 0);
  EXPECT_EQ(second(0, 2).v, 0);
  EXPECT_EQ(second(0, 2).d, 2);
  EXPECT_EQ(second(-3, 2).d, 2);
  const Value exponent = Pow::grad_b(Value(1.0), Value(0.0), Value(2.0, 1), Value(0.0, 0));
  EXPECT_EQ(exponent.v, 0);
  EXPECT_EQ(exponent.d, 0);
}

// What an op says it does not read may hold anything.
TEST(Pointwise, SavesWhatIsRead) {
  const double nan = std::nan("");
#define WICK_OP(name, Name)                                                       \
  {                                                                               \
    using Op = pointwise::Name;                                                   \
    const double y = Op::forward(0.7);                                            \
    const double used_x = saves_input(Op::saves) ? 0.7 : nan;                     \
    const double used_y = saves_output(Op::saves) ? y : nan;                      \
    if (!std::isnan(y)) {                                                         \
      EXPECT_EQ(Op::derivative(used_x, used_y), Op::derivative(0.7, y)) << #name; \
    }                                                                             \
  }
  using pointwise::saves_input, pointwise::saves_output;
  WICK_UNARY_OPS(WICK_OP)
  WICK_UNARY_RARE_OPS(WICK_OP)
#undef WICK_OP
#define WICK_OP(name, Name)                                                                     \
  {                                                                                             \
    using Op = pointwise::Name;                                                                 \
    const double a = 0.7, b = 1.9, y = Op::forward(a, b);                                       \
    const auto pick = [&](bool reads, double value) { return reads ? value : nan; };            \
    const auto [a0, b0, y0, t0] = Op::reads_a;                                                  \
    const auto [a1, b1, y1, t1] = Op::reads_b;                                                  \
    EXPECT_EQ(Op::grad_a(3.0, pick(a0, a), pick(b0, b), pick(y0, y)), Op::grad_a(3.0, a, b, y)) \
        << #name;                                                                               \
    EXPECT_EQ(Op::grad_b(3.0, pick(a1, a), pick(b1, b), pick(y1, y)), Op::grad_b(3.0, a, b, y)) \
        << #name;                                                                               \
    const auto is_trivial = [](pointwise::Trivial t, double grad) {                             \
      return t == pointwise::Trivial::No || grad == (t == pointwise::Trivial::Negate ? -3 : 3); \
    };                                                                                          \
    EXPECT_TRUE(is_trivial(t0, Op::grad_a(3.0, a, b, y))) << #name;                             \
    EXPECT_TRUE(is_trivial(t1, Op::grad_b(3.0, a, b, y))) << #name;                             \
  }
  WICK_BINARY_OPS(WICK_OP)
#undef WICK_OP
}

}  // namespace
}  // namespace wick
