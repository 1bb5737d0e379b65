#include <wick/kernels/sort.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/rows.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace wick::cpu {

void order_keys(const double* x, int64_t n, bool descending, bool nan_last, int64_t* keys) {
  parallel_for(n, kGrainElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) keys[i] = order_key(x[i], descending, nan_last);
  });
}

void sort_rows(const int64_t* keys, int64_t rows, int64_t n, int64_t* order) {
  parallel_for(rows, kGrainElements / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
    std::vector<std::pair<int64_t, int64_t>> pairs(static_cast<size_t>(n));
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < n; ++i) pairs[i] = {keys[row * n + i], i};
      std::sort(pairs.begin(), pairs.end());
      for (int64_t i = 0; i < n; ++i) order[row * n + i] = pairs[i].second;
    }
  });
}

void search_rows(const SearchArgs& args, const int64_t* sorted, const int64_t* values,
                 int64_t* positions) {
  parallel_for(args.rows * args.count, kGrainElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = args.shared_row ? 0 : i / args.count;
      positions[i] = search_row(args, sorted + row * args.n, values[i]);
    }
  });
}

}  // namespace wick::cpu
