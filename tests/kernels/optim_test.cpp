#include <gtest/gtest.h>
#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/simd/optim.h>
#include <wick/kernels/optim.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace wick {
namespace {

double param_at(int64_t i) { return 0.1 * static_cast<double>(i) - 0.7; }
double grad_at(int64_t i, int64_t step) {
  return static_cast<double>((i * 7 + step * 5) % 11 - 5) * 0.3;
}

template <class T>
using ComputeOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
struct State {
  explicit State(int64_t n) : param(n), grad(n), momentum(n) {
    for (int64_t i = 0; i < n; ++i) param[i] = T(static_cast<ComputeOf<T>>(param_at(i)));
    for (T& m : momentum) m = T(std::numeric_limits<ComputeOf<T>>::quiet_NaN());
  }
  void set_grad(int64_t step) {
    for (size_t i = 0; i < grad.size(); ++i) {
      grad[i] = T(static_cast<ComputeOf<T>>(grad_at(static_cast<int64_t>(i), step)));
    }
  }
  SgdTensor tensor(const SgdArgs& args) {
    return {param.data(), grad.data(), args.momentum != 0 ? momentum.data() : nullptr,
            static_cast<int64_t>(param.size())};
  }
  std::vector<T> param, grad, momentum;
};

template <class T>
State<T> train(SgdArgs args, int64_t n, int64_t steps) {
  State<T> state(n);
  args.dtype = dtype_of<T>;
  for (int64_t s = 0; s < steps; ++s) {
    state.set_grad(s);
    args.first = s == 0;
    const SgdTensor tensor = state.tensor(args);
    cpu::sgd(args, &tensor, 1);
  }
  return state;
}

/// One element, one step, in double.
void reference(const SgdArgs& args, double& p, double g, double& b) {
  double d = args.maximize ? -g : g;
  d += args.weight_decay * p;
  if (args.momentum != 0) {
    b = args.first ? d : args.momentum * b + (1 - args.dampening) * d;
    d = args.nesterov ? d + args.momentum * b : b;
  }
  p -= args.lr * d;
}

const SgdArgs kConfigs[] = {
    {.lr = 0.1},
    {.lr = 0.1, .weight_decay = 0.01},
    {.lr = 0.05, .momentum = 0.9},
    {.lr = 0.05, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1},
    {.lr = 0.03, .momentum = 0.8, .weight_decay = 0.02, .nesterov = true},
    {.lr = 0.03, .momentum = 0.8, .maximize = true},
    {.lr = 0},
};

// The first elements after four steps of torch.optim.SGD (1.13), which fuses in the same places.
TEST(Sgd, SameBitsAsPyTorch) {
  const struct {
    float param[8], momentum[8];
  } kExpected[] = {
      {{-0x1.570a3cp-1f, -0x1.ae147ep-2f, -0x1.fffffep-2f, -0x1.28f5c2p-1f, -0x1.51eb86p-2f,
        -0x1.47ae18p-4f, -0x1.47ae14p-3f, -0x1.eb852p-3f},
       {}},
      {{-0x1.55c30ep-1f, -0x1.aba82cp-2f, -0x1.fe0c1p-2f, -0x1.27e192p-1f, -0x1.50e876p-2f,
        -0x1.45836p-4f, -0x1.462fd2p-3f, -0x1.eaf7a4p-3f},
       {}},
      {{-0x1.239f56p-1f, -0x1.f9ed8p-2f, -0x1.da6612p-2f, -0x1.670d82p-1f, -0x1.c963dep-3f,
        -0x1.c34c24p-6f, -0x1.0fe9b8p-2f, -0x1.e0c49cp-3f},
       {-0x1.645ap-5f, -0x1.c3bcd4p+0f, 0x1.4e3bdp-4f, 0x1.549ba4p+0f, 0x1.01e4f8p-1f,
        -0x1.e6737ep-1f, 0x1.31f8ap-2f, 0x1.128f5cp+1f}},
      {{-0x1.04086ep-1f, -0x1.119ddp-1f, -0x1.b3e464p-2f, -0x1.57ae56p-1f, -0x1.011364p-2f,
        -0x1.b76878p-6f, -0x1.16eeccp-2f, -0x1.4f2f24p-3f},
       {-0x1.088c4cp-1f, -0x1.436c24p+0f, -0x1.938748p-3f, 0x1.209094p+0f, 0x1.6154ap-2f,
        -0x1.cc1788p-1f, 0x1.b3d6dap-2f, 0x1.7df0f2p+0f}},
      {{-0x1.46ca56p-1f, -0x1.f730c4p-2f, -0x1.ee3a16p-2f, -0x1.277f9ap-1f, -0x1.1b4e3p-2f,
        -0x1.6f75d2p-4f, -0x1.794526p-3f, -0x1.6757ccp-3f},
       {0x1.8375cp-4f, -0x1.c17f54p+0f, 0x1.ed2ec8p-4f, 0x1.d01368p-1f, 0x1.5b4e4cp-1f,
        -0x1.7da6d4p-1f, 0x1.4c6c2p-5f, 0x1.eab5ap+0f}},
      {{-0x1.858cd2p-1f, -0x1.53b6ccp-1f, -0x1.09246cp-1f, -0x1.f0457ap-3f, -0x1.5a597cp-2f,
        -0x1.2a94fep-2f, -0x1.06ee36p-6f, 0x1.096bbap-3f},
       {-0x1.0e56p-3f, 0x1.b8865ap+0f, -0x1.30be1p-3f, -0x1.df3b68p-1f, -0x1.631f8ap-1f,
        0x1.793ddap-1f, -0x1.9ce08p-5f, -0x1.eb852p+0f}},
  };
  for (size_t k = 0; k < std::size(kExpected); ++k) {
    const auto state = train<float>(kConfigs[k], 19, 4);
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(state.param[i], kExpected[k].param[i]) << k << " " << i;
      if (kConfigs[k].momentum != 0) {
        EXPECT_EQ(state.momentum[i], kExpected[k].momentum[i]) << k << " " << i;
      }
    }
  }
}

