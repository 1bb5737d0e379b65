// nvcc: -fmad=false
// Random numbers and dropout. A thread makes one Philox block of four words and the elements drawn
// from it; the bits are those of the CPU's kernels, so nothing here may be contracted. Bytes moved:
// one write of the tensor; dropout reads x and writes y and a mask of one byte.
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/sort.h>
#include <wick/kernels/philox.h>
#include <wick/kernels/random.h>

namespace wick::cuda {
namespace {

/// The words of a block for kPerBlock elements, each as wide as E.
template <class E>
__device__ inline math::BitsOf<E> word_of(const philox::Block& block, int j) {
  if constexpr (sizeof(E) == 4) {
    return block.word[j];
  } else {
    return block.pair(j);
  }
}

template <class T>
constexpr int kPerBlock = std::is_same_v<T, double> ? 2 : 4;

template <class T>
__global__ void __launch_bounds__(kThreads)
    uniform_kernel(T* out, int64_t n, PhiloxState state, philox::UniformRange<Compute<T>> range) {
  constexpr int kPer = kPerBlock<T>;
  for (int64_t b = first_item(); b * kPer < n; b += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(b));
    for (int j = 0; j < kPer && b * kPer + j < n; ++j)
      out[b * kPer + j] =
          down<T>(philox::uniform<Compute<T>>(word_of<Compute<T>>(block, j), range));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    normal_kernel(T* out, int64_t n, PhiloxState state, Compute<T> mean, Compute<T> std) {
  using C = Compute<T>;
  constexpr int kPer = kPerBlock<T>;
  for (int64_t b = first_item(); b * kPer < n; b += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(b));
    for (int j = 0; j < kPer && b * kPer + j < n; j += 2) {
      const auto z = philox::normal_pair<C>(word_of<C>(block, j), word_of<C>(block, j + 1));
      const int64_t i = b * kPer + j;
      out[i] = down<T>(math::fma(std, z.first, mean));
      if (i + 1 < n) out[i + 1] = down<T>(math::fma(std, z.second, mean));
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    exponential_kernel(T* out, int64_t n, PhiloxState state, Compute<T> rate) {
  constexpr int kPer = kPerBlock<T>;
  for (int64_t b = first_item(); b * kPer < n; b += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(b));
    for (int j = 0; j < kPer && b * kPer + j < n; ++j) {
      const auto x = philox::exponential<Compute<T>>(word_of<Compute<T>>(block, j));
      out[b * kPer + j] = down<T>(x / rate);
    }
  }
}

__device__ inline uint64_t pair_of(PhiloxState state, int64_t i) {
  const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 2));
  return block.pair(static_cast<int>(i % 2));
}

/// A thread adds up a row, in the order of the CPU.
__global__ void __launch_bounds__(kThreads)
    row_sums_kernel(double* weights, int64_t rows, int64_t classes) {
  for (int64_t row = first_item(); row < rows; row += item_step()) {
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c)
      weights[row * classes + c] = sum += weights[row * classes + c];
  }
}

__global__ void __launch_bounds__(kThreads)
    pick_classes_kernel(const double* sums, int64_t* out, int64_t classes, int64_t samples,
                        int64_t numel, PhiloxState state) {
  for (int64_t i = first_item(); i < numel; i += item_step())
    out[i] = philox::pick_class(sums + i / samples * classes, classes,
                                philox::unit<double>(pair_of(state, i)));
}

/// The keys of the classes of a row, which starts at weight `first`; positive numbers are in the
/// order of their bits.
__global__ void __launch_bounds__(kThreads)
    race_keys_kernel(const double* weights, int64_t first, int64_t classes, int64_t padded,
                     uint64_t* keys, int64_t* positions, PhiloxState state) {
  for (int64_t c = first_item(); c < padded; c += item_step()) {
    keys[c] = UINT64_MAX;
    if (c < classes)
      keys[c] = math::to_bits(philox::race_key(pair_of(state, first + c), weights[first + c]));
    positions[c] = c;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    randint_kernel(T* out, int64_t n, PhiloxState state, uint64_t low, uint64_t range) {
  for (int64_t i = first_item(); i < n; i += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 2));
    const uint64_t r = philox::below(block.pair(static_cast<int>(i % 2)), range);
    out[i] = down<T>(static_cast<Compute<T>>(static_cast<int64_t>(low + r)));
  }
}

__global__ void __launch_bounds__(kThreads)
    sort_keys_kernel(uint64_t* keys, int64_t* positions, int64_t n, int64_t padded,
                     PhiloxState state) {
  for (int64_t i = first_item(); i < padded; i += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(i / 2));
    keys[i] = i < n ? block.pair(static_cast<int>(i % 2)) : UINT64_MAX;
    positions[i] = i;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_kernel(const T* x, T* y, uint8_t* mask, int64_t n, PhiloxState state,
                   uint32_t threshold, Compute<T> scale) {
  for (int64_t b = first_item(); b * 4 < n; b += item_step()) {
    const auto block = philox::block(state.seed, state.offset + static_cast<uint64_t>(b));
    for (int j = 0; j < 4 && b * 4 + j < n; ++j) {
      const int64_t i = b * 4 + j;
      const bool keep = (block.word[j] >> 8) >= threshold;
      mask[i] = keep ? 1 : 0;
      y[i] = down<T>(keep ? up(x[i]) * scale : Compute<T>(0));
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    dropout_backward_kernel(const T* grad_y, const uint8_t* mask, T* grad_x, int64_t n,
                            Compute<T> scale) {
  for (int64_t i = first_item(); i < n; i += item_step())
    grad_x[i] = down<T>(mask[i] != 0 ? up(grad_y[i]) * scale : Compute<T>(0));
}

}  // namespace

void uniform(DType dtype, int64_t n, void* out, PhiloxState state, double low, double high) {
  if (n == 0) return;
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    const auto range = philox::uniform_range<T>(low, high);
    gpu::launch(uniform_kernel<T>, grid_for(n, kThreads * kPerBlock<T>), kThreads, 0, gpu::stream(),
                static_cast<T*>(out), n, state, range);
  });
}

void normal(DType dtype, int64_t n, void* out, PhiloxState state, double mean, double std) {
  if (n == 0) return;
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(normal_kernel<T>, grid_for(n, kThreads * kPerBlock<T>), kThreads, 0, gpu::stream(),
                static_cast<T*>(out), n, state, static_cast<Compute<T>>(mean),
                static_cast<Compute<T>>(std));
  });
}

