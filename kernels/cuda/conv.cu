// Convolution by cuDNN (dnn.cpp), with bias [k] added to y [n, k, out...] by a kernel that reads
// and writes y once, and its gradient by reduction. What cuDNN does not do here, any shape and
// layout, is done as matrix products over unfolded images: cols [images x pixels, taps], where a
// pixel is one of the output and the taps, in the weight's own order, are what it reads. As many
// images at a time as fit 64 MiB. Backward to the input gathers, so nothing is added atomically.
// Bytes moved: x once for each kernel element, cols twice (K. Chellapilla et al., "High performance
// convolutional neural networks for document processing", 2006,
// https://inria.hal.science/inria-00112631).
#include <wick/kernels/conv.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/device_utils.h>
#include <wick/kernels/cuda/dnn.h>
#include <wick/kernels/elementwise.h>
#include <wick/kernels/matmul.h>
#include <wick/kernels/reduce.h>

#include <algorithm>

namespace wick::cuda {
namespace {

constexpr int64_t kScratchBytes = 64 << 20;

/// What both directions of the unfolding need to know. Dimensions that are not used have size 1.
struct Unfold {
  ConvArgs conv;
  int64_t channels;  // of a group
  int64_t pixels, kernel_size, taps;
  int64_t first_image, group;

