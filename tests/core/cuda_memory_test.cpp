#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>

namespace wick::test {
namespace {

constexpr int64_t kMiB = 1 << 20;

class CudaMemory : public OwnDevices {};

TEST_F(CudaMemory, IsCounted) {
  WICK_NEEDS_CUDA(1);
  cuda::empty_cache();
  cuda::reset_peak_memory_stats();
  const int64_t before = cuda::memory_allocated();
  EXPECT_EQ(cuda::max_memory_allocated(), before);
  EXPECT_EQ(cuda::max_memory_reserved(), cuda::memory_reserved());
  Tensor x = empty({30 * kMiB}, TensorOptions(kUInt8).device(kCUDA));
  EXPECT_EQ(cuda::memory_allocated(), before + 30 * kMiB);
  EXPECT_EQ(cuda::max_memory_allocated(), before + 30 * kMiB);
  const int64_t reserved = cuda::memory_reserved();
  EXPECT_GE(reserved, before + 30 * kMiB);
  x = Tensor();
  EXPECT_EQ(cuda::memory_allocated(), before);
  EXPECT_EQ(cuda::max_memory_allocated(), before + 30 * kMiB);
  EXPECT_EQ(cuda::memory_reserved(), reserved);  // kept
  cuda::reset_peak_memory_stats();
  EXPECT_EQ(cuda::max_memory_allocated(), before);
  EXPECT_EQ(cuda::max_memory_reserved(), reserved);
  cuda::empty_cache();
  EXPECT_LE(cuda::memory_reserved(), reserved - 30 * kMiB);
}

TEST_F(CudaMemory, IsCountedForEachDevice) {
  WICK_NEEDS_CUDA(2);
  const int64_t first = cuda::memory_allocated(0), second = cuda::memory_allocated(1);
  const Tensor x = empty({1000}, kCuda1);
  EXPECT_EQ(cuda::memory_allocated(0), first);
  EXPECT_EQ(cuda::memory_allocated(1), second + 4096);
  EXPECT_EQ(cuda::memory_allocated(), first);
  EXPECT_THROW(cuda::memory_allocated(99), DeviceError);
}

TEST_F(CudaMemory, SummaryIsATable) {
  WICK_NEEDS_CUDA(1);
  cuda::empty_cache();
  const Tensor x = empty({30 * kMiB}, TensorOptions(kUInt8).device(kCUDA));
  const std::string text = cuda::memory_summary(), name = cuda::get_device_properties().name;
  for (const char* part : {"cuda:0, ", "allocated", "reserved", "free on the device", "pinned",
                           " MiB | ", name.c_str()}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
  }
}

TEST_F(CudaMemory, OfARecordedStreamIsNotUsedTooEarly) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  constexpr int64_t kCount = 1 << 18;
  Tensor sum = zeros({kCount}, kCUDA);
  side.wait_stream(cuda::current_stream());
  for (int i = 0; i < 8; ++i) {
    Tensor x = full({kCount}, 2, TensorOptions(kFloat32).device(kCUDA));
    side.wait_stream(cuda::current_stream());
    {
      const cuda::StreamGuard guard(side);
      sum.add_(x);
      x.record_stream(side);
    }
    x = Tensor();
    // Without the mark this could have x's memory, and be written while `side` still reads it.
    const Tensor other = full({kCount}, -100, TensorOptions(kFloat32).device(kCUDA));
  }
  cuda::default_stream().synchronize();  // all of that is written
  side.synchronize();
  EXPECT_EQ(sum.min().item<float>(), 16);
  EXPECT_EQ(sum.max().item<float>(), 16);
}

TEST_F(CudaMemory, RecordStreamIsForCudaTensors) {
  EXPECT_ERROR(DeviceError, "record_stream: expected a CUDA tensor, got one on cpu",
               ones({2}).record_stream(cuda::Stream(nullptr, 0)));
}

class CudaPinned : public OwnDevices {};

TEST_F(CudaPinned, KeepsElementsAndOrder) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = arange(24, kFloat32).view({1, 2, 3, 4}).contiguous(MemoryFormat::ChannelsLast);
  EXPECT_FALSE(x.is_pinned());
  const Tensor p = x.pin_memory();
  EXPECT_TRUE(p.is_pinned());
  EXPECT_TRUE(p.is_cpu());
  EXPECT_EQ(p.strides().vec(), x.strides().vec());
  EXPECT_TRUE(p.equal(x));
  EXPECT_TRUE(p.pin_memory().is_same(p));
  EXPECT_TRUE(p[0].is_pinned());
  EXPECT_FALSE((p + 1).is_pinned());
  EXPECT_TRUE(empty({0}).pin_memory().is_pinned());
  EXPECT_ERROR(DeviceError, "pin_memory: expected a tensor on the CPU, got one on cuda:0",
               ones({2}, kCUDA).pin_memory());
}

