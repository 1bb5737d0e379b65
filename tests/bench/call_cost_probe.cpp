// Runs one hot path many times, for scripts/check-call-cost, which counts its instructions:
//   call_cost_probe CASE ITERATIONS
// Prints how many heap allocations the iterations after a warm-up made.
#include <wick/wick.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {
long allocations = 0;
}

// Every way to the heap is counted; operator new comes through malloc.
extern "C" void* malloc(size_t n) {
  ++allocations;
  return __libc_malloc(n);
}
extern "C" void* calloc(size_t count, size_t n) {
  ++allocations;
  return __libc_calloc(count, n);
}
extern "C" void* aligned_alloc(size_t alignment, size_t n) {
  ++allocations;
  return __libc_memalign(alignment, n);
}

namespace {

using wick::Tensor;

template <class Call>
void repeat(long n, const Call& call) {
  for (long i = 0; i < 100; ++i) call();  // fills the free lists
  allocations = 0;
  for (long i = 0; i < n; ++i) call();
  std::printf("%ld\n", allocations);
}

int run(const char* name, long n) {
  const Tensor a = wick::ones({1});
  const Tensor b = wick::ones({1});
  const Tensor w = wick::ones({1}).requires_grad_();
  const Tensor x = wick::ones({4, 6});
  const Tensor weight = wick::ones({8, 6}).requires_grad_();
  Tensor out = wick::ones({1});
  const auto is = [&](const char* which) { return std::strcmp(name, which) == 0; };
  if (is("add")) {
    const wick::NoGradGuard no_grad;
    repeat(n, [&] { (void)wick::add(a, b); });
  } else if (is("add_grad")) {
    repeat(n, [&] { (void)wick::add(w, b); });
  } else if (is("mul_grad")) {
    repeat(n, [&] { (void)wick::mul(w, b); });
  } else if (is("add_scalar")) {
    repeat(n, [&] { (void)wick::add(a, 1.5); });
  } else if (is("add_inplace")) {
    repeat(n, [&] { out.add_(b); });
  } else if (is("relu")) {
    repeat(n, [&] { (void)wick::relu(a); });
  } else if (is("view")) {
    repeat(n, [&] { (void)x.view({6, 4}); });
  } else if (is("select")) {
    repeat(n, [&] { (void)x.select(0, 1); });
  } else if (is("empty")) {
    repeat(n, [&] { (void)wick::empty({1}); });
  } else if (is("sum")) {
    repeat(n, [&] { (void)x.sum(); });
  } else if (is("linear_grad")) {
    repeat(n, [&] { (void)wick::linear(x, weight); });
  } else if (is("backward")) {
    repeat(n, [&] { wick::mul(w, b).backward(); });
  } else {
    std::fprintf(stderr, "call_cost_probe: no case '%s'\n", name);
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return run(argv[1], std::atol(argv[2]));
}
