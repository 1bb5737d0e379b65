#include <wick/core/ops/common.h>
#include <wick/kernels/linalg.h>
#include <vector>

namespace wick {

using detail::Dims;

namespace {

void require_matrices(const char* op, const Tensor& x, bool square = true) {
  WICK_CHECK(DTypeError, x.dtype() == kFloat32 || x.dtype() == kFloat64, op,
             ": expected float32 or float64, got ", x.dtype(), "; convert it with .to(kFloat32)");
  WICK_CHECK(ShapeError, x.dim() >= 2 && (!square || x.size(-1) == x.size(-2)), op, ": expected ",
             square ? "square matrices [.., n, n]" : "matrices [.., m, n]", ", got shape ",
             x.sizes());
}

Tensor turned(const Tensor& x) { return x.transpose(-1, -2); }

/// Matrices in dense memory of the CPU that is nobody else's.
struct Host {
  Tensor x;
  int64_t batch = 1, rows, cols;

  Host(const Tensor& from, IntArrayRef sizes)
      : rows(sizes[sizes.size() - 2]), cols(sizes[sizes.size() - 1]) {
    x = detail::make_empty(sizes, from.dtype(), Device(kCPU, 0));
    const NoGradGuard no_grad;
    detail::copy_raw(x, from.detach().expand(sizes));
    for (int64_t d = 0; d < x.dim() - 2; ++d) batch *= x.sizes()[d];
  }
  /// The diagonals: [batch, n].
  Tensor diagonal() const {
    return x.view({batch, rows * cols}).slice(1, 0, rows * cols, cols + 1);
  }
  void require_regular(const char* op) const {
    const std::vector<double> pivots = diagonal().to_vector<double>();
    for (size_t i = 0; i < pivots.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      WICK_CHECK(ValueError, pivots[i] != 0, op, ": matrix ", at / rows,
                 " of the batch is singular: its pivot ", at % rows, " is 0");
    }
  }
};

/// The matrices as L and U, and the swaps.
struct Factors : Host {
  std::vector<int64_t> pivots;

