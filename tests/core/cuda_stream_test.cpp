#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <set>
#include <thread>
#include <vector>

namespace wick::test {
namespace {

class CudaStream : public OwnDevices {};

// Enough work that a stream which does not wait for it would be wrong on a real GPU too.
Tensor slow_ones(Device device) {
  Tensor x = zeros({1 << 16}, device);
  for (int i = 0; i < 50; ++i) x.add_(0.02);
  return x;
}

TEST_F(CudaStream, DefaultIsCurrentAtFirst) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream stream = cuda::current_stream();
  EXPECT_TRUE(stream == cuda::default_stream());
  EXPECT_EQ(stream.device(), kCuda0);
  EXPECT_EQ(stream.native_handle(), nullptr);
  stream.synchronize();
  EXPECT_TRUE(stream.query());
}

TEST_F(CudaStream, PoolIsTakenInTurn) {
  WICK_NEEDS_CUDA(1);
  std::set<int64_t> ids;
  const cuda::Stream first = cuda::stream_from_pool();
  ids.insert(first.id());
  for (int i = 1; i < 32; ++i) {
    const cuda::Stream next = cuda::stream_from_pool();
    EXPECT_FALSE(next == first);
    EXPECT_FALSE(next == cuda::default_stream());
    ids.insert(next.id());
  }
  EXPECT_EQ(ids.size(), 32u);
  EXPECT_TRUE(cuda::stream_from_pool() == first);
  // The same handle on another device would be another stream.
  EXPECT_FALSE(cuda::Stream(nullptr, 0) == cuda::Stream(nullptr, 1));
}

TEST_F(CudaStream, GuardsNestAndBelongToAThread) {
  WICK_NEEDS_CUDA(2);
  const cuda::Stream a = cuda::stream_from_pool(0), b = cuda::stream_from_pool(1);
  {
    const cuda::StreamGuard guard(a);
    EXPECT_TRUE(cuda::current_stream() == a);
    {
      const cuda::StreamGuard inner(b);
      EXPECT_EQ(cuda::current_device(), 1);
      EXPECT_TRUE(cuda::current_stream() == b);
      EXPECT_TRUE(cuda::current_stream(0) == a);
      std::thread([] {
        EXPECT_TRUE(cuda::current_stream(0) == cuda::default_stream(0));
        EXPECT_TRUE(cuda::current_stream(1) == cuda::default_stream(1));
      }).join();
    }
    EXPECT_EQ(cuda::current_device(), 0);
    EXPECT_TRUE(cuda::current_stream(1) == cuda::default_stream(1));
  }
  EXPECT_TRUE(cuda::current_stream() == cuda::default_stream());
  cuda::set_stream(b);
  EXPECT_EQ(cuda::current_device(), 0);
  EXPECT_TRUE(cuda::current_stream(1) == b);
  cuda::set_stream(cuda::default_stream(1));
  EXPECT_THROW(cuda::set_stream(cuda::Stream(nullptr, 99)), DeviceError);
}

TEST_F(CudaStream, WaitsForAnother) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  Tensor y;
  {
    const cuda::StreamGuard guard(side);
    y = slow_ones(kCUDA);
  }
  cuda::current_stream().wait_stream(side);
  y.record_stream(cuda::current_stream());
  EXPECT_NEAR((y + 1).sum().item<float>(), 2.0 * (1 << 16), 10);
}

TEST_F(CudaStream, WaitsForAnEvent) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  const Tensor x = slow_ones(kCUDA);
  const cuda::Event event = cuda::current_stream().record_event();
  {
    const cuda::StreamGuard guard(side);
    side.wait_event(event);
    x.record_stream(side);
    EXPECT_NEAR((x * 3).sum().item<float>(), 3.0 * (1 << 16), 10);
  }
  EXPECT_TRUE(event.query());
}

TEST_F(CudaStream, WaitsAcrossDevices) {
  WICK_NEEDS_CUDA(2);
  const cuda::Stream a = cuda::stream_from_pool(0), b = cuda::stream_from_pool(1);
  const cuda::StreamGuard on_a(a);
  const Tensor x = slow_ones(kCuda0);
  cuda::Event event;
  event.record(a);
  event.block(b);
  b.synchronize();
  EXPECT_TRUE(event.query());
  EXPECT_ERROR(DeviceError,
               "Event::record: the event belongs to cuda:0, the stream to cuda:1; use another "
               "event",
               event.record(b));
  EXPECT_NEAR(x.sum().item<float>(), 1 << 16, 10);
}

