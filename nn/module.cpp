#include <wick/nn/module.h>

#include <cxxabi.h>
#include <cstdlib>
#include <mutex>
#include <ostream>
#include <sstream>
#include <typeinfo>
#include <unordered_set>

namespace wick::nn {

Module::Module() = default;
Module::Module(std::string name) : name_(std::move(name)) {}
Module::~Module() = default;

const std::string& Module::name() const noexcept {
  static std::mutex mutex;  // several threads may ask a module for the first time
  const std::lock_guard lock(mutex);
  if (!name_) {
    int status = 0;
    char* text = abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, &status);
    name_ = status == 0 ? text : typeid(*this).name();
    std::free(text);
  }
  return *name_;
}

// --- walking

// Calls visitor(full name, module) for this module and all below it, each once.
template <class Visit>
void Module::visit(const std::string& prefix, const Visit& visitor) const {
  std::unordered_set<const Module*> seen{this};
  std::vector<std::pair<std::string, const Module*>> stack{{prefix, this}};
  while (!stack.empty()) {
    const auto [name, module] = std::move(stack.back());
    stack.pop_back();
    visitor(name, *module);
    const auto& children = module->children_.items();
    for (auto it = children.rbegin(); it != children.rend(); ++it) {
      if (!it->value()) continue;
      stack.emplace_back(name.empty() ? it->key() : name + "." + it->key(), it->value().get());
    }
    // What was seen under an earlier name is skipped; children are pushed last to first, so that
    // the earlier name wins.
    while (!stack.empty() && !seen.insert(stack.back().second).second) stack.pop_back();
  }
}

namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

// Adds a tensor once, under its first name.
struct UniqueTensors {
  OrderedDict<std::string, Tensor>& out;
  std::unordered_set<const TensorImpl*> seen = {};
  void add(const std::string& name, const Tensor& t) {
    if (t.defined() && seen.insert(t.unsafeGetTensorImpl()).second) out.insert(name, t);
  }
};

}  // namespace

OrderedDict<std::string, Tensor> Module::named_parameters(bool recurse) const {
  OrderedDict<std::string, Tensor> result("Parameter");
  UniqueTensors unique{result};
  const auto collect = [&](const std::string& prefix, const Module& m) {
    for (const auto& item : m.parameters_)
      unique.add(join(prefix, item.key()), item.value()->value());
  };
  if (recurse) {
    visit("", collect);
  } else {
    collect("", *this);
  }
  return result;
}

OrderedDict<std::string, Tensor> Module::named_buffers(bool recurse) const {
  OrderedDict<std::string, Tensor> result("Buffer");
  UniqueTensors unique{result};
  const auto collect = [&](const std::string& prefix, const Module& m) {
    for (const auto& item : m.buffers_) unique.add(join(prefix, item.key()), item.value()->value());
  };
  if (recurse) {
    visit("", collect);
  } else {
    collect("", *this);
  }
  return result;
}

std::vector<Tensor> Module::parameters(bool recurse) const {
  return named_parameters(recurse).values();
}

std::vector<Tensor> Module::buffers(bool recurse) const { return named_buffers(recurse).values(); }

OrderedDict<std::string, std::shared_ptr<Module>> Module::named_modules(const std::string& prefix,
                                                                        bool include_self) const {
  OrderedDict<std::string, std::shared_ptr<Module>> result("Module");
  if (include_self) {
    WICK_CHECK(
        ValueError, weak_from_this().lock(),
        "It looks like you attempted to retrieve your top-level module as a shared_ptr, but it is "
        "not stored in a shared_ptr. Use std::make_shared<",
        name(),
        "> instead of creating your module on the stack, or alternatively do not try to access "
        "your top-level module at all by passing /*include_self=*/false to modules() or "
        "named_modules()");
  }
  visit(prefix, [&](const std::string& name, const Module& m) {
    if (&m != this || include_self) result.insert(name, const_cast<Module&>(m).shared_from_this());
  });
  return result;
}

std::vector<std::shared_ptr<Module>> Module::modules(bool include_self) const {
  return named_modules("", include_self).values();
}

OrderedDict<std::string, std::shared_ptr<Module>> Module::named_children() const {
  return children_;
}

std::vector<std::shared_ptr<Module>> Module::children() const { return children_.values(); }

void Module::apply(const ModuleFunction& function) {
  visit("", [&](const std::string&, const Module& m) { function(const_cast<Module&>(m)); });
}

// --- mode

void Module::train(bool on) {
  training_ = on;
  for (auto& child : children_) child.value()->train(on);
}

