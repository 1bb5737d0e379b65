#include <wick/optim/optimizer.h>

#include <wick/core/autograd.h>
#include <wick/core/ops.h>
#include <wick/nn/parameter.h>
#include <cmath>
#include <unordered_set>

namespace wick::optim {

OptimizerOptions::~OptimizerOptions() = default;

OptimizerOptions& OptimizerParamGroup::options() const {
  WICK_CHECK(ValueError, options_,
             "optimizer: the parameter group has no options yet; add it to an "
             "optimizer first");
  return *options_;
}

Optimizer::Optimizer(std::unique_ptr<OptimizerOptions> defaults) : defaults_(std::move(defaults)) {
  defaults_->check();
}

void Optimizer::add_groups(std::vector<OptimizerParamGroup> groups) {
  WICK_CHECK(ValueError, !groups.empty(), "optimizer got an empty parameter list");
  for (auto& group : groups) add_param_group(std::move(group));
}

Optimizer::~Optimizer() = default;

void Optimizer::add_param_group(OptimizerParamGroup group) {
  if (!group.has_options()) group.set_options(defaults_->clone());
  group.options().check();
  WICK_CHECK(ValueError, !group.params().empty(), "optimizer got an empty parameter list (group ",
             groups_.size(), ")");
  std::unordered_set<const TensorImpl*> seen;
  for (const Tensor& p : parameters()) seen.insert(p.unsafeGetTensorImpl());
  for (size_t i = 0; i < group.params().size(); ++i) {
    const Tensor& p = group.params()[i];
    WICK_CHECK(ValueError, p.defined(), "optimizer: parameter ", i, " of group ", groups_.size(),
               " is undefined");
    WICK_CHECK(AutogradError, p.is_leaf(), "can't optimize a non-leaf Tensor (parameter ", i,
               " of group ", groups_.size(), " was computed by '", p.grad_fn()->name(), "')");
    WICK_CHECK(ValueError, seen.insert(p.unsafeGetTensorImpl()).second,
               "some parameters appear in more than one parameter group (parameter ", i,
               " of group ", groups_.size(), ", shape ", p.sizes(), ")");
  }
  buffers_.emplace_back(group.params().size(), Buffers(buffer_names().size()));
  groups_.push_back(std::move(group));
}

std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> all;
  for (const auto& group : groups_)
    all.insert(all.end(), group.params().begin(), group.params().end());
  return all;
}

size_t Optimizer::size() const noexcept {
  size_t count = 0;
  for (const auto& group : groups_) count += group.params().size();
  return count;
}

void Optimizer::zero_grad(bool set_to_none) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (size_t i = 0; i < groups_[g].params().size(); ++i) {
      Tensor& grad = resolve(g, i).mutable_grad();
      if (!grad.defined()) continue;
      if (set_to_none) {
        grad = Tensor();
      } else {
        grad = grad.detach();
        grad.zero_();
      }
    }
  }
}

Tensor& Optimizer::resolve(size_t g, size_t i) {
  Tensor& held = groups_[g].params()[i];
  Tensor now = nn::detail::current(held);
  if (!now.is_same(held)) {
    WICK_CHECK(ShapeError, now.sizes() == held.sizes(), "optimizer: parameter ", i, " of group ", g,
               " was of shape ", held.sizes(), " and was replaced by one of shape ", now.sizes(),
               "; build the optimizer anew");
    held = now;
  }
  for (Tensor& buffer : buffers_[g][i]) {
    if (buffer.defined() && (buffer.device() != held.device() || buffer.dtype() != held.dtype()))
      buffer = buffer.to(held.device(), held.dtype());
  }
  return held;
}

OrderedDict<std::string, Tensor> Optimizer::state_dict() const {
  OrderedDict<std::string, Tensor> state("State");
  const TensorOptions cpu(kCPU);  // settings are the host's
  size_t index = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (const auto& [name, value] : groups_[g].options().numbers())
      state.insert(str("group.", g, ".", name), full({}, *value, cpu.dtype(kFloat64)));
    for (const auto& [name, value] : groups_[g].options().switches())
      state.insert(str("group.", g, ".", name), full({}, *value, cpu.dtype(kBool)));
    for (size_t i = 0; i < groups_[g].params().size(); ++i, ++index) {
      for (size_t b = 0; b < buffer_names().size(); ++b) {
        if (buffers_[g][i][b].defined())
          state.insert(str(index, ".", buffer_names()[b]), buffers_[g][i][b].detach());
      }
    }
  }
  return state;
}

void Optimizer::load_state_dict(const OrderedDict<std::string, Tensor>& state) {
  const NoGradGuard no_grad;
  std::string problems;
  size_t used = 0;
  std::vector<std::pair<double*, double>> numbers;
  std::vector<std::pair<bool*, bool>> switches;
  std::vector<std::pair<Tensor*, Tensor>> values;
  size_t index = 0;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const auto setting = [&](const std::string& name) -> const Tensor* {
      const std::string key = str("group.", g, ".", name);
      const Tensor* value = state.find(key);
      if (value && value->defined() && value->numel() == 1) {
        ++used;
        return value;
      }
      problems += "; missing: " + key;
      return nullptr;
    };
    for (const auto& [name, place] : groups_[g].options().numbers())
      if (const Tensor* value = setting(name)) numbers.emplace_back(place, value->item<double>());
    for (const auto& [name, place] : groups_[g].options().switches())
      if (const Tensor* value = setting(name)) switches.emplace_back(place, value->item<bool>());
    for (size_t i = 0; i < groups_[g].params().size(); ++i, ++index) {
      const Tensor& p = resolve(g, i);
      for (size_t b = 0; b < buffer_names().size(); ++b) {
        const std::string key = str(index, ".", buffer_names()[b]);
        const Tensor* value = state.find(key);
        Tensor copy;
        if (value && value->defined()) {
          ++used;
          if (value->sizes() == p.sizes()) {
            copy = value->to(p.device(), p.dtype(), false, /*copy=*/true);
          } else {
            problems +=
                str("; ", key, " is ", value->sizes(), " for a parameter of shape ", p.sizes());
          }
        }
        values.emplace_back(&buffers_[g][i][b], std::move(copy));
      }
    }
  }
  if (used != state.size() && problems.empty())
    problems += str("; ", state.size() - used, " entries belong to no parameter of this optimizer");
  WICK_CHECK(ValueError, problems.empty(), "optimizer load_state_dict: the state does not fit",
             problems, ". Nothing was loaded");
  for (auto& [place, number] : numbers) *place = number;
  for (auto& [place, on] : switches) *place = on;
  for (auto& [buffer, value] : values) *buffer = std::move(value);
}

}  // namespace wick::optim
