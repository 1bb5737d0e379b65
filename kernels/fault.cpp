#include <wick/kernels/fault.h>

#include <wick/core/check.h>

namespace wick {

void throw_fault(const Fault& f) {
  static constexpr const char* kNames[] = {
      "index_select",  "index_add", "embedding",   "as_strided", "nll_loss",
      "cross_entropy", "index",     "index_put_",  "index_copy", "index_fill",
      "gather",        "scatter",   "scatter_add", "take",       "one_hot"};
  const char* const op = kNames[static_cast<int>(f.op)];
  if (f.op == FaultOp::NllLoss || f.op == FaultOp::CrossEntropy) {
    WICK_FAIL(IndexError, op, ": target ", f.value, " at position ", f.position,
              " is out of range for ", f.limit, " classes (ignore_index is ", f.ignored, ")");
  }
  const bool embedding = f.op == FaultOp::Embedding;
  WICK_FAIL(IndexError, op, ": index ", f.value, " at position ", f.position,
            " is out of range for ", embedding ? "" : "dimension of size ", f.limit,
            embedding ? " embeddings" : "");
}

}  // namespace wick
