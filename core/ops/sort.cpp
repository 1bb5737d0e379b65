#include <wick/core/ops/common.h>
#include <wick/core/ops/order.h>
#include <wick/kernels/sort.h>
#include <limits>

namespace wick {

using detail::Dims;
using Pair = std::tuple<Tensor, Tensor>;

Tensor detail::order_keys(const Tensor& x, bool descending, bool nan_last) {
  if (!is_floating_point(x.dtype())) {
    const Tensor keys = contiguous_raw(cast_raw(x, DType::Int64));
    return descending ? Scalar(-1) - keys : keys;
  }
  const Tensor in = contiguous_raw(cast_raw(x, DType::Float64));
  Tensor keys = make_empty(x.sizes(), DType::Int64, x.device());
  if (x.numel() > 0) {
    WICK_DISPATCH(x.device(), order_keys, in.data_ptr<double>(), x.numel(), descending, nan_last,
                  keys.data_ptr<int64_t>());
  }
  return keys;
}

Tensor detail::gather_along(const Tensor& x, int64_t dim, const Tensor& index) {
  const Split from(x, dim), to(index, dim);
  const TensorOptions& options = index.options();
  const Tensor start =
      arange(from.outer, options).view({from.outer, 1, 1}) * (from.size * from.inner) +
      arange(from.inner, options);
  const Tensor at = contiguous_raw(index).view({to.outer, to.size, to.inner}) * from.inner + start;
  return index_select(x.reshape({x.numel()}), 0, at.view({at.numel()})).view(index.sizes());
}

namespace {

/// Positions along `dim` in the order of x's elements.
Tensor sorted_order(const Tensor& x, int64_t dim, bool descending) {
  const NoGradGuard no_grad;
  const Tensor rows = x.dim() == 0 ? x : x.transpose(dim, -1);
  const Tensor keys = detail::order_keys(rows, descending, !descending);
  Tensor order = detail::make_empty(rows.sizes(), DType::Int64, x.device());
  if (x.numel() > 0) {
    const int64_t n = x.dim() == 0 ? 1 : x.size(dim);
    WICK_DISPATCH(x.device(), sort_rows, keys.data_ptr<int64_t>(), x.numel() / n, n,
                  order.data_ptr<int64_t>());
  }
  return x.dim() == 0 ? order : detail::contiguous_raw(order.transpose(dim, -1));
}

/// x's elements at `index` and that, without dimension `dim` (where it has size 1) if `drop`.
Pair elements_at(const Tensor& x, int64_t dim, const Tensor& index, bool drop = false) {
  const Tensor values = detail::gather_along(x, dim, index);
  if (!drop || x.dim() == 0) return {values, index};
  return {values.squeeze(dim), index.squeeze(dim)};
}

/// Elements `start` to `start + length` of each sorted row.
Pair part_of_sorted(const Tensor& x, int64_t dim, bool descending, int64_t start, int64_t length,
                    bool drop = false) {
  const Tensor order = sorted_order(x, dim, descending);
  if (x.dim() == 0) return elements_at(x, dim, order);
  return elements_at(x, dim, detail::contiguous_raw(order.narrow(dim, start, length)), drop);
}

int64_t length_of(const Tensor& x, int64_t dim) { return x.dim() == 0 ? 1 : x.size(dim); }

int64_t require_length(const char* op, const Tensor& x, int64_t dim) {
  const int64_t n = length_of(x, dim);
  WICK_CHECK(ValueError, n > 0, op, ": expected dimension ", dim,
             " to have at least one element, got shape ", x.sizes());
  return n;
}

}  // namespace

Pair sort(const Tensor& x, int64_t dim, bool descending) {
  dim = detail::wrap_dim("sort", dim, x.dim());
  return elements_at(x, dim, sorted_order(x, dim, descending));
}
Pair sort(const Tensor& x, std::optional<bool> /*stable*/, int64_t dim, bool descending) {
  return sort(x, dim, descending);
}
Tensor argsort(const Tensor& x, int64_t dim, bool descending) {
  return sorted_order(x, detail::wrap_dim("argsort", dim, x.dim()), descending);
}

Pair topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool /*sorted*/) {
  dim = detail::wrap_dim("topk", dim, x.dim());
  WICK_CHECK(ValueError, k >= 0 && k <= length_of(x, dim), "topk: expected k from 0 to ",
             length_of(x, dim), ", the size of dimension ", dim, ", got ", k);
  return part_of_sorted(x, dim, largest, 0, k);
}

