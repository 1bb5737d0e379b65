#include <wick/kernels/matmul.h>

namespace wick {

MatmulArgs plain_product(const MatmulArgs& args) {
  MatmulArgs plain = args;
  if (plain.sum) plain.c = plain.sum;
  plain.sum = plain.row_sums = nullptr;
  plain.activation.reset();
  return plain;
}

ElementwiseArgs activation_args(const MatmulArgs& args) {
  ElementwiseArgs e;
  e.operands = 2;
  e.data[0] = args.c;
  e.data[1] = args.sum ? args.sum : args.c;
  e.numel = args.m * args.n;
  const auto add = [&](int64_t size, int64_t stride) {
    e.sizes[e.ndim] = size;
    for (int i = 0; i < e.operands; ++i) e.strides[i][e.ndim] = stride;
    ++e.ndim;
  };
  e.contiguous = args.ldc == args.n || args.m == 1;
  if (e.contiguous) {
    if (e.numel != 1) add(e.numel, 1);
  } else {
    add(args.m, args.ldc);
    if (args.n != 1) add(args.n, 1);
  }
  return e;
}

ReduceArgs row_sums_args(const MatmulArgs& args) {
  ReduceArgs r;
  r.in = args.a;
  r.out = args.row_sums;
  r.kept = args.m;
  r.reduced = args.k;
  if (args.m != 1) {
    r.kept_ndim = 1;
    r.kept_sizes[0] = args.m;
    r.kept_strides[0] = args.trans_a ? 1 : args.lda;
    r.kept_out_strides[0] = 1;
  }
  if (args.k != 1) {
    r.reduced_ndim = 1;
    r.reduced_sizes[0] = args.k;
    r.reduced_strides[0] = args.trans_a ? args.lda : 1;
  }
  return r;
}

}  // namespace wick
