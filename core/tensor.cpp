#include <wick/core/tensor.h>

#include <wick/core/autograd_meta.h>
#include <wick/core/iterate.h>
#include <wick/core/node_hooks.h>
#include <wick/core/ops.h>
#include <wick/core/view_grad.h>
#include <algorithm>
#include <atomic>
#include <cmath>

namespace wick {

void Tensor::throw_undefined() {
  WICK_FAIL(ValueError,
            "expected a defined tensor, got one that was default-constructed or moved "
            "from; assign a tensor to it first");
}

void Tensor::check_type(DType wanted) const {
  WICK_CHECK(DTypeError, wanted == dtype(), "data_ptr: expected a pointer to ", dtype(),
             ", the tensor's element type, got one to ", wanted);
}

void Tensor::check_accessor(size_t dims) const {
  WICK_CHECK(DeviceError, is_cpu(), "accessor: expected a tensor on the CPU, got one on ",
             device());
  WICK_CHECK(ShapeError, dims > 0 && static_cast<size_t>(dim()) == dims, "accessor: expected ",
             dims, " dimensions, as many as the accessor has, got shape ", sizes());
}

int64_t Tensor::size(int64_t d) const { return sizes()[detail::wrap_dim("size", d, dim())]; }

int64_t Tensor::stride(int64_t d) const { return strides()[detail::wrap_dim("stride", d, dim())]; }

// --- autograd

bool Tensor::requires_grad() const { return detail::requires_grad(impl()); }

Tensor& Tensor::requires_grad_(bool wanted) {
  TensorImpl& t = impl();
  if (!wanted && !t.meta()) return *this;
  if (!is_leaf()) {
    WICK_CHECK(AutogradError, wanted,
               "you can only change requires_grad flags of leaf variables. If you want to use a "
               "computed variable in a subgraph that doesn't require differentiation use "
               "var_no_grad = var.detach().");
    return *this;
  }
  WICK_CHECK(DTypeError, !wanted || is_floating_point(),
             "only Tensors of floating point dtype can require gradients, got ", dtype());
  t.ensure_meta().requires_grad = wanted;
  return *this;
}

bool Tensor::is_leaf() const {
  TensorImpl& t = impl();
  if (!t.meta()) return true;
  if (t.meta()->base.defined()) detail::refresh_view_history(t);
  return !t.meta()->grad_fn.node;
}

const Tensor& Tensor::grad() const {
  static const Tensor* const undefined = new Tensor;
  const detail::AutogradMeta* meta = impl().meta();
  return meta ? meta->grad : *undefined;
}

Tensor& Tensor::mutable_grad() { return impl().ensure_meta().grad; }

NodePtr Tensor::grad_fn() const { return is_leaf() ? NodePtr() : impl().meta()->grad_fn.node; }

int64_t Tensor::output_nr() const { return is_leaf() ? 0 : impl().meta()->grad_fn.index; }

void Tensor::retain_grad() {
  WICK_CHECK(AutogradError, requires_grad(),
             "can't retain_grad on Tensor that has requires_grad=False");
  if (is_leaf() || retains_grad()) return;
  const Edge edge = impl().meta()->grad_fn;
  AutogradAccess::ensure_hooks(*edge.node).retained.emplace_back(edge.index, &impl());
  impl().meta()->retains_grad = true;
}

bool Tensor::retains_grad() const { return impl().meta() && impl().meta()->retains_grad; }

unsigned Tensor::register_hook(std::function<Tensor(Tensor)> hook) {
  static std::atomic<unsigned> next{1};
  WICK_CHECK(AutogradError, requires_grad(),
             "cannot register a hook on a variable that doesn't require gradient");
  WICK_CHECK(ValueError, hook, "register_hook: expected a function, got an empty one");
  const Edge edge = detail::gradient_edge(impl());
  const unsigned id = next.fetch_add(1, std::memory_order_relaxed);
  AutogradAccess::ensure_hooks(*edge.node).hooks.push_back({id, edge.index, std::move(hook)});
  return id;
}

void Tensor::remove_hook(unsigned handle) {
  const Edge edge = detail::gradient_edge(impl());
  auto* hooks = edge.node ? AutogradAccess::hooks(*edge.node) : nullptr;
  const auto removed =
      hooks ? std::erase_if(hooks->hooks, [&](const auto& h) { return h.id == handle; }) : 0;
  WICK_CHECK(ValueError, removed == 1, "remove_hook: this tensor has no hook ", handle);
}

Tensor Tensor::detach() const {
  TensorImpl& t = impl();
  return Tensor(
      TensorImpl::make(t.storage(), t.storage_offset(), t.sizes(), t.strides(), t.dtype()));
}

Tensor& Tensor::detach_() {
  detail::AutogradMeta* meta = impl().meta();
  if (!meta) return *this;
  WICK_CHECK(AutogradError, !meta->base.defined(),
             "Can't detach views in-place. Use detach() instead.");
  if (meta->retains_grad) detail::forget_retained(impl());
  meta->retains_grad = false;
  meta->grad_fn = {};
  meta->requires_grad = false;
  return *this;
}

void Tensor::set_data(const Tensor& other) {
  TensorImpl& t = impl();
  WICK_CHECK(DTypeError, !requires_grad() || wick::is_floating_point(other.dtype()),
             "set_data: a tensor that requires a gradient cannot become ", other.dtype());
  const detail::AutogradMeta* meta = t.meta();
  WICK_CHECK(AutogradError, !meta || !meta->base.defined(),
             "set_data: the tensor is a view; set the data of its base");
  t.assign_data(other.impl());
}

bool Tensor::is_view() const { return impl().meta() && impl().meta()->base.defined(); }

Tensor Tensor::_base() const { return is_view() ? impl().meta()->base : Tensor(); }

// --- comparing whole tensors

bool equal(const Tensor& a, const Tensor& b) {
  WICK_CHECK(DTypeError, a.dtype() == b.dtype(), "equal: expected tensors of one type, got ",
             a.dtype(), " and ", b.dtype());
  if (!(a.sizes() == b.sizes())) return false;
  const NoGradGuard no_grad;
  return all(eq(a, b)).item().toBool();
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  WICK_CHECK(DTypeError, a.dtype() == b.dtype(), "allclose: expected tensors of one type, got ",
             a.dtype(), " and ", b.dtype());
  WICK_CHECK(ValueError, rtol >= 0 && atol >= 0, "allclose: expected tolerances >= 0, got rtol ",
             rtol, " and atol ", atol);
  const NoGradGuard no_grad;
  const Tensor x = a.to(kFloat64);
  const Tensor y = b.to(kFloat64);
  // Equality first: inf - inf is not a number.
  const Tensor yes = ones({}, TensorOptions(kBool).device(kCPU));
  Tensor close = where(eq(x, y), yes, le(abs(sub(x, y)), add(mul(abs(y), rtol), atol)));
  // |x - inf| <= inf would pass for every finite x.
  close = where(eq(abs(y), HUGE_VAL), eq(x, y), close);
  if (equal_nan) close = where(ne(x, x), ne(y, y), close);
  return all(close).item().toBool();
}

bool Tensor::equal(const Tensor& other) const { return wick::equal(*this, other); }
bool Tensor::allclose(const Tensor& other, double rtol, double atol, bool equal_nan) const {
  return wick::allclose(*this, other, rtol, atol, equal_nan);
}

}  // namespace wick
