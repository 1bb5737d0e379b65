// Conversion between types and devices, copies.
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/iterate.h>
#include <wick/core/make.h>
#include <wick/core/ops.h>
#include <cstring>

namespace wick {
namespace {

using detail::Dims;

/// Uninitialised, in page-locked memory with the memory order of make_empty_like.
Tensor make_pinned_like(const Tensor& x, DType dtype) {
  const Tensor like = detail::make_empty_like(x, dtype, Device(kCPU, 0));
  return Tensor(TensorImpl::make(StorageImpl::allocate_pinned(like.nbytes()), 0, like.sizes(),
                                 like.strides(), dtype));
}

// x elsewhere or in another type. The gradient goes the way back.
Tensor convert(const Tensor& x, Device device, DType dtype, bool non_blocking, bool copy) {
  if (!copy && dtype == x.dtype() && device == x.device()) return x;
  const bool download = non_blocking && x.is_cuda() && device.is_cpu();
  Tensor y = download ? make_pinned_like(x, dtype) : detail::make_empty_like(x, dtype, device);
  detail::copy_raw(y, x, non_blocking);
  if (is_floating_point(dtype) && needs_grad(x)) {
    record("to", {x}, y, [device = x.device(), dtype = x.dtype()](Backward& ctx) -> Grads {
      return {ctx.grad().to(device, dtype)};
    });
  }
  return y;
}

Dims channels_last_strides(IntArrayRef sizes) {
  Dims strides(sizes);
  int64_t step = 1;
  for (const int d : {1, 3, 2, 0}) {
    strides[d] = step;
    step *= sizes[d] > 0 ? sizes[d] : 1;
  }
  return strides;
}

// A copy of x (gradients pass through) whose memory is ordered as the strides say.
Tensor rearranged(const char* name, const Tensor& x, Tensor y) {
  detail::copy_raw(y, x);
  if (needs_grad(x)) record(name, {x}, y, [](Backward& ctx) -> Grads { return {ctx.grad()}; });
  return y;
}

bool same_geometry(const TensorImpl& a, const TensorImpl& b) {
  return a.dtype() == b.dtype() && a.storage_offset() == b.storage_offset() &&
         a.sizes() == b.sizes() && a.strides() == b.strides();
}

}  // namespace

// --- to

Tensor Tensor::to(const TensorOptions& options, bool non_blocking, bool copy) const {
  WICK_CHECK(ValueError, !options.has_requires_grad(),
             "to: takes a type and a device; use requires_grad_() for requires_grad");
  const Device to_device =
      options.has_device() ? detail::resolve_device("to", options.device()) : device();
  return convert(*this, to_device, options.dtype_opt().value_or(dtype()), non_blocking, copy);
}

Tensor Tensor::to(DType dtype, bool non_blocking, bool copy) const {
  return convert(*this, device(), dtype, non_blocking, copy);
}

Tensor Tensor::to(Device device, bool non_blocking, bool copy) const {
  return convert(*this, detail::resolve_device("to", device), dtype(), non_blocking, copy);
}

Tensor Tensor::to(Device device, DType dtype, bool non_blocking, bool copy) const {
  return convert(*this, detail::resolve_device("to", device), dtype, non_blocking, copy);
}

Tensor Tensor::to(const Tensor& like, bool non_blocking, bool copy) const {
  return convert(*this, like.device(), like.dtype(), non_blocking, copy);
}

Tensor Tensor::pin_memory() const {
  WICK_CHECK(DeviceError, is_cpu(), "pin_memory: expected a tensor on the CPU, got one on ",
             device());
  (void)detail::resolve_device("pin_memory", kCUDA);
  return is_pinned() ? *this : rearranged("pin_memory", *this, make_pinned_like(*this, dtype()));
}

// --- copies

Tensor clone(const Tensor& x) {
  return rearranged("clone", x, detail::make_empty_like(x, x.dtype()));
}

Tensor Tensor::clone() const { return wick::clone(*this); }

bool Tensor::is_contiguous(MemoryFormat format) const {
  if (format == MemoryFormat::Contiguous) return impl().is_contiguous();
  if (format == MemoryFormat::Preserve || dim() != 4) return false;
  if (numel() == 0) return true;
  const Dims wanted = channels_last_strides(sizes());
  for (int d = 0; d < 4; ++d)
    if (impl().size(d) != 1 && impl().stride(d) != wanted[d]) return false;
  return true;
}

Tensor Tensor::contiguous(MemoryFormat format) const {
  WICK_CHECK(ValueError, format != MemoryFormat::Preserve,
             "contiguous: expected Contiguous or ChannelsLast; clone() preserves the format");
  WICK_CHECK(ShapeError, format == MemoryFormat::Contiguous || dim() == 4,
             "contiguous: ChannelsLast takes tensors of shape [N, C, H, W], got ", sizes());
  if (is_contiguous(format)) return *this;
  if (format == MemoryFormat::Contiguous)
    return rearranged("contiguous", *this, detail::make_empty(sizes(), dtype(), device()));
  const Dims strides = channels_last_strides(sizes());
  return rearranged("contiguous", *this,
                    Tensor(TensorImpl::make(StorageImpl::allocate(nbytes(), device()), 0, sizes(),
                                            strides, dtype())));
}

Tensor& Tensor::copy_(const Tensor& source, bool non_blocking) {
  if (is_same(source)) return *this;
  const Dims shape = detail::broadcast_shapes("copy_", sizes(), source.sizes());
  WICK_CHECK(ShapeError, IntArrayRef(shape) == sizes(), "copy_: cannot broadcast ", source.sizes(),
             " to ", sizes());
  const bool floating = wick::is_floating_point(dtype());
  check_inplace("copy_", *this, floating && needs_grad(source));
  const bool record = floating && needs_grad(*this, source);
  const Tensor before = record ? previous(*this) : Tensor();
  if (is_alias_of(source) && !same_geometry(impl(), source.impl())) {
    // The parts may overlap: read all before the first write.
    const Tensor read = detail::make_empty(source.sizes(), source.dtype(), source.device());
    detail::copy_raw(read, source);
    detail::copy_raw(*this, read);
  } else {
    detail::copy_raw(*this, source, non_blocking);
  }
  bump_version(*this);
  if (record) {
    record_inplace("copy_", {before, source}, *this,
                   [device = source.device(), dtype = source.dtype()](Backward& ctx) -> Grads {
                     const Tensor& g = ctx.grad();
                     return {ctx.needs(0) ? zeros_like(g) : Tensor(),
                             ctx.needs(1) ? g.to(device, dtype) : Tensor()};
                   });
  }
  return *this;
}

Tensor& Tensor::resize_(IntArrayRef sizes) {
  detail::check_rank("resize_", sizes.size());
  const int64_t wanted = detail::checked_numel("resize_", sizes);
  WICK_CHECK(AutogradError, !requires_grad(),
             "resize_: expected a tensor that requires no gradient; use reshape() or narrow()");
  WICK_CHECK(AutogradError, !is_view(), "resize_: the tensor is a view; resize its base");
  const int64_t offset = storage_offset();
  const int64_t held = storage()->nbytes() / element_size() - offset;
  if (wanted <= held) {
    set_data(Tensor(TensorImpl::make(storage(), offset, sizes, dtype())));
    return *this;
  }
  const Tensor larger = detail::make_empty(sizes, dtype(), device());
  const auto elements = [held](const Tensor& x, int64_t at) {
    return Tensor(TensorImpl::make(x.storage(), at, {held}, x.dtype()));
  };
  if (held > 0) detail::copy_raw(elements(larger, 0), elements(*this, offset));
  set_data(larger);
  return *this;
}

Tensor& Tensor::operator=(const Tensor& o) && { return copy_(o); }
Tensor& Tensor::operator=(Tensor&& o) && { return copy_(o); }
Tensor& Tensor::operator=(Scalar value) && { return fill_(value); }

// --- elements as C++ values

Scalar Tensor::item() const {
  WICK_CHECK(ValueError, numel() == 1, "item: expected a tensor with one element, got shape ",
             sizes());
  Tensor x = *this;
  if (is_cuda()) {
    x = detail::make_empty({}, dtype(), Device(kCPU, 0));
    detail::copy_raw(x, wick::reshape(detach(), {}));
  }
  return visit_dtype(dtype(), [&](auto zero) -> Scalar {
    using T = decltype(zero);
    const T value = *static_cast<const T*>(x.data_ptr());
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      return static_cast<float>(value);
    } else {
      return value;
    }
  });
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor x = detail::make_empty(sizes(), dtype_of<T>, Device(kCPU, 0));
  detail::copy_raw(x, *this);
  const T* data = static_cast<const T*>(x.data_ptr());
  return std::vector<T>(data, data + x.numel());
}

#define WICK_TO_VECTOR(T) template WICK_API std::vector<T> Tensor::to_vector<T>() const;
WICK_TO_VECTOR(bool)
WICK_TO_VECTOR(uint8_t)
WICK_TO_VECTOR(int8_t)
WICK_TO_VECTOR(int16_t)
WICK_TO_VECTOR(int32_t)
WICK_TO_VECTOR(int64_t)
WICK_TO_VECTOR(long long)
WICK_TO_VECTOR(Half)
WICK_TO_VECTOR(BFloat16)
WICK_TO_VECTOR(float)
WICK_TO_VECTOR(double)
#undef WICK_TO_VECTOR

}  // namespace wick