void Module::zero_grad(bool set_to_none) {
  for (Tensor& p : parameters()) {
    Tensor& grad = p.mutable_grad();
    if (!grad.defined()) continue;
    if (set_to_none) {
      grad = Tensor();
    } else {
      grad = grad.detach();
      grad.zero_();
    }
  }
}

void Module::requires_grad_(bool requires_grad) {
  for (Tensor& p : parameters()) p.requires_grad_(requires_grad);
}

// --- place

template <class Change>
void Module::convert(const Change& change) {
  const NoGradGuard no_grad;
  // Everything is converted before anything is changed: a failure leaves the module as it was.
  std::vector<std::pair<Tensor, Tensor>> moved;
  const auto prepare = [&](const Tensor& t) {
    Tensor converted = change(t);
    if (!converted.is_same(t)) moved.emplace_back(t, std::move(converted));
  };
  for (const Tensor& p : parameters()) {
    prepare(p);
    if (p.grad().defined()) prepare(p.grad());
  }
  for (const Tensor& b : buffers()) prepare(b);
  for (auto& [tensor, converted] : moved) tensor.impl().assign_data(converted.impl());
}

void Module::to(Device device, DType dtype, bool non_blocking) {
  WICK_CHECK(DTypeError, is_floating_point(dtype),
             "Module::to: expected a floating-point dtype, got ", dtype);
  convert([&](const Tensor& t) {
    return t.is_floating_point() ? t.to(device, dtype, non_blocking) : t.to(device, non_blocking);
  });
}

void Module::to(DType dtype, bool) {
  WICK_CHECK(DTypeError, is_floating_point(dtype),
             "Module::to: expected a floating-point dtype, got ", dtype);
  convert([&](const Tensor& t) { return t.is_floating_point() ? t.to(dtype) : t; });
}

void Module::to(Device device, bool non_blocking) {
  convert([&](const Tensor& t) { return t.to(device, non_blocking); });
}

// --- state

// Every name, also further names of tied tensors: a state must load into an untied model too.
template <class Add>
void Module::each_state(const std::string& prefix, const Add& add) const {
  const auto add_defined = [&](const std::string& name, const Tensor& t) {
    if (t.defined()) add(join(prefix, name), t);
  };
  for (const auto& item : parameters_) add_defined(item.key(), item.value()->value());
  for (const auto& item : buffers_) add_defined(item.key(), item.value()->value());
  for (const auto& item : children_) item.value()->each_state(join(prefix, item.key()), add);
}

namespace {

std::string list_keys(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "'" : ", '") + key + "'";
  return text;
}

}  // namespace

StateDict Module::state_dict() const {
  StateDict state;
  each_state("", [&](const std::string& name, const Tensor& t) { state.insert(name, t.detach()); });
  return state;
}

Module::LoadResult Module::load_state_dict(const StateDict& state, bool strict) {
  LoadResult result;
  std::string problems;
  std::vector<std::pair<Tensor, Tensor>> copies;
  OrderedDict<std::string, Tensor> own;
  each_state("", [&](const std::string& name, const Tensor& t) { own.insert(name, t); });
  std::vector<std::string> shapes;
  for (const auto& item : own) {
    const Tensor* value = state.find(item.key());
    if (!value || !value->defined()) {
      result.missing_keys.push_back(item.key());
    } else if (!(value->sizes() == item.value().sizes())) {
      shapes.push_back(str("'", item.key(), "' is ", item.value().sizes(), " in the model and ",
                           value->sizes(), " in the state"));
    } else {
      copies.emplace_back(item.value(), *value);
    }
  }
  for (const auto& item : state)
    if (!own.contains(item.key())) result.unexpected_keys.push_back(item.key());
  if (strict && !result.missing_keys.empty())
    problems += "; missing keys: " + list_keys(result.missing_keys);
  if (strict && !result.unexpected_keys.empty())
    problems += "; unexpected keys: " + list_keys(result.unexpected_keys);
  if (!shapes.empty()) {
    problems += "; other shapes: ";
    for (size_t i = 0; i < shapes.size(); ++i) problems += (i ? ", " : "") + shapes[i];
  }
  WICK_CHECK(ValueError, problems.empty(), "load_state_dict: the state does not fit ", name(),
             problems, ". Nothing was loaded");
  const NoGradGuard no_grad;
  for (auto& [to, from] : copies) to.copy_(from);
  return result;
}

