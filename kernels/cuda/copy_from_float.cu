// out = x converted from floating types. Bytes moved: one read and one write of the tensor.
#include <wick/kernels/cuda/copy.h>

namespace wick::cuda {

void copy_from_float(DType to, DType from, const ElementwiseArgs& args) {
  switch (from) {
    case DType::Float16:
      return convert_from<Half>(to, args);
    case DType::BFloat16:
      return convert_from<BFloat16>(to, args);
    case DType::Float32:
      return convert_from<float>(to, args);
    default:
      return convert_from<double>(to, args);
  }
}

}  // namespace wick::cuda
