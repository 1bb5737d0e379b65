// Random numbers written in place.
#include <wick/core/autograd.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/core/random.h>
#include <wick/kernels/random.h>
#include <cmath>

namespace wick {
namespace {

// Draws into x (or into a dense stand-in that is then copied) and forgets its history.
template <class Draw>
void fill_random(const char* op, Tensor& x, const Draw& draw) {
  WICK_CHECK(DTypeError, x.is_floating_point(), op, ": expected a floating-point tensor, got ",
             x.dtype());
  check_inplace(op, x, false);
  Tensor dense = x.is_contiguous() ? x : detail::make_empty(x.sizes(), x.dtype(), x.device());
  draw(dense, detail::next_philox(philox_blocks(x.numel(), philox_per_block(x.dtype()))));
  const bool had_history = needs_grad(x);
  const Tensor before = had_history ? previous(x) : Tensor();
  if (!dense.is_same(x)) detail::copy_raw(x, dense);
  bump_version(x);
  if (had_history) {
    record_inplace(op, {before}, x,
                   [](Backward& ctx) -> Grads { return {zeros_like(ctx.grad())}; });
  }
}

}  // namespace

Tensor& Tensor::uniform_(double low, double high) {
  WICK_CHECK(ValueError, low <= high && std::isfinite(high - low),
             "uniform_: expected finite low <= high, got ", low, " and ", high);
  fill_random("uniform_", *this, [&](Tensor& t, PhiloxState state) {
    WICK_DISPATCH(t.device(), uniform, t.dtype(), t.numel(), t.data_ptr(), state, low, high);
  });
  return *this;
}

Tensor& Tensor::normal_(double mean, double std) {
  WICK_CHECK(ValueError, std >= 0 && std::isfinite(std) && std::isfinite(mean),
             "normal_: expected finite mean and std >= 0, got ", mean, " and ", std);
  fill_random("normal_", *this, [&](Tensor& t, PhiloxState state) {
    WICK_DISPATCH(t.device(), normal, t.dtype(), t.numel(), t.data_ptr(), state, mean, std);
  });
  return *this;
}

}  // namespace wick
