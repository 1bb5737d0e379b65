#include <wick/kernels/cuda/fault.h>

#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/runtime.h>
#include <mutex>

namespace wick::cuda {
namespace {

struct Faults {
  std::mutex mutex;
  std::atomic<FaultRecord*> records[kMaxDevices] = {};  // made when a device first needs one
  std::atomic<int> made{0};
  volatile uint32_t* flags = nullptr;  // in mapped host memory; one for each device
};
Faults& faults() {
  static Faults* const instance = new Faults;  // leaked, as the memory is
  return *instance;
}

void clear(FaultRecord* record, int device) {
  clear_bytes(record, sizeof(FaultRecord));
  wait_for_device(device);  // also other streams' kernels are to find it clear
}

FaultRecord* make_record(int device) {
  Faults& f = faults();
  const std::lock_guard lock(f.mutex);
  if (FaultRecord* made = f.records[device].load(std::memory_order_relaxed)) return made;
  if (!f.flags) {
    void* const flags = raw_allocate_pinned(sizeof(uint32_t) * kMaxDevices);
    WICK_CHECK(OutOfMemoryError, flags, "cuda: out of pinned host memory");
    f.flags = new (flags) uint32_t[kMaxDevices]();
  }
  auto* record = static_cast<FaultRecord*>(raw_allocate(sizeof(FaultRecord)));
  WICK_CHECK(OutOfMemoryError, record, "out of memory on cuda:", device, ": requested ",
             sizeof(FaultRecord), " bytes; use smaller tensors or batches");
  try {
    clear(record, device);
  } catch (...) {
    raw_free(record);
    throw;
  }
  const volatile uint32_t* quiet = &Attention::kQuiet;
  attention[device].word.compare_exchange_strong(quiet, f.flags + device);
  f.made.fetch_add(1, std::memory_order_release);
  f.records[device].store(record, std::memory_order_release);
  return record;
}

Fault decode(const FaultRecord& r) {
  constexpr uint64_t kWide = 0xffffffffu;
  Fault fault{r.op, 0, 0, r.limit, r.ignored};
  const uint64_t first = ~r.first;
  if ((first & kWide) == kWide) {
    fault.position = static_cast<int64_t>(r.wide) - 1;
    fault.value = r.wide_value;
  } else {
    fault.position = static_cast<int64_t>(first >> 32);
    fault.value = static_cast<int64_t>(first & kWide) + INT32_MIN;
  }
  return fault;
}

}  // namespace

FaultSite fault_site(FaultOp op, int64_t limit, int64_t ignored) {
  static std::atomic<unsigned long long> tickets{0};
  const int device = current_device();
  FaultRecord* record = faults().records[device].load(std::memory_order_acquire);
  if (!record) record = make_record(device);
  const unsigned long long ticket = tickets.fetch_add(1, std::memory_order_relaxed) + 1;
  return {record, faults().flags + device, ticket, limit, ignored, op};
}

FaultGuard fault_guard() {
  const Faults& f = faults();
  const FaultRecord* own = f.records[current_device()].load(std::memory_order_acquire);
  const bool others = f.made.load(std::memory_order_acquire) > (own ? 1 : 0);
  return {own, others ? f.flags : nullptr};
}

void attend(int device) {
  check_usable(device);
  Faults& f = faults();
  const std::lock_guard lock(f.mutex);
  if (f.flags[device] == 0) return;  // told to another thread
  // Also other devices' optimizer kernels that are under way are to see the flag.
  for (int d = 0; d < kMaxDevices; ++d)
    if (d == device || is_device_used(d)) wait_for_device(d);
  const DeviceScope scope(device);
  FaultRecord* const record = f.records[device].load(std::memory_order_relaxed);
  FaultRecord found;
  read_bytes(&found, record, sizeof(found));
  clear(record, device);
  f.flags[device] = 0;
  throw_fault(decode(found));
}

}  // namespace wick::cuda
