#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <tuple>

// Reductions (core/ops/reduce.cpp). Without dimensions over all elements. Integers and bool are
// summed as int64; mean needs a floating type.
namespace wick {

WICK_API Tensor sum(const Tensor& x, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor sum(const Tensor& x, OptionalIntArrayRef dim, bool keepdim = false,
                    std::optional<DType> dtype = std::nullopt);
WICK_API Tensor mean(const Tensor& x, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor mean(const Tensor& x, OptionalIntArrayRef dim, bool keepdim = false,
                     std::optional<DType> dtype = std::nullopt);
/// The largest element (NaN wins; ties share the gradient evenly); over `dim` also the index of the
/// first one (which alone gets the gradient). Throws ValueError for an empty reduction.
WICK_API Tensor max(const Tensor& x);
WICK_API std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
WICK_API Tensor min(const Tensor& x);
WICK_API std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
WICK_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                       bool keepdim = false);
WICK_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                       bool keepdim = false);
WICK_API Tensor all(const Tensor& x);
WICK_API Tensor any(const Tensor& x);
/// Sums x to `sizes`, to which it must be broadcastable from: the reverse of broadcasting.
WICK_API Tensor sum_to_size(const Tensor& x, IntArrayRef sizes);

}  // namespace wick
