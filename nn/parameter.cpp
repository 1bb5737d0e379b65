#include <wick/nn/parameter.h>

#include <wick/core/autograd_meta.h>

namespace wick::nn {

namespace detail {

void reseat_parameter(const std::shared_ptr<Slot>& slot, const Tensor& value) {
  if (slot->value.is_same(value)) return;
  if (slot->value.defined()) {
    slot->value.impl().ensure_meta().replaced_by =
        value.defined() ? std::shared_ptr<const Tensor>(slot, &slot->value) : nullptr;
  }
  // A tensor that comes back is no longer replaced; this also keeps the links free of cycles.
  if (value.defined() && value.impl().meta()) value.impl().meta()->replaced_by.reset();
  slot->set(value);
}

Tensor current(const Tensor& parameter) {
  Tensor t = parameter;
  for (;;) {
    const auto* meta = t.impl_ptr() ? t.impl().meta() : nullptr;
    if (!meta || !meta->replaced_by || !meta->replaced_by->defined()) return t;
    t = Tensor(*meta->replaced_by);
  }
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
  if (slot_) detail::reseat_parameter(slot_, o);
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
  if (slot_) slot_->set(value);
  Tensor::operator=(value);
  return *this;
}

BoundParameter::BoundParameter(const Tensor& value) {
  Tensor::operator=(value);
  slot_ = std::make_shared<detail::Slot>(detail::Slot{value, this});
}

BoundBuffer::BoundBuffer(const Tensor& value) {
  Tensor::operator=(value);
  slot_ = std::make_shared<detail::Slot>(detail::Slot{value, this});
}

}  // namespace wick::nn
