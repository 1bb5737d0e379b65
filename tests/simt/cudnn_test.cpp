#include <cuda_runtime.h>
#include <cudnn.h>
#include <gtest/gtest.h>

#include <tests/simt/control.h>

#include <functional>
#include <string>
#include <vector>

// The stand-in for cuDNN finds wrong arguments.
namespace simt {
namespace {

void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }
void ok(cudnnStatus_t status) { ASSERT_EQ(status, CUDNN_STATUS_SUCCESS); }

// x [1, 4, 3, 3] of ones, a filter [2, 2, 2, 2] of halves in 2 groups, y [1, 2, 2, 2]: each output
// is the sum of 2 channels of 4 products.
constexpr size_t kX = 36, kWeight = 16, kY = 8;
constexpr float kExpected = 4;

/// A call without faults, for tests to change.
class Cudnn : public testing::Test {
 protected:
  void SetUp() override {
    ok(cudaSetDevice(0));
    ok(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    ok(cudnnCreate(&handle_));
    ok(cudnnSetStream(handle_, stream_));
    for (auto* tensor : {&x_desc_, &y_desc_}) ok(cudnnCreateTensorDescriptor(tensor));
    ok(cudnnCreateFilterDescriptor(&weight_desc_));
    ok(cudnnCreateConvolutionDescriptor(&conv_));
    set_x({1, 4, 3, 3});
    set_y({1, 2, 2, 2});
    set_weight({2, 2, 2, 2});
    set_conv(CUDNN_DATA_FLOAT);
    ok(cudnnSetConvolutionGroupCount(conv_, 2));
    ok(cudnnSetConvolutionMathType(conv_, CUDNN_FMA_MATH));
    x_ = make(kX, 1.0f);
    weight_ = make(kWeight, 0.5f);
    y_ = make(kY);
    ok(cudnnGetConvolutionForwardWorkspaceSize(handle_, x_desc_, weight_desc_, conv_, y_desc_,
                                               algorithm_, &workspace_bytes_));
    ASSERT_GT(workspace_bytes_, 0u);
    ok(cudaMalloc(&workspace_, workspace_bytes_));
  }
  void TearDown() override {
    cudaSetDevice(0);
    cudaDeviceSynchronize();
    for (void* p : owned_) cudaFree(p);
    cudaFree(workspace_);
    const auto quietly = [](auto&& destroy) {
      try {
        destroy();
      } catch (const Error&) {  // the test has done so already
      }
    };
    quietly([&] { cudnnDestroyTensorDescriptor(x_desc_); });
    quietly([&] { cudnnDestroyTensorDescriptor(y_desc_); });
    quietly([&] { cudnnDestroyFilterDescriptor(weight_desc_); });
    quietly([&] { cudnnDestroyConvolutionDescriptor(conv_); });
    quietly([&] { cudnnDestroy(handle_); });
    quietly([&] { cudaStreamDestroy(stream_); });
    cudaGetLastError();
  }

  float* make(size_t size) {
    void* p = nullptr;
    ok(cudaMalloc(&p, size * sizeof(float)));
    owned_.push_back(p);
    return static_cast<float*>(p);
  }
  float* make(size_t size, float value) {
    float* p = make(size);
    const std::vector<float> values(size, value);
    ok(cudaMemcpy(p, values.data(), size * sizeof(float), cudaMemcpyHostToDevice));
    return p;
  }

  void set_tensor(cudnnTensorDescriptor_t desc, std::vector<int> sizes, cudnnDataType_t type,
                  cudnnTensorFormat_t format) {
    ok(cudnnSetTensorNdDescriptorEx(desc, format, type, static_cast<int>(sizes.size()),
                                    sizes.data()));
  }
  void set_x(std::vector<int> sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT,
             cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW) {
    set_tensor(x_desc_, std::move(sizes), type, format);
  }
  void set_y(std::vector<int> sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT,
             cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW) {
    set_tensor(y_desc_, std::move(sizes), type, format);
  }
  void set_weight(std::vector<int> sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT,
                  cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW) {
    ok(cudnnSetFilterNdDescriptor(weight_desc_, type, format, static_cast<int>(sizes.size()),
                                  sizes.data()));
  }
  void set_conv(cudnnDataType_t sums) {
    const int zeros[] = {0, 0}, ones[] = {1, 1};
    ok(cudnnSetConvolutionNdDescriptor(conv_, 2, zeros, ones, ones, CUDNN_CROSS_CORRELATION, sums));
  }

  cudnnStatus_t run() {
    return cudnnConvolutionForward(handle_, alpha_, x_desc_, x_, weight_desc_, weight_, conv_,
                                   algorithm_, workspace_, workspace_bytes_, beta_, y_desc_, y_);
  }
  /// What is found in the call, or when its work is done.
  std::string found() {
    try {
      const cudnnStatus_t status = run();
      if (status != CUDNN_STATUS_SUCCESS) return std::to_string(status);
      cudaDeviceSynchronize();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  void expect_found(const std::string& text) {
    const std::string message = found();
    EXPECT_NE(message.find(text), std::string::npos) << "expected " << text << ", got " << message;
    EXPECT_NE(message.find("cudnnConvolutionForward"), std::string::npos) << message;
  }

  cudaStream_t stream_ = nullptr;
  cudnnHandle_t handle_ = nullptr;
  cudnnTensorDescriptor_t x_desc_ = nullptr, y_desc_ = nullptr;
  cudnnFilterDescriptor_t weight_desc_ = nullptr;
  cudnnConvolutionDescriptor_t conv_ = nullptr;
  cudnnConvolutionFwdAlgo_t algorithm_ = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
  float *x_ = nullptr, *weight_ = nullptr, *y_ = nullptr;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
  float one_ = 1, zero_ = 0;
  const void *alpha_ = &one_, *beta_ = &zero_;
  std::vector<void*> owned_;
};

TEST_F(Cudnn, AGoodCallComputes) {
  ASSERT_EQ(found(), "");
  std::vector<float> y(kY);
  ok(cudaMemcpy(y.data(), y_, kY * sizeof(float), cudaMemcpyDeviceToHost));
  EXPECT_EQ(y, std::vector<float>(kY, kExpected));
}

TEST_F(Cudnn, Float32IsRoundedToTf32UnlessForbidden) {
  const auto first = [&] {
    float value = 0;
    EXPECT_EQ(found(), "");
    ok(cudaMemcpy(&value, y_, sizeof value, cudaMemcpyDeviceToHost));
    return value;
  };
  x_ = make(kX, 1 + 0x1p-20f);
  EXPECT_EQ(first(), kExpected * (1 + 0x1p-20f));
  ok(cudnnSetConvolutionMathType(conv_, CUDNN_DEFAULT_MATH));
  EXPECT_EQ(first(), kExpected);
}

TEST_F(Cudnn, WorkIsDoneWhenItIsWaitedFor) {
  const bool lazy = options().lazy;
  options().lazy = true;
  ok(run());
  {
    const DeviceAccess access;
    EXPECT_NE(y_[0], kExpected);
  }
  ok(cudaStreamSynchronize(stream_));
  {
    const DeviceAccess access;
    EXPECT_EQ(y_[0], kExpected);
  }
  options().lazy = lazy;
}

TEST_F(Cudnn, HandlesAndDescriptorsMustLive) {
  cudnnDestroyTensorDescriptor(x_desc_);
  expect_found("the descriptor of x");
  ok(cudnnCreateTensorDescriptor(&x_desc_));
  expect_found("never set");
  set_x({1, 4, 3, 3});
  EXPECT_EQ(found(), "");
  cudnnDestroyFilterDescriptor(weight_desc_);
  expect_found("the descriptor of the filter");
  cudnnDestroy(handle_);
  expect_found("handle");
  EXPECT_THROW(cudnnDestroy(handle_), Error);
  EXPECT_THROW(cudnnDestroyFilterDescriptor(weight_desc_), Error);
  EXPECT_EQ(cudnnDestroyFilterDescriptor(nullptr), CUDNN_STATUS_SUCCESS);  // as the library
}

TEST_F(Cudnn, SizesMustAgree) {
  set_y({1, 2, 2, 3});
  expect_found("expected size 2 of y in spatial dimension 1, got 3");
  set_y({2, 2, 2, 2});
  expect_found("x has 1 images, y 2");
  set_y({1, 4, 2, 2});
  expect_found("y has 4 channels of 2 filters");
  set_y({1, 2, 1, 2, 2});
  expect_found("dimensions of x 4");
  set_y({1, 2, 2, 2});
  set_weight({2, 4, 2, 2});
  expect_found("x has 4 channels, the filter 4 in each of 2 groups");
  set_weight({3, 2, 2, 2});
  expect_found("3 filters in 2 groups");
}

TEST_F(Cudnn, TypesAndFormatsMustAgree) {
  set_weight({2, 2, 2, 2}, CUDNN_DATA_HALF);
  expect_found("data types of x 0, filter 2");
  set_weight({2, 2, 2, 2}, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC);
  expect_found("formats of x 0, filter 1");
  set_weight({2, 2, 2, 2});
  set_conv(CUDNN_DATA_DOUBLE);
  expect_found("computes data type 0 in 1");
  double one = 1, zero = 0;
  for (const auto type : {CUDNN_DATA_DOUBLE}) {
    set_x({1, 4, 3, 3}, type);
    set_y({1, 2, 2, 2}, type);
    set_weight({2, 2, 2, 2}, type);
  }
  alpha_ = &one;
  beta_ = &zero;
  expect_found("x: 288 bytes");  // the memory has half of that
}

TEST_F(Cudnn, DescriptorsRefuseNonsense) {
  const auto tensor = [&](std::vector<int> sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    return cudnnSetTensorNdDescriptorEx(x_desc_, CUDNN_TENSOR_NCHW, type,
                                        static_cast<int>(sizes.size()), sizes.data());
  };
  EXPECT_THROW(tensor({0, 4, 3, 3}), Error);
  EXPECT_THROW(tensor({1, 4, -3, 3}), Error);
  EXPECT_THROW(tensor({1, 4, 3}), Error);
  EXPECT_THROW(tensor({1, 4, 3, 3}, CUDNN_DATA_INT8), Error);
  EXPECT_EQ(tensor({1 << 16, 1 << 10, 1 << 6, 1}), CUDNN_STATUS_NOT_SUPPORTED);  // as the library
  const int zeros[] = {0, 0}, ones[] = {1, 1}, minus[] = {0, -1};
  const auto conv = [&](const int* padding, const int* stride, const int* dilation) {
    return cudnnSetConvolutionNdDescriptor(conv_, 2, padding, stride, dilation,
                                           CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
  };
  EXPECT_THROW(conv(minus, ones, ones), Error);
  EXPECT_THROW(conv(zeros, zeros, ones), Error);
  EXPECT_THROW(conv(zeros, ones, zeros), Error);
  EXPECT_THROW(cudnnSetConvolutionNdDescriptor(conv_, 2, zeros, ones, ones, CUDNN_CONVOLUTION,
                                               CUDNN_DATA_FLOAT),
               Error);
  EXPECT_THROW(cudnnSetConvolutionGroupCount(conv_, 0), Error);
  EXPECT_THROW(cudnnSetConvolutionMathType(nullptr, CUDNN_FMA_MATH), Error);
}

TEST_F(Cudnn, ScalesAreOneAndZeroInTheTypeOfTheSums) {
  const double one = 1;
  alpha_ = &one;
  expect_found("expected alpha 1 (in float), got 0");
  alpha_ = nullptr;
  expect_found("alpha");
  alpha_ = x_;
  expect_found("is not in host memory");
  alpha_ = beta_ = &one_;
  expect_found("expected beta 0");
}

TEST_F(Cudnn, WorkspaceMustSuffice) {
  const size_t needed = workspace_bytes_;
  workspace_bytes_ = needed - 1;
  expect_found("the algorithm needs " + std::to_string(needed));
  workspace_bytes_ = needed;
  void* const workspace = workspace_;
  workspace_ = nullptr;
  expect_found("the algorithm needs " + std::to_string(needed));
  workspace_ = y_;
  workspace_bytes_ = kY * sizeof(float);
  expect_found("the algorithm needs " + std::to_string(needed));
  workspace_ = workspace;
  workspace_bytes_ = 2 * needed;  // more is allowed to be claimed, not to be used
  EXPECT_EQ(found(), "");
}

TEST_F(Cudnn, MemoryMustBeTheDevices) {
  const auto with = [&](float*& place, void* value, const std::string& text) {
    float* const saved = place;
    place = static_cast<float*>(value);
    expect_found(text);
    place = saved;
  };
  std::vector<float> host(kX);
  with(x_, reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(host.data()) + 15) / 16 * 16),
       "not in the memory of a device");
  with(weight_, make(kWeight - 1), "the filter");
  with(y_, make(kY - 1), "y");
  with(x_, x_ + 1, "not aligned");
  with(y_, x_ + 4, "y overlaps x");
  float* const freed = make(kX, 1.0f);
  owned_.pop_back();
  ok(cudaFree(freed));
  with(x_, freed, "freed");
  ok(cudaSetDevice(1));
  float* const elsewhere = make(kX, 1.0f);
  expect_found("the current device is 1");
  ok(cudaSetDevice(0));
  with(x_, elsewhere, "device 1");
}

TEST_F(Cudnn, MemoryMustLiveUntilTheWorkIsDone) {
  const bool lazy = options().lazy;
  options().lazy = true;
  cudaStream_t other;
  ok(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  void* x = nullptr;
  ok(cudaMallocAsync(&x, kX * sizeof(float), other));
  ok(cudaMemcpyAsync(x, x_, kX * sizeof(float), cudaMemcpyDeviceToDevice, other));
  ok(cudaStreamSynchronize(other));
  x_ = static_cast<float*>(x);
  ok(run());
  ok(cudaFreeAsync(x, other));  // does not wait for the stream that uses it
  ok(cudaStreamSynchronize(other));
  EXPECT_THROW(cudaStreamSynchronize(stream_), Error);
  ok(cudaStreamDestroy(other));
  options().lazy = lazy;
}

TEST_F(Cudnn, InputsMustBeWritten) {
  if (!checker::active()) GTEST_SKIP() << "needs instrumented kernels";
  x_ = make(kX);
  expect_found("x");
}

TEST_F(Cudnn, StreamsMustLive) {
  ok(cudaStreamDestroy(stream_));
  expect_found("the handle's stream");
  EXPECT_THROW(cudnnSetStream(handle_, stream_), Error);
  cudaStream_t other;
  ok(cudaSetDevice(1));
  ok(cudaStreamCreate(&other));
  EXPECT_THROW(cudnnSetStream(handle_, other), Error);
  ok(cudaStreamDestroy(other));
}

TEST_F(Cudnn, AlgorithmsMustBeOffered) {
  algorithm_ = CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD;
  expect_found("never offered");
  cudnnConvolutionFwdAlgoPerf_t results[8];
  int count = 0;
  ok(cudnnGetConvolutionForwardAlgorithm_v7(handle_, x_desc_, weight_desc_, conv_, y_desc_, 1,
                                            &count, results));
  EXPECT_EQ(count, 1);
  EXPECT_THROW(cudnnGetConvolutionForwardAlgorithm_v7(handle_, x_desc_, weight_desc_, conv_,
                                                      y_desc_, 0, &count, results),
               Error);
}

TEST_F(Cudnn, FailsWhenTold) {
  fail_call(Call::Library, 2);
  EXPECT_EQ(run(), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(run(), CUDNN_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(run(), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(calls(Call::Library), 3);
  fail_call(Call::Library, 0);
  refuse_convolutions(true);
  EXPECT_EQ(run(), CUDNN_STATUS_NOT_SUPPORTED);
  refuse_convolutions(false);
  EXPECT_EQ(run(), CUDNN_STATUS_SUCCESS);
}

}  // namespace
}  // namespace simt
