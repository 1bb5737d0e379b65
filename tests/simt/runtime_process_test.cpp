#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tests/simt/control.h>

#include <cstdlib>
#include <cstring>
#include <string>

// What the runtime's stand-in does by process: forks, and what is read from the environment once.
namespace simt {
namespace {

TEST(RuntimeProcess, AForkedChildCannotUseTheRuntime) {
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const pid_t child = fork();
  if (child == 0) {
    void* p;
    const bool refused = cudaMalloc(&p, 8) == cudaErrorInitializationError &&
                         cudaStreamSynchronize(nullptr) == cudaErrorInitializationError &&
                         cudaGetLastError() == cudaErrorInitializationError;
    _exit(refused ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
}

/// Sets a variable of the environment, for the program that a death test starts.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* const old = std::getenv(name);
    had_ = old != nullptr;
    if (old) old_ = old;
    setenv(name, value, 1);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
  ~Variable() {
    if (had_) {
      setenv(name_, old_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  bool had_;
  std::string old_;
};

TEST(RuntimeDeathTest, AMachineWithoutDevices) {
  const Variable variable("WICK_SIMT_DEVICES", "0");
  EXPECT_EXIT(
      {
        int n = -1;
        void* p;
        const bool as_expected = cudaGetDeviceCount(&n) == cudaErrorNoDevice && n == 0 &&
                                 cudaMalloc(&p, 8) == cudaErrorNoDevice &&
                                 cudaSetDevice(0) == cudaErrorNoDevice &&
                                 cudaStreamSynchronize(nullptr) == cudaErrorNoDevice &&
                                 cudaDriverGetVersion(&n) == cudaSuccess && n >= CUDART_VERSION;
        _exit(as_expected ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(RuntimeDeathTest, HostCodeThatTouchesDeviceMemory) {
  const Variable variable("WICK_SIMT_PROTECT", "1");
  EXPECT_DEATH(
      {
        char* p = nullptr;
        const char value = 1;
        // The runtime itself may, before and after.
        if (cudaMalloc(&p, 8) == cudaSuccess &&
            cudaMemcpy(p, &value, 1, cudaMemcpyHostToDevice) == cudaSuccess)
          *static_cast<volatile char*>(p) = 2;
      },
      "host code accessed device memory");
}

}  // namespace
}  // namespace simt
