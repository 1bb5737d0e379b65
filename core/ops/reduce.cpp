#include <wick/core/ops/common.h>
#include <wick/core/ops/order.h>
#include <vector>

namespace wick {

using detail::DimMask;
using detail::Dims;

namespace {

Tensor reduce_raw(ReduceOp op, const Tensor& x, DType out_type, DimMask mask, IntArrayRef sizes,
                  const char* name) {
  Tensor y = detail::make_checked(name, sizes, out_type, x.device());
  if (y.numel() > 0) {
    const ReduceArgs args = detail::reduce_args(x, mask, y.data_ptr());
    WICK_DISPATCH(x.device(), reduce, op, x.dtype(), out_type, args);
  }
  return y;
}

/// The reverse of a sum: g, with the reduced dimensions of size 1 or left out, spread over `sizes`.
Tensor spread(const Tensor& g, const Dims& sizes, DimMask mask, bool create_graph) {
  const bool kept = g.dim() == sizes.n;
  if (create_graph) {
    return (kept ? g : g.reshape(detail::reduced_sizes(sizes, mask, true))).expand(sizes);
  }
  Dims strides;
  int64_t from = 0;
  for (int d = 0; d < sizes.n; ++d) {
    const bool reduced = mask >> d & 1;
    strides.push_back(reduced ? 0 : g.strides()[from]);
    if (kept || !reduced) ++from;
  }
  return detail::alias_raw(g, sizes, strides);
}

/// sum and mean of x, which has its final type.
Tensor add_up(const char* name, ReduceOp op, const Tensor& x, DType out_type, DimMask mask,
              IntArrayRef sizes) {
  Tensor y = reduce_raw(op, x, out_type, mask, sizes, name);
  if (is_floating_point(out_type) && needs_grad(x)) {
    // One output is the average of so many inputs.
    const int64_t count =
        op == ReduceOp::Mean && y.numel() > 0 ? x.numel() / y.numel() : int64_t{1};
    record(name, {x}, y, [sizes = Dims(x.sizes()), mask, count](Backward& ctx) -> Grads {
      const Tensor& g = ctx.grad();
      return {spread(count == 1 ? g : g / count, sizes, mask, ctx.create_graph())};
    });
  }
  return y;
}

DType sum_type(const Tensor& x, std::optional<DType> dtype) {
  if (dtype) return *dtype;
  return is_floating_point(x.dtype()) ? x.dtype() : DType::Int64;
}

Tensor sum_over(const Tensor& x, DimMask mask, bool keepdim, std::optional<DType> dtype) {
  const DType out_type = sum_type(x, dtype);
  const Dims sizes = detail::reduced_sizes(x.sizes(), mask, keepdim);
  if (out_type == DType::Bool) return reduce_raw(ReduceOp::Any, x, out_type, mask, sizes, "sum");
  if (is_floating_point(out_type))
    return add_up("sum", ReduceOp::Sum, x.to(out_type), out_type, mask, sizes);
  // Integers wrap around, so the sum may be taken as int64 and cut off.
  const Tensor from = is_floating_point(x.dtype()) ? detail::cast_raw(x, out_type) : x;
  return detail::cast_raw(add_up("sum", ReduceOp::Sum, from, DType::Int64, mask, sizes), out_type);
}

Tensor mean_over(const Tensor& x, DimMask mask, bool keepdim, std::optional<DType> dtype) {
  const DType type = dtype.value_or(x.dtype());
  WICK_CHECK(DTypeError, is_floating_point(type), "mean: expected a floating-point ",
             dtype ? "dtype" : "tensor", ", got ", type, "; pass dtype = kFloat32 or use sum()");
  const Dims sizes = detail::reduced_sizes(x.sizes(), mask, keepdim);
  return add_up("mean", ReduceOp::Mean, x.to(type), type, mask, sizes);
}

}  // namespace

Tensor sum(const Tensor& x, std::optional<DType> dtype) {
  return sum_over(x, detail::all_dims(x.dim()), false, dtype);
}

Tensor sum(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  return sum_over(x, detail::dim_mask("sum", dim, x.dim()), keepdim, dtype);
}

Tensor mean(const Tensor& x, std::optional<DType> dtype) {
  return mean_over(x, detail::all_dims(x.dim()), false, dtype);
}

Tensor mean(const Tensor& x, OptionalIntArrayRef dim, bool keepdim, std::optional<DType> dtype) {
  return mean_over(x, detail::dim_mask("mean", dim, x.dim()), keepdim, dtype);
}

Tensor sum_to_size(const Tensor& x, IntArrayRef sizes) {
  if (x.sizes() == sizes) return x;
  const int64_t leading = x.dim() - static_cast<int64_t>(sizes.size());
  DimMask mask = leading > 0 ? detail::all_dims(leading) : 0;
  bool fits = leading >= 0;
  for (int64_t d = 0; fits && d < static_cast<int64_t>(sizes.size()); ++d) {
    if (sizes[d] == x.sizes()[leading + d]) continue;
    fits = sizes[d] == 1;
    mask |= DimMask{1} << (leading + d);
  }
  WICK_CHECK(ShapeError, fits, "sum_to_size: ", sizes, " does not broadcast to ", x.sizes());
  const DType type = sum_type(x, std::nullopt);
  Tensor y = reduce_raw(ReduceOp::Sum, x, type, mask, sizes, "sum_to_size");
  if (is_floating_point(type) && needs_grad(x)) {
    record("sum_to_size", {x}, y,
           [to = Dims(x.sizes())](Backward& ctx) -> Grads { return {ctx.grad().expand(to)}; });
  }
  return y;
}

Tensor detail::sum_squares(const char* name, const Tensor& x, DimMask mask, IntArrayRef sizes) {
  return reduce_raw(ReduceOp::SumSquares, x, stats_dtype(x.dtype()), mask, sizes, name);
}

// --- extremes

Tensor detail::share_gradient(const Tensor& g, const Tensor& x, const Tensor& y, DimMask mask) {
  const Dims kept = reduced_sizes(x.sizes(), mask, true);
  const Tensor in = x.detach();
  // If the result is a NaN, every NaN is a tie; if not, there are none.
  const Tensor ties = maximum(in == y.detach().view(kept), in != in);
  return where(ties, g.reshape(kept) / sum_over(ties, mask, true, {}), 0.0);
}

namespace {

Tensor extreme(const char* name, ReduceOp op, const Tensor& x, DimMask mask, bool keepdim) {
  const Dims sizes = detail::reduced_sizes(x.sizes(), mask, keepdim);
  for (int64_t d = 0; d < x.dim(); ++d) {
    WICK_CHECK(ValueError, !(mask >> d & 1) || x.sizes()[d] > 0, name,
               ": expected at least one element, got shape ", x.sizes());
  }
  Tensor y = reduce_raw(op, x, x.dtype(), mask, sizes, name);
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record(name, {x}, y, [x = save(x), y = save_output(y), mask](Backward& ctx) -> Grads {
      return {detail::share_gradient(ctx.grad(), ctx.unpack(x), ctx.unpack(y), mask)};
    });
  }
  return y;
}

struct IndexedDim {
  DimMask mask;
  int64_t dim;
  Dims sizes;
};

IndexedDim indexed_dim(const char* name, const Tensor& x, int64_t dim, bool keepdim) {
  IndexedDim r;
  r.dim = detail::wrap_dim(name, dim, x.dim());
  r.mask = x.dim() == 0 ? 0 : DimMask{1} << r.dim;
  r.sizes = detail::reduced_sizes(x.sizes(), r.mask, keepdim);
  WICK_CHECK(ValueError, x.dim() == 0 || x.size(r.dim) > 0, name, ": expected dimension ", dim,
             " to have at least one element, got shape ", x.sizes());
  return r;
}

void reduce_index_raw(ReduceOp op, const Tensor& x, DimMask mask, Tensor* values,
                      const Tensor& indices) {
  if (indices.numel() == 0) return;
  const ReduceArgs args = detail::reduce_args(x, mask, nullptr, detail::ReduceOrder::Logical);
  void* out = values ? values->data_ptr() : nullptr;
  WICK_DISPATCH(x.device(), reduce_index, op, x.dtype(), args, out, indices.data_ptr<int64_t>());
}

std::tuple<Tensor, Tensor> extreme_of_dim(const char* name, ReduceOp op, const Tensor& x,
                                          int64_t dim, bool keepdim) {
  const IndexedDim r = indexed_dim(name, x, dim, keepdim);
  Tensor values = detail::make_checked(name, r.sizes, x.dtype(), x.device());
  Tensor indices = detail::make_empty(r.sizes, DType::Int64, x.device());
  reduce_index_raw(op, x, r.mask, &values, indices);
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record(name, {x}, values,
           [indices = save(indices), dim = r.dim, size = x.dim() == 0 ? 1 : x.size(r.dim),
            ndim = x.dim(), keepdim](Backward& ctx) -> Grads {
             const Tensor& g = ctx.grad();
             if (ndim == 0) return {g};
             const Tensor index = ctx.unpack(indices);
             Dims shape;  // the positions along dim, to compare with
             for (int64_t d = 0; d < ndim; ++d) shape.push_back(d == dim ? size : 1);
             const Tensor positions = arange(size, index.options()).view(shape);
             return {where((keepdim ? index : index.unsqueeze(dim)) == positions,
                           keepdim ? g : g.unsqueeze(dim), 0.0)};
           });
  }
  return {std::move(values), std::move(indices)};
}

