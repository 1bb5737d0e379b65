#include <gtest/gtest.h>
#include <tests/kernels/golden_bits.h>
#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/simd/random.h>
#include <wick/kernels/random.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

namespace wick {
namespace {

template <class T>
std::vector<T> draw_uniform(int64_t n, PhiloxState state, double low = 0, double high = 1) {
  std::vector<T> x(static_cast<size_t>(n));
  cpu::uniform(dtype_of<T>, n, x.data(), state, low, high);
  return x;
}

template <class T>
std::vector<T> draw_normal(int64_t n, PhiloxState state, double mean = 0, double std = 1) {
  std::vector<T> x(static_cast<size_t>(n));
  cpu::normal(dtype_of<T>, n, x.data(), state, mean, std);
  return x;
}

template <class T>
std::vector<T> draw_randint(int64_t n, PhiloxState state, int64_t low, int64_t high) {
  std::vector<T> x(static_cast<size_t>(n));
  cpu::randint(dtype_of<T>, n, x.data(), state, low, high);
  return x;
}

std::vector<int64_t> draw_randperm(int64_t n, PhiloxState state) {
  std::vector<int64_t> x(static_cast<size_t>(n), -1);
  cpu::randperm(n, x.data(), state);
  return x;
}

std::vector<uint8_t> draw_mask(int64_t n, PhiloxState state, double p) {
  std::vector<float> x(static_cast<size_t>(n), 1);
  std::vector<uint8_t> mask(x.size(), 7);
  cpu::dropout(kFloat32, n, x.data(), x.data(), mask.data(), state, p, 1);
  return mask;
}

template <class T, size_t N>
std::vector<T> values(const T (&x)[N]) {
  return std::vector<T>(x, x + N);
}

template <class U, class T>
std::vector<U> bits(const std::vector<T>& x) {
  static_assert(sizeof(U) == sizeof(T));
  std::vector<U> r(x.size());
  if (!x.empty()) std::memcpy(r.data(), x.data(), x.size() * sizeof(T));
  return r;
}

struct Threads {
  explicit Threads(int n) { cpu::set_num_threads(n); }
  ~Threads() { cpu::set_num_threads(before); }
  int before = cpu::num_threads();
};

TEST(Philox, KnownAnswers) {
  const struct {
    uint64_t counter[4], key;
    uint32_t words[4];
  } kCases[] = {
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       ~uint64_t{0},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& k : kCases) {
    uint64_t c[4];
    std::copy(k.counter, k.counter + 4, c);
    philox::rounds(c, k.key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(static_cast<uint32_t>(c[i]), k.words[i]);
  }
}

template <class T>
std::vector<T> draw_exponential(int64_t n, PhiloxState state, double lambda) {
  std::vector<T> x(static_cast<size_t>(n));
  cpu::exponential(dtype_of<T>, n, x.data(), state, lambda);
  return x;
}

std::vector<int64_t> draw_classes(int64_t samples, PhiloxState state, bool replacement) {
  double weights[] = {0.5, 0, 3, 1.25, 0, 2, 0.125, 0};
  std::vector<int64_t> classes(static_cast<size_t>(samples));
  cpu::multinomial({1, 8, samples, replacement}, weights, classes.data(), state);
  return classes;
}

TEST(Philox, GoldenBits) {
  for (const test::GoldenBits& g : test::kGoldenBits) {
    SCOPED_TRACE(g.seed);
    const PhiloxState state{g.seed, g.offset};
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(philox::block(g.seed, g.offset + static_cast<uint64_t>(i / 4)).word[i % 4],
                g.words[i]);
    }
    EXPECT_EQ(bits<uint32_t>(draw_uniform<float>(16, state)), values(g.uniform_f32));
    EXPECT_EQ(bits<uint64_t>(draw_uniform<double>(16, state)), values(g.uniform_f64));
    EXPECT_EQ(bits<uint32_t>(draw_uniform<float>(16, state, -0.3, 1.7)),
              values(g.uniform_f32_range));
    EXPECT_EQ(bits<uint32_t>(draw_normal<float>(16, state)), values(g.normal_f32));
    EXPECT_EQ(bits<uint64_t>(draw_normal<double>(16, state)), values(g.normal_f64));
    EXPECT_EQ(bits<uint32_t>(draw_normal<float>(16, state, 0.7, 0.1)), values(g.normal_f32_scaled));
    EXPECT_EQ(bits<uint32_t>(draw_exponential<float>(16, state, 0.7)), values(g.exponential_f32));
    EXPECT_EQ(bits<uint64_t>(draw_exponential<double>(16, state, 0.7)), values(g.exponential_f64));
    EXPECT_EQ(draw_classes(16, state, true), values(g.multinomial));
    EXPECT_EQ(draw_classes(5, state, false), values(g.multinomial_without));
    EXPECT_EQ(draw_randint<int64_t>(16, state, -5, 12), values(g.randint_small));
    EXPECT_EQ(draw_randint<int64_t>(16, state, -(int64_t{1} << 62), (int64_t{1} << 62) + 3),
              values(g.randint_large));
    EXPECT_EQ(draw_randperm(10, state), values(g.randperm));
    EXPECT_EQ(draw_mask(16, state, 0.3), values(g.keep));
  }
}

// What an element is depends on its position alone, not on the vectors around it or on n.
TEST(Philox, EveryLengthAgreesWithScalars) {
  const PhiloxState state{99, ~uint64_t{0} - 3};  // the counter wraps
  const auto range = philox::uniform_range<float>(-1, 3);
  const auto wide = philox::uniform_range<double>(-1, 3);
  for (int64_t n : {0, 1, 2, 3, 5, 31, 32, 33, 64, 100, 1023, 1025, 5001}) {
    const auto u = draw_uniform<float>(n, state, -1, 3), z = draw_normal<float>(n, state, 2, 3);
    const auto ud = draw_uniform<double>(n, state, -1, 3), zd = draw_normal<double>(n, state, 2, 3);
    const auto k = draw_randint<int64_t>(n, state, 10, 1000);
    const auto mask = draw_mask(n, state, 0.25);
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      const auto four = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 4));
      const auto two = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 2));
      const int w = static_cast<int>(i % 4), j = w / 2 * 2, p = static_cast<int>(i % 2);
      const auto pair = philox::normal_pair<float>(four.word[j], four.word[j + 1]);
      const auto wide_pair = philox::normal_pair<double>(two.pair(0), two.pair(1));
      ASSERT_EQ(u[at], philox::uniform<float>(four.word[w], range)) << n << " " << i;
      ASSERT_EQ(ud[at], philox::uniform<double>(two.pair(p), wide)) << n << " " << i;
      ASSERT_EQ(z[at], math::fma(3.f, p == 0 ? pair.first : pair.second, 2.f)) << n << " " << i;
      ASSERT_EQ(zd[at], math::fma(3., p == 0 ? wide_pair.first : wide_pair.second, 2.));
      ASSERT_EQ(k[at], 10 + static_cast<int64_t>(philox::below(two.pair(p), 990)));
      ASSERT_EQ(mask[at], (four.word[w] >> 8) * 0x1p-24 >= 0.25 ? 1 : 0);
    }
  }
}

