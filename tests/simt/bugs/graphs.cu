// What may not be done while a stream is being captured, and graphs that outlive what they use.
#include <tests/simt/bugs/bugs.h>

#include <algorithm>

namespace bugs {
namespace {

__global__ void add_kernel(float* x, float value) { x[threadIdx.x] += value; }
void add(float* x, float value, cudaStream_t s = stream()) {
  gpu::launch(add_kernel, 1, 64, 0, s, x, value);
}

cudaEvent_t new_event() {
  cudaEvent_t event = nullptr;
  must(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

void begin() { must(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal)); }
cudaGraphExec_t end() {
  cudaGraph_t graph = nullptr;
  must(cudaStreamEndCapture(stream(), &graph));
  cudaGraphExec_t exec = nullptr;
  must(cudaGraphInstantiate(&exec, graph, 0));
  must(cudaGraphDestroy(graph));
  return exec;
}
void replay(cudaGraphExec_t exec) { must(cudaGraphLaunch(exec, stream())); }

/// 64 zeroes, in place.
Array<float> zeroes() {
  Array<float> x(64);
  x.clear();
  must(cudaStreamSynchronize(stream()));
  return x;
}

std::vector<float> all(float value) { return std::vector<float>(64, value); }

void wait_for(cudaStream_t later, cudaStream_t earlier) {
  const cudaEvent_t event = new_event();
  must(cudaEventRecord(event, earlier));
  must(cudaStreamWaitEvent(later, event, 0));
}

}  // namespace

CONTROL(ok_graph) {
  const Array<float> x = zeroes(), y = zeroes();
  begin();
  add(x.p, 1);
  must(cudaMemcpyAsync(y.p, x.p, 256, cudaMemcpyDeviceToDevice, stream()));
  const cudaGraphExec_t exec = end();
  if (x.get() != all(0)) return true;  // capturing runs nothing
  for (int i = 0; i < 3; ++i) replay(exec);
  add(x.p, 10);
  return x.get() != all(13) || y.get() != all(3);
}
CONTROL(ok_graph_fork) {
  const cudaStream_t side = new_stream();
  const Array<float> x = zeroes(), y = zeroes();
  begin();
  wait_for(side, stream());
  add(y.p, 2, side);
  add(x.p, 1);
  wait_for(stream(), side);
  must(cudaMemcpyAsync(x.p, y.p, 128, cudaMemcpyDeviceToDevice, stream()));
  const cudaGraphExec_t exec = end();
  replay(exec);
  replay(exec);
  std::vector<float> expected = all(4);
  std::fill(expected.begin() + 32, expected.end(), 2.f);
  return x.get() != expected;
}

BUG(graph_sync_in_capture, reported(kAll, "StreamCaptureUnsupported")) {
  const Array<float> x = zeroes();
  begin();
  add(x.p, 1);
  must(cudaStreamSynchronize(stream()));
  end();
  return false;
}
BUG(graph_device_sync_in_capture, reported(kAll, "StreamCaptureUnsupported")) {
  begin();
  must(cudaDeviceSynchronize());
  end();
  return false;
}
// The error of the call was overlooked; the capture is lost.
BUG(graph_invalidated, reported(kAll, "StreamCaptureInvalidated")) {
  const Array<float> x = zeroes();
  begin();
  add(x.p, 1);
  (void)cudaStreamSynchronize(stream());
  end();
  return false;
}
BUG(graph_malloc_in_capture, reported(kAll, "StreamCaptureUnsupported")) {
  begin();
  const Array<float> x(64);
  end();
  return false;
}
// The host memory would be read at each replay; nothing keeps it.
BUG(graph_pageable_source, reported(kAll, "StreamCaptureUnsupported")) {
  const Array<float> x = zeroes();
  begin();
  must(cudaMemcpyAsync(x.p, all(1).data(), 256, cudaMemcpyHostToDevice, stream()));
  end();
  return false;
}
BUG(graph_event_query, reported(kAll, "CapturedEvent")) {
  begin();
  const cudaEvent_t event = new_event();
  must(cudaEventRecord(event, stream()));
  must(cudaEventQuery(event));
  end();
  return false;
}
BUG(graph_default_stream, reported(kAll, "StreamCaptureImplicit")) {
  const Array<float> x = zeroes();
  cudaStream_t blocking = nullptr;
  must(cudaStreamCreate(&blocking));
  must(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeThreadLocal));
  must(cudaMemsetAsync(x.p, 0, 256, nullptr));
  return false;
}
BUG(graph_unjoined, reported(kAll, "StreamCaptureUnjoined")) {
  const cudaStream_t side = new_stream();
  const Array<float> x = zeroes();
  begin();
  wait_for(side, stream());
  add(x.p, 1, side);
  end();
  return false;
}
BUG(graph_outside_event, reported(kAll, "StreamCaptureIsolation")) {
  const cudaStream_t side = new_stream();
  const Array<float> x = zeroes();
  const cudaEvent_t event = new_event();
  add(x.p, 1, side);
  must(cudaEventRecord(event, side));
  begin();
  must(cudaStreamWaitEvent(stream(), event, 0));
  end();
  return false;
}
BUG(graph_expected_to_run, wrong(kAll)) {
  const Array<float> x = zeroes();
  begin();
  add(x.p, 1);
  end();
  return x.get() != all(1);
}
BUG(graph_fork_without_wait, sometimes_wrong(kAll)) {
  const cudaStream_t side = new_stream();
  const Array<float> x = zeroes(), y = zeroes();
  begin();
  wait_for(side, stream());
  add(y.p, 2, side);
  must(cudaMemcpyAsync(x.p, y.p, 256, cudaMemcpyDeviceToDevice, stream()));  // one join too late
  wait_for(stream(), side);
  replay(end());
  return x.get() != all(2);
}
BUG(graph_freed_in_kernel,
    reported(kCheck, "out-of-bounds access: .*freed allocation of 256 bytes"),
    reported(kAsan, "use-after-poison")) {
  const Array<float> x = zeroes();
  begin();
  add(x.p, 1);
  const cudaGraphExec_t exec = end();
  replay(exec);
  must(cudaFree(x.p));
  replay(exec);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(graph_freed_in_copy, reported(kAll, "freed")) {
  const Array<float> x = zeroes(), y = zeroes();
  begin();
  must(cudaMemcpyAsync(y.p, x.p, 256, cudaMemcpyDeviceToDevice, stream()));
  const cudaGraphExec_t exec = end();
  must(cudaFree(x.p));
  replay(exec);
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(graph_destroyed, reported(kAll, "graph was destroyed")) {
  const Array<float> x = zeroes();
  begin();
  add(x.p, 1);
  const cudaGraphExec_t exec = end();
  must(cudaGraphExecDestroy(exec));
  replay(exec);
  return false;
}

}  // namespace bugs
