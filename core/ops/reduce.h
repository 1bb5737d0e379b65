#pragma once

#include <wick/core/tensor.h>
#include <concepts>
#include <optional>
#include <tuple>

// Reductions (core/ops/reduce.cpp, statistics.cpp). Without dimensions, or with an empty list, over
// all elements; with `keepdim` reduced dimensions stay with size 1. Integers and bool are summed
// and multiplied as int64; mean, var, std, norm and logsumexp need a floating type.
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
/// The product; of nothing, 1. The gradient is right where elements are 0.
WICK_API Tensor prod(const Tensor& x, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false,
                     std::optional<DType> dtype = std::nullopt);
/// The largest (smallest) elements; a NaN wins, ties share the gradient evenly. Throws ValueError
/// for an empty reduction.
WICK_API Tensor amax(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
WICK_API Tensor amin(const Tensor& x, IntArrayRef dim = {}, bool keepdim = false);
/// amin and amax.
WICK_API std::tuple<Tensor, Tensor> aminmax(const Tensor& x,
                                            std::optional<int64_t> dim = std::nullopt,
                                            bool keepdim = false);
/// Whether all (any) elements differ from 0: bool, of uint8 uint8.
WICK_API Tensor all(const Tensor& x, OptionalIntArrayRef dim = std::nullopt, bool keepdim = false);
WICK_API Tensor any(const Tensor& x, OptionalIntArrayRef dim = std::nullopt, bool keepdim = false);
/// How many elements differ from 0 (int64).
WICK_API Tensor count_nonzero(const Tensor& x, OptionalIntArrayRef dim = std::nullopt);

/// Sum of squared distances from the mean / (n - correction); `correction` may be given as
/// LibTorch's `unbiased`, true or false.
WICK_API Tensor var(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                    std::optional<int64_t> correction = 1, bool keepdim = false);
/// The square root of var, whose gradient is 0 where it is 0.
WICK_API Tensor std(const Tensor& x, OptionalIntArrayRef dim = std::nullopt,
                    std::optional<int64_t> correction = 1, bool keepdim = false);
/// var (std) and mean.
WICK_API std::tuple<Tensor, Tensor> var_mean(const Tensor& x,
                                             OptionalIntArrayRef dim = std::nullopt,
                                             std::optional<int64_t> correction = 1,
                                             bool keepdim = false);
WICK_API std::tuple<Tensor, Tensor> std_mean(const Tensor& x,
                                             OptionalIntArrayRef dim = std::nullopt,
                                             std::optional<int64_t> correction = 1,
                                             bool keepdim = false);
#define WICK_UNBIASED(name)                                         \
  auto name(const Tensor& x, std::same_as<bool> auto unbiased) {    \
    return name(x, std::nullopt, std::optional<int64_t>(unbiased)); \
  }
WICK_UNBIASED(var)
WICK_UNBIASED(std)
WICK_UNBIASED(var_mean)
WICK_UNBIASED(std_mean)
#undef WICK_UNBIASED
/// (sum |x|^p)^(1/p); with p = 0 how many are not 0, with infinity (-infinity) the largest
/// (smallest) |x|. The gradient is 0 where the norm is 0.
WICK_API Tensor norm(const Tensor& x, Scalar p = 2);
WICK_API Tensor norm(const Tensor& x, std::optional<Scalar> p, IntArrayRef dim,
                     bool keepdim = false, std::optional<DType> dtype = std::nullopt);
/// log(sum(exp(x))), without overflow.
WICK_API Tensor logsumexp(const Tensor& x, IntArrayRef dim, bool keepdim = false);
/// Sums x to `sizes`, to which it must be broadcastable from: the reverse of broadcasting.
WICK_API Tensor sum_to_size(const Tensor& x, IntArrayRef sizes);

}  // namespace wick
