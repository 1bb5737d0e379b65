// In-place operations and views: rebasing the history of a base, remaking the history of its views.
#include <wick/core/autograd_meta.h>
#include <wick/core/iterate.h>
#include <wick/core/node_hooks.h>
#include <wick/core/ops.h>
#include <wick/core/view_grad.h>
#include <wick/kernels/index.h>
#include <new>
#include <utility>

namespace wick {
namespace detail {

Geometry::Geometry(const TensorImpl& impl)
    : Geometry(impl.sizes(), impl.strides(), impl.storage_offset()) {}

Geometry::Geometry(IntArrayRef s, IntArrayRef st, int64_t o)
    : ndim(static_cast<int>(s.size())), offset(o) {
  for (int d = 0; d < ndim; ++d) {
    sizes[d] = s[d];
    strides[d] = st[d];
  }
}

namespace {

int64_t numel_of(const Geometry& g) {
  int64_t n = 1;
  for (int d = 0; d < g.ndim; ++d) n *= g.sizes[d];
  return n;
}

// Elements of memory from the first to the last one that the geometry touches.
int64_t extent_of(const Geometry& g) {
  int64_t last = 0;
  for (int d = 0; d < g.ndim; ++d) {
    if (g.sizes[d] == 0) return 0;
    last += (g.sizes[d] - 1) * g.strides[d];
  }
  return last + 1;
}

bool is_dense_row_major(const Geometry& g) {
  int64_t expected = 1;
  for (int d = g.ndim - 1; d >= 0; --d) {
    if (g.sizes[d] != 1 && g.strides[d] != expected) return false;
    expected *= g.sizes[d];
  }
  return true;
}

}  // namespace

bool overlaps(const Geometry& g) {
  std::pair<int64_t, int64_t> dims[kMaxRank];  // stride, size; smallest stride first
  int n = 0;
  for (int d = 0; d < g.ndim; ++d) {
    if (g.sizes[d] <= 1) continue;
    dims[n] = {g.strides[d], g.sizes[d]};
    for (int i = n++; i > 0 && dims[i] < dims[i - 1]; --i) std::swap(dims[i], dims[i - 1]);
  }
  int64_t reach = 0;
  for (int i = 0; i < n; ++i) {
    if (dims[i].first <= reach) return true;
    reach += dims[i].first * (dims[i].second - 1);
  }
  return false;
}

namespace {

Geometry flat(const Geometry& g) { return Geometry(extent_of(g), 1, g.offset); }

// x (of g's sizes) in one-dimensional memory such that g's strides apply. Differentiable.
Tensor lay_out(const Tensor& x, const Geometry& g) {
  if (is_dense_row_major(g)) return x.contiguous();
  return as_strided_backward(x, flat(g), g);
}

Tensor pick(const Tensor& laid_out, const Geometry& base, const Geometry& view) {
  return laid_out.as_strided(view.shape(), view.steps(),
                             view.offset - base.offset + laid_out.storage_offset());
}

// Sums every element of grad into the place of `buffer` (1-d, `extent` long) that it came from.
void scatter_add(const Tensor& buffer, const Tensor& grad, const Geometry& view, int64_t offset) {
  Tensor index = full({}, offset, TensorOptions(kInt64).device(grad.device()));
  for (int d = 0; d < view.ndim; ++d) {
    Tensor steps = arange(view.sizes[d], TensorOptions(kInt64).device(grad.device()));
    Dims shape;
    for (int i = 0; i < view.ndim; ++i) shape.push_back(i == d ? view.sizes[d] : 1);
    index = index + (steps * view.strides[d]).view(shape);
  }
  index = contiguous_raw(index.expand(view.shape()));
  const Tensor values = contiguous_raw(grad);
  IndexArgs args;
  args.dtype = grad.dtype();
  args.size = buffer.numel();
  args.count = grad.numel();
  args.op = FaultOp::AsStrided;
  WICK_DISPATCH(grad.device(), index_add, args, values.data_ptr(),
                static_cast<const int64_t*>(index.data_ptr()), int64_t{-1}, buffer.data_ptr());
}

class CopySlices final : public Node {
 public:
  CopySlices(NodePtr fn, const TensorImpl& base, const TensorImpl& view)
      : Node("copy_slices", sizeof(CopySlices), 1), base_(base), view_(view), fn_(std::move(fn)) {}

