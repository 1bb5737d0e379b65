#include <tests/simt/machine.h>

#include <tests/simt/checker.h>

#include <algorithm>
#include <bit>

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim, gridDim;

namespace simt {
namespace {

constinit thread_local bool kernel_runs = false;

struct Running {
  Running() { kernel_runs = true; }
  ~Running() { kernel_runs = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
};

/// One of the bits that are set.
int choose_bit(uint32_t bits, Order order, uint64_t random) {
  if (order == Order::Forward) return std::countr_zero(bits);
  if (order == Order::Reverse) return 31 - std::countl_zero(bits);
  const int turn = static_cast<int>(random & 31);
  return (std::countr_zero(std::rotr(bits, turn)) + turn) & 31;
}

}  // namespace

Machine& machine() {
  static Machine* const m = new Machine;
  return *m;
}
bool in_kernel() { return kernel_runs; }
Statistics& statistics() {
  static Statistics s;
  return s;
}
std::string text(const uint3& index) { return join("(", index.x, ",", index.y, ",", index.z, ")"); }

void run_grid(const LaunchInfo& info, int device, void (*thread)(void*), void* context,
              size_t context_bytes) {
  machine().run(info, device, thread, context, context_bytes);
}

void trap(Site site) {
  machine().fail([&] { return join("__trap() at ", site.file, ":", site.line); });
}

// --- a grid

void Machine::run(const LaunchInfo& info, int device, void (*thread)(void*), void* context,
                  size_t context_bytes) {
  if (kernel_runs) throw Error("simt: a kernel is launched by a kernel");
  const std::lock_guard lock(mutex_);
  const DeviceAccess access;
  note_executed(info.kernel);
  info_ = &info;
  thread_ = thread;
  context_ = context;
  launch_ = ++statistics().launches;
  uint64_t state = launch_;
  random_ = options().seed * 0xd1342543de82ef95u + next_random(state);
  blockDim = info.block;
  gridDim = info.grid;
  place_threads();
  checker::begin_launch(device, info, context, context_bytes);
  running_ = &host_;
  {
    const Running running;
    run_blocks();
  }
  if (failed_) {
    const std::string message = report();
    recover();
    throw Error(message);
  }
}

void Machine::place_threads() {
  const auto [x, y, z] = blockDim;
  if (placed_.x == x && placed_.y == y && placed_.z == z) return;
  placed_ = blockDim;
  for (unsigned i = 0; i < x * y * z; ++i) threads_[i].index = {i % x, i / x % y, i / (x * y)};
}

std::vector<uint64_t> Machine::block_order(uint64_t blocks) {
  std::vector<uint64_t> order;
  if (options().order != Order::Random || blocks > uint64_t{1} << 22) return order;
  order.resize(blocks);
  for (uint64_t i = 0; i < blocks; ++i) {
    const uint64_t at = next_random(random_) % (i + 1);
    order[i] = order[at];
    order[at] = i;
  }
  return order;
}

void Machine::run_blocks() {
  const uint64_t blocks = uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  const std::vector<uint64_t> order = block_order(blocks);
  for (uint64_t i = 0; i < blocks && !failed_; ++i) {
    const uint64_t b = !order.empty()                      ? order[i]
                       : options().order == Order::Reverse ? blocks - 1 - i
                                                           : i;
    blockIdx = {static_cast<unsigned>(b % gridDim.x),
                static_cast<unsigned>(b / gridDim.x % gridDim.y),
                static_cast<unsigned>(b / gridDim.x / gridDim.y)};
    checker::begin_block(b);
    run_block();
    ++statistics().blocks;
  }
}

// A mix of strategies finds more than chance alone: a missing barrier after a read shows only where
// one warp runs far ahead of the others.
void Machine::run_block() {
  const int n = size_ = alive_ = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
  arrived_ = 0;
  ready_warps_ = 0;
  for (int w = 0; w * kLanes < n; ++w) {
    const uint32_t lanes = n - w * kLanes >= kLanes ? ~0u : (1u << (n - w * kLanes)) - 1;
    warps_[w] = {lanes, 0, ~lanes};
    ready_warps_ |= 1u << w;
  }
  stay_ = true;
  warp_order_ = lane_order_ = options().order;
  if (options().order == Order::Random) {
    const uint64_t r = next_random(random_);
    stay_ = (r & 1) != 0;
    lane_order_ = (r & 2) != 0 ? Order::Random : (r & 4) != 0 ? Order::Forward : Order::Reverse;
  }
  current_ = choose_bit(ready_warps_, warp_order_, next_random(random_)) * kLanes;
  clear_shared();
  go(host_, fiber_of(pick()), false);  // returns when nothing is ready
  statistics().threads += static_cast<uint64_t>(n);
  if (failed_) {
    failure_ = join("simt: ", failure_call_(failure_text_), "\n  in thread ", text(threadIdx),
                    " of block ", text(blockIdx));
  } else if (alive_ > 0) {
    failed_ = true;
    failure_ = "simt: " + deadlock();
  }
}

std::string Machine::report() const {
  std::ostringstream s;
  s << failure_;
  if (failed_code_) s << " at " << source_line(static_cast<const char*>(failed_code_) - 1);
  s << "\n  kernel " << function_name(info_->kernel) << " " << source_line(info_->kernel)
    << ", block " << blockDim.x << "x" << blockDim.y << "x" << blockDim.z << ", grid " << gridDim.x
    << "x" << gridDim.y << "x" << gridDim.z << ", seed " << options().seed << ", launch "
    << launch_;
  return s.str();
}

// The threads that have not ended never will.
void Machine::recover() {
  failed_ = false;
  failed_code_ = nullptr;
  free_.clear();
  for (const auto& f : fibers_) free_.push_back(f.get());
  for (Thread& t : threads_) t.fiber = nullptr;
}

void Machine::fail(const void* text, std::string (*call)(const void*), const void* code) {
  if (!kernel_runs || running_ == &host_) throw Error("simt: " + call(text));
  checker::leave_kernel();
  failed_ = true;
  failure_text_ = text;
  failure_call_ = call;
  failed_code_ = code;
  go(*running_, host_, false);
  __builtin_unreachable();
}

// --- threads

/// The thread to go on with; -1: none.
int Machine::pick() {
  if (ready_warps_ == 0 || failed_) return -1;
  const uint64_t r = !stay_ || lane_order_ == Order::Random ? next_random(random_) : 0;
  int w = current_ / kLanes;
  if (!stay_ || (ready_warps_ >> w & 1) == 0) w = choose_bit(ready_warps_, warp_order_, r);
  const int lane = choose_bit(warps_[w].ready, lane_order_, r >> 8);
  warps_[w].ready &= ~(1u << (lane & 31));
  if (warps_[w].ready == 0) ready_warps_ &= ~(1u << w);
  return w * kLanes + lane;
}

/// Where a thread goes on, or begins.
Fiber& Machine::fiber_of(int thread) {
  if (Fiber* const f = threads_[thread].fiber) return *f;
  if (free_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>());
    allocate_stack(*fibers_.back());
    free_.push_back(fibers_.back().get());
  }
  Fiber* const f = free_.back();
  free_.pop_back();
  prepare(*f, [](Fiber& self) { machine().run_threads(self); });
  f->thread = thread;
  threads_[thread].fiber = f;
  return *f;
}

void Machine::go(Fiber& from, Fiber& to, bool ends) {
  ++statistics().switches;
  running_ = &to;
  switch_fiber(from, to, ends);
}

void Machine::run_threads(Fiber& self) {
  int t = self.thread;
  do {
    threads_[t].fiber = &self;
    run_thread(t);
    threads_[t].fiber = nullptr;
    t = pick();
  } while (t >= 0 && !threads_[t].fiber);
  free_.push_back(&self);
  go(self, t < 0 ? host_ : *threads_[t].fiber, true);
}

void Machine::run_thread(int thread) {
  resume(thread);
  bool threw = true;
  try {
    thread_(context_);
    threw = false;
  } catch (const std::exception& e) {
    checker::leave_kernel();
    thrown_ = e.what();
  } catch (...) {
    checker::leave_kernel();
    thrown_ = "an unknown exception";
  }
  checker::leave_kernel();
  if (threw) fail([this] { return "a kernel threw: " + thrown_; });
  warps_[thread / kLanes].gone |= 1u << (thread % kLanes);
  --alive_;
  if (arrived_ > 0 && arrived_ == alive_) release_barrier();
}

void Machine::resume(int thread) {
  current_ = thread;
  threadIdx = threads_[thread].index;
  checker::begin_thread(thread);
  checker::enter_kernel(running_->stack, running_->stack_bytes);
}

/// Lets others run until the running thread is ready again.
void Machine::wait() {
  const int me = current_;
  Fiber& self = *threads_[me].fiber;
  const int next = pick();
  Fiber& to = next < 0 ? host_ : fiber_of(next);
  if (&to != &self) go(self, to, false);
  resume(me);
}

}  // namespace simt
