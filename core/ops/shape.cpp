// Views of several parts, diagonals, grids.
#include <wick/core/ops/rows.h>
#include <algorithm>

namespace wick {

using detail::Dims;

namespace {

/// Views of parts of a dimension, one after the other, as the results of one op. With `drop` the
/// parts have length 1 and lose the dimension.
std::vector<Tensor> split_views(const char* name, const Tensor& x, int dim,
                                const std::vector<int64_t>& lengths, bool drop) {
  const TensorImpl& in = x.impl();
  std::vector<Tensor> parts;
  std::vector<Tensor*> outputs;
  int64_t start = 0;
  for (const int64_t length : lengths) {
    Dims sizes, strides;
    for (int d = 0; d < in.dim(); ++d) {
      if (d == dim && drop) continue;
      sizes.push_back(d == dim ? length : in.size(d));
      strides.push_back(in.stride(d));
    }
    const int64_t offset = in.storage_offset() + (length > 0 ? start * in.stride(dim) : 0);
    parts.push_back(detail::make_view(x, offset, sizes, strides));
    start += length;
  }
  for (Tensor& part : parts) outputs.push_back(&part);
  if (!parts.empty() && in.meta() && needs_grad(x)) {
    const Tensor* inputs[] = {&x};
    record(name, ArrayRef<const Tensor*>(inputs, 1), ArrayRef<Tensor*>(outputs),
           [dim, drop](Backward& ctx) -> Grads {
             std::vector<Tensor> grads;
             for (size_t i = 0; i < ctx.grads().size(); ++i) {
               const Tensor& g = ctx.grad(i);
               const TensorMeta& meta = ctx.node().output_meta(i);
               grads.push_back(g.defined() ? g
                                           : zeros(meta.shape(),
                                                   TensorOptions(meta.dtype).device(meta.device)));
             }
             return {drop ? stack(grads, dim) : cat(grads, dim)};
           });
  }
  return parts;
}

}  // namespace

// --- views

std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim) {
  const int d = detail::checked_dim("split", x, dim);
  const int64_t size = x.sizes()[d];
  WICK_CHECK(ValueError, split_size > 0 || (split_size == 0 && size == 0),
             "split: expected split_size > 0, got ", split_size, " for dimension ", dim,
             " of size ", size);
  std::vector<int64_t> lengths;
  int64_t start = 0;
  do {
    lengths.push_back(std::min(split_size, size - start));
    start += lengths.back();
  } while (start < size);
  return split_views("split", x, d, lengths, false);
}

std::vector<Tensor> split_with_sizes(const Tensor& x, IntArrayRef sizes, int64_t dim) {
  const int d = detail::checked_dim("split_with_sizes", x, dim);
  int64_t left = x.sizes()[d];
  for (const int64_t size : sizes) {
    WICK_CHECK(ShapeError, size >= 0 && size <= left, "split_with_sizes: sizes ", sizes,
               " do not add up to dimension ", dim, " of ", x.sizes());
    left -= size;
  }
  WICK_CHECK(ShapeError, left == 0, "split_with_sizes: sizes ", sizes,
             " do not add up to dimension ", dim, " of ", x.sizes());
  return split_views("split_with_sizes", x, d, sizes.vec(), false);
}

std::vector<Tensor> split(const Tensor& x, IntArrayRef sizes, int64_t dim) {
  return split_with_sizes(x, sizes, dim);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  const int d = detail::checked_dim("chunk", x, dim);
  WICK_CHECK(ValueError, chunks > 0, "chunk: expected chunks > 0, got ", chunks);
  const int64_t size = x.sizes()[d];
  // So many parts of nothing, as in PyTorch.
  if (size == 0)
    return split_views("chunk", x, d, std::vector<int64_t>(static_cast<size_t>(chunks)), false);
  return split(x, (size - 1) / chunks + 1, d);
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  const int d = detail::checked_dim("unbind", x, dim);
  const auto size = static_cast<size_t>(x.sizes()[d]);
  return split_views("unbind", x, d, std::vector<int64_t>(size, 1), true);
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const TensorImpl& in = x.impl();
  const auto a = static_cast<int>(detail::wrap_dim("diagonal", dim1, in.dim()));
  const auto b = static_cast<int>(detail::wrap_dim("diagonal", dim2, in.dim()));
  WICK_CHECK(ShapeError, a != b, "diagonal: expected two different dimensions, got ", dim1, " and ",
             dim2, " of ", in.sizes());
  Dims sizes, strides;
  for (int d = 0; d < in.dim(); ++d) {
    if (d == a || d == b) continue;
    sizes.push_back(in.size(d));
    strides.push_back(in.stride(d));
  }
  // Clamped: an offset of any size may be added to and negated.
  const int64_t shift = std::clamp(offset, -in.size(a), in.size(b));
  const int64_t length = shift >= 0 ? std::min(in.size(a), in.size(b) - shift)
                                    : std::min(in.size(a) + shift, in.size(b));
  sizes.push_back(length);
  strides.push_back(in.stride(a) + in.stride(b));
  int64_t place = in.storage_offset();
  if (length > 0) place += shift >= 0 ? shift * in.stride(b) : -shift * in.stride(a);
  return detail::record_view("diagonal", x, place, sizes, strides, [&] {
    return [shape = Dims(in.sizes()), shift, a, b](Backward& ctx) -> Grads {
      const Tensor& g = ctx.grad();
      Tensor grad = zeros(shape, g.options());
      grad.diagonal(shift, a, b).copy_(g);
      return {grad};
    };
  });
}