  Factors(const Tensor& from, IntArrayRef sizes) : Host(from, sizes) {
    pivots.resize(static_cast<size_t>(batch * rows));
    cpu::lu_factor(x.dtype(), batch, rows, x.data_ptr(), pivots.data());
  }
  /// The determinants of the swaps: [batch].
  Tensor parity() const {
    std::vector<double> signs(static_cast<size_t>(batch), 1);
    for (size_t i = 0; i < pivots.size(); ++i) {
      const auto row = static_cast<int64_t>(i) % rows;
      if (pivots[i] != row) signs[i / static_cast<size_t>(rows)] *= -1;
    }
    return tensor(signs, x.options());
  }
};

IntArrayRef batch_of(const Tensor& x) { return x.sizes().slice(0, x.dim() - 2); }

/// `batch` and then a matrix's sizes.
Dims with_matrix(Dims batch, int64_t rows, int64_t cols) {
  batch.push_back(rows);
  batch.push_back(cols);
  return batch;
}

void require_same_rows(const char* op, const Tensor& a, const Tensor& b) {
  require_matrices(op, a);
  require_matrices(op, b, false);
  detail::require_dtype(op, "b", b, a.dtype());
  detail::common_device(op, {&a, &b});
  WICK_CHECK(ShapeError, a.size(-1) == b.size(-2), op, ": expected a [.., n, n] and b [.., n, k], ",
             "got ", a.sizes(), " and ", b.sizes());
}

/// Rows and columns by number: true on the diagonal, below it, above it.
enum class Part { Diagonal, Lower, Upper };
Tensor part_mask(const Tensor& like, Part part, bool with_diagonal = true) {
  const Tensor cols = arange(like.size(-1), like.options().dtype(kInt64));
  const Tensor rows = arange(like.size(-2), cols.options()).unsqueeze(1);
  if (part == Part::Diagonal) return rows == cols;
  if (part == Part::Lower) return with_diagonal ? rows >= cols : rows > cols;
  return with_diagonal ? rows <= cols : rows < cols;
}

/// X with A X = B.
Tensor solve_matrices(const char* op, const Tensor& a, const Tensor& b) {
  require_same_rows(op, a, b);
  const int64_t n = a.size(-1), k = b.size(-1);
  const Dims batch = detail::broadcast_shapes(op, batch_of(a), batch_of(b));
  Tensor y;
  {
    const Factors factors(a, with_matrix(batch, n, n));
    const Host right(b, with_matrix(batch, n, k));
    factors.require_regular(op);
    void* const data = right.x.data_ptr();
    cpu::swap_rows(b.dtype(), right.batch, n, k, factors.pivots.data(), data);
    for (const bool upper : {false, true}) {
      cpu::solve_triangular(b.dtype(), right.batch, n, k, factors.x.data_ptr(), upper, !upper,
                            data);
    }
    y = right.x.to(b.device());
  }
  if (needs_grad(a, b)) {
    record(op, {a, b}, y, [op, a = save(a), y = save_output(y)](Backward& ctx) -> Grads {
      const Tensor grad_b = solve_matrices(op, turned(ctx.unpack(a)), ctx.grad());
      return {ctx.needs(0) ? -matmul(grad_b, turned(ctx.unpack(y))) : Tensor(), grad_b};
    });
  }
  return y;
}

}  // namespace

Tensor linalg_cholesky(const Tensor& x, bool upper) {
  constexpr const char* kOp = "linalg_cholesky";
  require_matrices(kOp, x);
  if (upper) return turned(linalg_cholesky(turned(x)));
  const Host host(x, x.sizes());
  std::vector<int64_t> failed(static_cast<size_t>(host.batch));
  cpu::cholesky(x.dtype(), host.batch, host.rows, host.x.data_ptr(), failed.data());
  for (size_t i = 0; i < failed.size(); ++i) {
    WICK_CHECK(ValueError, failed[i] < 0, kOp, ": matrix ", static_cast<int64_t>(i),
               " of the batch is not positive definite: its pivot ", failed[i], " is not positive");
  }
  Tensor y = where(part_mask(host.x, Part::Lower), host.x, 0.0).to(x.device());
  if (needs_grad(x)) {
    record(kOp, {x}, y, [y = save_output(y)](Backward& ctx) -> Grads {
      const Tensor out = ctx.unpack(y);
      // https://arxiv.org/abs/1602.07527, section 3.
      const Tensor low = where(part_mask(out, Part::Lower), matmul(turned(out), ctx.grad()), 0.0);
      const Tensor both = where(part_mask(out, Part::Diagonal), low, low + turned(low));
      const Tensor left = linalg_solve_triangular(turned(out), both * 0.5, true);
      return {linalg_solve_triangular(out, left, false, false)};
    });
  }
  return y;
}

Tensor linalg_solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left,
                               bool unitriangular) {
  constexpr const char* kOp = "linalg_solve_triangular";
  if (!left) {
    require_matrices(kOp, a);
    require_matrices(kOp, b, false);
    return turned(linalg_solve_triangular(turned(a), turned(b), !upper, true, unitriangular));
  }
  require_same_rows(kOp, a, b);
  const int64_t n = a.size(-1), k = b.size(-1);
  const Dims batch = detail::broadcast_shapes(kOp, batch_of(a), batch_of(b));
  Tensor y;
  {
    const Host matrix(a, with_matrix(batch, n, n)), right(b, with_matrix(batch, n, k));
    if (!unitriangular) matrix.require_regular(kOp);
    cpu::solve_triangular(b.dtype(), right.batch, n, k, matrix.x.data_ptr(), upper, unitriangular,
                          right.x.data_ptr());
    y = right.x.to(b.device());
  }
  if (needs_grad(a, b)) {
    record(kOp, {a, b}, y,
           [a = save(a), y = save_output(y), upper, unitriangular](Backward& ctx) -> Grads {
             const Tensor matrix = ctx.unpack(a);
             const Tensor grad_b =
                 linalg_solve_triangular(turned(matrix), ctx.grad(), !upper, true, unitriangular);
             Tensor grad_a;
             if (ctx.needs(0)) {
               grad_a = where(part_mask(matrix, upper ? Part::Upper : Part::Lower, !unitriangular),
                              -matmul(grad_b, turned(ctx.unpack(y))), 0.0);
             }
             return {grad_a, grad_b};
           });
  }
  return y;
}