Tensor index_of_extreme(const char* name, ReduceOp op, const Tensor& x, std::optional<int64_t> dim,
                        bool keepdim) {
  WICK_CHECK(DTypeError, x.dtype() != DType::Bool, name,
             ": bool tensors are not supported; convert with .to(kUInt8)");
  if (dim) {
    const IndexedDim r = indexed_dim(name, x, *dim, keepdim);
    Tensor indices = detail::make_checked(name, r.sizes, DType::Int64, x.device());
    reduce_index_raw(op, x, r.mask, nullptr, indices);
    return indices;
  }
  WICK_CHECK(ValueError, x.numel() > 0, name, ": expected at least one element, got shape ",
             x.sizes());
  const DimMask mask = detail::all_dims(x.dim());
  Tensor indices =
      detail::make_empty(detail::reduced_sizes(x.sizes(), mask, keepdim), DType::Int64, x.device());
  reduce_index_raw(op, x, mask, nullptr, indices);
  return indices;
}

}  // namespace

Tensor max(const Tensor& x) {
  return extreme("max", ReduceOp::Max, x, detail::all_dims(x.dim()), false);
}
Tensor min(const Tensor& x) {
  return extreme("min", ReduceOp::Min, x, detail::all_dims(x.dim()), false);
}
Tensor amax(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return extreme("amax", ReduceOp::Max, x, detail::dim_mask("amax", dim, x.dim()), keepdim);
}
Tensor amin(const Tensor& x, IntArrayRef dim, bool keepdim) {
  return extreme("amin", ReduceOp::Min, x, detail::dim_mask("amin", dim, x.dim()), keepdim);
}
std::tuple<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const DimMask mask = dim ? detail::dim_mask("aminmax", *dim, x.dim()) : detail::all_dims(x.dim());
  return {extreme("aminmax", ReduceOp::Min, x, mask, keepdim),
          extreme("aminmax", ReduceOp::Max, x, mask, keepdim)};
}

