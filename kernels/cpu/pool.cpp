#include <wick/kernels/pool.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/scratch.h>
#include <wick/kernels/cpu/simd/pool.h>
#include <algorithm>

namespace wick::cpu {
namespace {

/// body(begin, end, scratch) over planes.
template <class Body>
void for_planes(const Pool2dArgs& args, const Body& body) {
  const int64_t in = args.in[0] * args.in[1], out = args.out[0] * args.out[1];
  const int64_t floats = is_reduced_float(args.dtype) ? in + out : 0;
  const int64_t work = std::max<int64_t>({in, out, 1});
  parallel_for(args.planes, std::max<int64_t>(8192 / work, 1), [&](int64_t begin, int64_t end) {
    const Scratch scratch(static_cast<size_t>(floats) * sizeof(float));
    body(begin, end, scratch.as<float>());
  });
}

}  // namespace

void max_pool2d(const Pool2dArgs& args, const void* x, void* y, int64_t* indices) {
  for_planes(args, [&](int64_t begin, int64_t end, float* scratch) {
    WICK_ISA_CALL(max_pool2d_part, args, x, y, indices, begin, end, scratch);
  });
}

void max_pool2d_backward(const Pool2dArgs& args, const void* grad_y, const int64_t* indices,
                         void* grad_x) {
  for_planes(args, [&](int64_t begin, int64_t end, float* scratch) {
    WICK_ISA_CALL(max_pool2d_backward_part, args, grad_y, indices, grad_x, begin, end, scratch);
  });
}

void avg_pool2d(const Pool2dArgs& args, const void* x, void* y) {
  for_planes(args, [&](int64_t begin, int64_t end, float* scratch) {
    WICK_ISA_CALL(avg_pool2d_part, args, x, y, begin, end, scratch);
  });
}

void avg_pool2d_backward(const Pool2dArgs& args, const void* grad_y, void* grad_x) {
  for_planes(args, [&](int64_t begin, int64_t end, float* scratch) {
    WICK_ISA_CALL(avg_pool2d_backward_part, args, grad_y, grad_x, begin, end, scratch);
  });
}

}  // namespace wick::cpu
