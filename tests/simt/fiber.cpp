#include <sys/mman.h>
#include <tests/simt/fiber.h>
#include <tests/simt/internal.h>
#include <unistd.h>

#include <cstdint>

// Present in programs built with AddressSanitizer, which has to be told of each switch.
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* stack,
                                                  size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** old_stack,
                                                   size_t* old_bytes);
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* memory, size_t bytes);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* memory, size_t bytes);
}

namespace simt {
namespace {

// Untouched pages cost nothing. Instrumented and unoptimised kernels need much.
constexpr size_t kStackBytes = 256 << 10;

// Written before a switch, read on arrival. One grid runs at a time.
Fiber* leaving;
void (*start)(Fiber&);

void arrive(Fiber& self) {
  if (!__sanitizer_finish_switch_fiber) return;
  const void* stack;
  size_t bytes;
  __sanitizer_finish_switch_fiber(self.fake_stack, &stack, &bytes);
  leaving->stack = static_cast<char*>(const_cast<void*>(stack));
  leaving->stack_bytes = bytes;
}

}  // namespace

extern "C" [[gnu::used, noreturn]] void wick_simt_enter_fiber(Fiber* self) {
  arrive(*self);
  start(*self);
  __builtin_trap();
}

#if defined(WICK_SIMT_UCONTEXT)

static void enter_context(unsigned high, unsigned low) {
  const uint64_t address = uint64_t{high} << 32 | low;
  wick_simt_enter_fiber(reinterpret_cast<Fiber*>(static_cast<uintptr_t>(address)));
}

static void reset(Fiber& fiber) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = fiber.stack_bytes;
  fiber.context.uc_link = nullptr;
  const uint64_t address = reinterpret_cast<uintptr_t>(&fiber);
  makecontext(&fiber.context, reinterpret_cast<void (*)()>(enter_context), 2,
              static_cast<unsigned>(address >> 32), static_cast<unsigned>(address));
}

static void jump(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }

#else

// Saves the registers that a call preserves, exchanges the stacks, restores the registers.
extern "C" void wick_simt_switch(void** from, void* to);
extern "C" void wick_simt_begin();
asm(R"(
.text
.type wick_simt_switch,@function
wick_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size wick_simt_switch,.-wick_simt_switch
.type wick_simt_begin,@function
wick_simt_begin:
  movq %rbx, %rdi
  call wick_simt_enter_fiber
.size wick_simt_begin,.-wick_simt_begin
)");

static void reset(Fiber& fiber) {
  const size_t colour = reinterpret_cast<uintptr_t>(fiber.stack) / 4096 % 61 * 192;
  void** top = reinterpret_cast<void**>(fiber.stack + fiber.stack_bytes - colour);
  *--top = nullptr;  // where a debugger's walk ends; keeps the stack aligned
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&wick_simt_begin);  // returns there
  *--top = nullptr;                                    // rbp
  *--top = &fiber;                                     // rbx
  for (int i = 12; i <= 15; ++i) *--top = nullptr;     // r12 to r15
  fiber.stack_pointer = top;
}

static void jump(Fiber& from, Fiber& to) {
  wick_simt_switch(&from.stack_pointer, to.stack_pointer);
}

#endif

void allocate_stack(Fiber& fiber) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const p = mmap(nullptr, page + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) != 0)
    throw Error("simt: no memory for the stack of a thread");
  fiber.stack = static_cast<char*>(p) + page;
  fiber.stack_bytes = kStackBytes;
}

void prepare(Fiber& fiber, void (*body)(Fiber&)) {
  allow(fiber.stack, fiber.stack_bytes);
  fiber.fake_stack = nullptr;
  start = body;
  reset(fiber);
}

void switch_fiber(Fiber& from, Fiber& to, bool ends) {
  leaving = &from;
  if (__sanitizer_start_switch_fiber)
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, to.stack, to.stack_bytes);
  jump(from, to);
  arrive(from);
}

void forbid(void* memory, size_t bytes) {
  if (__asan_poison_memory_region) __asan_poison_memory_region(memory, bytes);
}
void allow(void* memory, size_t bytes) {
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(memory, bytes);
}

}  // namespace simt
