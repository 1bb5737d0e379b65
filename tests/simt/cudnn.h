#pragma once

#include <cudnn.h>

#include <tests/simt/control.h>
#include <tests/simt/stream.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sstream>

// The stand-in for cuDNN, as far as kernels/cuda/dnn.cpp uses it: cudnn.cpp is handles and
// descriptors, cudnn_conv.cpp the convolutions with their checks, cudnn_compute.cpp their
// arithmetic. Wrong arguments, which the library may report, or not notice, are Errors that name
// function, argument and values.
namespace simt::dnn {

/// Of a tensor, or of a filter.
struct Shape {
  bool is_set = false;
  cudnnDataType_t type;
  cudnnTensorFormat_t format;
  int rank;
  int64_t sizes[5];
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= sizes[i];
    return n;
  }
};
/// Packed in memory, in the order that `format` says.
struct Tensor : Shape {};
struct Filter : Shape {};
struct Convolution {
  bool is_set = false;
  cudnnDataType_t sums;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  int spatial;
  int groups = 1;
  int padding[3], stride[3], dilation[3];
};
struct Context {
  int device;
  cudaStream_t stream = nullptr;
};

struct State {
  std::mutex mutex;
  Handles<Context, cudnnHandle_t> contexts{0xd221};
  Handles<Tensor, cudnnTensorDescriptor_t> tensors{0xd222};
  Handles<Filter, cudnnFilterDescriptor_t> filters{0xd223};
  Handles<Convolution, cudnnConvolutionDescriptor_t> convolutions{0xd224};
  CudnnStatistics statistics;
  bool refuse = false;
};
State& state();

/// One call of the library.
class Api {
 public:
  explicit Api(const char* name) : name_(name), lock_(state().mutex) {}
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    std::ostringstream text;
    text << "simt: " << name_ << ": ";
    (text << ... << parts);
    throw Error(text.str());
  }
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) fail(parts...);
  }
  template <class T, class Handle>
  std::shared_ptr<T> find(const Handles<T, Handle>& handles, Handle handle,
                          const char* what) const {
    std::shared_ptr<T> object = handles.find(handle);
    require(object != nullptr, what, " ", handle, " does not exist (any more)");
    return object;
  }
  std::string name(const char* argument) const {
    return std::string("simt: ") + name_ + ": " + argument;
  }

 private:
  const char* name_;
  std::lock_guard<std::mutex> lock_;
};

enum class Direction : uint8_t { Forward, BackwardData, BackwardFilter };

/// A convolution, as the descriptors say it; two spatial dimensions have size 1 in front.
struct Problem {
  using Sizes = std::array<int64_t, 3>;
  cudnnDataType_t type;
  cudnnMathType_t math;
  bool channels_last;
  int spatial;
  int64_t n, c, k, groups;
  Sizes in, out, kernel, stride, padding, dilation;

  int64_t x_size() const { return n * c * in[0] * in[1] * in[2]; }
  int64_t y_size() const { return n * k * out[0] * out[1] * out[2]; }
  int64_t weight_size() const { return k * (c / groups) * kernel[0] * kernel[1] * kernel[2]; }
};

size_t size_of(cudnnDataType_t type);

/// Computes the result of a direction from the two others of x, weight and y, in device memory.
void compute(Direction direction, const Problem& problem, void* x, void* weight, void* y);

}  // namespace simt::dnn
