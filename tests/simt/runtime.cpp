#include <tests/simt/stream.h>

#include <cstdlib>
#include <cstring>
#include <set>

// Memory: allocation, copies, page-locked host memory.
using namespace simt;

namespace {

/// Live memory of cudaMallocAsync, which cudaFree does not wait for.
std::set<const void*>& stream_ordered() {
  static auto* const set = new std::set<const void*>;
  return *set;
}

bool is_live(const void* p, size_t bytes) {
  const Allocation a = find_allocation(p);
  if (!a.live) return false;
  const auto offset = static_cast<size_t>(static_cast<const char*>(p) - a.base);
  return offset < a.size && bytes <= a.size - offset;
}

cudaError_t allocate_memory(void** out, size_t bytes) {
  if (!out) return cudaErrorInvalidValue;
  if (const cudaError_t error = refuse_unsafe_call()) return error;
  if (should_fail(Call::Allocation)) return cudaErrorMemoryAllocation;
  *out = nullptr;
  if (bytes == 0) return cudaSuccess;
  void* p = allocate(bytes, current_device());
  if (!p) return cudaErrorMemoryAllocation;
  *out = p;
  return cudaSuccess;
}

cudaError_t free_memory(void* p, int device) {
  if (!p) return cudaSuccess;
  if (const cudaError_t error = permanent_error(device)) return error;
  if (const cudaError_t error = refuse_unsafe_call()) return error;
  const Allocation a = find_allocation(p);
  if (!a.live || a.base != p) return cudaErrorInvalidValue;
  if (stream_ordered().erase(p) == 0) drain_device(device);
  release(p);
  return cudaSuccess;
}

enum class Side : uint8_t { Device, Pinned, Pageable };

struct Copy {
  void* dst;
  const void* src;
  size_t bytes;
  Side to, from;
};

Side side_of(const void* p, size_t bytes) {
  if (device_of(p) >= 0) return Side::Device;
  return is_pinned(p, bytes) ? Side::Pinned : Side::Pageable;
}

void require_live(const void* p, size_t bytes, Side side, const char* what) {
  if (side == Side::Device) require_memory(p, bytes, device_of(p), what);
  if (side == Side::Pinned && !is_pinned(p, bytes)) {
    throw Error(std::string(what) +
                ": page-locked host memory was freed before the copy with it had been waited for");
  }
}

void run_copy(const Copy& c, const void* src) {
  require_live(c.dst, c.bytes, c.to, "simt: destination of a copy");
  require_live(c.src, c.bytes, c.from, "simt: source of a copy");
  const DeviceAccess access;
  std::memmove(c.dst, src, c.bytes);
  if (c.to != Side::Device) return;
  if (c.from == Side::Device) {
    checker::copied(c.dst, c.src, c.bytes);
  } else {
    checker::written(c.dst, c.bytes);
  }
}

bool kind_fits(const Copy& c, cudaMemcpyKind kind) {
  const bool to = c.to == Side::Device;
  const bool from = c.from == Side::Device;
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !to && !from;
    case cudaMemcpyHostToDevice:
      return to && !from;
    case cudaMemcpyDeviceToHost:
      return !to && from;
    case cudaMemcpyDeviceToDevice:
      return to && from;
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

cudaError_t check_copy(const Copy& c, cudaMemcpyKind kind) {
  if (!c.dst || !c.src || !kind_fits(c, kind)) return cudaErrorInvalidValue;
  for (const auto& [p, side] :
       {std::pair{static_cast<const void*>(c.dst), c.to}, {c.src, c.from}}) {
    if (side != Side::Device) continue;
    if (!is_live(p, c.bytes)) return cudaErrorInvalidValue;
    if (const cudaError_t error = permanent_error(device_of(p))) return error;
  }
  const char* dst = static_cast<const char*>(c.dst);
  const char* src = static_cast<const char*>(c.src);
  if (c.to == Side::Device && dst != src && dst < src + c.bytes && src < dst + c.bytes)
    throw Error("simt: source and destination of a copy overlap");
  return cudaSuccess;
}

cudaError_t copy(const Copy& c, cudaMemcpyKind kind, const StreamRef& stream) {
  if (c.bytes == 0) return cudaSuccess;
  if (const cudaError_t error = check_copy(c, kind)) return error;
  // A graph would use the host memory long after the call: nothing holds it in place, or waits.
  if (stream->capture && (c.to == Side::Pageable || c.from == Side::Pageable))
    return refuse_captured(*stream);
  std::function<void()> work = [c] { run_copy(c, c.src); };
  if (c.from == Side::Pageable && c.to == Side::Device) {
    const auto* begin = static_cast<const char*>(c.src);
    const auto staged = std::make_shared<std::vector<char>>(begin, begin + c.bytes);
    work = [c, staged] { run_copy(c, staged->data()); };
  }
  const cudaError_t error = push(stream, std::move(work));
  if (error != cudaSuccess || stream->capture) return error;
  if (c.to == Side::Pageable || (c.to != Side::Device && c.from != Side::Device))
    drain(stream, stream->issued);
  return cudaSuccess;
}

Copy make_copy(void* dst, const void* src, size_t bytes) {
  return {dst, src, bytes, side_of(dst, bytes), side_of(src, bytes)};
}

cudaError_t set_bytes(void* dst, int value, size_t bytes, const StreamRef& stream) {
  if (bytes == 0) return cudaSuccess;
  const Side side = side_of(dst, bytes);
  if (side == Side::Pageable || (side == Side::Device && !is_live(dst, bytes)))
    return cudaErrorInvalidValue;
  if (const cudaError_t error = permanent_error(device_of(dst))) return error;
  return push(stream, [=] {
    require_live(dst, bytes, side, "simt: destination of a memset");
    const DeviceAccess access;
    std::memset(dst, value, bytes);
    if (side == Side::Device) checker::written(dst, bytes);
  });
}

/// What is complete when a call that is not asynchronous returns: all but what stays on devices.
cudaError_t wait_for_host(cudaError_t error, const StreamRef& stream, bool on_device) {
  if (error == cudaSuccess && !on_device && !stream->capture) drain(stream, stream->issued);
  return error;
}

bool is_device(int device) { return device >= 0 && device < device_count(); }

cudaError_t copy_peer(void* dst, int dst_device, const void* src, int src_device, size_t bytes,
                      const StreamRef& stream) {
  if (!is_device(dst_device) || !is_device(src_device)) return cudaErrorInvalidDevice;
  if (bytes > 0 && (device_of(dst) != dst_device || device_of(src) != src_device))
    return cudaErrorInvalidValue;
  return copy(make_copy(dst, src, bytes), cudaMemcpyDeviceToDevice, stream);
}

cudaError_t allocate_pinned(void** out, size_t bytes, unsigned flags) {
  constexpr size_t kPage = 4096;
  constexpr unsigned kFlags =
      cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
  if (!out || (flags & ~kFlags)) return cudaErrorInvalidValue;
  if (const cudaError_t error = refuse_unsafe_call()) return error;
  if (should_fail(Call::Allocation)) return cudaErrorMemoryAllocation;
  *out = nullptr;
  if (bytes == 0) return cudaSuccess;
  void* p = nullptr;
  if (posix_memalign(&p, kPage, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(p, 0xff, bytes);
  add_pinned(p, {.size = bytes,
                 .base = static_cast<char*>(p),
                 .registered = false,
                 .device = current_device(),
                 .flags = flags});
  *out = p;
  return cudaSuccess;
}

cudaError_t free_pinned(void* p, bool registered, cudaError_t unknown) {
  if (const cudaError_t error = refuse_unsafe_call()) return error;
  const Pinned block = find_pinned(p);
  if (block.base != p || block.registered != registered) return unknown;
  drain_device(-1);  // as a real runtime does: copies in flight with it are complete then
  remove_pinned(p);
  if (!registered) std::free(p);
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** p, size_t bytes) {
  return api([&] { return allocate_memory(p, bytes); });
}
cudaError_t cudaFree(void* p) {
  return api_of(-1, [&] { return free_memory(p, device_of(p)); });
}

cudaError_t cudaMallocAsync(void** p, size_t bytes, cudaStream_t stream) {
  return api_stream("cudaMallocAsync", stream, [&](const StreamRef& s) {
    if (s->capture) throw Error("simt: cudaMallocAsync in a stream that is being captured");
    const cudaError_t error = allocate_memory(p, bytes);
    if (error == cudaSuccess && *p) stream_ordered().insert(*p);
    return error;
  });
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  return api_stream("cudaFreeAsync", stream, [&](const StreamRef& s) {
    if (s->capture) throw Error("simt: cudaFreeAsync in a stream that is being captured");
    if (!p) return cudaSuccess;
    if (stream_ordered().erase(p) == 0) return cudaErrorInvalidValue;
    return push(s, [p] { release(p); });
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return api([&] {
    const int device = current_device();
    *total = memory_limit(device);
    *free = *total > used_memory(device) ? *total - used_memory(device) : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* dst, const void* src, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api_stream("cudaMemcpyAsync", stream,
                    [&](const StreamRef& s) { return copy(make_copy(dst, src, bytes), kind, s); });
}
cudaError_t cudaMemcpy(void* dst, const void* src, size_t bytes, cudaMemcpyKind kind) {
  return api_stream("cudaMemcpy", nullptr, [&](const StreamRef& s) {
    if (const cudaError_t error = refuse_unsafe_call()) return error;
    const Copy c = make_copy(dst, src, bytes);
    return wait_for_host(copy(c, kind, s), s, c.to == Side::Device && c.from == Side::Device);
  });
}

cudaError_t cudaMemcpyPeerAsync(void* dst, int dst_device, const void* src, int src_device,
                                size_t bytes, cudaStream_t stream) {
  return api_stream("cudaMemcpyPeerAsync", stream, [&](const StreamRef& s) {
    return copy_peer(dst, dst_device, src, src_device, bytes, s);
  });
}
cudaError_t cudaMemcpyPeer(void* dst, int dst_device, const void* src, int src_device,
                           size_t bytes) {
  return cudaMemcpyPeerAsync(dst, dst_device, src, src_device, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* dst, int value, size_t bytes, cudaStream_t stream) {
  return api_stream("cudaMemsetAsync", stream,
                    [&](const StreamRef& s) { return set_bytes(dst, value, bytes, s); });
}
cudaError_t cudaMemset(void* dst, int value, size_t bytes) {
  return api_stream("cudaMemset", nullptr, [&](const StreamRef& s) {
    if (const cudaError_t error = refuse_unsafe_call()) return error;
    return wait_for_host(set_bytes(dst, value, bytes, s), s, device_of(dst) >= 0);
  });
}

cudaError_t cudaHostAlloc(void** p, size_t bytes, unsigned flags) {
  return api([&] { return allocate_pinned(p, bytes, flags); });
}
cudaError_t cudaMallocHost(void** p, size_t bytes) {
  return cudaHostAlloc(p, bytes, cudaHostAllocDefault);
}
cudaError_t cudaFreeHost(void* p) {
  return api([&] { return p ? free_pinned(p, false, cudaErrorInvalidValue) : cudaSuccess; });
}
cudaError_t cudaHostRegister(void* p, size_t bytes, unsigned flags) {
  return api([&] {
    if (!p || bytes == 0 || device_of(p) >= 0) return cudaErrorInvalidValue;
    if (const cudaError_t error = refuse_unsafe_call()) return error;
    if (pinned_overlaps(p, bytes)) return cudaErrorHostMemoryAlreadyRegistered;
    add_pinned(p, {.size = bytes,
                   .base = static_cast<char*>(p),
                   .registered = true,
                   .device = current_device(),
                   .flags = flags});
    return cudaSuccess;
  });
}
cudaError_t cudaHostUnregister(void* p) {
  return api([&] {
    return p ? free_pinned(p, true, cudaErrorHostMemoryNotRegistered) : cudaErrorInvalidValue;
  });
}
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned flags) {
  return api([&] {
    if (!device || flags != 0 || find_pinned(host).size == 0) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}
cudaError_t cudaHostGetFlags(unsigned* flags, void* host) {
  return api([&] {
    const Pinned block = find_pinned(host);
    if (!flags || block.size == 0) return cudaErrorInvalidValue;
    *flags = block.flags;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  return api([&] {
    void* const address = const_cast<void*>(p);
    const Pinned block = find_pinned(p);
    *attributes = {};
    attributes->device = cudaInvalidDeviceId;
    if (is_live(p, 1)) {
      attributes->type = cudaMemoryTypeDevice;
      attributes->device = device_of(p);
      attributes->devicePointer = address;
    } else if (block.size > 0) {
      attributes->type = cudaMemoryTypeHost;
      attributes->device = block.device;
      attributes->devicePointer = attributes->hostPointer = address;
    } else {
      attributes->type = cudaMemoryTypeUnregistered;
      attributes->hostPointer = address;
    }
    return cudaSuccess;
  });
}

}  // extern "C"
