#include <gtest/gtest.h>
#include <tests/simt/control.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/linear.h>
#include <wick/optim/sgd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// What a failing device does to a training program: a typed error, nothing left behind, and the
// same numbers as ever in the next try.
namespace wick::test {
namespace {

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(2, 3, 3).padding(1)));
    norm = register_module("norm", nn::BatchNorm2d(3));
    linear = register_module("linear", nn::Linear(3 * 2 * 2, 5));
  }
  Tensor forward(const Tensor& x) { return linear(max_pool2d(relu(norm(conv(x))), 2).flatten(1)); }
  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};
  nn::Linear linear{nullptr};
};
WICK_MODULE(Net);

/// A model on the device with its optimizer and the data of a few steps.
struct Training {
  explicit Training(DeviceType device) : net((manual_seed(3), std::make_shared<NetImpl>())) {
    images = randn({8, 2, 4, 4}).to(device);
    labels = randint(5, {8}, kInt64).to(device);
    net->to(device);
    sgd = std::make_unique<optim::SGD>(net->parameters(),
                                       optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
  }
  void step(const Tensor& targets) {
    sgd->zero_grad();
    const Tensor loss = cross_entropy(net(images), targets);
    loss.backward();
    sgd->step();
    loss.cpu();  // waits, so that what has gone wrong on the device is known
  }
  std::vector<Tensor> parameters() const {
    std::vector<Tensor> on_cpu;
    for (const Tensor& p : net->parameters()) on_cpu.push_back(p.detach().cpu().clone());
    return on_cpu;
  }

  Net net;
  Tensor images, labels;
  std::unique_ptr<optim::SGD> sgd;
};

std::vector<Tensor> train(DeviceType device = kCUDA) {
  Training training(device);
  for (int i = 0; i < 2; ++i) training.step(training.labels);
  return training.parameters();
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i], b[i])) << "parameter " << i;
}

struct Live {
  int64_t tensors = live_tensors(), nodes = live_nodes(), bytes = live_bytes(kCPU),
          device_bytes = live_bytes(Device(kCUDA, 0));
  bool operator==(const Live&) const = default;
};

/// The text of the wick::Error that f throws; empty: it threw none. Any other exception fails.
std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const InternalError& error) {
    ADD_FAILURE() << "internal error: " << error.what();
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "no wick::Error: " << error.what();
  }
  return "";
}

// --- one call fails

/// `least`: calls that there must be.
void fail_each(simt::Call call, int64_t least, bool retried) {
  const std::vector<Tensor> undisturbed = train();
  const Live before;
  const int64_t allocated = cuda::memory_stats(0).allocated;
  for (int64_t n = 1;; ++n) {
    SCOPED_TRACE(str("call ", n));
    cuda::empty_cache(0);  // so that memory is asked for again
    simt::fail_call(call, n);
    std::vector<Tensor> result;
    const std::string text = error_of([&] { result = train(); });
    const int64_t calls = simt::calls(call);
    simt::fail_call(call, 0);
    if (!text.empty()) {
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    } else {
      // An allocation is tried twice, and then all is well.
      EXPECT_TRUE(calls < n || retried) << "the failure of a call was overlooked";
      expect_same(result, undisturbed);
      result.clear();
    }
    EXPECT_TRUE(Live() == before) << "something was left behind after " << text;
    EXPECT_LE(cuda::memory_stats(0).allocated, allocated) << "after " << text;
    if (calls < n) {
      EXPECT_GT(n, least) << "hardly any call was counted";
      return;
    }
    expect_same(train(), undisturbed);
  }
}

TEST(Failures, EachAllocation) { fail_each(simt::Call::Allocation, 1, true); }
TEST(Failures, EachLaunch) { fail_each(simt::Call::Launch, 30, false); }
TEST(Failures, EachCallOfALibrary) { fail_each(simt::Call::Library, 4, false); }

// --- out of memory

/// So much beyond what is in use now.
struct MemoryLimit {
  explicit MemoryLimit(size_t bytes) {
    cuda::empty_cache(0);
    simt::limit_memory(0, static_cast<size_t>(cuda::memory_stats(0).reserved) + bytes);
  }
  ~MemoryLimit() { simt::limit_memory(0, size_t{8} << 30); }
};

TEST(Failures, TooLittleMemoryAtAnyPoint) {
  const std::vector<Tensor> undisturbed = train();
  const Live before;
  int failures = 0;
  for (size_t limit = 0;; limit += size_t{1} << 19) {
    SCOPED_TRACE(limit);
    std::string text;
    {
      const MemoryLimit little(limit);
      text = error_of([] { train(); });
    }
    EXPECT_TRUE(Live() == before) << "after " << text;
    expect_same(train(), undisturbed);
    if (text.empty()) break;
    EXPECT_NE(text.find("out of"), std::string::npos) << text;
    ++failures;
    ASSERT_LT(limit, size_t{1} << 30);
  }
  EXPECT_GT(failures, 0);
}

TEST(Failures, FreedMemoryCanBeUsedAgain) {
  const MemoryLimit limit(size_t{64} << 20);
  Tensor first = zeros({10 << 20}, kCUDA);  // 40 MiB
  try {
    zeros({10 << 20}, kCUDA);
    ADD_FAILURE() << "no error";
  } catch (const OutOfMemoryError& error) {
    const std::string text = error.what();
    for (const char* part : {"41943040", "requested", "allocated", "cached", "free"})
      EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in: " << text;
  }
  EXPECT_EQ(first.sum().item<float>(), 0);  // the program goes on
  first = Tensor();
  EXPECT_EQ(ones({12 << 20}, kCUDA).sum().item<float>(), 12 << 20);
}

