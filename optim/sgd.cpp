#include <wick/optim/sgd.h>

#include <wick/core/autograd.h>
#include <wick/kernels/optim.h>
#include <algorithm>
#include <cmath>

namespace wick::optim {

std::unique_ptr<OptimizerOptions> SGDOptions::clone() const {
  return std::make_unique<SGDOptions>(*this);
}

std::vector<std::pair<std::string, double*>> SGDOptions::numbers() {
  return {{"lr", &lr_},
          {"momentum", &momentum_},
          {"dampening", &dampening_},
          {"weight_decay", &weight_decay_}};
}

std::vector<std::pair<std::string, bool*>> SGDOptions::switches() {
  return {{"nesterov", &nesterov_}};
}

void SGDOptions::check() const {
  const auto need = [](const char* name, double value) {
    WICK_CHECK(ValueError, value >= 0 && std::isfinite(value), "Invalid ", name, ": ", value,
               " (SGD: expected a finite number >= 0)");
  };
  need("learning rate", lr_);
  need("momentum value", momentum_);
  need("weight_decay value", weight_decay_);
  WICK_CHECK(ValueError, std::isfinite(dampening_), "Invalid dampening: ", dampening_);
  WICK_CHECK(ValueError, !nesterov_ || (momentum_ > 0 && dampening_ == 0),
             "Nesterov momentum requires a momentum and zero dampening");
}

bool SGDOptions::operator==(const SGDOptions& o) const {
  return lr_ == o.lr_ && momentum_ == o.momentum_ && dampening_ == o.dampening_ &&
         weight_decay_ == o.weight_decay_ && nesterov_ == o.nesterov_;
}

SGD::SGD(std::vector<OptimizerParamGroup> groups, const SGDOptions& defaults)
    : Optimizer(std::make_unique<SGDOptions>(defaults)) {
  add_groups(std::move(groups));
}

SGD::SGD(std::vector<Tensor> params, const SGDOptions& defaults)
    : SGD(std::vector<OptimizerParamGroup>{OptimizerParamGroup(std::move(params))}, defaults) {}

const std::vector<std::string>& SGD::buffer_names() const {
  static const auto* const names = new std::vector<std::string>{"momentum_buffer"};
  return *names;
}

Tensor SGD::step(const LossClosure& closure) {
  Tensor loss;
  if (closure) {
    const AutoGradMode with_grad(true);
    loss = closure();
  }
  const NoGradGuard no_grad;
  for (size_t g = 0; g < param_groups().size(); ++g) step_group(g);
  return loss;
}

namespace {

// What one kernel call can take together, and what is true once it was made.
struct Batch {
  DType dtype;
  Device device;
  bool first;
  std::vector<SgdTensor> tensors;
  struct Change {
    Tensor& param;
    Tensor dense, grad;  // dense copies, or the tensors themselves
    Tensor& buffer;
    Tensor momentum;
  };
  std::vector<Change> changes;
};

Batch& batch_for(std::vector<Batch>& batches, const Tensor& p, bool first) {
  for (Batch& b : batches)
    if (b.dtype == p.dtype() && b.device == p.device() && b.first == first) return b;
  batches.push_back({p.dtype(), p.device(), first, {}, {}});
  return batches.back();
}

}  // namespace

void SGD::step_group(size_t g) {
  const auto& options = static_cast<const SGDOptions&>(param_groups()[g].options());
  options.check();
  std::vector<Batch> batches;
  for (size_t i = 0; i < param_groups()[g].params().size(); ++i) {
    Tensor& p = resolve(g, i);
    if (!p.grad().defined()) continue;
    WICK_CHECK(ShapeError, p.grad().sizes() == p.sizes(), "SGD: parameter ", i, " of group ", g,
               " has shape ", p.sizes(), " and a gradient of shape ", p.grad().sizes());
    const Tensor grad = p.grad().to(p.device(), p.dtype()).contiguous();
    const Tensor dense = p.contiguous();
    Tensor& buffer = buffers(g, i)[0];
    const bool first = options.momentum() != 0 && !buffer.defined();
    const Tensor momentum = first              ? empty_like(dense)
                            : buffer.defined() ? buffer.contiguous()
                                               : Tensor();
    Batch& batch = batch_for(batches, p, first);
    batch.tensors.push_back({dense.data_ptr(), grad.data_ptr(),
                             options.momentum() != 0 ? momentum.data_ptr() : nullptr, p.numel()});
    batch.changes.push_back({p, dense, grad, buffer, momentum});
  }
  for (const Batch& batch : batches) {
    SgdArgs args;
    args.dtype = batch.dtype;
    args.lr = options.lr();
    args.momentum = options.momentum();
    args.dampening = options.dampening();
    args.weight_decay = options.weight_decay();
    args.nesterov = options.nesterov();
    args.first = batch.first;
    WICK_DISPATCH(batch.device, sgd, args, batch.tensors.data(),
                  static_cast<int64_t>(batch.tensors.size()));
    for (const Batch::Change& change : batch.changes) {
      change.buffer = change.momentum;
      bump_version(change.param);
      if (!change.dense.is_same(change.param)) change.param.copy_(change.dense);
    }
  }
}

}  // namespace wick::optim
