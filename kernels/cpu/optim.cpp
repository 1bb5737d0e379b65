#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/rows.h>
#include <wick/kernels/cpu/simd/elementwise.h>
#include <wick/kernels/cpu/simd/optim.h>

#include <algorithm>

namespace wick::cpu {
namespace {

SgdTensor part_of(const SgdTensor& t, int64_t begin, int64_t n, int64_t bytes) {
  SgdTensor part;
  part.param = static_cast<char*>(t.param) + begin * bytes;
  part.grad = static_cast<const char*>(t.grad) + begin * bytes;
  if (t.momentum != nullptr) part.momentum = static_cast<char*>(t.momentum) + begin * bytes;
  part.n = n;
  return part;
}

/// A step in float32 on numbers of a half type.
void half_step(const SgdArgs& args, const SgdTensor& piece) {
  constexpr int64_t kChunk = 1024;
  float param[kChunk], grad[kChunk], momentum[kChunk];
  SgdArgs wide = args;
  wide.dtype = DType::Float32;
  for (int64_t i = 0; i < piece.n; i += kChunk) {
    const int64_t n = std::min(kChunk, piece.n - i);
    const SgdTensor part = part_of(piece, i, n, element_size(args.dtype));
    const bool has_momentum = args.momentum != 0;
    WICK_ISA_CALL(half_to_float, args.dtype, part.param, param, n);
    WICK_ISA_CALL(half_to_float, args.dtype, part.grad, grad, n);
    if (has_momentum && !args.first) {
      WICK_ISA_CALL(half_to_float, args.dtype, part.momentum, momentum, n);
    }
    WICK_ISA_CALL(sgd_step, wide, {param, grad, momentum, n});
    WICK_ISA_CALL(float_to_half, args.dtype, param, part.param, n);
    if (has_momentum) WICK_ISA_CALL(float_to_half, args.dtype, momentum, part.momentum, n);
  }
}

}  // namespace

void sgd(const SgdArgs& args, const SgdTensor* tensors, int64_t count) {
  WICK_CHECK(DTypeError, is_floating_point(args.dtype),
             "sgd: expected parameters of a floating-point type, got ", args.dtype);
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += tensors[i].n;
  const int64_t bytes = element_size(args.dtype);
  // All tensors count as one long one, of which each thread takes a part.
  const auto step = [&](int64_t begin, int64_t end) {
    int64_t start = 0;
    for (int64_t i = 0; i < count && start < end; start += tensors[i].n, ++i) {
      const int64_t from = std::max(begin - start, int64_t{0});
      const int64_t to = std::min(end - start, tensors[i].n);
      if (from >= to) continue;
      const SgdTensor part = part_of(tensors[i], from, to - from, bytes);
      is_reduced_float(args.dtype) ? half_step(args, part) : WICK_ISA_CALL(sgd_step, args, part);
    }
  };
  if (total <= kParallelElements) return step(0, total);
  parallel_for(total, kGrainElements, step);
}

}  // namespace wick::cpu
