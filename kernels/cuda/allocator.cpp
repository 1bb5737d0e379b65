#include <unistd.h>
#include <wick/core/check.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/block_pool.h>
#include <wick/kernels/cuda/runtime.h>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace wick::cuda {
namespace {

void* mark_stream(int device, void* stream) noexcept {
  void* event = nullptr;
  try {
    const DeviceScope scope(device);
    event = create_event();
    record_event(event, stream);
    return event;
  } catch (const Error&) {
    destroy_event(event);
    return nullptr;
  }
}

class DeviceSource final : public MemorySource {
 public:
  explicit DeviceSource(int device) : device_(device) {}
  void* allocate(int64_t bytes) override {
    const DeviceScope scope(device_);
    return raw_allocate(bytes);
  }
  void release(void* memory) noexcept override { raw_free(memory); }
  int64_t free_bytes() noexcept override {
    try {
      return memory_info(device_).free;
    } catch (const Error&) {
      return 0;
    }
  }
  void* mark(void* stream) noexcept override { return mark_stream(device_, stream); }
  bool passed(void* mark) override { return event_done(mark); }
  void drop(void* mark) noexcept override { destroy_event(mark); }
  void synchronize() override { wait_for_device(device_); }

 private:
  int device_;
};

/// Page-locked host memory, which streams of all devices use: a pool's stream is here a key.
class PinnedSource final : public MemorySource {
 public:
  void* key(int device, void* stream) {
    const std::lock_guard lock(mutex_);
    return const_cast<Key*>(&*keys_.emplace(device, stream).first);
  }
  void* allocate(int64_t bytes) override { return raw_allocate_pinned(bytes); }
  void release(void* memory) noexcept override { raw_free_pinned(memory); }
  int64_t free_bytes() noexcept override {
    return static_cast<int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  }
  void* mark(void* key) noexcept override {
    const auto& [device, stream] = *static_cast<const Key*>(key);
    return mark_stream(device, stream);
  }
  bool passed(void* mark) override { return event_done(mark); }
  void drop(void* mark) noexcept override { destroy_event(mark); }
  void synchronize() override {
    const std::lock_guard lock(mutex_);
    for (const auto& [device, stream] : keys_) wait_for_device(device);
  }

 private:
  using Key = std::pair<int, void*>;
  std::mutex mutex_;
  std::set<Key> keys_;
};

/// Made when a device is first used; never destroyed, since tensors may outlive static objects.
constinit std::atomic<BlockPool*> pools[kMaxDevices] = {};

BlockPool& pool(int device) {
  BlockPool* p = pools[device].load(std::memory_order_acquire);
  if (p) return *p;
  auto* fresh = new BlockPool(std::make_unique<DeviceSource>(device), str("cuda:", device));
  if (pools[device].compare_exchange_strong(p, fresh)) return *fresh;
  delete fresh;
  return *p;
}

struct PinnedPool {
  PinnedSource* source = new PinnedSource;
  BlockPool blocks{std::unique_ptr<MemorySource>(source), "the host (pinned)"};
};
PinnedPool& pinned() {
  static PinnedPool* const instance = new PinnedPool;
  return *instance;
}

}  // namespace

void* allocate(int64_t bytes, int device, void** stream_out) {
  look(device);
  void* const stream = native_stream(device);
  if (stream_out) *stream_out = stream;
  return pool(device).allocate(bytes, stream);
}

void deallocate(void* memory, int device, void* /*stream*/) noexcept {
  if (memory && !is_forked()) pool(device).deallocate(memory);
}

void record_stream(void* memory, int device, void* stream) {
  if (memory) pool(device).record_stream(memory, stream);
}
bool is_device_used(int device) noexcept { return pools[device].load() != nullptr; }
void empty_cache(int device) {
  if (is_device_used(device)) pool(device).empty_cache();
}
MemoryStats memory_stats(int device) {
  return is_device_used(device) ? pool(device).stats() : MemoryStats();
}
void reset_memory_peaks(int device) {
  if (is_device_used(device)) pool(device).reset_peaks();
}

void* allocate_pinned(int64_t bytes) {
  look(current_device());
  return pinned().blocks.allocate(bytes, nullptr);
}
void record_pinned(void* memory, int device, void* stream) {
  PinnedPool& p = pinned();
  p.blocks.record_stream(memory, p.source->key(device, stream));
}
void free_pinned(void* memory) noexcept {
  if (memory && !is_forked()) pinned().blocks.deallocate(memory);
}
void empty_pinned_cache() { pinned().blocks.empty_cache(); }
MemoryStats pinned_memory_stats() { return pinned().blocks.stats(); }

Scratch::Scratch(int64_t bytes) : device_(current_device()) {
  memory_ = allocate(bytes, device_, nullptr);
}
Scratch::~Scratch() { deallocate(memory_, device_, nullptr); }

namespace {

struct Table {
  int device = 0;
  void* stream = nullptr;
  void* memory = nullptr;
  std::vector<char> content;
};
struct Tables {
  std::mutex mutex;
  std::array<Table, 8> all;
  size_t next = 0;  // to be replaced
};
Tables& tables() {
  static Tables* const instance = new Tables;
  return *instance;
}

/// Copies host memory to the current device without waiting.
void upload(void* dst, const void* src, int64_t bytes) {
  const int device = current_device();
  const std::unique_ptr<void, void (*)(void*)> staged(allocate_pinned(bytes), free_pinned);
  std::memcpy(staged.get(), src, static_cast<size_t>(bytes));
  record_pinned(staged.get(), device, native_stream(device));
  copy_bytes(dst, Device(kCUDA, device), staged.get(), kCPU, bytes, true);
}

}  // namespace

DeviceTable::DeviceTable(const void* content, int64_t bytes) : lock_(tables().mutex) {
  const int device = current_device();
  void* const stream = native_stream();
  const auto size = static_cast<size_t>(bytes);
  for (const Table& t : tables().all) {
    if (t.device == device && t.stream == stream && t.content.size() == size &&
        std::memcmp(t.content.data(), content, size) == 0) {
      memory_ = t.memory;
      return;
    }
  }
  Table& t = tables().all[tables().next++ % tables().all.size()];
  deallocate(std::exchange(t.memory, nullptr), t.device, t.stream);
  t.content.clear();
  void* const memory = allocate(bytes, device, nullptr);
  try {
    upload(memory, content, bytes);
  } catch (...) {
    deallocate(memory, device, stream);
    throw;
  }
  const char* const begin = static_cast<const char*>(content);
  t = {device, stream, memory, std::vector<char>(begin, begin + size)};
  memory_ = memory;
}

}  // namespace wick::cuda