 private:
  // The part of the gradient that belongs to the view goes through the in-place op.
  Grads apply(Backward& context) override {
    if (!fn_) throw_released();
    Tensor laid = lay_out(context.grad(), base_).clone();
    Tensor slice = pick(laid, base_, view_);
    Tensor grad_view = slice.clone();
    Backward inner(*fn_, {&grad_view, 1}, context.create_graph());
    Grads grads = AutogradAccess::apply(*fn_, inner);
    WICK_CHECK(AutogradError, grads.size() == fn_->num_inputs(), "backward: '", fn_->name(),
               "' returned ", grads.size(), " gradients for ", fn_->num_inputs(), " inputs");
    if (context.needs(0)) {
      if (grads[0].defined()) {
        slice.copy_(sum_to_size(grads[0], view_.shape()));
      } else {
        slice.zero_();
      }
      grads[0] = pick(laid, base_, base_);
    }
    return grads;
  }
  void release_saved() noexcept override { fn_.reset(); }

  Geometry base_;
  Geometry view_;
  NodePtr fn_;
};

}  // namespace

Tensor as_strided_backward(const Tensor& grad, const Geometry& base, const Geometry& view) {
  Tensor g = grad.detach();
  Geometry v = view;
  for (int d = 0; d < v.ndim; ++d) {  // repeated elements
    if (v.strides[d] != 0 || v.sizes[d] == 1) continue;
    g = sum(g, d, /*keepdim=*/true);
    v.sizes[d] = 1;
  }
  const int64_t offset = view.offset - base.offset;
  const bool dense = is_dense_row_major(base);
  Tensor buffer = zeros({dense ? numel_of(base) : extent_of(base)}, g.options());
  if (numel_of(v) == 0) {
  } else if (overlaps(v)) {
    scatter_add(buffer, g, v, offset);
  } else {
    copy_raw(Tensor(TensorImpl::make(buffer.storage(), offset, v.shape(), v.steps(), g.dtype())),
             g);
  }
  Tensor result(dense
                    ? TensorImpl::make(buffer.storage(), 0, base.shape(), g.dtype())
                    : TensorImpl::make(buffer.storage(), 0, base.shape(), base.steps(), g.dtype()));
  if (needs_grad(grad)) {
    record("as_strided_backward", {grad}, result, [base, view](Backward& ctx) -> Grads {
      return {pick(lay_out(ctx.grad(), base), base, view)};
    });
  }
  return result;
}

void refresh_view_history(TensorImpl& impl) {
  AutogradMeta& meta = *impl.meta();
  if (meta.view_without_grad || meta.view_version == impl.version()) return;
  TensorImpl& base = meta.base.impl();
  if (!requires_grad(base)) return set_history(impl, {});
  const auto backward = [base = Geometry(base), view = Geometry(impl)](Backward& ctx) -> Grads {
    return {strided_gradient(ctx.grad(), base, view)};
  };
  using Lambda = LambdaNode<std::remove_const_t<decltype(backward)>>;
  const NodePtr node(new (allocate_small(sizeof(Lambda)))
                         Lambda("as_strided", std::remove_const_t<decltype(backward)>(backward)));
  AutogradAccess::edges(*node).push_back(gradient_edge(base));
  AutogradAccess::outputs(*node).push_back(TensorMeta(impl));
  AutogradAccess::note_origin(*node);
  set_history(impl, {node, 0});
}

Tensor make_view(const Tensor& x, int64_t offset, IntArrayRef sizes, IntArrayRef strides) {
  TensorImpl& source = x.impl();
  Tensor view(TensorImpl::make(source.storage(), offset, sizes, strides, source.dtype()));
  if (!is_floating_point(source.dtype())) return view;
  AutogradMeta& meta = view.impl().ensure_meta();
  const AutogradMeta* from = source.meta();
  meta.base = from && from->base.defined() ? from->base : x;
  meta.view_without_grad =
      !GradMode::is_enabled() || (from && from->base.defined() && from->view_without_grad);
  meta.view_version = view.impl().version();
  return view;
}

void outdate_views(ArrayRef<const Tensor*> inputs, const Tensor& x) {
  for (const Tensor* t : inputs) {
    AutogradMeta* meta = t->defined() ? t->impl().meta() : nullptr;
    if (meta && meta->base.defined() && t->is_alias_of(x))
      meta->view_version = t->impl().version() - 1;
  }
}

void attach_inplace(NodePtr node, ArrayRef<const Tensor*> inputs, Tensor& x) {
  auto& edges = AutogradAccess::edges(*node);
  for (const Tensor* t : inputs) edges.push_back(t->defined() ? gradient_edge(t->impl()) : Edge{});
  outdate_views(inputs, x);
  AutogradAccess::outputs(*node).push_back(TensorMeta(x.impl()));
  AutogradAccess::note_origin(*node);
  adopt_inplace(std::move(node), x);
}

void adopt_inplace(NodePtr node, Tensor& x) {
  TensorImpl& impl = x.impl();
  if (!is_floating_point(impl.dtype())) return;
  AutogradMeta* meta = impl.meta();
  if (!meta || !meta->base.defined()) return set_history(impl, {std::move(node), 0});
  // x is a view: its base becomes the output of an op that passes through everything else.
  TensorImpl& base = meta->base.impl();
  const NodePtr rebased(new (allocate_small(sizeof(CopySlices))) CopySlices(node, base, impl));
  auto& edges = AutogradAccess::edges(*rebased);
  edges.push_back(gradient_edge(base));
  for (size_t i = 1; i < node->num_inputs(); ++i) edges.push_back(node->next_edge(i));
  AutogradAccess::outputs(*rebased).push_back(TensorMeta(base));
  AutogradAccess::note_origin(*rebased);
  set_history(base, {rebased, 0});
  meta->view_version = impl.version() - 1;  // remade from the base when asked for
}

}  // namespace detail

void check_inplace(const char* op, const Tensor& x, bool other_needs_grad) {
  TensorImpl& impl = x.impl();
  for (int d = 0; d < impl.dim() && impl.numel() > 0; ++d) {
    WICK_CHECK(
        ValueError, impl.stride(d) != 0 || impl.size(d) <= 1, op,
        ": more than one element of the written-to tensor refers to a single memory location "
        "(sizes ",
        impl.sizes(), ", strides ", impl.strides(), "); clone() it first");
  }
  const detail::AutogradMeta* meta = impl.meta();
  if (!meta || !GradMode::is_enabled()) return;
  WICK_CHECK(AutogradError, !meta->requires_grad,
             "a leaf Variable that requires grad is being used in an in-place operation (", op,
             "); do it under NoGradGuard");
  if (!meta->base.defined()) return;
  const detail::AutogradMeta* base = meta->base.impl().meta();
  WICK_CHECK(
      AutogradError, !base || !base->requires_grad,
      "a view of a leaf Variable that requires grad is being used in an in-place operation (", op,
      "); do it under NoGradGuard");
  WICK_CHECK(AutogradError,
             !meta->view_without_grad || !(other_needs_grad || detail::requires_grad(impl) ||
                                           detail::requires_grad(meta->base.impl())),
             op,
             ": a view was created in no_grad mode and is being modified inplace with grad mode "
             "enabled; make the view outside NoGradGuard, or clone() it");
}

void bump_version(const Tensor& x) { x.storage()->bump_version(); }

Tensor previous(const Tensor& x) {
  TensorImpl& impl = x.impl();
  Tensor stand_in(TensorImpl::make(impl.storage(), impl.storage_offset(), impl.sizes(),
                                   impl.strides(), impl.dtype()));
  Edge edge = detail::gradient_edge(impl);
  if (edge.node) stand_in.impl().ensure_meta().grad_fn = std::move(edge);
  return stand_in;
}

}  // namespace wick