  /// Offset in x of a channel of the group at a position.
  __device__ int64_t input(int64_t image, int64_t channel, const int64_t* at) const {
    const int64_t c = group * channels + channel;
    const int64_t position = (at[0] * conv.in[1] + at[1]) * conv.in[2] + at[2];
    const int64_t size = conv.in[0] * conv.in[1] * conv.in[2];
    const int64_t n = first_image + image;
    return conv.channels_last ? (n * size + position) * conv.c + c
                              : (n * conv.c + c) * size + position;
  }
  __device__ int64_t tap(int64_t channel, int64_t kernel_index) const {
    return conv.channels_last ? kernel_index * channels + channel
                              : channel * kernel_size + kernel_index;
  }
};

__device__ inline void split(int64_t i, const int64_t* sizes, int64_t* out) {
  out[2] = i % sizes[2];
  out[1] = i / sizes[2] % sizes[1];
  out[0] = i / (sizes[2] * sizes[1]);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    unfold_kernel(GPU_GRID_CONSTANT(Unfold) u, int64_t numel, const T* x, T* cols) {
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t tap = i % u.taps;
    const int64_t row = i / u.taps;
    const bool last = u.conv.channels_last;
    const int64_t channel = last ? tap % u.channels : tap / u.kernel_size;
    int64_t kernel[3];
    int64_t pixel[3];
    int64_t at[3];
    split(last ? tap / u.channels : tap % u.kernel_size, u.conv.kernel, kernel);
    split(row % u.pixels, u.conv.out, pixel);
    bool inside = true;
    for (int d = 0; d < 3; ++d) {
      at[d] = pixel[d] * u.conv.stride[d] - u.conv.padding[d] + kernel[d] * u.conv.dilation[d];
      inside = inside && at[d] >= 0 && at[d] < u.conv.in[d];
    }
    cols[i] = inside ? x[u.input(row / u.pixels, channel, at)] : T{};
  }
}

/// The pixel along dimension d that reads position `at` through kernel element k; -1: none.
__device__ inline int64_t reader(const ConvArgs& conv, int d, int64_t at, int64_t k) {
  const int64_t start = at + conv.padding[d] - k * conv.dilation[d];
  if (start < 0 || start % conv.stride[d] != 0) return -1;
  const int64_t o = start / conv.stride[d];
  return o < conv.out[d] ? o : -1;
}

/// grad_x of one group: for each position the sum over the pixels that read it.
template <class T>
__global__ void __launch_bounds__(kThreads)
    fold_kernel(GPU_GRID_CONSTANT(Unfold) u, int64_t numel, const T* cols, T* grad_x) {
  const ConvArgs& conv = u.conv;
  for (int64_t i = first_item(); i < numel; i += item_step()) {
    const int64_t size = conv.in[0] * conv.in[1] * conv.in[2];
    // Neighbouring threads follow x's memory.
    const bool last = conv.channels_last;
    const int64_t channel = last ? i % u.channels : i / size % u.channels;
    const int64_t image = i / (size * u.channels);
    int64_t at[3];
    split(last ? i / u.channels % size : i % size, conv.in, at);
    Compute<T> sum = 0;
    for (int64_t a = 0; a < conv.kernel[0]; ++a) {
      const int64_t o0 = reader(conv, 0, at[0], a);
      if (o0 < 0) continue;
      for (int64_t b = 0; b < conv.kernel[1]; ++b) {
        const int64_t o1 = reader(conv, 1, at[1], b);
        if (o1 < 0) continue;
        for (int64_t c = 0; c < conv.kernel[2]; ++c) {
          const int64_t o2 = reader(conv, 2, at[2], c);
          if (o2 < 0) continue;
          const int64_t pixel = (o0 * conv.out[1] + o1) * conv.out[2] + o2;
          const int64_t tap = u.tap(channel, (a * conv.kernel[1] + b) * conv.kernel[2] + c);
          sum += up(cols[(image * u.pixels + pixel) * u.taps + tap]);
        }
      }
    }
    grad_x[u.input(image, channel, at)] = down<T>(sum);
  }
}

/// Adds bias[k] to y.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_bias_kernel(T* y, const T* bias, int64_t numel, int64_t channels, int64_t inner) {
  for (int64_t i = first_item(); i < numel; i += item_step())
    y[i] = down<T>(up(y[i]) + up(bias[i / inner % channels]));
}

Unfold unfolding(const ConvArgs& args) {
  Unfold u{};
  u.conv = args;
  u.channels = args.c / args.groups;
  u.pixels = args.out[0] * args.out[1] * args.out[2];
  u.kernel_size = args.kernel[0] * args.kernel[1] * args.kernel[2];
  u.taps = u.channels * u.kernel_size;
  return u;
}

int64_t images_at_once(const Unfold& u) {
  const int64_t bytes = std::max<int64_t>(u.pixels * u.taps * element_size(u.conv.dtype), 1);
  return std::clamp<int64_t>(kScratchBytes / bytes, 1, std::max<int64_t>(u.conv.n, 1));
}

/// body(u, images, cols): over images and groups in turn, with room for cols.
template <class Body>
void for_parts(const ConvArgs& args, const Body& body) {
  Unfold u = unfolding(args);
  const int64_t step = images_at_once(u);
  const Scratch cols(step * u.pixels * u.taps * element_size(args.dtype));
  for (u.first_image = 0; u.first_image < args.n; u.first_image += step) {
    const int64_t images = std::min(step, args.n - u.first_image);
    for (u.group = 0; u.group < args.groups; ++u.group) body(u, images, cols.as<void>());
  }
}

template <class T>
void unfold(const Unfold& u, int64_t images, const void* x, void* cols) {
  const int64_t numel = images * u.pixels * u.taps;
  if (numel == 0) return;
  gpu::launch(unfold_kernel<T>, grid_for(numel, kThreads), kThreads, 0, gpu::stream(), u, numel,
              static_cast<const T*>(x), static_cast<T*>(cols));
}

/// y's rows of pixels as a matrix of a batch of images, [pixels, k of the group] or transposed.
struct OutputMatrix {
  int64_t offset, ld, batch_stride, filters;
};
OutputMatrix output_matrix(const Unfold& u) {
  const int64_t filters = u.conv.k / u.conv.groups;
  const int64_t image = u.conv.k * u.pixels;
  const int64_t first = u.first_image * image;
  if (u.conv.channels_last) return {first + u.group * filters, u.conv.k, image, filters};
  return {first + u.group * filters * u.pixels, u.pixels, image, filters};
}

template <class T>
void forward(const ConvArgs& args, const void* x, const void* weight, void* y) {
  for_parts(args, [&](const Unfold& u, int64_t images, void* cols) {
    unfold<T>(u, images, x, cols);
    const OutputMatrix out = output_matrix(u);
    const T* const filters = static_cast<const T*>(weight) + u.group * out.filters * u.taps;
    MatmulArgs m;
    m.dtype = args.dtype;
    m.batch = images;
    m.k = m.lda = m.ldb = u.taps;
    m.c = static_cast<T*>(y) + out.offset;
    m.ldc = out.ld;
    m.stride_c = out.batch_stride;
    m.trans_b = true;
    if (args.channels_last) {  // [pixels, taps] x [filters, taps]^T
      m.m = u.pixels, m.n = out.filters;
      m.a = cols, m.stride_a = u.pixels * u.taps;
      m.b = filters;
    } else {  // [filters, taps] x [pixels, taps]^T
      m.m = out.filters, m.n = u.pixels;
      m.a = filters;
      m.b = cols, m.stride_b = u.pixels * u.taps;
    }
    matmul(m);
  });
}

template <class T>
void backward_input(const ConvArgs& args, const void* grad_y, const void* weight, void* grad_x) {
  for_parts(args, [&](const Unfold& u, int64_t images, void* cols) {
    const OutputMatrix out = output_matrix(u);
    MatmulArgs m;
    m.dtype = args.dtype;
    m.batch = images;
    m.m = u.pixels, m.n = u.taps, m.k = out.filters;
    m.a = static_cast<const T*>(grad_y) + out.offset;
    m.lda = out.ld;
    m.stride_a = out.batch_stride;
    m.trans_a = !args.channels_last;
    m.b = static_cast<const T*>(weight) + u.group * out.filters * u.taps;
    m.ldb = m.ldc = u.taps;
    m.c = cols;
    m.stride_c = u.pixels * u.taps;
    matmul(m);
    const int64_t numel = images * u.channels * args.in[0] * args.in[1] * args.in[2];
    gpu::launch(fold_kernel<T>, grid_for(numel, kThreads), kThreads, 0, gpu::stream(), u, numel,
                static_cast<const T*>(cols), static_cast<T*>(grad_x));
  });
}

/// [n, k, pixels] -> [n, pixels, k], so that the images of a part are the rows of one matrix.
void to_channels_last(const ConvArgs& args, int64_t pixels, const void* from, void* to) {
  ElementwiseArgs e;
  e.numel = args.n * args.k * pixels;
  e.operands = 2;
  e.ndim = 3;
  e.data[0] = to;
  e.data[1] = const_cast<void*>(from);
  const int64_t sizes[] = {args.n, pixels, args.k};
  const int64_t out[] = {pixels * args.k, args.k, 1};
  const int64_t in[] = {pixels * args.k, 1, pixels};
  std::copy_n(sizes, 3, e.sizes);
  std::copy_n(out, 3, e.strides[0]);
  std::copy_n(in, 3, e.strides[1]);
  copy(args.dtype, args.dtype, e);
}

template <class T>
void backward_weight(const ConvArgs& args, const void* x, const void* rows, void* grad_weight) {
  const int64_t filters = args.k / args.groups;
  for_parts(args, [&](const Unfold& u, int64_t images, void* cols) {
    unfold<T>(u, images, x, cols);
    MatmulArgs m;  // [images x pixels, filters]^T x [images x pixels, taps]
    m.dtype = args.dtype;
    m.m = filters, m.n = u.taps, m.k = images * u.pixels;
    m.a = static_cast<const T*>(rows) + u.first_image * u.pixels * args.k + u.group * filters;
    m.lda = args.k;
    m.trans_a = true;
    m.b = cols;
    m.c = static_cast<T*>(grad_weight) + u.group * filters * u.taps;
    m.ldb = m.ldc = u.taps;
    m.accumulate = u.first_image > 0;
    matmul(m);
  });
}

/// grad_bias [k] = the sums of grad_y over all images and pixels.
void sum_channels(const ConvArgs& args, int64_t pixels, const void* grad_y, void* grad_bias) {
  ReduceArgs r;
  r.kept = r.kept_sizes[0] = args.k;
  r.kept_ndim = 1;
  r.kept_strides[0] = args.channels_last ? 1 : pixels;
  r.kept_out_strides[0] = 1;
  r.reduced = args.n * pixels;
  if (args.channels_last) {
    r.reduced_ndim = 1;
    r.reduced_sizes[0] = r.reduced;
    r.reduced_strides[0] = args.k;
  } else {
    r.reduced_ndim = 2;
    r.reduced_sizes[0] = args.n, r.reduced_sizes[1] = pixels;
    r.reduced_strides[0] = args.k * pixels, r.reduced_strides[1] = 1;
  }
  r.in = grad_y;
  r.out = grad_bias;
  reduce(ReduceOp::Sum, args.dtype, args.dtype, r);
}

void fill_zero(const ConvArgs& args, void* data, int64_t numel) {
  clear_bytes(data, numel * element_size(args.dtype));
}

}  // namespace

