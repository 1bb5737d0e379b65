#pragma once

#include <wick/core/tensor.h>
#include <string>

// Pointwise (core/ops/pointwise.cpp). Integer arguments of exp, log, sqrt, sigmoid, tanh, gelu
// and of `/` are promoted to the default dtype.
namespace wick {

WICK_API Tensor add(const Tensor& a, const Tensor& b);
WICK_API Tensor add(const Tensor& a, Scalar b);
/// a + alpha * b
WICK_API Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
WICK_API Tensor sub(const Tensor& a, const Tensor& b);
WICK_API Tensor sub(const Tensor& a, Scalar b);
WICK_API Tensor mul(const Tensor& a, const Tensor& b);
WICK_API Tensor mul(const Tensor& a, Scalar b);
/// True division: integers give the default dtype.
WICK_API Tensor div(const Tensor& a, const Tensor& b);
WICK_API Tensor div(const Tensor& a, Scalar b);
/// Integer to a negative integer Scalar throws ValueError; negative elements of an integer exponent
/// tensor give 0 (1 and -1 to any power are themselves).
WICK_API Tensor pow(const Tensor& a, const Tensor& b);
WICK_API Tensor pow(const Tensor& a, Scalar b);
WICK_API Tensor pow(Scalar a, const Tensor& b);
/// The larger (smaller) of the two; a NaN wins. Ties share the gradient.
WICK_API Tensor maximum(const Tensor& a, const Tensor& b);
WICK_API Tensor minimum(const Tensor& a, const Tensor& b);
WICK_API Tensor exp(const Tensor& x);
/// Natural logarithm.
WICK_API Tensor log(const Tensor& x);
WICK_API Tensor sqrt(const Tensor& x);
WICK_API Tensor sigmoid(const Tensor& x);
WICK_API Tensor tanh(const Tensor& x);
/// The error function.
WICK_API Tensor erf(const Tensor& x);
WICK_API Tensor neg(const Tensor& x);
WICK_API Tensor abs(const Tensor& x);
WICK_API Tensor relu(const Tensor& x);
/// x * Phi(x) (https://arxiv.org/abs/1606.08415); `approximate` "none" or "tanh".
WICK_API Tensor gelu(const Tensor& x, const std::string& approximate = "none");
/// condition ? a : b; the condition is bool.
WICK_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
WICK_API Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
WICK_API Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
WICK_API Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
/// Comparisons give bool and no gradient.
#define WICK_DECLARE_COMPARE(name, Name)                  \
  WICK_API Tensor name(const Tensor& a, const Tensor& b); \
  WICK_API Tensor name(const Tensor& a, Scalar b);
WICK_COMPARE_OPS(WICK_DECLARE_COMPARE)
#undef WICK_DECLARE_COMPARE
WICK_API bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol |b| everywhere.
WICK_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                       bool equal_nan = false);

}  // namespace wick
