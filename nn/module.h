#pragma once

#include <wick/core/autograd.h>
#include <wick/core/ops.h>
#include <wick/core/ordered_dict.h>
#include <wick/nn/parameter.h>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wick::nn {

class Module;

/// The values of a model by name, as state_dict() gives them and load_state_dict() takes them.
using StateDict = OrderedDict<std::string, Tensor>;

/// Applies to `module` and to all modules below it, depth first, parents first.
using ModuleFunction = std::function<void(Module&)>;

/// Base of all layers and models. Parameters, buffers and submodules are registered by name;
/// registration is what makes parameters(), to(), train() and state_dict() find them. Modules live
/// in shared_ptrs, usually behind a holder made by WICK_MODULE.
class WICK_API Module : public std::enable_shared_from_this<Module> {
 public:
  Module();
  explicit Module(std::string name);
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;
  virtual ~Module();

  /// The name given, or the type's name.
  const std::string& name() const noexcept;

  // --- what is in it. Depth first, in order of registration; a tensor or module that is registered
  // in several places is listed once, under its first name.
  std::vector<Tensor> parameters(bool recurse = true) const;
  OrderedDict<std::string, Tensor> named_parameters(bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  OrderedDict<std::string, Tensor> named_buffers(bool recurse = true) const;
  /// Throws ValueError with include_self if this module is not owned by a shared_ptr.
  std::vector<std::shared_ptr<Module>> modules(bool include_self = true) const;
  OrderedDict<std::string, std::shared_ptr<Module>> named_modules(const std::string& prefix = "",
                                                                  bool include_self = true) const;
  std::vector<std::shared_ptr<Module>> children() const;
  OrderedDict<std::string, std::shared_ptr<Module>> named_children() const;
  void apply(const ModuleFunction& function);

  // --- mode
  virtual void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const noexcept { return training_; }
  /// Drops the gradients of all parameters, or zeroes them.
  virtual void zero_grad(bool set_to_none = true);
  void requires_grad_(bool requires_grad = true);

  // --- place. The tensors keep their identity, so optimizers that hold them go on. `dtype` is that
  // of floating-point parameters and buffers; integer ones keep theirs.
  virtual void to(Device device, DType dtype, bool non_blocking = false);
  virtual void to(DType dtype, bool non_blocking = false);
  virtual void to(Device device, bool non_blocking = false);
  void cuda() { to(Device(kCUDA)); }
  void cpu() { to(Device(kCPU)); }

  // --- state
  /// Every parameter and buffer under its full name ("0.weight"), detached, sharing elements; a
  /// module's parameters come before its buffers, its children after them.
  StateDict state_dict() const;
  struct LoadResult {
    std::vector<std::string> missing_keys;
    std::vector<std::string> unexpected_keys;
  };
  /// Copies the values in, converting type and device. Throws one ValueError that lists every
  /// missing, unexpected and mis-shaped key, and then changes nothing; with strict = false only
  /// shapes matter.
  LoadResult load_state_dict(const StateDict& state, bool strict = true);

  /// A deep copy with parameters and buffers of its own. Derive from Cloneable to have it.
  virtual std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const;
  /// The one-line description that operator<< prints for the module itself.
  virtual void pretty_print(std::ostream& stream) const;

  // --- registration. Names must be new, not empty and without dots (ValueError).
  BoundParameter& register_parameter(std::string name, Tensor tensor, bool requires_grad = true);
  BoundBuffer& register_buffer(const std::string& name, const Tensor& tensor);
  /// Throws ValueError for a null module and for one that contains this one.
  template <class M>
  std::shared_ptr<M> register_module(const std::string& name, std::shared_ptr<M> module) {
    add_module(name, module);
    return module;
  }
  /// The same for a holder, which is returned.
  template <class Holder>
  requires requires(const Holder& h) { h.ptr(); }
  Holder register_module(const std::string& name, Holder module) {
    add_module(name, module.ptr());
    return module;
  }
  template <class M>
  std::shared_ptr<M> replace_module(const std::string& name, std::shared_ptr<M> module) {
    exchange_module(name, module);
    return module;
  }
  template <class Holder>
  requires requires(const Holder& h) { h.ptr(); }
  Holder replace_module(const std::string& name, Holder module) {
    exchange_module(name, module.ptr());
    return module;
  }
  void unregister_module(const std::string& name);

  /// This module as an M (an Impl class or a holder's), or null.
  template <class M>
  auto* as() noexcept {
    if constexpr (requires { typename M::ContainedType; }) {
      return dynamic_cast<typename M::ContainedType*>(this);
    } else {
      return dynamic_cast<M*>(this);
    }
  }
  template <class M>
  const auto* as() const noexcept {
    return const_cast<Module*>(this)->as<M>();
  }

 protected:
  // Containers (Sequential, ...) print their children and are cloned with them.
  friend class ModulePrinter;
  template <class Derived, class Base>
  friend class Cloneable;

  OrderedDict<std::string, std::shared_ptr<BoundParameter>> parameters_{"Parameter"};
  OrderedDict<std::string, std::shared_ptr<BoundBuffer>> buffers_{"Buffer"};
  OrderedDict<std::string, std::shared_ptr<Module>> children_{"Submodule"};

 private:
  void add_module(const std::string& name, std::shared_ptr<Module> module);
  void exchange_module(const std::string& name, std::shared_ptr<Module> module);
  void check_child(const std::string& name, const Module* module) const;
  template <class Visit>
  void visit(const std::string& prefix, const Visit& visitor) const;
  template <class Change>
  void convert(const Change& change);
  template <class Add>
  void each_state(const std::string& prefix, const Add& add) const;
  void copy_state_from(const Module& other, const std::optional<Device>& device);

  bool training_ = true;
  mutable std::optional<std::string> name_;
};

/// "Net(\n  (fc): wick::nn::Linear(in_features=3, out_features=4, bias=true)\n)", as LibTorch
/// prints it.
WICK_API std::ostream& operator<<(std::ostream& stream, const Module& module);

/// A module that can be copied: derived classes build themselves in reset(), which clone() calls on
/// a copy before the values are copied in.
template <class Derived, class Base = Module>
class Cloneable : public Base {
 public:
  using Base::Base;
  /// Registers everything anew with fresh values.
  virtual void reset() = 0;
  std::shared_ptr<Module> clone(const std::optional<Device>& device = std::nullopt) const override {
    const NoGradGuard no_grad;
    const auto& self = static_cast<const Derived&>(*this);
    auto copy = std::make_shared<Derived>(self);
    Module& module = *copy;
    module.parameters_.clear();
    module.buffers_.clear();
    module.children_.clear();
    copy->reset();
    module.copy_state_from(*this, device);
    return copy;
  }
};

}  // namespace wick::nn
