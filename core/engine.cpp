#include <wick/core/autograd_meta.h>
#include <wick/core/iterate.h>
#include <wick/core/node_hooks.h>
#include <wick/core/ops.h>
#include <wick/core/run_streams.h>
#include <algorithm>
#include <exception>
#include <system_error>
#include <thread>
#include <unordered_map>

namespace wick {

/// One backward run: a max-heap by sequence number, so that a node is run after all nodes that were
/// made after it, which include all its consumers. No recursion, no dependency count. The gradients
/// that wait for a node lie in the node itself, or in a map if another run has claimed it.
class Engine {
 public:
  Engine(bool keep_graph, bool create_graph) : keep_(keep_graph), create_(create_graph) {}
  ~Engine() {
    for (Node* node : heap_) drop(*node);  // only after an exception
  }

  /// The gradient of `edge` is wanted in result(slot).
  void capture(const Edge& edge, size_t slot) {
    targets_[edge.node.get()].captures.push_back({edge.index, slot});
    if (captured_.size() <= slot) captured_.resize(slot + 1);
  }
  /// This leaf is to accumulate although others are not.
  void allow(const Edge& edge) { targets_[edge.node.get()].accumulate = true; }
  Tensor& result(size_t slot) { return captured_[slot]; }

  /// `roots` must stay alive: they own the graph.
  void run(ArrayRef<Edge> roots, ArrayRef<Tensor> grads) {
    detail::ThreadState& state = detail::thread_state();
    if (state.backward_depth >= kMaxDepth) return run_in_thread(roots, grads);
    struct Depth {
      uint8_t& count;
      explicit Depth(uint8_t& c) : count(++c) {}
      ~Depth() { --count; }
    } const depth(state.backward_depth);
    const AutoGradMode mode(create_);
    if (!targets_.empty()) prune(roots);
    for (size_t i = 0; i < roots.size(); ++i) add(roots[i], grads[i], "backward");
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), earlier);
      Node* node = heap_.back();
      InlineVector<Tensor, 1> pending = take(*node);
      heap_.resize(heap_.size() - 1);
      step(*node, pending);
    }
    streams_.finish();
  }

 private:
  struct Target {
    std::vector<std::pair<uint32_t, size_t>> captures;  // output, slot
    bool accumulate = false;
    bool needed = false;
    bool visited = false;
  };

  // A backward inside a backward inside ... each takes some of the stack: a fresh one is a
  // thread's.
  static constexpr uint8_t kMaxDepth = 60;
  void run_in_thread(ArrayRef<Edge> roots, ArrayRef<Tensor> grads) {
    const detail::ThreadState& mine = detail::thread_state();
    std::exception_ptr error;
    const auto body = [&] {
      detail::ThreadState& state = detail::thread_state();
      state.anomaly_mode = mine.anomaly_mode;
      state.anomaly_check_nan = mine.anomaly_check_nan;
      state.cuda_device = mine.cuda_device;
      std::copy(std::begin(mine.cuda_stream), std::end(mine.cuda_stream), state.cuda_stream);
      try {
        run(roots, grads);
      } catch (...) {
        error = std::current_exception();
      }
    };
    try {
      std::thread(body).join();
    } catch (const std::system_error& e) {
      WICK_FAIL(AutogradError, "backward: too many backward passes inside each other: ", e.what());
    }
    if (error) std::rethrow_exception(error);
  }

  static bool earlier(const Node* a, const Node* b) { return a->sequence() < b->sequence(); }

  // Finds the nodes on a path to a target: depth first, without recursion.
  void prune(ArrayRef<Edge> roots) {
    std::vector<std::pair<Node*, size_t>> stack;
    const auto enter = [&](Node* node) {
      if (!node) return;
      Target& t = targets_[node];
      if (t.visited) return;
      t.visited = true;
      t.needed = t.accumulate || !t.captures.empty();
      stack.emplace_back(node, 0);
    };
    for (const Edge& root : roots) {
      enter(root.node.get());
      while (!stack.empty()) {
        auto& [node, next] = stack.back();
        if (next < node->num_inputs()) {
          enter(node->next_edge(next++).node.get());
          continue;
        }
        Target& t = targets_[node];
        for (const Edge& e : node->next_edges())
          t.needed |= e.node && targets_[e.node.get()].needed;
        stack.pop_back();
      }
    }
  }

  InlineVector<Tensor, 1>& slots(Node& node) {
    return node.run_.load(std::memory_order_relaxed) == this ? node.pending_ : overflow_[&node];
  }

  // Adds g to what waits at the edge, after making it fit the output that it belongs to.
  void add(const Edge& edge, Tensor g, const char* from) {
    Node& node = *edge.node;
    if (!targets_.empty() && !targets_[&node].needed) return;
    streams_.hand_over(g, node);
    validate(node, edge.index, g, from);
    void* expected = nullptr;
    bool fresh = node.run_.load(std::memory_order_relaxed) != this;
    if (fresh && !node.run_.compare_exchange_strong(expected, this, std::memory_order_acq_rel)) {
      fresh = !overflow_.contains(&node);
    }
    auto& waiting = slots(node);
    if (fresh) {
      waiting.resize(std::max<uint32_t>(node.num_outputs(), 1));
      heap_.push_back(&node);
      std::push_heap(heap_.begin(), heap_.end(), earlier);
    }
    Tensor& sum = waiting[edge.index];
    if (!sum.defined()) {
      sum = std::move(g);
    } else if (create_ || !exclusive(sum)) {
      sum = sum + g;
    } else {
      sum.add_(g);
    }
  }

  static bool exclusive(const Tensor& t) {
    return t.impl_ptr()->use_count() == 1 && t.storage()->use_count() == 1 && !t.requires_grad() &&
           t.is_contiguous();
  }

  static void validate(const Node& node, uint32_t index, Tensor& g, const char* from) {
    const TensorMeta& meta = node.output_meta(index);
    if (!(g.sizes() == meta.shape())) {
      bool fits = g.dim() >= meta.ndim;
      for (int64_t d = 1; fits && d <= meta.ndim; ++d) {
        const int64_t want = meta.sizes[meta.ndim - d];
        fits = want == 1 || want == g.size(-d);
      }
      WICK_CHECK(ShapeError, fits, from, ": expected a gradient of shape ", meta.shape(), " for '",
                 node.name(), "', got ", g.sizes());
      g = sum_to_size(g, meta.shape());
    }
    if (node.sequence() == 0) return;  // a leaf may have moved since; it converts
    WICK_CHECK(DTypeError, g.dtype() == meta.dtype, from, ": expected a ", name_of(meta.dtype),
               " gradient for '", node.name(), "', got ", name_of(g.dtype()));
    WICK_CHECK(DeviceError, g.device() == meta.device, from, ": expected a gradient on ",
               meta.device, " for '", node.name(), "', got one on ", g.device());
  }

  InlineVector<Tensor, 1> take(Node& node) {
    if (node.run_.load(std::memory_order_relaxed) == this) {
      InlineVector<Tensor, 1> pending = std::move(node.pending_);
      node.pending_.clear();
      node.run_.store(nullptr, std::memory_order_release);
      return pending;
    }
    auto found = overflow_.find(&node);
    InlineVector<Tensor, 1> pending = std::move(found->second);
    overflow_.erase(found);
    return pending;
  }

  void drop(Node& node) noexcept {
    if (node.run_.load(std::memory_order_relaxed) == this) {
      node.pending_.clear();
      node.run_.store(nullptr, std::memory_order_release);
    }
  }

  void run_hooks(Node& node, InlineVector<Tensor, 1>& grads) {
    Node::Hooks* hooks = AutogradAccess::hooks(node);
    if (!hooks) return;
    const auto calls = hooks->hooks;  // a hook may add or remove hooks
    for (const auto& hook : calls) {
      Tensor& g = grads[hook.output];
      if (!g.defined()) continue;
      Tensor changed = hook.call(g);
      if (!changed.defined()) continue;
      WICK_CHECK(ShapeError, changed.sizes() == g.sizes(), "backward: a hook of '", node.name(),
                 "' returned a gradient of shape ", changed.sizes(), ", expected ", g.sizes());
      WICK_CHECK(DTypeError, changed.dtype() == g.dtype(), "backward: a hook of '", node.name(),
                 "' returned a ", changed.dtype(), " gradient, expected ", g.dtype());
      WICK_CHECK(DeviceError, changed.device() == g.device(), "backward: a hook of '", node.name(),
                 "' returned a gradient on ", changed.device(), ", expected one on ", g.device());
      g = std::move(changed);
    }
    for (const auto& [output, impl] : hooks->retained) {
      if (!grads[output].defined()) continue;
      detail::accumulate(*impl, grads[output], create_);
      streams_.keep(impl->meta()->grad);
    }
  }

  static void check_nan(Node& node, const Grads& results) {
    const NoGradGuard no_grad;
    for (uint32_t i = 0; i < results.size(); ++i) {
      const Tensor& g = results[i];
      if (!g.defined() || !g.is_floating_point() || !any(g != g).item<bool>()) continue;
      const Node::Hooks* hooks = AutogradAccess::hooks(node);
      WICK_FAIL(AutogradError, "backward: '", node.name(), "' returned nan values in its ", i,
                "th output, of shape ", g.sizes(), "; the op was recorded at ",
                hooks && !hooks->origin.empty() ? hooks->origin
                                                : "a place that is unknown: anomaly mode was off");
    }
  }

  void step(Node& node, InlineVector<Tensor, 1>& grads) {
    streams_.enter(node);
    run_hooks(node, grads);
    if (!targets_.empty()) {
      const Target& target = targets_[&node];
      for (const auto& [output, slot] : target.captures) {
        captured_[slot] = grads[output];
        if (grads[output].defined()) streams_.keep(grads[output]);
      }
      if (node.sequence() == 0 && !target.accumulate) return;
      bool deeper = node.sequence() == 0;
      for (const Edge& e : node.next_edges()) deeper |= e.node && targets_[e.node.get()].needed;
      if (!deeper) return;
    }
    Backward context(node, {grads.begin(), grads.size()}, create_, !targets_.empty());
    Grads results = AutogradAccess::apply(node, context);
    const detail::ThreadState& state = detail::thread_state();
    if (state.anomaly_mode && state.anomaly_check_nan) [[unlikely]]
      check_nan(node, results);
    grads.clear();
    if (!keep_) AutogradAccess::release_saved(node);
    WICK_CHECK(AutogradError, results.size() == node.num_inputs(), "backward: '", node.name(),
               "' returned ", results.size(), " gradients for ", node.num_inputs(), " inputs");
    for (uint32_t i = 0; i < results.size(); ++i) {
      const Edge& edge = node.next_edge(i);
      if (edge.node && results[i].defined()) add(edge, std::move(results[i]), node.name());
    }
  }

  bool keep_;
  bool create_;
  detail::RunStreams streams_;
  InlineVector<Node*, 16> heap_;
  std::unordered_map<Node*, InlineVector<Tensor, 1>> overflow_;
  std::unordered_map<Node*, Target> targets_;  // empty: every leaf accumulates
  std::vector<Tensor> captured_;
};

