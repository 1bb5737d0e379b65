#pragma once

#include <wick/core/device.h>
#include <wick/core/dtype.h>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace wick {

/// Where tensors are made that are given no device: the CPU unless changed. Read by the functions
/// that make tensors from sizes and numbers, not by those that read memory or files.
WICK_API Device get_default_device();
/// For the whole process (as `torch.set_default_device`). "cuda" means the device that is current
/// where the tensor is made. Throws DeviceError if there is no such device.
WICK_API void set_default_device(Device device);

enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast };
enum class Layout : uint8_t { Strided };
inline constexpr Layout kStrided = Layout::Strided;

/// What a new tensor is like; what is not set has its default (float32 unless changed by
/// set_default_dtype, the default device, no gradient).
/// `TensorOptions().dtype(kInt64).device("cuda")`.
class TensorOptions {
 public:
  TensorOptions() = default;
  TensorOptions(DType dtype) : dtype_(dtype) {}              // NOLINT: implicit, as in LibTorch
  TensorOptions(Device device) : device_(device) {}          // NOLINT
  TensorOptions(DeviceType type) : device_(Device(type)) {}  // NOLINT
  /// "cuda:1". A template, so that a literal 0 is no null pointer: arange(5, 1, 0) has three
  /// numbers.
  template <class T>
  requires(std::is_convertible_v<const T&, std::string_view>) TensorOptions(const T& device)
      : device_(Device(device)) {}  // NOLINT

  TensorOptions dtype(std::optional<DType> v) const {
    auto o = *this;
    o.dtype_ = v;
    return o;
  }
  TensorOptions device(std::optional<Device> v) const {
    auto o = *this;
    o.device_ = v;
    return o;
  }
  TensorOptions device(DeviceType type, int index = -1) const {
    return device(Device(type, index));
  }
  TensorOptions requires_grad(std::optional<bool> v) const {
    auto o = *this;
    o.requires_grad_ = v;
    return o;
  }
  TensorOptions layout(Layout) const { return *this; }

  DType dtype() const { return dtype_ ? *dtype_ : get_default_dtype(); }
  Device device() const { return device_ ? *device_ : get_default_device(); }
  bool requires_grad() const { return requires_grad_.value_or(false); }
  Layout layout() const { return kStrided; }
  bool has_dtype() const { return dtype_.has_value(); }
  bool has_device() const { return device_.has_value(); }
  bool has_requires_grad() const { return requires_grad_.has_value(); }
  std::optional<DType> dtype_opt() const { return dtype_; }
  std::optional<Device> device_opt() const { return device_; }

 private:
  std::optional<DType> dtype_;
  std::optional<Device> device_;
  std::optional<bool> requires_grad_;
};

inline TensorOptions dtype(DType v) { return TensorOptions(v); }
inline TensorOptions device(Device v) { return TensorOptions(v); }
inline TensorOptions device(DeviceType type, int index = -1) { return {Device(type, index)}; }
inline TensorOptions requires_grad(bool v = true) { return TensorOptions().requires_grad(v); }

}  // namespace wick
