#if defined(WICK_WITH_CUDA)

#include <gtest/gtest.h>

#include <wick/core/check.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/runtime.h>
#include <cstdlib>
#include <string>

// What a program that was built with CUDA does with and without a driver.
namespace wick::cuda {
namespace {

bool have_device() {
  std::string reason;
  return runtime_status(reason) > 0;
}

TEST(CudaSeam, StatusSaysWhyInOneLineAndPrintsNothing) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  std::string first = "old";
  const int devices = runtime_status(first);
  std::string second;
  EXPECT_EQ(runtime_status(second), devices);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.empty(), devices > 0);
  EXPECT_EQ(first.find('\n'), std::string::npos);
}

template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another type: ") + e.what();
  }
  return "no exception";
}

TEST(CudaSeam, WithoutADeviceEveryUseIsADeviceError) {
  if (have_device()) GTEST_SKIP() << "there is a CUDA device";
  std::string reason;
  runtime_status(reason);
  const std::string expected = "cuda: cannot use device cuda:0: " + reason;
  EXPECT_EQ(error_of<DeviceError>([] { set_current_device(0); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { wait_for_device(0); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { pooled_stream(0); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { memory_info(0); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { device_properties(0); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { allocate_pinned(16); }), expected);
  EXPECT_EQ(error_of<DeviceError>([] { raw_allocate_pinned(16); }), expected);
  EXPECT_THROW(allocate(16, 0, nullptr), DeviceError);
  char byte = 0;
  EXPECT_THROW(copy_bytes(&byte, Device(kCUDA, 0), &byte, Device(kCPU, 0), 1, false), DeviceError);
  EXPECT_EQ(memory_stats(0).allocated, 0);
  EXPECT_EQ(memory_stats(0).reserved, 0);
}

TEST(CudaSeam, NothingToDoNeedsNoDevice) {
  void* stream = &stream;
  EXPECT_EQ(allocate(0, 0, &stream), nullptr);
  EXPECT_EQ(stream, nullptr);
  deallocate(nullptr, 0, nullptr);
  free_pinned(nullptr);
  copy_bytes(nullptr, Device(kCUDA, 0), nullptr, Device(kCPU, 0), 0, false);
  char from[] = "abc";
  char to[4] = {};
  copy_bytes(to, Device(kCPU, 0), from, Device(kCPU, 0), 4, false);
  EXPECT_STREQ(to, "abc");
}

TEST(CudaSeam, AScopeOfTheCurrentDeviceIsFree) {
  const int device = current_device();
  { const DeviceScope scope(device); }
  EXPECT_EQ(current_device(), device);
}

TEST(CudaSeam, ThereIsNothingToTellAtFirst) {
  for (int d = 0; d < kMaxDevices; ++d) EXPECT_NO_THROW(look(d));
}

TEST(CudaSeam, ErrorsOfTheRuntimeHaveTheirTypes) {
  // cudaErrorMemoryAllocation, cudaErrorInvalidValue
  EXPECT_THROW(throw_error(2, "test"), OutOfMemoryError);
  const std::string text = error_of<DeviceError>([] { throw_error(1, "a test"); });
  EXPECT_EQ(text, "cuda: a test failed: invalid argument");
}

void lose_a_device() {
  // cudaErrorIllegalAddress, then what comes of it; the first is what everything tells.
  const std::string expected =
      "cuda: device cuda:0 is lost: an illegal memory access was encountered, noticed in a test; "
      "its tensors are gone, restart the program";
  bool good = error_of<DeviceLost>([] { throw_error(700, "a test"); }) == expected;
  good &= error_of<DeviceLost>([] { throw_error(719, "another"); }) == expected;
  good &= error_of<DeviceLost>([] { throw_error(1, "another"); }) == expected;
  good &= error_of<DeviceLost>([] { look(0); }) == expected;
  good &= error_of<DeviceLost>([] { allocate(16, 0, nullptr); }) == expected;
  look(1);
  deallocate(&good, 0, nullptr);  // quiet
  std::exit(good ? 0 : 1);
}

TEST(CudaSeamDeathTest, ALostDeviceIsRemembered) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";  // in a process of its own
  EXPECT_EXIT(lose_a_device(), testing::ExitedWithCode(0), "");
}

TEST(CudaSeam, BlasSaysWhetherItCanBeUsed) {
  std::string reason = "old";
  const bool available = blas_available(reason);
  EXPECT_EQ(available, reason.empty()) << reason;
  EXPECT_EQ(reason.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace wick::cuda

#endif
