#include <link.h>
#include <tests/simt/checker.h>
#include <tests/simt/machine.h>
#include <tests/simt/order.h>
#include <tests/simt/shadow.h>

#include <array>
#include <map>

// Looks at every access of instrumented kernels to memory that is not the thread's own: is it
// memory, was it written before it is read, and is it ordered with the accesses of other threads?
// As nothing but barriers (and __syncwarp, and fences with atomics) orders threads, a comparison of
// moments answers the last question, whatever the schedule was.
extern char __executable_start, __data_start, _end;

namespace simt::checker {

bool is_active = false;
constinit thread_local Unseen unseen;

namespace {

enum class Fault : uint8_t { None, NotMemory, Unwritten, AfterWrite, AfterRead };

/// The extents that were used last.
class Cache {
 public:
  [[gnu::always_inline]] bool has(uintptr_t p, size_t bytes) {
    return extents_[last_].has(p, bytes) || find(p, bytes);
  }
  void add(const Extent& e) { extents_[last_ = (last_ + 1) % extents_.size()] = e; }
  void clear() { extents_.fill({}); }

 private:
  bool find(uintptr_t p, size_t bytes) {
    for (size_t i = 0; i < extents_.size(); ++i) {
      if (!extents_[i].has(p, bytes)) continue;
      last_ = i;
      return true;
    }
    return false;
  }
  std::array<Extent, 8> extents_;
  size_t last_ = 0;
};

struct State {
  std::array<Shadow, kMaxDevices> heaps;
  Shadow shared;
  int device = 0;
  Shadow* heap = nullptr;  // of the device
  Extent parameters, thread_locals;
  Order order;
  std::vector<Extent> shared_variables;  // of the block that runs
  std::map<uintptr_t, size_t> pinned;
  // Allocations that the launch, or variables that the block, was seen to use.
  Cache heap_cache, shared_cache;
  bool check_init = true, check_race = true;
};
State& state() {
  static State* const s = new State;
  return *s;
}
constinit State* running = nullptr;  // state(), once there was a launch

/// The allocation or variable with these bytes; no bytes: none.
Extent find_extent(State& s, bool in_shared, const void* p, size_t bytes) {
  const Outside outside;
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (in_shared) {
    for (const Extent& v : s.shared_variables)
      if (v.has(address, bytes)) return v;
    return {};
  }
  const Allocation a = find_allocation(p);
  const Extent e{reinterpret_cast<uintptr_t>(a.base), a.size};
  return a.base && a.live && e.has(address, bytes) ? e : Extent{};
}

/// Whether memory that was not written before is memory at all.
bool is_memory(State& s, bool in_shared, uintptr_t p, size_t bytes) {
  Cache& cache = in_shared ? s.shared_cache : s.heap_cache;
  if (cache.has(p, bytes)) return true;
  const Extent e = find_extent(s, in_shared, reinterpret_cast<const void*>(p), bytes);
  if (e.bytes == 0) return false;
  cache.add(e);
  return true;
}

/// Checks an access against what a word or byte remembers, and remembers it.
template <Access kAccess, class IsMemory>
[[gnu::always_inline]] inline Fault visit(const State& s, Record& r, IsMemory is_memory) {
  if (r.write == kNothing) {
    if (!is_memory()) return Fault::NotMemory;
    if (kAccess != Access::Write && s.check_init) return Fault::Unwritten;
  }
  if (!s.check_race) {
    if (kAccess != Access::Read) r.write = kHost;
    return Fault::None;
  }
  const Order& order = s.order;
  if (order.races(r.write) && !(kAccess == Access::Atomic && order.are_atomic(r.write)))
    return Fault::AfterWrite;
  if (kAccess == Access::Read) {
    if (!order.is_known(r.read)) r.read = order.merge(r.read);
    return Fault::None;
  }
  if (order.races(r.read)) return Fault::AfterRead;
  if (kAccess == Access::Write) {
    r = {order.now(), kNothing};  // what is ordered with this is ordered with earlier reads
  } else {
    r.write = order.merge_atomic(r.write);
  }
  return Fault::None;
}

struct Visited {
  Fault fault = Fault::None;
  Stamp conflict = kNothing;  // the earlier access
};
Visited fault_at(Fault fault, const Record& r) {
  return {fault, fault == Fault::AfterRead ? r.read : r.write};
}

/// A part of a word, or a word that is remembered byte by byte.
template <Access kAccess>
Visited visit_bytes(State& s, Shadow& shadow, size_t at, size_t end) {
  const bool in_shared = &shadow == &s.shared;
  const size_t word = at / Shadow::kWord;
  const bool whole = end - at == Shadow::kWord;
  shadow.split(word);
  for (; at < end; ++at) {
    Record& r = shadow.byte(at);
    const Fault fault =
        visit<kAccess>(s, r, [&] { return is_memory(s, in_shared, shadow.address(at), 1); });
    if (fault != Fault::None) return fault_at(fault, r);
  }
  if (whole) shadow.try_join(word);
  return {};
}

template <Access kAccess>
Visited visit_range(State& s, Shadow& shadow, const void* p, size_t bytes) {
  constexpr size_t kWord = Shadow::kWord;
  const bool in_shared = &shadow == &s.shared;
  size_t at = shadow.offset(p);
  const size_t end = at + bytes;
  while (at < end) {
    const size_t word = at / kWord;
    if (at % kWord != 0 || end - at < kWord || shadow.word(word).write == kSplit) {
      const size_t stop = std::min(end, (word + 1) * kWord);
      if (const Visited v = visit_bytes<kAccess>(s, shadow, at, stop); v.fault != Fault::None)
        return v;
      at = stop;
      continue;
    }
    Record& r = shadow.word(word);
    const Fault fault =
        visit<kAccess>(s, r, [&] { return is_memory(s, in_shared, shadow.address(at), kWord); });
    if (fault != Fault::None) return fault_at(fault, r);
    at += kWord;
  }
  return {};
}

// --- reports

std::string describe(State& s, const void* p, size_t bytes, Access access) {
  std::ostringstream t;
  t << (access == Access::Read    ? "read"
        : access == Access::Write ? "write"
                                  : "atomic")
    << " of " << bytes << " bytes at " << p;
  if (s.shared.has(p)) t << " (shared memory)";
  if (const int device = device_of(p); device >= 0) {
    const Allocation a = find_allocation(p);
    if (a.base) {
      t << "\n  " << static_cast<const char*>(p) - a.base << " bytes into a "
        << (a.live ? "live" : "freed") << " allocation of " << a.size << " bytes of device "
        << device;
    } else {
      t << "\n  no allocation of device " << device << " lies before it";
    }
  }
  return t.str();
}

std::string who(const State& s, Stamp stamp) {
  const auto place = [](uint64_t i, const dim3& size) {
    return text(uint3{static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y),
                      static_cast<unsigned>(i / size.x / size.y)});
  };
  return "thread " + place(static_cast<uint64_t>(thread_of(stamp)), blockDim) + " of block " +
         place(s.order.block_of(stamp), gridDim) +
         ((stamp & (kLanes | kWarps | kBlocks)) != 0 ? " and others" : "");
}

[[noreturn]] void report(State& s, const char* what, const void* p, size_t bytes, Access access,
                         const void* code, const std::function<std::string()>& more = nullptr) {
  machine().fail(
      [&] {
        std::string t = join(what, ": ", describe(s, p, bytes, access));
        if (const std::string m = more ? more() : ""; !m.empty()) t += "\n  " + m;
        return t;
      },
      code);
}

void report_fault(State& s, const Visited& v, const void* p, size_t bytes, Access access,
                  const void* code) {
  switch (v.fault) {
    case Fault::None:
      return;
    case Fault::NotMemory:
      report(s, "out-of-bounds access", p, bytes, access, code);
    case Fault::Unwritten:
      report(s, "uninitialised read", p, bytes, access, code, [&] {
        return s.shared.has(p) ? "the block never wrote it, or a data race: not before a barrier"
                               : "";
      });
    default:
      report(s, "data race", p, bytes, access, code, [&] {
        return (v.fault == Fault::AfterRead ? "earlier read by " : "earlier write by ") +
               who(s, v.conflict);
      });
  }
}

/// Memory that no heap has: a few things may be read, the rest is wrong.
void check_host_memory(State& s, const void* p, size_t bytes, Access access, const void* code) {
  const Outside outside;
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (s.parameters.has(address, 1))
    report(s, "write to a kernel parameter", p, bytes, access, code);
  if (const int owner = device_of(p); owner >= 0) {
    report(s, "access to another device's memory", p, bytes, access, code, [&] {
      return join("the kernel runs on device ", s.device, ", the memory is of device ", owner);
    });
  }
  if (const auto after = s.pinned.upper_bound(address); after != s.pinned.begin()) {
    const auto& [base, size] = *std::prev(after);
    if (Extent{base, size}.has(address, bytes)) return;
  }
  if (address < 4096) report(s, "access to the null pointer", p, bytes, access, code);
  const char* const c = static_cast<const char*>(p);
  if (c >= &__executable_start && c < &_end) {
    if (access == Access::Read && c < &__data_start) return;  // a constant
    report(s, "access to a host global variable", p, bytes, access, code);
  }
  report(s, "access to host memory or another thread's local memory", p, bytes, access, code);
}

/// The program's thread-local variables of this host thread, threadIdx among them.
Extent find_thread_locals() {
  Extent found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          if (info->dlpi_phdr[i].p_type != PT_TLS || !info->dlpi_tls_data) continue;
          const Extent e{reinterpret_cast<uintptr_t>(info->dlpi_tls_data),
                         info->dlpi_phdr[i].p_memsz};
          if (!e.has(reinterpret_cast<uintptr_t>(&threadIdx), sizeof(threadIdx))) continue;
          *static_cast<Extent*>(data) = e;
          return 1;
        }
        return 0;
      },
      &found);
  return found;
}

}  // namespace

