#include <gtest/gtest.h>

#include <wick/kernels/cpu/simd/elementwise.h>
#include <wick/kernels/pointwise.h>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace wick {
namespace {

struct IsaLoops {
  const char* name;
  cpu::Loop (*unary)(UnaryOp, DType);
  cpu::Loop (*binary)(BinaryOp, DType);
};

/// The instruction sets that this machine can run.
std::vector<IsaLoops> isa_loops() {
  std::vector<IsaLoops> all{{"base", cpu::base::unary_loop, cpu::base::binary_loop}};
#if defined(__x86_64__)
  if (cpu::isa() >= cpu::Isa::Avx2) {
    all.push_back({"avx2", cpu::avx2::unary_loop, cpu::avx2::binary_loop});
  }
  if (cpu::isa() >= cpu::Isa::Avx512) {
    all.push_back({"avx512", cpu::avx512::unary_loop, cpu::avx512::binary_loop});
  }
#endif
  return all;
}

template <class T>
std::vector<T> apply(cpu::Loop loop, std::vector<T> x) {
  std::vector<T> y(x.size());
  void* operands[] = {y.data(), x.data()};
  loop(operands, static_cast<int64_t>(x.size()));
  return y;
}

template <class T>
std::vector<T> apply(cpu::Loop loop, std::vector<T> a, std::vector<T> b) {
  std::vector<T> y(a.size());
  void* operands[] = {y.data(), a.data(), b.data()};
  loop(operands, static_cast<int64_t>(a.size()));
  return y;
}

/// Numbers spread over all bit patterns, and over the range where the functions bend.
template <class T>
std::vector<T> samples(int count) {
  using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  std::vector<T> x;
  uint64_t state = 12345;
  for (int i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const U bits = static_cast<U>(state >> (64 - 8 * sizeof(T) < 16 ? 0 : 16));
    T any;
    std::memcpy(&any, &bits, sizeof any);
    x.push_back(any);
    const double unit = static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
    x.push_back(static_cast<T>(unit * (i % 3 == 0 ? 2 : i % 3 == 1 ? 24 : 220)));
  }
  return x;
}

/// Distance of y from the true value in units of the last place of T. Overflow may round up to
/// infinity.
template <class T>
double error_in_ulps(T y, long double truth) {
  if (std::isnan(truth)) return std::isnan(y) ? 0 : 1e9;
  const T rounded = static_cast<T>(truth);
  if (y == rounded) return std::isinf(y) ? 0 : std::signbit(y) == std::signbit(rounded) ? 0 : 1e9;
  if (std::isinf(y) || std::isinf(rounded) || std::isnan(y)) return 1e9;
  const int lowest = std::numeric_limits<T>::min_exponent - 1;
  const int exponent = truth == 0 ? lowest : std::max(std::ilogb(truth), lowest);
  const long double ulp = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
  return static_cast<double>(std::fabs(static_cast<long double>(y) - truth) / ulp);
}

struct Function {
  UnaryOp op;
  const char* name;
  long double (*truth)(long double);
  double limit;
};
const Function kFunctions[] = {
    {UnaryOp::Exp, "exp", [](long double x) { return std::exp(x); }, 1.2},
    {UnaryOp::Log, "log", [](long double x) { return std::log(x); }, 1.0},
    {UnaryOp::Sqrt, "sqrt", [](long double x) { return std::sqrt(x); }, 0.5001},
    {UnaryOp::Tanh, "tanh", [](long double x) { return std::tanh(x); }, 2.6},
    {UnaryOp::Sigmoid, "sigmoid", [](long double x) { return 1 / (1 + std::exp(-x)); }, 2.4},
    {UnaryOp::Erf, "erf", [](long double x) { return std::erf(x); }, 1.4},
    {UnaryOp::Expm1, "expm1", [](long double x) { return std::expm1(x); }, 2.0},
    {UnaryOp::Log1p, "log1p", [](long double x) { return std::log1p(x); }, 2.0},
    {UnaryOp::Sin, "sin", [](long double x) { return std::sin(x); }, 1.6},
    {UnaryOp::Cos, "cos", [](long double x) { return std::cos(x); }, 1.6},
};

template <class T>
void check_accuracy() {
  const std::vector<T> x = samples<T>(6000);
  for (const IsaLoops& isa : isa_loops()) {
    for (const Function& f : kFunctions) {
      const std::vector<T> y = apply(isa.unary(f.op, dtype_of<T>), x);
      double worst = 0;
      T at = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = error_in_ulps(y[i], f.truth(x[i]));
        if (error > worst) worst = error, at = x[i];
      }
      EXPECT_LE(worst, f.limit) << isa.name << " " << f.name << " at " << at;
    }
  }
}

TEST(Math, FloatIsAccurate) { check_accuracy<float>(); }
TEST(Math, DoubleIsAccurate) { check_accuracy<double>(); }

TEST(Math, PowIsAccurate) {
  std::vector<float> a = samples<float>(4000), b = samples<float>(4000);
  std::rotate(b.begin(), b.begin() + 1234, b.end());
  for (size_t i = 0; i < a.size(); i += 3) a[i] = std::fabs(a[i]);
  for (size_t i = 0; i < a.size(); i += 4) b[i] = std::trunc(b[i]);
  for (size_t i = 0; i < a.size(); i += 5) a[i] = 1 + a[i] * 1e-6f, b[i] = b[i] * 1e5f;
  for (const IsaLoops& isa : isa_loops()) {
    const auto y = apply(isa.binary(BinaryOp::Pow, kFloat32), a, b);
    for (size_t i = 0; i < a.size(); ++i) {
      const long double truth = std::pow(static_cast<long double>(a[i]), b[i]);
      EXPECT_LE(error_in_ulps(y[i], truth), 1.0) << isa.name << ": " << a[i] << " ^ " << b[i];
    }
  }
}

