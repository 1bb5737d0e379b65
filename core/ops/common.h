#pragma once

#include <wick/core/autograd.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/kernels/fault.h>

// Checks and small helpers that the ops on non-pointwise kernels share. Internal.
namespace wick::detail {

inline void require_floating(const char* op, const Tensor& x) {
  WICK_CHECK(DTypeError, is_floating_point(x.dtype()), op,
             ": expected a floating-point tensor, got ", x.dtype(),
             "; convert it with .to(kFloat32)");
}

/// `name` is what the caller knows `t` as.
inline void require_dtype(const char* op, const char* name, const Tensor& t, DType dtype) {
  WICK_CHECK(DTypeError, t.dtype() == dtype, op, ": expected ", name, " of type ", dtype,
             " (as the first argument), got ", t.dtype(), "; convert one with .to(dtype)");
}

/// A vector of `size` elements, or undefined.
inline void require_vector(const char* op, const char* name, const Tensor& t, int64_t size) {
  WICK_CHECK(ShapeError, !t.defined() || (t.dim() == 1 && t.size(0) == size), op, ": expected ",
             name, " of shape [", size, "], got ", t.sizes());
}

/// The type in which kernels keep statistics and sums of `dtype`.
inline DType stats_dtype(DType dtype) { return is_reduced_float(dtype) ? DType::Float32 : dtype; }

/// make_empty for sizes that are not bounded by those of an existing tensor.
inline Tensor make_checked(const char* op, IntArrayRef sizes, DType dtype, Device device) {
  checked_numel(op, sizes);
  return make_empty(sizes, dtype, device);
}

/// The same elements in another geometry, unknown to autograd.
inline Tensor alias_raw(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                        int64_t offset = 0) {
  return Tensor(
      TensorImpl::make(x.storage(), x.storage_offset() + offset, sizes, strides, x.dtype()));
}

/// The view of x with the given geometry; `backward()` makes its reverse. Without metadata x cannot
/// need a gradient.
template <class F>
Tensor record_view(const char* name, const Tensor& x, int64_t offset, IntArrayRef sizes,
                   IntArrayRef strides, F&& backward) {
  Tensor y = make_view(x, offset, sizes, strides);
  if (x.impl().meta() && needs_grad(x)) record(name, {x}, y, backward());
  return y;
}

inline void* data_or_null(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// What backward needs only for another input's gradient.
inline SavedTensor save_if(bool wanted, const Tensor& t) {
  return wanted ? save(t) : SavedTensor();
}

/// x and target of a loss in their common floating type; checks that they have one shape.
std::pair<Tensor, Tensor> compared(const char* op, const Tensor& x, const Tensor& target);
Tensor reduce_loss(const Tensor& x, Reduction reduction);

/// Differentiable: (sum |x|^p)^(1 / p) over `dim`, p > 0 or infinite. Its gradient at 0 is 0.
Tensor vector_norm(const char* op, const Tensor& x, double p, int64_t dim, bool keepdim);

/// Differentiable: zeros of x's sizes with `size` in dimension `dim`, to whose rows `index` those
/// of x are added; rows with index `skip` are left out. The reverse of index_select.
Tensor index_add(FaultOp op, const Tensor& x, int64_t dim, const Tensor& index, int64_t size,
                 int64_t skip = -1);

}  // namespace wick::detail
