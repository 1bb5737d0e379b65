#include <pthread.h>

#include <tests/simt/control.h>
#include <tests/simt/stream.h>

#include <atomic>
#include <new>

namespace simt {
namespace {

struct Counter {
  int64_t count = 0, failing = 0;
};

struct Faults {
  std::recursive_mutex mutex;
  Counter counters[3];
  cudaError_t lost[kMaxDevices] = {};
  bool unloaded = false;
  bool used = false;
};

Faults& faults() {
  static Faults* const faults = new Faults;  // leaked: used until the very end of the process
  return *faults;
}

std::atomic<bool> forked = false;
thread_local cudaError_t kept_error = cudaSuccess;
thread_local bool in_host_function = false;

void before_fork() { faults().mutex.lock(); }
void after_fork() { faults().mutex.unlock(); }
void in_child() {
  // The thread that holds the mutex has another identity here and could not unlock it.
  new (&faults().mutex) std::recursive_mutex;
  if (faults().used) forked = true;
}

Counter& counter(Call call) { return faults().counters[static_cast<int>(call)]; }

}  // namespace

std::recursive_mutex& runtime_mutex() {
  static const int registered = pthread_atfork(before_fork, after_fork, in_child);
  (void)registered;
  return faults().mutex;
}

bool should_fail(Call call) {
  const std::lock_guard lock(runtime_mutex());
  Counter& c = counter(call);
  return ++c.count == c.failing;
}

cudaError_t permanent_error(int device) {
  if (forked) return cudaErrorInitializationError;
  const std::lock_guard lock(runtime_mutex());
  if (faults().unloaded) return cudaErrorCudartUnloading;
  return device >= 0 && device < kMaxDevices ? faults().lost[device] : cudaSuccess;
}

cudaError_t entry_error(int device) {
  faults().used = true;
  const cudaError_t error = permanent_error(device);
  if (error != cudaSuccess) return error;
  if (device_count() == 0) return cudaErrorNoDevice;
  return in_host_function ? cudaErrorNotPermitted : cudaSuccess;
}

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) kept_error = error;
  return error;
}

cudaError_t last_error(bool clear) {
  const cudaError_t permanent = permanent_error(current_device());
  const cudaError_t kept = kept_error;
  if (clear) kept_error = cudaSuccess;
  return permanent == cudaSuccess ? kept : permanent;
}

void call_host_function(cudaHostFn_t function, void* data) {
  struct Reset {
    ~Reset() { in_host_function = false; }
  } const reset;
  in_host_function = true;
  function(data);
}

void fail_call(Call call, int64_t n) {
  const std::lock_guard lock(runtime_mutex());
  counter(call) = {0, n};
}

int64_t calls(Call call) {
  const std::lock_guard lock(runtime_mutex());
  return counter(call).count;
}

void lose_device(int device, cudaError_t error) {
  const std::lock_guard lock(runtime_mutex());
  faults().lost[device] = error;
  drop_work(device);
}

void unload_driver() {
  const std::lock_guard lock(runtime_mutex());
  faults().unloaded = true;
}

void restore() {
  const std::lock_guard lock(runtime_mutex());
  faults().unloaded = false;
  for (cudaError_t& error : faults().lost) error = cudaSuccess;
  kept_error = cudaSuccess;
}

}  // namespace simt