TEST_F(CudaStream, SynchronizeFinishesIt) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  const cuda::StreamGuard guard(side);
  const Tensor x = slow_ones(kCUDA);
  side.synchronize();
  EXPECT_TRUE(side.query());
  EXPECT_NEAR(x.sum().item<float>(), 1 << 16, 10);
}

TEST_F(CudaStream, EventsMeasureTime) {
  WICK_NEEDS_CUDA(1);
  cuda::Event start(true), end(true);
  start.record();
  const Tensor x = slow_ones(kCUDA);
  end.record();
  end.synchronize();
  const double ms = start.elapsed_time(end);
  EXPECT_GE(ms, 0);
  EXPECT_LT(ms, 60000);
  EXPECT_LE(end.elapsed_time(start), 0);
}

TEST_F(CudaStream, EventsRefuseWhatTheyCannotMeasure) {
  WICK_NEEDS_CUDA(1);
  cuda::Event plain, timed(true), never(true);
  plain.record();
  timed.record();
  cuda::synchronize();
  EXPECT_ERROR(ValueError,
               "elapsed_time: expected events made with enable_timing, as in Event(true)",
               timed.elapsed_time(plain));
  EXPECT_ERROR(ValueError, "elapsed_time: expected two recorded events; call record() on both",
               timed.elapsed_time(never));
}

TEST_F(CudaStream, AnEventThatWasNeverRecordedHasHappened) {
  WICK_NEEDS_CUDA(1);
  const cuda::Event event;
  EXPECT_TRUE(event.query());
  event.synchronize();
  event.block(cuda::current_stream());
}

TEST_F(CudaStream, OfNoDeviceIsRefused) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream nowhere(nullptr, 99);
  const std::string text =
      str(": there is no device cuda:99; CUDA devices here: ", cuda::device_count());
  EXPECT_ERROR(DeviceError, "stream" + text, nowhere.query());
  EXPECT_ERROR(DeviceError, "stream" + text, nowhere.synchronize());
  EXPECT_ERROR(DeviceError, "stream" + text, cuda::current_stream().wait_stream(nowhere));
  EXPECT_ERROR(DeviceError, "cuda" + text, nowhere.wait_stream(cuda::current_stream()));
  EXPECT_THROW(cuda::StreamGuard{nowhere}, DeviceError);
  EXPECT_ERROR(DeviceError, "record_stream: the tensor is on cuda:0, the stream belongs to cuda:99",
               ones({2}, kCuda0).record_stream(nowhere));
}

TEST_F(CudaStream, ThreadsWorkOnStreamsOfTheirOwn) {
  WICK_NEEDS_CUDA(1);
  std::vector<std::thread> threads;
  std::vector<float> sums(4);
  for (size_t t = 0; t < sums.size(); ++t) {
    threads.emplace_back([&, t] {
      const cuda::StreamGuard guard(cuda::stream_from_pool(0));
      const Tensor x = full({40, 40}, static_cast<double>(t), kFloat32).to(kCuda0).requires_grad_();
      for (int i = 0; i < 10; ++i) (matmul(x, x) * 0.1).sum().backward();
      sums[t] = x.grad().sum().item<float>();
    });
  }
  for (std::thread& t : threads) t.join();
  // d/dx of sum(x x) is 2 * 40 t in each of the 1600 places.
  for (size_t t = 0; t < sums.size(); ++t)
    EXPECT_NEAR(sums[t], 128000.0 * static_cast<double>(t), 10) << t;
}

TEST_F(CudaStream, EventsMove) {
  WICK_NEEDS_CUDA(1);
  cuda::Event a(true);
  a.record();
  cuda::Event b(std::move(a));
  cuda::Event c;
  c = std::move(b);
  c.synchronize();
  EXPECT_EQ(c.elapsed_time(c), 0);
}

}  // namespace
}  // namespace wick::test
