#include <wick/core/ops/common.h>
#include <wick/core/ops/order.h>
#include <wick/kernels/sort.h>
#include <cmath>

// What counts and searches among ordered values.
namespace wick {

namespace {

Tensor search(const char* op, const Tensor& sorted, const Tensor& values, bool out_int32,
              bool right) {
  WICK_CHECK(DTypeError, sorted.dtype() == values.dtype(), op, ": expected both of one type, got ",
             sorted.dtype(), " and ", values.dtype(), "; convert one with .to(dtype)");
  detail::common_device(op, {&sorted, &values});
  SearchArgs args;
  args.right = right;
  args.shared_row = sorted.dim() == 1;
  const int64_t last = sorted.dim() - 1;
  WICK_CHECK(ShapeError,
             args.shared_row || (last > 0 && values.dim() == sorted.dim() &&
                                 values.sizes().slice(0, last) == sorted.sizes().slice(0, last)),
             op, ": expected a sequence of 1 dimension, or one that agrees with the values in all ",
             "but the last, got ", sorted.sizes(), " and ", values.sizes());
  args.n = sorted.sizes()[last];
  args.count = args.shared_row ? values.numel() : values.sizes()[last];
  args.rows = args.count > 0 ? values.numel() / args.count : 0;
  const Tensor from = detail::order_keys(sorted, false, true);
  const Tensor keys = detail::order_keys(values, false, true);
  const Tensor y = detail::make_empty(values.sizes(), DType::Int64, values.device());
  if (y.numel() > 0) {
    WICK_DISPATCH(y.device(), search_rows, args, from.data_ptr<int64_t>(), keys.data_ptr<int64_t>(),
                  y.data_ptr<int64_t>());
  }
  return out_int32 ? y.to(DType::Int32) : y;
}

/// How often each of 0..size-1 is in `index`.
Tensor count(const Tensor& index, int64_t size) {
  return detail::index_add(FaultOp::IndexAdd, ones(index.sizes(), index.options()), 0, index, size);
}

}  // namespace

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool out_int32,
                    bool right) {
  return search("searchsorted", sorted_sequence, values, out_int32, right);
}
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, bool out_int32, bool right) {
  const bool widen = value.is_floating_point() && !is_floating_point(sorted_sequence.dtype());
  const Tensor sequence = widen ? sorted_sequence.to(DType::Float64) : sorted_sequence;
  return search("searchsorted", sequence, full({}, value, sequence.options()), out_int32, right);
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32, bool right) {
  WICK_CHECK(ShapeError, boundaries.dim() == 1, "bucketize: expected boundaries of 1 dimension, ",
             "got shape ", boundaries.sizes());
  return search("bucketize", boundaries, x, out_int32, right);
}

std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& x, bool /*sorted*/, bool return_inverse,
                                            bool return_counts) {
  const NoGradGuard no_grad;
  const int64_t n = x.numel();
  const TensorOptions options = x.options().dtype(kInt64);
  Tensor inverse = zeros(return_inverse ? x.sizes() : IntArrayRef(0), options);
  if (n == 0) return {empty({0}, x.options()), inverse, empty({0}, options)};
  const Tensor flat = x.reshape({n}), order = argsort(flat), sorted = index_select(flat, 0, order);
  const Tensor changes = sorted.slice(0, 1) != sorted.slice(0, 0, n - 1);
  const Tensor group = cat({zeros({1}, options), cumsum(changes, 0)});
  const Tensor counts = count(group, group[n - 1].item().toLong() + 1);
  const Tensor values = index_select(sorted, 0, cumsum(counts, 0) - counts);
  if (return_inverse) {
    inverse = detail::index_add(FaultOp::IndexAdd, group, 0, order, n).view(x.sizes());
  }
  return {values, inverse, return_counts ? counts : empty({0}, options)};
}

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  WICK_CHECK(DTypeError, is_integral(x.dtype()), "bincount: expected integers, got ", x.dtype());
  WICK_CHECK(ShapeError, x.dim() == 1, "bincount: expected 1 dimension, got shape ", x.sizes());
  WICK_CHECK(ValueError, minlength >= 0, "bincount: expected minlength >= 0, got ", minlength);
  Tensor weight;
  if (weights.defined()) {
    WICK_CHECK(ShapeError, weights.sizes() == x.sizes(), "bincount: expected weights of shape ",
               x.sizes(), ", got ", weights.sizes());
    detail::common_device("bincount", {&x, &weights});
    weight = weights.detach().to(weights.dtype() == kFloat32 ? kFloat32 : kFloat64);
  }
  int64_t size = minlength;
  if (x.numel() > 0) {
    const int64_t least = min(x).item().toLong(), most = max(x).item().toLong();
    WICK_CHECK(ValueError, least >= 0 && most < INT64_MAX,
               "bincount: expected elements >= 0 and less than 2^63 - 1, got ", least, " to ",
               most);
    size = std::max(size, most + 1);
  }
  const Tensor index = detail::contiguous_raw(x.to(kInt64));
  if (!weight.defined() || x.numel() == 0) return count(index, size);
  return detail::index_add(FaultOp::IndexAdd, weight, 0, index, size);
}

Tensor histc(const Tensor& x, int64_t bins, Scalar min, Scalar max) {
  detail::require_floating("histc", x);
  WICK_CHECK(ValueError, bins > 0 && bins < INT64_MAX, "histc: expected bins > 0, got ", bins);
  const NoGradGuard no_grad;
  double low = min.to<double>(), high = max.to<double>();
  const Tensor in = x.reshape({x.numel()});
  if (low == high && x.numel() > 0) {
    low = wick::min(in).item().to<double>();
    high = wick::max(in).item().to<double>();
  }
  if (low == high) {
    low -= 1;
    high += 1;
  }
  WICK_CHECK(ValueError, std::isfinite(low) && std::isfinite(high) && low < high,
             "histc: expected a finite range with min <= max, got ", low, " to ", high);
  const Tensor inside = minimum(in >= low, in <= high);
  const Tensor place =
      where(inside, (in - low) * (static_cast<double>(bins) / (high - low)), 0.0).to(kInt64);
  // The upper end belongs to the last bin; what is outside goes to one more.
  const Tensor bin = where(inside, where(place >= bins, bins - 1, place), bins);
  return count(bin, bins + 1).narrow(0, 0, bins).to(x.dtype());
}

// --- methods

Tensor Tensor::bincount(const Tensor& weights, int64_t minlength) const {
  return wick::bincount(*this, weights, minlength);
}
Tensor Tensor::histc(int64_t bins, Scalar min, Scalar max) const {
  return wick::histc(*this, bins, min, max);
}

}  // namespace wick