std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_of_dim("max", ReduceOp::Max, x, dim, keepdim);
}
std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_of_dim("min", ReduceOp::Min, x, dim, keepdim);
}

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return index_of_extreme("argmax", ReduceOp::Max, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return index_of_extreme("argmin", ReduceOp::Min, x, dim, keepdim);
}

// --- counts and products

namespace {

Tensor logical(const char* name, ReduceOp op, const Tensor& x, OptionalIntArrayRef dim,
               bool keepdim) {
  const DimMask mask = detail::dim_mask(name, dim, x.dim());
  const Tensor y =
      reduce_raw(op, x, DType::Bool, mask, detail::reduced_sizes(x.sizes(), mask, keepdim), name);
  return x.dtype() == DType::UInt8 ? y.to(DType::UInt8) : y;
}

/// The gradient of a product over `dim`: elements are multiplied in pairs until one is left, and
/// the way back gives each one the product of all others, also where that is of zeros.
Tensor prod_backward(const Tensor& x, Tensor g, int64_t dim) {
  std::vector<Tensor> levels{x};
  const auto part = [&](const Tensor& t, int64_t start, int64_t n) {
    return t.narrow(dim, start, n);
  };
  while (levels.back().size(dim) > 1) {
    const Tensor in = levels.back();
    const int64_t half = in.size(dim) / 2;
    Tensor pairs = part(in, 0, half) * part(in, half, half);
    if (in.size(dim) % 2) pairs = cat({pairs, part(in, 2 * half, 1)}, dim);
    levels.push_back(std::move(pairs));
  }
  for (size_t k = levels.size() - 1; k-- > 0;) {
    const int64_t half = levels[k].size(dim) / 2;
    const Tensor both = part(g, 0, half);
    std::vector<Tensor> parts{both * part(levels[k], half, half), both * part(levels[k], 0, half)};
    if (levels[k].size(dim) % 2) parts.push_back(part(g, half, 1));
    g = cat(parts, dim);
  }
  return g;
}

Tensor prod_over(const Tensor& x, std::optional<int64_t> dim, bool keepdim,
                 std::optional<DType> dtype) {
  const DType type = sum_type(x, dtype);
  const DimMask mask = dim ? detail::dim_mask("prod", *dim, x.dim()) : detail::all_dims(x.dim());
  const Dims sizes = detail::reduced_sizes(x.sizes(), mask, keepdim);
  if (type == DType::Bool) return reduce_raw(ReduceOp::All, x, type, mask, sizes, "prod");
  if (!is_floating_point(type)) {  // wraps around, so may be taken as int64
    const Tensor in = is_floating_point(x.dtype()) ? detail::cast_raw(x, DType::Int64) : x;
    return detail::cast_raw(reduce_raw(ReduceOp::Prod, in, DType::Int64, mask, sizes, "prod"),
                            type);
  }
  const Tensor in = x.to(type);
  Tensor y = reduce_raw(ReduceOp::Prod, in, type, mask, sizes, "prod");
  if (needs_grad(in)) {
    const bool one = dim && x.dim() > 0;
    record("prod", {in}, y,
           [x = save(in), mask, one,
            dim = one ? detail::wrap_dim("prod", *dim, x.dim()) : 0](Backward& ctx) -> Grads {
             const Tensor in = ctx.unpack(x);
             if (in.numel() == 0) return {Tensor()};
             const Tensor rows = one ? in : in.reshape({in.numel()});
             const Tensor g =
                 ctx.grad().reshape(one ? detail::reduced_sizes(in.sizes(), mask, true) : Dims(1));
             return {prod_backward(rows, g, dim).reshape(in.sizes())};
           });
  }
  return y;
}

}  // namespace

