#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tests/simt/control.h>
#include <tests/simt/stream.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace simt {
namespace {

constexpr size_t kHeapBytes = size_t{8} << 30;
constexpr size_t kGap = 256;        // at least, between allocations
constexpr size_t kAlignment = 512;  // of allocations, as in practice with a real runtime
// Freed memory is not given out again before so much more has been freed: uses after free are seen.
constexpr size_t kQuarantine = size_t{256} << 20;
constexpr int kPoison = 0xff;  // NaN, -1

thread_local int device_of_thread = 0;

int count_devices() {
  const char* text = std::getenv("WICK_SIMT_DEVICES");
  return text ? std::clamp(std::atoi(text), 0, kMaxDevices) : 2;
}

/// One device's memory. Allocations lie in [base, top); everything else is out of bounds.
class Memory {
 public:
  void map(int device);
  void* allocate(size_t bytes);
  bool release(void* p);
  void release_all();
  Allocation find(const void* p) const;
  void protect(int access) const { mprotect(heap.base, heap.size, access); }

  Heap heap;
  size_t used = 0;
  size_t limit = kHeapBytes;

 private:
  struct Block {
    size_t size = 0;
    size_t span = 0;  // with the gap
    bool live = false;
  };
  static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
  char* take_range(size_t span);
  char* take_reusable(size_t span);
  void leave_quarantine(size_t limit);

  int device_ = 0;
  size_t top_ = 0;
  std::map<char*, Block> blocks_;
  std::deque<std::pair<char*, size_t>> quarantine_;  // ranges, the oldest first
  size_t quarantined_ = 0;
  std::map<char*, size_t> reusable_;  // ranges, merged
};

void Memory::map(int device) {
  device_ = device;
  const int access = options().protect ? PROT_NONE : PROT_READ | PROT_WRITE;
  void* memory =
      mmap(nullptr, kHeapBytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw Error("simt: no address space for the memory of a device");
  madvise(memory, kHeapBytes, MADV_DONTDUMP);
  if (options().protect) madvise(memory, kHeapBytes, MADV_HUGEPAGE);  // few pages to protect
  heap = {static_cast<char*>(memory), kHeapBytes};
  top_ = kAlignment;
  ASAN_POISON_MEMORY_REGION(heap.base, top_);
  checker::device_heap(device, heap.base, heap.size);
}

char* Memory::take_reusable(size_t span) {
  for (auto it = reusable_.begin(); it != reusable_.end(); ++it) {
    const auto [begin, size] = *it;
    if (size < span) continue;
    reusable_.erase(it);
    if (size > span) reusable_.emplace(begin + span, size - span);
    blocks_.erase(blocks_.lower_bound(begin), blocks_.lower_bound(begin + span));
    return begin;
  }
  return nullptr;
}

char* Memory::take_range(size_t span) {
  if (char* range = take_reusable(span)) return range;
  if (span > heap.size - top_) {
    leave_quarantine(0);
    return take_reusable(span);
  }
  char* range = heap.base + top_;
  top_ += span;
  ASAN_POISON_MEMORY_REGION(range, span);
  return range;
}

void Memory::leave_quarantine(size_t limit) {
  while (quarantined_ > limit) {
    auto [begin, span] = quarantine_.front();
    quarantine_.pop_front();
    quarantined_ -= span;
    auto next = reusable_.lower_bound(begin);
    if (next != reusable_.end() && next->first == begin + span) {
      span += next->second;
      next = reusable_.erase(next);
    }
    if (next != reusable_.begin()) {
      const auto previous = std::prev(next);
      if (previous->first + previous->second == begin) {
        previous->second += span;
        continue;
      }
    }
    reusable_.emplace(begin, span);
  }
}

void* Memory::allocate(size_t bytes) {
  if (bytes > limit || used > limit - bytes) return nullptr;
  const size_t span = round_up(bytes + kGap, kAlignment);
  char* p = take_range(span);
  if (!p) return nullptr;
  blocks_[p] = {bytes, span, true};
  used += bytes;
  ASAN_UNPOISON_MEMORY_REGION(p, bytes);
  const DeviceAccess access;
  std::memset(p, kPoison, bytes);
  checker::allocated(p, bytes);
  return p;
}

bool Memory::release(void* p) {
  const auto found = blocks_.find(static_cast<char*>(p));
  if (found == blocks_.end() || !found->second.live) return false;
  Block& block = found->second;
  block.live = false;
  used -= block.size;
  {
    const DeviceAccess access;
    std::memset(p, kPoison, block.size);
  }
  ASAN_POISON_MEMORY_REGION(p, block.size);
  checker::freed(p, block.size);
  quarantine_.emplace_back(found->first, block.span);
  quarantined_ += block.span;
  leave_quarantine(kQuarantine);
  return true;
}

void Memory::release_all() {
  std::vector<char*> live;
  for (const auto& [p, block] : blocks_)
    if (block.live) live.push_back(p);
  for (char* p : live) release(p);
}

Allocation Memory::find(const void* p) const {
  auto it = blocks_.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  if (it == blocks_.begin()) return {};
  --it;
  return {it->first, it->second.size, device_, it->second.live};
}

struct State {
  Memory memories[kMaxDevices];
  std::map<char*, Pinned> pinned;
  int open = 0;  // DeviceAccess objects
  State();
};

State& state() {
  static State* const state = new State;  // leaked: used until the very end of the process
  return *state;
}

void (*previous_handler)(int, siginfo_t*, void*) = nullptr;

void report_access(int signal_number, siginfo_t* info, void* context) {
  for (int d = 0; d < device_count(); ++d) {
    if (!heap(d).has(info->si_addr)) continue;
    static const char kText[] = "simt: host code accessed device memory\n";
    (void)!write(STDERR_FILENO, kText, sizeof kText - 1);
  }
  if (previous_handler) return previous_handler(signal_number, info, context);
  signal(signal_number, SIG_DFL);
}

State::State() {
  for (int d = 0; d < device_count(); ++d) memories[d].map(d);
  if (!options().protect) return;
  struct sigaction action {};
  struct sigaction previous {};
  action.sa_sigaction = report_access;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &previous);
  if (previous.sa_flags & SA_SIGINFO) previous_handler = previous.sa_sigaction;
}

}  // namespace

