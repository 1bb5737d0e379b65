#pragma once

#include <gtest/gtest.h>
#include <wick/core/cuda.h>
#include <wick/core/options.h>
#include <wick/core/tensor.h>
#include <string>

// Tests that need GPUs, real or emulated.

/// Ends the test as skipped, with the reason, where there are fewer devices.
#define WICK_NEEDS_CUDA(devices)                                       \
  if (::wick::cuda::device_count() < (devices))                        \
  GTEST_SKIP() << "needs " << (devices) << " CUDA devices, there are " \
               << ::wick::cuda::device_count() << "; " << ::wick::cuda::unavailable_reason()

namespace wick::test {

inline const Device kCuda0(kCUDA, 0);
inline const Device kCuda1(kCUDA, 1);

/// Errors that kernels find come out here, if they have not come out before.
inline void finish_device_work() {
  for (int d = 0; d < cuda::device_count(); ++d) cuda::synchronize(d);
}

inline void finish(const Tensor&) { finish_device_work(); }

/// The text of the E that f, or the work that it gave the devices, throws.
template <class E, class F>
std::string error_text(F&& f) {
  try {
    f();
    finish_device_work();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another type: ") + error.what();
  }
  return "no error";
}

/// A test's own default device, device and streams.
class OwnDevices : public testing::Test {
 protected:
  void SetUp() override {
    default_device_ = get_default_device();
    set_default_device(kCPU);
  }
  void TearDown() override {
    finish_device_work();
    set_default_device(default_device_);
    EXPECT_EQ(cuda::current_device(), 0);
    for (int d = 0; d < cuda::device_count(); ++d)
      EXPECT_TRUE(cuda::current_stream(d) == cuda::default_stream(d)) << "device " << d;
  }

 private:
  Device default_device_ = kCPU;
};

}  // namespace wick::test
