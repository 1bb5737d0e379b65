#pragma once

#include <wick/core/tensor.h>
#include <optional>
#include <string>
#include <vector>

// Further views and rearrangements (core/ops/shape.cpp, core/ops/arrange.cpp). Dimensions may be
// negative.
namespace wick {

// --- views
/// Parts of `split_size` (the last may be smaller) or of the given sizes, which must add up.
WICK_API std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
WICK_API std::vector<Tensor> split(const Tensor& x, IntArrayRef sizes, int64_t dim = 0);
WICK_API std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef sizes, int64_t dim = 0);
/// Parts of ceil(size / chunks): perhaps fewer than `chunks`.
WICK_API std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
/// One view for each index of the dimension, without it.
WICK_API std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);
/// The elements [i, i + offset] of dim1 and dim2, which are replaced by a last dimension.
WICK_API Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
/// Dimensions `source` at the places `destination`, the others in order.
WICK_API Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination);
WICK_API Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1);
WICK_API Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1);
WICK_API Tensor t(const Tensor& x);
/// Dimension `dim` as several, of which one size may be -1. A view if possible.
WICK_API Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes);
WICK_API Tensor ravel(const Tensor& x);
WICK_API Tensor broadcast_to(const Tensor& x, IntArrayRef sizes);
WICK_API std::vector<Tensor> broadcast_tensors(TensorList tensors);
/// Coordinate grids of 0- or 1-dimensional tensors; `indexing` "ij" or "xy" (the first two
/// dimensions swapped).
WICK_API std::vector<Tensor> meshgrid(TensorList tensors, const std::string& indexing = "ij");
/// At least 1, 2 or 3 dimensions: [n] becomes [1, n] and [1, n, 1], [n, m] becomes [n, m, 1].
WICK_API Tensor atleast_1d(const Tensor& x);
WICK_API Tensor atleast_2d(const Tensor& x);
WICK_API Tensor atleast_3d(const Tensor& x);

// --- copies
/// The order reversed along the dimensions.
WICK_API Tensor flip(const Tensor& x, IntArrayRef dims);
WICK_API Tensor fliplr(const Tensor& x);
WICK_API Tensor flipud(const Tensor& x);
/// Elements moved along, those of the end to the beginning; without dims in the flattened tensor.
WICK_API Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims = {});
/// Turned by k * 90 degrees from the first towards the second dimension.
WICK_API Tensor rot90(const Tensor& x, int64_t k = 1, IntArrayRef dims = {0, 1});
/// Each element (or each row of `dim`) `repeats` times in place; a tensor has a number for each
/// (or one for all), and is read on the host. Of repeats alone: the indices.
WICK_API Tensor repeat_interleave(const Tensor& repeats);
WICK_API Tensor repeat_interleave(const Tensor& x, int64_t repeats,
                                  std::optional<int64_t> dim = std::nullopt);
WICK_API Tensor repeat_interleave(const Tensor& x, const Tensor& repeats,
                                  std::optional<int64_t> dim = std::nullopt);
/// Tensor::repeat, for which missing numbers in front are 1.
WICK_API Tensor tile(const Tensor& x, IntArrayRef repeats);
/// cat of tensors with at least 1, 2, 3 dimensions along dimension 1 (0 for vectors), 0, 2.
WICK_API Tensor hstack(TensorList tensors);
WICK_API Tensor vstack(TensorList tensors);
WICK_API Tensor dstack(TensorList tensors);

}  // namespace wick
