#include <wick/core/allocator.h>

#include <wick/core/check.h>
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace wick::detail {
namespace {

// Under a sanitizer every block comes from malloc, so that it sees each one's lifetime.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCache = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kCache = false;
#else
constexpr bool kCache = true;
#endif
#else
constexpr bool kCache = true;
#endif

constexpr size_t kAlignment = 64;
constexpr size_t kSmallLimit = 32 * 1024;
constexpr size_t kListBytes = 4 << 20;  // kept in each list of each thread
constexpr int kNumCounters = 3;

// Classes: multiples of 64 up to 1 KiB, then four steps for each power of two.
constexpr int kLinearClasses = 16;
constexpr int class_of(size_t bytes) {
  if (bytes <= 1024) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / 64);
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
  const int step = static_cast<int>((bytes - 1) >> (log - 2)) & 3;
  return kLinearClasses + (log - 10) * 4 + step;
}
constexpr size_t class_bytes(int c) {
  if (c < kLinearClasses) return static_cast<size_t>(c + 1) * 64;
  const int log = 10 + (c - kLinearClasses) / 4;
  const size_t step = (c - kLinearClasses) % 4;
  return (size_t{1} << log) + ((step + 1) << (log - 2));
}
static_assert(class_of(1025) == 16 && class_bytes(16) == 1280 && class_of(1280) == 16);
static_assert(class_of(1281) == 17 && class_of(2048) == 19 && class_bytes(19) == 2048);
constexpr int kSmallClasses = class_of(kSmallLimit) + 1;
constexpr int kAllClasses = class_of(size_t{1} << 62) + 1;

struct FreeBlock {
  FreeBlock* next;
};

struct ThreadCache {
  FreeBlock* lists[kSmallClasses] = {};
  uint32_t lengths[kSmallClasses] = {};
  // Written by the owner alone, so a relaxed load and store suffice.
  std::atomic<int64_t> counters[kNumCounters] = {};
};

// Shared by all threads; leaked, so that it outlives every thread and static destructor.
struct Shared {
  std::mutex mutex;
  std::vector<ThreadCache*> threads;
  std::atomic<int64_t> retired[kNumCounters] = {};
  std::vector<void*> large[kAllClasses];
  size_t large_cached = 0;
  size_t large_live = 0;
  size_t large_peak = 0;
};
Shared& shared() {
  static Shared* const s = new Shared;
  return *s;
}

enum class CacheState : uint8_t { None, Alive, Dead };
constinit thread_local ThreadCache* tls_cache __attribute__((tls_model("initial-exec"))) = nullptr;
constinit thread_local CacheState tls_state __attribute__((tls_model("initial-exec"))) =
    CacheState::None;

void empty_lists(ThreadCache& cache) noexcept {
  for (int c = 0; c < kSmallClasses; ++c) {
    while (FreeBlock* block = cache.lists[c]) {
      cache.lists[c] = block->next;
      std::free(block);
    }
    cache.lengths[c] = 0;
  }
}

struct CacheOwner {
  ~CacheOwner() {
    ThreadCache* cache = tls_cache;
    tls_cache = nullptr;
    tls_state = CacheState::Dead;
    if (!cache) return;
    Shared& s = shared();
    {
      const std::lock_guard lock(s.mutex);
      std::erase(s.threads, cache);
      for (int i = 0; i < kNumCounters; ++i)
        s.retired[i].fetch_add(cache->counters[i].load(std::memory_order_relaxed));
    }
    empty_lists(*cache);
    delete cache;
  }
};

[[gnu::noinline]] ThreadCache* make_cache() noexcept {
  if (tls_state == CacheState::Dead) return nullptr;  // in the destructors of an ending thread
  static thread_local CacheOwner owner;
  (void)&owner;
  auto* cache = new ThreadCache;
  Shared& s = shared();
  const std::lock_guard lock(s.mutex);
  s.threads.push_back(cache);
  tls_cache = cache;
  tls_state = CacheState::Alive;
  return cache;
}

inline ThreadCache* thread_cache() noexcept {
  ThreadCache* cache = tls_cache;
  return cache ? cache : make_cache();
}

void empty_large(Shared& s) noexcept {
  const std::lock_guard lock(s.mutex);
  for (auto& list : s.large) {
    for (void* block : list) std::free(block);
    list.clear();
  }
  s.large_cached = 0;
}

[[gnu::noinline]] void* from_system(size_t bytes) {
  void* memory = std::aligned_alloc(kAlignment, bytes);
  if (memory) return memory;
  Shared& s = shared();
  const size_t cached = s.large_cached;
  empty_host_cache();
  memory = std::aligned_alloc(kAlignment, bytes);
  WICK_CHECK(OutOfMemoryError, memory, "out of host memory: requested ", bytes, " bytes, ",
             s.large_live, " are in use by large tensors, ", cached,
             " were cached and have been returned; use smaller tensors or batches");
  return memory;
}

void* allocate_large(size_t bytes, int c) {
  Shared& s = shared();
  {
    const std::lock_guard lock(s.mutex);
    if (!s.large[c].empty()) {
      void* memory = s.large[c].back();
      s.large[c].pop_back();
      s.large_cached -= bytes;
      s.large_live += bytes;
      return memory;
    }
  }
  void* memory = from_system(bytes);
  const std::lock_guard lock(s.mutex);
  s.large_live += bytes;
  s.large_peak = std::max(s.large_peak, s.large_live);
  return memory;
}

void release_large(void* memory, size_t bytes, int c) noexcept {
  Shared& s = shared();
  {
    const std::lock_guard lock(s.mutex);
    s.large_live -= bytes;
    // Keep no more than what the program once used at the same time.
    if (kCache && s.large_live + s.large_cached + bytes <= s.large_peak + (size_t{64} << 20)) {
      s.large[c].push_back(memory);
      s.large_cached += bytes;
      return;
    }
  }
  std::free(memory);
}

}  // namespace

