#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <tests/simt/control.h>

#include <cstring>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

// The order of work: streams are lazy, so that what is not waited for has not happened.
namespace simt {
namespace {

constexpr int kCount = 64;
constexpr size_t kBytes = kCount * sizeof(int);

/// Asserts, so that a broken fixture does not look like a found bug.
void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }

class Streams : public testing::Test {
 protected:
  void SetUp() override {
    options().lazy = true;
    ok(cudaSetDevice(0));
    for (cudaStream_t& s : stream_) ok(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    ok(cudaMalloc(&device_, kBytes));
    ok(cudaMalloc(&other_, kBytes));
    ok(cudaHostAlloc(&pinned_, kBytes, cudaHostAllocDefault));
    std::iota(values_.begin(), values_.end(), 1);
  }
  void TearDown() override {
    cudaSetDevice(0);
    cudaDeviceSynchronize();
    cudaFreeHost(pinned_);
    cudaFree(device_);
    cudaFree(other_);
    for (cudaStream_t s : stream_) cudaStreamDestroy(s);
    cudaGetLastError();
    options().lazy = saved_.lazy;
    options().order = saved_.order;
  }

  /// A kernel that copies one buffer to the other.
  cudaError_t copy_kernel(int* to, const int* from, cudaStream_t stream) {
    return launch({nullptr, 1, 32, 0}, stream, [=](int) {
      const DeviceAccess access;
      std::memcpy(to, from, kBytes);
    });
  }
  /// What the device's memory holds, read behind everything.
  std::vector<int> read(const int* p) {
    std::vector<int> out(kCount);
    ok(cudaDeviceSynchronize());
    ok(cudaMemcpy(out.data(), p, kBytes, cudaMemcpyDeviceToHost));
    return out;
  }
  void upload(cudaStream_t stream) {
    std::memcpy(pinned_, values_.data(), kBytes);
    ok(cudaMemcpyAsync(device_, pinned_, kBytes, cudaMemcpyHostToDevice, stream));
  }

  const Options saved_ = options();
  cudaStream_t stream_[3] = {};
  int* device_ = nullptr;
  int* other_ = nullptr;
  int* pinned_ = nullptr;
  std::vector<int> values_ = std::vector<int>(kCount);
  const std::vector<int> poison_ = std::vector<int>(kCount, -1);
};

TEST_F(Streams, WorkThatNobodyWaitsForHasNotHappened) {
  upload(stream_[0]);
  ok(copy_kernel(other_, device_, stream_[1]));  // no wait for stream 0: reads poison
  ok(cudaStreamSynchronize(stream_[1]));
  ok(cudaStreamSynchronize(stream_[0]));
  EXPECT_EQ(read(other_), poison_);
  EXPECT_EQ(read(device_), values_);
}

TEST_F(Streams, AnEventOrdersStreams) {
  cudaEvent_t event;
  ok(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  EXPECT_EQ(cudaEventQuery(event), cudaSuccess) << "never recorded";
  upload(stream_[0]);
  ok(cudaEventRecord(event, stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event, 0));
  EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
  ok(cudaEventDestroy(event));  // takes effect when it has happened
  ok(copy_kernel(other_, device_, stream_[1]));
  ok(cudaStreamSynchronize(stream_[1]));
  EXPECT_EQ(read(other_), values_);
}

TEST_F(Streams, AnEventRecordedAgainStandsForTheNewPlace) {
  cudaEvent_t event;
  ok(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  ok(cudaEventRecord(event, stream_[0]));
  ok(cudaStreamWaitEvent(stream_[1], event, 0));  // of the first record alone
  upload(stream_[0]);
  ok(cudaEventRecord(event, stream_[0]));
  ok(copy_kernel(other_, device_, stream_[1]));
  ok(cudaStreamSynchronize(stream_[1]));
  EXPECT_EQ(cudaEventQuery(event), cudaErrorNotReady);
  ok(cudaEventSynchronize(event));
  EXPECT_EQ(cudaEventQuery(event), cudaSuccess);
  EXPECT_EQ(read(other_), poison_);
  ok(cudaEventDestroy(event));
}

TEST_F(Streams, PinnedMemoryIsReadWhenTheCopyRuns) {
  upload(stream_[0]);
  std::memset(pinned_, 0, kBytes);  // too early
  ok(cudaStreamSynchronize(stream_[0]));
  EXPECT_EQ(read(device_), std::vector<int>(kCount));
}

TEST_F(Streams, PageableMemoryIsReadWhenTheCallIsMade) {
  std::vector<int> host = values_;
  ok(cudaMemcpyAsync(device_, host.data(), kBytes, cudaMemcpyHostToDevice, stream_[0]));
  std::fill(host.begin(), host.end(), 0);
  ok(cudaStreamSynchronize(stream_[0]));
  EXPECT_EQ(read(device_), values_);
}

TEST_F(Streams, DownloadsToPinnedMemoryAreLazyAndToPageableAreNot) {
  upload(stream_[0]);
  ok(cudaStreamSynchronize(stream_[0]));
  std::memset(pinned_, 0, kBytes);
  ok(cudaMemcpyAsync(pinned_, device_, kBytes, cudaMemcpyDeviceToHost, stream_[0]));
  EXPECT_EQ(pinned_[3], 0);
  std::vector<int> host(kCount);
  ok(cudaMemcpyAsync(host.data(), device_, kBytes, cudaMemcpyDeviceToHost, stream_[0]));
  EXPECT_EQ(host, values_);
  EXPECT_EQ(pinned_[3], 4) << "it was given before";
}

TEST_F(Streams, TheDefaultStreamIsOrderedWithBlockingStreamsAlone) {
  cudaStream_t blocking;
  ok(cudaStreamCreate(&blocking));
  upload(blocking);
  ok(copy_kernel(other_, device_, nullptr));
  ok(cudaStreamSynchronize(nullptr));
  EXPECT_EQ(read(other_), values_);

  ok(cudaMemsetAsync(device_, 0, kBytes, nullptr));
  ok(copy_kernel(other_, device_, blocking));
  ok(cudaStreamSynchronize(blocking));
  EXPECT_EQ(read(other_), std::vector<int>(kCount));
  ok(cudaStreamDestroy(blocking));

  ok(cudaMemsetAsync(device_, 1, kBytes, nullptr));
  ok(copy_kernel(other_, device_, stream_[0]));
  ok(cudaStreamSynchronize(stream_[0]));
  ok(cudaDeviceSynchronize());
  EXPECT_EQ(read(other_), std::vector<int>(kCount));
}

TEST_F(Streams, WhoAsksForeverGetsAnAnswer) {
  upload(stream_[0]);
  int in_vain = 0;
  while (cudaStreamQuery(stream_[0]) == cudaErrorNotReady && in_vain < 1000) ++in_vain;
  EXPECT_GT(in_vain, 5);
  EXPECT_LT(in_vain, 1000);
}

TEST_F(Streams, TheOrderBetweenStreamsIsNotAlwaysTheSame) {
  options().order = Order::Random;
  std::set<int> first;
  for (int round = 0; round < 50; ++round) {
    std::vector<int> order;
    for (int i = 0; i < 3; ++i)
      ok(launch({nullptr, 1, 32, 0}, stream_[i], [&order, i](int) { order.push_back(i); }));
    ok(cudaDeviceSynchronize());
    ASSERT_EQ(order.size(), 3u);
    first.insert(order[0]);
  }
  EXPECT_EQ(first, (std::set<int>{0, 1, 2}));
}

TEST_F(Streams, EagerStreamsRunAtOnce) {
  options().lazy = false;
  upload(stream_[0]);
  EXPECT_EQ(cudaStreamQuery(stream_[0]), cudaSuccess);
}

TEST_F(Streams, EventsOrderDevices) {
  if (device_count() < 2) GTEST_SKIP() << "one device";
  cudaEvent_t event;
  cudaStream_t far;
  int* memory;
  ok(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  upload(stream_[0]);
  ok(cudaEventRecord(event, stream_[0]));
  ok(cudaSetDevice(1));
  ok(cudaMalloc(&memory, kBytes));
  ok(cudaStreamCreateWithFlags(&far, cudaStreamNonBlocking));
  EXPECT_EQ(cudaEventRecord(event, far), cudaErrorInvalidResourceHandle) << "of another device";
  ok(cudaStreamWaitEvent(far, event, 0));
  ok(cudaMemcpyPeerAsync(memory, 1, device_, 0, kBytes, far));
  ok(cudaStreamSynchronize(far));
  EXPECT_EQ(read(memory), values_);
  EXPECT_EQ(device_of(memory), 1);
  EXPECT_EQ(copy_kernel(memory, memory, stream_[0]), cudaErrorInvalidResourceHandle)
      << "the stream of another device";
  ok(cudaStreamDestroy(far));
  ok(cudaFree(memory));
  ok(cudaEventDestroy(event));
}

TEST_F(Streams, EachDeviceHasADefaultStream) {
  if (device_count() < 2) GTEST_SKIP() << "one device";
  ok(cudaMemsetAsync(device_, 0, kBytes, nullptr));
  ok(cudaSetDevice(1));
  ok(cudaDeviceSynchronize());
  ok(cudaSetDevice(0));
  EXPECT_EQ(cudaStreamQuery(nullptr), cudaErrorNotReady);
}

TEST_F(Streams, TimeBetweenEvents) {
  cudaEvent_t start, end, untimed;
  ok(cudaEventCreate(&start));
  ok(cudaEventCreate(&end));
  ok(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  float ms = -1;
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, end), cudaErrorInvalidResourceHandle);
  ok(cudaEventRecord(start, stream_[0]));
  ok(cudaLaunchHostFunc(
      stream_[0], [](void*) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); },
      nullptr));
  ok(cudaEventRecord(end, stream_[0]));
  ok(cudaEventRecord(untimed, stream_[0]));
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, end), cudaErrorNotReady);
  ok(cudaEventSynchronize(end));
  ok(cudaEventElapsedTime(&ms, start, end));
  EXPECT_GE(ms, 3);
  EXPECT_EQ(cudaEventElapsedTime(&ms, start, untimed), cudaErrorInvalidResourceHandle);
  for (cudaEvent_t e : {start, end, untimed}) ok(cudaEventDestroy(e));
}

