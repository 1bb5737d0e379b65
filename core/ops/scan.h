#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <tuple>

// Running results along one dimension (core/ops/scan.cpp); results have the shape of x.
namespace wick {

/// Sums (products) of all elements up to each one. Integers and bool as int64.
WICK_API Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
/// The largest (smallest) element so far and its position (int64), of equal ones the last; a NaN
/// wins. The gradient goes to that element.
WICK_API std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim);
WICK_API std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim);

}  // namespace wick