TEST(Philox, CallsThatFollowEachOtherAreOneSequence) {
  const auto all = draw_normal<float>(4000, {5, 7});
  const auto rest = draw_normal<float>(4000 - 1204, {5, 7 + philox_blocks(1204, 4)});
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + 1204));
}

TEST(Philox, ThreadsDoNotMatter) {
  constexpr int64_t kN = 150003;
  const PhiloxState state{1234, 5678};
  const auto draw = [&](int threads) {
    const Threads scope(threads);
    auto halves = draw_normal<Half>(kN, state, 0, 1);
    std::vector<uint64_t> r(halves.size());
    for (size_t i = 0; i < r.size(); ++i) r[i] = halves[i].bits;
    for (float x : draw_uniform<float>(kN, state)) r.push_back(std::bit_cast<uint32_t>(x));
    for (double x : draw_normal<double>(kN, state)) r.push_back(std::bit_cast<uint64_t>(x));
    for (int32_t x : draw_randint<int32_t>(kN, state, -9, 1000)) r.push_back(uint64_t(int64_t{x}));
    for (int64_t x : draw_randperm(kN, state)) r.push_back(static_cast<uint64_t>(x));
    for (uint8_t x : draw_mask(kN, state, 0.5)) r.push_back(x);
    return r;
  };
  const auto one = draw(1);
  for (int threads : {2, 3, 7}) EXPECT_EQ(draw(threads), one) << threads;
}

