#include <wick/core/ops/rows.h>

namespace wick {

using detail::Dims;

IndexArgs detail::index_args(FaultOp op, const Tensor& x, int64_t dim, int64_t count) {
  IndexArgs args;
  args.op = op;
  args.dtype = x.dtype();
  args.count = count;
  args.size = 1;  // of a tensor without dimensions
  for (int64_t d = 0; d < x.dim(); ++d) {
    const int64_t size = x.sizes()[d];
    if (d < dim) {
      args.outer *= size;
    } else if (d == dim) {
      args.size = size;
    } else {
      args.inner *= size;
    }
  }
  return args;
}

Tensor detail::checked_index(const char* op, const Tensor& x, const Tensor& index) {
  WICK_CHECK(DTypeError, index.dtype() == DType::Int64 || index.dtype() == DType::Int32, op,
             ": expected an index of type int64 or int32, got ", index.dtype(),
             "; convert it with .to(kInt64)");
  detail::common_device(op, {&x, &index});
  return detail::contiguous_raw(detail::cast_raw(index, DType::Int64));
}

namespace {

/// y[..., i, ...] = x[..., index[i], ...]; y has the shape `sizes`.
Tensor pick(const char* name, FaultOp op, const Tensor& x, int64_t dim, const Tensor& index,
            IntArrayRef sizes) {
  Tensor y = detail::make_checked(name, sizes, x.dtype(), x.device());
  if (index.numel() > 0) {  // also for rows of nothing: the index is checked
    const Tensor in = detail::contiguous_raw(x);
    const IndexArgs args = detail::index_args(op, x, dim, index.numel());
    WICK_DISPATCH(x.device(), index_select, args, in.data_ptr(), index.data_ptr<int64_t>(),
                  y.data_ptr());
  }
  return y;
}

}  // namespace

Tensor detail::index_add(FaultOp op, const Tensor& x, int64_t dim, const Tensor& index,
                         int64_t size, int64_t skip) {
  Dims sizes(x.sizes());
  if (sizes.n > 0) sizes[static_cast<int>(dim)] = size;
  Tensor y = make_empty(sizes, x.dtype(), x.device());
  y.zero_();
  if (x.numel() > 0 && y.numel() > 0) {
    const Tensor in = contiguous_raw(x);
    const IndexArgs args = index_args(op, y, dim, index.numel());
    WICK_DISPATCH(x.device(), index_add, args, in.data_ptr(), index.data_ptr<int64_t>(), skip,
                  y.data_ptr());
  }
  if (needs_grad(x)) {
    record("index_add", {x}, y, [index = save(index), dim, skip](Backward& ctx) -> Grads {
      const Tensor rows = ctx.unpack(index);
      const Tensor picked = index_select(ctx.grad(), dim, rows);
      if (skip < 0) return {picked};
      Dims shape;  // of the rows' numbers, to broadcast over what was picked
      for (int64_t d = 0; d < picked.dim(); ++d) shape.push_back(d == dim ? rows.numel() : 1);
      return {masked_fill(picked, (rows == skip).view(shape), 0)};
    });
  }
  return y;
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  constexpr const char* op = "index_select";
  dim = detail::wrap_dim(op, dim, x.dim());
  WICK_CHECK(ShapeError, index.dim() <= 1, "index_select: expected an index of at most 1 dimension",
             ", got shape ", index.sizes());
  WICK_CHECK(ShapeError, x.dim() > 0 || index.numel() == 1, "index_select: expected an index of 1 ",
             "element for a tensor without dimensions, got shape ", index.sizes());
  const Tensor rows = detail::checked_index(op, x, index);
  Dims sizes(x.sizes());
  if (sizes.n > 0) sizes[static_cast<int>(dim)] = index.numel();
  Tensor y = pick(op, FaultOp::IndexSelect, x, dim, rows, sizes);
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record(op, {x}, y,
           [index = save(rows), dim,
            size = x.dim() > 0 ? x.sizes()[dim] : int64_t{1}](Backward& ctx) -> Grads {
             return {
                 detail::index_add(FaultOp::IndexSelect, ctx.grad(), dim, ctx.unpack(index), size)};
           });
  }
  return y;
}

Tensor embedding(const Tensor& weight, const Tensor& index, int64_t padding_idx) {
  constexpr const char* op = "embedding";
  WICK_CHECK(ShapeError, weight.dim() == 2, "embedding: expected weight of shape [num, dim], got ",
             weight.sizes());
  const int64_t num = weight.sizes()[0];
  WICK_CHECK(ValueError, padding_idx >= -1 && padding_idx < num,
             "embedding: expected padding_idx in [0, ", num, ") or -1 for none, got ", padding_idx);
  const Tensor rows = detail::checked_index(op, weight, index);
  detail::check_rank(op, static_cast<size_t>(index.dim()) + 1);
  Dims sizes(index.sizes());
  sizes.push_back(weight.sizes()[1]);
  Tensor y = pick(op, FaultOp::Embedding, weight, 0, rows, sizes);
  if (is_floating_point(weight.dtype()) && needs_grad(weight)) {
    record(op, {weight}, y,
           [index = save(rows), num, dim = weight.sizes()[1], padding_idx](Backward& ctx) -> Grads {
             const Tensor rows = ctx.unpack(index);
             return {detail::index_add(FaultOp::Embedding, ctx.grad().reshape({rows.numel(), dim}),
                                       0, rows.view(-1), num, padding_idx)};
           });
  }
  return y;
}

