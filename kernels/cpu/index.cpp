#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/rows.h>
#include <wick/kernels/index.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

namespace wick::cpu {
namespace {

/// Throws IndexError unless all of index is in [0, size) or, where that leaves a row out, `skip`.
void check_indices(const IndexArgs& args, const int64_t* index, int64_t skip = -1) {
  const auto is_bad = [&](int64_t i) {
    return static_cast<uint64_t>(i) >= static_cast<uint64_t>(args.size) && (i != skip || i == -1);
  };
  bool any = false;
  for (int64_t i = 0; i < args.count; ++i) any |= is_bad(index[i]);
  if (!any) return;
  const int64_t at = std::find_if(index, index + args.count, is_bad) - index;
  throw_fault({args.op, at, index[at], args.size});
}

/// Rows of x to rows [begin, end) of y, `bytes` long; a constant number of them when small.
template <class Size>
void copy_rows(const IndexArgs& args, const char* x, const int64_t* index, char* y, int64_t begin,
               int64_t end, Size bytes) {
  for (int64_t row = begin; row < end;) {
    const int64_t outer = row / args.count, first = row % args.count;
    const int64_t stop = std::min(args.count, first + end - row);
    const char* const from = x + outer * args.size * bytes;
    for (int64_t i = first; i < stop; ++i, ++row) {
      std::memcpy(y + row * bytes, from + index[i] * bytes, static_cast<size_t>(bytes));
    }
  }
}

template <int64_t kBytes>
using Constant = std::integral_constant<int64_t, kBytes>;

}  // namespace

void index_select(const IndexArgs& args, const void* x, const int64_t* index, void* y) {
  check_indices(args, index);
  const int64_t rows = args.outer * args.count;
  const int64_t bytes = args.inner * element_size(args.dtype);
  if (rows == 0 || bytes == 0) return;
  const char* const from = static_cast<const char*>(x);
  char* const to = static_cast<char*>(y);
  const auto copy = [&](int64_t begin, int64_t end) {
    switch (bytes) {
      case 1:
        return copy_rows(args, from, index, to, begin, end, Constant<1>());
      case 2:
        return copy_rows(args, from, index, to, begin, end, Constant<2>());
      case 4:
        return copy_rows(args, from, index, to, begin, end, Constant<4>());
      case 8:
        return copy_rows(args, from, index, to, begin, end, Constant<8>());
      default:
        return copy_rows(args, from, index, to, begin, end, bytes);
    }
  };
  if (rows * args.inner <= kParallelElements) return copy(0, rows);
  parallel_for(rows, std::max<int64_t>(kGrainElements / args.inner, 1), copy);
}

namespace {

/// x + y; integers wrap, and for bool it is "or".
template <class T>
T add(T x, T y) {
  if constexpr (std::is_same_v<T, bool>) {
    return x || y;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
  } else {
    return x + y;
  }
}

struct Span {
  int64_t begin, end;
};

/// The part of the sum that falls into columns [columns) of rows [rows) of x, in order of `index`.
template <class T>
void add_rows(const IndexArgs& args, const T* y, const int64_t* index, int64_t skip, T* x,
              Span rows, Span columns) {
  for (int64_t i = 0; i < args.count; ++i) {
    const int64_t row = index[i];
    if (row < rows.begin || row >= rows.end || (row == skip && skip != -1)) continue;
    T* const to = x + row * args.inner;
    const T* const from = y + i * args.inner;
    if (args.overwrite) {
      std::copy(from + columns.begin, from + columns.end, to + columns.begin);
    } else {
      for (int64_t c = columns.begin; c < columns.end; ++c) to[c] = add(to[c], from[c]);
    }
  }
}

template <class T>
void add_all(const IndexArgs& args, const T* y, const int64_t* index, int64_t skip, T* x) {
  const Span all_rows{0, args.size}, all_columns{0, args.inner};
  const int64_t x_step = args.size * args.inner, y_step = args.count * args.inner;
  const auto add_slice = [&](int64_t outer, Span rows, Span columns) {
    add_rows(args, y + outer * y_step, index, skip, x + outer * x_step, rows, columns);
  };
  const int64_t threads = args.outer * y_step > kParallelElements ? num_threads() : 1;
  // Each number of x belongs to one thread, which adds in the order of the index.
  constexpr int64_t kColumns = 64;
  if (threads == 1 || args.outer >= threads) {
    const int64_t grain = threads == 1 ? args.outer : 1;
    parallel_for(args.outer, grain, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) add_slice(o, all_rows, all_columns);
    });
  } else if (args.inner >= kColumns * threads) {
    parallel_for(args.inner, kColumns, [&](int64_t begin, int64_t end) {
      for (int64_t o = 0; o < args.outer; ++o) add_slice(o, all_rows, {begin, end});
    });
  } else {
    parallel_for(args.size, 1, [&](int64_t begin, int64_t end) {
      for (int64_t o = 0; o < args.outer; ++o) add_slice(o, {begin, end}, all_columns);
    });
  }
}