namespace {

struct Roots {
  InlineVector<Edge, 2> edges;
  InlineVector<Tensor, 2> grads;
};

Roots make_roots(const char* op, ArrayRef<Tensor> outputs, ArrayRef<Tensor> grads) {
  WICK_CHECK(ValueError, grads.empty() || grads.size() == outputs.size(), op, ": got ",
             outputs.size(), " outputs and ", grads.size(), " gradients");
  Roots roots;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    Edge edge = detail::gradient_edge(y.impl());
    WICK_CHECK(AutogradError, edge.node, "element ", i,
               " of tensors does not require grad and does not have a grad_fn");
    Tensor g = grads.empty() ? Tensor() : grads[i];
    if (!g.defined()) {
      WICK_CHECK(AutogradError, y.numel() == 1,
                 "grad can be implicitly created only for scalar outputs; this one has shape ",
                 y.sizes(), ": pass its gradient, or call sum() or mean() first");
      g = ones_like(y);
    }
    WICK_CHECK(ShapeError, g.sizes() == y.sizes(), op, ": expected a gradient of shape ", y.sizes(),
               " for output ", i, ", got ", g.sizes());
    WICK_CHECK(DTypeError, g.dtype() == y.dtype(), op, ": expected a ", name_of(y.dtype()),
               " gradient for output ", i, ", got ", name_of(g.dtype()));
    WICK_CHECK(DeviceError, g.device() == y.device(), op, ": expected a gradient on ", y.device(),
               " for output ", i, ", got one on ", g.device());
    roots.edges.push_back(std::move(edge));
    roots.grads.push_back(std::move(g));
  }
  return roots;
}

