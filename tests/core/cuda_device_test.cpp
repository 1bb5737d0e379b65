#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <functional>
#include <sstream>
#include <thread>

namespace wick::test {
namespace {

class CudaDevice : public OwnDevices {};

TEST_F(CudaDevice, WithoutCudaEverythingSaysWhy) {
  if (cuda::is_available()) GTEST_SKIP() << "CUDA is available";
  const std::string why = ": cannot use device cuda: " + cuda::unavailable_reason();
  const std::string why0 = ": cannot use device cuda:0: " + cuda::unavailable_reason();
  EXPECT_ERROR(DeviceError, "set_device" + why0, cuda::set_device(0));
  EXPECT_ERROR(DeviceError, "DeviceGuard" + why0, cuda::DeviceGuard guard(0));
  EXPECT_ERROR(DeviceError, "synchronize" + why, cuda::synchronize());
  EXPECT_ERROR(DeviceError, "get_device_properties" + why, cuda::get_device_properties());
  EXPECT_ERROR(DeviceError, "default_stream" + why, cuda::default_stream());
  EXPECT_ERROR(DeviceError, "current_stream" + why, cuda::current_stream());
  EXPECT_ERROR(DeviceError, "stream_from_pool" + why, cuda::stream_from_pool());
  EXPECT_ERROR(DeviceError, "current_stream" + why, cuda::Event().record());
  EXPECT_ERROR(DeviceError, "pin_memory" + why, ones({2}).pin_memory());
  EXPECT_ERROR(DeviceError, "to" + why, ones({2}).to(kCUDA));
  EXPECT_EQ(cuda::current_device(), 0);
  EXPECT_EQ(cuda::memory_allocated() + cuda::max_memory_allocated() + cuda::memory_reserved() +
                cuda::max_memory_reserved(),
            0);
  cuda::reset_peak_memory_stats();
  cuda::empty_cache();
  EXPECT_EQ(cuda::memory_summary(), "CUDA is not available: " + cuda::unavailable_reason() + "\n");
  EXPECT_FALSE(ones({2}).is_pinned());
}

TEST_F(CudaDevice, AGuardOfTheCpuChangesNothing) {
  const cuda::DeviceGuard guard(kCPU);
  EXPECT_EQ(cuda::current_device(), 0);
}

TEST_F(CudaDevice, IsCurrentForAThreadAndAGuard) {
  WICK_NEEDS_CUDA(2);
  EXPECT_EQ(cuda::current_device(), 0);
  {
    const cuda::DeviceGuard guard(1);
    EXPECT_EQ(cuda::current_device(), 1);
    EXPECT_EQ(ones({2}, kCUDA).device(), kCuda1);
    EXPECT_EQ(cuda::current_stream().device_index(), 1);
    {
      const cuda::DeviceGuard inner(kCuda0);
      EXPECT_EQ(ones({2}, kCUDA).device(), kCuda0);
    }
    std::thread([] { EXPECT_EQ(cuda::current_device(), 0); }).join();
    EXPECT_EQ(cuda::current_device(), 1);
  }
  EXPECT_EQ(cuda::current_device(), 0);
  cuda::set_device(1);
  EXPECT_EQ(ones({2}).to(kCUDA).device(), kCuda1);
  EXPECT_THROW(cuda::set_device(cuda::device_count()), DeviceError);
  EXPECT_EQ(cuda::current_device(), 1);
  cuda::set_device(0);
  EXPECT_THROW(cuda::DeviceGuard(100), DeviceError);
}

TEST_F(CudaDevice, HasProperties) {
  WICK_NEEDS_CUDA(1);
  const cuda::DeviceProperties p = cuda::get_device_properties(0);
  EXPECT_FALSE(p.name.empty());
  EXPECT_GE(p.major, 7);
  EXPECT_GE(p.multi_processor_count, 1);
  EXPECT_GE(p.max_threads_per_multi_processor, 1024);
  EXPECT_GE(p.shared_memory_per_block, 48 << 10);
  EXPECT_GE(p.shared_memory_per_block_optin, p.shared_memory_per_block);
  EXPECT_GT(p.total_memory, int64_t{1} << 30);
  EXPECT_ERROR(DeviceError,
               str("get_device_properties: there is no device cuda:99; CUDA devices here: ",
                   cuda::device_count()),
               cuda::get_device_properties(99));
}

/// Each with tensors of a device that is not the current one.
const std::pair<const char*, std::function<Tensor(Device)>> kOps[] = {
    {"elementwise", [](Device d) { return exp(arange(7, kFloat32).to(d) * 0.5) + 1; }},
    {"fill",
     [](Device d) {
       return full({3, 2}, 2.5, d);
     }},
    {"arange", [](Device d) { return arange(5, TensorOptions(kInt64).device(d)); }},
    {"reduction",
     [](Device d) {
       return arange(100, kFloat32).to(d).view({10, 10}).sum(0);
     }},
    {"argmax", [](Device d) { return arange(100, kFloat32).to(d).argmax(); }},
    {"matmul",
     [](Device d) {
       const Tensor x = arange(12, kFloat32).to(d).view({3, 4});
       return matmul(x, x.t());
     }},
    {"integer matmul",
     [](Device d) {
       const Tensor x = arange(12).to(d).view({3, 4});
       return matmul(x, x.t());
     }},
    {"softmax",
     [](Device d) {
       return softmax(arange(6, kFloat32).to(d).view({2, 3}), 1);
     }},
    {"index_select",
     [](Device d) {
       return index_select(arange(6, kFloat32).to(d).view({3, 2}), 0, tensor({2, 0}).to(d));
     }},
    {"cross_entropy",
     [](Device d) {
       return cross_entropy(arange(6, kFloat32).to(d).view({2, 3}), tensor({2, 0}).to(d));
     }},
    {"conv2d",
     [](Device d) {
       const Tensor x = arange(32, kFloat32).to(d).view({1, 2, 4, 4});
       return conv2d(x, ones({3, 2, 3, 3}).to(d));
     }},
    {"max_pool2d",
     [](Device d) {
       return max_pool2d(arange(16, kFloat32).to(d).view({1, 1, 4, 4}), 2);
     }},
    {"rand",
     [](Device d) {
       manual_seed(5);
       return rand({9}, d);
     }},
    {"randperm",
     [](Device d) {
       manual_seed(5);
       return randperm(9, d);
     }},
    {"transposed copy",
     [](Device d) {
       return arange(600, kFloat32).to(d).view({20, 30}).t().contiguous();
     }},
    {"cast", [](Device d) { return arange(9).to(d).to(kFloat32); }},
    {"cat",
     [](Device d) {
       return cat({ones({2}).to(d), zeros({3}).to(d)});
     }},
    {"gradient",
     [](Device d) {
       const Tensor x = arange(6, kFloat32).to(d).requires_grad_();
       (x * x).sum().backward();
       return x.grad();
     }},
};

TEST_F(CudaDevice, OpsRunWhereTheirTensorsAre) {
  WICK_NEEDS_CUDA(2);
  // A stream that is not the default one: a launch on the wrong device would be refused.
  const cuda::StreamGuard stream(cuda::stream_from_pool(1));
  const cuda::DeviceGuard first(0);
  for (const auto& [name, call] : kOps) {
    SCOPED_TRACE(name);
    const Tensor expected = call(kCPU);
    const Tensor y = call(kCuda1);
    EXPECT_EQ(y.device(), kCuda1);
    EXPECT_EQ(cuda::current_device(), 0);
    expect_tensor(y.cpu(), expected.sizes().vec(), expected.to_vector<double>(), 1e-5);
    EXPECT_EQ(cuda::current_device(), 0);
  }
}

TEST_F(CudaDevice, TensorsMoveBetweenDevices) {
  WICK_NEEDS_CUDA(2);
  const Tensor x = arange(10, kFloat32).to(kCuda0);
  const Tensor y = (x * 2).to(kCuda1) + 1;
  EXPECT_EQ(y.device(), kCuda1);
  const Tensor z = y.to(kCuda0) - x;
  expect_tensor(z.cpu(), {10}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  Tensor grid = zeros({3, 4}).to(kCuda1).t();
  grid.copy_(arange(12).to(kCuda0).view({4, 3}));
  expect_tensor(grid.cpu(), {4, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

TEST_F(CudaDevice, MixedDevicesAreRefused) {
  WICK_NEEDS_CUDA(2);
  const Tensor a = ones({2}, kCuda0), b = ones({2}, kCuda1);
  EXPECT_ERROR(DeviceError,
               "add: expected all tensors on one device, got cuda:0 and cuda:1; move one with "
               ".to(device)",
               a + b);
  std::ostringstream text;
  text << b;
  EXPECT_NE(text.str().find('1'), std::string::npos);
}

}  // namespace
}  // namespace wick::test
