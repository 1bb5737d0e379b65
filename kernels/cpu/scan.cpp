#include <wick/kernels/scan.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/rows.h>
#include <algorithm>
#include <type_traits>

namespace wick::cpu {
namespace {

constexpr int64_t kColumns = 64;  // scanned side by side

/// Calls step(accumulator, number, i) for each element of all columns in order, which gives y.
template <class T, class Acc, class Y, class Step>
void scan_columns(const ScanArgs& args, const T* x, Y* y, Acc start, Step step) {
  const int64_t tiles = (args.inner + kColumns - 1) / kColumns;
  const int64_t work = args.dim * std::min(args.inner, kColumns);
  parallel_for(args.outer * tiles, kGrainElements / std::max<int64_t>(work, 1) + 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t t = begin; t < end; ++t) {
                   const int64_t first = t % tiles * kColumns;
                   const int64_t width = std::min(kColumns, args.inner - first);
                   Acc acc[kColumns];
                   std::fill_n(acc, width, start);
                   for (int64_t i = 0; i < args.dim; ++i) {
                     const int64_t at = args.reverse ? args.dim - 1 - i : i;
                     const int64_t row = (t / tiles * args.dim + at) * args.inner + first;
                     for (int64_t c = 0; c < width; ++c) y[row + c] = step(acc[c], x[row + c], at);
                   }
                 }
               });
}

template <class T>
void scan_numbers(const ScanArgs& args, const T* x, T* y) {
  using Acc = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;  // integers wrap around
  const auto number = [](T v) {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<Acc>(v);
    } else {
      return static_cast<Acc>(static_cast<std::conditional_t<sizeof(T) == 8, double, float>>(v));
    }
  };
  const auto result = [](Acc v) {
    if constexpr (sizeof(T) == 2) {
      return T(static_cast<float>(v));
    } else {
      return static_cast<T>(v);
    }
  };
  if (args.op == ScanOp::Sum) {
    scan_columns(args, x, y, Acc(0),
                 [&](Acc& acc, T v, int64_t) { return result(acc += number(v)); });
  } else {
    scan_columns(args, x, y, Acc(1),
                 [&](Acc& acc, T v, int64_t) { return result(acc *= number(v)); });
  }
}

}  // namespace

void scan(const ScanArgs& args, const void* x, void* y) {
  if (args.op == ScanOp::Max) {
    struct Best {
      int64_t key, position;
    };
    return scan_columns(args, static_cast<const int64_t*>(x), static_cast<int64_t*>(y),
                        Best{INT64_MIN, 0}, [](Best& best, int64_t key, int64_t i) {
                          if (key >= best.key) best = {key, i};
                          return best.position;
                        });
  }
  const auto run = [&](auto t) {
    using T = decltype(t);
    scan_numbers(args, static_cast<const T*>(x), static_cast<T*>(y));
  };
  switch (args.dtype) {
    case DType::Float16:
      return run(Half{});
    case DType::BFloat16:
      return run(BFloat16{});
    case DType::Float32:
      return run(float{});
    case DType::Float64:
      return run(double{});
    default:
      return run(int64_t{});
  }
}

}  // namespace wick::cpu
