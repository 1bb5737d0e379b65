#pragma once

#include <wick/core/inline_vector.h>
#include <wick/core/tensor.h>
#include <atomic>
#include <concepts>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

// The autograd engine. An op that wants a gradient does, right under its forward,
//
//   if (needs_grad({a, b}))
//     record("mul", {a, b}, y, [a = save(a), b = save(b)](Backward& ctx) -> Grads {
//       const Tensor& g = ctx.grad();
//       return {ctx.needs(0) ? g * ctx.unpack(b) : Tensor(),
//               ctx.needs(1) ? g * ctx.unpack(a) : Tensor()};
//     });
//
// and returns one gradient for each input, an undefined one meaning zero. The engine, once for all
// ops, sums broadcast gradients to the input's shape and checks count, shape, type and device.
// Lambdas capture SavedTensors, never Tensors.
namespace wick {

using NodePtr = IntrusivePtr<Node>;
using Grads = InlineVector<Tensor, 3>;

/// Where a gradient goes: output `index` of `node`; no node: nowhere.
struct Edge {
  NodePtr node;
  uint32_t index = 0;
};

/// A snapshot of a tensor for backward: storage, geometry, autograd edge and expected version. It
/// is never a handle to the impl (a model may move between forward and backward) and never holds
/// its own node's output (that would be a cycle).
class WICK_API SavedTensor {
 public:
  SavedTensor() = default;
  /// `output`: the number of the op's result that the tensor is, or -1 for an argument.
  SavedTensor(const Tensor& tensor, int output);
  bool defined() const noexcept { return static_cast<bool>(storage_); }

 private:
  friend class Backward;
  /// The tensor again; throws AutogradError if it was changed in place since. `self` gives an
  /// output its node back.
  Tensor unpack(Node& self) const;

  Storage storage_;
  int64_t offset_ = 0;
  int64_t geometry_[2 * kMaxRank];  // sizes, then strides
  Edge edge_;
  uint32_t version_ = 0;
  uint8_t ndim_ = 0;
  DType dtype_ = DType::Float32;
  int16_t output_ = -1;
};

/// What a backward lambda sees.
class WICK_API Backward {
 public:
  /// `grads` may be moved from by take_grad().
  Backward(Node& node, std::span<Tensor> grads, bool create_graph, bool partial = false)
      : node_(node), grads_(grads), create_graph_(create_graph), partial_(partial) {}
  /// Gradient of output i; undefined where nothing flowed (never for a node with one output).
  const Tensor& grad(size_t i = 0) const { return grads_[i]; }
  ArrayRef<Tensor> grads() const { return {grads_.data(), grads_.size()}; }
  /// The same, given away: whoever holds the only reference may change it in place.
  Tensor take_grad(size_t i = 0) { return std::move(grads_[i]); }
  /// Whether the gradient of input i is wanted.
  bool needs(size_t i) const;
  Tensor unpack(const SavedTensor& saved) const {
    return saved.defined() ? saved.unpack(node_) : Tensor();
  }
  /// The returned gradients must be made of differentiable ops (grad mode is on).
  bool create_graph() const { return create_graph_; }
  /// Gradients of chosen inputs alone are wanted: grad(), or backward() with `inputs`.
  bool partial() const { return partial_; }
  Node& node() const { return node_; }

 private:
  Node& node_;
  std::span<Tensor> grads_;
  bool create_graph_, partial_;
};

/// Shape, type and device that a gradient must have.
struct TensorMeta {
  int64_t sizes[kMaxRank];
  uint8_t ndim = 0;
  DType dtype = DType::Float32;
  Device device = Device(kCPU, 0);
  TensorMeta() = default;
  explicit TensorMeta(const TensorImpl& impl);
  IntArrayRef shape() const { return {sizes, ndim}; }
};

/// One step of the recorded computation. Nodes are freed without recursion: the last release puts a
/// node into a queue that is drained iteratively.
class WICK_API Node : public RefCounted<Node> {
 public:
  const char* name() const noexcept { return name_; }
  /// Grows with every node; 0 for gradient accumulators, which therefore come last in backward.
  uint64_t sequence() const noexcept { return sequence_; }
  uint32_t num_inputs() const noexcept { return edges_.size(); }
  uint32_t num_outputs() const noexcept { return outputs_.size(); }
  const Edge& next_edge(size_t i) const { return edges_[i]; }
  ArrayRef<Edge> next_edges() const { return edges_; }
  const TensorMeta& output_meta(size_t i) const { return outputs_[i]; }

