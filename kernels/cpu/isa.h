#pragma once

// Files in kernels/cpu/simd/ are compiled once for each instruction set, with WICK_ISA naming the
// namespace (base, avx2, avx512), and chosen once at start. Nothing in them may be an inline
// function with external linkage outside that namespace: the linker keeps one copy of such a
// function for the whole program, and it could be the one with AVX-512 in it.
namespace wick::cpu {

enum class Isa { Base, Avx2, Avx512 };

/// The best instruction set of this machine, or the lower one that WICK_CPU_ISA (base, avx2,
/// avx512) asks for. Chosen at first use.
Isa isa();

}  // namespace wick::cpu

#if defined(__x86_64__)
#define WICK_ISA_KERNEL(Return, name, ...) \
  namespace base {                         \
  Return name(__VA_ARGS__);                \
  }                                        \
  namespace avx2 {                         \
  Return name(__VA_ARGS__);                \
  }                                        \
  namespace avx512 {                       \
  Return name(__VA_ARGS__);                \
  }
#define WICK_ISA_CALL(name, ...)                                                           \
  (::wick::cpu::isa() == ::wick::cpu::Isa::Avx512 ? ::wick::cpu::avx512::name(__VA_ARGS__) \
   : ::wick::cpu::isa() == ::wick::cpu::Isa::Avx2 ? ::wick::cpu::avx2::name(__VA_ARGS__)   \
                                                  : ::wick::cpu::base::name(__VA_ARGS__))
#else
#define WICK_ISA_KERNEL(Return, name, ...) \
  namespace base {                         \
  Return name(__VA_ARGS__);                \
  }
#define WICK_ISA_CALL(name, ...) (::wick::cpu::base::name(__VA_ARGS__))
#endif
