#include <wick/core/thread_state.h>

namespace wick::detail {
namespace {
// Constant-initialised and trivially destructible: usable at any moment of a thread's life.
constinit thread_local ThreadState state __attribute__((tls_model("initial-exec")));
}  // namespace

ThreadState& thread_state() { return state; }

}  // namespace wick::detail
