#include <wick/nn/parameter.h>

#include <wick/core/autograd_meta.h>

namespace wick::nn {

namespace detail {

void reseat_parameter(Slot& slot, const Tensor& value) {
  if (slot.value.is_same(value)) return;
  if (slot.value.defined()) slot.value.impl().ensure_meta().replaced_by = value.impl_ptr();
  // A tensor that comes back is no longer replaced; this also keeps the links free of cycles.
  if (value.defined() && value.impl().meta()) value.impl().meta()->replaced_by.reset();
  slot.value = value;
}

Tensor current(const Tensor& parameter) {
  Tensor t = parameter;
  while (t.defined() && t.impl().meta() && t.impl().meta()->replaced_by)
    t = Tensor(t.impl().meta()->replaced_by);
  return t;
}

}  // namespace detail

Parameter::Parameter(const Tensor& data, bool requires_grad)
    : Tensor(data.is_leaf() && data.requires_grad() == requires_grad ? data : data.detach()) {
  requires_grad_(requires_grad);
}

Parameter::Parameter(BoundParameter& bound) : Tensor(bound.value()), slot_(bound.slot_) {}

Parameter& Parameter::operator=(BoundParameter& bound) {
  Tensor::operator=(bound.value());
  slot_ = bound.slot_;
  return *this;
}

Parameter& Parameter::operator=(const Parameter& o) {
  if (slot_) detail::reseat_parameter(*slot_, o);
  Tensor::operator=(static_cast<const Tensor&>(o));
  return *this;
}

Buffer::Buffer(BoundBuffer& bound) : Tensor(bound.value()), slot_(bound.slot_) {}

Buffer& Buffer::operator=(BoundBuffer& bound) {
  Tensor::operator=(bound.value());
  slot_ = bound.slot_;
  return *this;
}

Buffer& Buffer::operator=(const Tensor& value) {
  Tensor::operator=(value);
  if (slot_) slot_->value = value;
  return *this;
}

BoundParameter::BoundParameter(const Tensor& value) {
  Tensor::operator=(value);
  slot_ = std::make_shared<detail::Slot>(detail::Slot{value});
}

BoundBuffer::BoundBuffer(const Tensor& value) {
  Tensor::operator=(value);
  slot_ = std::make_shared<detail::Slot>(detail::Slot{value});
}

}  // namespace wick::nn
