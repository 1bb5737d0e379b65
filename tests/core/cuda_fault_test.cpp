#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <wick/optim/sgd.h>
#include <functional>

// Bad indices and labels on a GPU: the CPU's error, later, and a device that goes on.
namespace wick::test {
namespace {

class CudaFault : public OwnDevices {};

Tensor index_of(std::vector<int64_t> values, Device device) {
  return tensor(values, kInt64).to(device);
}

/// The same call on both devices.
void expect_same_error(const std::function<Tensor(Device)>& call) {
  const std::string expected = error_text<IndexError>([&] { call(kCPU); });
  EXPECT_NE(expected, "no error");
  EXPECT_EQ(error_text<IndexError>([&] { call(kCuda0); }), expected);
  // Told once, and the device goes on.
  finish_device_work();
  EXPECT_EQ((ones({3}, kCuda0) + 1).sum().item<float>(), 6);
}

TEST_F(CudaFault, HasTheTextOfTheCpu) {
  WICK_NEEDS_CUDA(1);
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{0, 7, 1},
                                          {0, 1, -1},
                                          {5, 9, 0},
                                          {4, INT64_MIN, 6},
                                          {int64_t{1} << 40, 0, 0},
                                          {0, INT32_MAX, 8},
                                          {0, INT32_MIN, 8},
                                          {0, INT32_MIN - int64_t{1}, 2}}) {
    SCOPED_TRACE(str(bad[0], " ", bad[1], " ", bad[2]));
    const auto index = [&](Device d) { return index_of(bad, d); };
    expect_same_error([&](Device d) { return index_select(ones({5, 2}).to(d), 0, index(d)); });
    expect_same_error([&](Device d) { return index_select(ones({3, 5, 4}).to(d), 1, index(d)); });
    expect_same_error([&](Device d) { return embedding(ones({5, 3}).to(d), index(d)); });
    expect_same_error([&](Device d) {
      return gather(ones({3, 5}).to(d), 0, index(d).view({1, 3}));
    });
    expect_same_error([&](Device d) { return ones({5}).to(d).scatter_(0, index(d), 1); });
    expect_same_error([&](Device d) { return one_hot(index(d), 5); });
    expect_same_error([&](Device d) { return nll_loss(ones({3, 5}).to(d), index(d)); });
    expect_same_error([&](Device d) { return cross_entropy(ones({3, 5}).to(d), index(d)); });
    expect_same_error([&](Device d) {
      return cross_entropy(ones({1, 5, 3}).to(d), index(d).view({1, 3}), {}, Reduction::None, -7);
    });
  }
}

TEST_F(CudaFault, IndicesThatMayBeNegativeHaveTheTextOfTheCpu) {
  WICK_NEEDS_CUDA(1);
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{0, 7, 1},
                                          {0, 1, -6},
                                          {-1, 9, -5},
                                          {4, INT64_MIN, 6},
                                          {int64_t{1} << 40, 0, 0}}) {
    SCOPED_TRACE(str(bad[0], " ", bad[1], " ", bad[2]));
    const auto index = [&](Device d) { return index_of(bad, d); };
    expect_same_error([&](Device d) { return take(ones({5}).to(d), index(d)); });
    expect_same_error([&](Device d) {
      const Tensor i = index(d);
      return ones({5, 2, 5}).to(d).index({i, indexing::Slice(), i.flip(0)});
    });
    expect_same_error([&](Device d) { return ones({5, 2}).to(d).index_put_({index(d)}, 1); });
    expect_same_error([&](Device d) { return index_fill(ones({5, 2}).to(d), 0, index(d), 1); });
  }
}

TEST_F(CudaFault, TellsTheFirstOfMany) {
  WICK_NEEDS_CUDA(1);
  std::vector<int64_t> index(5000, 1);
  for (size_t i = 4321; i < index.size(); ++i) index[i] = static_cast<int64_t>(100 + i);
  expect_same_error([&](Device d) { return embedding(ones({5, 3}).to(d), index_of(index, d)); });
  for (int64_t& i : index) i = -9;
  expect_same_error([&](Device d) { return embedding(ones({5, 3}).to(d), index_of(index, d)); });
}

