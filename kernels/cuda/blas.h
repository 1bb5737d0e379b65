#pragma once

#include <wick/kernels/matmul.h>
#include <string>

// cuBLAS behind one function. See blas.cpp for how it is loaded.
namespace wick::cuda {

/// c = op(a) op(b), or c += with args.accumulate, for floating types; args.bias is ignored and
/// every size is > 0. Runs on the current stream. False if cuBLAS cannot be used here or cannot
/// express the arguments (rows that overlap); then nothing has been done. Throws DeviceError.
bool blas_matmul(const MatmulArgs& args);

/// Whether cuBLAS can be used; if not, `reason` says why in one line.
bool blas_available(std::string& reason);

}  // namespace wick::cuda
