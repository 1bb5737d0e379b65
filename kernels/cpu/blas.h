#pragma once

#include <wick/kernels/cpu/gemm.h>

// Matrix products from OpenBLAS, or wick's own where the build has none. Used for float64, and for
// float32 where oneDNN is missing.
namespace wick::cpu::blas {

void gemm(const Gemm<float>& g);
void gemm(const Gemm<double>& g);

}  // namespace wick::cpu::blas
