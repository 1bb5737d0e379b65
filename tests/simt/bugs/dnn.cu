// Wrong arguments to cuDNN, which it would not notice: the stand-in must.
#include <cudnn.h>
#include <tests/simt/bugs/bugs.h>

#include <string>

namespace bugs {
namespace {

void must_dnn(cudnnStatus_t status) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw std::runtime_error(std::string("cuDNN: ") + cudnnGetErrorString(status));
}

constexpr int kImages = 2, kIn = 3, kOut = 4, kSide = 6, kKernel = 3, kResult = kSide - 2;
constexpr size_t kX = size_t{kImages} * kIn * kSide * kSide;
constexpr size_t kWeight = size_t{kOut} * kIn * kKernel * kKernel;
constexpr size_t kY = size_t{kImages} * kOut * kResult * kResult;

std::vector<float> values(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = static_cast<float>(i % 7) - 2;
  return v;
}

std::vector<float> expected() {
  const std::vector<float> x = values(kX), w = values(kWeight);
  std::vector<float> y(kY);
  size_t at = 0;
  for (size_t n = 0; n < kImages; ++n)
    for (size_t o = 0; o < kOut; ++o)
      for (size_t i = 0; i < kResult; ++i)
        for (size_t j = 0; j < kResult; ++j, ++at)
          for (size_t c = 0; c < kIn; ++c)
            for (size_t a = 0; a < kKernel; ++a)
              for (size_t b = 0; b < kKernel; ++b)
                y[at] += x[((n * kIn + c) * kSide + i + a) * kSide + j + b] *
                         w[((o * kIn + c) * kKernel + a) * kKernel + b];
  return y;
}

cudnnHandle_t new_handle() {
  cudnnHandle_t handle = nullptr;
  must_dnn(cudnnCreate(&handle));
  return handle;
}

cudnnTensorDescriptor_t tensor(int n, int c, int side) {
  cudnnTensorDescriptor_t t = nullptr;
  must_dnn(cudnnCreateTensorDescriptor(&t));
  const int sizes[] = {n, c, side, side};
  must_dnn(cudnnSetTensorNdDescriptorEx(t, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 4, sizes));
  return t;
}

cudnnFilterDescriptor_t filter() {
  cudnnFilterDescriptor_t f = nullptr;
  must_dnn(cudnnCreateFilterDescriptor(&f));
  const int sizes[] = {kOut, kIn, kKernel, kKernel};
  must_dnn(cudnnSetFilterNdDescriptor(f, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 4, sizes));
  return f;
}

cudnnConvolutionDescriptor_t convolution() {
  cudnnConvolutionDescriptor_t c = nullptr;
  must_dnn(cudnnCreateConvolutionDescriptor(&c));
  const int zero[] = {0, 0}, one[] = {1, 1};
  must_dnn(cudnnSetConvolutionNdDescriptor(c, 2, zero, one, one, CUDNN_CROSS_CORRELATION,
                                           CUDNN_DATA_FLOAT));
  return c;
}

/// y = x * weight. The arguments are right until a case changes them.
struct Right {
  Array<float> x{values(kX)}, weight{values(kWeight)}, y{kY};
  cudnnHandle_t handle = new_handle();
  cudnnTensorDescriptor_t x_shape = tensor(kImages, kIn, kSide);
  cudnnTensorDescriptor_t y_shape = tensor(kImages, kOut, kResult);
  cudnnFilterDescriptor_t weight_shape = filter();
  cudnnConvolutionDescriptor_t conv = convolution();
  cudnnConvolutionFwdAlgo_t algo = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
  const float* input = x.p;
  float* output = y.p;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;

  Right() {
    must_dnn(cudnnSetStream(handle, stream()));
    must_dnn(cudnnGetConvolutionForwardWorkspaceSize(handle, x_shape, weight_shape, conv, y_shape,
                                                     algo, &workspace_bytes));
    if (workspace_bytes > 0) workspace = Array<char>(workspace_bytes).p;
  }
  void launch() const {
    const float one = 1, zero = 0;
    must_dnn(cudnnConvolutionForward(handle, &one, x_shape, input, weight_shape, weight.p, conv,
                                     algo, workspace, workspace_bytes, &zero, y_shape, output));
  }
  bool run() const {
    launch();
    return y.get() != expected();
  }
};

}  // namespace

