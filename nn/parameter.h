#pragma once

#include <wick/core/tensor.h>
#include <memory>

namespace wick::nn {

namespace detail {
/// What a module's registry holds under one name. Members that are bound to it follow assignment.
struct Slot {
  Tensor value;
  Tensor* bound = nullptr;  // the registry's own BoundParameter or BoundBuffer, while it lives
  void set(const Tensor& v) {
    value = v;
    if (bound) *bound = v;
  }
};
/// Puts `value` into the slot of a parameter; the old tensor remembers the slot, so that optimizers
/// which hold it find what took its place.
WICK_API void reseat_parameter(const std::shared_ptr<Slot>& slot, const Tensor& value);
/// The tensor that now stands where `parameter` stood: itself unless it was re-seated.
WICK_API Tensor current(const Tensor& parameter);
}  // namespace detail

class BoundParameter;
class BoundBuffer;

/// A trainable tensor of a module. A member that was initialised or assigned from
/// register_parameter() is bound: assigning another Parameter to it changes what the module's
/// parameters() and state_dict() return, and what optimizers update. It never writes into the old
/// tensor. A copy is a value, bound to nothing.
class WICK_API Parameter : public Tensor {
 public:
  Parameter() = default;
  /// Shares the elements of `data`. A leaf that requires a gradient already stays the same tensor.
  explicit Parameter(const Tensor& data, bool requires_grad = true);
  Parameter(BoundParameter& bound);  // NOLINT: implicit, `Parameter w = register_parameter(...)`
  Parameter(const Parameter& o) : Tensor(o) {}
  Parameter& operator=(BoundParameter& bound);
  Parameter& operator=(const Parameter& o);
  /// A plain tensor would silently replace the parameter by a constant: write Parameter(t), or, to
  /// change the values, use copy_() under NoGradGuard.
  Parameter& operator=(const Tensor&) = delete;
  ~Parameter() = default;

 protected:
  std::shared_ptr<detail::Slot> slot_;
};

/// A tensor of a module's state that is not trained. Bound members follow assignment as Parameter's
/// do: `avg = avg * 0.9 + x * 0.1` updates what buffers() and state_dict() return.
class WICK_API Buffer : public Tensor {
 public:
  Buffer() = default;
  Buffer(const Tensor& data) : Tensor(data) {}  // NOLINT
  Buffer(BoundBuffer& bound);                   // NOLINT
  Buffer(const Buffer& o) : Tensor(o) {}
  Buffer& operator=(BoundBuffer& bound);
  Buffer& operator=(const Tensor& value);
  Buffer& operator=(const Buffer& o) { return *this = static_cast<const Tensor&>(o); }
  ~Buffer() = default;

 protected:
  std::shared_ptr<detail::Slot> slot_;
};

/// What register_parameter() returns: owned by the registry.
class WICK_API BoundParameter : public Parameter {
 public:
  explicit BoundParameter(const Tensor& value);
  ~BoundParameter() { slot_->bound = nullptr; }
  BoundParameter(const BoundParameter&) = delete;
  BoundParameter& operator=(const BoundParameter&) = delete;
  using Parameter::operator=;
  /// The registered tensor as it is now.
  Tensor& value() const { return slot_->value; }

 private:
  friend class Parameter;
};

class WICK_API BoundBuffer : public Buffer {
 public:
  explicit BoundBuffer(const Tensor& value);
  ~BoundBuffer() { slot_->bound = nullptr; }
  BoundBuffer(const BoundBuffer&) = delete;
  BoundBuffer& operator=(const BoundBuffer&) = delete;
  using Buffer::operator=;
  Tensor& value() const { return slot_->value; }

 private:
  friend class Buffer;
};

}  // namespace wick::nn
