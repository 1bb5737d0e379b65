#pragma once

#include <wick/core/device.h>
#include <string>

namespace wick {

namespace cuda {

/// Whether tensors can live on a GPU here: wick was built with CUDA, and a driver and a device are
/// there. Never throws.
WICK_API bool is_available();
/// 0 if CUDA is not available.
WICK_API int device_count();
/// One line that says why CUDA is not available; empty if it is.
WICK_API std::string unavailable_reason();

/// Lets matrix products and convolutions of float32 on GPUs of compute capability 8.0 and later
/// round their factors to TF32 (10 bits of fraction instead of 23), which is several times faster.
/// For the whole process; false at first, and always in a build without CUDA.
WICK_API void set_allow_tf32(bool allow);
WICK_API bool allow_tf32();

}  // namespace cuda

namespace detail {

/// The device with a definite index: 0 for the CPU, the calling thread's current device for "cuda".
/// Throws DeviceError, which begins with the name of the op, if there is no such device.
Device resolve_device(const char* op, Device device);

}  // namespace detail
}  // namespace wick