Tensor Tensor::unfold(int64_t dimension, int64_t size, int64_t step) const {
  const TensorImpl& in = impl();
  const auto d = static_cast<int>(detail::wrap_dim("unfold", dimension, in.dim()));
  const int64_t length = in.dim() > 0 ? in.size(d) : 1;
  WICK_CHECK(ShapeError, size >= 0 && size <= length, "unfold: expected size in [0, ", length,
             "], the size of dimension ", dimension, ", got ", size);
  WICK_CHECK(ValueError, step > 0, "unfold: expected step > 0, got ", step);
  detail::check_rank("unfold", in.sizes().size() + 1);
  const int64_t stride = in.dim() > 0 ? in.stride(d) : 1, count = (length - size) / step + 1;
  step = std::min(step, std::max<int64_t>(length, 1));  // where there is only one
  Dims sizes(in.sizes()), strides(in.strides());
  if (in.dim() > 0) {
    sizes[d] = count;
    strides[d] = stride * step;
  }
  sizes.push_back(size);
  strides.push_back(stride);
  return detail::record_view("unfold", *this, in.storage_offset(), sizes, strides, [&] {
    return [d, length, size, step, count, scalar = in.dim() == 0](Backward& ctx) -> Grads {
      const Tensor& g = ctx.grad();
      if (scalar) return {size == 1 ? g.squeeze(0) : zeros({}, g.options())};
      const Tensor starts = arange(count, detail::index_options(g)) * step;
      const Tensor index = starts.unsqueeze(1) + arange(size, detail::index_options(g));
      const Tensor rows = g.movedim(-1, d + 1).flatten(d, d + 1);
      return {detail::index_add(FaultOp::AsStrided, rows, d, index.view(-1), length)};
    };
  });
}

Tensor movedim(const Tensor& x, IntArrayRef source, IntArrayRef destination) {
  WICK_CHECK(ShapeError, source.size() == destination.size(),
             "movedim: expected as many "
             "destinations as sources, got ",
             source, " and ", destination);
  const unsigned moved = detail::dim_bits("movedim", x, source);
  detail::dim_bits("movedim", x, destination);
  if (x.dim() == 0) return x.permute({});
  Dims order;
  order.n = static_cast<int>(x.dim());
  std::fill_n(order.v, order.n, -1);
  for (size_t i = 0; i < source.size(); ++i) {
    const int64_t to = detail::wrap_dim("movedim", destination[i], x.dim());
    order[static_cast<int>(to)] = detail::wrap_dim("movedim", source[i], x.dim());
  }
  int next = 0;
  for (int d = 0; d < order.n; ++d) {
    if (order[d] >= 0) continue;
    while ((moved >> next & 1) != 0) ++next;
    order[d] = next++;
  }
  return x.permute(order);
}

Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1) { return transpose(x, dim0, dim1); }
Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1) { return transpose(x, dim0, dim1); }
Tensor t(const Tensor& x) { return x.t(); }
Tensor ravel(const Tensor& x) { return x.reshape({-1}); }
Tensor broadcast_to(const Tensor& x, IntArrayRef sizes) { return x.expand(sizes); }

Tensor unflatten(const Tensor& x, int64_t dim, IntArrayRef sizes) {
  const int at = detail::checked_dim("unflatten", x, dim);
  WICK_CHECK(ShapeError, !sizes.empty(), "unflatten: expected at least one size");
  detail::check_rank("unflatten", static_cast<size_t>(x.dim()) - 1 + sizes.size());
  // Resolved alone: elsewhere may be a 0, with which a -1 could be anything.
  Dims out;
  int64_t known = 1, open = 0;
  for (const int64_t size : sizes) {
    open += size == -1;
    WICK_CHECK(
        ShapeError,
        size >= -1 && open <= 1 && !__builtin_mul_overflow(known, size == -1 ? 1 : size, &known),
        "unflatten: expected sizes that are not negative, except for one -1, got ", sizes);
  }
  const int64_t size = x.sizes()[at];
  WICK_CHECK(ShapeError, open > 0 ? known > 0 && size % known == 0 : known == size,
             "unflatten: sizes ", sizes, " do not multiply to dimension ", dim, " of ", x.sizes());
  for (int d = 0; d < at; ++d) out.push_back(x.sizes()[d]);
  for (const int64_t s : sizes) out.push_back(s == -1 ? size / known : s);
  for (int64_t d = at + 1; d < x.dim(); ++d) out.push_back(x.sizes()[d]);
  return x.reshape(out);
}