template <class T>
void expect_near_reference(double tolerance) {
  for (const SgdArgs& config : kConfigs) {
    for (int64_t n : {0, 1, 3, 16, 17, 40, 2500}) {
      const auto state = train<T>(config, n, 6);
      for (int64_t i = 0; i < n; ++i) {
        const size_t at = static_cast<size_t>(i);
        double p = param_at(i), b = 0;
        SgdArgs args = config;
        for (int64_t s = 0; s < 6; ++s) {
          args.first = s == 0;
          reference(args, p, grad_at(i, s), b);
        }
        ASSERT_NEAR(state.param[at], p, tolerance * (1 + std::abs(p))) << i << " of " << n;
        if (config.momentum != 0) {
          ASSERT_NEAR(state.momentum[at], b, tolerance * (1 + std::abs(b)));
        }
      }
    }
  }
}

TEST(Sgd, FloatFollowsTheFormulas) { expect_near_reference<float>(2e-6); }
TEST(Sgd, DoubleFollowsTheFormulas) { expect_near_reference<double>(4e-15); }
TEST(Sgd, HalfFollowsTheFormulas) { expect_near_reference<Half>(4e-3); }
TEST(Sgd, BFloat16FollowsTheFormulas) { expect_near_reference<BFloat16>(3e-2); }

TEST(Sgd, DecayOfZeroLeavesInfinityAlone) {
  float p = std::numeric_limits<float>::infinity(), g = 1;
  const SgdTensor tensor{&p, &g, nullptr, 1};
  cpu::sgd({.lr = 0.5}, &tensor, 1);
  EXPECT_EQ(p, std::numeric_limits<float>::infinity());
}

// Every tensor gets what it gets alone, wherever threads split the list.
template <class T>
void expect_list_is_as_single() {
  const int64_t kSizes[] = {0, 1, 7, 64, 1000, 0, 30000, 3, 12345, 2, 9};
  const SgdArgs args{.dtype = dtype_of<T>,
                     .lr = 0.1,
                     .momentum = 0.9,
                     .weight_decay = 0.01,
                     .nesterov = true,
                     .first = true};
  for (int threads : {1, 2, 3, 5}) {
    const int before = cpu::num_threads();
    cpu::set_num_threads(threads);
    std::vector<State<T>> states;
    std::vector<SgdTensor> tensors;
    for (int64_t n : kSizes) states.emplace_back(n).set_grad(0);
    for (State<T>& s : states) tensors.push_back(s.tensor(args));
    cpu::sgd(args, tensors.data(), static_cast<int64_t>(tensors.size()));
    cpu::set_num_threads(before);
    for (size_t k = 0; k < states.size(); ++k) {
      const auto single = train<T>(args, kSizes[k], 1);
      const size_t bytes = states[k].param.size() * sizeof(T);
      if (bytes == 0) continue;
      EXPECT_EQ(std::memcmp(states[k].param.data(), single.param.data(), bytes), 0) << k;
      EXPECT_EQ(std::memcmp(states[k].momentum.data(), single.momentum.data(), bytes), 0) << k;
    }
  }
}

TEST(Sgd, ManyTensorsAtOnce) {
  expect_list_is_as_single<float>();
  expect_list_is_as_single<double>();
  expect_list_is_as_single<BFloat16>();
}

TEST(Sgd, ThousandSmallTensors) {
  std::vector<float> p(1000 * 3, 1), g(p.size(), 0.5f);
  std::vector<SgdTensor> tensors;
  for (size_t i = 0; i < 1000; ++i) tensors.push_back({&p[3 * i], &g[3 * i], nullptr, 3});
  cpu::sgd({.lr = 0.5}, tensors.data(), 1000);
  for (float x : p) ASSERT_EQ(x, 0.75f);
}

TEST(Sgd, NothingToDo) {
  const SgdArgs plain{.lr = 1};
  const SgdArgs heavy{.lr = 1, .momentum = 0.9};
  const SgdTensor empty{};
  EXPECT_NO_THROW(cpu::sgd(plain, nullptr, 0));
  EXPECT_NO_THROW(cpu::sgd(heavy, &empty, 1));
}

TEST(Sgd, RefusesIntegers) { EXPECT_THROW(cpu::sgd({.dtype = kInt32}, nullptr, 0), DTypeError); }

#if defined(__x86_64__)
TEST(Sgd, InstructionSetsGiveTheSameBits) {
  const auto run = [](void (*step)(const SgdArgs&, const SgdTensor&)) {
    std::vector<float> all;
    for (SgdArgs args : kConfigs) {
      State<float> state(101);
      for (int64_t s = 0; s < 3; ++s) {
        state.set_grad(s);
        args.first = s == 0;
        step(args, state.tensor(args));
      }
      all.insert(all.end(), state.param.begin(), state.param.end());
    }
    return all;
  };
  const auto expected = run(cpu::base::sgd_step);
  if (cpu::isa() >= cpu::Isa::Avx2) {
    EXPECT_EQ(run(cpu::avx2::sgd_step), expected);
  }
  if (cpu::isa() >= cpu::Isa::Avx512) {
    EXPECT_EQ(run(cpu::avx512::sgd_step), expected);
  }
}
#endif

}  // namespace
}  // namespace wick
