// Any and all; see reduce_engine.h. A NaN counts as true.
#include <wick/kernels/cuda/reduce_engine.h>

namespace wick::cuda {
namespace {

template <class T, bool kAny>
struct Logical {
  using In = T;
  using Acc = bool;
  bool* out;
  __device__ bool init() const { return !kAny; }
  __device__ bool step(bool acc, T x, int64_t) const {
    return combine(acc, up(x) != Compute<T>(0));
  }
  __device__ bool combine(bool a, bool b) const { return kAny ? a || b : a && b; }
  __device__ void store(int64_t offset, bool acc) const { out[offset] = acc; }
};

}  // namespace

void reduce_logical(ReduceOp op, DType in_type, const ReduceArgs& args) {
  visit_dtype(in_type, [&](auto t) {
    using T = decltype(t);
    bool* const out = static_cast<bool*>(args.out);
    if (op == ReduceOp::Any) return launch_reduce(args, Logical<T, true>{out});
    launch_reduce(args, Logical<T, false>{out});
  });
}

}  // namespace wick::cuda
