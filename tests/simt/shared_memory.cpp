#include <sys/mman.h>
#include <tests/simt/checker.h>
#include <tests/simt/machine.h>

#include <algorithm>
#include <cstring>

// Shared memory of the block that runs, and atomics.
namespace simt {
namespace {

constexpr size_t kArena = size_t{1} << 20;  // 227 KiB at most, and what lies between variables
constexpr size_t kRedZone = 64;

uint64_t load(const void* p, size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, p, bytes);
  return value;
}

}  // namespace

constinit thread_local uint64_t block_serial = 0;

/// Makes shared memory that of a new block.
void Machine::clear_shared() {
  static uint64_t serial = 0;
  block_serial = ++serial;
  if (!shared_) {
    void* const p = mmap(nullptr, kArena, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw Error("simt: no memory for shared memory");
    shared_ = static_cast<char*>(p);
    checker::shared_memory(shared_, kArena);
    forbid(shared_, kArena);
  }
  forbid(shared_, shared_end_);
  shared_end_ = shared_static_ = 0;
  shared_dynamic_ = info_->shared_bytes > 0 ? take_shared(info_->shared_bytes, 128) : nullptr;
}

/// Memory filled with a byte that makes a NaN and a wrong index.
void* Machine::take_shared(size_t bytes, size_t alignment) {
  const size_t at = (shared_end_ + kRedZone + alignment - 1) / alignment * alignment;
  if (at + bytes + kRedZone > kArena)
    fail([&] { return join("shared memory: no room for another ", bytes, " bytes"); });
  char* const p = shared_ + at;
  allow(p, bytes + kRedZone);
  std::memset(p, 0xff, bytes + kRedZone);
  forbid(p + bytes, kRedZone);
  shared_end_ = at + bytes + kRedZone;
  checker::shared_variable(p, bytes);
  return p;
}

void* Machine::allocate_shared(SharedSlot& slot, size_t bytes, size_t alignment, const char* name) {
  const checker::Outside outside;
  if (!in_kernel()) throw Error(join("simt: shared variable ", name, " outside of a kernel"));
  slot = {take_shared(bytes, std::max<size_t>(alignment, 16)), block_serial};
  shared_static_ += bytes;
  if (shared_static_ > kStaticShared) {
    fail([&] {
      return join("more than 48 KiB of static shared memory at variable ", name, ": ",
                  shared_static_, " bytes");
    });
  }
  if (const size_t dynamic = info_->shared_bytes;
      dynamic <= kStaticShared && shared_static_ + dynamic > kStaticShared) {
    fail([&] {
      return join("more than 48 KiB of shared memory at variable ", name, ": ", shared_static_,
                  " bytes in variables and ", dynamic, " from the launch");
    });
  }
  return slot.memory;
}

void* Machine::dynamic_shared() {
  if (!in_kernel()) throw Error("simt: dynamic shared memory outside of a kernel");
  if (!shared_dynamic_) {
    fail([] { return std::string("dynamic shared memory used, but the launch gave 0 bytes"); });
  }
  return shared_dynamic_;
}

void* allocate_shared(SharedSlot& slot, size_t bytes, size_t alignment, const char* name) {
  return machine().allocate_shared(slot, bytes, alignment, name);
}
void* dynamic_shared() { return machine().dynamic_shared(); }

// Only barriers and collectives let other threads run, so nothing comes between.
uint64_t atomic(void* memory, size_t bytes, uint64_t value,
                uint64_t (*combine)(uint64_t old, uint64_t value)) {
  checker::see<checker::Access::Atomic>(memory, bytes, bytes, __builtin_return_address(0));
  const checker::Outside outside;
  const uint64_t old = load(memory, bytes);
  const uint64_t now = combine(old, value);
  std::memcpy(memory, &now, bytes);
  return old;
}
uint64_t compare_and_swap(void* memory, size_t bytes, uint64_t expected, uint64_t value) {
  checker::see<checker::Access::Atomic>(memory, bytes, bytes, __builtin_return_address(0));
  const uint64_t old = load(memory, bytes);
  if (old == expected) std::memcpy(memory, &value, bytes);
  return old;
}
void fence() {
  const checker::Outside outside;
  checker::fence();
}

}  // namespace simt