TEST_F(CudaFault, EmptyRowsAndTablesAreCheckedToo) {
  WICK_NEEDS_CUDA(1);
  expect_same_error([](Device d) {
    return index_select(ones({5, 0}).to(d), 0, index_of({1, 5}, d));
  });
  expect_same_error([](Device d) { return index_select(ones({0, 3}).to(d), 0, index_of({0}, d)); });
}

TEST_F(CudaFault, TheFirstLaunchIsTold) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({5, 2}, kCuda0), logits = ones({2, 3}, kCuda0);
  const Tensor index = index_of({1, 8}, kCuda0), labels = index_of({3, 0}, kCuda0);
  EXPECT_EQ(error_text<IndexError>([&] {
              const Tensor a = index_select(x, 0, index);
              const Tensor b = cross_entropy(logits, labels);
            }),
            "index_select: index 8 at position 1 is out of range for dimension of size 5");
  finish_device_work();
}

TEST_F(CudaFault, GoodValuesAreNoFault) {
  WICK_NEEDS_CUDA(1);
  const Tensor logits = ones({3, 4}).to(kCuda0).requires_grad_();
  const Tensor loss = cross_entropy(logits, index_of({0, -100, 3}, kCuda0));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), std::log(4.0), 1e-6);
  const Tensor table = ones({4, 2}).to(kCuda0).requires_grad_();
  embedding(table, index_of({1, 1, 2}, kCuda0), /*padding_idx=*/2).sum().backward();
  expect_tensor(table.grad().cpu(), {4, 2}, {0, 0, 2, 2, 0, 0, 0, 0});
}

TEST_F(CudaFault, AnOpTellsItTooOnceTheDeviceIsThere) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({5, 2}, kCuda0);
  const Tensor y = index_select(x, 0, index_of({9}, kCuda0));
  const cuda::Event event = cuda::current_stream().record_event();
  while (!event.query()) continue;
  EXPECT_THROW(x + 1, IndexError);
  EXPECT_EQ((x + 1).sum().item<float>(), 20);
}

TEST_F(CudaFault, EveryWaitTellsIt) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({5, 2}, kCuda0), index = index_of({9}, kCuda0);
  cuda::Event event;
  Tensor y;
  const std::function<void()> waits[] = {
      [] { cuda::synchronize(0); },
      [] { cuda::current_stream().synchronize(); },
      [&] {
        event.record();
        event.synchronize();
      },
      [&] { y.cpu(); },
      [&] { y[0][0].item(); },
      [&] { y.to_vector<float>(); },
      [&] { ones({3}).to(kCUDA); },
  };
  for (const auto& wait : waits) {
    try {
      y = index_select(x, 0, index);
      wait();
      ADD_FAILURE() << "no error";
    } catch (const IndexError&) {
    }
    finish_device_work();
  }
}

TEST_F(CudaFault, ABadStepChangesNothing) {
  WICK_NEEDS_CUDA(1);
  Tensor weight = ones({4, 3}).to(kCuda0).requires_grad_();
  optim::SGD sgd({weight}, optim::SGDOptions(0.5).momentum(0.9));
  const auto step = [&](std::vector<int64_t> labels) {
    sgd.zero_grad();
    cross_entropy(weight, index_of(labels, kCuda0)).backward();
    sgd.step();
  };
  // The very first step: its momentum is not what the bad one left.
  EXPECT_EQ(error_text<IndexError>([&] {
              step({0, 1, 3, -5});
            }),
            "cross_entropy: target 3 at position 2 is out of range for 3 classes (ignore_index is "
            "-100)");
  expect_tensor(weight.detach().cpu(), {4, 3}, std::vector<double>(12, 1));
  Tensor expected = ones({4, 3}).requires_grad_();
  optim::SGD reference({expected}, optim::SGDOptions(0.5).momentum(0.9));
  for (int i = 0; i < 3; ++i) {
    step({0, 1, 2, 0});
    expected.mutable_grad() = Tensor();
    cross_entropy(expected, index_of({0, 1, 2, 0}, kCPU)).backward();
    reference.step();
    expect_tensor(weight.detach().cpu(), {4, 3}, expected.to_vector<double>(), 1e-6);
  }
  EXPECT_NE(error_text<IndexError>([&] { step({0, 1, 2, 9}); }), "no error");
  expect_tensor(weight.detach().cpu(), {4, 3}, expected.to_vector<double>(), 1e-6);
}

