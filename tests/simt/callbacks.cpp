#include <tests/simt/checker.h>
#include <cstring>

// What clang's -fsanitize=thread makes kernel files call. ThreadSanitizer's own library is not
// linked: these are all there is. Atomic operations of the language are of host code that kernel
// files contain, or inline in them; kernels' are those of simt.h.
using simt::checker::Access;
using simt::checker::see;

namespace {

/// Copies of structs do not say how the type is aligned. No type of 16 bytes in kernels lies worse
/// than this; a float4 should lie better.
size_t alignment_of_copy(size_t bytes) { return bytes == 16 ? 8 : 1; }

}  // namespace

#define CODE __builtin_return_address(0)

extern "C" {

void __tsan_init() { simt::checker::is_active = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_read(void** p) { see<Access::Read>(p, sizeof(*p), sizeof(*p), CODE); }
void __tsan_vptr_update(void** p, void*) { see<Access::Write>(p, sizeof(*p), sizeof(*p), CODE); }
void __tsan_read_range(void* p, size_t bytes) { see<Access::Read>(p, bytes, 1, CODE); }
void __tsan_write_range(void* p, size_t bytes) { see<Access::Write>(p, bytes, 1, CODE); }
void* __tsan_memcpy(void* to, const void* from, size_t bytes) {
  see<Access::Read>(from, bytes, alignment_of_copy(bytes), CODE);
  see<Access::Write>(to, bytes, alignment_of_copy(bytes), CODE);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, size_t bytes) {
  see<Access::Read>(from, bytes, alignment_of_copy(bytes), CODE);
  see<Access::Write>(to, bytes, alignment_of_copy(bytes), CODE);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, size_t bytes) {
  see<Access::Write>(to, bytes, alignment_of_copy(bytes), CODE);
  return std::memset(to, value, bytes);
}

#define WICK_SIMT_ACCESS(prefix, bytes, alignment)                                               \
  void __tsan_##prefix##read##bytes(void* p) { see<Access::Read>(p, bytes, alignment, CODE); }   \
  void __tsan_##prefix##write##bytes(void* p) { see<Access::Write>(p, bytes, alignment, CODE); } \
  void __tsan_##prefix##read_write##bytes(void* p) {                                             \
    see<Access::Read>(p, bytes, alignment, CODE);                                                \
    see<Access::Write>(p, bytes, alignment, CODE);                                               \
  }
#define WICK_SIMT_ACCESSES(bytes)           \
  WICK_SIMT_ACCESS(, bytes, bytes)          \
  WICK_SIMT_ACCESS(unaligned_, bytes, 1)    \
  WICK_SIMT_ACCESS(volatile_, bytes, bytes) \
  WICK_SIMT_ACCESS(unaligned_volatile_, bytes, 1)
WICK_SIMT_ACCESSES(1)
WICK_SIMT_ACCESSES(2)
WICK_SIMT_ACCESSES(4)
WICK_SIMT_ACCESSES(8)
WICK_SIMT_ACCESSES(16)

#define WICK_SIMT_FETCH(bits, T, name, builtin)             \
  T __tsan_atomic##bits##_##name(volatile T* p, T v, int) { \
    see<Access::Atomic>(p, sizeof(T), sizeof(T), CODE);     \
    return __atomic_##builtin(p, v, __ATOMIC_SEQ_CST);      \
  }
#define WICK_SIMT_EXCHANGE(bits, T, name)                                                          \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile T* p, T* expected, T v, int, int) {   \
    see<Access::Atomic>(p, sizeof(T), sizeof(T), CODE);                                            \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }
#define WICK_SIMT_ATOMICS(bits, T)                                                           \
  T __tsan_atomic##bits##_load(const volatile T* p, int) {                                   \
    see<Access::Read>(p, sizeof(T), sizeof(T), CODE);                                        \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                             \
  }                                                                                          \
  void __tsan_atomic##bits##_store(volatile T* p, T v, int) {                                \
    see<Access::Write>(p, sizeof(T), sizeof(T), CODE);                                       \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                \
  }                                                                                          \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T v, int, int) {   \
    see<Access::Atomic>(p, sizeof(T), sizeof(T), CODE);                                      \
    __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    return expected;                                                                         \
  }                                                                                          \
  WICK_SIMT_EXCHANGE(bits, T, strong)                                                        \
  WICK_SIMT_EXCHANGE(bits, T, weak)                                                          \
  WICK_SIMT_FETCH(bits, T, exchange, exchange_n)                                             \
  WICK_SIMT_FETCH(bits, T, fetch_add, fetch_add)                                             \
  WICK_SIMT_FETCH(bits, T, fetch_sub, fetch_sub)                                             \
  WICK_SIMT_FETCH(bits, T, fetch_and, fetch_and)                                             \
  WICK_SIMT_FETCH(bits, T, fetch_or, fetch_or)                                               \
  WICK_SIMT_FETCH(bits, T, fetch_xor, fetch_xor)                                             \
  WICK_SIMT_FETCH(bits, T, fetch_nand, fetch_nand)
WICK_SIMT_ATOMICS(8, uint8_t)
WICK_SIMT_ATOMICS(16, uint16_t)
WICK_SIMT_ATOMICS(32, uint32_t)
WICK_SIMT_ATOMICS(64, uint64_t)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

}  // extern "C"