TEST(Math, PowSpecialCasesAreThoseOfC) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const std::vector<float> values{0.f,   -0.f,  1.f,         -1.f,       2.f,        -2.f,
                                  0.5f,  -0.5f, 3.f,         -3.f,       inf,        -inf,
                                  nan,   1e38f, -1e38f,      1e-45f,     -1e-45f,    16777215.f,
                                  1e10f, 2.5f,  -16777215.f, 8388608.5f, 16777216.f, -1e-38f};
  std::vector<float> a, b;
  for (const float x : values) {
    for (const float y : values) a.push_back(x), b.push_back(y);
  }
  for (const IsaLoops& isa : isa_loops()) {
    const auto single = apply(isa.binary(BinaryOp::Pow, kFloat32), a, b);
    for (size_t i = 0; i < a.size(); ++i) {
      const float truth = static_cast<float>(std::pow(static_cast<double>(a[i]), b[i]));
      EXPECT_LE(error_in_ulps(single[i], truth), 1.0)
          << isa.name << ": " << a[i] << " ^ " << b[i] << " = " << single[i];
    }
  }
}

TEST(Math, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  const auto check = [](UnaryOp op, std::vector<float> x, std::vector<float> expected) {
    for (const IsaLoops& isa : isa_loops()) {
      const auto y = apply(isa.unary(op, kFloat32), x);
      const std::vector<double> wide(x.begin(), x.end());
      const auto y64 = apply(isa.unary(op, kFloat64), wide);
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(expected[i])) {
          EXPECT_TRUE(std::isnan(y[i]) && std::isnan(y64[i])) << isa.name << " at " << x[i];
        } else {
          EXPECT_EQ(y[i], expected[i]) << isa.name << " at " << x[i];
          EXPECT_EQ(std::signbit(y[i]), std::signbit(expected[i])) << isa.name << " at " << x[i];
          EXPECT_EQ(static_cast<float>(y64[i]), expected[i]) << isa.name << " at " << x[i];
        }
      }
    }
  };
  check(UnaryOp::Exp, {0.f, -0.f, inf, -inf, nan, 1000.f, -1000.f}, {1, 1, inf, 0, nan, inf, 0});
  check(UnaryOp::Log, {0.f, -0.f, 1.f, inf, -inf, -1.f, nan}, {-inf, -inf, 0, inf, nan, nan, nan});
  check(UnaryOp::Sqrt, {0.f, -0.f, 4.f, inf, -1.f, nan}, {0, -0.f, 2, inf, nan, nan});
  check(UnaryOp::Tanh, {0.f, -0.f, inf, -inf, nan, 50.f, -50.f}, {0, -0.f, 1, -1, nan, 1, -1});
  check(UnaryOp::Sigmoid, {0.f, inf, -inf, nan, 200.f}, {0.5f, 1, 0, nan, 1});
  check(UnaryOp::Erf, {0.f, -0.f, inf, -inf, nan, 9.f}, {0, -0.f, 1, -1, nan, 1});
  check(UnaryOp::Expm1, {0.f, inf, -inf, nan, 1000.f, -1000.f}, {0, inf, -1, nan, inf, -1});
  check(UnaryOp::Log1p, {0.f, inf, -1.f, nan, -2.f}, {0, inf, -inf, nan, nan});
  check(UnaryOp::Sin, {0.f, -0.f, inf, -inf, nan}, {0, -0.f, nan, nan, nan});
  check(UnaryOp::Cos, {0.f, -0.f, inf, -inf, nan}, {1, 1, nan, nan, nan});
  check(UnaryOp::Relu, {0.f, -0.f, -3.f, inf, -inf, nan, 3.f}, {0, 0, 0, inf, 0, nan, 3});
  check(UnaryOp::Abs, {0.f, -0.f, -3.f, -inf, nan}, {0, 0, 3, inf, nan});
}

template <class T, class F>
void expect_scalar_bits(UnaryOp op, F scalar) {
  const std::vector<T> x = samples<T>(1000);
  for (const IsaLoops& isa : isa_loops()) {
    const auto y = apply(isa.unary(op, dtype_of<T>), x);
    for (size_t i = 0; i < x.size(); ++i) {
      const T expected = scalar(x[i]);
      if (std::isnan(expected) && std::isnan(y[i])) continue;
      EXPECT_EQ(std::memcmp(&expected, &y[i], sizeof(T)), 0) << isa.name << " at " << x[i];
    }
  }
}

// The polynomials are one source: a number alone, and a lane of any width, give the same bits.
TEST(Math, ScalarAndVectorsGiveTheSameBits) {
#define WICK_EXPECT(name, Name)                                                                  \
  expect_scalar_bits<float>(UnaryOp::Name, [](float x) { return pointwise::Name::forward(x); }); \
  expect_scalar_bits<double>(UnaryOp::Name, [](double x) { return pointwise::Name::forward(x); });
  WICK_UNARY_OPS(WICK_EXPECT)
  WICK_UNARY_RARE_OPS(WICK_EXPECT)
#undef WICK_EXPECT
  const std::vector<float> a = samples<float>(1000), b(a.rbegin(), a.rend());
  for (const IsaLoops& isa : isa_loops()) {
    const auto y = apply(isa.binary(BinaryOp::Pow, kFloat32), a, b);
    for (size_t i = 0; i < a.size(); ++i) {
      const float expected = math::pow(a[i], b[i]);
      if (!std::isnan(expected)) {
        EXPECT_EQ(y[i], expected) << isa.name << ": " << a[i] << " ^ " << b[i];
      }
    }
  }
}

}  // namespace
}  // namespace wick
