#include <gtest/gtest.h>
#include <tests/simt/control.h>
#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/ops.h>
#include <wick/optim/sgd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

// What wick does when the runtime fails, and what it does not wait for: with an emulated device one
// can say when. A stream of the emulation runs when something waits for it.
namespace wick::test {
namespace {

class RuntimeErrors : public OwnDevices {
 protected:
  void TearDown() override {
    simt::fail_call(simt::Call::Launch, 0);
    simt::fail_call(simt::Call::Allocation, 0);
    OwnDevices::TearDown();
  }
};

// --- nothing waits

TEST_F(RuntimeErrors, ABadIndexIsNotWaitedFor) {
  const Tensor x = ones({5, 2}, kCuda0), index = tensor({7}).to(kCuda0);
  const Tensor labels = tensor({0, 1, 2, 1, 0}).to(kCuda0);
  cuda::synchronize();
  const Tensor y = index_select(x, 0, index);
  const Tensor loss = cross_entropy(x, labels);
  EXPECT_FALSE(cuda::current_stream().query());
  EXPECT_THROW(cuda::synchronize(), IndexError);
}

TEST_F(RuntimeErrors, CopiesOfPinnedMemoryAreNotWaitedFor) {
  const Tensor host = ones({1000}).pin_memory();
  cuda::synchronize();
  const Tensor device = host.to(kCuda0, /*non_blocking=*/true);
  EXPECT_FALSE(cuda::current_stream().query());
  cuda::synchronize();
  const Tensor back = device.to(kCPU, /*non_blocking=*/true);
  EXPECT_FALSE(cuda::current_stream().query());
  cuda::synchronize();
  EXPECT_TRUE(back.equal(host));
  device.cpu();
  EXPECT_TRUE(cuda::current_stream().query());
}

TEST_F(RuntimeErrors, OptimizersOfManyParametersDoNotWait) {
  std::vector<Tensor> params;
  for (int i = 0; i < 100; ++i) {
    params.push_back(ones({3}).to(kCuda0).requires_grad_());
    params.back().mutable_grad() = ones({3}, kCuda0);
  }
  optim::SGD sgd(params, optim::SGDOptions(1));
  cuda::synchronize();
  sgd.step();
  EXPECT_FALSE(cuda::current_stream().query());
  EXPECT_EQ(params[99].detach().sum().item<float>(), 0);
}

TEST_F(RuntimeErrors, BackwardOnSeveralStreamsDoesNotWait) {
  const cuda::Stream side = cuda::stream_from_pool();
  const Tensor x = ones({100}).to(kCuda0).requires_grad_();
  cuda::synchronize();
  Tensor y;
  {
    const cuda::StreamGuard guard(side);
    x.record_stream(side);
    y = x * x;
  }
  cuda::current_stream().wait_stream(side);
  y.record_stream(cuda::current_stream());
  y.sum().backward();
  EXPECT_FALSE(cuda::current_stream().query());
  EXPECT_EQ(x.grad().sum().item<float>(), 200);
}

// --- a call fails

TEST_F(RuntimeErrors, AStepWhoseLaunchFailsChangesNothing) {
  const auto options = optim::SGDOptions(0.5).momentum(0.9).dampening(0.5);
  Tensor p = ones({3}).to(kCuda0).requires_grad_(), expected = ones({3}).requires_grad_();
  p.mutable_grad() = full({3}, 2).to(kCuda0);
  expected.mutable_grad() = full({3}, 2);
  optim::SGD sgd({p}, options), reference({expected}, options);
  for (int i = 0; i < 3; ++i) {
    const uint32_t version = p._version();
    simt::fail_call(simt::Call::Launch, 1);
    EXPECT_THROW(sgd.step(), DeviceError);
    EXPECT_EQ(p._version(), version);
    sgd.step();
    reference.step();
    EXPECT_EQ(p._version(), version + 1);
    expect_tensor(p.detach().cpu(), {3}, expected.to_vector<double>(), 1e-6);
  }
}

TEST_F(RuntimeErrors, AnInPlaceOpWhoseLaunchFailsChangesNothing) {
  Tensor x = ones({4}, kCuda0);
  const Tensor y = full({4}, 3, TensorOptions(kFloat32).device(kCuda0));
  const int64_t allocated = cuda::memory_allocated();
  const std::function<void()> uses[] = {[&] { x.add_(y); },  [&] { x.mul_(2); },
                                        [&] { x.fill_(7); }, [&] { x.exp_(); },
                                        [&] { x.copy_(y); }, [&] { x.slice(0, 1).zero_(); },
                                        [&] { x + y; },      [&] { x.uniform_(); }};
  for (const auto& use : uses) {
    const uint32_t version = x._version();
    simt::fail_call(simt::Call::Launch, 1);
    EXPECT_THROW(use(), DeviceError);
    EXPECT_EQ(x._version(), version);
    EXPECT_EQ(cuda::memory_allocated(), allocated);
  }
  expect_tensor(x.cpu(), {4}, {1, 1, 1, 1});
}

TEST_F(RuntimeErrors, PinnedMemoryCanRunOut) {
  cuda::empty_cache();
  const Tensor x = ones({3 << 20});
  const int64_t bytes = live_bytes(kCPU);
  simt::fail_call(simt::Call::Allocation, 1);
  EXPECT_TRUE(x.pin_memory().is_pinned());  // the second try
  EXPECT_EQ(live_bytes(kCPU), bytes);
  cuda::empty_cache();
}

// --- in a process of its own

[[noreturn]] void finish_process(const std::string& failure) {
  std::fprintf(stderr, "%s\n", failure.empty() ? "fine" : failure.c_str());
  std::exit(failure.empty() ? 0 : 1);
}

void lose_one_device_of_two() {
  const Tensor a = ones({4}, kCuda0), b = ones({4}, kCuda1);
  finish_device_work();
  simt::lose_device(1, cudaErrorIllegalAddress);
  const std::string expected =
      "cuda: device cuda:1 is lost: an illegal memory access was encountered, noticed in "
      "set_device; its tensors are gone, restart the program";
  std::string failure;
  const auto expect = [&](const std::string& got) {
    if (got != expected && failure.empty()) failure = got;
  };
  const auto text = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const DeviceLost& error) {
      return error.what();
    } catch (const std::exception& error) {
      return std::string("another type: ") + error.what();
    }
    return "no error";
  };
  expect(text([&] { b + 1; }));
  simt::lose_device(1, cudaErrorLaunchFailure);  // what comes of it: the first is what is told
  expect(text([&] { b + 1; }));
  expect(text([&] { b.cpu(); }));
  expect(text([&] { zeros({3 << 20}, kCuda1); }));
  expect(text([&] { cuda::synchronize(1); }));
  expect(text([&] { cuda::stream_from_pool(1).synchronize(); }));
  expect(text([&] { a.to(kCuda1); }));
  expect(text([&] { matmul(b, b); }));
  if (cuda::current_device() != 0) failure = "another device is current";
  if ((a + 1).sum().item<float>() != 8) failure = "cuda:0 is of no use";
  finish_process(failure);
}

void fail_the_first_record() {
  const Tensor x = ones({5}, kCuda0), index = tensor({5}).to(kCuda0);
  for (int n = 1;; ++n) {
    cuda::synchronize();
    simt::fail_call(simt::Call::Allocation, n);
    try {
      const Tensor y = index_select(x, 0, index);
      cuda::synchronize();
      finish_process("no error");
    } catch (const OutOfMemoryError&) {
      continue;
    } catch (const IndexError&) {
      finish_process(n > 1 ? "" : "the record needed no memory");
    }
  }
}

TEST(RuntimeErrorsDeathTest, OtherDevicesGoOn) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(lose_one_device_of_two(), testing::ExitedWithCode(0), testing::Eq("fine\n"));
}

TEST(RuntimeErrorsDeathTest, TheRecordOfFaultsMayNotFitAtFirst) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(fail_the_first_record(), testing::ExitedWithCode(0), testing::Eq("fine\n"));
}

}  // namespace
}  // namespace wick::test
