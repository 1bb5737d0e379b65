#pragma once

#include <wick/core/autograd.h>

// Histories of views whose base was changed in place. Internal.
namespace wick::detail {

/// If the base of the view `impl` changed since its history was recorded, records it anew.
void refresh_view_history(TensorImpl& impl);

/// Sizes, strides and offset in a storage.
struct Geometry {
  int64_t sizes[kMaxRank];
  int64_t strides[kMaxRank];
  int ndim = 0;
  int64_t offset = 0;
  explicit Geometry(const TensorImpl& impl);
  Geometry(IntArrayRef sizes, IntArrayRef strides, int64_t offset);
  IntArrayRef shape() const { return {sizes, static_cast<size_t>(ndim)}; }
  IntArrayRef steps() const { return {strides, static_cast<size_t>(ndim)}; }
};
/// Whether two elements of the geometry may share a place.
bool overlaps(const Geometry& geometry);
/// The gradient of as_strided: `grad` has the geometry `view`; the result has the base's sizes.
/// Differentiable. Elements that the view repeats are summed.
Tensor as_strided_backward(const Tensor& grad, const Geometry& base, const Geometry& view);

/// The same for any two geometries of one storage, also where the view reaches outside `base` or
/// the base's own elements share places.
Tensor strided_gradient(const Tensor& grad, const Geometry& base, const Geometry& view);

}  // namespace wick::detail
