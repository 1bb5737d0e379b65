#include <gtest/gtest.h>
#include <wick/core/check.h>
#include <wick/core/cuda.h>

namespace wick {
namespace {

TEST(Device, Parses) {
  EXPECT_TRUE(Device("cpu").is_cpu());
  EXPECT_EQ(Device("cpu").index(), -1);
  EXPECT_EQ(Device("cpu:0").index(), 0);
  EXPECT_TRUE(Device("cuda").is_cuda());
  EXPECT_FALSE(Device("cuda").has_index());
  EXPECT_EQ(Device("cuda:1"), Device(kCUDA, 1));
  EXPECT_EQ(Device("cuda:0").index(), 0);
  EXPECT_EQ(Device("cuda:127").index(), 127);
}

TEST(Device, RefusesOtherTexts) {
  for (const char* text :
       {"", "CPU", "cpu:1", "cpu:", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:01", "cuda:1x",
        "cuda:128", "cuda:99999999999999999999", "cuda 1", "cudax", " cuda"}) {
    EXPECT_THROW(Device{text}, ValueError) << text;
  }
  EXPECT_THROW(Device(kCUDA, 128), ValueError);
  EXPECT_THROW(Device(kCUDA, -2), ValueError);
}

TEST(Device, Prints) {
  EXPECT_EQ(Device(kCPU, 0).str(), "cpu");
  EXPECT_EQ(Device(kCUDA).str(), "cuda");
  EXPECT_EQ(str(Device(kCUDA, 3)), "cuda:3");
}

TEST(Device, ResolvesTheIndex) {
  EXPECT_EQ(detail::resolve_device("test", kCPU), Device(kCPU, 0));
  EXPECT_THROW(detail::resolve_device("test", Device(kCPU, 1)), DeviceError);
  if (cuda::is_available()) {
    EXPECT_TRUE(cuda::unavailable_reason().empty());
    EXPECT_TRUE(detail::resolve_device("test", kCUDA).has_index());
    EXPECT_THROW(detail::resolve_device("test", Device(kCUDA, cuda::device_count())), DeviceError);
    return;
  }
  EXPECT_EQ(cuda::device_count(), 0);
  EXPECT_FALSE(cuda::unavailable_reason().empty());
  try {
    detail::resolve_device("zeros", kCUDA);
    FAIL() << "no error";
  } catch (const DeviceError& e) {
    EXPECT_EQ(std::string(e.what()),
              "zeros: cannot use device cuda: " + cuda::unavailable_reason());
  }
}

}  // namespace
}  // namespace wick
