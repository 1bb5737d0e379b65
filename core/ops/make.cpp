#include <wick/core/make.h>

#include <wick/core/autograd.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/kernels/elementwise.h>
#include <cmath>
#include <limits>

namespace wick {
namespace {

struct Range {
  int64_t low, high;
};

Range integer_range(DType dtype) {
  const int bits = static_cast<int>(8 * element_size(dtype));
  const int64_t high = static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
  if (dtype == DType::UInt8) return {-255, 255};
  return {-high - 1, high};
}

}  // namespace

double detail::largest_finite(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return 65504;
    case DType::BFloat16:
      return 0x1.fep127;
    case DType::Float32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

Immediate detail::immediate_for(const char* op, Scalar value, DType dtype) {
  if (dtype == DType::Bool) return Immediate::of(static_cast<int64_t>(value.toBool()));
  if (wick::is_floating_point(dtype)) {
    const double v = value.toDouble();
    WICK_CHECK(ValueError, !(std::abs(v) > largest_finite(dtype)) || std::isinf(v), op, ": ", value,
               " does not fit in ", dtype);
    return value.is_floating_point() ? Immediate::of(v) : Immediate::of(value.toLong());
  }
  const Range range = integer_range(dtype);
  bool fits = true;
  if (value.is_floating_point()) {
    const double v = value.toDouble();
    fits = v >= -0x1p63 && v < 0x1p63;  // false for a NaN
  }
  const int64_t v = fits ? value.toLong() : 0;
  WICK_CHECK(ValueError, fits && v >= range.low && v <= range.high, op, ": ", value,
             " does not fit in ", dtype);
  return Immediate::of(v);
}

void detail::fill_raw(const char* op, const Tensor& out, Scalar value) {
  const Immediate immediate = immediate_for(op, value, out.dtype());
  if (out.numel() == 0) return;
  ElementwiseArgs args = elementwise_args(out, {});
  args.immediate = immediate;
  WICK_DISPATCH(out.device(), fill, out.dtype(), args);
}

Tensor& Tensor::fill_(Scalar value) {
  const bool record = wick::is_floating_point(dtype()) && needs_grad(*this);
  check_inplace("fill_", *this, false);
  const Tensor before = record ? previous(*this) : Tensor();
  detail::fill_raw("fill_", *this, value);
  bump_version(*this);
  if (record) {
    record_inplace("fill_", {before}, *this,
                   [](Backward& ctx) -> Grads { return {zeros_like(ctx.grad())}; });
  }
  return *this;
}

Tensor& Tensor::zero_() { return fill_(0); }

}  // namespace wick
