#include <wick/core/run_streams.h>

#include <wick/core/check.h>
#include <wick/core/node_hooks.h>
#include <wick/core/thread_state.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/runtime.h>
#include <wick/kernels/dispatch.h>
#include <algorithm>

namespace wick::detail {

void RunStreams::start() {
  const ThreadState& state = thread_state();
  caller_device_ = state.cuda_device;
  std::copy(std::begin(state.cuda_stream), std::end(state.cuda_stream), caller_streams_);
  active_ = true;
}

void RunStreams::switch_to(const Node& node) {
  if (!active_) start();
  const Device device = node.output_meta(0).device;
  if (node.sequence() == 0 || device.is_cpu()) {
    ran_on_ = -1;
    return restore();
  }
  ran_on_ = device.index();
  ran_in_ = AutogradAccess::stream(node);
  set(ran_on_, ran_in_);
  if constexpr (kBuiltWithCuda) {
    if (thread_state().cuda_device != ran_on_) cuda::set_current_device(ran_on_);
  }
}

void RunStreams::hand_over_stream(const Tensor& g, const Node& node) {
  if (!active_) start();
  const int device = g.device().index();
  void* const from = device == ran_on_ ? ran_in_ : caller_streams_[device];
  const bool own = node.sequence() != 0 && node.output_meta(0).device == g.device();
  void* const to = own ? AutogradAccess::stream(node) : caller_streams_[device];
  set(device, to);
  if (from == to) return;
  if constexpr (kBuiltWithCuda) cuda::join_streams(device, from, device, to);
  record(g, to);
}

void RunStreams::set(int device, void* stream) {
  void** const current = thread_state().cuda_stream;
  if (switched_ >= 0) current[switched_] = caller_streams_[switched_];
  current[device] = stream;
  switched_ = stream == caller_streams_[device] ? -1 : device;
  const std::pair<int, void*> used(device, stream);
  if (switched_ >= 0 && std::find(used_.begin(), used_.end(), used) == used_.end())
    used_.push_back(used);
}

void RunStreams::restore() noexcept {
  ThreadState& state = thread_state();
  if (switched_ >= 0) state.cuda_stream[switched_] = caller_streams_[switched_];
  switched_ = -1;
  if constexpr (kBuiltWithCuda) {
    if (state.cuda_device != caller_device_) cuda::restore_device(caller_device_);
  }
}

void RunStreams::join() {
  restore();
  active_ = false;
  if constexpr (kBuiltWithCuda) {
    for (const auto& [device, stream] : used_)
      cuda::join_streams(device, stream, device, caller_streams_[device]);
  }
}

void RunStreams::abandon() noexcept {
  try {
    join();
  } catch (const Error&) {
    // Another error is on its way.
  }
}

void RunStreams::record(const Tensor& t, void* stream) {
  if constexpr (kBuiltWithCuda) {
    if (t.storage()->stream() != stream)
      cuda::record_stream(t.storage()->data(), t.device().index(), stream);
  }
}

}  // namespace wick::detail
