#include <wick/core/autograd.h>

#include <wick/core/allocator.h>
#include <wick/core/autograd_meta.h>
#include <wick/core/iterate.h>
#include <wick/core/node_hooks.h>
#include <wick/core/ops.h>
#include <wick/core/thread_state.h>
#include <wick/core/view_grad.h>
#include <algorithm>
#include <new>

namespace wick {

// --- nodes

TensorMeta::TensorMeta(const TensorImpl& impl)
    : ndim(static_cast<uint8_t>(impl.dim())), dtype(impl.dtype()), device(impl.device()) {
  for (int d = 0; d < ndim; ++d) sizes[d] = impl.size(d);
}

uint64_t Node::next_sequence() {
  // One count for all threads: a node may take inputs that another thread made.
  static std::atomic<uint64_t> counter{1};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

Node::Node(const char* name, size_t bytes, uint64_t sequence)
    : name_(name),
      sequence_(sequence == 0 ? 0 : next_sequence()),
      bytes_(static_cast<uint32_t>(bytes)) {
  detail::count(detail::Counter::Nodes, 1);
}

Node::~Node() { delete hooks_; }

void Node::destroy(Node* node) noexcept {
  // run_ is free in a node that nobody refers to; here it links the queue.
  auto& state = detail::thread_state();
  node->run_.store(state.released_nodes, std::memory_order_relaxed);
  state.released_nodes = node;
  if (state.releasing) return;  // the loop below, further up the stack, will come to it
  state.releasing = true;
  while (state.released_nodes) {
    auto* next = static_cast<Node*>(state.released_nodes);
    state.released_nodes = next->run_.load(std::memory_order_relaxed);
    const size_t bytes = next->bytes_;
    next->~Node();
    detail::release_small(next, bytes);
    detail::count(detail::Counter::Nodes, -1);
  }
  state.releasing = false;
}

void Node::throw_released() const {
  WICK_FAIL(AutogradError,
            "backward: trying to backward through the graph a second time; the values "
            "saved by '",
            name_,
            "' were freed by the first backward. Pass retain_graph=true to the "
            "first call if you need both");
}

bool Backward::needs(size_t i) const { return static_cast<bool>(node_.next_edge(i).node); }

// --- saved tensors

SavedTensor::SavedTensor(const Tensor& tensor, int output) : output_(static_cast<int16_t>(output)) {
  if (!tensor.defined()) return;
  TensorImpl& impl = tensor.impl();
  storage_ = impl.storage();
  offset_ = impl.storage_offset();
  ndim_ = static_cast<uint8_t>(impl.dim());
  dtype_ = impl.dtype();
  version_ = impl.version();
  for (int d = 0; d < ndim_; ++d) {
    geometry_[d] = impl.size(d);
    geometry_[kMaxRank + d] = impl.stride(d);
  }
  // An output's edge would be a cycle; unpack() gets it from the node itself.
  if (output < 0 && impl.meta()) edge_ = detail::gradient_edge(impl);
}

Tensor SavedTensor::unpack(Node& self) const {
  const IntArrayRef sizes(geometry_, ndim_);
  WICK_CHECK(AutogradError, storage_->version() == version_,
             "one of the variables needed for gradient computation has been modified by an inplace "
             "operation: '",
             self.name(), "' saved a ", name_of(dtype_), " tensor of shape ", sizes,
             (output_ >= 0 ? " (its output)" : ""), ", which is at version ", storage_->version(),
             "; expected version ", version_,
             " instead. Use a clone(), or change it after backward()");
  Tensor t(TensorImpl::make(storage_, offset_, sizes, {geometry_ + kMaxRank, ndim_}, dtype_));
  if (!GradMode::is_enabled()) return t;
  Edge edge = output_ >= 0 ? Edge{NodePtr(&self), static_cast<uint32_t>(output_)} : edge_;
  if (edge.node) t.impl().ensure_meta().grad_fn = std::move(edge);
  return t;
}

// --- grad mode

bool GradMode::is_enabled() { return detail::thread_state().grad_enabled; }
void GradMode::set_enabled(bool enabled) { detail::thread_state().grad_enabled = enabled; }

bool autograd::AnomalyMode::is_enabled() { return detail::thread_state().anomaly_mode; }
bool autograd::AnomalyMode::should_check_nan() { return detail::thread_state().anomaly_check_nan; }
void autograd::AnomalyMode::set_enabled(bool enabled, bool check_nan) {
  detail::thread_state().anomaly_mode = enabled;
  detail::thread_state().anomaly_check_nan = check_nan;
}

// --- leaves

namespace detail {

AutogradMeta::~AutogradMeta() {
  if (AccumulateGrad* a = accumulator.load(std::memory_order_acquire)) {
    a->forget();
    static_cast<const Node*>(a)->release();
  }
}

namespace {
class SpinLock {
 public:
  explicit SpinLock(std::atomic_flag& flag) : flag_(flag) {
    while (flag_.test_and_set(std::memory_order_acquire)) flag_.wait(true);
  }
  ~SpinLock() {
    flag_.clear(std::memory_order_release);
    flag_.notify_one();
  }

 private:
  std::atomic_flag& flag_;
};
}  // namespace

AccumulateGrad::AccumulateGrad(TensorImpl& leaf)
    : Node("accumulate_grad", sizeof(AccumulateGrad), 0), leaf_(&leaf) {
  AutogradAccess::outputs(*this).push_back(TensorMeta(leaf));
}

void AccumulateGrad::forget() noexcept {
  const SpinLock guard(lock_);
  leaf_ = nullptr;
}

void AccumulateGrad::refresh_meta(const TensorImpl& leaf) {
  AutogradAccess::outputs(*this)[0] = TensorMeta(leaf);
}

Grads AccumulateGrad::apply(Backward& context) {
  const SpinLock guard(lock_);
  if (leaf_) accumulate(*leaf_, context.take_grad(), context.create_graph());
  return {};
}

void accumulate(TensorImpl& impl, Tensor g, bool create_graph) {
  if (g.device() != impl.device() || g.dtype() != impl.dtype()) {
    g = g.to(impl.device(), impl.dtype());  // the leaf moved between forward and backward
  }
  Tensor& grad = impl.ensure_meta().grad;
  if (grad.defined()) {
    if (create_graph || grad.requires_grad()) {
      grad = grad + g;
    } else {
      grad.add_(g);
    }
    return;
  }
  // Take the gradient over if nobody else can see it; a copy otherwise.
  const bool sole = g.impl_ptr()->use_count() == 1 && g.storage()->use_count() == 1;
  if (create_graph) {
    grad = sole ? std::move(g) : g.clone();
  } else if (sole && g.is_contiguous()) {
    grad = g.requires_grad() ? g.detach() : std::move(g);
  } else {
    const NoGradGuard no_grad;
    grad = g.clone();
  }
}

Edge gradient_edge(TensorImpl& impl) {
  AutogradMeta* meta = impl.meta();
  if (!meta) return {};
  if (meta->base.defined()) refresh_view_history(impl);
  if (meta->grad_fn.node) return meta->grad_fn;
  if (!meta->requires_grad) return {};
  AccumulateGrad* a = meta->accumulator.load(std::memory_order_acquire);
  if (!a) {
    auto* fresh = new (allocate_small(sizeof(AccumulateGrad))) AccumulateGrad(impl);
    const NodePtr keep(fresh);
    static_cast<const Node*>(fresh)->retain();  // the reference of the metadata
    if (meta->accumulator.compare_exchange_strong(a, fresh, std::memory_order_acq_rel)) {
      a = fresh;
    } else {
      fresh->forget();
      static_cast<const Node*>(fresh)->release();
    }
  }
  return {NodePtr(a), 0};
}

bool requires_grad(const TensorImpl& impl) {
  const AutogradMeta* meta = impl.meta();
  if (!meta) return false;
  if (meta->requires_grad || meta->grad_fn.node) return true;
  // A view of a tensor that was given a history by a later in-place operation.
  return meta->base.defined() && !meta->view_without_grad && is_floating_point(impl.dtype()) &&
         meta->view_version != impl.version() && requires_grad(meta->base.impl());
}

bool any_requires_grad(ArrayRef<const Tensor*> inputs) {
  for (const Tensor* t : inputs) {
    if (t->defined() && t->unsafeGetTensorImpl()->meta() && requires_grad(t->impl())) return true;
  }
  return false;
}

void set_history(TensorImpl& impl, Edge edge) {
  AutogradMeta& meta = impl.ensure_meta();
  if (meta.retains_grad) {
    forget_retained(impl);
    if (edge.node)
      AutogradAccess::ensure_hooks(*edge.node).retained.emplace_back(edge.index, &impl);
    meta.retains_grad = static_cast<bool>(edge.node);
  }
  meta.grad_fn = std::move(edge);
  meta.view_version = impl.version();
}

void forget_retained(TensorImpl& impl) noexcept {
  Node* node = impl.meta()->grad_fn.node.get();
  auto* hooks = node ? AutogradAccess::hooks(*node) : nullptr;
  if (hooks) std::erase_if(hooks->retained, [&](const auto& r) { return r.second == &impl; });
}

void attach(Node& node, ArrayRef<const Tensor*> inputs, ArrayRef<Tensor*> outputs) {
  auto& edges = AutogradAccess::edges(node);
  edges.reserve(static_cast<uint32_t>(inputs.size()));
  for (const Tensor* t : inputs) edges.push_back(t->defined() ? gradient_edge(t->impl()) : Edge{});
  auto& metas = AutogradAccess::outputs(node);
  metas.reserve(static_cast<uint32_t>(outputs.size()));
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]->defined()) {
      metas.push_back(TensorMeta());
      continue;
    }
    TensorImpl& impl = outputs[i]->impl();
    metas.push_back(TensorMeta(impl));
    if (!is_floating_point(impl.dtype())) continue;
    set_history(impl, {NodePtr(&node), i});
  }
  AutogradAccess::note_origin(node);
}

}  // namespace detail
}  // namespace wick