// --- a bad label or index

TEST(Failures, ABadLabelIsNamedAndChangesNothing) {
  const std::vector<Tensor> two_steps = train();
  Training training(kCUDA);
  training.step(training.labels);
  const std::vector<Tensor> before = training.parameters();
  Tensor bad = training.labels.cpu().clone();
  bad[3] = 5;
  bad[6] = -1;
  std::string text, text_on_cpu;
  try {
    Training(kCPU).step(bad);
  } catch (const IndexError& error) {
    text_on_cpu = error.what();
  }
  try {
    training.step(bad.to(kCUDA));
  } catch (const IndexError& error) {
    text = error.what();
  }
  EXPECT_EQ(text, text_on_cpu);
  for (const char* part : {"cross_entropy", "target 5", "position 3", "5 classes"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in: " << text;
  expect_same(training.parameters(), before);
  // Neither did the momentum: the next step is the second.
  training.step(training.labels);
  expect_same(training.parameters(), two_steps);
}

TEST(Failures, BadIndicesAreNamedAsOnTheCpu) {
  struct Use {
    const char* name;
    std::function<Tensor(Device)> call;
  };
  const auto index = [](Device device) { return tensor({0, 2, 9, 3, -4}, kInt64).to(device); };
  const Use uses[] = {
      {"index_select",
       [&](Device d) {
         return ones({4, 3}, d).index_select(0, index(d));
       }},
      {"index_select",
       [&](Device d) {
         return ones({3, 4}, d).index_select(1, index(d));
       }},
      {"embedding",
       [&](Device d) {
         return embedding(ones({4, 3}, d), index(d));
       }},
      {"nll_loss",
       [&](Device d) {
         return nll_loss(ones({5, 4}, d), index(d));
       }},
      {"cross_entropy",
       [&](Device d) {
         return cross_entropy(ones({5, 4}, d), index(d));
       }},
  };
  for (const Use& use : uses) {
    SCOPED_TRACE(use.name);
    const auto text = [&](DeviceType device) {
      try {
        use.call(device).cpu();
      } catch (const IndexError& error) {
        return std::string(error.what());
      }
      return std::string("no error");
    };
    EXPECT_EQ(text(kCUDA), text(kCPU));
    EXPECT_NE(text(kCUDA).find(use.name), std::string::npos) << text(kCUDA);
    EXPECT_NE(text(kCUDA).find("position 2"), std::string::npos) << text(kCUDA);
    EXPECT_EQ((ones({3}, kCUDA) * 2).sum().item<float>(), 6);  // the device goes on
  }
}

// --- the device, or the driver, is gone: in a process of its own

[[noreturn]] void finish(const std::string& failure = "") {
  std::fprintf(stderr, "%s\n", failure.empty() ? "fine" : failure.c_str());
  std::exit(failure.empty() ? 0 : 1);
}

void lose_device_while_training() {
  const cudaError_t cause = cudaErrorIllegalAddress;
  {
    Training training(kCUDA);
    training.step(training.labels);
    const Tensor loss = cross_entropy(training.net(training.images), training.labels);
    simt::lose_device(0, cause);
    const std::function<void()> uses[] = {
        [&] { loss.backward(); },
        [&] { training.sgd->step(); },
        [&] { loss.cpu(); },
        [&] { training.net(training.images); },
        [&] { zeros({3 << 20}, kCUDA); },
        [&] { training.net->to(kCPU); },
        [&] { ones({3}).to(kCUDA); },
        [&] { (training.images + 1).cpu(); },
    };
    std::string wrong;
    for (size_t i = 0; i < std::size(uses); ++i) {
      try {
        uses[i]();
        wrong += str("use ", i, " went on; ");
      } catch (const DeviceLost& error) {
        const std::string text = error.what();
        if (text.find(cudaGetErrorString(cause)) == std::string::npos)
          wrong += str("use ", i, " does not name the cause: ", text, "; ");
      } catch (const std::exception& error) {
        wrong += str("use ", i, " is no DeviceLost: ", error.what(), "; ");
      }
    }
    if (!wrong.empty()) finish(wrong);
  }  // model, graph and optimizer go without a word
  finish();
}

void unload_driver_before_tensors() {
  auto training = std::make_unique<Training>(kCUDA);
  training->step(training->labels);
  Tensor loss = cross_entropy(training->net(training->images), training->labels);
  simt::unload_driver();
  loss = Tensor();
  training.reset();
  finish();
}

void exit_with_live_tensors() {
  static Training training(kCUDA);  // destroyed after main
  training.step(training.labels);
  std::atexit([] { simt::unload_driver(); });
  finish();
}

TEST(FailuresDeathTest, ALostDeviceIsNamedByAllThatFollows) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(lose_device_while_training(), testing::ExitedWithCode(0), testing::Eq("fine\n"));
}

TEST(FailuresDeathTest, DestructorsAreQuietWithoutADriver) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(unload_driver_before_tensors(), testing::ExitedWithCode(0), testing::Eq("fine\n"));
  EXPECT_EXIT(exit_with_live_tensors(), testing::ExitedWithCode(0), testing::Eq("fine\n"));
}

}  // namespace
}  // namespace wick::test
