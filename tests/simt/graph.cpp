#include <tests/simt/stream.h>

#include <algorithm>

namespace simt {
namespace {

struct State {
  Handles<Graph, cudaGraph_t> graphs{0x5714};
  Handles<GraphExec, cudaGraphExec_t> execs{0x5715};
  std::vector<std::shared_ptr<Capture>> captures;  // going on
  unsigned long long last_id = 0;
};

State& state() {
  static State* const state = new State;  // leaked: used until the very end of the process
  return *state;
}

thread_local cudaStreamCaptureMode mode_of_thread = cudaStreamCaptureModeGlobal;

template <class F>
cudaError_t invalidate_if(F&& concerned, cudaError_t error) {
  cudaError_t result = cudaSuccess;
  for (const auto& capture : state().captures) {
    if (!concerned(*capture)) continue;
    capture->invalid = true;
    result = error;
  }
  return result;
}

template <class F>
bool any_stream(const Capture& capture, F&& concerned) {
  return std::any_of(capture.streams.begin(), capture.streams.end(), [&](const auto& weak) {
    const StreamRef stream = weak.lock();
    return stream && concerned(*stream);
  });
}

void add_nodes(Nodes& nodes, const Nodes& more) {
  for (const size_t n : more)
    if (std::find(nodes.begin(), nodes.end(), n) == nodes.end()) nodes.push_back(n);
}

void join(const StreamRef& stream, const std::shared_ptr<Capture>& capture) {
  stream->capture = capture;
  stream->frontier.clear();
  capture->streams.push_back(stream);
}

/// Whether the end of the capture's first stream is behind all that the others were given.
bool is_joined(const Capture& capture) {
  std::vector<bool> behind(capture.graph->nodes.size());
  Nodes open = capture.origin.lock()->frontier;
  while (!open.empty()) {
    const size_t n = open.back();
    open.pop_back();
    if (behind[n]) continue;
    behind[n] = true;
    for (const size_t before : capture.graph->nodes[n].after) open.push_back(before);
  }
  return !any_stream(capture, [&](const Stream& s) {
    return std::any_of(s.frontier.begin(), s.frontier.end(), [&](size_t n) { return !behind[n]; });
  });
}

void finish(Capture& capture) {
  capture.active = false;
  for (const auto& weak : capture.streams) {
    const StreamRef stream = weak.lock();
    if (stream && stream->capture.get() == &capture) {
      stream->capture = nullptr;
      stream->frontier.clear();
    }
  }
  std::erase_if(state().captures, [&](const auto& c) { return c.get() == &capture; });
}

/// Nodes in an order that their dependencies allow.
void run_graph(const Graph& graph) {
  std::vector<size_t> missing(graph.nodes.size());
  std::vector<Nodes> before(graph.nodes.size());
  Nodes ready;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    missing[n] = graph.nodes[n].after.size();
    for (const size_t b : graph.nodes[n].after) before[b].push_back(n);
    if (missing[n] == 0) ready.push_back(n);
  }
  while (!ready.empty()) {
    const auto turn = ready.begin() + static_cast<ptrdiff_t>(choose(ready.size()));
    const size_t n = *turn;
    ready.erase(turn);
    graph.nodes[n].work();
    for (const size_t next : before[n])
      if (--missing[next] == 0) ready.push_back(next);
  }
}

}  // namespace

Handles<Graph, cudaGraph_t>& graphs() { return state().graphs; }
Handles<GraphExec, cudaGraphExec_t>& graph_execs() { return state().execs; }

cudaError_t begin_capture(const StreamRef& stream, cudaStreamCaptureMode mode) {
  if (stream->legacy) return cudaErrorStreamCaptureUnsupported;
  if (stream->capture) return cudaErrorIllegalState;
  auto graph = std::make_shared<Graph>();
  auto capture = std::make_shared<Capture>(Capture{.id = ++state().last_id,
                                                   .mode = mode,
                                                   .thread = std::this_thread::get_id(),
                                                   .origin = stream,
                                                   .streams = {},
                                                   .graph = graph,
                                                   .handle = state().graphs.add(graph)});
  join(stream, capture);
  state().captures.push_back(std::move(capture));
  return cudaSuccess;
}

