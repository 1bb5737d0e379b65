// Max and min; see reduce_engine.h. A NaN wins.
#include <wick/kernels/cuda/reduce_extreme.h>

namespace wick::cuda {
namespace {

template <class T, bool kMax>
struct Extreme {
  using In = T;
  struct Acc {
    Unpadded<T> value;
    // Whether value is one yet: there is always at least one element in the end.
    std::conditional_t<sizeof(Unpadded<T>) == 8, int64_t, int32_t> any;
  };
  T* out;
  __device__ Acc init() const { return {0, false}; }
  __device__ Acc step(Acc acc, T x, int64_t) const { return combine(acc, {up(x), true}); }
  __device__ Acc combine(Acc a, Acc b) const {
    if (!b.any) return a;
    if (!a.any) return b;
    return beats<kMax>(b.value, a.value) ? b : a;
  }
  __device__ void store(int64_t offset, Acc acc) const {
    out[offset] = down<T>(static_cast<Compute<T>>(acc.value));
  }
};

}  // namespace

void reduce_extreme(ReduceOp op, DType dtype, const ReduceArgs& args) {
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    T* const out = static_cast<T*>(args.out);
    if (op == ReduceOp::Max) return launch_reduce(args, Extreme<T, true>{out});
    launch_reduce(args, Extreme<T, false>{out});
  });
}

}  // namespace wick::cuda