  static void destroy(Node* node) noexcept;

 protected:
  Node(const char* name, size_t bytes, uint64_t sequence);
  virtual ~Node();
  virtual Grads apply(Backward& context) = 0;
  /// Drops what was saved; a later apply() is an error unless nothing had been.
  virtual void release_saved() noexcept {}
  [[noreturn]] void throw_released() const;

 private:
  friend class Engine;
  friend struct AutogradAccess;
  struct Hooks;

  static uint64_t next_sequence();

  const char* name_;
  uint64_t sequence_;
  uint32_t bytes_;  // of the derived object, for release
  InlineVector<Edge, 2> edges_;
  InlineVector<TensorMeta, 1> outputs_;
  Hooks* hooks_ = nullptr;  // on demand
  void* stream_ = nullptr;  // forward's stream, on which backward runs
  // Scratch of the engine run that owns this node at the moment.
  std::atomic<void*> run_{nullptr};
  InlineVector<Tensor, 1> pending_;
};

namespace detail {

template <class F>
class LambdaNode final : public Node {
 public:
  LambdaNode(const char* name, F&& f) : Node(name, sizeof(LambdaNode), 1), f_(std::move(f)) {}

 private:
  Grads apply(Backward& context) override {
    if (!f_) throw_released();
    return (*f_)(context);
  }
  void release_saved() noexcept override {
    // A lambda without saved tensors can run again, as in PyTorch.
    if constexpr (!std::is_trivially_destructible_v<F>) f_.reset();
  }
  std::optional<F> f_;
};

/// Gives the node its edges and makes `outputs` its outputs. Non-floating outputs get no history.
WICK_API void attach(Node& node, ArrayRef<const Tensor*> inputs, ArrayRef<Tensor*> outputs);
WICK_API bool any_requires_grad(ArrayRef<const Tensor*> inputs);

}  // namespace detail

/// Whether gradients are recorded in this thread.
class WICK_API GradMode {
 public:
  static bool is_enabled();
  static void set_enabled(bool enabled);
};
class AutoGradMode {
 public:
  explicit AutoGradMode(bool enabled) : previous_(GradMode::is_enabled()) {
    GradMode::set_enabled(enabled);
  }
  ~AutoGradMode() { GradMode::set_enabled(previous_); }
  AutoGradMode(const AutoGradMode&) = delete;
  AutoGradMode& operator=(const AutoGradMode&) = delete;

 private:
  bool previous_;
};
/// No gradients are recorded while one lives in this thread.
class NoGradGuard : public AutoGradMode {
 public:
  NoGradGuard() : AutoGradMode(false) {}
};

namespace autograd {

/// While it is on in a thread, an op recorded there remembers where it was called, and a backward
/// pass throws AutogradError at the first op that makes a gradient with a NaN in it, saying which
/// and where. Slow: for finding the cause of a NaN.
class WICK_API AnomalyMode {
 public:
  static bool is_enabled();
  static bool should_check_nan();
  static void set_enabled(bool enabled, bool check_nan = true);
};
/// Anomaly mode while it lives.
class DetectAnomalyGuard {
 public:
  explicit DetectAnomalyGuard(bool check_nan = true)
      : enabled_(AnomalyMode::is_enabled()), check_nan_(AnomalyMode::should_check_nan()) {
    AnomalyMode::set_enabled(true, check_nan);
  }
  ~DetectAnomalyGuard() { AnomalyMode::set_enabled(enabled_, check_nan_); }
  DetectAnomalyGuard(const DetectAnomalyGuard&) = delete;
  DetectAnomalyGuard& operator=(const DetectAnomalyGuard&) = delete;

