// Optimizer steps over all tensors of a group in one launch. A block takes 4096 elements of one
// tensor, which it finds by bisection in the table of the tensors: up to 64 of them in the launch's
// parameters, more in device memory (DeviceTable), uploaded again only when a pointer has changed.
// After a fault of a kernel (fault.h) nothing is changed; momentum that a first step was to write
// is zero then. Bytes moved: parameter and momentum once each way, gradient once.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/fault.h>
#include <wick/kernels/optim.h>
#include <optional>
#include <vector>

namespace wick::cuda {
namespace {

constexpr int64_t kNearTensors = 64;
constexpr int64_t kBlockElements = 4096;

struct SgdEntry {
  SgdTensor tensor;
  int64_t first_block;
};

struct SgdTable {
  SgdEntry near[kNearTensors];
  const SgdEntry* far;  // of all tensors, or null
  int64_t count, blocks;
};

template <class C>
struct SgdFactors {
  C lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first;
};

/// The last entry that starts at or before the block: of empty tensors, which share the number of
/// their successor, none.
__device__ inline const SgdEntry& entry_of(const SgdEntry* entries, int64_t count, int64_t block) {
  int64_t low = 0;
  int64_t high = count;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (entries[middle].first_block <= block ? low : high) = middle;
  }
  return entries[low];
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    sgd_kernel(GPU_GRID_CONSTANT(SgdTable) table, GPU_GRID_CONSTANT(SgdFactors<Compute<T>>) f,
               GPU_GRID_CONSTANT(FaultGuard) guard) {
  using C = Compute<T>;
  const bool faulted = is_faulted(guard);
  const SgdEntry* const entries = table.far ? table.far : table.near;
  for (int64_t b = blockIdx.x; b < table.blocks; b += gridDim.x) {
    const SgdEntry& entry = entry_of(entries, table.count, b);
    const SgdTensor& tensor = entry.tensor;
    T* const param = static_cast<T*>(tensor.param);
    T* const momentum = static_cast<T*>(tensor.momentum);
    const T* const grad = static_cast<const T*>(tensor.grad);
    const int64_t begin = (b - entry.first_block) * kBlockElements;
    const int64_t end = begin + kBlockElements < tensor.n ? begin + kBlockElements : tensor.n;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      if (faulted) {
        if (momentum && f.first) momentum[i] = T{};
        continue;
      }
      const C p = up(param[i]);
      C d = f.maximize ? -up(grad[i]) : up(grad[i]);
      d += f.weight_decay * p;
      if (momentum) {
        const C m = f.first ? d : f.momentum * up(momentum[i]) + (C(1) - f.dampening) * d;
        momentum[i] = down<T>(m);
        d = f.nesterov ? d + f.momentum * m : m;
      }
      param[i] = down<T>(p - f.lr * d);
    }
  }
}

template <class T>
void launch_sgd(const SgdArgs& args, const SgdTable& table) {
  using C = Compute<T>;
  const SgdFactors<C> factors{static_cast<C>(args.lr),
                              static_cast<C>(args.momentum),
                              static_cast<C>(args.dampening),
                              static_cast<C>(args.weight_decay),
                              args.nesterov,
                              args.maximize,
                              args.first};
  gpu::launch(sgd_kernel<T>, grid_for(table.blocks, 1), kThreads, 0, gpu::stream(), table, factors,
              fault_guard());
}

}  // namespace

void sgd(const SgdArgs& args, const SgdTensor* tensors, int64_t count) {
  SgdTable table{};
  std::vector<SgdEntry> many(count > kNearTensors ? static_cast<size_t>(count) : 0);
  SgdEntry* const entries = many.empty() ? table.near : many.data();
  for (int64_t t = 0; t < count; ++t) {
    entries[t] = {tensors[t], table.blocks};
    table.blocks += (tensors[t].n + kBlockElements - 1) / kBlockElements;
  }
  if (table.blocks == 0) return;
  table.count = count;
  std::optional<DeviceTable> far;
  if (!many.empty()) {
    far.emplace(many.data(), count * static_cast<int64_t>(sizeof(SgdEntry)));
    table.far = static_cast<const SgdEntry*>(far->get());
  }
  visit_float(args.dtype, [&](auto t) { launch_sgd<decltype(t)>(args, table); });
}

}  // namespace wick::cuda
