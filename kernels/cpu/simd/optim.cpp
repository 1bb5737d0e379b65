#include <wick/kernels/cpu/simd/optim.h>
#include <wick/kernels/cpu/simd/vec.h>

namespace wick::cpu::WICK_ISA {
namespace {

/// The factors of a step, as the compute type has them.
template <class E>
struct Factors {
  explicit Factors(const SgdArgs& args)
      : sign(args.maximize ? E(-1) : E(1)),
        decay(static_cast<E>(args.weight_decay)),
        momentum(static_cast<E>(args.momentum)),
        damped(static_cast<E>(1 - args.dampening)),
        minus_lr(static_cast<E>(-args.lr)) {}
  E sign, decay, momentum, damped, minus_lr;
};

/// One vector of a step, rounded where PyTorch rounds: each `a + s b` is one fused operation.
template <bool kDecay, bool kMomentum, class V, class E>
WICK_SIMD void update(const SgdArgs& args, const Factors<E>& f, V& p, V g, V& b) {
  V d = g * V(f.sign);
  if constexpr (kDecay) d = fma(p, V(f.decay), d);
  if constexpr (kMomentum) {
    b = args.first ? d : fma(d, V(f.damped), b * V(f.momentum));
    d = args.nesterov ? fma(b, V(f.momentum), d) : b;
  }
  p = fma(d, V(f.minus_lr), p);
}

template <bool kDecay, bool kMomentum, class E>
WICK_SIMD void run(const SgdArgs& args, const SgdTensor& piece) {
  using V = Vec<E>;
  const Factors<E> f(args);
  E* const param = static_cast<E*>(piece.param);
  const E* const grad = static_cast<const E*>(piece.grad);
  E* const momentum = static_cast<E*>(piece.momentum);
  const bool keeps = kMomentum && !args.first;
  int64_t i = 0;
  for (; i + V::kSize <= piece.n; i += V::kSize) {
    V p = V::load(param + i), b(0);
    if (keeps) b = V::load(momentum + i);
    update<kDecay, kMomentum>(args, f, p, V::load(grad + i), b);
    if constexpr (kMomentum) b.store(momentum + i);
    p.store(param + i);
  }
  if (const int64_t rest = piece.n - i; rest > 0) {
    V p = V::load(param + i, rest), b(0);
    if (keeps) b = V::load(momentum + i, rest);
    update<kDecay, kMomentum>(args, f, p, V::load(grad + i, rest), b);
    if constexpr (kMomentum) b.store(momentum + i, rest);
    p.store(param + i, rest);
  }
}

template <class E>
WICK_SIMD void choose(const SgdArgs& args, const SgdTensor& piece) {
  const bool decay = args.weight_decay != 0, momentum = args.momentum != 0;
  if (decay) {
    momentum ? run<true, true, E>(args, piece) : run<true, false, E>(args, piece);
  } else {
    momentum ? run<false, true, E>(args, piece) : run<false, false, E>(args, piece);
  }
}

}  // namespace

void sgd_step(const SgdArgs& args, const SgdTensor& piece) {
  args.dtype == DType::Float64 ? choose<double>(args, piece) : choose<float>(args, piece);
}

}  // namespace wick::cpu::WICK_ISA
