// out = condition ? a : b; out = value; out[i] = start + i step. Elements are only moved, so one
// kernel serves all types of a size. Bytes moved: each operand once.
#include <wick/kernels/cuda/elementwise_engine.h>
#include <cstring>

namespace wick::cuda {
namespace {

template <class Bits>
struct Choose {
  __device__ static Bits apply(bool condition, Bits a, Bits b) { return condition ? a : b; }
};

template <class Bits>
struct Fill {
  // The only input is the immediate.
  __device__ static Bits apply(Bits value) { return value; }
};

template <class Bits>
Bits immediate_bits(DType dtype, const Immediate& value) {
  return visit_dtype(dtype, [&](auto t) {
    const auto v = value.as<decltype(t)>();
    Bits bits{};
    if constexpr (sizeof(v) == sizeof(bits)) std::memcpy(&bits, &v, sizeof(bits));
    return bits;
  });
}

/// Calls f with an unsigned integer of the size of the type.
template <class F>
void visit_size(DType dtype, F&& f) {
  switch (element_size(dtype)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    arange_kernel(T* out, int64_t n, Immediate start, Immediate step) {
  for (int64_t i = first_item(); i < n; i += item_step()) {
    if (start.is_integer && step.is_integer) {
      const auto v = static_cast<uint64_t>(start.integer) +
                     static_cast<uint64_t>(i) * static_cast<uint64_t>(step.integer);
      out[i] = convert_value<T>(static_cast<int64_t>(v));
    } else {
      out[i] = convert_value<T>(
          __dadd_rn(start.as<double>(), __dmul_rn(static_cast<double>(i), step.as<double>())));
    }
  }
}

}  // namespace

void where(DType dtype, const ElementwiseArgs& args) {
  visit_size(dtype, [&](auto bits) {
    using B = decltype(bits);
    launch_elementwise<Choose<B>, B, B, bool, B, B>(args, immediate_bits<B>(dtype, args.immediate));
  });
}

void fill(DType dtype, const ElementwiseArgs& args) {
  visit_size(dtype, [&](auto bits) {
    using B = decltype(bits);
    launch_elementwise<Fill<B>, B, B, B>(args, immediate_bits<B>(dtype, args.immediate));
  });
}

void arange(DType dtype, void* out, int64_t n, Immediate start, Immediate step) {
  if (n == 0) return;
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(arange_kernel<T>, grid_for(n, kThreads), kThreads, 0, gpu::stream(),
                static_cast<T*>(out), n, start, step);
  });
}

}  // namespace wick::cuda