std::string hex(const void* p) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", p);
  return text;
}

int device_count() {
  static const int count = count_devices();
  return count;
}
int current_device() { return device_of_thread; }
void set_current_device(int device) { device_of_thread = device; }

const Heap& heap(int device) { return state().memories[device].heap; }

int device_of(const void* p) {
  for (int d = 0; d < device_count(); ++d)
    if (heap(d).has(p)) return d;
  return -1;
}

Allocation find_allocation(const void* p) {
  const int device = device_of(p);
  if (device < 0) return {};
  const std::lock_guard lock(runtime_mutex());
  return state().memories[device].find(p);
}

void require_memory(const void* p, size_t bytes, int device, const std::string& what) {
  if (bytes == 0) return;
  const std::string range = what + ": " + std::to_string(bytes) + " bytes at " + hex(p);
  const int owner = device_of(p);
  if (owner < 0) throw Error(range + " are not in the memory of a device");
  if (owner != device) {
    throw Error(range + " are in the memory of device " + std::to_string(owner) +
                ", not of device " + std::to_string(device));
  }
  const Allocation a = find_allocation(p);
  const size_t offset = a.base ? static_cast<size_t>(static_cast<const char*>(p) - a.base) : 0;
  if (a.base && a.live && offset <= a.size && bytes <= a.size - offset) return;
  std::string where = " are in no allocation";
  if (a.base) {
    where = std::string(a.live ? " are not within" : " are in or behind the freed") +
            " allocation of " + std::to_string(a.size) + " bytes at " + hex(a.base);
  }
  throw Error(range + where);
}

DeviceAccess::DeviceAccess() {
  if (!options().protect) return;
  const std::lock_guard lock(runtime_mutex());
  if (state().open++ > 0) return;
  for (int d = 0; d < device_count(); ++d) state().memories[d].protect(PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
  if (!options().protect) return;
  const std::lock_guard lock(runtime_mutex());
  if (--state().open > 0) return;
  for (int d = 0; d < device_count(); ++d) state().memories[d].protect(PROT_NONE);
}

void* allocate(size_t bytes, int device) { return state().memories[device].allocate(bytes); }
bool release(void* p) {
  const int device = device_of(p);
  return device >= 0 && state().memories[device].release(p);
}
void release_device(int device) { state().memories[device].release_all(); }
size_t used_memory(int device) { return state().memories[device].used; }
size_t memory_limit(int device) { return state().memories[device].limit; }

void limit_memory(int device, size_t bytes) {
  const std::lock_guard lock(runtime_mutex());
  state().memories[device].limit = std::min(bytes, kHeapBytes);
}

Pinned find_pinned(const void* p) {
  const std::lock_guard lock(runtime_mutex());
  auto& blocks = state().pinned;
  auto it = blocks.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  if (it == blocks.begin()) return {};
  --it;
  return static_cast<size_t>(static_cast<const char*>(p) - it->first) < it->second.size ? it->second
                                                                                        : Pinned{};
}
bool is_pinned(const void* p, size_t bytes) {
  const Pinned block = find_pinned(p);
  return block.size > 0 &&
         bytes <= block.size - static_cast<size_t>(static_cast<const char*>(p) - block.base);
}
void add_pinned(void* p, const Pinned& block) {
  state().pinned[static_cast<char*>(p)] = block;
  checker::pinned(p, block.size, true);
}
void remove_pinned(void* p) {
  const auto found = state().pinned.find(static_cast<char*>(p));
  checker::pinned(p, found->second.size, false);
  state().pinned.erase(found);
}
bool pinned_overlaps(const void* p, size_t bytes) {
  const char* begin = static_cast<const char*>(p);
  return std::any_of(state().pinned.begin(), state().pinned.end(), [&](const auto& entry) {
    return begin < entry.first + entry.second.size && entry.first < begin + bytes;
  });
}

}  // namespace simt
