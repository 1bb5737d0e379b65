#pragma once

#include <wick/core/reduce_args.h>

// What scans, sorting and reductions share. Internal.
namespace wick::detail {

/// x as [outer, size, inner] around dimension `dim`; a tensor without dimensions has size 1.
struct Split {
  int64_t outer = 1, size = 1, inner = 1;
  Split(const Tensor& x, int64_t dim) {
    for (int64_t d = 0; d < x.dim(); ++d)
      (d < dim ? outer : d > dim ? inner : size) *= x.sizes()[d];
  }
};

/// int64 in the order of x's elements, row-major (kernels/sort.h).
Tensor order_keys(const Tensor& x, bool descending, bool nan_last);
/// Differentiable: y[.., i, ..] = x[.., index[.., i, ..], ..], where both differ in `dim` alone;
/// all of `index`, which is int64, is in range.
Tensor gather_along(const Tensor& x, int64_t dim, const Tensor& index);
/// Sums of squares over `mask` without history, in x's type or float32 for half types.
Tensor sum_squares(const char* name, const Tensor& x, DimMask mask, IntArrayRef sizes);
/// Gradient g of y, a choice of one element of x over the dimensions of `mask`, in equal shares for
/// all elements equal to it.
Tensor share_gradient(const Tensor& g, const Tensor& x, const Tensor& y, DimMask mask);

}  // namespace wick::detail
