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

}  // namespace cuda

namespace detail {

/// The device with a definite index: 0 for the CPU, the calling thread's current device for "cuda".
/// Throws DeviceError, which begins with the name of the op, if there is no such device.
Device resolve_device(const char* op, Device device);

}  // namespace detail
}  // namespace wick