TEST_F(Streams, HostFunctionsMayNotCallTheRuntime) {
  static cudaError_t inside;
  inside = cudaSuccess;
  ok(cudaLaunchHostFunc(
      stream_[0], [](void*) { inside = cudaDeviceSynchronize(); }, nullptr));
  ok(cudaStreamSynchronize(stream_[0]));
  EXPECT_EQ(inside, cudaErrorNotPermitted);
  ok(cudaDeviceSynchronize());
}

TEST_F(Streams, DestroyedHandlesAreFound) {
  cudaEvent_t event;
  cudaStream_t stream;
  ok(cudaEventCreate(&event));
  ok(cudaEventDestroy(event));
  EXPECT_THROW(cudaEventRecord(event, stream_[0]), Error);
  EXPECT_THROW(cudaStreamWaitEvent(stream_[0], event, 0), Error);
  EXPECT_THROW(cudaEventQuery(event), Error);
  ok(cudaStreamCreate(&stream));
  ok(cudaMemsetAsync(device_, 0, kBytes, stream));
  ok(cudaStreamDestroy(stream));
  EXPECT_THROW(cudaStreamSynchronize(stream), Error);
  EXPECT_THROW(require_stream(stream, 0, "a library"), Error);
  EXPECT_EQ(read(device_), std::vector<int>(kCount)) << "the destroyed stream's work is done";
  EXPECT_EQ(cudaEventRecord(nullptr, stream_[0]), cudaErrorInvalidResourceHandle);
}

