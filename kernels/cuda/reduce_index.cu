// Max and min with the position of the first extreme element; see reduce_engine.h.
#include <wick/kernels/cuda/reduce_extreme.h>

namespace wick::cuda {
namespace {

template <class T, bool kMax>
struct ExtremeIndex {
  using In = T;
#pragma pack(push, 4)
  struct Acc {
    Unpadded<T> value;
    int64_t position;  // -1: no element yet
  };
#pragma pack(pop)
  T* values;  // may be null
  int64_t* indices;
  __device__ Acc init() const { return {0, -1}; }
  __device__ Acc step(Acc acc, T x, int64_t i) const { return combine(acc, {up(x), i}); }
  __device__ Acc combine(Acc a, Acc b) const {
    if (b.position < 0) return a;
    if (a.position < 0) return b;
    if (beats<kMax>(b.value, a.value)) return b;
    if (beats<kMax>(a.value, b.value)) return a;
    return b.position < a.position ? b : a;
  }
  __device__ void store(int64_t offset, Acc acc) const {
    if (values) values[offset] = down<T>(static_cast<Compute<T>>(acc.value));
    indices[offset] = acc.position;
  }
};

}  // namespace

void reduce_index(ReduceOp op, DType dtype, const ReduceArgs& args, void* values,
                  int64_t* indices) {
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    T* const out = static_cast<T*>(values);
    if (op == ReduceOp::Max) return launch_reduce(args, ExtremeIndex<T, true>{out, indices});
    launch_reduce(args, ExtremeIndex<T, false>{out, indices});
  });
}

}  // namespace wick::cuda