void conv(const ConvArgs& args, const void* x, const void* weight, const void* bias, void* y) {
  const Unfold u = unfolding(args);
  const int64_t numel = args.n * args.k * u.pixels;
  if (numel == 0) return;
  visit_float(args.dtype, [&](auto t) {
    using T = decltype(t);
    if (!dnn_conv(args, x, weight, y)) forward<T>(args, x, weight, y);
    if (!bias) return;
    gpu::launch(add_bias_kernel<T>, grid_for(numel, kThreads), kThreads, 0, gpu::stream(),
                static_cast<T*>(y), static_cast<const T*>(bias), numel, args.k,
                args.channels_last ? 1 : u.pixels);
  });
}

void conv_backward_input(const ConvArgs& args, const void* grad_y, const void* weight,
                         void* grad_x) {
  const int64_t numel = args.n * args.c * args.in[0] * args.in[1] * args.in[2];
  if (numel == 0) return;
  if (args.k * unfolding(args).pixels == 0) return fill_zero(args, grad_x, numel);
  if (dnn_conv_backward_input(args, grad_y, weight, grad_x)) return;
  visit_float(args.dtype,
              [&](auto t) { backward_input<decltype(t)>(args, grad_y, weight, grad_x); });
}

void conv_backward_weight(const ConvArgs& args, const void* x, const void* grad_y,
                          void* grad_weight, void* grad_bias) {
  const Unfold u = unfolding(args);
  const int64_t rows = args.n * u.pixels;
  if (rows * args.k == 0) {
    fill_zero(args, grad_weight, args.k * u.taps);
    if (grad_bias) fill_zero(args, grad_bias, args.k);
    return;
  }
  if (grad_bias) sum_channels(args, u.pixels, grad_y, grad_bias);
  if (dnn_conv_backward_weight(args, x, grad_y, grad_weight)) return;
  const Scratch turned(args.channels_last ? 0 : rows * args.k * element_size(args.dtype));
  if (!args.channels_last) to_channels_last(args, u.pixels, grad_y, turned.as<void>());
  const void* const grad_rows = args.channels_last ? grad_y : turned.as<void>();
  visit_float(args.dtype,
              [&](auto t) { backward_weight<decltype(t)>(args, x, grad_rows, grad_weight); });
}

}  // namespace wick::cuda
