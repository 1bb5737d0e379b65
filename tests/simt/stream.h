#pragma once

#include <tests/simt/internal.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

// What the parts of the runtime's stand-in (fault, memory, stream, graph, runtime) share.
namespace simt {

/// Handles that programs hold are numbers, never used twice: one that is used after its object was
/// destroyed is found, not mistaken for a newer one.
template <class T, class Handle>
class Handles {
 public:
  explicit Handles(uintptr_t tag) : next_(tag << 48) {}
  Handle add(std::shared_ptr<T> object) {
    next_ += 16;
    objects_.emplace(next_, std::move(object));
    return reinterpret_cast<Handle>(next_);
  }
  /// Null if there is none.
  std::shared_ptr<T> find(Handle handle) const {
    const auto found = objects_.find(reinterpret_cast<uintptr_t>(handle));
    return found == objects_.end() ? nullptr : found->second;
  }
  void remove(Handle handle) { objects_.erase(reinterpret_cast<uintptr_t>(handle)); }
  template <class F>
  void remove_if(F&& unwanted) {
    std::erase_if(objects_, [&](const auto& entry) { return unwanted(*entry.second); });
  }

 private:
  uintptr_t next_;
  std::unordered_map<uintptr_t, std::shared_ptr<T>> objects_;
};

// ---- graph.cpp: capture and graphs -------------------------------------------------------------

using Nodes = std::vector<size_t>;  // indices into a graph

struct Node {
  std::function<void()> work;
  Nodes after;
};
struct Graph {
  std::vector<Node> nodes;  // each behind those it depends on
};

struct Stream;
struct Event;
using StreamRef = std::shared_ptr<Stream>;
using EventRef = std::shared_ptr<Event>;

// ---- stream.cpp -------------------------------------------------------------------------------

/// A point in the work of a stream.
struct Position {
  StreamRef stream;  // null: nothing, always passed
  uint64_t number = 0;
};

struct Capture {
  unsigned long long id;
  cudaStreamCaptureMode mode;
  std::thread::id thread;  // that began it
  std::weak_ptr<Stream> origin;
  std::vector<std::weak_ptr<Stream>> streams;  // all that take part
  std::shared_ptr<Graph> graph;
  cudaGraph_t handle;
  bool active = true;
  bool invalid = false;
};

struct GraphExec {
  std::shared_ptr<const Graph> graph;
  Position last;  // launches of one graph follow each other
};

/// A piece of work, or a wait for another stream's.
struct Op {
  uint64_t number = 0;
  std::function<void()> work;
  Position wait;
};

struct Stream {
  int device = 0;
  bool legacy = false;    // the device's default stream
  bool blocking = false;  // ordered with the default stream
  int priority = 0;
  std::deque<Op> queue;
  uint64_t issued = 0, completed = 0;  // numbers of the last operation
  bool running = false;
  int polls = 0;                     // queries in vain since something last waited
  std::shared_ptr<Capture> capture;  // null: none
  Nodes frontier;                    // what captured work depends on next
};

struct Event {
  using Clock = std::chrono::steady_clock;
  int device = 0;
  bool timing = false;
  Position position;
  std::shared_ptr<std::optional<Clock::time_point>> time;  // null: never recorded
  std::shared_ptr<Capture> capture;                        // not null: recorded in it
  Nodes frontier;
};

Handles<Stream, cudaStream_t>& streams();
Handles<Event, cudaEvent_t>& events();
Handles<Graph, cudaGraph_t>& graphs();
Handles<GraphExec, cudaGraphExec_t>& graph_execs();

/// Throws Error, which begins with `what`, if the handle is of no stream or event. A null stream
/// is the default stream of the current device.
StreamRef find_stream(cudaStream_t stream, const std::string& what);
EventRef find_event(cudaEvent_t event, const std::string& what);
StreamRef create_stream(int device, bool blocking, int priority);

/// Adds work to a stream, or a node to the graph that is being captured from it: then it is run
/// once for every launch of the graph.
cudaError_t push(const StreamRef& stream, std::function<void()> work);
/// Makes what the stream is given from now on run behind a point of another.
void push_wait(const StreamRef& stream, const Position& position);
cudaError_t record(const StreamRef& stream, const EventRef& event);
cudaError_t wait_event(const StreamRef& stream, const EventRef& event);

/// Runs the stream's work up to a number, and what that waits for.
void drain(const StreamRef& stream, uint64_t number);
inline void drain(const Position& p) {
  if (p.stream) drain(p.stream, p.number);
}
/// Runs everything that a device (-1: any) has been given, the streams' turns by options().order.
void drain_device(int device);
/// Forgets what a device (-1: any) has been given and has not run.
void drop_work(int device);
/// Whether a point has been passed. Who asks again and again without waiting gets work run.
bool poll(const Position& position);
/// 0 to n - 1: whose turn it is among n that could run in any order.
size_t choose(size_t n);

cudaError_t begin_capture(const StreamRef& stream, cudaStreamCaptureMode mode);
cudaError_t end_capture(const StreamRef& stream, cudaGraph_t* graph);
/// The stream is being destroyed.
void abandon_capture(const StreamRef& stream);
cudaError_t capture_work(Stream& stream, std::function<void()> work);
/// The wait of a stream for an event where either is part of a capture.
cudaError_t capture_wait(const StreamRef& stream, const Event& event);
cudaError_t launch_graph(const std::shared_ptr<GraphExec>& exec, const StreamRef& stream);
cudaStreamCaptureMode exchange_capture_mode(cudaStreamCaptureMode mode);

/// An error, which invalidates the captures concerned, if now is not the time for
/// a call that could break a capture: cudaMalloc and the like;
cudaError_t refuse_unsafe_call();
/// for work in, or a wait for, the default stream of a device, while a stream that is ordered with
/// it is being captured;
cudaError_t refuse_implicit(const Stream& stream);
/// for waiting for a stream that is being captured;
cudaError_t refuse_captured(const Stream& stream);
/// for waiting for an event of a capture;
cudaError_t refuse_captured(const Event& event);
/// for waiting for a device of which a stream is being captured.
cudaError_t refuse_captured(int device);

// ---- memory.cpp -------------------------------------------------------------------------------

std::string hex(const void* p);  // as in "0x7f00"
/// Null: out of memory.
void* allocate(size_t bytes, int device);
/// False: no live allocation begins there.
bool release(void* p);
void release_device(int device);
size_t used_memory(int device);
size_t memory_limit(int device);
void set_current_device(int device);

struct Pinned {
  size_t size = 0;  // 0: none
  char* base = nullptr;
  bool registered = false;  // by cudaHostRegister: not the runtime's to free
  int device = 0;
  unsigned flags = 0;
};
Pinned find_pinned(const void* p);
void add_pinned(void* p, const Pinned& block);
void remove_pinned(void* p);
bool pinned_overlaps(const void* p, size_t bytes);

// ---- fault.cpp --------------------------------------------------------------------------------

std::recursive_mutex& runtime_mutex();
/// What a call of the runtime fails with before it has looked at its arguments.
cudaError_t entry_error(int device);
/// Keeps an error for cudaGetLastError.
cudaError_t remember(cudaError_t error);
/// cudaGetLastError, which clears what can be cleared, or cudaPeekAtLastError.
cudaError_t last_error(bool clear);
/// Runs a function of cudaLaunchHostFunc, in which every call of the runtime is refused.
void call_host_function(cudaHostFn_t function, void* data);

/// The body of a function of the runtime that concerns `device` (-1: none in particular).
template <class F>
cudaError_t api_of(int device, F&& body) {
  const std::lock_guard lock(runtime_mutex());
  cudaError_t error = entry_error(device);
  if (error == cudaSuccess) error = body();
  return remember(error);
}
template <class F>
cudaError_t api(F&& body) {
  return api_of(current_device(), body);
}
/// The same where a stream is concerned, and its device. `body` takes a StreamRef.
template <class F>
cudaError_t api_stream(const char* what, cudaStream_t handle, F&& body) {
  return api_of(-1, [&] {
    const StreamRef stream = find_stream(handle, what);
    const cudaError_t error = permanent_error(stream->device);
    return error == cudaSuccess ? body(stream) : error;
  });
}

}  // namespace simt
