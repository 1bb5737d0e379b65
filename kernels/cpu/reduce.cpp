#include <wick/kernels/reduce.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/simd/reduce.h>
#include <algorithm>

namespace wick::cpu {
namespace {

constexpr int64_t kSerial = 32768;   // inputs below which threads cost more than they save
constexpr int64_t kFewOutputs = 64;  // that many long reductions are split, each over the threads
constexpr int64_t kChunk = 32768;    // least inputs of one chunk of a split reduction
constexpr int64_t kChunks = 64;      // most chunks of one
constexpr int64_t kTile = 512;       // outputs at a time

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Outputs for one thread at least. Neighbours in memory stay together in whole vectors.
int64_t grain_of(const ReduceArgs& args) {
  const int64_t grain = ceil_div(kSerial / 4, std::max<int64_t>(args.reduced, 1));
  const bool columns = args.kept_ndim > 0 && args.kept_strides[args.kept_ndim - 1] == 1;
  return columns ? ceil_div(grain, 64) * 64 : grain;
}

template <class E>
E combine(ReduceOp op, E a, E b) {
  switch (op) {
    case ReduceOp::Sum:
    case ReduceOp::SumSquares:
    case ReduceOp::Mean:
      if constexpr (std::is_integral_v<E>) {
        return static_cast<E>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
      } else {
        return a + b;
      }
    case ReduceOp::Prod:
      if constexpr (std::is_integral_v<E>) {
        return static_cast<E>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      } else {
        return a * b;
      }
    case ReduceOp::Max:
    case ReduceOp::Any:
      return a > b || a != a ? a : b;
    case ReduceOp::Min:
    case ReduceOp::All:
      return a < b || a != a ? a : b;
  }
  return a;
}

/// Calls f(position in the output, i) for `count` outputs from `begin`.
template <class F>
void for_each_output(const ReduceArgs& args, int64_t begin, int64_t count, F f) {
  const int last = args.kept_ndim - 1;
  if (last <= 0) {
    const int64_t stride = last == 0 ? args.kept_out_strides[0] : 0;
    for (int64_t i = 0; i < count; ++i) f((begin + i) * stride, i);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = 0, rest = begin + i;
    for (int d = last; d >= 0; --d) {
      offset += rest % args.kept_sizes[d] * args.kept_out_strides[d];
      rest /= args.kept_sizes[d];
    }
    f(offset, i);
  }
}

template <class T, class E>
T convert(E x) {
  if constexpr (std::is_same_v<T, bool>) {
    return x != 0;
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return T(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

/// out = acc, divided by `divisor`.
template <class E>
void store(DType out_type, const ReduceArgs& args, int64_t begin, int64_t count, const E* acc,
           E divisor, void* out) {
  visit_dtype(out_type, [&](auto t) {
    using T = decltype(t);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_integral_v<E>) {
      WICK_FAIL(DTypeError, "reduce: floating-point elements have no ", out_type, " result");
    } else {
      T* const to = static_cast<T*>(out);
      if (divisor == 1) {
        for_each_output(args, begin, count,
                        [&](int64_t at, int64_t i) { to[at] = convert<T>(acc[i]); });
      } else {
        for_each_output(args, begin, count,
                        [&](int64_t at, int64_t i) { to[at] = convert<T>(acc[i] / divisor); });
      }
    }
  });
}

template <class E>
E divisor_of(ReduceOp op, const ReduceArgs& args) {
  if (std::is_integral_v<E> || op != ReduceOp::Mean) return 1;
  return static_cast<E>(args.reduced);
}

/// Few outputs: chunks of the inputs, whose number depends on the shape alone, combined as a tree.
template <class E>
void reduce_split(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args) {
  const int64_t wanted = std::clamp<int64_t>(args.kept * args.reduced / kChunk, 2, kChunks);
  const int64_t each = ceil_div(args.reduced, wanted);
  const int64_t chunks = ceil_div(args.reduced, each);
  E acc[kChunks * kFewOutputs];
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const ReducePart part{0, args.kept, c * each, std::min((c + 1) * each, args.reduced)};
      WICK_ISA_CALL(reduce_part, op, in_type, args, part, acc + c * args.kept);
    }
  });
  for (int64_t step = 1; step < chunks; step *= 2) {
    for (int64_t c = 0; c + step < chunks; c += 2 * step) {
      E* const to = acc + c * args.kept;
      const E* const from = to + step * args.kept;
      for (int64_t k = 0; k < args.kept; ++k) to[k] = combine(op, to[k], from[k]);
    }
  }
  store(out_type, args, 0, args.kept, acc, divisor_of<E>(op, args), args.out);
}

template <class E>
void reduce_as(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args) {
  const int64_t total = args.kept * args.reduced;
  if (args.kept <= kFewOutputs && total > 2 * kChunk) {
    return reduce_split<E>(op, in_type, out_type, args);
  }
  const auto outputs = [&](int64_t begin, int64_t end) {
    E acc[kTile];
    for (int64_t k = begin; k < end; k += kTile) {
      const ReducePart part{k, std::min(k + kTile, end), 0, args.reduced};
      WICK_ISA_CALL(reduce_part, op, in_type, args, part, acc);
      store(out_type, args, k, part.kept_end - k, acc, divisor_of<E>(op, args), args.out);
    }
  };
  if (total <= kSerial) return outputs(0, args.kept);
  parallel_for(args.kept, grain_of(args), outputs);
}

template <class E>
void index_as(ReduceOp op, DType type, const ReduceArgs& args, void* values, int64_t* indices) {
  const auto outputs = [&](int64_t begin, int64_t end) {
    E best[kTile];
    int64_t index[kTile];
    for (int64_t k = begin; k < end; k += kTile) {
      const int64_t count = std::min(kTile, end - k);
      WICK_ISA_CALL(reduce_index_part, op, type, args, k, k + count, best, index);
      if (values != nullptr) store(type, args, k, count, best, E(1), values);
      for_each_output(args, k, count, [&](int64_t at, int64_t i) { indices[at] = index[i]; });
    }
  };
  if (args.kept * args.reduced <= kSerial) return outputs(0, args.kept);
  parallel_for(args.kept, grain_of(args), outputs);
}

/// Calls f with a value of the type in which `type` is accumulated.
template <class F>
void with_accumulator(DType type, F f) {
  const DType accumulator = accumulator_type(type);
  if (accumulator == DType::Float32) {
    f(float{});
  } else if (accumulator == DType::Float64) {
    f(double{});
  } else {
    f(int64_t{});
  }
}

}  // namespace

void reduce(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args) {
  if (args.kept == 0) return;
  with_accumulator(in_type, [&](auto e) { reduce_as<decltype(e)>(op, in_type, out_type, args); });
}

void reduce_index(ReduceOp op, DType dtype, const ReduceArgs& args, void* values,
                  int64_t* indices) {
  if (args.kept == 0) return;
  with_accumulator(dtype, [&](auto e) { index_as<decltype(e)>(op, dtype, args, values, indices); });
}

}  // namespace wick::cpu
