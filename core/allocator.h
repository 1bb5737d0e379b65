#pragma once

#include <wick/core/intrusive.h>
#include <atomic>
#include <cstddef>
#include <cstdint>

// Host memory: free lists for small blocks in every thread, a cache of large blocks for the
// process, and the counters of live objects. Internal.
namespace wick::detail {

/// Blocks of any size, 64-byte aligned; those above kSmallLimit come from a cache shared by all
/// threads. Throws OutOfMemoryError after one retry with the caches emptied.
void* allocate_host(size_t bytes);
void release_host(void* memory, size_t bytes) noexcept;

/// Returns cached host blocks to the system (the calling thread's lists and the shared cache).
void empty_host_cache() noexcept;

enum class Counter : uint8_t { Tensors, Nodes, HostBytes };
/// Adds to a counter of the calling thread; no locked instruction.
void count(Counter counter, int64_t delta) noexcept;
/// Sum over all threads that live or have lived.
int64_t total(Counter counter) noexcept;

}  // namespace wick::detail
