#pragma once

#include <wick/core/iterate.h>
#include <wick/kernels/reduce.h>

// From tensors and dimensions to what the reduction kernels iterate over. Internal.
namespace wick::detail {

/// Bit d is set when dimension d is reduced.
using DimMask = uint32_t;

constexpr DimMask all_dims(int64_t ndim) { return (DimMask{1} << ndim) - 1; }

/// The mask of a list of dimensions; no list and an empty one mean all. Throws IndexError for a
/// dimension out of range and ValueError for a repeated one.
DimMask dim_mask(const char* op, OptionalIntArrayRef dim, int64_t ndim);

/// The sizes that are left; with `keepdim`, reduced dimensions stay with size 1.
Dims reduced_sizes(IntArrayRef sizes, DimMask mask, bool keepdim);

enum class ReduceOrder : uint8_t {
  Memory,   // reduced dimensions sorted so that the innermost in memory is last
  Logical,  // reduced dimensions in the tensor's order: positions are row-major over them
};

/// `x` reduced over `mask` into `out`, which is row-major over the kept dimensions in x's order.
ReduceArgs reduce_args(const Tensor& x, DimMask mask, void* out,
                       ReduceOrder order = ReduceOrder::Memory);

}  // namespace wick::detail
