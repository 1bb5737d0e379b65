#include <wick/core/function.h>

#include <wick/core/node_hooks.h>
#include <wick/core/ops.h>

namespace wick::autograd {

variable_list AutogradContext::get_saved_variables() const {
  WICK_CHECK(AutogradError, backward_,
             "get_saved_variables: the saved tensors are there in backward only");
  variable_list result;
  for (const SavedTensor& s : saved_) result.push_back(backward_->unpack(s));
  return result;
}

bool AutogradContext::needs_input_grad(size_t i) const {
  WICK_CHECK(AutogradError, backward_, "needs_input_grad: known in backward only");
  WICK_CHECK(IndexError, i < backward_->node().num_inputs(), "needs_input_grad: tensor argument ",
             i, " is out of range, the function has ", backward_->node().num_inputs());
  return backward_->needs(i);
}

bool AutogradContext::needs_input_grad(std::initializer_list<IndexRange> ranges) const {
  bool any = false;
  for (const auto& [first, last] : ranges)
    for (size_t i = first; i < last; ++i) any |= needs_input_grad(i);
  return any;
}

void FunctionNodeBase::connect(const IntrusivePtr<FunctionNodeBase>& node,
                               const std::vector<const Tensor*>& inputs, size_t arguments,
                               const std::vector<size_t>& positions, variable_list& outputs) {
  AutogradContext& ctx = node->context;
  node->arguments_ = arguments;
  node->positions_ = positions;
  const auto contains = [](const variable_list& list, const Tensor& t) {
    for (const Tensor& x : list)
      if (x.is_same(t)) return true;
    return false;
  };
  // Saved results are known by identity, before those that are arguments get an identity of their
  // own.
  std::vector<int> numbers;
  for (const Tensor& t : ctx.to_save_) {
    int number = -1;
    for (size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].is_same(t)) number = static_cast<int>(i);
    numbers.push_back(number);
  }
  for (const Tensor& x : ctx.dirty_) {
    check_inplace("custom function", x, true);
    WICK_CHECK(AutogradError, contains(outputs, x),
               "custom function: a tensor that forward marked dirty is not among its results");
    WICK_CHECK(AutogradError,
               !x.is_view() || (outputs.size() == 1 && !inputs.empty() && x.is_same(*inputs[0])),
               "custom function: a view that forward changes in place must be its first tensor "
               "argument and its only result; clone() it first");
  }
  std::vector<Tensor*> attached;
  std::vector<Tensor> skipped(outputs.size());  // keep the numbering of results
  for (size_t i = 0; i < outputs.size(); ++i) {
    for (const Tensor* input : inputs)  // returned as it came: it must not lose its own history
      if (outputs[i].is_same(*input) && !contains(ctx.dirty_, *input)) outputs[i] = input->detach();
    const bool none = !outputs[i].defined() || contains(ctx.non_differentiable_, outputs[i]);
    attached.push_back(none ? &skipped[i] : &outputs[i]);
  }
  if (outputs.size() == 1 && outputs[0].is_view() && contains(ctx.dirty_, outputs[0])) {
    detail::attach_inplace(NodePtr(node.get()), {inputs.data(), inputs.size()}, outputs[0]);
  } else {
    detail::attach(*node, {inputs.data(), inputs.size()}, {attached.data(), attached.size()});
    for (const Tensor& x : ctx.dirty_) detail::outdate_views({inputs.data(), inputs.size()}, x);
  }
  for (size_t i = 0; i < ctx.to_save_.size(); ++i)
    ctx.saved_.emplace_back(ctx.to_save_[i], numbers[i]);
  ctx.to_save_.clear();
  ctx.dirty_.clear();
  ctx.non_differentiable_.clear();
}

Grads FunctionNodeBase::apply(Backward& backward) {
  if (released_) throw_released();
  variable_list grads;
  for (size_t i = 0; i < backward.grads().size(); ++i) {
    Tensor g = backward.grad(i);
    const TensorMeta& meta = output_meta(i);
    if (!g.defined() && context.materialize_grads_)
      g = zeros(meta.shape(), TensorOptions(meta.dtype).device(meta.device));
    grads.push_back(std::move(g));
  }
  context.backward_ = &backward;
  struct Reset {
    AutogradContext& context;
    ~Reset() { context.backward_ = nullptr; }
  } const reset{context};
  const variable_list returned = call_backward(grads);
  WICK_CHECK(AutogradError, returned.size() == arguments_, "custom function: backward returned ",
             returned.size(), " gradients, expected one for each of the ", arguments_,
             " arguments of forward (an undefined tensor where there is none)");
  Grads result;
  for (const size_t position : positions_) result.push_back(returned[position]);
  return result;
}

void FunctionNodeBase::release_saved() noexcept {
  released_ = !context.saved_.empty();
  context.saved_.clear();
}

}  // namespace wick::autograd
