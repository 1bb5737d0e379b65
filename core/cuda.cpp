#include <wick/core/cuda.h>

#include <wick/core/check.h>
#include <wick/core/log.h>
#include <wick/core/thread_state.h>
#include <wick/kernels/dispatch.h>
#if defined(WICK_WITH_CUDA)
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/runtime.h>
#endif

namespace wick {
namespace {

struct Status {
  int devices = 0;
  std::string reason;
};

// Asked once: a driver does not appear while a program runs. Leaked like all singletons.
const Status& status() {
  static const Status* const instance = [] {
    auto* s = new Status;
#if defined(WICK_WITH_CUDA)
    s->devices = cuda::runtime_status(s->reason);
    if (s->devices == 0)
      detail::log_warning("CUDA is not available: " + s->reason + "; on the CPU");
#else
    s->reason = "wick was built without CUDA (configure with -DWICK_CUDA=ON)";
    detail::log_info(s->reason);
#endif
    return s;
  }();
  return *instance;
}

}  // namespace

namespace cuda {

bool is_available() { return status().devices > 0; }
int device_count() { return status().devices; }
std::string unavailable_reason() { return status().reason; }

#if defined(WICK_WITH_CUDA)
void set_allow_tf32(bool allow) { allow_tf32_in_libraries(allow); }
bool allow_tf32() { return tf32_allowed(); }
#else
void set_allow_tf32(bool) {}
bool allow_tf32() { return false; }
#endif

}  // namespace cuda

Device detail::resolve_device(const char* op, Device device) {
  if (device.is_cpu()) {
    WICK_CHECK(DeviceError, device.index() <= 0, op, ": there is one CPU device, got index ",
               device.index());
    return Device(kCPU, 0);
  }
  WICK_CHECK(DeviceError, cuda::is_available(), op, ": cannot use device ", device, ": ",
             status().reason);
  const int index = device.has_index() ? device.index() : thread_state().cuda_device;
  WICK_CHECK(DeviceError, index < status().devices, op, ": there is no device cuda:", index,
             "; CUDA devices here: ", status().devices);
  return Device(kCUDA, index);
}

}  // namespace wick