template <Access kAccess>
void check(const void* p, size_t bytes, size_t alignment, const void* code) {
  if (!is_active || bytes == 0) return;
  State& s = *running;
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (kAccess == Access::Read &&
      (s.thread_locals.has(address, bytes) || s.parameters.has(address, bytes)))
    return;
  Shadow* const shadow = s.heap->has(p) ? s.heap : s.shared.has(p) ? &s.shared : nullptr;
  if (!shadow) return check_host_memory(s, p, bytes, kAccess, code);
  if (address % alignment != 0) report(s, "misaligned access", p, bytes, kAccess, code);
  if (kAccess == Access::Atomic && shadow != &s.shared) s.order.device_atomic();
  const Visited v = visit_range<kAccess>(s, *shadow, p, bytes);
  if (v.fault != Fault::None) report_fault(s, v, p, bytes, kAccess, code);
}
template void check<Access::Read>(const void*, size_t, size_t, const void*);
template void check<Access::Write>(const void*, size_t, size_t, const void*);
template void check<Access::Atomic>(const void*, size_t, size_t, const void*);

// --- what the machine tells

void begin_launch(int device, const LaunchInfo&, const void* parameters, size_t bytes) {
  if (!is_active) return;
  thread_local const Extent locals = find_thread_locals();
  State& s = state();
  s.device = device;
  s.heap = &s.heaps[device];
  s.parameters = {reinterpret_cast<uintptr_t>(parameters), bytes};
  s.thread_locals = locals;
  s.heap_cache.clear();
  s.check_init = options().check_init;
  s.check_race = options().check_race;
  s.order.begin_launch();
  running = &s;
}
void begin_block(uint64_t block) {
  if (!is_active) return;
  State& s = state();
  for (const Extent& v : s.shared_variables)
    s.shared.set(reinterpret_cast<void*>(v.base), v.bytes, kNothing);
  s.shared_variables.clear();
  s.shared_cache.clear();
  s.order.begin_block(block);
}
void begin_thread(int thread) {
  if (is_active) state().order.begin_thread(thread);
}
void barrier() {
  if (is_active) state().order.barrier();
}
void warp_barrier(int warp, uint32_t lanes) {
  if (is_active) state().order.warp_barrier(warp, lanes);
}
void fence() {
  if (is_active) state().order.fence();
}
void shared_memory(char* base, size_t bytes) {
  if (is_active) state().shared.reserve(base, bytes);
}
void shared_variable(void* p, size_t bytes) {
  if (is_active) state().shared_variables.push_back({reinterpret_cast<uintptr_t>(p), bytes});
}