Pair kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  dim = detail::wrap_dim("kthvalue", dim, x.dim());
  WICK_CHECK(ValueError, k >= 1 && k <= length_of(x, dim), "kthvalue: expected k from 1 to ",
             length_of(x, dim), ", the size of dimension ", dim, ", got ", k);
  return part_of_sorted(x, dim, false, k - 1, 1, !keepdim);
}

Pair median(const Tensor& x, int64_t dim, bool keepdim) {
  dim = detail::wrap_dim("median", dim, x.dim());
  const int64_t n = require_length("median", x, dim);
  if (!is_floating_point(x.dtype())) return part_of_sorted(x, dim, false, (n - 1) / 2, 1, !keepdim);
  const Tensor nans = (x != x).sum(dim, true);  // they come last
  const Tensor at = where(nans == 0, (n - 1) / 2, n - nans);
  const Tensor index = detail::gather_along(sorted_order(x, dim, false), dim, at);
  return elements_at(x, dim, index, !keepdim);
}

Tensor median(const Tensor& x) {
  if (x.numel() == 0) {
    return is_floating_point(x.dtype())
               ? full({}, std::numeric_limits<double>::quiet_NaN(), x.options())
               : zeros({}, x.options());
  }
  Tensor y = std::get<0>(median(x.detach().reshape({x.numel()}), 0));
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record("median", {x}, y, [x = save(x), y = save_output(y)](Backward& ctx) -> Grads {
      const Tensor in = ctx.unpack(x);
      return {detail::share_gradient(ctx.grad(), in, ctx.unpack(y), detail::all_dims(in.dim()))};
    });
  }
  return y;
}

Pair mode(const Tensor& x, int64_t dim, bool keepdim) {
  dim = detail::wrap_dim("mode", dim, x.dim());
  const int64_t n = require_length("mode", x, dim);
  const Tensor order = sorted_order(x, dim, false);
  if (x.dim() == 0) return elements_at(x, dim, order);
  // The longest run among the sorted elements ends where it is farthest to the run's start.
  const Tensor keys = detail::gather_along(detail::order_keys(x, false, true), dim, order);
  const Tensor changes = keys.narrow(dim, 1, n - 1) != keys.narrow(dim, 0, n - 1);
  Dims shape;
  for (int64_t d = 0; d < x.dim(); ++d) shape.push_back(d == dim ? n : 1);
  const Tensor places = arange(n, order.options()).view(shape);
  const Tensor starts =
      cat({order.narrow(dim, 0, 1) * 0, where(changes, places.narrow(dim, 1, n - 1), 0)}, dim);
  const Tensor at = argmax(places - std::get<0>(cummax(starts, dim)), dim, true);
  return elements_at(x, dim, detail::gather_along(order, dim, at), !keepdim);
}

// --- methods

Pair Tensor::sort(int64_t dim, bool descending) const { return wick::sort(*this, dim, descending); }
Pair Tensor::sort(std::optional<bool> stable, int64_t dim, bool descending) const {
  return wick::sort(*this, stable, dim, descending);
}
Tensor Tensor::argsort(int64_t dim, bool descending) const {
  return wick::argsort(*this, dim, descending);
}
Pair Tensor::topk(int64_t k, int64_t dim, bool largest, bool sorted) const {
  return wick::topk(*this, k, dim, largest, sorted);
}
Pair Tensor::kthvalue(int64_t k, int64_t dim, bool keepdim) const {
  return wick::kthvalue(*this, k, dim, keepdim);
}
Tensor Tensor::median() const { return wick::median(*this); }
Pair Tensor::median(int64_t dim, bool keepdim) const { return wick::median(*this, dim, keepdim); }
Pair Tensor::mode(int64_t dim, bool keepdim) const { return wick::mode(*this, dim, keepdim); }

}  // namespace wick