TEST_F(CudaPinned, PassesGradients) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({3}).requires_grad_();
  (x.pin_memory().to(kCUDA, true) * 3).sum().backward();
  expect_tensor(x.grad(), {3}, {3, 3, 3});
}

TEST_F(CudaPinned, CopiesDoNotWaitAndMemoryDoes) {
  WICK_NEEDS_CUDA(1);
  std::vector<Tensor> copies;
  for (int i = 0; i < 6; ++i) {
    // Each goes before its copy need have been made; the next must not get its memory.
    const Tensor source = full({200000}, i, kFloat32).pin_memory();
    copies.push_back(source.to(kCUDA, /*non_blocking=*/true));
    EXPECT_FALSE(copies.back().is_pinned());
  }
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(copies[i].min().item<float>(), i);
    EXPECT_EQ(copies[i].max().item<float>(), i);
  }
}

TEST_F(CudaPinned, MemoryIsUsedAgain) {
  WICK_NEEDS_CUDA(1);
  cuda::synchronize();
  Tensor p = ones({1000}).pin_memory();
  const void* const address = p.data_ptr();
  p.to(kCUDA, true);
  p = Tensor();
  cuda::synchronize();
  EXPECT_EQ(ones({1000}).pin_memory().data_ptr(), address);
}

TEST_F(CudaPinned, CopiesOfPageableMemoryAreCompleteOnReturn) {
  WICK_NEEDS_CUDA(1);
  Tensor x = ones({100000});
  const Tensor y = x.to(kCUDA, /*non_blocking=*/true);
  x.fill_(5);
  EXPECT_EQ(y.max().item<float>(), 1);
  Tensor back = zeros({100000});
  back.copy_(y, /*non_blocking=*/true);
  EXPECT_EQ(back.min().item<float>(), 1);
}

TEST_F(CudaPinned, DownloadsGoToPinnedMemory) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = arange(1000, kFloat32).to(kCUDA);
  const Tensor y = (x * 2).to(kCPU, /*non_blocking=*/true);
  EXPECT_TRUE(y.is_pinned());
  cuda::current_stream().synchronize();
  EXPECT_TRUE(y.equal(arange(1000, kFloat32) * 2));
  EXPECT_FALSE(x.to(kCPU).is_pinned());
  Tensor into = zeros({1000}).pin_memory();
  into.copy_(x, true);
  cuda::synchronize();
  EXPECT_TRUE(into.equal(arange(1000, kFloat32)));
}

TEST_F(CudaPinned, OnlyDenseCopiesOfOneTypeAreAsynchronous) {
  WICK_NEEDS_CUDA(1);
  // Converted, transposed and broadcast on the way: as if they were blocking.
  Tensor integers = arange(6).pin_memory();
  const Tensor y = integers.to(kCuda0, kFloat32, true);
  integers.fill_(7);
  expect_tensor(y.cpu(), {6}, {0, 1, 2, 3, 4, 5});
  Tensor grid = zeros({3, 2}).pin_memory();
  grid.t().copy_(arange(6, kFloat32).to(kCUDA).view({2, 3}), true);
  expect_tensor(grid, {3, 2}, {0, 3, 1, 4, 2, 5});
  Tensor rows = zeros({2, 3}).pin_memory();
  rows.copy_(arange(3, kFloat32).to(kCUDA), true);
  expect_tensor(rows, {2, 3}, {0, 1, 2, 0, 1, 2});
}

TEST_F(CudaPinned, IsCountedAsHostMemory) {
  WICK_NEEDS_CUDA(1);
  const int64_t before = live_bytes(kCPU);
  Tensor p = empty({1000}).pin_memory();
  EXPECT_EQ(live_bytes(kCPU), before + 4000);
  p = Tensor();
  EXPECT_EQ(live_bytes(kCPU), before);
  cuda::empty_cache();
}

}  // namespace
}  // namespace wick::test
