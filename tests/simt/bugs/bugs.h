#pragma once

#include <wick/kernels/cuda/gpu.h>

#include <initializer_list>
#include <stdexcept>
#include <vector>

// Planted bugs, which the emulation must find, and correct programs ("ok_..."), in which it must
// find nothing. Each runs in a process of its own: `simt_bugs NAME`, started by bugs_test.cpp.
namespace bugs {

/// How simt_bugs is built or run.
enum Variant : unsigned {
  kFast = 1,     // kernels as they are
  kCheck = 2,    // kernels instrumented: every access of theirs is checked
  kAsan = 4,     // everything with AddressSanitizer and UndefinedBehaviorSanitizer
  kProtect = 8,  // as kFast, with device memory out of reach of host code
  kAll = kFast | kCheck | kAsan,
};

/// How a bug shows in some variants.
struct Expectation {
  enum Kind { Report, Wrong, SometimesWrong } kind;
  unsigned variants;
  const char* pattern;  // of a report
};
/// With every seed there is a report in which `pattern`, an extended regular expression of POSIX,
/// is found.
constexpr Expectation reported(unsigned variants, const char* pattern) {
  return {Expectation::Report, variants, pattern};
}
/// With every seed the results are wrong.
constexpr Expectation wrong(unsigned variants) { return {Expectation::Wrong, variants, ""}; }
/// With at least one of 20 seeds the results are wrong.
constexpr Expectation sometimes_wrong(unsigned variants) {
  return {Expectation::SometimesWrong, variants, ""};
}

struct Case {
  const char* name;
  std::vector<Expectation> expectations;
  bool (*run)();  // true: the results are wrong; reports are thrown
};
std::vector<Case>& cases();

struct Registration {
  Registration(const char* name, std::initializer_list<Expectation> expectations, bool (*run)()) {
    cases().push_back({name, expectations, run});
  }
};

/// A CUDA call that fails is a report, too.
inline void must(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorName(error));
}

/// A stream that the default stream does not wait for.
inline cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}
/// The one that most cases use; of device 0.
inline cudaStream_t stream() {
  static const cudaStream_t stream = new_stream();
  return stream;
}

/// Memory of the current device. It is not freed by itself: cudaFree waits for the device, which
/// would hide what does not wait, and the process ends soon.
template <class T>
struct Array {
  T* p = nullptr;
  size_t n;

  explicit Array(size_t n) : n(n) { must(cudaMalloc(reinterpret_cast<void**>(&p), n * sizeof(T))); }
  explicit Array(const std::vector<T>& values, cudaStream_t s = stream()) : Array(values.size()) {
    must(cudaMemcpyAsync(p, values.data(), n * sizeof(T), cudaMemcpyHostToDevice, s));
  }
  void clear(cudaStream_t s = stream()) { must(cudaMemsetAsync(p, 0, n * sizeof(T), s)); }
  /// Waits for the stream.
  std::vector<T> get(cudaStream_t s = stream()) const {
    std::vector<T> values(n);
    must(cudaMemcpyAsync(values.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost, s));
    must(cudaStreamSynchronize(s));
    return values;
  }
};

/// 1, 2, ... n
inline std::vector<float> ramp(int n) {
  std::vector<float> values(static_cast<size_t>(n));
  float next = 0;
  for (float& v : values) v = next += 1;
  return values;
}

constexpr unsigned kFullMask = 0xffffffffu;

__device__ inline float warp_sum(float v) {
  for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(kFullMask, v, o);
  return v;
}

__device__ inline int global_index() {
  return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

}  // namespace bugs

/// BUG(name, expectation...) { program; return whether its results are wrong; }
#define BUG(Name, ...)                                                                 \
  static bool run_##Name();                                                            \
  static const ::bugs::Registration register_##Name(#Name, {__VA_ARGS__}, run_##Name); \
  static bool run_##Name()
/// CONTROL(ok_name) { the same, for a correct program }
#define CONTROL(Name) BUG(Name, )
