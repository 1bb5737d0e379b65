#include <wick/core/ops/common.h>
#include <wick/core/ops/order.h>
#include <wick/kernels/scan.h>
#include <vector>

namespace wick {

namespace {

Tensor scan_raw(ScanOp op, const Tensor& x, int64_t dim, bool reverse) {
  const Tensor in = detail::contiguous_raw(x);
  Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
  if (y.numel() > 0) {
    const detail::Split split(x, dim);
    const ScanArgs args{op, x.dtype(), reverse, split.outer, split.size, split.inner};
    WICK_DISPATCH(x.device(), scan, args, in.data_ptr(), y.data_ptr());
  }
  return y;
}

/// The type that `x` is scanned in: floating or int64.
Tensor scan_input(const Tensor& x, std::optional<DType> dtype) {
  if (is_floating_point(dtype.value_or(x.dtype()))) return dtype ? x.to(*dtype) : x;
  const bool cut = dtype && is_floating_point(x.dtype());
  return detail::cast_raw(cut ? detail::cast_raw(x, *dtype) : x, DType::Int64);
}
Tensor scan_result(const Tensor& y, std::optional<DType> dtype) { return dtype ? y.to(*dtype) : y; }

Tensor sum_up(const Tensor& x, int64_t dim, bool reverse) {
  Tensor y = scan_raw(ScanOp::Sum, x, dim, reverse);
  if (is_floating_point(x.dtype()) && needs_grad(x)) {
    record("cumsum", {x}, y,
           [dim, reverse](Backward& ctx) -> Grads { return {sum_up(ctx.grad(), dim, !reverse)}; });
  }
  return y;
}

/// The same products as of a scan by doubling, y[i] *= y[i - step] for step = 1, 2, 4..., whose way
/// back divides by nothing, so that zeros need no care.
Tensor cumprod_backward(const Tensor& x, Tensor g, int64_t dim) {
  const int64_t n = x.dim() == 0 ? 1 : x.size(dim);
  std::vector<Tensor> levels{x};
  for (int64_t step = 1; 2 * step < n; step *= 2) {
    const Tensor& y = levels.back();
    levels.push_back(cat(
        {y.narrow(dim, 0, step), y.narrow(dim, step, n - step) * y.narrow(dim, 0, n - step)}, dim));
  }
  if (n <= 1) return g;
  for (size_t k = levels.size(); k-- > 0;) {
    const int64_t step = int64_t{1} << k;
    const Tensor& y = levels[k];
    const Tensor low = g.narrow(dim, 0, step), high = g.narrow(dim, step, n - step);
    g = cat({low, high * y.narrow(dim, 0, n - step)}, dim) +
        cat({high * y.narrow(dim, step, n - step), zeros_like(low)}, dim);
  }
  return g;
}

std::tuple<Tensor, Tensor> running_extreme(const char* name, const Tensor& x, int64_t dim,
                                           bool smallest) {
  dim = detail::wrap_dim(name, dim, x.dim());
  const Tensor indices = scan_raw(ScanOp::Max, detail::order_keys(x, smallest, true), dim, false);
  return {detail::gather_along(x, dim, indices), indices};
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  dim = detail::wrap_dim("cumsum", dim, x.dim());
  return scan_result(sum_up(scan_input(x, dtype), dim, false), dtype);
}

Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  dim = detail::wrap_dim("cumprod", dim, x.dim());
  const Tensor in = scan_input(x, dtype);
  Tensor y = scan_raw(ScanOp::Prod, in, dim, false);
  if (is_floating_point(in.dtype()) && needs_grad(in)) {
    record("cumprod", {in}, y, [x = save(in), dim](Backward& ctx) -> Grads {
      return {cumprod_backward(ctx.unpack(x), ctx.grad(), dim)};
    });
  }
  return scan_result(y, dtype);
}

std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim) {
  return running_extreme("cummax", x, dim, false);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim) {
  return running_extreme("cummin", x, dim, true);
}

// --- methods

Tensor Tensor::cumsum(int64_t dim, std::optional<DType> dtype) const {
  return wick::cumsum(*this, dim, dtype);
}
Tensor Tensor::cumprod(int64_t dim, std::optional<DType> dtype) const {
  return wick::cumprod(*this, dim, dtype);
}
std::tuple<Tensor, Tensor> Tensor::cummax(int64_t dim) const { return wick::cummax(*this, dim); }
std::tuple<Tensor, Tensor> Tensor::cummin(int64_t dim) const { return wick::cummin(*this, dim); }

}  // namespace wick
