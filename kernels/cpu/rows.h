#pragma once

#include <wick/kernels/args.h>

namespace wick::cpu {

/// Elements below which starting threads costs more than it saves, and the least share of one.
inline constexpr int64_t kParallelElements = 32768;
inline constexpr int64_t kGrainElements = 8192;

/// Walks the rows of an iteration: the positions along all dimensions but the last ones. Pointers
/// of operands without memory stay null.
class Rows {
 public:
  /// Stands at `row` (row-major over the first `dims` dimensions). `bytes` holds element sizes.
  Rows(const ElementwiseArgs& args, int dims, const int64_t* bytes, int64_t row)
      : args_(args), dims_(dims) {
    for (int i = 0; i < args.operands; ++i) data_[i] = static_cast<char*>(args.data[i]);
    for (int d = dims - 1; d >= 0; --d) {
      index_[d] = row % args.sizes[d];
      row /= args.sizes[d];
      for (int i = 0; i < args.operands; ++i) {
        // There are at most kMaxOperands.
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult)
        step_[d][i] = data_[i] != nullptr ? args.strides[i][d] * bytes[i] : 0;
      }
    }
    for (int d = 0; d < dims; ++d) {
      for (int i = 0; i < args.operands; ++i) data_[i] += index_[d] * step_[d][i];
    }
  }

  // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): of an operand there is
  char* data(int operand) const { return data_[operand]; }

  void next() {
    for (int d = dims_ - 1; d >= 0; --d) {
      if (++index_[d] < args_.sizes[d]) {
        for (int i = 0; i < args_.operands; ++i) data_[i] += step_[d][i];
        return;
      }
      index_[d] = 0;
      for (int i = 0; i < args_.operands; ++i) data_[i] -= step_[d][i] * (args_.sizes[d] - 1);
    }
  }

 private:
  const ElementwiseArgs& args_;
  int dims_;
  int64_t index_[kMaxRank];
  int64_t step_[kMaxRank][ElementwiseArgs::kMaxOperands];
  char* data_[ElementwiseArgs::kMaxOperands];
};

inline int64_t row_count(const ElementwiseArgs& args, int dims) {
  int64_t rows = 1;
  for (int d = 0; d < dims; ++d) rows *= args.sizes[d];
  return rows;
}

}  // namespace wick::cpu
