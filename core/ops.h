#pragma once

#include <wick/core/ops/attention.h>
#include <wick/core/ops/creation.h>
#include <wick/core/ops/index.h>
#include <wick/core/ops/indexing.h>
#include <wick/core/ops/layer.h>
#include <wick/core/ops/linalg.h>
#include <wick/core/ops/loss.h>
#include <wick/core/ops/pattern.h>
#include <wick/core/ops/pointwise.h>
#include <wick/core/ops/product.h>
#include <wick/core/ops/random.h>
#include <wick/core/ops/reduce.h>
#include <wick/core/ops/resample.h>
#include <wick/core/ops/scan.h>
#include <wick/core/ops/scatter.h>
#include <wick/core/ops/shape.h>
#include <wick/core/ops/sort.h>
#include <wick/core/ops/view.h>

// The free functions. Unless said otherwise: arguments of different types are promoted as in
// PyTorch, shapes broadcast (https://pytorch.org/docs/stable/notes/broadcasting.html), mixed
// devices throw DeviceError (a CPU tensor of 0 dimensions may meet any device), results are new
// tensors, and gradients flow to every floating-point argument.
namespace wick {

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
WICK_API Tensor operator-(Scalar a, const Tensor& b);
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
WICK_API Tensor operator/(Scalar a, const Tensor& b);
#define WICK_COMPARE_OPERATOR(op, name, mirrored)                                    \
  inline Tensor operator op(const Tensor& a, const Tensor& b) { return name(a, b); } \
  inline Tensor operator op(const Tensor& a, Scalar b) { return name(a, b); }        \
  inline Tensor operator op(Scalar a, const Tensor& b) { return mirrored(b, a); }
WICK_COMPARE_OPERATOR(==, eq, eq)
WICK_COMPARE_OPERATOR(!=, ne, ne)
WICK_COMPARE_OPERATOR(<, lt, gt)
WICK_COMPARE_OPERATOR(<=, le, ge)
WICK_COMPARE_OPERATOR(>, gt, lt)
WICK_COMPARE_OPERATOR(>=, ge, le)
#undef WICK_COMPARE_OPERATOR

}  // namespace wick
