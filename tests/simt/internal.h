#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

// What the parts of the emulation know of each other. Kernel files see simt.h, tests control.h.
namespace simt {

/// A bug in a kernel or in the use of the runtime that the emulation has found. Never thrown for
/// what a real runtime reports as an error code.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Order : uint8_t { Forward, Reverse, Random };

/// From the environment when first asked for.
struct Options {
  uint64_t seed = 1;            // WICK_SIMT_SEED
  Order order = Order::Random;  // WICK_SIMT_ORDER=forward|reverse|random
  bool lazy = true;             // WICK_SIMT_LAZY: streams run only when something waits for them
  bool protect = false;         // WICK_SIMT_PROTECT: host code cannot touch device memory
  bool check_init = true;       // WICK_SIMT_INIT   (where kernels are instrumented)
  bool check_race = true;       // WICK_SIMT_RACE   (where kernels are instrumented)
};
Options& options();

/// Uniform 64 random bits that follow from the seed alone.
uint64_t next_random(uint64_t& state);

struct LaunchInfo {
  const void* kernel;
  dim3 grid, block;
  size_t shared_bytes;  // dynamic
};

// ---- machine.cpp: runs kernels
// ---------------------------------------------------------------------

/// Runs every thread of the grid, which is `thread(context)`; context is a copy of the kernel's
/// parameters of `context_bytes`, which kernels may read and not write. Throws Error.
void run_grid(const LaunchInfo& info, int device, void (*thread)(void*), void* context,
              size_t context_bytes);
/// Whether a kernel is being run by the calling host thread.
bool in_kernel();

struct Statistics {
  uint64_t launches = 0, blocks = 0, threads = 0, switches = 0;
};
Statistics& statistics();

// ---- symbols.cpp
// -----------------------------------------------------------------------------------

/// The demangled name of the function that starts at, or contains, `code`; "?" if unknown. Local
/// symbols too: it reads the program's own symbol table.
std::string function_name(const void* code);
/// "file.cu:123" of an instruction, or "?".
std::string source_line(const void* code);
/// Remembers that a kernel has run. At the end of the process the names of all (without template
/// arguments, namespaces and parameters: "softmax_kernel") are appended to
/// $WICK_SIMT_KERNEL_LOG, one a line, where that is set.
void note_executed(const void* kernel);

// ---- memory.cpp: devices and their memory
// ----------------------------------------------------------

constexpr int kMaxDevices = 4;
int device_count();  // 2, or WICK_SIMT_DEVICES (0: as on a machine without a GPU)
int current_device();

struct Heap {
  char* base = nullptr;
  size_t size = 0;
  bool has(const void* p) const {
    return static_cast<size_t>(static_cast<const char*>(p) - base) < size;
  }
};
const Heap& heap(int device);
/// The device whose memory `p` is in; -1: none.
int device_of(const void* p);

struct Allocation {
  char* base = nullptr;  // null: none
  size_t size = 0;
  int device = -1;
  bool live = false;
};
/// The allocation at or before `p` in its device's heap, live or freed.
Allocation find_allocation(const void* p);
/// Page-locked host memory, which kernels may use too.
bool is_pinned(const void* p, size_t bytes);
/// Throws Error, which begins with `what`, unless `bytes` from `p` lie in one live allocation of
/// `device`. No bytes: anything goes.
void require_memory(const void* p, size_t bytes, int device, const std::string& what);
/// Host code of the emulation is about to touch device memory (for WICK_SIMT_PROTECT). Nests.
struct DeviceAccess {
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

// ---- stream.cpp: order of work
// -----------------------------------------------------------------------

/// Throws Error, which begins with `what`, unless the stream is live and belongs to `device`.
void require_stream(cudaStream_t stream, int device, const std::string& what);
/// Gives a stream work (recorded, if the stream is being captured: then it runs once for every
/// launch of the graph). What is thrown by `work` comes out of the call that waits for it. The
/// runtime's mutex is held while it runs. An error: the stream takes none (a lost device, a
/// capture that has become invalid).
cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> work);
/// gpu::launch: the checks of a real launch, then enqueue. `run` calls run_grid.
cudaError_t launch(const LaunchInfo& info, cudaStream_t stream,
                   std::function<void(int device)> run);

// ---- fault.cpp: what goes wrong on purpose
// --------------------------------------------------------------

enum class Call : uint8_t { Allocation, Launch, Library };
/// Counts a call; true if it is the one that is to fail (control.h: fail_call).
bool should_fail(Call call);
/// The error that every call returns from now on (a lost device, an unloaded driver, a forked
/// child); cudaSuccess: none.
cudaError_t permanent_error(int device);

// ---- checker.cpp: every access of an instrumented kernel
// ---------------------------------------------------

/// Whether any kernel file of the program was compiled with -fsanitize=thread.
namespace checker {
bool active();
void device_heap(int device, char* base, size_t bytes);  // reserves the shadow of a heap
void allocated(void* p, size_t bytes);
void freed(void* p, size_t bytes);
void written(void* p, size_t bytes);                    // by a copy, a memset, a library
void copied(void* dst, const void* src, size_t bytes);  // device to device
void pinned(void* p, size_t bytes, bool is_pinned);     // kernels may use it, initialised
/// Throws Error if a byte was never written: a library reads it.
void require_initialised(const void* p, size_t bytes, const std::string& what);
}  // namespace checker

}  // namespace simt