// --- joining

namespace {

/// A tensor of shape [0] joins anything, whatever its type would promote to.
bool is_placeholder(const Tensor& t) { return t.dim() == 1 && t.numel() == 0; }

struct Join {
  Dims sizes;  // of the result
  DType dtype;
  int64_t dim;
};

Join checked_join(TensorList tensors, int64_t dim) {
  WICK_CHECK(ValueError, !tensors.empty(), "cat: expected at least one tensor");
  const Tensor* like = nullptr;
  for (size_t i = 0; i < tensors.size(); ++i) {
    WICK_CHECK(ShapeError, tensors[i].dim() > 0, "cat: tensor ", i,
               " has no dimensions; use stack() or unsqueeze(0)");
    detail::common_device("cat", {&tensors[0], &tensors[i]});
    if (!like || is_placeholder(*like)) like = &tensors[i];
  }
  Join join;
  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there is a tensor, so `like` is one
  join.dim = detail::wrap_dim("cat", dim, like->dim());
  join.dtype = tensors[0].dtype();
  join.sizes = Dims(like->sizes());
  int64_t& total = join.sizes[static_cast<int>(join.dim)];
  total = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    join.dtype = promote_types(join.dtype, t.dtype());
    if (is_placeholder(t)) continue;
    bool fits = t.dim() == like->dim();
    for (int64_t d = 0; fits && d < t.dim(); ++d)
      fits = d == join.dim || t.sizes()[d] == like->sizes()[d];
    WICK_CHECK(ShapeError, fits, "cat: expected sizes that agree in all but dimension ", join.dim,
               ", got ", like->sizes(), " and, as tensor ", i, ", ", t.sizes());
    WICK_CHECK(ShapeError, !__builtin_add_overflow(total, t.sizes()[join.dim], &total),
               "cat: the result has more elements than can be addressed");
  }
  return join;
}

/// The part of a joined tensor that came from one input.
struct Part {
  int64_t start, size;
  DType dtype;
};

void record_cat(TensorList tensors, Tensor& y, int64_t dim) {
  InlineVector<const Tensor*, 8> inputs;
  InlineVector<Part, 4> parts;
  int64_t start = 0;
  for (const Tensor& t : tensors) {
    inputs.push_back(&t);
    // A placeholder has no part: its gradient is zero.
    parts.push_back({start, is_placeholder(t) && y.dim() != 1 ? -1 : t.sizes()[dim], t.dtype()});
    if (parts.back().size > 0) start += parts.back().size;
  }
  Tensor* outputs[] = {&y};
  record("cat", ArrayRef<const Tensor*>(inputs), ArrayRef<Tensor*>(outputs, 1),
         [parts = std::move(parts), dim](Backward& ctx) -> Grads {
           Grads grads;
           grads.reserve(parts.size());
           for (uint32_t i = 0; i < parts.size(); ++i) {
             const Part& part = parts[i];
             grads.push_back(ctx.needs(i) && part.size >= 0
                                 ? ctx.grad().narrow(dim, part.start, part.size).to(part.dtype)
                                 : Tensor());
           }
           return grads;
         });
}

}  // namespace

Tensor cat(TensorList tensors, int64_t dim) {
  const Join join = checked_join(tensors, dim);
  Tensor y = detail::make_checked("cat", join.sizes, join.dtype, tensors[0].device());
  InlineVector<const Tensor*, 8> inputs;
  const int64_t step = y.strides()[join.dim];
  int64_t offset = 0;
  for (const Tensor& t : tensors) {
    inputs.push_back(&t);
    if (is_placeholder(t)) continue;
    detail::copy_raw(detail::alias_raw(y, t.sizes(), y.strides(), offset), t);
    offset += t.sizes()[join.dim] * step;
  }
  if (is_floating_point(join.dtype) && GradMode::is_enabled() &&
      detail::any_requires_grad(ArrayRef<const Tensor*>(inputs)))
    record_cat(tensors, y, join.dim);
  return y;
}

Tensor stack(TensorList tensors, int64_t dim) {
  WICK_CHECK(ValueError, !tensors.empty(), "stack: expected at least one tensor");
  dim = detail::wrap_dim("stack", dim, tensors[0].dim() + 1);
  InlineVector<Tensor, 8> rows;
  rows.reserve(static_cast<uint32_t>(tensors.size()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    WICK_CHECK(ShapeError, tensors[i].sizes() == tensors[0].sizes(),
               "stack: expected tensors of one shape, got ", tensors[0].sizes(), " and, as tensor ",
               i, ", ", tensors[i].sizes());
    rows.push_back(tensors[i].unsqueeze(dim));
  }
  return cat(TensorList(rows), dim);
}

// --- methods

Tensor Tensor::index_select(int64_t dim, const Tensor& index) const {
  return wick::index_select(*this, dim, index);
}

}  // namespace wick
