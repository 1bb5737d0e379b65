#pragma once

#include <wick/kernels/matmul.h>
#include <string>

// cuBLASLt behind one function. See blas.cpp for how it is loaded and what is asked of it.
namespace wick::cuda {

/// As wick::cuda::matmul, for sizes > 0, on the current stream. False if cuBLASLt cannot be used
/// here or cannot do all of it in one pass; then nothing has been done, and the answer stays the
/// same. Throws OutOfMemoryError or DeviceError.
bool blas_matmul(const MatmulArgs& args);

/// Whether cuBLASLt can be used; if not, `reason` says why in one line.
bool blas_available(std::string& reason);

/// Whether libraries may round float32 factors to TF32. Process-wide, false at first.
bool tf32_allowed();
void allow_tf32_in_libraries(bool allow);

}  // namespace wick::cuda
