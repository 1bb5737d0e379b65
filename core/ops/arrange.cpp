// Other orders, repetitions, and joining of what has few dimensions.
#include <wick/core/ops/rows.h>
#include <algorithm>

namespace wick {

using detail::checked_dim;
using detail::dim_bits;
using detail::Dims;
using detail::index_options;

int detail::checked_dim(const char* op, const Tensor& x, int64_t dim) {
  WICK_CHECK(ShapeError, x.dim() > 0, op, ": expected a tensor with at least 1 dimension");
  return static_cast<int>(detail::wrap_dim(op, dim, x.dim()));
}

unsigned detail::dim_bits(const char* op, const Tensor& x, IntArrayRef dims) {
  unsigned bits = 0;
  for (const int64_t dim : dims) {
    const unsigned bit = 1u << detail::wrap_dim(op, dim, x.dim());
    WICK_CHECK(ShapeError, (bits & bit) == 0, op, ": dimension ", dim, " is given twice in ", dims);
    bits |= bit;
  }
  return bits;
}

namespace {

/// x as [outer, size, inner] around dim, each row `count` times: `whole` repeats the dimension,
/// else its rows are repeated in place.
Tensor repeated(const Tensor& x, int dim, int64_t count, bool whole) {
  Dims sizes(x.sizes());
  int64_t outer = 1, inner = 1;
  for (int d = 0; d < sizes.n; ++d) (d < dim ? outer : inner) *= d == dim ? 1 : sizes[d];
  const int64_t size = sizes[dim];
  WICK_CHECK(ShapeError, !__builtin_mul_overflow(size, count, &sizes[dim]),
             "repeat: the result has more elements than can be addressed");
  const Tensor rows =
      whole ? x.reshape({outer, 1, size * inner}) : x.reshape({outer * size, 1, inner});
  return rows.expand({-1, count, -1}).reshape(sizes);
}

}  // namespace

// --- other orders

Tensor flip(const Tensor& x, IntArrayRef dims) {
  const unsigned bits = dim_bits("flip", x, dims);
  Tensor y = bits == 0 || x.dim() == 0 ? x.clone() : x;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if ((bits >> d & 1) == 0) continue;
    const int64_t last = x.sizes()[d] - 1;
    y = index_select(y, d, last - arange(last + 1, index_options(x)));
  }
  return y;
}
Tensor fliplr(const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() >= 2, "fliplr: expected at least 2 dimensions, got ", x.sizes());
  return flip(x, {1});
}
Tensor flipud(const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() >= 1, "flipud: expected at least 1 dimension");
  return flip(x, {0});
}

Tensor roll(const Tensor& x, IntArrayRef shifts, IntArrayRef dims) {
  if (dims.empty()) {
    WICK_CHECK(ShapeError, shifts.size() == 1, "roll: expected one shift without dimensions, got ",
               shifts);
    return roll(x.reshape({-1}), shifts, {0}).view(x.sizes());
  }
  WICK_CHECK(ShapeError, shifts.size() == dims.size(),
             "roll: expected as many shifts as "
             "dimensions, got ",
             shifts, " and ", dims);
  Tensor y = x;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int d = checked_dim("roll", x, dims[i]);
    const int64_t size = x.sizes()[d];
    if (size == 0) continue;
    const int64_t start = ((size - shifts[i] % size) % size + size) % size;
    y = cat({y.narrow(d, start, size - start), y.narrow(d, 0, start)}, d);
  }
  return y.is_same(x) ? x.clone() : y;
}

Tensor rot90(const Tensor& x, int64_t k, IntArrayRef dims) {
  WICK_CHECK(ShapeError, dims.size() == 2 && x.dim() >= 2,
             "rot90: expected two dimensions of a "
             "tensor that has at least two, got ",
             dims, " and shape ", x.sizes());
  dim_bits("rot90", x, dims);
  switch ((k % 4 + 4) % 4) {
    case 1:
      return flip(x, dims[1]).transpose(dims[0], dims[1]);
    case 2:
      return flip(x, dims);
    case 3:
      return flip(x, dims[0]).transpose(dims[0], dims[1]);
    default:
      return x.clone();
  }
}

// --- repetitions

Tensor Tensor::repeat(IntArrayRef repeats) const {
  const auto added = static_cast<int64_t>(repeats.size()) - dim();
  WICK_CHECK(ShapeError, added >= 0, "repeat: expected a number for each dimension of ", sizes(),
             ", got ", repeats);
  detail::check_rank("repeat", repeats.size());
  Dims shape;
  for (int64_t d = 0; d < added; ++d) shape.push_back(1);
  for (const int64_t size : sizes()) shape.push_back(size);
  Tensor y = reshape(shape);
  for (int d = 0; d < shape.n; ++d) {
    WICK_CHECK(ValueError, repeats[d] >= 0, "repeat: expected numbers >= 0, got ", repeats);
    if (repeats[d] != 1) y = repeated(y, d, repeats[d], true);
  }
  return y.is_alias_of(*this) ? y.clone() : y;
}