Tensor linalg_solve(const Tensor& a, const Tensor& b, bool left) {
  constexpr const char* kOp = "linalg_solve";
  require_matrices(kOp, a);
  const bool vectors =
      b.dim() == 1 || (b.dim() + 1 == a.dim() && b.sizes() == a.sizes().slice(0, a.dim() - 1));
  const Tensor matrix = left ? a : turned(a);
  if (vectors) return solve_matrices(kOp, matrix, b.unsqueeze(-1)).squeeze(-1);
  require_matrices(kOp, b, false);
  return left ? solve_matrices(kOp, matrix, b) : turned(solve_matrices(kOp, matrix, turned(b)));
}

Tensor linalg_inv(const Tensor& x) {
  require_matrices("linalg_inv", x);
  return solve_matrices("linalg_inv", x, part_mask(x, Part::Diagonal).to(x.dtype()));
}

Tensor linalg_det(const Tensor& x) {
  constexpr const char* kOp = "linalg_det";
  require_matrices(kOp, x);
  const Factors factors(x, x.sizes());
  Tensor y = (prod(factors.diagonal(), 1) * factors.parity()).view(batch_of(x)).to(x.device());
  if (needs_grad(x)) {
    record(kOp, {x}, y, [x = save(x), y = save_output(y)](Backward& ctx) -> Grads {
      const Tensor g = ctx.grad() * ctx.unpack(y);
      return {turned(linalg_inv(ctx.unpack(x))) * g.unsqueeze(-1).unsqueeze(-1)};
    });
  }
  return y;
}

std::tuple<Tensor, Tensor> linalg_slogdet(const Tensor& x) {
  constexpr const char* kOp = "linalg_slogdet";
  require_matrices(kOp, x);
  const Factors factors(x, x.sizes());
  const Tensor diagonal = factors.diagonal();
  const Tensor signs = (diagonal > 0).to(x.dtype()) - (diagonal < 0).to(x.dtype());
  const Tensor sign = (prod(signs, 1) * factors.parity()).view(batch_of(x)).to(x.device());
  Tensor y = log(abs(diagonal)).sum(1).view(batch_of(x)).to(x.device());
  if (needs_grad(x)) {
    record(kOp, {x}, y, [x = save(x)](Backward& ctx) -> Grads {
      return {turned(linalg_inv(ctx.unpack(x))) * ctx.grad().unsqueeze(-1).unsqueeze(-1)};
    });
  }
  return {sign, y};
}

Tensor linalg_matrix_power(const Tensor& x, int64_t n) {
  require_matrices("linalg_matrix_power", x);
  Tensor square = n < 0 ? linalg_inv(x) : x;
  Tensor y;
  for (uint64_t left = n < 0 ? -static_cast<uint64_t>(n) : static_cast<uint64_t>(n); left > 0;) {
    if (left % 2) y = y.defined() ? matmul(y, square) : square;
    left /= 2;
    if (left > 0) square = matmul(square, square);
  }
  if (y.defined()) return n == 1 ? y.clone() : y;
  return part_mask(x, Part::Diagonal).to(x.dtype()).expand(x.sizes()).clone();
}

// --- methods

Tensor Tensor::cholesky(bool upper) const { return linalg_cholesky(*this, upper); }
Tensor Tensor::inverse() const { return linalg_inv(*this); }
Tensor Tensor::det() const { return linalg_det(*this); }
std::tuple<Tensor, Tensor> Tensor::slogdet() const { return linalg_slogdet(*this); }
Tensor Tensor::matrix_power(int64_t n) const { return linalg_matrix_power(*this, n); }

}  // namespace wick
