#include <gtest/gtest.h>
#include <wick/core/cuda.h>
#include <wick/core/options.h>
#include <wick/core/storage.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// Runs a program's tests. A test that leaves a tensor, a node or memory behind fails: what is alive
// after it must be what was alive before it.
//   WICK_TEST_DEVICE=cuda   tensors are made there unless a test says where
//   WICK_REQUIRE_CUDA=1     a machine without a GPU is a failure
namespace {

using wick::kCPU;
using wick::kCUDA;

class NothingLeftBehind : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { before_ = now(); }

  void OnTestEnd(const testing::TestInfo&) override {
    const Live after = now();
    EXPECT_EQ(after.tensors, before_.tensors) << "tensors were left behind";
    EXPECT_EQ(after.nodes, before_.nodes) << "autograd nodes were left behind";
    EXPECT_EQ(after.bytes, before_.bytes) << "bytes of CPU memory were left behind";
    EXPECT_EQ(after.device_bytes, before_.device_bytes) << "bytes of CUDA memory were left behind";
  }

  struct Live {
    int64_t tensors = 0;
    int64_t nodes = 0;
    int64_t bytes = 0;
    int64_t device_bytes = 0;
  };
  static Live now() {
    return {wick::live_tensors(), wick::live_nodes(), wick::live_bytes(kCPU),
            wick::live_bytes(kCUDA)};
  }

  Live before_;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const std::string device = variable("WICK_TEST_DEVICE");
  const bool list_only = testing::GTEST_FLAG(list_tests);
  if (!list_only && (device == "cuda" || variable("WICK_REQUIRE_CUDA") == "1") &&
      !wick::cuda::is_available()) {
    std::fprintf(stderr, "there is no CUDA device: %s\n", wick::cuda::unavailable_reason().c_str());
    return 1;
  }
  if (!list_only && !device.empty()) wick::set_default_device(wick::Device(device));
  testing::UnitTest::GetInstance()->listeners().Append(new NothingLeftBehind);
  const int result = RUN_ALL_TESTS();
  if (result != 0 && device == "cuda")  // what the emulation's schedule follows from
    std::fprintf(stderr, "WICK_SIMT_SEED=%s\n", variable("WICK_SIMT_SEED").c_str());
  return result;
}
