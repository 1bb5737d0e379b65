// Optimizer steps over many tensors in one launch. The table of up to 64 tensors is the launch's
// parameter; longer lists take several launches. A block takes 4096 elements of one tensor. Bytes
// moved: parameter and momentum once each way, gradient once.
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/optim.h>
#include <algorithm>

namespace wick::cuda {
namespace {

constexpr int kTableTensors = 64;
constexpr int64_t kBlockElements = 4096;

struct SgdTable {
  SgdTensor tensors[kTableTensors];
  int64_t first_block[kTableTensors + 1];
  int count;
};

template <class C>
struct SgdFactors {
  C lr, momentum, dampening, weight_decay;
  bool nesterov, maximize, first;
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    sgd_kernel(GPU_GRID_CONSTANT(SgdTable) table, SgdFactors<Compute<T>> f) {
  using C = Compute<T>;
  for (int64_t b = blockIdx.x; b < table.first_block[table.count]; b += gridDim.x) {
    int t = 0;
    while (b >= table.first_block[t + 1]) ++t;
    const SgdTensor& tensor = table.tensors[t];
    T* const param = static_cast<T*>(tensor.param);
    T* const momentum = static_cast<T*>(tensor.momentum);
    const T* const grad = static_cast<const T*>(tensor.grad);
    const int64_t begin = (b - table.first_block[t]) * kBlockElements;
    const int64_t end = begin + kBlockElements < tensor.n ? begin + kBlockElements : tensor.n;
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
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
  const int64_t blocks = table.first_block[table.count];
  if (blocks == 0) return;
  const SgdFactors<C> factors{static_cast<C>(args.lr),
                              static_cast<C>(args.momentum),
                              static_cast<C>(args.dampening),
                              static_cast<C>(args.weight_decay),
                              args.nesterov,
                              args.maximize,
                              args.first};
  gpu::launch(sgd_kernel<T>, grid_for(blocks, 1), kThreads, 0, gpu::stream(), table, factors);
}

}  // namespace

void sgd(const SgdArgs& args, const SgdTensor* tensors, int64_t count) {
  for (int64_t done = 0; done < count; done += kTableTensors) {
    SgdTable table{};
    table.count = static_cast<int>(std::min<int64_t>(count - done, kTableTensors));
    for (int t = 0; t < table.count; ++t) {
      table.tensors[t] = tensors[done + t];
      table.first_block[t + 1] =
          table.first_block[t] + (table.tensors[t].n + kBlockElements - 1) / kBlockElements;
    }
    visit_float(args.dtype, [&](auto t) { launch_sgd<decltype(t)>(args, table); });
  }
}

}  // namespace wick::cuda