void run_backward(TensorList tensors, TensorList grads, std::optional<bool> retain_graph,
                  bool create_graph, TensorList inputs) {
  Roots roots = make_roots("backward", tensors, grads);
  Engine engine(retain_graph.value_or(create_graph), create_graph);
  std::vector<Tensor> captured;  // inputs that are not leaves
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Edge edge = detail::gradient_edge(inputs[i].impl());
    WICK_CHECK(AutogradError, edge.node, "backward: input ", i, " does not require grad");
    if (inputs[i].is_leaf()) {
      engine.allow(edge);
    } else {
      engine.capture(edge, captured.size());
      captured.push_back(inputs[i]);
    }
  }
  engine.run(roots.edges, roots.grads);
  for (size_t slot = 0; slot < captured.size(); ++slot) {
    if (engine.result(slot).defined())
      detail::accumulate(captured[slot].impl(), engine.result(slot), create_graph);
  }
}

}  // namespace

void Tensor::backward(const Tensor& gradient, std::optional<bool> retain_graph, bool create_graph,
                      std::optional<TensorList> inputs) const {
  const TensorList grads = gradient.defined() ? TensorList(gradient) : TensorList();
  run_backward(*this, grads, retain_graph, create_graph, inputs.value_or(TensorList()));
}

namespace autograd {

void backward(const variable_list& tensors, const variable_list& grad_tensors,
              std::optional<bool> retain_graph, bool create_graph, const variable_list& inputs) {
  run_backward(tensors, grad_tensors, retain_graph, create_graph, inputs);
}

variable_list grad(const variable_list& outputs, const variable_list& inputs,
                   const variable_list& grad_outputs, std::optional<bool> retain_graph,
                   bool create_graph, bool allow_unused) {
  WICK_CHECK(ValueError, !inputs.empty(), "grad: expected at least one input");
  Roots roots = make_roots("grad", outputs, grad_outputs);
  Engine engine(retain_graph.value_or(create_graph), create_graph);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Edge edge = detail::gradient_edge(inputs[i].impl());
    WICK_CHECK(AutogradError, edge.node,
               "One of the differentiated Tensors does not require grad (input ", i, ")");
    engine.capture(edge, i);
  }
  engine.run(roots.edges, roots.grads);
  variable_list results;
  for (size_t i = 0; i < inputs.size(); ++i) {
    results.push_back(std::move(engine.result(i)));
    WICK_CHECK(AutogradError, allow_unused || results.back().defined(),
               "One of the differentiated Tensors appears to not have been used in the graph. Set "
               "allow_unused=True if this is the desired behavior (input ",
               i, ")");
  }
  return results;
}

}  // namespace autograd
}  // namespace wick