void exponential(DType dtype, int64_t n, void* out, PhiloxState state, double lambda) {
  if (n == 0) return;
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(exponential_kernel<T>, grid_for(n, kThreads * kPerBlock<T>), kThreads, 0,
                gpu::stream(), static_cast<T*>(out), n, state, static_cast<Compute<T>>(lambda));
  });
}

void multinomial(const MultinomialArgs& args, double* weights, int64_t* out, PhiloxState state) {
  const int64_t numel = args.rows * args.samples;
  if (args.replacement) {
    gpu::launch(row_sums_kernel, grid_for(args.rows, kThreads), kThreads, 0, gpu::stream(), weights,
                args.rows, args.classes);
    gpu::launch(pick_classes_kernel, grid_for(numel, kThreads), kThreads, 0, gpu::stream(), weights,
                out, args.classes, args.samples, numel, state);
    return;
  }
  const int64_t padded = sort_length(args.classes);
  const Scratch keys(padded * 8);
  const Scratch positions(padded * 8);
  const Device device(kCUDA, current_device());
  for (int64_t row = 0; row < args.rows; ++row) {
    gpu::launch(race_keys_kernel, grid_for(padded, kThreads), kThreads, 0, gpu::stream(), weights,
                row * args.classes, args.classes, padded, keys.as<uint64_t>(),
                positions.as<int64_t>(), state);
    sort_pairs(keys.as<uint64_t>(), positions.as<int64_t>(), padded);
    copy_bytes(out + row * args.samples, device, positions.as<void>(), device, args.samples * 8,
               true);
  }
}

void randint(DType dtype, int64_t n, void* out, PhiloxState state, int64_t low, int64_t high) {
  if (n == 0) return;
  const auto first = static_cast<uint64_t>(low);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(randint_kernel<T>, grid_for(n, kThreads), kThreads, 0, gpu::stream(),
                static_cast<T*>(out), n, state, first, static_cast<uint64_t>(high) - first);
  });
}

void randperm(int64_t n, int64_t* out, PhiloxState state) {
  if (n <= 0) return;
  const int64_t padded = sort_length(n);
  const Scratch keys(padded * 8);
  const Scratch positions(padded * 8);
  gpu::launch(sort_keys_kernel, grid_for(padded, kThreads), kThreads, 0, gpu::stream(),
              keys.as<uint64_t>(), positions.as<int64_t>(), n, padded, state);
  sort_pairs(keys.as<uint64_t>(), positions.as<int64_t>(), padded);
  const int device = current_device();
  copy_bytes(out, Device(kCUDA, device), positions.as<void>(), Device(kCUDA, device), n * 8, true);
}

void dropout(DType dtype, int64_t n, const void* x, void* y, uint8_t* mask, PhiloxState state,
             double p, double scale) {
  if (n == 0) return;
  const uint32_t threshold = philox::dropout_threshold(p);
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(dropout_kernel<T>, grid_for(n, kThreads * 4), kThreads, 0, gpu::stream(),
                static_cast<const T*>(x), static_cast<T*>(y), mask, n, state, threshold,
                static_cast<Compute<T>>(scale));
  });
}

void dropout_backward(DType dtype, int64_t n, const void* grad_y, const uint8_t* mask, void* grad_x,
                      double scale) {
  if (n == 0) return;
  visit_float(dtype, [&](auto t) {
    using T = decltype(t);
    gpu::launch(dropout_backward_kernel<T>, grid_for(n, kThreads), kThreads, 0, gpu::stream(),
                static_cast<const T*>(grad_y), mask, static_cast<T*>(grad_x), n,
                static_cast<Compute<T>>(scale));
  });
}

}  // namespace wick::cuda
