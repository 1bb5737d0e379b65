#pragma once

#include <wick/core/autograd.h>
#include <wick/core/thread_state.h>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// The parts of Node that the engine and the tensor methods work on. Internal.
namespace wick {

struct Node::Hooks {
  struct Hook {
    unsigned id;
    uint32_t output;
    std::function<Tensor(Tensor)> call;
  };
  std::vector<Hook> hooks;
  std::vector<std::pair<uint32_t, TensorImpl*>> retained;  // by retain_grad(); the impl unregisters
  std::string origin;  // in anomaly mode: where the op was called
};

struct AutogradAccess {
  static auto& edges(Node& n) { return n.edges_; }
  static auto& outputs(Node& n) { return n.outputs_; }
  static Node::Hooks* hooks(Node& n) { return n.hooks_; }
  static Node::Hooks& ensure_hooks(Node& n) {
    if (!n.hooks_) n.hooks_ = new Node::Hooks;
    return *n.hooks_;
  }
  /// What is known of the moment in which the node is recorded.
  static void note_origin(Node& n) {
    if (n.outputs_.empty()) return;
    if (n.outputs_[0].device.is_cuda())
      n.stream_ = detail::thread_state().cuda_stream[n.outputs_[0].device.index()];
    if (detail::thread_state().anomaly_mode) [[unlikely]]
      ensure_hooks(n).origin = detail::call_sites();
  }
  static void* stream(const Node& n) { return n.stream_; }
  static Grads apply(Node& n, Backward& context) { return n.apply(context); }
  static void release_saved(Node& n) noexcept { n.release_saved(); }
};

}  // namespace wick