#if defined(__x86_64__)
struct Loops {
  void (*pairs)(int64_t, uint64_t*, PhiloxState);
  void (*uniform)(int64_t, float*, PhiloxState, philox::UniformRange<float>);
  void (*uniform_double)(int64_t, double*, PhiloxState, philox::UniformRange<double>);
  void (*normal)(int64_t, float*, PhiloxState, float, float);
  void (*normal_double)(int64_t, double*, PhiloxState, double, double);
  void (*mask)(int64_t, uint8_t*, PhiloxState, uint32_t);
  void (*apply_mask)(int64_t, const float*, const uint8_t*, float*, float);
};

std::vector<uint64_t> run(const Loops& loops) {
  constexpr int64_t kN = 4099;
  const PhiloxState state{77, 3};
  std::vector<uint64_t> all(kN);
  std::vector<float> x(kN);
  std::vector<double> wide(kN);
  std::vector<uint8_t> mask(kN);
  const auto keep = [&] {
    for (float v : x) all.push_back(std::bit_cast<uint32_t>(v));
  };
  const auto keep_wide = [&] {
    for (double v : wide) all.push_back(std::bit_cast<uint64_t>(v));
  };
  loops.pairs(kN, all.data(), state);
  loops.uniform(kN, x.data(), state, philox::uniform_range<float>(-2, 0.1));
  keep();
  loops.uniform_double(kN, wide.data(), state, philox::uniform_range<double>(-2, 0.1));
  keep_wide();
  loops.normal_double(kN, wide.data(), state, 0.3, 1.1);
  keep_wide();
  loops.normal(kN, x.data(), state, 0.3f, 1.1f);
  keep();
  loops.mask(kN, mask.data(), state, 1 << 22);
  loops.apply_mask(kN, x.data(), mask.data(), x.data(), 1.7f);
  keep();
  return all;
}

#define WICK_LOOPS(isa)                                                                          \
  Loops {                                                                                        \
    cpu::isa::draw_pairs, cpu::isa::draw_uniform, cpu::isa::draw_uniform, cpu::isa::draw_normal, \
        cpu::isa::draw_normal, cpu::isa::draw_mask, cpu::isa::apply_mask                         \
  }
TEST(Philox, InstructionSetsGiveTheSameBits) {
  const auto expected = run(WICK_LOOPS(base));
  if (cpu::isa() >= cpu::Isa::Avx2) {
    EXPECT_TRUE(run(WICK_LOOPS(avx2)) == expected);
  }
  if (cpu::isa() >= cpu::Isa::Avx512) {
    EXPECT_TRUE(run(WICK_LOOPS(avx512)) == expected);
  }
}
#undef WICK_LOOPS
#endif

// --- uniform

TEST(Uniform, NeverReachesTheUpperEnd) {
  constexpr uint32_t kWord = ~uint32_t{0};
  constexpr uint64_t kPair = ~uint64_t{0};
  EXPECT_EQ(philox::unit<float>(kWord), 1 - 0x1p-24f);
  EXPECT_EQ(philox::unit<double>(kPair), 1 - 0x1p-53);
  EXPECT_EQ(philox::unit<float>(0u), 0);
  EXPECT_EQ(philox::unit<double>(uint64_t{0}), 0);
  const double kRanges[][2] = {{0, 1},       {-1, 1},     {1, 2},     {1000, 1001}, {-1001, -1000},
                               {-1, 0},      {-3, 1e-3},  {0, 3e-45}, {-1e-3, 0},   {1, 1.0000001},
                               {16e6, 17e6}, {-5e4, 6e4}, {0.1, 0.3}};
  for (const auto& [low, high] : kRanges) {
    const float f = philox::uniform<float>(kWord, philox::uniform_range<float>(low, high));
    EXPECT_LT(f, static_cast<float>(high));
    EXPECT_GE(f, static_cast<float>(low));
    const double d = philox::uniform<double>(kPair, philox::uniform_range<double>(low, high));
    EXPECT_LT(d, high);
    EXPECT_GE(d, low);
  }
}

