#include <tests/simt/stream.h>

#include <utility>

// Streams, events, capture and graphs.
using namespace simt;

namespace {

/// The body of a function that concerns an event, and its device. `body` takes an EventRef.
template <class F>
cudaError_t api_event(const char* what, cudaEvent_t handle, F&& body) {
  return api_of(-1, [&] {
    if (!handle) return cudaErrorInvalidResourceHandle;
    const EventRef event = find_event(handle, what);
    const cudaError_t error = permanent_error(event->device);
    return error == cudaSuccess ? body(event) : error;
  });
}

/// What calls that wait for, or ask about, an event have in common.
template <class F>
cudaError_t api_event_done(const char* what, cudaEvent_t handle, F&& body) {
  return api_event(what, handle, [&](const EventRef& event) {
    if (const cudaError_t error = refuse_captured(*event)) return error;
    if (const cudaError_t error = refuse_unsafe_call()) return error;
    return body(event->position);
  });
}

/// A graph or an executable one, or an error.
template <class H, class Handle, class F>
cudaError_t api_graph(H& handles, Handle handle, F&& body) {
  return api([&] {
    const auto found = handles.find(handle);
    return found ? body(found) : cudaErrorInvalidValue;
  });
}

bool is_mode(cudaStreamCaptureMode mode) {
  return mode >= cudaStreamCaptureModeGlobal && mode <= cudaStreamCaptureModeRelaxed;
}

cudaStreamCaptureStatus status_of(const Stream& stream) {
  if (!stream.capture) return cudaStreamCaptureStatusNone;
  return stream.capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
}

cudaError_t elapsed_time(float* ms, const Event& start, const Event& end) {
  if (!start.timing || !end.timing || start.device != end.device || !start.time || !end.time)
    return cudaErrorInvalidResourceHandle;
  if (!*start.time || !*end.time) return cudaErrorNotReady;
  *ms = std::chrono::duration<float, std::milli>(**end.time - **start.time).count();
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned flags, int priority) {
  return api([&] {
    if (!out || (flags & ~static_cast<unsigned>(cudaStreamNonBlocking)))
      return cudaErrorInvalidValue;
    *out =
        streams().add(create_stream(current_device(), !(flags & cudaStreamNonBlocking), priority));
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned flags) {
  return cudaStreamCreateWithPriority(out, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* out) {
  return cudaStreamCreateWithPriority(out, cudaStreamDefault, 0);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return remember(cudaErrorInvalidResourceHandle);
  return api_stream("cudaStreamDestroy", stream, [&](const StreamRef& s) {
    if (s->legacy) return cudaErrorInvalidResourceHandle;
    abandon_capture(s);
    streams().remove(stream);  // what it has been given is still run
    return cudaSuccess;
  });
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return api_stream("cudaStreamQuery", stream, [&](const StreamRef& s) {
    if (const cudaError_t error = refuse_captured(*s)) return error;
    return poll({s, s->issued}) ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return api_stream("cudaStreamSynchronize", stream, [&](const StreamRef& s) {
    if (const cudaError_t error = refuse_captured(*s)) return error;
    drain(s, s->issued);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return api_stream("cudaStreamWaitEvent", stream, [&](const StreamRef& s) {
    if (!event) return cudaErrorInvalidResourceHandle;
    if (flags != cudaEventWaitDefault) return cudaErrorInvalidValue;
    const EventRef found = find_event(event, "cudaStreamWaitEvent");
    const cudaError_t error = permanent_error(found->device);
    return error == cudaSuccess ? wait_event(s, found) : error;
  });
}
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) {
  return api_stream("cudaStreamGetDevice", stream, [&](const StreamRef& s) {
    *device = s->device;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  return api_stream("cudaStreamGetFlags", stream, [&](const StreamRef& s) {
    *flags = s->blocking || s->legacy ? cudaStreamDefault : cudaStreamNonBlocking;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  return api_stream("cudaStreamGetPriority", stream, [&](const StreamRef& s) {
    *priority = s->priority;
    return cudaSuccess;
  });
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return api_stream("cudaLaunchHostFunc", stream, [&](const StreamRef& s) {
    if (!function) return cudaErrorInvalidValue;
    return push(s, [=] { call_host_function(function, data); });
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned flags) {
  return api([&] {
    constexpr unsigned kFlags = cudaEventBlockingSync | cudaEventDisableTiming;
    if (!out || (flags & ~kFlags)) return cudaErrorInvalidValue;
    auto event = std::make_shared<Event>();
    event->device = current_device();
    event->timing = !(flags & cudaEventDisableTiming);
    *out = events().add(std::move(event));
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* out) {
  return cudaEventCreateWithFlags(out, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return api_event("cudaEventDestroy", event, [&](const EventRef&) {
    events().remove(event);
    return cudaSuccess;
  });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return api_stream("cudaEventRecord", stream, [&](const StreamRef& s) {
    if (!event) return cudaErrorInvalidResourceHandle;
    return record(s, find_event(event, "cudaEventRecord"));
  });
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return api_event_done("cudaEventQuery", event, [&](const Position& position) {
    return poll(position) ? cudaSuccess : cudaErrorNotReady;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return api_event_done("cudaEventSynchronize", event, [&](const Position& position) {
    drain(position);
    return cudaSuccess;
  });
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
  return api_event("cudaEventElapsedTime", start, [&](const EventRef& from) {
    if (!end) return cudaErrorInvalidResourceHandle;
    return elapsed_time(ms, *from, *find_event(end, "cudaEventElapsedTime"));
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api([] {
    if (const cudaError_t error = refuse_captured(current_device())) return error;
    drain_device(current_device());
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceReset() {
  return api([] {
    const int device = current_device();
    drain_device(device);
    release_device(device);
    streams().remove_if([&](const Stream& s) { return s.device == device; });
    events().remove_if([&](const Event& e) { return e.device == device; });
    return cudaSuccess;
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return api_stream("cudaStreamBeginCapture", stream, [&](const StreamRef& s) {
    return is_mode(mode) ? begin_capture(s, mode) : cudaErrorInvalidValue;
  });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return api_stream("cudaStreamEndCapture", stream, [&](const StreamRef& s) {
    return graph ? end_capture(s, graph) : cudaErrorInvalidValue;
  });
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return api_stream("cudaStreamIsCapturing", stream, [&](const StreamRef& s) {
    if (!status) return cudaErrorInvalidValue;
    *status = status_of(*s);
    return refuse_implicit(*s);
  });
}
#if CUDART_VERSION >= 13000  // before, other versions of it had other parameters
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                     unsigned long long* id, cudaGraph_t* graph,
                                     const cudaGraphNode_t** dependencies,
                                     const cudaGraphEdgeData** edges, size_t* count) {
  return api_stream("cudaStreamGetCaptureInfo", stream, [&](const StreamRef& s) {
    if (!status) return cudaErrorInvalidValue;
    if (dependencies || edges) throw Error("simt: cudaStreamGetCaptureInfo gives no nodes");
    *status = status_of(*s);
    if (*status == cudaStreamCaptureStatusActive) {
      if (id) *id = s->capture->id;
      if (graph) *graph = s->capture->handle;
      if (count) *count = s->frontier.size();
    }
    return refuse_implicit(*s);
  });
}
#endif
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return api([&] {
    if (!mode || !is_mode(*mode)) return cudaErrorInvalidValue;
    *mode = exchange_capture_mode(*mode);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  return api_graph(graphs(), graph, [&](const std::shared_ptr<Graph>& g) {
    if (!out) return cudaErrorInvalidValue;
    auto exec = std::make_shared<GraphExec>();
    exec->graph = std::make_shared<Graph>(*g);
    *out = graph_execs().add(std::move(exec));
    return cudaSuccess;
  });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return api_stream("cudaGraphLaunch", stream, [&](const StreamRef& s) {
    const auto found = graph_execs().find(exec);
    if (!found) throw Error("simt: cudaGraphLaunch: the graph was destroyed or never was one");
    return launch_graph(found, s);
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  return api_graph(graph_execs(), exec, [&](const std::shared_ptr<GraphExec>&) {
    graph_execs().remove(exec);  // what was launched is still run
    return cudaSuccess;
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api_graph(graphs(), graph, [&](const std::shared_ptr<Graph>&) {
    graphs().remove(graph);
    return cudaSuccess;
  });
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return api_graph(graphs(), graph, [&](const std::shared_ptr<Graph>& g) {
    if (!count) return cudaErrorInvalidValue;
    if (nodes) throw Error("simt: cudaGraphGetNodes counts nodes and gives none");
    *count = g->nodes.size();
    return cudaSuccess;
  });
}

}  // extern "C"