 private:
  bool enabled_, check_nan_;
};

}  // namespace autograd

/// True if grad mode is on and one of the (defined) tensors requires a gradient.
template <class... Ts>
bool needs_grad(const Ts&... inputs) {
  if (!GradMode::is_enabled()) return false;
  const Tensor* list[] = {&inputs...};
  return detail::any_requires_grad({list, sizeof...(Ts)});
}

inline SavedTensor save(const Tensor& input) { return SavedTensor(input, -1); }
/// For the op's own result.
inline SavedTensor save_output(const Tensor& output) { return SavedTensor(output, 0); }

/// Records that `output` came from `inputs` (undefined ones allowed) by an op called `name` (a
/// string literal). `backward`: (Backward&) -> Grads with one entry per input.
template <class F>
void record(const char* name, std::initializer_list<std::reference_wrapper<const Tensor>> inputs,
            Tensor& output, F backward) {
  const Tensor* list[8];
  size_t n = 0;
  for (const Tensor& t : inputs) list[n++] = &t;
  Tensor* out = &output;
  void* memory = detail::allocate_small(sizeof(detail::LambdaNode<F>));
  NodePtr node(new (memory) detail::LambdaNode<F>(name, std::move(backward)));
  detail::attach(*node, {list, n}, out);
}
/// The same for lists and several outputs.
template <class F>
void record(const char* name, ArrayRef<const Tensor*> inputs, ArrayRef<Tensor*> outputs,
            F backward) {
  void* memory = detail::allocate_small(sizeof(detail::LambdaNode<F>));
  NodePtr node(new (memory) detail::LambdaNode<F>(name, std::move(backward)));
  detail::attach(*node, inputs, outputs);
}

/// For in-place ops, after the elements of `x` were changed: bumps the version and, where gradients
/// are recorded, makes `x` the output of an op that replaced its old value. `inputs` are what
/// `backward` returns gradients for, in order; x's own history must be the first of them, as
/// `previous(x)` taken *before* the change. On a view the base's history is rebased.
/// Call check_inplace first.
WICK_API void check_inplace(const char* op, const Tensor& x, bool other_needs_grad);
WICK_API void bump_version(const Tensor& x);
/// A stand-in for x with its present history (shares elements).
WICK_API Tensor previous(const Tensor& x);
namespace detail {
WICK_API void attach_inplace(NodePtr node, ArrayRef<const Tensor*> inputs, Tensor& x);
/// After the edges of an op that changed x were taken: the histories that inputs which are views of
/// x got then are those of before, so they are remade when asked for next.
void outdate_views(ArrayRef<const Tensor*> inputs, const Tensor& x);
/// The same for a node that already has its edges, x's old history first.
WICK_API void adopt_inplace(NodePtr node, Tensor& x);
/// A tensor over x's storage that autograd knows to be a view of x (or of x's base). The caller
/// then records its backward with record() if x needs a gradient. Geometry is not checked.
WICK_API Tensor make_view(const Tensor& x, int64_t offset, IntArrayRef sizes, IntArrayRef strides);
}  // namespace detail
template <class F>
void record_inplace(const char* name,
                    std::initializer_list<std::reference_wrapper<const Tensor>> inputs, Tensor& x,
                    F backward) {
  const Tensor* list[8];
  size_t n = 0;
  for (const Tensor& t : inputs) list[n++] = &t;
  void* memory = detail::allocate_small(sizeof(detail::LambdaNode<F>));
  NodePtr node(new (memory) detail::LambdaNode<F>(name, std::move(backward)));
  detail::attach_inplace(std::move(node), {list, n}, x);
}

namespace autograd {

using Variable = Tensor;
using variable_list = std::vector<Tensor>;
using tensor_list = std::vector<Tensor>;

/// Accumulates into the leaves (or only into `inputs`) the gradients of sum_i <outputs_i, grads_i>.
WICK_API void backward(const variable_list& tensors, const variable_list& grad_tensors = {},
                       std::optional<bool> retain_graph = std::nullopt, bool create_graph = false,
                       const variable_list& inputs = {});
/// The gradients with respect to `inputs`, accumulating nothing. An input that `outputs` do not
/// depend on is an error, or undefined with `allow_unused`.
WICK_API variable_list grad(const variable_list& outputs, const variable_list& inputs,
                            const variable_list& grad_outputs = {},
                            std::optional<bool> retain_graph = std::nullopt,
                            bool create_graph = false, bool allow_unused = false);

}  // namespace autograd
}  // namespace wick