/// Half types: the rows that meet are added in float, in order of `index`, and rounded once.
template <class T>
void add_half(const IndexArgs& args, const T* y, const int64_t* index, int64_t skip, T* x) {
  std::vector<int64_t> order;  // positions, sorted by row
  for (int64_t i = 0; i < args.count; ++i) {
    if (index[i] != skip || skip == -1) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return index[a] < index[b]; });
  std::vector<size_t> first;  // of each row, in `order`
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || index[order[i]] != index[order[i - 1]]) first.push_back(i);
  }
  const auto groups = static_cast<int64_t>(first.size());
  first.push_back(order.size());
  const int64_t grain = std::max<int64_t>(kGrainElements / args.inner, 1);
  parallel_for(args.outer * groups, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(static_cast<size_t>(args.inner));
    for (int64_t g = begin; g < end; ++g) {
      const int64_t outer = g / groups;
      const auto group = static_cast<size_t>(g % groups);
      T* const to = x + (outer * args.size + index[order[first[group]]]) * args.inner;
      for (int64_t c = 0; c < args.inner; ++c) sum[c] = static_cast<float>(to[c]);
      for (size_t i = first[group]; i < first[group + 1]; ++i) {
        const T* const from = y + (outer * args.count + order[i]) * args.inner;
        for (int64_t c = 0; c < args.inner; ++c) sum[c] += static_cast<float>(from[c]);
      }
      for (int64_t c = 0; c < args.inner; ++c) to[c] = T(sum[c]);
    }
  });
}

}  // namespace

void index_add(const IndexArgs& args, const void* y, const int64_t* index, int64_t skip, void* x) {
  check_indices(args, index, skip);
  if (args.count == 0 || args.inner == 0 || args.outer == 0) return;
  // What is only moved needs no type but its size.
  const DType dtype = args.overwrite && is_reduced_float(args.dtype) ? DType::Int16 : args.dtype;
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const T* const from = static_cast<const T*>(y);
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      add_half(args, from, index, skip, static_cast<T*>(x));
    } else {
      add_all(args, from, index, skip, static_cast<T*>(x));
    }
  });
}

// --- places

void flat_index(const IndexArgs& args, bool wrap, const int64_t* index, const int64_t* rows,
                int64_t* flat) {
  int64_t j = 0;
  for (int64_t outer = 0; outer < args.outer; ++outer) {
    for (int64_t c = 0; c < args.count; ++c) {
      for (int64_t i = 0; i < args.inner; ++i, ++j) {
        const bool back = wrap && index[j] < 0 && index[j] >= -args.size;
        const int64_t v = back ? index[j] + args.size : index[j];
        if (v < 0 || v >= args.size) throw_fault({args.op, j, index[j], args.size});
        flat[j] = ((rows ? rows[j] : outer) * args.size + v) * args.inner + i;
      }
    }
  }
}

std::vector<int64_t> count_true(int64_t n, const bool* x) {
  std::vector<int64_t> before{0};
  for (int64_t i = 0; i < n; i += kTrueChunk)
    before.push_back(before.back() + std::count(x + i, x + std::min(n, i + kTrueChunk), true));
  return before;
}

void find_true(const TrueArgs& args, const bool* x, const std::vector<int64_t>& before,
               int64_t* out) {
  const auto chunks = static_cast<int64_t>(before.size()) - 1;
  parallel_for(chunks, kGrainElements / kTrueChunk + 1, [&](int64_t begin, int64_t end) {
    int64_t* to = out + before[static_cast<size_t>(begin)] * args.ndim;
    for (int64_t i = begin * kTrueChunk; i < std::min(args.n, end * kTrueChunk); ++i) {
      if (!x[i]) continue;
      int64_t rest = i;
      for (int d = args.ndim - 1; d >= 0; --d) {
        to[d] = rest % args.sizes[d];
        rest /= args.sizes[d];
      }
      to += args.ndim;
    }
  });
}

}  // namespace wick::cpu