std::vector<Tensor> broadcast_tensors(TensorList tensors) {
  Dims shape;
  for (const Tensor& x : tensors)
    shape = detail::broadcast_shapes("broadcast_tensors", shape, x.sizes());
  std::vector<Tensor> out;
  for (const Tensor& x : tensors) out.push_back(x.expand(shape));
  return out;
}

std::vector<Tensor> meshgrid(TensorList tensors, const std::string& indexing) {
  WICK_CHECK(ValueError, !tensors.empty(), "meshgrid: expected at least one tensor");
  WICK_CHECK(ValueError, indexing == "ij" || indexing == "xy",
             "meshgrid: expected indexing to be \"ij\" or \"xy\", got \"", indexing, "\"");
  detail::check_rank("meshgrid", tensors.size());
  Dims shape;
  for (const Tensor& x : tensors) {
    WICK_CHECK(ShapeError, x.dim() <= 1, "meshgrid: expected tensors of at most 1 dimension, got ",
               x.sizes());
    WICK_CHECK(DTypeError, x.dtype() == tensors[0].dtype(),
               "meshgrid: expected tensors of one type, got ", tensors[0].dtype(), " and ",
               x.dtype());
    detail::common_device("meshgrid", {&tensors[0], &x});
    shape.push_back(x.numel());
  }
  std::vector<Tensor> grids;
  for (int i = 0; i < shape.n; ++i) {
    Dims own;
    for (int d = 0; d < shape.n; ++d) own.push_back(d == i ? shape[d] : 1);
    Tensor grid = tensors[i].reshape(own).expand(shape);
    grids.push_back(indexing == "xy" && shape.n > 1 ? grid.transpose(0, 1) : grid);
  }
  return grids;
}

Tensor atleast_1d(const Tensor& x) { return x.dim() == 0 ? x.reshape({1}) : x; }
Tensor atleast_2d(const Tensor& x) { return x.dim() < 2 ? atleast_1d(x).unsqueeze(0) : x; }
Tensor atleast_3d(const Tensor& x) { return x.dim() < 3 ? atleast_2d(x).unsqueeze(-1) : x; }

// --- another shape in place

namespace {
template <class F>
Tensor& reshape_inplace(const char* op, Tensor& x, F&& view) {
  WICK_CHECK(AutogradError, !x.requires_grad() && !x.is_view(), op,
             ": expected a tensor that is no ",
             "view and requires no gradient; assign the result of the op without _");
  x.set_data(view(x));
  return x;
}
}  // namespace

Tensor& Tensor::transpose_(int64_t dim0, int64_t dim1) {
  return reshape_inplace("transpose_", *this,
                         [&](const Tensor& x) { return x.transpose(dim0, dim1); });
}
Tensor& Tensor::t_() {
  return reshape_inplace("t_", *this, [](const Tensor& x) { return x.t(); });
}
Tensor& Tensor::squeeze_() {
  return reshape_inplace("squeeze_", *this, [](const Tensor& x) { return x.squeeze(); });
}
Tensor& Tensor::squeeze_(int64_t dim) {
  return reshape_inplace("squeeze_", *this, [&](const Tensor& x) { return x.squeeze(dim); });
}
Tensor& Tensor::unsqueeze_(int64_t dim) {
  return reshape_inplace("unsqueeze_", *this, [&](const Tensor& x) { return x.unsqueeze(dim); });
}

// --- methods

#define WICK_METHOD(Return, name, parameters, arguments) \
  Return Tensor::name parameters const { return wick::name arguments; }
WICK_METHOD(std::vector<Tensor>, split, (int64_t split_size, int64_t dim), (*this, split_size, dim))
WICK_METHOD(std::vector<Tensor>, split, (IntArrayRef sizes, int64_t dim), (*this, sizes, dim))
WICK_METHOD(std::vector<Tensor>, split_with_sizes, (IntArrayRef sizes, int64_t dim),
            (*this, sizes, dim))
WICK_METHOD(std::vector<Tensor>, chunk, (int64_t chunks, int64_t dim), (*this, chunks, dim))
WICK_METHOD(std::vector<Tensor>, unbind, (int64_t dim), (*this, dim))
WICK_METHOD(Tensor, diagonal, (int64_t offset, int64_t dim1, int64_t dim2),
            (*this, offset, dim1, dim2))
WICK_METHOD(Tensor, movedim, (IntArrayRef source, IntArrayRef destination),
            (*this, source, destination))
WICK_METHOD(Tensor, unflatten, (int64_t dim, IntArrayRef sizes), (*this, dim, sizes))
#undef WICK_METHOD

}  // namespace wick
