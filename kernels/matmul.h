#pragma once

#include <wick/kernels/args.h>

namespace wick {

/// c[b] = op(a[b]) op(b[b]) (+ bias), row-major. op(a): [m, k], op(b): [k, n], c: [m, n].
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
};

WICK_KERNEL(void, matmul, const MatmulArgs& args)

}  // namespace wick
