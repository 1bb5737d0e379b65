#pragma once

#include <wick/core/tensor.h>
#include <wick/kernels/args.h>

// Making and filling tensors without options and without recording. Internal.
namespace wick::detail {

/// The value as it goes to a kernel for elements of `dtype`. Throws ValueError if the type's range
/// does not hold it (infinities and NaN are values of the floating types; fractions are cut off for
/// integer types, and small negative numbers wrap around for uint8, as in PyTorch).
Immediate immediate_for(const char* op, Scalar value, DType dtype);

/// The largest finite number of a floating type.
double largest_finite(DType dtype);

/// Sets all elements without recording or version bump.
void fill_raw(const char* op, const Tensor& out, Scalar value);

/// Integers of [low, high) into a dense x of any type that holds them.
void draw_integers(const char* op, const Tensor& x, int64_t low, int64_t high);
/// The largest integer up to which `dtype` holds all non-negative ones.
int64_t largest_exact(DType dtype);

}  // namespace wick::detail