std::shared_ptr<Module> Module::clone(const std::optional<Device>&) const {
  WICK_FAIL(NotImplementedError, "clone() has not been implemented for ", name(),
            ". Subclass wick::nn::Cloneable<", name(),
            "> instead of wick::nn::Module to inherit "
            "the ability to clone.");
}

void Module::copy_state_from(const Module& other, const std::optional<Device>& device) {
  const auto copy = [&](Tensor& to, const Tensor& from) {
    if (!from.defined()) return;
    Tensor value = device ? from.detach().to(*device, false, true) : from.detach().clone();
    // Members are bound to the tensor made by reset(), so its identity stays.
    to.impl().assign_data(value.impl());
    if (from.is_floating_point()) to.requires_grad_(from.requires_grad());
  };
  WICK_CHECK(ValueError,
             parameters_.size() == other.parameters_.size() &&
                 buffers_.size() == other.buffers_.size() &&
                 children_.size() == other.children_.size(),
             "clone: the copy of ", name(),
             " does not have the same parameters, buffers and "
             "submodules as the original. Register all of them in reset(), not in the constructor");
  for (auto& item : parameters_) {
    copy(item.value()->value(), other.parameters_[item.key()]->value());
  }
  for (auto& item : buffers_) copy(item.value()->value(), other.buffers_[item.key()]->value());
  for (auto& item : children_) item.value()->copy_state_from(*other.children_[item.key()], device);
  training_ = other.training_;
}

// --- registration

namespace {
void check_name(const char* what, const std::string& name) {
  WICK_CHECK(ValueError, !name.empty(), what, " name must not be empty");
  WICK_CHECK(ValueError, name.find('.') == std::string::npos, what,
             " name must not contain a dot (got '", name, "')");
}
}  // namespace

BoundParameter& Module::register_parameter(std::string name, Tensor tensor, bool requires_grad) {
  check_name("Parameter", name);
  WICK_CHECK(ValueError, !buffers_.contains(name) && !children_.contains(name),
             "register_parameter: '", name, "' is already a buffer or submodule of ", this->name());
  if (tensor.defined()) {
    WICK_CHECK(AutogradError, tensor.is_leaf(), "register_parameter: '", name,
               "' was computed by '", tensor.grad_fn()->name(),
               "' and would never be trained; register detach() of it");
    tensor.requires_grad_(requires_grad);
  }
  return *parameters_.insert(std::move(name), std::make_shared<BoundParameter>(tensor));
}

BoundBuffer& Module::register_buffer(const std::string& name, const Tensor& tensor) {
  check_name("Buffer", name);
  WICK_CHECK(ValueError, !parameters_.contains(name) && !children_.contains(name),
             "register_buffer: '", name, "' is already a parameter or submodule of ", this->name());
  return *buffers_.insert(name, std::make_shared<BoundBuffer>(tensor));
}

void Module::check_child(const std::string& name, const Module* module) const {
  check_name("Submodule", name);
  WICK_CHECK(ValueError, module, "register_module: '", name, "' is a null module");
  bool cycle = false;
  module->visit("", [&](const std::string&, const Module& m) { cycle |= &m == this; });
  WICK_CHECK(ValueError, !cycle, "register_module: '", name, "' contains ", this->name(),
             " itself; modules must form a tree");
}

void Module::add_module(const std::string& name, std::shared_ptr<Module> module) {
  check_child(name, module.get());
  WICK_CHECK(ValueError, !parameters_.contains(name) && !buffers_.contains(name),
             "register_module: '", name, "' is already a parameter or buffer of ", this->name());
  children_.insert(name, std::move(module));
}

void Module::exchange_module(const std::string& name, std::shared_ptr<Module> module) {
  check_child(name, module.get());
  children_[name] = std::move(module);
}

void Module::unregister_module(const std::string& name) {
  WICK_CHECK(IndexError, children_.contains(name), "No Module with name '", name,
             "' is registered");
  children_.erase(name);
}

// --- printing

void Module::pretty_print(std::ostream& stream) const { stream << name(); }

class ModulePrinter {
 public:
  static void print(std::ostream& stream, const Module& module, const std::string& indentation) {
    module.pretty_print(stream);
    if (module.children_.is_empty()) return;
    stream << "(\n";
    const std::string inner = indentation + "  ";
    for (const auto& child : module.children_) {
      stream << inner << "(" << child.key() << "): ";
      print(stream, *child.value(), inner);
      stream << '\n';
    }
    stream << indentation << ")";
  }
};

std::ostream& operator<<(std::ostream& stream, const Module& module) {
  ModulePrinter::print(stream, module, "");
  return stream;
}

}  // namespace wick::nn
