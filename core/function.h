#pragma once

#include <wick/core/autograd.h>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

// Ops with a backward of the user's own, as in LibTorch:
//
//   struct Cube : wick::autograd::Function<Cube> {
//     static Tensor forward(AutogradContext* ctx, const Tensor& x) {
//       ctx->save_for_backward({x});
//       return x * x * x;
//     }
//     static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
//       return {grads[0] * 3 * ctx->get_saved_variables()[0].pow(2)};
//     }
//   };
//   Tensor y = Cube::apply(x);
namespace wick::autograd {

/// A value of any of the types that saved_data holds.
using IValue = std::variant<std::monostate, bool, int64_t, double, std::string, Tensor>;

using IndexRange = std::pair<size_t, size_t>;

/// What forward leaves for backward.
class WICK_API AutogradContext {
 public:
  AutogradContext() = default;
  AutogradContext(const AutogradContext&) = delete;
  AutogradContext& operator=(const AutogradContext&) = delete;

  /// Tensors for backward: arguments or results of forward. They are checked against in-place
  /// changes and freed after backward; do not keep such tensors elsewhere.
  void save_for_backward(variable_list tensors) { to_save_ = std::move(tensors); }
  /// In the order in which they were saved. Throws AutogradError if freed or changed in place.
  variable_list get_saved_variables() const;
  /// Other values, by name.
  std::map<std::string, IValue> saved_data;
  /// These arguments were changed in place by forward and are among its results. A view must be the
  /// first tensor argument and the only result.
  void mark_dirty(const variable_list& inputs) { dirty_ = inputs; }
  /// These results need no gradient. Call in forward.
  void mark_non_differentiable(const variable_list& outputs) { non_differentiable_ = outputs; }
  /// Whether backward sees zeros (default) or undefined tensors for results without a gradient.
  void set_materialize_grads(bool on) { materialize_grads_ = on; }
  /// In backward: whether the gradient of the i-th tensor argument is wanted.
  bool needs_input_grad(size_t i) const;
  /// Whether that of any in these ranges [first, last) is.
  bool needs_input_grad(std::initializer_list<IndexRange> ranges) const;

 private:
  friend class FunctionNodeBase;
  variable_list to_save_;
  variable_list dirty_;
  variable_list non_differentiable_;
  std::vector<SavedTensor> saved_;
  bool materialize_grads_ = true;
  Backward* backward_ = nullptr;  // during backward
};

/// The part of a custom function's node that does not depend on its type. Internal.
class WICK_API FunctionNodeBase : public Node {
 public:
  AutogradContext context;
  /// Records that `outputs` came from `inputs`.
  static void connect(const IntrusivePtr<FunctionNodeBase>& node,
                      const std::vector<const Tensor*>& inputs, size_t arguments,
                      const std::vector<size_t>& positions, variable_list& outputs);

 protected:
  FunctionNodeBase(const char* name, size_t bytes) : Node(name, bytes, 1) {}
  virtual variable_list call_backward(const variable_list& grads) = 0;

 private:
  Grads apply(Backward& backward) override;
  void release_saved() noexcept override;
  size_t arguments_ = 0;           // of forward, tensors and others
  std::vector<size_t> positions_;  // of the tensors among them
  bool released_ = false;
};

/// Base of custom functions: derive as `struct F : Function<F>` with static
/// forward(AutogradContext*, args...) returning a Tensor or variable_list, and static
/// backward(AutogradContext*, variable_list) returning one gradient for each argument of forward
/// (an undefined tensor for none, and for arguments that are not tensors).
template <class F>
class Function {
 public:
  template <class... Args>
  static auto apply(Args&&... args) {
    variable_list kept;  // forward may move its arguments away
    std::vector<size_t> positions;
    size_t index = 0;
    (collect(args, kept, positions, index), ...);
    std::vector<const Tensor*> inputs;
    for (const Tensor& t : kept) inputs.push_back(&t);
    IntrusivePtr<FunctionNodeBase> node(new (detail::allocate_small(sizeof(FunctionNode)))
                                            FunctionNode());
    const bool record =
        GradMode::is_enabled() && detail::any_requires_grad({inputs.data(), inputs.size()});
    using Result = decltype(F::forward(&node->context, args...));
    Result result = [&] {
      const NoGradGuard no_grad;
      return F::forward(&node->context, std::forward<Args>(args)...);
    }();
    if (!record) return result;
    if constexpr (std::is_same_v<Result, Tensor>) {
      variable_list outputs{std::move(result)};
      FunctionNodeBase::connect(node, inputs, sizeof...(Args), positions, outputs);
      return Result(std::move(outputs[0]));
    } else {
      FunctionNodeBase::connect(node, inputs, sizeof...(Args), positions, result);
      return result;
    }
  }

 private:
  class FunctionNode final : public FunctionNodeBase {
   public:
    FunctionNode() : FunctionNodeBase("custom function", sizeof(FunctionNode)) {}

   private:
    variable_list call_backward(const variable_list& grads) override {
      return F::backward(&context, grads);
    }
  };
  template <class T>
  static void collect(const T& value, variable_list& kept, std::vector<size_t>& positions,
                      size_t& index) {
    if constexpr (std::is_base_of_v<Tensor, T>) {
      kept.push_back(value);
      positions.push_back(index);
    }
    ++index;
  }
};

}  // namespace wick::autograd
