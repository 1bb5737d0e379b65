#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <tests/simt/control.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

// Memory, devices and faults of the runtime's stand-in.
namespace simt {
namespace {

constexpr size_t kMiB = 1 << 20;

void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }

class Runtime : public testing::Test {
 protected:
  void SetUp() override {
    options().lazy = true;
    ok(cudaSetDevice(0));
    ok(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  void TearDown() override {
    restore();
    fail_call(Call::Allocation, 0);
    fail_call(Call::Launch, 0);
    cudaSetDevice(0);
    cudaDeviceSynchronize();
    cudaStreamDestroy(stream_);
    cudaGetLastError();
    options() = saved_;
  }
  cudaError_t launch_of(dim3 grid, dim3 block, size_t shared_bytes = 0) {
    return launch({&kernel_, grid, block, shared_bytes}, stream_, [](int) {});
  }

  const Options saved_ = options();
  cudaStream_t stream_ = nullptr;
  char kernel_ = 0;  // stands for one
};

TEST_F(Runtime, MemoryIsPoisonedExactAndApart) {
  unsigned char* first;
  unsigned char* second;
  ok(cudaMalloc(&first, 1001));
  ok(cudaMalloc(&second, 1));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(second) % 256, 0u);
  EXPECT_GE(std::abs(second - first), 1001 + 256);
  std::vector<unsigned char> host(1001);
  ok(cudaMemcpy(host.data(), first, host.size(), cudaMemcpyDeviceToHost));
  EXPECT_EQ(std::count(host.begin(), host.end(), 0xff), 1001);

  const Allocation a = find_allocation(first + 1000);
  EXPECT_EQ(a.base, reinterpret_cast<char*>(first));
  EXPECT_EQ(a.size, 1001u);
  EXPECT_TRUE(a.live);
  EXPECT_EQ(a.device, 0);
  require_memory(first, 1001, 0, "all of it");
  EXPECT_THROW(require_memory(first + 1, 1001, 0, "one too many"), Error);
  EXPECT_THROW(require_memory(&host, 1, 0, "host memory"), Error);
  EXPECT_THROW(require_memory(first, 1, 1, "another device"), Error);
  ok(cudaFree(first));
  EXPECT_FALSE(find_allocation(first).live);
  EXPECT_THROW(require_memory(first, 1, 0, "freed"), Error);
  require_memory(first, 0, 0, "nothing");
  ok(cudaFree(second));
}

TEST_F(Runtime, FreesThatAreNone) {
  char* p;
  ok(cudaMalloc(&p, 16));
  EXPECT_EQ(cudaFree(p + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(p), cudaErrorInvalidValue);
  ok(cudaFree(p));
  EXPECT_EQ(cudaFree(p), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(&p), cudaErrorInvalidValue);
  ok(cudaFree(nullptr));
  ok(cudaFreeHost(nullptr));
  ok(cudaMalloc(&p, 0));
  EXPECT_EQ(p, nullptr);
}

TEST_F(Runtime, FreedMemoryIsNotGivenOutAgainAtOnceButInTheEnd) {
  std::vector<char*> given;
  for (int i = 0; i < 12; ++i) {
    char* p;
    const size_t bytes = (i % 2 ? 64 : 48) * kMiB;
    ok(cudaMalloc(&p, bytes));
    EXPECT_EQ(find_allocation(p + bytes - 1).base, p) << "not an older one";
    if (i > 0) {
      EXPECT_NE(p, given.back());
    }
    given.push_back(p);
    ok(cudaFree(p));
  }
  const auto [lowest, highest] = std::minmax_element(given.begin(), given.end());
  EXPECT_LT(*highest - *lowest, 11 * 48 * static_cast<ptrdiff_t>(kMiB)) << "some overlap";
}

TEST_F(Runtime, MemoryIsLimited) {
  size_t free, total;
  ok(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(total, 8192 * kMiB);
  const size_t used = total - free;
  limit_memory(0, used + 3 * kMiB);
  void *p, *q;
  ok(cudaMalloc(&p, 2 * kMiB));
  EXPECT_EQ(cudaMalloc(&q, 2 * kMiB), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "not sticky";
  ok(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, kMiB);
  EXPECT_EQ(total, used + 3 * kMiB);
  ok(cudaFree(p));
  ok(cudaMalloc(&q, 2 * kMiB));
  ok(cudaFree(q));
  limit_memory(0, 8192 * kMiB);
}

TEST_F(Runtime, CopiesMustFitKindAndMemory) {
  char* device;
  char host[16] = {};
  ok(cudaMalloc(&device, 16));
  const auto copy = [&](void* dst, const void* src, size_t bytes, cudaMemcpyKind kind) {
    return cudaMemcpyAsync(dst, src, bytes, kind, stream_);
  };
  EXPECT_EQ(copy(device, host, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(copy(host, device, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(copy(device, host, 16, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(copy(device, host, 17, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(copy(host, device + 1, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(copy(nullptr, device, 1, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(device, 0, 17, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host, 0, 1, stream_), cudaErrorInvalidValue);
  EXPECT_THROW(copy(device, device + 1, 8, cudaMemcpyDeviceToDevice), Error) << "overlap";
  ok(copy(device, host, 16, cudaMemcpyDefault));
  ok(copy(device, nullptr, 0, cudaMemcpyHostToDevice));
  ok(cudaStreamSynchronize(stream_));
  ok(cudaFree(device));
  EXPECT_EQ(copy(device, host, 1, cudaMemcpyHostToDevice), cudaErrorInvalidValue) << "freed";
}

TEST_F(Runtime, MemoryFreedBeforeTheWorkWithItIsFound) {
  void *device, *pinned, *raw;
  ok(cudaMallocAsync(&device, 16, stream_));
  ok(cudaMemsetAsync(device, 0, 16, stream_));
  ok(cudaFree(device));  // does not wait for work with memory of cudaMallocAsync
  EXPECT_THROW(cudaStreamSynchronize(stream_), Error);

  ok(cudaMalloc(&raw, 16));
  ok(cudaMemsetAsync(raw, 0, 16, stream_));
  ok(cudaFree(raw));  // waits
  EXPECT_EQ(cudaStreamQuery(stream_), cudaSuccess);

  ok(cudaMallocAsync(&device, 16, stream_));
  ok(cudaMemsetAsync(device, 0, 16, stream_));
  ok(cudaFreeAsync(device, stream_));
  EXPECT_TRUE(find_allocation(device).live);
  ok(cudaStreamSynchronize(stream_));
  EXPECT_FALSE(find_allocation(device).live);

  // Pages that were registered can go while a copy with them is pending.
  char page[64];
  ok(cudaHostRegister(page, sizeof page, cudaHostRegisterDefault));
  ok(cudaHostAlloc(&pinned, 16, cudaHostAllocDefault));
  ok(cudaMemcpyAsync(pinned, page, 16, cudaMemcpyHostToHost, stream_));
  ok(cudaHostUnregister(page));
  ok(cudaFreeHost(pinned));
}

TEST_F(Runtime, PinnedMemory) {
  char* p;
  void* seen;
  ok(cudaHostAlloc(&p, 100, cudaHostAllocMapped | cudaHostAllocPortable));
  EXPECT_TRUE(is_pinned(p, 100));
  EXPECT_TRUE(is_pinned(p + 99, 1));
  EXPECT_FALSE(is_pinned(p + 99, 2));
  ok(cudaHostGetDevicePointer(&seen, p, 0));
  EXPECT_EQ(seen, p);
  unsigned flags = 0;
  ok(cudaHostGetFlags(&flags, p));
  EXPECT_EQ(flags, unsigned{cudaHostAllocMapped | cudaHostAllocPortable});
  EXPECT_EQ(cudaFreeHost(p + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaHostUnregister(p), cudaErrorHostMemoryNotRegistered);
  ok(cudaFreeHost(p));
  EXPECT_EQ(cudaHostGetDevicePointer(&seen, &seen, 0), cudaErrorInvalidValue);

  char host[64];
  ok(cudaHostRegister(host, sizeof host, cudaHostRegisterDefault));
  EXPECT_TRUE(is_pinned(host, sizeof host));
  EXPECT_EQ(cudaHostRegister(host + 8, 8, 0), cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_EQ(cudaFreeHost(host), cudaErrorInvalidValue);
  ok(cudaHostUnregister(host));
  EXPECT_FALSE(is_pinned(host, 1));
}

TEST_F(Runtime, PointersTellWhatTheyAre) {
  char *device, *pinned;
  ok(cudaMalloc(&device, 8));
  ok(cudaMallocHost(&pinned, 8));
  cudaPointerAttributes a;
  ok(cudaPointerGetAttributes(&a, device + 7));
  EXPECT_EQ(a.type, cudaMemoryTypeDevice);
  EXPECT_EQ(a.device, 0);
  ok(cudaPointerGetAttributes(&a, pinned));
  EXPECT_EQ(a.type, cudaMemoryTypeHost);
  ok(cudaPointerGetAttributes(&a, &a));
  EXPECT_EQ(a.type, cudaMemoryTypeUnregistered);
  ok(cudaFreeHost(pinned));
  ok(cudaFree(device));
}

TEST_F(Runtime, LaunchesHaveLimits) {
  // Compute capability 9.0, CUDA C++ programming guide, "Technical specifications".
  ok(launch_of({0x7fffffff, 1, 1}, 1024));
  ok(launch_of({1, 65535, 65535}, {1, 16, 64}));
  EXPECT_EQ(launch_of(1, 1025), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of(1, {1, 1, 65}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of(1, {512, 3, 1}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of({1, 65536, 1}, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of({1, 1, 65536}, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of({0x80000000, 1, 1}, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of(0, 32), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch_of(1, 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  constexpr auto kShared = cudaFuncAttributeMaxDynamicSharedMemorySize;
  ok(launch_of(1, 32, 48 << 10));
  EXPECT_EQ(launch_of(1, 32, (48 << 10) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(&kernel_, kShared, 228 << 10), cudaErrorInvalidValue);
  ok(cudaFuncSetAttribute(&kernel_, kShared, 227 << 10));
  ok(launch_of(1, 32, 227 << 10));
  cudaFuncAttributes attributes;
  ok(cudaFuncGetAttributes(&attributes, &kernel_));
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, 227 << 10);
  int blocks;
  ok(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, &kernel_, 256, 0));
  EXPECT_EQ(blocks, 8);  // 2048 threads
  ok(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, &kernel_, 32, 100 << 10));
  EXPECT_EQ(blocks, 2);  // 228 KiB
}

TEST_F(Runtime, Devices) {
  int count;
  ok(cudaGetDeviceCount(&count));
  EXPECT_EQ(count, device_count());
  EXPECT_EQ(cudaSetDevice(count), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(-1), cudaErrorInvalidDevice);
  cudaDeviceProp p;
  EXPECT_EQ(cudaGetDeviceProperties(&p, count), cudaErrorInvalidDevice);
  ok(cudaGetDeviceProperties(&p, 0));
  for (const auto& [attribute, value] :
       {std::pair{cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
        {cudaDevAttrWarpSize, p.warpSize},
        {cudaDevAttrComputeCapabilityMajor, p.major},
        {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock}}) {
    int got = 0;
    ok(cudaDeviceGetAttribute(&got, attribute, 0));
    EXPECT_EQ(got, value);
    EXPECT_GT(got, 0);
  }
  if (count < 2) return;
  int can;
  ok(cudaDeviceCanAccessPeer(&can, 0, 1));
  EXPECT_EQ(can, 1);
  ok(cudaDeviceEnablePeerAccess(1, 0));
  EXPECT_EQ(cudaDeviceEnablePeerAccess(1, 0), cudaErrorPeerAccessAlreadyEnabled);
  ok(cudaDeviceDisablePeerAccess(1));
  EXPECT_EQ(cudaDeviceDisablePeerAccess(1), cudaErrorPeerAccessNotEnabled);
}

TEST_F(Runtime, ErrorsHaveTheirTexts) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorIllegalAddress),
               "an illegal memory access was encountered");
  EXPECT_STREQ(cudaGetErrorString(static_cast<cudaError_t>(12345)), "unrecognized error code");
}

TEST_F(Runtime, CallsFailWhenTheyAreTold) {
  void* p;
  fail_call(Call::Allocation, 2);
  ok(cudaMalloc(&p, 8));
  ok(cudaFree(p));
  EXPECT_EQ(cudaHostAlloc(&p, 8, 0), cudaErrorMemoryAllocation);
  ok(cudaMalloc(&p, 8));
  ok(cudaFree(p));
  EXPECT_EQ(calls(Call::Allocation), 3);
  fail_call(Call::Launch, 1);
  EXPECT_EQ(launch_of(1, 32), cudaErrorLaunchOutOfResources);
  ok(launch_of(1, 32));
}

TEST_F(Runtime, ALostDeviceFailsInEveryCallAndTheOtherDoesNot) {
  void* p;
  ok(cudaMalloc(&p, 8));
  ok(cudaMemsetAsync(p, 0, 8, stream_));
  lose_device(0, cudaErrorIllegalAddress);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaFree(p), cudaErrorIllegalAddress);
  EXPECT_EQ(launch_of(1, 32), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress) << "sticky";
  EXPECT_EQ(enqueue(stream_, "a library", [] {}), cudaErrorIllegalAddress);
  EXPECT_EQ(permanent_error(0), cudaErrorIllegalAddress);
  if (device_count() > 1) {
    ok(cudaSetDevice(1));
    ok(cudaDeviceSynchronize());
    EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress) << "kept from before";
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
    EXPECT_EQ(cudaFree(p), cudaErrorIllegalAddress) << "of device 0";
    EXPECT_EQ(cudaSetDevice(0), cudaErrorIllegalAddress);
  }
  restore();
  ok(cudaSetDevice(0));
  char value = 0;
  ok(cudaDeviceSynchronize());
  ok(cudaMemcpy(&value, p, 1, cudaMemcpyDeviceToHost));
  EXPECT_EQ(value, char(-1)) << "what it had been given is lost";
  ok(cudaFree(p));
}

TEST_F(Runtime, AnUnloadedDriverFailsInEveryCall) {
  int n;
  unload_driver();
  EXPECT_EQ(cudaGetDeviceCount(&n), cudaErrorCudartUnloading);
  EXPECT_EQ(cudaFree(nullptr), cudaErrorCudartUnloading);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorCudartUnloading);
  EXPECT_EQ(cudaGetLastError(), cudaErrorCudartUnloading);
  restore();
  ok(cudaStreamSynchronize(stream_));
}

}  // namespace
}  // namespace simt
