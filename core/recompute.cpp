#include <wick/core/recompute.h>

#include <wick/core/ops.h>

namespace wick::autograd {
namespace {

/// The generator stands at `state` while one lives.
class RngScope {
 public:
  explicit RngScope(RngState state) : before_(get_rng_state()) { set_rng_state(state); }
  ~RngScope() { set_rng_state(before_); }
  RngScope(const RngScope&) = delete;
  RngScope& operator=(const RngScope&) = delete;

 private:
  RngState before_;
};

Grads run_again(Backward& ctx, const MultiFunction& f, const std::vector<SavedTensor>& saved,
                std::optional<RngState> rng) {
  WICK_CHECK(AutogradError, !ctx.partial(),
             "checkpoint: autograd::grad() and backward() with inputs cannot go through a "
             "checkpoint; call backward() without inputs");
  WICK_CHECK(NotImplementedError, !ctx.create_graph(),
             "checkpoint: a checkpoint has no second gradient; call the function without it");
  variable_list leaves;
  for (size_t i = 0; i < saved.size(); ++i) {
    const Tensor x = ctx.unpack(saved[i]);
    leaves.push_back(x.defined() ? x.detach() : Tensor());
    if (ctx.needs(i)) leaves.back().requires_grad_();
  }
  variable_list outputs, sources, grads;
  {
    const RngScope scope(rng.value_or(get_rng_state()));
    const AutoGradMode on(true);
    outputs = f(leaves);
  }
  WICK_CHECK(AutogradError, outputs.size() == ctx.grads().size(), "checkpoint: the function gave ",
             ctx.grads().size(), " results in forward and ", outputs.size(), " in backward");
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!ctx.grad(i).defined() || !outputs[i].requires_grad()) continue;
    sources.push_back(outputs[i]);
    grads.push_back(ctx.grad(i));
  }
  if (!sources.empty()) backward(sources, grads);
  Grads results;
  for (const Tensor& x : leaves) results.push_back(x.defined() ? x.grad() : Tensor());
  return results;
}

}  // namespace

variable_list checkpoint(const MultiFunction& f, const variable_list& inputs,
                         bool preserve_rng_state) {
  std::vector<const Tensor*> list;
  for (const Tensor& x : inputs) list.push_back(&x);
  if (!GradMode::is_enabled() || !detail::any_requires_grad({list.data(), list.size()}))
    return f(inputs);
  std::vector<SavedTensor> saved;
  for (const Tensor& x : inputs) saved.push_back(save(x));
  std::optional<RngState> rng;
  if (preserve_rng_state) rng = get_rng_state();
  variable_list outputs;
  {
    const NoGradGuard no_grad;
    outputs = f(inputs);
  }
  std::vector<Tensor*> results;
  for (Tensor& y : outputs) {
    // A result that is an argument, or known elsewhere, keeps the history that it has there.
    if (y.defined()) y = y.detach();
    results.push_back(&y);
  }
  record("checkpoint", {list.data(), list.size()}, {results.data(), results.size()},
         [f, saved, rng](Backward& ctx) -> Grads { return run_again(ctx, f, saved, rng); });
  return outputs;
}

Tensor checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& input,
                  bool preserve_rng_state) {
  const MultiFunction several = [f](const variable_list& x) { return variable_list{f(x[0])}; };
  return checkpoint(several, {input}, preserve_rng_state)[0];
}

}  // namespace wick::autograd
