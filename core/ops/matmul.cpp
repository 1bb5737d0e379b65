#include <wick/core/ops/common.h>
#include <wick/core/ops/pointwise_engine.h>
#include <wick/kernels/matmul.h>

namespace wick {

using detail::Dims;

namespace {

/// The last two dimensions as the kernel takes them.
struct Matrix {
  int64_t rows = 0, cols = 0;  // as stored, before any transposition
  int64_t ld = 0;
  bool trans = false;  // stored by columns
};

/// Sees [rows, cols] with the given strides as dense rows or dense columns; false if neither.
bool as_matrix(int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride, Matrix& m) {
  if ((col_stride == 1 || cols <= 1) && (row_stride >= cols || rows <= 1)) {
    m = {rows, cols, rows <= 1 ? std::max<int64_t>(cols, 1) : std::max<int64_t>(row_stride, 1),
         false};
    return true;
  }
  if ((row_stride == 1 || rows <= 1) && (col_stride >= rows || cols <= 1)) {
    m = {cols, rows, std::max<int64_t>(cols <= 1 ? rows : col_stride, 1), true};
    return true;
  }
  return false;
}

/// The last two dimensions of x; copies x if the kernel cannot take their strides.
Matrix last_two(Tensor& x) {
  const int64_t n = x.dim(), rows = x.sizes()[n - 2], cols = x.sizes()[n - 1];
  Matrix m;
  if (as_matrix(rows, cols, x.strides()[n - 2], x.strides()[n - 1], m)) return m;
  x = detail::contiguous_raw(x);  // a tensor of no elements may keep any strides
  as_matrix(rows, cols, cols, 1, m);
  return m;
}

/// All but the last dimension of x as rows; copies x if need be.
Matrix as_rows(Tensor& x) {
  const int64_t n = x.dim() - 1;
  const int64_t cols = x.sizes()[n];
  int64_t rows = 1;
  int64_t stride = 0;  // between rows, from the innermost dimension that has more than one
  bool regular = true;
  for (int64_t d = n - 1; d >= 0; --d) {
    const int64_t size = x.sizes()[d];
    if (size == 1) continue;
    if (rows == 1) stride = x.strides()[d];
    regular &= x.strides()[d] == stride * rows;
    rows *= size;
  }
  Matrix m;
  if (regular && as_matrix(rows, cols, stride, x.strides()[n], m)) return m;
  x = detail::contiguous_raw(x);
  as_matrix(rows, cols, cols, 1, m);
  return m;
}

/// Says what the operands are; `args` may say what goes with the product.
void describe(MatmulArgs& args, DType dtype, const Matrix& a, bool trans_a, const Matrix& b,
              bool trans_b) {
  args.dtype = dtype;
  args.trans_a = trans_a != a.trans;
  args.trans_b = trans_b != b.trans;
  args.lda = a.ld;
  args.ldb = b.ld;
  args.m = args.trans_a ? a.cols : a.rows;
  args.k = args.trans_a ? a.rows : a.cols;
  args.n = args.trans_b ? b.rows : b.cols;
  args.ldc = std::max<int64_t>(args.n, 1);
}

struct BatchAxis {
  int64_t size, a, b, c;  // strides
};

/// Batch dimensions that all three operands can step through with one stride each are merged, the
/// innermost that is left goes to the kernel, the rest is looped over.
void run_batches(MatmulArgs args, const Tensor& a, const Tensor& b, const Tensor& c) {
  BatchAxis axes[kMaxRank];
  int n = 0;
  const int64_t batch_dims = c.dim() - 2;
  for (int64_t d = batch_dims - 1; d >= 0; --d) {
    const auto stride = [&](const Tensor& t) {
      const int64_t from = d - (c.dim() - t.dim());
      return from < 0 || t.sizes()[from] == 1 ? 0 : t.strides()[from];
    };
    const BatchAxis axis{c.sizes()[d], stride(a), stride(b), c.strides()[d]};
    if (axis.size == 1) continue;
    if (n > 0) {
      BatchAxis& in = axes[n - 1];
      if (axis.a == in.a * in.size && axis.b == in.b * in.size && axis.c == in.c * in.size) {
        in.size *= axis.size;
        continue;
      }
    }
    axes[n++] = axis;
  }
  if (n > 0) {
    args.batch = axes[0].size;
    args.stride_a = axes[0].a;
    args.stride_b = axes[0].b;
    args.stride_c = axes[0].c;
  }
  const int64_t bytes = element_size(args.dtype);
  int64_t index[kMaxRank] = {};
  for (;;) {
    int64_t at_a = 0, at_b = 0, at_c = 0;
    for (int i = 1; i < n; ++i) {
      at_a += index[i] * axes[i].a;
      at_b += index[i] * axes[i].b;
      at_c += index[i] * axes[i].c;
    }
    args.a = static_cast<const char*>(a.data_ptr()) + at_a * bytes;
    args.b = static_cast<const char*>(b.data_ptr()) + at_b * bytes;
    args.c = static_cast<char*>(c.data_ptr()) + at_c * bytes;
    WICK_DISPATCH(c.device(), matmul, args);
    int i = 1;
    while (i < n && ++index[i] == axes[i].size) index[i++] = 0;
    if (i >= n) return;
  }
}

/// op(a) op(b) over the last two dimensions of each, batches broadcast. Its gradients are products
/// of the same kind, so transposition never makes a copy or a view.
Tensor product(const Tensor& a, const Tensor& b, bool trans_a, bool trans_b) {
  Tensor in_a = a;
  Tensor in_b = b;
  MatmulArgs args;
  describe(args, a.dtype(), last_two(in_a), trans_a, last_two(in_b), trans_b);
  Dims sizes;
  if (a.dim() > 2 || b.dim() > 2) {
    sizes = detail::broadcast_shapes("matmul", a.sizes().slice(0, a.dim() - 2),
                                     b.sizes().slice(0, b.dim() - 2));
  }
  sizes.push_back(args.m);
  sizes.push_back(args.n);
  Tensor c = detail::make_checked("matmul", sizes, a.dtype(), a.device());
  if (c.numel() > 0) {
    if (c.dim() == 2) {
      args.a = in_a.data_ptr();
      args.b = in_b.data_ptr();
      args.c = c.data_ptr();
      WICK_DISPATCH(c.device(), matmul, args);
    } else {
      run_batches(args, in_a, in_b, c);
    }
  }
  if (is_floating_point(a.dtype()) && needs_grad(a, b)) {
    record("matmul", {a, b}, c,
           [a = detail::save_if(b.requires_grad(), a), b = detail::save_if(a.requires_grad(), b),
            trans_a, trans_b](Backward& ctx) -> Grads {
             const Tensor& g = ctx.grad();
             Tensor grad_a, grad_b;
             if (ctx.needs(0)) {
               const Tensor other = ctx.unpack(b);
               grad_a =
                   trans_a ? product(other, g, trans_b, true) : product(g, other, false, !trans_b);
             }
             if (ctx.needs(1)) {
               const Tensor other = ctx.unpack(a);
               grad_b =
                   trans_b ? product(g, other, true, trans_a) : product(other, g, !trans_a, false);
             }
             return {grad_a, grad_b};
           });
  }
  return c;
}

void check_product(const Tensor& a, const Tensor& b) {
  WICK_CHECK(ShapeError, a.dim() > 0 && b.dim() > 0,
             "matmul: expected tensors of at least 1 dimension, got ", a.sizes(), " and ",
             b.sizes(), "; use mul() for numbers");
  WICK_CHECK(DTypeError, a.dtype() == b.dtype(), "matmul: expected both of one type, got ",
             a.dtype(), " and ", b.dtype(), "; convert one with .to(dtype)");
  WICK_CHECK(DTypeError, a.dtype() != DType::Bool,
             "matmul: bool tensors are not supported; convert them with .to(dtype)");
  detail::common_device("matmul", {&a, &b});
  const int64_t k_a = a.sizes()[a.dim() - 1];
  const int64_t k_b = b.sizes()[b.dim() == 1 ? 0 : b.dim() - 2];
  WICK_CHECK(ShapeError, k_a == k_b, "matmul: expected a ", a.dim() == 1 ? "[k]" : "[.., m, k]",
             " and b ", b.dim() == 1 ? "[k]" : "[.., k, n]", ", got ", a.sizes(), " and ",
             b.sizes(), ": ", k_a, " and ", k_b, " differ");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_product(a, b);
  if (a.dim() == 2 && b.dim() == 2) return product(a, b, false, false);
  if (a.dim() == 1) {
    const Tensor row = a.unsqueeze(0);
    if (b.dim() == 1) return product(row, b.unsqueeze(1), false, false).view({});
    return product(row, b, false, false).squeeze(-2);
  }
  if (b.dim() == 1) return matmul(a, b.unsqueeze(1)).squeeze(-1);
  if (b.dim() == 2) {  // one product of many rows instead of many small ones
    Dims sizes(a.sizes());
    int64_t rows = 1;
    for (int d = 0; d < sizes.n - 1; ++d) rows *= sizes[d];
    const Tensor flat = a.reshape({rows, sizes[sizes.n - 1]});
    sizes[sizes.n - 1] = b.sizes()[1];
    return product(flat, b, false, false).view(sizes);
  }
  return product(a, b, false, false);
}

namespace {

void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  WICK_CHECK(ShapeError, weight.dim() == 2, op, ": expected weight of shape [out, in], got ",
             weight.sizes());
  WICK_CHECK(ShapeError, x.dim() > 0 && x.sizes()[x.dim() - 1] == weight.sizes()[1], op,
             ": expected x of shape [..., ", weight.sizes()[1], "], got ", x.sizes());
  detail::require_dtype(op, "weight", weight, x.dtype());
  WICK_CHECK(DTypeError, x.dtype() != DType::Bool, op,
             ": bool tensors are not supported; convert them with .to(dtype)");
  if (bias.defined()) {
    detail::require_vector(op, "bias", bias, weight.sizes()[0]);
    detail::require_dtype(op, "bias", bias, x.dtype());
  }
  detail::common_device(op, {&x, &weight, &bias});
}

/// op(a) op(b) into c, with what `args` says besides.
void multiply_into(const Tensor& c, const Matrix& a, const Tensor& in_a, bool trans_a,
                   const Matrix& b, const Tensor& in_b, bool trans_b, MatmulArgs&& args = {}) {
  describe(args, c.dtype(), a, trans_a, b, trans_b);
  args.a = in_a.data_ptr();
  args.b = in_b.data_ptr();
  args.c = c.data_ptr();
  WICK_DISPATCH(c.device(), matmul, args);
}

/// The gradients, without a graph: one product for each of x and weight and no copy of dense
/// operands; that of the bias comes with the one for weight.
Grads linear_backward(Backward& ctx, const Tensor& x, const Tensor& weight) {
  Tensor g = ctx.grad();
  const int64_t out = g.sizes()[g.dim() - 1];
  const Matrix grad = as_rows(g);
  Tensor grad_x, grad_weight, grad_bias;
  if (ctx.needs(0)) {
    Tensor in = weight;
    const Matrix w = last_two(in);
    Dims sizes(g.sizes());
    sizes[sizes.n - 1] = weight.sizes()[1];
    grad_x = detail::make_empty(sizes, g.dtype(), g.device());
    multiply_into(grad_x, grad, g, false, w, in, false);
  }
  if (ctx.needs(1)) {
    Tensor in = x;
    const Matrix rows = as_rows(in);
    grad_weight = detail::make_empty({out, x.sizes()[x.dim() - 1]}, g.dtype(), g.device());
    MatmulArgs with;
    if (ctx.needs(2)) {
      grad_bias = detail::make_empty({out}, g.dtype(), g.device());
      with.row_sums = grad_bias.data_ptr();
    }
    multiply_into(grad_weight, grad, g, true, rows, in, false, std::move(with));
  } else if (ctx.needs(2)) {
    grad_bias = sum_to_size(g, out);
  }
  return {grad_x, grad_weight, grad_bias};
}

Tensor as_rows_view(const Tensor& x) {
  const int64_t cols = x.sizes()[x.dim() - 1];
  int64_t rows = 1;
  for (int64_t d = 0; d < x.dim() - 1; ++d) rows *= x.sizes()[d];
  return x.reshape({rows, cols});
}

/// Makes `y` the result of linear().
void record_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor& y) {
  record("linear", {x, weight, bias}, y,
         [x = detail::save_if(weight.requires_grad(), x),
          weight = detail::save_if(x.requires_grad(), weight)](Backward& ctx) -> Grads {
           const Tensor& g = ctx.grad();
           const Tensor in = ctx.unpack(x);
           const Tensor w = ctx.unpack(weight);
           if (!ctx.create_graph()) return linear_backward(ctx, in, w);
           return {
               ctx.needs(0) ? matmul(g, w) : Tensor(),
               ctx.needs(1) ? product(as_rows_view(g), as_rows_view(in), true, false) : Tensor(),
               ctx.needs(2) ? sum_to_size(g, g.sizes()[g.dim() - 1]) : Tensor()};
         });
}

/// f(x W^T + b), without f if there is no `activation`; also the argument of f if `sum` is not
/// null. No history.
Tensor linear_raw(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  std::optional<UnaryOp> activation, Tensor* sum) {
  check_linear(op, x, weight, bias);
  Tensor in_x = x;
  Tensor in_w = weight;
  const Tensor in_b = bias.defined() ? detail::contiguous_raw(bias) : Tensor();
  const Matrix rows = as_rows(in_x);
  const Matrix w = last_two(in_w);
  Dims sizes(x.sizes());
  sizes[sizes.n - 1] = weight.sizes()[0];
  Tensor y = detail::make_checked(op, sizes, x.dtype(), x.device());
  MatmulArgs with;
  with.bias = detail::data_or_null(in_b);
  with.activation = activation;
  if (sum) {
    *sum = detail::make_empty(sizes, x.dtype(), x.device());
    with.sum = sum->data_ptr();
  }
  multiply_into(y, rows, in_x, false, w, in_w, true, std::move(with));
  return y;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y = linear_raw("linear", x, weight, bias, std::nullopt, nullptr);
  if (is_floating_point(x.dtype()) && needs_grad(x, weight, bias))
    record_linear(x, weight, bias, y);
  return y;
}

Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         const std::string& activation) {
  constexpr const char* kOp = "linear_activation";
  const bool is_relu = activation == "relu";
  WICK_CHECK(ValueError, is_relu || activation == "gelu_tanh", kOp,
             ": expected activation to be \"relu\" or \"gelu_tanh\", got \"", activation,
             "\"; apply others to linear(x, weight, bias)");
  detail::require_floating(kOp, x);
  const bool record_it = needs_grad(x, weight, bias);
  const UnaryOp kind = is_relu ? UnaryOp::Relu : UnaryOp::GeluTanh;
  Tensor sum;
  Tensor y = linear_raw(kOp, x, weight, bias, kind, record_it && !is_relu ? &sum : nullptr);
  if (!record_it) return y;
  // For autograd these are two ops. Backward of ReLU reads y, so the sum was not kept: the tensor
  // in its place has y's elements, which nobody looks at.
  if (is_relu) sum = detail::alias_raw(y, y.sizes(), y.strides());
  record_linear(x, weight, bias, sum);
  if (is_relu) {
    detail::record_unary<pointwise::Relu>("relu", kind, sum, y);
  } else {
    detail::record_unary<pointwise::GeluTanh>("gelu", kind, sum, y);
  }
  return y;
}

// --- methods

Tensor Tensor::matmul(const Tensor& other) const { return wick::matmul(*this, other); }

}  // namespace wick
