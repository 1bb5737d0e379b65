#pragma once

#include <tests/simt/internal.h>

#include <cstdint>

// For tests that know that they run under the emulation.
namespace simt {

/// The n-th call (from 1) of this kind from now on fails, once, with an out-of-memory error
/// (allocations), an error of the launch, or an error status (libraries). 0: none.
void fail_call(Call call, int64_t n);
/// How many calls of this kind there were since fail_call.
int64_t calls(Call call);

/// Every call concerning this device fails with `error` from now on, as after a fault in a kernel.
void lose_device(int device, cudaError_t error);
/// Every call fails as it does while a process ends.
void unload_driver();
/// Ends lose_device and unload_driver.
void restore();

/// Every convolution is one that cuDNN's stand-in does not support, until this is called again.
/// It is asked about each new shape once, so this is for shapes that were not used before.
void refuse_convolutions(bool refuse);
struct CudnnStatistics {
  int64_t handles = 0;       // alive now
  int64_t descriptors = 0;   // alive now
  int64_t choices = 0;       // questions for algorithms
  int64_t convolutions = 0;  // given to a stream
  int64_t unrepeatable = 0;  // of these, by algorithms whose bits may differ from run to run
};
CudnnStatistics cudnn_statistics();

/// How much memory cudaMemGetInfo and cudaMalloc of a device will give in all (default: 8 GiB).
void limit_memory(int device, size_t bytes);

}  // namespace simt
