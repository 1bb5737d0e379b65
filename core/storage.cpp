#include <wick/core/storage.h>

#include <wick/core/allocator.h>
#include <wick/core/check.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/dispatch.h>
#include <new>

namespace wick {
namespace {

// A small host storage sits right behind its header, in one block.
constexpr size_t kHeader = 64;
constexpr int64_t kInlineLimit = 1024 - kHeader;
static_assert(sizeof(StorageImpl) <= kHeader);

constexpr int kMaxDevices = 16;
std::atomic<int64_t> device_bytes[kMaxDevices];

size_t block_bytes(int64_t bytes, bool in_line) {
  return in_line ? kHeader + static_cast<size_t>(bytes) : kHeader;
}

}  // namespace

Storage StorageImpl::allocate(int64_t bytes, Device device) {
  const bool in_line = device.is_cpu() && bytes <= kInlineLimit;
  void* block = detail::allocate_small(block_bytes(bytes, in_line));
  auto* s = new (block) StorageImpl(device);
  Storage storage(s);  // from here on the block is freed if something throws
  if (in_line) {
    s->data_ = bytes > 0 ? static_cast<char*>(block) + kHeader : nullptr;
  } else if (device.is_cpu()) {
    s->data_ = detail::allocate_host(static_cast<size_t>(bytes));
  } else if constexpr (kBuiltWithCuda) {
    if (bytes > 0) s->data_ = cuda::allocate(bytes, device.index(), &s->stream_);
    device_bytes[device.index()].fetch_add(bytes, std::memory_order_relaxed);
  } else {
    WICK_FAIL(DeviceError, "storage: wick was built without CUDA, so there is no ", device);
  }
  s->bytes_ = bytes;
  s->owned_ = true;
  if (device.is_cpu()) detail::count(detail::Counter::HostBytes, bytes);
  return storage;
}

Storage StorageImpl::allocate_pinned(int64_t bytes) {
  auto* s = new (detail::allocate_small(kHeader)) StorageImpl(Device(kCPU, 0));
  Storage storage(s);
  if constexpr (kBuiltWithCuda) s->data_ = cuda::allocate_pinned(bytes);
  s->bytes_ = bytes;
  s->owned_ = s->pinned_ = true;
  detail::count(detail::Counter::HostBytes, bytes);
  return storage;
}

Storage StorageImpl::borrow(void* data, int64_t bytes, Device device,
                            std::function<void(void*)> deleter) {
  auto* s = new (detail::allocate_small(kHeader)) StorageImpl(device);
  Storage storage(s);
  if (deleter) s->deleter_ = new std::function<void(void*)>(std::move(deleter));
  s->data_ = data;
  s->bytes_ = bytes;
  return storage;
}

void StorageImpl::destroy(StorageImpl* s) noexcept {
  bool in_line = false;
  if (s->owned_) {
    if (s->pinned_) {
      if constexpr (kBuiltWithCuda) cuda::free_pinned(s->data_);
      detail::count(detail::Counter::HostBytes, -s->bytes_);
    } else if (s->device_.is_cpu()) {
      in_line = s->bytes_ <= kInlineLimit;
      if (!in_line) detail::release_host(s->data_, static_cast<size_t>(s->bytes_));
      detail::count(detail::Counter::HostBytes, -s->bytes_);
    } else if constexpr (kBuiltWithCuda) {
      if (s->data_) cuda::deallocate(s->data_, s->device_.index(), s->stream_);
      device_bytes[s->device_.index()].fetch_sub(s->bytes_, std::memory_order_relaxed);
    }
  } else if (s->deleter_) {
    (*s->deleter_)(s->data_);
    delete s->deleter_;
  }
  const size_t block = block_bytes(s->bytes_, in_line);
  s->~StorageImpl();
  detail::release_small(s, block);
}

int64_t live_tensors() { return detail::total(detail::Counter::Tensors); }
int64_t live_nodes() { return detail::total(detail::Counter::Nodes); }
int64_t live_bytes(Device device) {
  if (device.is_cpu()) return detail::total(detail::Counter::HostBytes);
  int64_t sum = 0;
  for (int i = 0; i < kMaxDevices; ++i) {
    if (!device.has_index() || device.index() == i)
      sum += device_bytes[i].load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace wick