Tensor all(const Tensor& x, OptionalIntArrayRef dim, bool keepdim) {
  return logical("all", ReduceOp::All, x, dim, keepdim);
}
Tensor any(const Tensor& x, OptionalIntArrayRef dim, bool keepdim) {
  return logical("any", ReduceOp::Any, x, dim, keepdim);
}
Tensor count_nonzero(const Tensor& x, OptionalIntArrayRef dim) {
  return sum_over(x != 0, detail::dim_mask("count_nonzero", dim, x.dim()), false, {});
}
Tensor prod(const Tensor& x, std::optional<DType> dtype) { return prod_over(x, {}, false, dtype); }
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  return prod_over(x, dim, keepdim, dtype);
}

// --- methods

Tensor Tensor::sum(std::optional<DType> dtype) const { return wick::sum(*this, dtype); }
Tensor Tensor::sum(OptionalIntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return wick::sum(*this, dim, keepdim, dtype);
}
Tensor Tensor::mean(std::optional<DType> dtype) const { return wick::mean(*this, dtype); }
Tensor Tensor::mean(OptionalIntArrayRef dim, bool keepdim, std::optional<DType> dtype) const {
  return wick::mean(*this, dim, keepdim, dtype);
}
Tensor Tensor::max() const { return wick::max(*this); }
std::tuple<Tensor, Tensor> Tensor::max(int64_t dim, bool keepdim) const {
  return wick::max(*this, dim, keepdim);
}
Tensor Tensor::min() const { return wick::min(*this); }
std::tuple<Tensor, Tensor> Tensor::min(int64_t dim, bool keepdim) const {
  return wick::min(*this, dim, keepdim);
}
Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim) const {
  return wick::argmax(*this, dim, keepdim);
}
Tensor Tensor::argmin(std::optional<int64_t> dim, bool keepdim) const {
  return wick::argmin(*this, dim, keepdim);
}
Tensor Tensor::amax(IntArrayRef dim, bool keepdim) const { return wick::amax(*this, dim, keepdim); }
Tensor Tensor::amin(IntArrayRef dim, bool keepdim) const { return wick::amin(*this, dim, keepdim); }
std::tuple<Tensor, Tensor> Tensor::aminmax(std::optional<int64_t> dim, bool keepdim) const {
  return wick::aminmax(*this, dim, keepdim);
}
Tensor Tensor::all(OptionalIntArrayRef dim, bool keepdim) const {
  return wick::all(*this, dim, keepdim);
}
Tensor Tensor::any(OptionalIntArrayRef dim, bool keepdim) const {
  return wick::any(*this, dim, keepdim);
}
Tensor Tensor::count_nonzero(OptionalIntArrayRef dim) const {
  return wick::count_nonzero(*this, dim);
}
Tensor Tensor::prod(std::optional<DType> dtype) const { return wick::prod(*this, dtype); }
Tensor Tensor::prod(int64_t dim, bool keepdim, std::optional<DType> dtype) const {
  return wick::prod(*this, dim, keepdim, dtype);
}

}  // namespace wick
