#include <wick/nn/sequential.h>

#include <ostream>

namespace wick::nn {

Tensor SequentialImpl::forward(const Tensor& x) {
  WICK_CHECK(ValueError, !is_empty(), "Cannot call forward() on an empty Sequential");
  Tensor y = x;
  for (size_t i = 0; i < calls_.size(); ++i) y = calls_[i](*modules_[i], y);
  return y;
}

void SequentialImpl::add(const std::string& name, std::shared_ptr<Module> module, Call call) {
  modules_.push_back(register_module(name, std::move(module)));
  calls_.push_back(call);
}

void SequentialImpl::extend(const SequentialImpl& other) {
  for (size_t i = 0; i < other.size(); ++i)
    add(std::to_string(size()), other.modules_[i], other.calls_[i]);
}

std::shared_ptr<Module> SequentialImpl::ptr(size_t index) const {
  WICK_CHECK(IndexError, index < size(), "Sequential: index ", index, " is out of range for ",
             size(), " modules");
  return modules_[index];
}

std::shared_ptr<Module> SequentialImpl::clone(const std::optional<Device>& device) const {
  auto copy = std::make_shared<SequentialImpl>();
  for (size_t i = 0; i < size(); ++i)
    copy->add(children_[i].key(), modules_[i]->clone(device), calls_[i]);
  copy->train(is_training());
  return copy;
}

void SequentialImpl::pretty_print(std::ostream& stream) const { stream << "wick::nn::Sequential"; }

}  // namespace wick::nn
