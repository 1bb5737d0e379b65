#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <wick/core/check.h>
#include <wick/core/cuda.h>
#include <wick/kernels/conv.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/dnn.h>

#include <tests/simt/control.h>

#include <functional>
#include <string>
#include <vector>

// Convolution on an emulated device, by cuDNN's stand-in and by wick's own way, agrees with the
// CPU. Values are small integers, so that sums are exact in every type and order: results are
// compared as they are. Which way a shape takes is remembered, so tests that want another way than
// those before them use sizes of their own.
namespace wick::cuda {
namespace {

void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }

struct Shape {
  const char* name = "";
  int spatial = 2;
  int64_t n = 2, c = 4, k = 4, groups = 1;
  int64_t kernel = 3, stride = 1, padding = 1, dilation = 1;
  int64_t width = 6;  // of the first spatial dimension; others are smaller
};

ConvArgs args_of(const Shape& s, DType dtype, bool channels_last) {
  ConvArgs args;
  args.dtype = dtype;
  args.spatial = s.spatial;
  args.channels_last = channels_last;
  args.n = s.n;
  args.c = s.c;
  args.k = s.k;
  args.groups = s.groups;
  for (int i = 0; i < s.spatial; ++i) {
    args.in[i] = s.width - i;
    args.kernel[i] = s.kernel;
    args.stride[i] = s.stride;
    args.padding[i] = s.padding;
    args.dilation[i] = s.dilation;
    args.out[i] = (args.in[i] + 2 * s.padding - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
  }
  return args;
}

std::vector<Shape> shapes(int spatial) {
  std::vector<Shape> all;
  const auto add = [&](const char* name, const std::function<void(Shape&)>& change) {
    Shape s;
    s.name = name;
    s.spatial = spatial;
    change(s);
    all.push_back(s);
  };
  add("plain", [](Shape&) {});
  add("valid", [](Shape& s) { s.padding = 0; });
  add("pointwise", [](Shape& s) { s.kernel = 1, s.padding = 0, s.k = 6; });
  add("strided", [](Shape& s) { s.stride = 2, s.k = 2; });
  add("dilated", [](Shape& s) { s.dilation = 2, s.padding = 2; });
  add("grouped", [](Shape& s) { s.groups = 2, s.k = 6; });
  add("depthwise", [](Shape& s) { s.groups = 4; });
  add("all", [](Shape& s) { s.groups = 2, s.stride = 2, s.dilation = 2, s.padding = 3; });
  return all;
}

/// Memory of the current device, of exactly this size, `offset` bytes into an allocation.
class Buffer {
 public:
  explicit Buffer(size_t bytes, size_t offset = 0, const void* from = nullptr)
      : bytes_(bytes), offset_(offset) {
    if (bytes > 0) ok(cudaMalloc(&base_, bytes + offset));
    if (from) ok(cudaMemcpy(data(), from, bytes, cudaMemcpyHostToDevice));
  }
  ~Buffer() { cudaFree(base_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return base_ ? static_cast<char*>(base_) + offset_ : nullptr; }
  void read(void* to) const { ok(cudaMemcpy(to, data(), bytes_, cudaMemcpyDeviceToHost)); }

 private:
  void* base_ = nullptr;
  size_t bytes_, offset_;
};

template <class T>
struct Tensors {
  std::vector<T> x, weight, bias, grad_y, y, grad_x, grad_weight, grad_bias;

  explicit Tensors(const ConvArgs& a) {
    const auto product = [](const int64_t* s) { return s[0] * s[1] * s[2]; };
    const auto make = [](std::vector<T>& v, int64_t size, unsigned seed) {
      v.resize(static_cast<size_t>(size), T(-9.0f));
      if (seed == 0) return;
      for (T& value : v) {
        seed = seed * 1664525 + 1013904223;
        value = T(static_cast<float>(static_cast<int>(seed >> 16) % 3 - 1));
      }
    };
    make(x, a.n * a.c * product(a.in), 1);
    make(weight, a.k * (a.c / a.groups) * product(a.kernel), 2);
    make(bias, a.k, 3);
    make(grad_y, a.n * a.k * product(a.out), 4);
    make(y, a.n * a.k * product(a.out), 0);
    make(grad_x, a.n * a.c * product(a.in), 0);
    make(grad_weight, a.k * (a.c / a.groups) * product(a.kernel), 0);
    make(grad_bias, a.k, 0);
  }

  void run_on_cpu(const ConvArgs& a) {
    cpu::conv(a, x.data(), weight.data(), bias.data(), y.data());
    cpu::conv_backward_input(a, grad_y.data(), weight.data(), grad_x.data());
    cpu::conv_backward_weight(a, x.data(), grad_y.data(), grad_weight.data(), grad_bias.data());
  }
  void run_on_device(const ConvArgs& a, size_t offset) {
    const auto in = [&](const std::vector<T>& v) {
      return Buffer(v.size() * sizeof(T), offset, v.data());
    };
    const auto out = [&](const std::vector<T>& v) { return Buffer(v.size() * sizeof(T), offset); };
    const Buffer in_x = in(x), in_w = in(weight), in_b = in(bias), in_g = in(grad_y);
    const Buffer out_y = out(y), out_x = out(x), out_w = out(weight), out_b = out(bias);
    cuda::conv(a, in_x.data(), in_w.data(), in_b.data(), out_y.data());
    cuda::conv_backward_input(a, in_g.data(), in_w.data(), out_x.data());
    cuda::conv_backward_weight(a, in_x.data(), in_g.data(), out_w.data(), out_b.data());
    ok(cudaDeviceSynchronize());
    out_y.read(y.data()), out_x.read(grad_x.data());
    out_w.read(grad_weight.data()), out_b.read(grad_bias.data());
  }
};

std::string text(const ConvArgs& a) {
  return str("spatial ", a.spatial, " ", a.dtype, " n ", a.n, " c ", a.c, " k ", a.k, " groups ",
             a.groups, " kernel ", a.kernel[0], " stride ", a.stride[0], " padding ", a.padding[0],
             " dilation ", a.dilation[0], " channels_last ", a.channels_last);
}

template <class T>
void expect_same(const char* what, const ConvArgs& a, const std::vector<T>& got,
                 const std::vector<T>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(static_cast<double>(got[i]), static_cast<double>(want[i]))
        << what << " at " << i << ": " << text(a);
}

template <class T>
void check_type(const ConvArgs& a, size_t offset) {
  Tensors<T> want(a), got(a);
  want.run_on_cpu(a);
  got.run_on_device(a, offset);
  expect_same("y", a, got.y, want.y);
  expect_same("grad_x", a, got.grad_x, want.grad_x);
  expect_same("grad_weight", a, got.grad_weight, want.grad_weight);
  expect_same("grad_bias", a, got.grad_bias, want.grad_bias);
}
void check(const ConvArgs& a, size_t offset = 0) {
  switch (a.dtype) {
    case DType::Float16:
      return check_type<Half>(a, offset);
    case DType::BFloat16:
      return check_type<BFloat16>(a, offset);
    case DType::Float32:
      return check_type<float>(a, offset);
    default:
      return check_type<double>(a, offset);
  }
}

struct WithoutCudnn {
  WithoutCudnn() { simt::refuse_convolutions(true); }
  ~WithoutCudnn() { simt::refuse_convolutions(false); }
};

int64_t convolutions() { return simt::cudnn_statistics().convolutions; }

constexpr DType kTypes[] = {DType::Float32, DType::Float64, DType::Float16, DType::BFloat16};

class CudaConv : public testing::TestWithParam<int> {};  // spatial dimensions
INSTANTIATE_TEST_SUITE_P(Spatial, CudaConv, testing::Values(1, 2, 3));

TEST_P(CudaConv, AgreesWithTheCpu) {
  for (const Shape& s : shapes(GetParam())) {
    SCOPED_TRACE(s.name);
    for (const DType dtype : kTypes)
      for (const bool channels_last : {false, true}) check(args_of(s, dtype, channels_last));
  }
}

TEST_P(CudaConv, WithoutCudnnAgreesWithTheCpu) {
  const WithoutCudnn without;
  const int64_t before = convolutions();
  for (Shape s : shapes(GetParam())) {
    SCOPED_TRACE(s.name);
    s.n = 3;
    for (const DType dtype : kTypes)
      for (const bool channels_last : {false, true}) check(args_of(s, dtype, channels_last));
  }
  EXPECT_EQ(convolutions(), before);
}

TEST(CudaConvCudnn, IsUsedWhereItsDocumentationListsTheCase) {
  std::string reason;
  EXPECT_TRUE(dnn_available(reason)) << reason;
  const auto used = [](int spatial, DType dtype, bool channels_last, int64_t dilation = 1) {
    Shape s;
    s.spatial = spatial;
    s.dilation = dilation;
    s.n = 4;
    const int64_t before = convolutions();
    check(args_of(s, dtype, channels_last));
    return convolutions() - before;
  };
  for (const DType dtype : kTypes) {
    EXPECT_EQ(used(1, dtype, false), 3);
    EXPECT_EQ(used(2, dtype, false), 3);
    const bool wide = dtype == DType::Float64;
    EXPECT_EQ(used(2, dtype, true), wide ? 1 : 3);   // forward alone in float64
    EXPECT_EQ(used(3, dtype, false), wide ? 1 : 2);  // no repeatable gradient of the weight
    EXPECT_EQ(used(3, dtype, true), wide ? 0 : 3);
    // Forward is offered without tensor cores alone.
    EXPECT_EQ(used(2, dtype, false, 2), 3);
  }
}

TEST(CudaConvCudnn, EmptySizesNeedNone) {
  const int64_t before = convolutions();
  for (const DType dtype : kTypes)
    for (const bool channels_last : {false, true})
      for (const auto change : {&Shape::n, &Shape::c, &Shape::k}) {
        Shape s;
        s.*change = 0;
        check(args_of(s, dtype, channels_last));
      }
  EXPECT_EQ(convolutions(), before);
}

TEST(CudaConvCudnn, IsNotGivenUnalignedMemory) {
  const int64_t before = convolutions();
  for (const DType dtype : kTypes) check(args_of({}, dtype, true), 8);
  EXPECT_EQ(convolutions(), before);
}

/// Sizes that no test of this process has used.
Shape fresh() {
  static int64_t width = 20;
  Shape s;
  s.spatial = 1;
  s.n = 1;
  s.width = ++width;
  return s;
}

TEST(CudaConvCudnn, IsAskedOnceForAShape) {
  const ConvArgs args = args_of(fresh(), DType::Float32, false);
  const int64_t before = simt::cudnn_statistics().choices;
  for (int repeat = 0; repeat < 3; ++repeat) check(args);
  EXPECT_EQ(simt::cudnn_statistics().choices, before + 3);  // one for each direction
  // A refusal is remembered too.
  const ConvArgs refused = args_of(fresh(), DType::Float32, false);
  {
    const WithoutCudnn without;
    check(refused);
  }
  check(refused);
  EXPECT_EQ(simt::cudnn_statistics().choices, before + 6);
}

TEST(CudaConvCudnn, MayRefuseWhatItHasOffered) {
  const ConvArgs args = args_of(fresh(), DType::Float32, false);
  check(args);
  const int64_t before = convolutions();
  {
    const WithoutCudnn without;
    check(args);
  }
  check(args);  // the same way as the time before: the same bits
  EXPECT_EQ(convolutions(), before);
}

TEST(CudaConvCudnn, RemembersABoundedNumberOfShapes) {
  const std::vector<char> zeros(1 << 12);
  const Buffer memory(zeros.size(), 0, zeros.data());
  char* const p = static_cast<char*>(memory.data());
  for (int i = 0; i < 300; ++i) {
    ConvArgs args;  // a few zeros in, a few zeros out
    args.spatial = 1;
    args.n = args.c = args.k = 1;
    args.in[0] = args.out[0] = 3;
    args.dilation[0] = fresh().width;
    EXPECT_TRUE(dnn_conv(args, p, p + 1024, p + 2048));
  }
  ok(cudaDeviceSynchronize());
  EXPECT_LE(simt::cudnn_statistics().descriptors, 4 * 256 * simt::cudnn_statistics().handles);
}

TEST(CudaConvCudnn, TakesUnrepeatableAlgorithmsOnlyWhereAllowed) {
  ConvArgs args = args_of(fresh(), DType::Float32, false);
  const int64_t before = simt::cudnn_statistics().unrepeatable;
  check(args);
  EXPECT_EQ(simt::cudnn_statistics().unrepeatable, before);
  args.deterministic = false;
  check(args);
  EXPECT_EQ(simt::cudnn_statistics().unrepeatable, before + 2);  // both gradients
}

TEST(CudaConvCudnn, KeepsAllBitsOfFloat32UnlessTf32IsAllowed) {
  const float value = 1 + 0x1p-20f, one = 1;
  ConvArgs args = args_of(fresh(), DType::Float32, false);
  args.c = args.k = args.in[0] = args.out[0] = args.kernel[0] = 1;
  args.padding[0] = 0;
  const Buffer x(4, 0, &value), weight(4, 0, &one), y(4);
  const auto result = [&] {
    float v = 0;
    EXPECT_TRUE(dnn_conv(args, x.data(), weight.data(), y.data()));
    y.read(&v);
    return v;
  };
  EXPECT_EQ(result(), value);
  allow_tf32_in_libraries(true);
  EXPECT_EQ(result(), 1);
  allow_tf32_in_libraries(false);
  EXPECT_EQ(result(), value);
}

TEST(CudaConvCudnn, SizesBeyondItsOwnAreLeftAlone) {
  ConvArgs args = args_of(fresh(), DType::Float32, false);
  args.n = int64_t{1} << 31;  // nothing is read
  EXPECT_FALSE(dnn_conv(args, nullptr, nullptr, nullptr));
  args.n = 1 << 20;
  args.in[0] = args.out[0] = 1 << 12;
  EXPECT_FALSE(dnn_conv(args, nullptr, nullptr, nullptr));
  args = args_of(fresh(), DType::Float32, false);
  args.padding[0] = int64_t{1} << 33;
  EXPECT_FALSE(dnn_conv(args, nullptr, nullptr, nullptr));
}

TEST(CudaConvCudnn, WorksOnEveryStreamAndDevice) {
  for (const int device : {0, 1}) {
    for (const Stream& stream : {default_stream(device), stream_from_pool(device)}) {
      const StreamGuard guard(stream);
      check(args_of({}, DType::Float32, false));
    }
  }
  EXPECT_GE(simt::cudnn_statistics().handles, 4);
}

// The n-th call of the library fails, for all n until none does: one clear error, after which the
// same convolution is done.
TEST(CudaConvCudnn, AFailureIsOneErrorAndLeavesNothing) {
  for (int64_t n = 1;; ++n) {
    ASSERT_LT(n, 200);
    const StreamGuard guard(stream_from_pool(0));  // a handle of its own
    const ConvArgs args = args_of(fresh(), DType::Float32, false);
    const auto before = simt::cudnn_statistics();
    simt::fail_call(simt::Call::Library, n);
    try {
      check(args);
    } catch (const Error& error) {
      const std::string message = error.what();
      const bool out_of_memory = message.find("out of memory") != std::string::npos;
      EXPECT_EQ(dynamic_cast<const OutOfMemoryError*>(&error) != nullptr, out_of_memory);
      EXPECT_EQ(dynamic_cast<const DeviceError*>(&error) != nullptr, !out_of_memory);
      EXPECT_NE(message.find("conv: cuDNN"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
    const bool reached = simt::calls(simt::Call::Library) >= n;
    simt::fail_call(simt::Call::Library, 0);
    check(args);
    const auto after = simt::cudnn_statistics();
    EXPECT_EQ(after.descriptors, before.descriptors + 12) << n;  // three plans of four
    EXPECT_LE(after.handles, before.handles + 1) << n;
    if (!reached) break;
  }
}

TEST(CudaConvCudnn, NoMemoryForAWorkspaceIsAnError) {
  const ConvArgs args = args_of(fresh(), DType::Float32, false);
  Tensors<float> t(args);
  const Buffer x(t.x.size() * 4, 0, t.x.data()), y(t.y.size() * 4);
  const Buffer weight(t.weight.size() * 4, 0, t.weight.data());
  ok(cudaDeviceSynchronize());
  empty_cache(0);
  simt::limit_memory(0, 0);
  EXPECT_THROW(dnn_conv(args, x.data(), weight.data(), y.data()), OutOfMemoryError);
  simt::limit_memory(0, size_t{8} << 30);
  EXPECT_TRUE(dnn_conv(args, x.data(), weight.data(), y.data()));
  ok(cudaDeviceSynchronize());
}

}  // namespace
}  // namespace wick::cuda
