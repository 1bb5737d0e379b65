// Sum, sum of squares, mean and product; see reduce_engine.h.
#include <wick/kernels/cuda/reduce_engine.h>

namespace wick::cuda {
namespace {

/// Writes an accumulator of type Acc as any type that it may have as a result.
template <class Acc>
struct Result {
  void* out;
  DType dtype;
  __device__ void store(int64_t offset, Acc acc) const {
    if constexpr (std::is_same_v<Acc, float>) {
      switch (dtype) {
        case DType::Float16:
          static_cast<Half*>(out)[offset] = down<Half>(acc);
          return;
        case DType::BFloat16:
          static_cast<BFloat16*>(out)[offset] = down<BFloat16>(acc);
          return;
        default:
          break;
      }
    }
    static_cast<Acc*>(out)[offset] = acc;
  }
};

template <class T>
using SumType = std::conditional_t<std::is_integral_v<T>, int64_t, Compute<T>>;

template <class T>
struct Sum {
  using In = T;
  using Acc = SumType<T>;
  Result<Acc> result;
  Acc divisor;  // the count for a mean, else 1
  bool square;
  __device__ Acc init() const { return 0; }
  __device__ Acc step(Acc acc, T x, int64_t) const {
    const auto v = static_cast<Acc>(up(x));
    if constexpr (!std::is_integral_v<Acc>) return acc + (square ? v * v : v);
    return combine(acc, v);
  }
  __device__ Acc combine(Acc a, Acc b) const {
    if constexpr (std::is_integral_v<Acc>) {
      return static_cast<Acc>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    } else {
      return a + b;
    }
  }
  __device__ void store(int64_t offset, Acc acc) const {
    if constexpr (!std::is_integral_v<Acc>) acc /= divisor;
    result.store(offset, acc);
  }
};

template <class T>
struct Product {
  using In = T;
  using Acc = SumType<T>;
  Result<Acc> result;
  __device__ Acc init() const { return 1; }
  __device__ Acc step(Acc acc, T x, int64_t) const { return combine(acc, static_cast<Acc>(up(x))); }
  __device__ Acc combine(Acc a, Acc b) const {
    if constexpr (std::is_integral_v<Acc>) {
      return static_cast<Acc>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    } else {
      return a * b;
    }
  }
  __device__ void store(int64_t offset, Acc acc) const { result.store(offset, acc); }
};

template <class T>
void dispatch(ReduceOp op, DType out_type, const ReduceArgs& args) {
  using Acc = SumType<T>;
  const Result<Acc> result{args.out, out_type};
  if (op == ReduceOp::Prod) return launch_reduce(args, Product<T>{result});
  launch_reduce(args, Sum<T>{result, static_cast<Acc>(op == ReduceOp::Mean ? args.reduced : 1),
                             op == ReduceOp::SumSquares});
}

}  // namespace

void reduce_sum(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args) {
  visit_dtype(in_type, [&](auto t) { dispatch<decltype(t)>(op, out_type, args); });
}

}  // namespace wick::cuda