void* allocate_host(size_t bytes) {
  // The limit keeps the class arithmetic exact; no machine has that much.
  WICK_CHECK(OutOfMemoryError, bytes <= (size_t{1} << 62), "out of host memory: requested ", bytes,
             " bytes");
  const int c = class_of(bytes);
  const size_t rounded = class_bytes(c);
  if (c >= kSmallClasses) return allocate_large(rounded, c);
  if constexpr (kCache) {
    if (ThreadCache* cache = thread_cache()) {
      if (FreeBlock* block = cache->lists[c]) [[likely]] {
        cache->lists[c] = block->next;
        --cache->lengths[c];
        return block;
      }
    }
  }
  return from_system(rounded);
}

void release_host(void* memory, size_t bytes) noexcept {
  const int c = class_of(bytes);
  const size_t rounded = class_bytes(c);
  if (c >= kSmallClasses) return release_large(memory, rounded, c);
  if constexpr (kCache) {
    ThreadCache* cache = thread_cache();
    if (cache && cache->lengths[c] < kListBytes / rounded) [[likely]] {
      auto* block = static_cast<FreeBlock*>(memory);
      block->next = cache->lists[c];
      cache->lists[c] = block;
      ++cache->lengths[c];
      return;
    }
  }
  std::free(memory);
}

void* allocate_small(size_t bytes) { return allocate_host(bytes); }
void release_small(void* memory, size_t bytes) noexcept { release_host(memory, bytes); }

void empty_host_cache() noexcept {
  if (tls_cache) empty_lists(*tls_cache);
  empty_large(shared());
}

void count(Counter counter, int64_t delta) noexcept {
  const int i = static_cast<int>(counter);
  if (ThreadCache* cache = thread_cache()) [[likely]] {
    auto& c = cache->counters[i];
    c.store(c.load(std::memory_order_relaxed) + delta, std::memory_order_relaxed);
  } else {
    shared().retired[i].fetch_add(delta, std::memory_order_relaxed);
  }
}

int64_t total(Counter counter) noexcept {
  const int i = static_cast<int>(counter);
  Shared& s = shared();
  const std::lock_guard lock(s.mutex);
  int64_t sum = s.retired[i].load(std::memory_order_relaxed);
  for (const ThreadCache* cache : s.threads)
    sum += cache->counters[i].load(std::memory_order_relaxed);
  return sum;
}

}  // namespace wick::detail
