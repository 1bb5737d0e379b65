#pragma once

#include <wick/core/autograd.h>
#include <wick/core/inline_vector.h>
#include <wick/kernels/dispatch.h>
#include <utility>

namespace wick::detail {

/// The CUDA streams of one backward run. Each node runs on the device and the stream of its
/// forward, leaves (and nodes whose result is on the CPU) on the caller's streams; where a gradient
/// goes from one stream to another, the second waits for the first; at the end the caller's streams
/// wait for all others. A run that meets no CUDA tensor does nothing.
class RunStreams {
 public:
  RunStreams() {}  // NOLINT: the caller's state is filled in when it is needed
  ~RunStreams() {
    if (active_) abandon();
  }
  RunStreams(const RunStreams&) = delete;
  RunStreams& operator=(const RunStreams&) = delete;

  /// `node` is about to run.
  void enter(const Node& node) {
    if constexpr (kBuiltWithCuda) {
      if (active_ || node.output_meta(0).device.is_cuda()) switch_to(node);
    }
  }
  /// `g`, which the node that ran last made (or the caller), is for `node`: the current stream is
  /// now the one on which that will run.
  void hand_over(const Tensor& g, const Node& node) {
    if constexpr (kBuiltWithCuda) {
      if (g.is_cuda()) hand_over_stream(g, node);
    }
  }
  /// The caller will use `t`, which the node that ran last made.
  void keep(const Tensor& t) const {
    if (active_ && t.is_cuda()) record(t, caller_streams_[t.device().index()]);
  }
  /// Makes the caller's device and streams current again, and lets them wait for the others.
  void finish() {
    if (active_) join();
  }

 private:
  void start();
  void switch_to(const Node& node);
  void hand_over_stream(const Tensor& g, const Node& node);
  void set(int device, void* stream);
  void restore() noexcept;
  void join();
  void abandon() noexcept;
  static void record(const Tensor& t, void* stream);

  bool active_ = false;
  int switched_ = -1;  // the device whose stream is not the caller's
  int ran_on_ = -1;    // device and stream of the node that ran last; -1: the caller's
  void* ran_in_ = nullptr;
  int caller_device_;
  void* caller_streams_[16];
  InlineVector<std::pair<int, void*>, 4> used_;  // streams that are not the caller's
};

}  // namespace wick::detail
