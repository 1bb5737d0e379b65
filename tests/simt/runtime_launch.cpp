#include <tests/simt/stream.h>

#include <algorithm>
#include <map>

// Launches, and what is known of kernels.
namespace simt {
namespace {

constexpr size_t kSharedBytes = 48 << 10;         // that a block may use unless a kernel asks
constexpr size_t kSharedBytesOptIn = 227 << 10;   // for more, up to this
constexpr size_t kSharedBytesOfSm = 228 << 10;    // of a multiprocessor,
constexpr size_t kSharedBytesReserved = 1 << 10;  // of which the system takes this per block
constexpr unsigned kBlockThreads = 1024;
constexpr int kSmThreads = 2048;
constexpr int kSmBlocks = 32;
constexpr unsigned kGridYZ = 65535;

/// What cudaFuncSetAttribute has set; per process, where a real runtime has it per device.
std::map<const void*, size_t>& dynamic_limits() {
  static auto* const limits = new std::map<const void*, size_t>;
  return *limits;
}

size_t dynamic_limit(const void* kernel) {
  const auto found = dynamic_limits().find(kernel);
  return found == dynamic_limits().end() ? kSharedBytes : std::max(found->second, kSharedBytes);
}

cudaError_t check_launch(const LaunchInfo& info) {
  const dim3& b = info.block;
  const dim3& g = info.grid;
  const bool empty = b.x == 0 || b.y == 0 || b.z == 0 || g.x == 0 || g.y == 0 || g.z == 0;
  const bool block_fits = b.x <= kBlockThreads && b.y <= kBlockThreads && b.z <= 64 &&
                          size_t{b.x} * b.y * b.z <= kBlockThreads;
  const bool grid_fits = g.x <= 0x7fffffffU && g.y <= kGridYZ && g.z <= kGridYZ;
  if (empty || !block_fits || !grid_fits) return cudaErrorInvalidConfiguration;
  if (info.shared_bytes > dynamic_limit(info.kernel)) return cudaErrorInvalidValue;
  return should_fail(Call::Launch) ? cudaErrorLaunchOutOfResources : cudaSuccess;
}

}  // namespace

cudaError_t launch(const LaunchInfo& info, cudaStream_t stream,
                   std::function<void(int device)> run) {
  return api_stream("a kernel launch", stream, [&](const StreamRef& s) {
    if (s->device != current_device()) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = check_launch(info)) return error;
    return push(s, [run = std::move(run), device = s->device] { run(device); });
  });
}

}  // namespace simt

using namespace simt;

extern "C" {

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return api([&] {
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout)
      return value >= -1 && value <= 100 ? cudaSuccess : cudaErrorInvalidValue;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
    if (value < 0 || static_cast<size_t>(value) > kSharedBytesOptIn) return cudaErrorInvalidValue;
    dynamic_limits()[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
  });
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return api([&] {
    if (!attributes) return cudaErrorInvalidValue;
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    *attributes = {};
    attributes->maxThreadsPerBlock = kBlockThreads;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(dynamic_limit(kernel));
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* kernel,
                                                                   int block_size,
                                                                   size_t shared_bytes, unsigned) {
  return api([&] {
    if (!blocks || block_size <= 0) return cudaErrorInvalidValue;
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    const auto by_shared =
        static_cast<int>(kSharedBytesOfSm / (shared_bytes + kSharedBytesReserved));
    const bool fits =
        block_size <= static_cast<int>(kBlockThreads) && shared_bytes <= dynamic_limit(kernel);
    const int by_threads = kSmThreads / ((block_size + 31) / 32 * 32);
    *blocks = fits ? std::min({kSmBlocks, by_threads, by_shared}) : 0;
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel,
                                                          int block_size, size_t shared_bytes) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, kernel, block_size,
                                                                shared_bytes, 0);
}

}  // extern "C"
