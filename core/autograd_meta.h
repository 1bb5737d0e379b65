#pragma once

#include <wick/core/autograd.h>
#include <atomic>
#include <memory>

// What a tensor knows about gradients, allocated when first needed. Internal.
namespace wick::detail {

class AccumulateGrad;

struct AutogradMeta {
  Tensor grad;
  Edge grad_fn;  // node and output; no node: a leaf (or a view whose history is remade on demand)
  bool requires_grad = false;  // leaves only
  bool retains_grad = false;
  bool view_without_grad = false;  // made under NoGradGuard
  uint32_t view_version = 0;       // storage version at which grad_fn was right; views only
  Tensor base;                     // the tensor that this one is a view of
  std::atomic<AccumulateGrad*> accumulator{nullptr};  // owned; leaves only, on demand
  // Where the parameter is that took this one's place. A place and not a tensor: the tensors that
  // a much assigned parameter had in between are not kept.
  std::shared_ptr<const Tensor> replaced_by;

  ~AutogradMeta();
};

/// Adds gradients to the leaf that it belongs to. Lives as long as the leaf or any graph with it.
class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(TensorImpl& leaf);
  /// The leaf is going away: later gradients are dropped.
  void forget() noexcept;
  /// The leaf changed shape, type or device.
  void refresh_meta(const TensorImpl& leaf);

 private:
  Grads apply(Backward& context) override;

  std::atomic_flag lock_;  // guards leaf_ and its grad
  TensorImpl* leaf_;
};

/// Where the gradient of `impl` goes: its node, its accumulator, or nowhere.
Edge gradient_edge(TensorImpl& impl);
bool requires_grad(const TensorImpl& impl);
/// Adds g to `impl`'s grad (moved to its device and type if need be).
void accumulate(TensorImpl& impl, Tensor g, bool create_graph);
/// Makes `edge` the history of the tensor; what retain_grad() asked for moves along.
void set_history(TensorImpl& impl, Edge edge);
/// The node of the tensor no longer stores its gradient.
void forget_retained(TensorImpl& impl) noexcept;

}  // namespace wick::detail
