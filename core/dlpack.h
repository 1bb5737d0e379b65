#pragma once

#include <wick/core/tensor.h>
#include <cstdint>

// Tensors that other libraries share without a copy. The structs are those of DLPack before
// version 1 (https://github.com/dmlc/dlpack), with its layout: a pointer to one may be cast.
namespace wick {

enum DLDeviceType : int32_t { kDLCPU = 1, kDLCUDA = 2, kDLCUDAHost = 3 };
enum DLDataTypeCode : uint8_t { kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4, kDLBool = 6 };

struct DLDevice {
  DLDeviceType device_type;
  int32_t device_id;
};

struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;  // elements of a vector type; 1
};

struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};

/// Whoever is given one calls `deleter` with it when done.
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};

/// The elements of x, which they outlive, without history.
WICK_API DLManagedTensor* to_dlpack(const Tensor& x);
/// A tensor over these elements, which is the owner from now on. On an error the caller still is.
/// Throws DTypeError, DeviceError or ValueError for what wick does not have.
WICK_API Tensor from_dlpack(DLManagedTensor* source);

}  // namespace wick
