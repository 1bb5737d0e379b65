#include <wick/core/ops/common.h>
#include <wick/kernels/softmax.h>

namespace wick {

namespace {

/// x as [outer, dim, inner].
SoftmaxArgs softmax_args(const Tensor& x, int64_t dim, bool log) {
  SoftmaxArgs args;
  args.dtype = x.dtype();
  args.log = log;
  args.dim = 1;  // of a tensor without dimensions
  for (int64_t d = 0; d < x.dim(); ++d) {
    const int64_t size = x.sizes()[d];
    if (d < dim) {
      args.outer *= size;
    } else if (d == dim) {
      args.dim = size;
    } else {
      args.inner *= size;
    }
  }
  return args;
}

Tensor softmax_over(const char* name, const Tensor& x, int64_t dim, bool log) {
  dim = detail::wrap_dim(name, dim, x.dim());
  detail::require_floating(name, x);
  const Tensor in = detail::contiguous_raw(x);
  Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
  if (y.numel() > 0) {
    const SoftmaxArgs args = softmax_args(x, dim, log);
    WICK_DISPATCH(x.device(), softmax, args, in.data_ptr(), y.data_ptr());
  }
  if (needs_grad(x)) {
    record(name, {x}, y, [y = save_output(y), dim, log](Backward& ctx) -> Grads {
      const Tensor out = ctx.unpack(y);
      if (ctx.create_graph()) {
        const Tensor& g = ctx.grad();
        if (log) return {g - exp(out) * g.sum(dim, true)};
        return {out * (g - (g * out).sum(dim, true))};
      }
      const Tensor g = detail::contiguous_raw(ctx.grad());
      Tensor grad_x = detail::make_empty(out.sizes(), out.dtype(), out.device());
      if (out.numel() > 0) {
        const SoftmaxArgs args = softmax_args(out, dim, log);
        WICK_DISPATCH(out.device(), softmax_backward, args, g.data_ptr(), out.data_ptr(),
                      grad_x.data_ptr());
      }
      return {grad_x};
    });
  }
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_over("softmax", dtype ? x.to(*dtype) : x, dim, false);
}

Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_over("log_softmax", dtype ? x.to(*dtype) : x, dim, true);
}

Tensor softmin(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_over("softmin", dtype ? -x.to(*dtype) : -x, dim, false);
}

Tensor gumbel_softmax(const Tensor& x, double tau, bool hard, int64_t dim) {
  constexpr const char* op = "gumbel_softmax";
  WICK_CHECK(ValueError, tau > 0, op, ": expected tau > 0, got ", tau);
  detail::require_floating(op, x);
  const Tensor drawn = rand(x.sizes(), x.options().dtype(detail::stats_dtype(x.dtype())));
  const Tensor uniform = where(drawn == 0, 0x1p-25, drawn);  // for the logarithm
  const Tensor noise = -wick::log(-wick::log(uniform));
  Tensor soft = softmax_over(op, (x + noise.to(x.dtype())) / tau, dim, false);
  if (!hard) return soft;
  dim = detail::wrap_dim(op, dim, x.dim());
  if (x.numel() == 0 || x.dim() == 0) return soft;
  detail::Dims along;
  for (int64_t d = 0; d < x.dim(); ++d) along.push_back(d == dim ? x.sizes()[d] : 1);
  const Tensor classes = arange(x.size(dim), x.options().dtype(kInt64)).view(along);
  const Tensor one = (classes == soft.detach().argmax(dim, true)).to(x.dtype());
  return one - soft.detach() + soft;
}

Tensor Tensor::softmax(int64_t dim, std::optional<DType> dtype) const {
  return wick::softmax(*this, dim, dtype);
}

Tensor Tensor::log_softmax(int64_t dim, std::optional<DType> dtype) const {
  return wick::log_softmax(*this, dim, dtype);
}

}  // namespace wick
