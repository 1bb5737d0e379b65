#include <tests/simt/stream.h>

#include <algorithm>

namespace simt {
namespace {

constexpr int kPatience = 16;  // queries of a stream in vain before one runs some of its work

struct State {
  Handles<Stream, cudaStream_t> streams{0x5712};
  Handles<Event, cudaEvent_t> events{0x5713};
  StreamRef legacy[kMaxDevices];
  std::vector<StreamRef> all;  // also destroyed ones that still have work
};

State& state() {
  static State* const state = new State;  // leaked: used until the very end of the process
  return *state;
}

void forget(Stream& stream) {
  stream.queue.clear();
  stream.completed = stream.issued;
}

void run_front(const StreamRef& stream) {
  if (stream->running) throw Error("simt: a stream waits for work of its own that is being run");
  struct Running {
    explicit Running(Stream& s) : stream(s) { stream.running = true; }
    ~Running() { stream.running = false; }
    Stream& stream;
  };
  const Op op = std::move(stream->queue.front());
  stream->queue.pop_front();
  try {
    const Running running(*stream);
    drain(op.wait);
    if (op.work) op.work();
  } catch (...) {
    drop_work(-1);  // as behind a fault of a real device: what follows would run on wrong data
    throw;
  }
  stream->completed = std::max(stream->completed, op.number);
  stream->polls = 0;
}

/// The default stream waits for the blocking ones, and they for it.
void order_with_legacy(const StreamRef& stream) {
  if (stream->legacy) {
    for (const StreamRef& other : state().all)
      if (other->blocking && other->device == stream->device)
        push_wait(stream, {other, other->issued});
  } else if (stream->blocking) {
    if (const StreamRef& legacy = state().legacy[stream->device])
      push_wait(stream, {legacy, legacy->issued});
  }
}

void add(const StreamRef& stream, Op op) {
  op.number = ++stream->issued;
  stream->queue.push_back(std::move(op));
  if (!options().lazy) drain(stream, stream->issued);
}

/// Destroyed streams are kept while they have work.
void forget_finished() {
  std::erase_if(state().all,
                [](const StreamRef& s) { return s.use_count() == 1 && s->queue.empty(); });
}

}  // namespace

Handles<Stream, cudaStream_t>& streams() { return state().streams; }
Handles<Event, cudaEvent_t>& events() { return state().events; }

StreamRef create_stream(int device, bool blocking, int priority) {
  forget_finished();
  auto stream = std::make_shared<Stream>();
  stream->device = device;
  stream->blocking = blocking;
  stream->priority = priority;
  state().all.push_back(stream);
  return stream;
}

StreamRef find_stream(cudaStream_t stream, const std::string& what) {
  if (stream == nullptr || stream == cudaStreamLegacy) {
    StreamRef& legacy = state().legacy[current_device()];
    if (!legacy) {
      legacy = create_stream(current_device(), false, 0);
      legacy->legacy = true;
    }
    return legacy;
  }
  StreamRef found = state().streams.find(stream);
  if (!found)
    throw Error("simt: " + what + ": stream " + hex(stream) + " was destroyed or never was one");
  return found;
}

EventRef find_event(cudaEvent_t event, const std::string& what) {
  EventRef found = state().events.find(event);
  if (!found)
    throw Error("simt: " + what + ": event " + hex(event) + " was destroyed or never was one");
  return found;
}

void require_stream(cudaStream_t stream, int device, const std::string& what) {
  const std::lock_guard lock(runtime_mutex());
  const StreamRef found = find_stream(stream, what);
  if (found->device != device) {
    throw Error("simt: " + what + ": the stream is of device " + std::to_string(found->device) +
                ", not of device " + std::to_string(device));
  }
}

cudaError_t push(const StreamRef& stream, std::function<void()> work) {
  if (stream->capture) return capture_work(*stream, std::move(work));
  if (const cudaError_t error = refuse_implicit(*stream)) return error;
  order_with_legacy(stream);
  add(stream, {.work = std::move(work), .wait = {}});
  return cudaSuccess;
}

void push_wait(const StreamRef& stream, const Position& position) {
  if (!position.stream || position.stream == stream) return;
  if (position.stream->completed >= position.number) return;
  add(stream, {.work = {}, .wait = position});
}

cudaError_t record(const StreamRef& stream, const EventRef& event) {
  if (stream->device != event->device) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event->capture = stream->capture;
    event->frontier = stream->frontier;
    event->time = nullptr;
    event->position = {};
    return cudaSuccess;
  }
  auto time = std::make_shared<std::optional<Event::Clock::time_point>>();
  const cudaError_t error = push(stream, [time] { *time = Event::Clock::now(); });
  if (error != cudaSuccess) return error;
  event->capture = nullptr;
  event->time = std::move(time);
  event->position = {stream, stream->issued};
  return cudaSuccess;
}

cudaError_t wait_event(const StreamRef& stream, const EventRef& event) {
  if (stream->capture || event->capture) return capture_wait(stream, *event);
  if (const cudaError_t error = refuse_implicit(*stream)) return error;
  order_with_legacy(stream);
  push_wait(stream, event->position);
  return cudaSuccess;
}

void drain(const StreamRef& stream, uint64_t number) {
  while (stream->completed < number) run_front(stream);
  stream->polls = 0;
}

size_t choose(size_t n) {
  static uint64_t random = options().seed;
  if (options().order == Order::Forward) return 0;
  if (options().order == Order::Reverse) return n - 1;
  return next_random(random) % n;
}

void drain_device(int device) {
  std::vector<StreamRef> waiting;
  for (const StreamRef& stream : state().all)
    if (device < 0 || stream->device == device) waiting.push_back(stream);
  while (!waiting.empty()) {
    const size_t i = choose(waiting.size());
    const StreamRef stream = waiting[i];
    if (!stream->queue.empty()) {
      run_front(stream);
    } else {
      stream->polls = 0;
      waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  forget_finished();
}

void drop_work(int device) {
  for (const StreamRef& stream : state().all)
    if (device < 0 || stream->device == device) forget(*stream);
}

bool poll(const Position& position) {
  const StreamRef& stream = position.stream;
  if (!stream || stream->completed >= position.number) return true;
  if (++stream->polls > kPatience) {
    const int polls = stream->polls;
    run_front(stream);
    stream->polls = polls;
  }
  return stream->completed >= position.number;
}

cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> work) {
  return api_stream(what, stream, [&](const StreamRef& s) { return push(s, std::move(work)); });
}

}  // namespace simt