TEST_F(Streams, WhatWorkThrowsComesOutOfTheWait) {
  ok(launch({nullptr, 1, 32, 0}, stream_[0], [](int) { throw Error("simt: planted"); }));
  upload(stream_[0]);
  EXPECT_THROW(cudaStreamSynchronize(stream_[0]), Error);
  ok(cudaStreamSynchronize(stream_[0]));
  EXPECT_EQ(read(device_), poison_) << "what was behind it is dropped";
}

TEST_F(Streams, TwoHostThreads) {
  constexpr int kRounds = 200;
  int64_t sums[2] = {};
  const auto work = [&](int t) {
    ok(cudaSetDevice(t % device_count()));
    int* memory;
    cudaStream_t stream;
    ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (int i = 0; i < kRounds; ++i) {
      int value = i;
      ok(cudaMalloc(&memory, sizeof value));
      ok(cudaMemcpyAsync(memory, &value, sizeof value, cudaMemcpyHostToDevice, stream));
      value = -1;
      ok(cudaMemcpyAsync(&value, memory, sizeof value, cudaMemcpyDeviceToHost, stream));
      sums[t] += value;
      ok(cudaFree(memory));
    }
    ok(cudaStreamDestroy(stream));
  };
  std::thread first(work, 0), second(work, 1);
  first.join();
  second.join();
  EXPECT_EQ(sums[0], kRounds * (kRounds - 1) / 2);
  EXPECT_EQ(sums[1], sums[0]);
}

}  // namespace
}  // namespace simt
