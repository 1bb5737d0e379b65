#pragma once

#include <cstddef>

// Stacks to run CUDA threads on, and the switch between them: assembly on x86-64, ucontext
// elsewhere (or with WICK_SIMT_UCONTEXT).
#if !defined(__x86_64__) && !defined(WICK_SIMT_UCONTEXT)
#define WICK_SIMT_UCONTEXT
#endif
#if defined(WICK_SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace simt {

/// A context of execution. The host's own is a Fiber without a stack of its own.
struct Fiber {
  char* stack = nullptr;  // its low end; a page that cannot be touched lies below
  size_t stack_bytes = 0;
  int thread = -1;             // the thread of the block that it runs
  void* fake_stack = nullptr;  // AddressSanitizer's
#if defined(WICK_SIMT_UCONTEXT)
  ucontext_t context{};
#else
  void* stack_pointer = nullptr;
#endif
};

/// Gives a fiber its stack. Stacks live as long as the process.
void allocate_stack(Fiber& fiber);
/// What switching to `fiber` will do: call body(fiber), which never returns. Whatever the fiber was
/// doing is forgotten.
void prepare(Fiber& fiber, void (*body)(Fiber&));
/// Goes on with `to`; returns when something switches back to `from`. With `ends`, nothing will.
void switch_fiber(Fiber& from, Fiber& to, bool ends);

/// Tells AddressSanitizer, in programs that have it, that memory may (not) be touched.
void forbid(void* memory, size_t bytes);
void allow(void* memory, size_t bytes);

}  // namespace simt
