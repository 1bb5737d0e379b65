// out = x converted from integers and bool. Bytes moved: one read and one write of the tensor.
#include <wick/kernels/cuda/copy.h>

namespace wick::cuda {

void copy_from_integer(DType to, DType from, const ElementwiseArgs& args) {
  switch (from) {
    case DType::Bool:
      return convert_from<bool>(to, args);
    case DType::UInt8:
      return convert_from<uint8_t>(to, args);
    case DType::Int8:
      return convert_from<int8_t>(to, args);
    case DType::Int16:
      return convert_from<int16_t>(to, args);
    case DType::Int32:
      return convert_from<int32_t>(to, args);
    default:
      return convert_from<int64_t>(to, args);
  }
}

}  // namespace wick::cuda
