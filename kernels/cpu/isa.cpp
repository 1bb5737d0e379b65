#include <wick/core/check.h>
#include <wick/kernels/cpu/isa.h>
#include <cstdlib>
#include <string_view>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace wick::cpu {
namespace {

Isa best_isa() {
#if defined(__x86_64__)
  // The compiler's functions also ask whether the operating system saves the registers; only F16C
  // is unknown to some.
  __builtin_cpu_init();
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
  if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::Base;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::Avx512 : Isa::Avx2;
#else
  return Isa::Base;
#endif
}

Isa choose_isa() {
  const Isa best = best_isa();
  const char* wanted = std::getenv("WICK_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  const std::string_view name = wanted;
  const bool known = name == "base" || name == "avx2" || name == "avx512";
  WICK_CHECK(ValueError, known, "WICK_CPU_ISA: expected base, avx2 or avx512, got ", name);
  const Isa isa = name == "base" ? Isa::Base : name == "avx2" ? Isa::Avx2 : Isa::Avx512;
  return isa < best ? isa : best;
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose_isa();
  return chosen;
}

}  // namespace wick::cpu