template <class T>
void expect_inside(double low, double high) {
  const auto x = draw_uniform<T>(200000, {3, 0}, low, high);
  const float first = T(static_cast<float>(low)), end = T(static_cast<float>(high));
  double sum = 0;
  for (T v : x) {
    ASSERT_GE(static_cast<float>(v), first);
    ASSERT_LT(static_cast<float>(v), end);
    sum += static_cast<float>(v);
  }
  EXPECT_NEAR(sum / 200000, (low + high) / 2, (high - low) * 0.01);
}

TEST(Uniform, HalfTypesNeverReachTheUpperEnd) {
  expect_inside<Half>(0, 1);
  expect_inside<Half>(-3, 5);
  expect_inside<BFloat16>(0, 1);
  expect_inside<BFloat16>(-1, 0);
}

TEST(Uniform, EmptyRangeGivesItsEnd) {
  for (float x : draw_uniform<float>(100, {1, 1}, 2.5, 2.5)) EXPECT_EQ(x, 2.5f);
  for (double x : draw_uniform<double>(100, {1, 1}, 0, 0)) EXPECT_EQ(x, 0);
}

TEST(Uniform, IsUniform) {
  constexpr int64_t kN = 1000000;
  auto x = draw_uniform<float>(kN, {2024, 0});
  auto y = draw_uniform<double>(kN, {2024, 0});
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  double worst = 0, worst_double = 0;
  for (int64_t i = 0; i < kN; ++i) {
    const double p = (static_cast<double>(i) + 0.5) / kN;
    worst = std::max(worst, std::abs(x[static_cast<size_t>(i)] - p));
    worst_double = std::max(worst_double, std::abs(y[static_cast<size_t>(i)] - p));
  }
  // The Kolmogorov-Smirnov statistic exceeds 1.95 / sqrt(n) once in 1000 seeds.
  EXPECT_LT(worst, 1.95e-3);
  EXPECT_LT(worst_double, 1.95e-3);
}

// --- normal

template <class T>
void expect_normal(PhiloxState state) {
  constexpr int64_t kN = 1000000;
  auto x = draw_normal<T>(kN, state);
  double moment[5] = {}, pairs = 0, neighbours = 0;
  int64_t beyond[3] = {};
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    ASSERT_TRUE(std::isfinite(v));
    double power = 1;
    for (double& m : moment) m += power / kN, power *= v;
    for (int k = 0; k < 3; ++k) beyond[k] += std::abs(v) > k + 2;
    if (i % 2 == 0) pairs += v * x[i + 1] / (kN / 2);
    if (i + 2 < x.size()) neighbours += v * x[i + 2] / kN;
  }
  EXPECT_NEAR(moment[1], 0, 4e-3);
  EXPECT_NEAR(moment[2], 1, 6e-3);
  EXPECT_NEAR(moment[3], 0, 16e-3);
  EXPECT_NEAR(moment[4], 3, 40e-3);
  EXPECT_NEAR(pairs, 0, 6e-3);
  EXPECT_NEAR(neighbours, 0, 4e-3);
  for (int k = 0; k < 3; ++k) {
    const double expected = kN * std::erfc((k + 2) / std::sqrt(2.));
    EXPECT_NEAR(static_cast<double>(beyond[k]), expected, 4 * std::sqrt(expected)) << k + 2;
  }
  std::sort(x.begin(), x.end());
  double worst = 0;
  for (int64_t i = 0; i < kN; ++i) {
    const double cdf = 0.5 * std::erfc(-static_cast<double>(x[static_cast<size_t>(i)]) * M_SQRT1_2);
    worst = std::max(worst, std::abs(cdf - (static_cast<double>(i) + 0.5) / kN));
  }
  EXPECT_LT(worst, 1.95e-3);
}