Tensor tile(const Tensor& x, IntArrayRef repeats) {
  detail::check_rank("tile", repeats.size());
  Dims all;
  for (auto d = static_cast<int64_t>(repeats.size()); d < x.dim(); ++d) all.push_back(1);
  for (const int64_t r : repeats) all.push_back(r);
  return x.repeat(all);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  WICK_CHECK(ValueError, repeats >= 0, "repeat_interleave: expected repeats >= 0, got ", repeats);
  const Tensor from = dim && x.dim() > 0 ? x : x.reshape({-1});
  return repeated(from, checked_dim("repeat_interleave", from, dim.value_or(0)), repeats, false);
}

Tensor repeat_interleave(const Tensor& repeats) {
  WICK_CHECK(DTypeError, repeats.dtype() == kInt64 || repeats.dtype() == kInt32,
             "repeat_interleave: expected repeats of type int64 or int32, got ", repeats.dtype());
  WICK_CHECK(ShapeError, repeats.dim() == 1,
             "repeat_interleave: expected repeats of 1 dimension, "
             "got shape ",
             repeats.sizes());
  const std::vector<int64_t> counts = repeats.to_vector<int64_t>();
  int64_t total = 0;
  for (const int64_t count : counts) {
    WICK_CHECK(ValueError, count >= 0, "repeat_interleave: expected repeats >= 0, got ", count);
    WICK_CHECK(ShapeError, !__builtin_add_overflow(total, count, &total),
               "repeat_interleave: the result has more elements than can be addressed");
  }
  const Tensor index = detail::make_checked("repeat_interleave", total, kInt64, Device(kCPU, 0));
  auto* out = index.data_ptr<int64_t>();
  for (size_t row = 0; row < counts.size(); ++row)
    out = std::fill_n(out, counts[row], static_cast<int64_t>(row));
  return index.to(repeats.device());
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim) {
  const Tensor from = dim && x.dim() > 0 ? x : x.reshape({-1});
  const int d = checked_dim("repeat_interleave", from, dim.value_or(0));
  const int64_t size = from.sizes()[d];
  const Tensor counts = repeats.dim() == 0 ? repeats.reshape({1}) : repeats;
  WICK_CHECK(ShapeError, counts.dim() == 1 && (counts.numel() == size || counts.numel() == 1),
             "repeat_interleave: expected repeats of shape [", size, "] or [1], got ",
             repeats.sizes());
  detail::common_device("repeat_interleave", {&x, &repeats});
  return index_select(from, d, repeat_interleave(counts.expand({size})));
}

// --- joining

namespace {
template <class F>
Tensor joined(const char* op, TensorList tensors, F&& at_least, int64_t dim) {
  WICK_CHECK(ValueError, !tensors.empty(), op, ": expected at least one tensor");
  std::vector<Tensor> parts;
  for (const Tensor& x : tensors) parts.push_back(at_least(x));
  return cat(parts, dim < parts[0].dim() ? dim : 0);
}
}  // namespace

Tensor hstack(TensorList tensors) { return joined("hstack", tensors, atleast_1d, 1); }
Tensor vstack(TensorList tensors) { return joined("vstack", tensors, atleast_2d, 0); }
Tensor dstack(TensorList tensors) { return joined("dstack", tensors, atleast_3d, 2); }

// --- methods

#define WICK_METHOD(Return, name, parameters, arguments) \
  Return Tensor::name parameters const { return wick::name arguments; }
WICK_METHOD(Tensor, flip, (IntArrayRef dims), (*this, dims))
WICK_METHOD(Tensor, roll, (IntArrayRef shifts, IntArrayRef dims), (*this, shifts, dims))
WICK_METHOD(Tensor, rot90, (int64_t k, IntArrayRef dims), (*this, k, dims))
WICK_METHOD(Tensor, repeat_interleave, (int64_t repeats, std::optional<int64_t> dim),
            (*this, repeats, dim))
WICK_METHOD(Tensor, repeat_interleave, (const Tensor& repeats, std::optional<int64_t> dim),
            (*this, repeats, dim))
WICK_METHOD(Tensor, tile, (IntArrayRef repeats), (*this, repeats))
#undef WICK_METHOD

}  // namespace wick
