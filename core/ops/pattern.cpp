#include <wick/core/ops/pattern.h>

#include <wick/core/ops/rows.h>

namespace wick {

using detail::Dims;

namespace {

Tensor with_grad(Tensor x, const TensorOptions& options) {
  return options.requires_grad() ? x.requires_grad_() : x;
}

/// Computed in float64, whatever the type of the result.
Tensor even_steps(const char* op, Scalar start, Scalar end, int64_t steps,
                  const TensorOptions& options) {
  WICK_CHECK(ValueError, steps >= 0, op, ": expected steps >= 0, got ", steps);
  WICK_CHECK(DTypeError, options.dtype() != kBool, op, ": expected a type of numbers, got bool");
  const TensorOptions wide = TensorOptions(kFloat64).device(options.device());
  const double first = start.toDouble(), last = end.toDouble();
  if (steps <= 1) return full({steps}, first, wide);
  // From both ends, so that each is met exactly.
  const double step = (last - first) / static_cast<double>(steps - 1);
  const Tensor i = arange(steps, wide), left = static_cast<double>(steps - 1) - i;
  return where(i < left, i * step + first, last - left * step);
}

/// [rows, columns]: column - row.
Tensor diagonal_numbers(int64_t rows, int64_t columns, Device device) {
  const TensorOptions options = TensorOptions(kInt64).device(device);
  return arange(columns, options).unsqueeze(0) - arange(rows, options).unsqueeze(1);
}

Tensor triangle(const char* op, const Tensor& x, int64_t diagonal, bool lower) {
  WICK_CHECK(ShapeError, x.dim() >= 2, op, ": expected at least 2 dimensions, got shape ",
             x.sizes());
  const Tensor number = diagonal_numbers(x.size(-2), x.size(-1), x.device());
  return masked_fill(x, lower ? number > diagonal : number < diagonal, false);
}

Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t offset,
                        const TensorOptions& options, bool lower) {
  WICK_CHECK(ValueError, rows >= 0 && columns >= 0, op, ": expected sizes >= 0, got ", rows,
             " and ", columns);
  const DType dtype = options.dtype_opt().value_or(kInt64);
  WICK_CHECK(DTypeError, dtype == kInt64 || dtype == kInt32, op,
             ": expected type int64 or int32, got ", dtype);
  const Tensor number = diagonal_numbers(rows, columns, options.device());
  const Tensor places = detail::true_places(lower ? number <= offset : number >= offset, true);
  return places.t().contiguous().to(dtype);
}

}  // namespace

Tensor linspace(Scalar start, Scalar end, int64_t steps, const TensorOptions& options) {
  return with_grad(even_steps("linspace", start, end, steps, options).to(options.dtype()), options);
}

Tensor logspace(Scalar start, Scalar end, int64_t steps, double base,
                const TensorOptions& options) {
  const Tensor exponents = even_steps("logspace", start, end, steps, options);
  return with_grad(pow(base, exponents).to(options.dtype()), options);
}

Tensor eye(int64_t n, const TensorOptions& options) { return eye(n, n, options); }

Tensor eye(int64_t n, int64_t m, const TensorOptions& options) {
  WICK_CHECK(ValueError, n >= 0 && m >= 0, "eye: expected sizes >= 0, got ", n, " and ", m);
  const Tensor x = zeros({n, m}, options.requires_grad(std::nullopt));
  x.diagonal().fill_(1);
  return with_grad(x, options);
}

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

Tensor tril_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options) {
  return triangle_indices("tril_indices", rows, columns, offset, options, true);
}
Tensor triu_indices(int64_t rows, int64_t columns, int64_t offset, const TensorOptions& options) {
  return triangle_indices("triu_indices", rows, columns, offset, options, false);
}

Tensor diag(const Tensor& x, int64_t diagonal) {
  WICK_CHECK(ShapeError, x.dim() == 1 || x.dim() == 2,
             "diag: expected 1 or 2 dimensions, got shape ", x.sizes(),
             "; use diagonal() or diag_embed()");
  return x.dim() == 1 ? diag_embed(x, diagonal) : x.diagonal(diagonal).clone();
}

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  constexpr const char* op = "diag_embed";
  WICK_CHECK(ShapeError, x.dim() > 0, op, ": expected at least 1 dimension");
  detail::check_rank(op, x.sizes().size() + 1);
  const int64_t a = detail::wrap_dim(op, dim1, x.dim() + 1);
  const int64_t b = detail::wrap_dim(op, dim2, x.dim() + 1);
  WICK_CHECK(ShapeError, a != b, op, ": expected two different dimensions, got ", dim1, " and ",
             dim2);
  int64_t n = x.size(-1);
  WICK_CHECK(ShapeError, offset > INT64_MIN && !__builtin_add_overflow(n, std::abs(offset), &n), op,
             ": offset ", offset, " is too large");
  Dims sizes;
  for (int64_t d = 0, from = 0; d <= x.dim(); ++d)
    sizes.push_back(d == a || d == b ? n : x.sizes()[from++]);
  const Tensor y = zeros(sizes, x.options());
  y.diagonal(offset, a, b).copy_(x);
  return y;
}

// --- methods

Tensor Tensor::tril(int64_t diagonal) const { return wick::tril(*this, diagonal); }
Tensor Tensor::triu(int64_t diagonal) const { return wick::triu(*this, diagonal); }
Tensor Tensor::diag(int64_t diagonal) const { return wick::diag(*this, diagonal); }

}  // namespace wick
