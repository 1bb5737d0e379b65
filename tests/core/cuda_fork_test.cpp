#include <sys/wait.h>
#include <tests/support/cuda.h>
#include <unistd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

// A child of a process that has used CUDA cannot use it: an error that says so, and never a hang.
namespace wick::test {
namespace {

class CudaFork : public OwnDevices {};

constexpr const char* kWhy =
    "CUDA was in use when this process was forked, and cannot be used in the child; fork before "
    "the "
    "first use of CUDA, or start a new program with exec";

/// 0 if f returns true in a child that ends by itself.
int status_of_child(const std::function<bool()>& f) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    bool good = false;
    try {
      good = f();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    }
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

bool refuses(const std::function<void()>& use) {
  try {
    use();
  } catch (const DeviceError& error) {
    if (std::string(error.what()).find(kWhy) != std::string::npos) return true;
    std::fprintf(stderr, "another text: %s\n", error.what());
    return false;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "another error: %s\n", error.what());
    return false;
  }
  std::fprintf(stderr, "no error\n");
  return false;
}

TEST_F(CudaFork, EveryUseInTheChildSaysWhatHappened) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({4}, kCUDA), host = ones({4}), pinned = ones({4}).pin_memory();
  const cuda::Stream stream = cuda::stream_from_pool();
  cuda::Event event;
  event.record();
  const std::function<void()> uses[] = {
      [&] { x + 1; },
      [&] { x.cpu(); },
      [&] { x[0].item(); },
      [&] { zeros({1000}, kCUDA); },
      [&] { host.to(kCUDA); },
      [&] { host.pin_memory(); },
      [&] { Tensor(pinned).copy_(x, true); },
      [&] { matmul(x, x); },
      [&] { cuda::synchronize(); },
      [&] { cuda::set_device(0); },
      [&] { stream.synchronize(); },
      [&] { stream.query(); },
      [&] { event.synchronize(); },
      [&] { event.record(); },
      [&] { cuda::stream_from_pool(); },
      [&] { cuda::get_device_properties(); },
  };
  int n = 0;
  for (const auto& use : uses) {
    EXPECT_EQ(status_of_child([&] { return refuses(use); }), 0) << "use " << ++n;
  }
  EXPECT_EQ((x + 1).sum().item<float>(), 8);  // the parent goes on
}

TEST_F(CudaFork, TheChildGoesOnWithoutCuda) {
  WICK_NEEDS_CUDA(1);
  auto held = std::make_unique<Tensor>(ones({4}, kCUDA));
  auto pinned = std::make_unique<Tensor>(ones({4}).pin_memory());
  auto event = std::make_unique<cuda::Event>();
  event->record();
  EXPECT_EQ(status_of_child([&] {
              held.reset();  // quiet
              pinned.reset();
              event.reset();
              if (cuda::is_available() || cuda::device_count() != 0) return false;
              if (cuda::unavailable_reason() != kWhy) return false;
              cuda::empty_cache();
              if (cuda::memory_allocated() != 0) return false;
              return (ones({4}) + 1).sum().item<float>() == 8;
            }),
            0);
  EXPECT_TRUE(cuda::is_available());
}

}  // namespace
}  // namespace wick::test