TEST(Normal, FloatIsNormal) { expect_normal<float>({7, 0}); }
TEST(Normal, DoubleIsNormal) { expect_normal<double>({7, 0}); }

TEST(Normal, ExtremeWordsAreFinite) {
  const uint32_t kWords[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x40000000};
  for (uint32_t a : kWords) {
    for (uint32_t b : kWords) {
      const auto f = philox::normal_pair<float>(a, b);
      EXPECT_LT(std::abs(f.first) + std::abs(f.second), 6.7f * 1.5f) << a << " " << b;
      const auto d = philox::normal_pair<double>(uint64_t{a} << 32 | a, uint64_t{b} << 32 | b);
      EXPECT_LT(std::abs(d.first) + std::abs(d.second), 8.5 * 1.5) << a << " " << b;
    }
  }
  EXPECT_NEAR(philox::normal_pair<float>(0u, 0u).first, 6.6604353f * std::sqrt(0.5f) * 1.41421356f,
              1e-5f);
}

TEST(Normal, IsExactToAFewUnits) {
  for (uint64_t i = 0; i < 20000; ++i) {
    const auto block = philox::block(11, i);
    const auto z = philox::normal_pair<double>(block.pair(0), block.pair(1));
    const long double u = 1 - static_cast<long double>(block.pair(0) >> 12) * 0x1p-52L;
    const long double t = static_cast<long double>((block.pair(1) << 2) >> 12) * 0x1p-51L - 1;
    const long double angle = (static_cast<long double>(block.pair(1) >> 62) + t / 2) *
                              1.57079632679489661923132169163975144L;
    const long double r = std::sqrt(-2 * std::log(u));
    ASSERT_NEAR(z.first, static_cast<double>(r * std::cos(angle)), 2e-15);
    ASSERT_NEAR(z.second, static_cast<double>(r * std::sin(angle)), 2e-15);
  }
}

TEST(Normal, HalfTypesAreRoundedFloats) {
  constexpr int64_t kN = 2051;
  const auto f = draw_normal<float>(kN, {21, 4}, 0.5, 2);
  const auto h = draw_normal<Half>(kN, {21, 4}, 0.5, 2);
  const auto b = draw_normal<BFloat16>(kN, {21, 4}, 0.5, 2);
  for (size_t i = 0; i < f.size(); ++i) {
    ASSERT_EQ(h[i].bits, Half(f[i]).bits);
    ASSERT_EQ(b[i].bits, BFloat16(f[i]).bits);
  }
}

TEST(Normal, RefusesIntegers) {
  int32_t x[4];
  EXPECT_THROW(cpu::normal(kInt32, 4, x, {}, 0, 1), DTypeError);
  EXPECT_THROW(cpu::uniform(kInt32, 4, x, {}, 0, 1), DTypeError);
}

// --- randint

TEST(Randint, EveryValueIsEquallyLikely) {
  int64_t count[7] = {};
  for (int64_t x : draw_randint<int64_t>(700000, {1, 0}, -3, 4)) {
    ASSERT_GE(x, -3);
    ASSERT_LT(x, 4);
    ++count[x + 3];
  }
  for (int64_t c : count) EXPECT_NEAR(static_cast<double>(c), 100000, 1200);
}

template <class T>
void expect_converted() {
  const auto wide = draw_randint<int64_t>(1025, {8, 2}, 0, 100);
  const auto x = draw_randint<T>(1025, {8, 2}, 0, 100);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(static_cast<double>(x[i]), wide[i]);
}

TEST(Randint, AllTypes) {
  expect_converted<uint8_t>();
  expect_converted<int8_t>();
  expect_converted<int16_t>();
  expect_converted<int32_t>();
  expect_converted<Half>();
  expect_converted<BFloat16>();
  expect_converted<float>();
  expect_converted<double>();
}

