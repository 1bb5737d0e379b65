#pragma once

#include <wick/kernels/elementwise.h>
#include <wick/kernels/reduce.h>
#include <optional>

namespace wick {

/// c[b] = f(op(a[b]) op(b[b]) (+ bias)), row-major. op(a): [m, k], op(b): [k, n], c: [m, n].
/// k == 0 gives zeros (plus bias). c overlaps nothing.
struct MatmulArgs {
  DType dtype = DType::Float32;  // any; half types accumulate in float32
  int64_t batch = 1, m = 0, n = 0, k = 0;
  const void* a = nullptr;  // [m, k], or [k, m] when trans_a; rows lda elements apart
  const void* b = nullptr;  // [k, n], or [n, k] when trans_b
  void* c = nullptr;
  int64_t lda = 0, ldb = 0, ldc = 0;
  int64_t stride_a = 0, stride_b = 0, stride_c = 0;  // between batches; 0 repeats one matrix
  bool trans_a = false, trans_b = false;
  const void* bias = nullptr;  // [n], added to every row; null: none
  bool accumulate = false;     // c += instead of c =

  // What goes with a product of floating types that is no batch and does not accumulate. A device
  // does it in one pass where its library can.
  std::optional<UnaryOp> activation;  // f; half types may be rounded before it
  void* sum = nullptr;                // the argument of f, laid out as c; null: not wanted
  /// [m]: the sums of op(a) over k, or null. With a = grad_y, transposed, the gradient of a bias.
  void* row_sums = nullptr;
};

WICK_KERNEL(void, matmul, const MatmulArgs& args)

/// For devices that do the parts of a product one after the other: the product without what goes
/// with it; c = f(sum or c); row_sums.
MatmulArgs plain_product(const MatmulArgs& args);
ElementwiseArgs activation_args(const MatmulArgs& args);
ReduceArgs row_sums_args(const MatmulArgs& args);

}  // namespace wick