CONTROL(ok_convolution) { return Right().run(); }

BUG(dnn_freed_input, reported(kAll, "cudnnConvolutionForward: x: .* freed")) {
  const Right right;
  must(cudaFree(right.x.p));
  return right.run();
}
BUG(dnn_freed_late, reported(kAll, "cudnnConvolutionForward: x: .* freed")) {
  Right right;
  const cudaStream_t other = new_stream();
  float* x = nullptr;
  must(cudaMallocAsync(reinterpret_cast<void**>(&x), kX * sizeof(float), other));
  must(cudaMemsetAsync(x, 0, kX * sizeof(float), other));
  must(cudaStreamSynchronize(other));
  right.input = x;
  right.launch();
  must(cudaFreeAsync(x, other));
  must(cudaStreamSynchronize(other));
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(dnn_host_input,
    reported(kAll, "cudnnConvolutionForward: x: .* not in the memory of a device")) {
  const std::vector<float> x = values(kX);
  Right right;
  right.input = x.data();
  return right.run();
}
BUG(dnn_uninit, wrong(kFast | kAsan),
    reported(kCheck, "cudnnConvolutionForward: x: uninitialised read")) {
  Right right;
  right.input = Array<float>(kX).p;
  return right.run();
}
BUG(dnn_missing_wait, wrong(kFast | kAsan),
    reported(kCheck, "cudnnConvolutionForward: .*: uninitialised read")) {
  const Right right;  // uploads on another stream
  const cudaStream_t other = new_stream();
  must_dnn(cudnnSetStream(right.handle, other));
  right.launch();
  return right.y.get(other) != expected();
}
BUG(dnn_foreign_memory,
    reported(kAll, "cudnnConvolutionForward: x: .* of device 1, not of device 0")) {
  Right right;
  must(cudaSetDevice(1));
  const Array<float> x(values(kX), nullptr);
  must(cudaDeviceSynchronize());
  must(cudaSetDevice(0));
  right.input = x.p;
  return right.run();
}
BUG(dnn_foreign_stream, reported(kAll, "cudnnSetStream: .* of device 1, not of device 0")) {
  const Right right;
  must(cudaSetDevice(1));
  const cudaStream_t there = new_stream();
  must_dnn(cudnnSetStream(right.handle, there));
  return false;
}
BUG(dnn_stream_destroyed, reported(kAll, "cudnnConvolutionForward: .*stream .* was destroyed")) {
  const Right right;
  const cudaStream_t other = new_stream();
  must_dnn(cudnnSetStream(right.handle, other));
  must(cudaStreamDestroy(other));
  return right.run();
}
BUG(dnn_small_output, reported(kAll, "cudnnConvolutionForward: y: 512 bytes .* not within")) {
  Right right;
  right.output = Array<float>(kY - 1).p;
  right.launch();
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(dnn_wrong_output_shape, reported(kAll, "cudnnConvolutionForward: expected size 4 of y")) {
  Right right;
  right.y_shape = tensor(kImages, kOut, kResult + 1);
  right.output = Array<float>(4 * kY).p;
  right.launch();
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(dnn_workspace_null, reported(kAll, "cudnnConvolutionForward: a workspace of .* at 0")) {
  Right right;
  right.workspace = nullptr;
  return right.run();
}
BUG(dnn_workspace_small, reported(kAll, "cudnnConvolutionForward: a workspace of")) {
  Right right;
  right.workspace_bytes -= 1;
  return right.run();
}
// It is smaller than the call says.
BUG(dnn_workspace_too_short, reported(kAll, "the workspace: .* not within")) {
  Right right;
  right.workspace = Array<char>(right.workspace_bytes - 1).p;
  return right.run();
}
BUG(dnn_workspace_freed, reported(kAll, "the workspace: .* freed")) {
  const Right right;
  must(cudaFree(right.workspace));
  return right.run();
}
BUG(dnn_descriptor_destroyed, reported(kAll, "cudnnConvolutionForward: the descriptor of x")) {
  const Right right;
  must_dnn(cudnnDestroyTensorDescriptor(right.x_shape));
  return right.run();
}
BUG(dnn_handle_destroyed, reported(kAll, "cudnnConvolutionForward: handle")) {
  const Right right;
  must_dnn(cudnnDestroy(right.handle));
  return right.run();
}

}  // namespace bugs
