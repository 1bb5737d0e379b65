#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <tuple>

// Sorting and what follows from it (core/ops/sort.cpp, order.cpp). NaN counts as the greatest
// number; positions are int64. Values that are elements of x pass gradients to these.
namespace wick {

/// Values along `dim` in order, and where they were. Always stable.
WICK_API std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim = -1,
                                         bool descending = false);
WICK_API std::tuple<Tensor, Tensor> sort(const Tensor& x, std::optional<bool> stable, int64_t dim,
                                         bool descending = false);
WICK_API Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false);
/// The k largest (smallest) along `dim`, in order whatever `sorted` says; of equal ones the first.
WICK_API std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim = -1,
                                         bool largest = true, bool sorted = true);
/// The k-th smallest, k from 1, and where it is.
WICK_API std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim = -1,
                                             bool keepdim = false);
/// The lower of the middle values; NaN if there is one, or if there are no elements.
WICK_API Tensor median(const Tensor& x);
WICK_API std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim = false);
/// The most frequent value (of several the smallest), and the last place where it is.
WICK_API std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);
/// Where to insert `values` [..., m] into `sorted_sequence` [..., n], ascending along the last
/// dimension, to keep it sorted: before equal elements, or after them with `right`. A sequence of 1
/// dimension goes with values of any shape. Throws DTypeError unless both have one type.
WICK_API Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values,
                             bool out_int32 = false, bool right = false);
WICK_API Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, bool out_int32 = false,
                             bool right = false);
/// searchsorted(boundaries, x) for boundaries of 1 dimension.
WICK_API Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32 = false,
                          bool right = false);
/// The different elements, ascending; with `return_inverse` the position in them of each element of
/// x, with `return_counts` how often each occurs (else empty tensors). Waits for the device.
WICK_API std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& x, bool sorted = true,
                                                     bool return_inverse = false,
                                                     bool return_counts = false);
/// How often each integer from 0 occurs in x (one dimension), int64, or the sums of their weights,
/// float32 or else float64; at least `minlength` numbers. Waits for the device. Throws ValueError
/// for negative elements.
WICK_API Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t minlength = 0);
/// How many elements fall into each of `bins` equal parts of [min, max]; if both are equal, of the
/// range of x. Has x's type, which is floating.
WICK_API Tensor histc(const Tensor& x, int64_t bins = 100, Scalar min = 0, Scalar max = 0);

}  // namespace wick
