#pragma once

#include <wick/kernels/fault.h>
#include <cstdint>
#if defined(__CUDACC__) || defined(WICK_SIMT)
#include <wick/kernels/cuda/gpu.h>
#endif

// Bad values that kernels meet. A kernel reports the value, uses none of it, and goes on. The first
// launch that reports something owns its device's record; the same thread sets a flag in mapped
// host memory, which the host reads before every op and after every wait (look() in runtime.h). The
// host then waits for the device, clears both, and throws. Until that has happened optimizer
// kernels change nothing.
namespace wick::cuda {

/// In device memory, one for each device; all zero: no fault. Atomics only narrow down which value
/// is told, so that it is the first in the order of positions, whatever the order of the threads.
struct FaultRecord {
  unsigned long long ticket;  // of the launch; the rest is about it
  unsigned long long first;   // the largest ~(position << 32 | value + 2^31), see report_fault
  unsigned long long wide;    // 1 + position of one value that does not fit there
  int64_t wide_value;
  int64_t limit, ignored;
  FaultOp op;
};

/// What a launch reports with. For the current device.
struct FaultSite {
  FaultRecord* record;
  volatile uint32_t* flag;
  unsigned long long ticket;
  int64_t limit, ignored;
  FaultOp op;
};
FaultSite fault_site(FaultOp op, int64_t limit, int64_t ignored = 0);

/// What an optimizer kernel asks before it changes anything. A fault on one device stops the
/// optimizers of all.
struct FaultGuard {
  const FaultRecord* record;       // of the current device; null: no kernel has asked for one
  const volatile uint32_t* flags;  // of all devices; null: no other one has a record
};
FaultGuard fault_guard();

#if defined(__CUDACC__) || defined(WICK_SIMT)

__device__ inline void report_fault(const FaultSite& site, int64_t position, int64_t value) {
  constexpr unsigned long long kWide = 0xffffffffu;
  FaultRecord& r = *site.record;
  const unsigned long long owner = atomicCAS(&r.ticket, 0ull, site.ticket);
  if (owner != 0 && owner != site.ticket) return;
  if (owner == 0) {
    r.op = site.op;
    r.limit = site.limit;
    r.ignored = site.ignored;
    *site.flag = 1;
  }
  const bool fits =
      position < static_cast<int64_t>(kWide) && value >= INT32_MIN && value < INT32_MAX;
  if (!fits && atomicCAS(&r.wide, 0ull, position + 1ull) == 0) r.wide_value = value;
  const unsigned long long at = position < static_cast<int64_t>(kWide) ? position : kWide;
  atomicMax(&r.first, ~(at << 32 | (fits ? value - INT32_MIN : kWide)));
}

/// Whether value is in [0, limit); reports it if it is not.
__device__ inline bool check_value(const FaultSite& site, int64_t position, int64_t value) {
  const bool good = value >= 0 && value < site.limit;
  if (!good) report_fault(site, position, value);
  return good;
}

/// All threads of a block call it.
__device__ inline bool is_faulted(const FaultGuard& guard) {
  const unsigned i = threadIdx.x;
  const auto* const ticket = guard.record ? &guard.record->ticket : nullptr;
  bool mine = i == 0 && ticket && *static_cast<const volatile unsigned long long*>(ticket) != 0;
  if (guard.flags && i < kMaxDevices) mine = mine || guard.flags[i] != 0;
  return __syncthreads_or(mine) != 0;
}

#endif

}  // namespace wick::cuda