cudaError_t end_capture(const StreamRef& stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const std::shared_ptr<Capture> capture = stream->capture;
  if (!capture) return cudaErrorIllegalState;
  if (capture->mode != cudaStreamCaptureModeRelaxed &&
      capture->thread != std::this_thread::get_id())
    return cudaErrorStreamCaptureWrongThread;
  cudaError_t error = cudaSuccess;
  if (capture->origin.lock() != stream) {
    capture->invalid = true;
    return cudaErrorStreamCaptureUnmatched;
  }
  if (capture->invalid) {
    error = cudaErrorStreamCaptureInvalidated;
  } else if (!is_joined(*capture)) {
    error = cudaErrorStreamCaptureUnjoined;
  }
  finish(*capture);
  if (error != cudaSuccess) {
    state().graphs.remove(capture->handle);
    return error;
  }
  *graph = capture->handle;
  return cudaSuccess;
}

void abandon_capture(const StreamRef& stream) {
  const std::shared_ptr<Capture> capture = stream->capture;
  if (!capture) return;
  capture->invalid = true;
  if (capture->origin.lock() == stream) finish(*capture);
}

cudaError_t capture_work(Stream& stream, std::function<void()> work) {
  if (stream.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  auto& nodes = stream.capture->graph->nodes;
  nodes.push_back({std::move(work), stream.frontier});
  stream.frontier = {nodes.size() - 1};
  return cudaSuccess;
}

cudaError_t capture_wait(const StreamRef& stream, const Event& event) {
  if (stream->capture && stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!event.capture) {
    stream->capture->invalid = true;  // the graph would depend on work that is not part of it
    return cudaErrorStreamCaptureIsolation;
  }
  if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!event.capture->active) return cudaErrorCapturedEvent;
  if (!stream->capture) {
    if (stream->legacy) {
      event.capture->invalid = true;
      return cudaErrorStreamCaptureImplicit;
    }
    join(stream, event.capture);
  } else if (stream->capture != event.capture) {
    stream->capture->invalid = event.capture->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  add_nodes(stream->frontier, event.frontier);
  return cudaSuccess;
}

cudaError_t launch_graph(const std::shared_ptr<GraphExec>& exec, const StreamRef& stream) {
  if (!stream->capture) push_wait(stream, exec->last);
  const cudaError_t error = push(stream, [graph = exec->graph] { run_graph(*graph); });
  if (error == cudaSuccess && !stream->capture) exec->last = {stream, stream->issued};
  return error;
}

cudaStreamCaptureMode exchange_capture_mode(cudaStreamCaptureMode mode) {
  return std::exchange(mode_of_thread, mode);
}

cudaError_t refuse_unsafe_call() {
  if (mode_of_thread == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  return invalidate_if(
      [](const Capture& c) {
        if (c.thread == std::this_thread::get_id()) return c.mode != cudaStreamCaptureModeRelaxed;
        return c.mode == cudaStreamCaptureModeGlobal &&
               mode_of_thread == cudaStreamCaptureModeGlobal;
      },
      cudaErrorStreamCaptureUnsupported);
}

cudaError_t refuse_implicit(const Stream& stream) {
  if (!stream.legacy) return cudaSuccess;
  return invalidate_if(
      [&](const Capture& c) {
        return any_stream(c,
                          [&](const Stream& s) { return s.blocking && s.device == stream.device; });
      },
      cudaErrorStreamCaptureImplicit);
}

cudaError_t refuse_captured(const Stream& stream) {
  if (!stream.capture) return refuse_implicit(stream);
  stream.capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t refuse_captured(const Event& event) {
  if (!event.capture) return cudaSuccess;
  event.capture->invalid = true;
  return cudaErrorCapturedEvent;
}

cudaError_t refuse_captured(int device) {
  return invalidate_if(
      [&](const Capture& c) {
        return any_stream(c, [&](const Stream& s) { return s.device == device; });
      },
      cudaErrorStreamCaptureUnsupported);
}

}  // namespace simt