TEST_F(CudaFault, ABadStepChangesNothingOnOtherDevices) {
  WICK_NEEDS_CUDA(2);
  // The table is on one device, the rest of the model on the other.
  Tensor table = ones({4, 3}).to(kCuda0).requires_grad_();
  Tensor weight = ones({3, 2}).to(kCuda1).requires_grad_();
  optim::SGD sgd({table, weight}, optim::SGDOptions(0.5));
  const auto step = [&](std::vector<int64_t> index) {
    sgd.zero_grad();
    const Tensor x = embedding(table, index_of(index, kCuda0)).to(kCuda1);
    matmul(x, weight).sum().backward();
    sgd.step();
  };
  EXPECT_EQ(error_text<IndexError>([&] {
              step({0, 4});
            }),
            "embedding: index 4 at position 1 is out of range for 4 embeddings");
  expect_tensor(weight.detach().cpu(), {3, 2}, {1, 1, 1, 1, 1, 1});
  expect_tensor(table.detach().cpu(), {4, 3}, std::vector<double>(12, 1));
  step({0, 3});
  expect_tensor(weight.detach().cpu(), {3, 2}, {0, 0, 0, 0, 0, 0});
  finish_device_work();
}

TEST_F(CudaFault, OfSeveralStreamsOneIsTold) {
  WICK_NEEDS_CUDA(1);
  const Tensor x = ones({5, 2}, kCuda0), logits = ones({2, 3}, kCuda0);
  const Tensor index = index_of({1, 8}, kCuda0), labels = index_of({0, 33}, kCuda0);
  cuda::synchronize();
  const std::string text = error_text<IndexError>([&] {
    const cuda::Stream a = cuda::stream_from_pool(), b = cuda::stream_from_pool();
    Tensor y, z;
    {
      const cuda::StreamGuard guard(a);
      y = index_select(x, 0, index);
    }
    {
      const cuda::StreamGuard guard(b);
      z = cross_entropy(logits, labels);
    }
    cuda::synchronize();
  });
  EXPECT_TRUE(text ==
                  "index_select: index 8 at position 1 is out of range for dimension of size 5" ||
              text ==
                  "cross_entropy: target 33 at position 1 is out of range for 3 classes "
                  "(ignore_index is -100)")
      << text;
  finish_device_work();
}

TEST_F(CudaFault, OfSeveralDevicesEachIsTold) {
  WICK_NEEDS_CUDA(2);
  Tensor a, b;
  EXPECT_THROW(
      {
        a = index_select(ones({5}, kCuda0), 0, index_of({5}, kCuda0));
        cuda::synchronize(0);
      },
      IndexError);
  EXPECT_THROW(
      {
        b = index_select(ones({5}, kCuda1), 0, index_of({6}, kCuda1));
        cuda::synchronize(1);
      },
      IndexError);
  finish_device_work();
}

TEST_F(CudaFault, BackwardOfABadForwardIsSafe) {
  WICK_NEEDS_CUDA(1);
  const Tensor table = ones({4, 2}).to(kCuda0).requires_grad_();
  const Tensor weight = ones({3}).to(kCuda0);
  EXPECT_NE(error_text<IndexError>([&] {
              embedding(table, index_of({1, 400000000, -400000000}, kCuda0)).sum().backward();
            }),
            "no error");
  const Tensor logits = ones({2, 3}).to(kCuda0).requires_grad_();
  EXPECT_NE(error_text<IndexError>([&] {
              cross_entropy(logits, index_of({1, 1 << 30}, kCuda0), weight).backward();
            }),
            "no error");
  finish_device_work();
}

}  // namespace
}  // namespace wick::test