TEST(Randint, WholeRangeAndSingleValue) {
  using Limits = std::numeric_limits<int64_t>;
  bool negative = false, positive = false;
  for (int64_t x : draw_randint<int64_t>(100, {1, 0}, Limits::min(), Limits::max())) {
    ASSERT_NE(x, Limits::max());
    negative |= x < -(int64_t{1} << 62);
    positive |= x > int64_t{1} << 62;
  }
  EXPECT_TRUE(negative && positive);
  for (int64_t x : draw_randint<int64_t>(10, {1, 0}, 5, 6)) EXPECT_EQ(x, 5);
}

// --- randperm

TEST(Randperm, IsTheOrderOfTheKeys) {
  const PhiloxState state{31, 12};
  // Above some 100,000, upper parts of keys are equal now and then.
  for (int64_t n : {0, 1, 2, 3, 10, 2047, 2048, 2049, 60000, 400001}) {
    std::vector<uint64_t> keys(static_cast<size_t>(n));
    for (size_t i = 0; i < keys.size(); ++i) {
      keys[i] = philox::block(state.seed, state.offset + i / 2).pair(static_cast<int>(i % 2));
    }
    std::vector<int64_t> expected(keys.size());
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&](int64_t a, int64_t b) {
      return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)];
    });
    EXPECT_TRUE(draw_randperm(n, state) == expected) << n;
  }
}

// --- dropout

template <class T>
void expect_dropout(double p) {
  constexpr int64_t kN = 35001;
  const PhiloxState state{17, 1};
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const C factor = static_cast<C>(scale);
  std::vector<T> x(kN), y(kN), grad(kN);
  for (size_t i = 0; i < x.size(); ++i) x[i] = T(static_cast<C>(i % 301) - C(150.5));
  x[5] = x[6] = x[7] = x[8] = T(std::numeric_limits<C>::quiet_NaN());
  std::vector<uint8_t> mask(kN, 9);
  cpu::dropout(dtype_of<T>, kN, x.data(), y.data(), mask.data(), state, p, scale);
  EXPECT_EQ(mask, draw_mask(kN, state, p));
  int64_t kept = 0, wrong = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const T expected = mask[i] != 0 ? T(static_cast<C>(x[i]) * factor) : T(C(0));
    wrong += std::memcmp(&y[i], &expected, sizeof(T)) != 0;
    kept += mask[i];
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_NEAR(static_cast<double>(kept) / kN, 1 - p, 0.011);
  cpu::dropout_backward(dtype_of<T>, kN, x.data(), mask.data(), grad.data(), scale);
  EXPECT_EQ(std::memcmp(grad.data(), y.data(), kN * sizeof(T)), 0);
  cpu::dropout(dtype_of<T>, kN, x.data(), x.data(), mask.data(), state, p, scale);
  EXPECT_EQ(std::memcmp(x.data(), y.data(), kN * sizeof(T)), 0);
}

TEST(Dropout, AllTypes) {
  for (double p : {0.0, 0.1, 0.5, 1.0}) {
    expect_dropout<float>(p);
    expect_dropout<double>(p);
    expect_dropout<Half>(p);
    expect_dropout<BFloat16>(p);
  }
}

TEST(Dropout, ThresholdIsExact) {
  for (double p : {0.0, 0x1p-30, 0.1, 0.3, 0.5, 0x1p-24, 1 - 0x1p-24, 1 - 0x1p-53, 1.0}) {
    const uint32_t t = philox::dropout_threshold(p);
    EXPECT_GE(t * 0x1p-24, p);
    EXPECT_LT(t * 0x1p-24, p + 0x1p-24);
  }
}

TEST(Dropout, RefusesIntegers) {
  int32_t x[4] = {};
  uint8_t mask[4] = {};
  EXPECT_THROW(cpu::dropout(kInt32, 4, x, x, mask, {}, 0.5, 2), DTypeError);
  EXPECT_THROW(cpu::dropout_backward(kInt32, 4, x, mask, x, 2), DTypeError);
}

}  // namespace
}  // namespace wick