// --- what the runtime tells

bool active() { return is_active; }
void device_heap(int device, char* base, size_t bytes) {
  if (is_active) state().heaps[device].reserve(base, bytes);
}
// Memory that nothing was written to needs no record.
void allocated(void*, size_t) {}
void freed(void* p, size_t bytes) {
  if (!is_active) return;
  for (Shadow& heap : state().heaps)
    if (heap.has(p)) heap.set(p, bytes, kNothing);
}
void written(void* p, size_t bytes) {
  if (!is_active) return;
  for (Shadow& heap : state().heaps)
    if (heap.has(p)) heap.set(p, bytes, kHost);
}
void copied(void* dst, const void* src, size_t bytes) {
  if (!is_active || bytes == 0) return;
  for (Shadow& to : state().heaps) {
    for (const Shadow& from : state().heaps)
      if (to.has(dst) && from.has(src)) to.copy(dst, from, src, bytes);
  }
}
void pinned(void* p, size_t bytes, bool is_pinned) {
  if (!is_active) return;
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (is_pinned) {
    state().pinned[address] = bytes;
  } else {
    state().pinned.erase(address);
  }
}
void require_initialised(const void* p, size_t bytes, const std::string& what) {
  if (!is_active || !options().check_init) return;
  for (const Shadow& heap : state().heaps) {
    if (!heap.has(p)) continue;
    if (const int64_t at = heap.find_unwritten(p, bytes); at >= 0) {
      const Allocation a = find_allocation(p);
      throw Error(join(what, ": uninitialised read: byte ", at, " of ", bytes,
                       " was never written\n  it lies ", static_cast<const char*>(p) + at - a.base,
                       " bytes into an allocation of ", a.size, " bytes of device ", a.device));
    }
  }
}

}  // namespace simt::checker
