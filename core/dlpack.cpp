#include <wick/core/dlpack.h>

#include <wick/core/iterate.h>
#include <wick/core/ops.h>

namespace wick {
namespace {

DLDataType data_type(DType dtype) {
  const auto bits = static_cast<uint8_t>(8 * element_size(dtype));
  const uint8_t code = dtype == kBool             ? kDLBool
                       : dtype == kBFloat16       ? kDLBfloat
                       : is_floating_point(dtype) ? kDLFloat
                       : dtype == kUInt8          ? kDLUInt
                                                  : kDLInt;
  return {code, bits, 1};
}

DType dtype_from(DLDataType type) {
  for (int d = 0; d < kNumDTypes; ++d) {
    const DLDataType own = data_type(static_cast<DType>(d));
    if (own.code == type.code && own.bits == type.bits && type.lanes == 1)
      return static_cast<DType>(d);
  }
  WICK_FAIL(DTypeError, "from_dlpack: no element type has code ", type.code, ", ", type.bits,
            " bits and ", type.lanes, " lanes");
}

/// What an exported tensor needs: itself, and its sizes, which another may change.
struct Exported {
  Tensor tensor;
  detail::Dims sizes, strides;
  DLManagedTensor managed;
};

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& x) {
  auto* const out = new Exported{x.detach(), x.sizes(), x.strides(), {}};
  const DLDevice device =
      x.is_cuda() ? DLDevice{kDLCUDA, static_cast<int32_t>(x.get_device())} : DLDevice{kDLCPU, 0};
  out->managed.dl_tensor = {
      x.data_ptr(),   device, static_cast<int32_t>(x.dim()), data_type(x.dtype()), out->sizes.v,
      out->strides.v, 0};
  out->managed.manager_ctx = out;
  out->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<Exported*>(self->manager_ctx);
  };
  return &out->managed;
}

Tensor from_dlpack(DLManagedTensor* source) {
  WICK_CHECK(ValueError, source, "from_dlpack: got a null pointer");
  const DLTensor& t = source->dl_tensor;
  const DLDeviceType type = t.device.device_type;
  WICK_CHECK(DeviceError, type == kDLCPU || type == kDLCUDA || type == kDLCUDAHost,
             "from_dlpack: expected a device of type 1 (CPU), 2 (CUDA) or 3 (pinned), got ",
             static_cast<int>(type));
  WICK_CHECK(ShapeError, t.ndim >= 0 && t.ndim <= kMaxRank, "from_dlpack: expected 0 to ", kMaxRank,
             " dimensions, got ", t.ndim);
  WICK_CHECK(ValueError, t.ndim == 0 || t.shape, "from_dlpack: got a null pointer for the sizes");
  const Device device = type == kDLCUDA ? Device(kCUDA, t.device.device_id) : Device(kCPU, 0);
  const TensorOptions options = TensorOptions(dtype_from(t.dtype)).device(device);
  const auto ndim = static_cast<size_t>(t.ndim);
  const IntArrayRef sizes(t.shape, ndim);
  char* const data = static_cast<char*>(t.data) + (t.data ? t.byte_offset : 0);
  const auto release = [source](void*) {
    if (source->deleter) source->deleter(source);
  };
  if (!t.strides) return from_blob(data, sizes, release, options);
  return from_blob(data, sizes, IntArrayRef(t.strides, ndim), release, options);
}

}  // namespace wick
