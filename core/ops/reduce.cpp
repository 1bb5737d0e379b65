#include <wick/core/ops/common.h>
#include <wick/core/reduce_args.h>

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

// --- extremes

namespace {

Tensor extreme(const char* name, ReduceOp op, const Tensor& x) {
  WICK_CHECK(ValueError, x.numel() > 0, name, ": expected at least one element, got shape ",
             x.sizes());
  Tensor y = reduce_raw(op, x, x.dtype(), detail::all_dims(x.dim()), {}, name);
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record(name, {x}, y, [x = save(x), y = save_output(y)](Backward& ctx) -> Grads {
      const Tensor in = ctx.unpack(x).detach();
      const Tensor extreme = ctx.unpack(y).detach();
      // If the result is a NaN, every NaN is a tie; if not, there are none.
      const Tensor ties = maximum(in == extreme, in != in);
      return {where(ties, ctx.grad() / ties.sum(), 0.0)};
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

Tensor max(const Tensor& x) { return extreme("max", ReduceOp::Max, x); }
Tensor min(const Tensor& x) { return extreme("min", ReduceOp::Min, x); }

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

Tensor all(const Tensor& x) {
  return reduce_raw(ReduceOp::All, x, DType::Bool, detail::all_dims(x.dim()), {}, "all");
}
Tensor any(const Tensor& x) {
  return reduce_raw(ReduceOp::Any, x, DType::Bool, detail::all_dims(x.dim()), {}, "any");
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
Tensor Tensor::all() const { return wick::all(*this); }
Tensor Tensor::any() const { return wick::any(*this); }

}  // namespace wick
