#include <tests/support/cuda_parity.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/dropout.h>
#include <wick/nn/functional.h>
#include <wick/nn/linear.h>
#include <wick/optim/sgd.h>

// Training the network of samples/image_classifier, smaller, on the CPU and on CUDA.
namespace wick::test {
namespace {

namespace F = nn::functional;

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 6, 3).padding(1)));
    norm1 = register_module("norm1", nn::BatchNorm2d(6));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(6, 11, 3).padding(1)));
    norm2 = register_module("norm2", nn::BatchNorm2d(11));
    fc1 = register_module("fc1", nn::Linear(11 * 2 * 2, 33));
    dropout = register_module("dropout", nn::Dropout(0.25));
    fc2 = register_module("fc2", nn::Linear(33, 10));
  }
  Tensor forward(Tensor x) {
    x = F::max_pool2d(F::relu(norm1(conv1(x))), 2);
    x = F::max_pool2d(F::relu(norm2(conv2(x))), 2);
    x = dropout(F::relu(fc1(x.flatten(1))));
    return fc2(x);
  }

  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::BatchNorm2d norm1{nullptr}, norm2{nullptr};
  nn::Linear fc1{nullptr}, fc2{nullptr};
  nn::Dropout dropout{nullptr};
};
WICK_MODULE(Net);

constexpr int kSteps = 20;
constexpr int64_t kBatch = 12;

/// Everything that a training run leaves behind, on the CPU.
struct Outcome {
  std::vector<Tensor> initial, first_gradients, losses, state;
  Tensor mask;    // of a dropout after the last step
  Tensor scores;  // in evaluation
};

std::vector<Tensor> on_cpu(const nn::StateDict& state) {
  std::vector<Tensor> tensors;
  for (const auto& item : state) tensors.push_back(item.value().cpu().clone());
  return tensors;
}

/// Builds the model and trains it on `device`, with data that do not depend on it.
Outcome train(DeviceType device, DType dtype, const optim::SGDOptions& options) {
  manual_seed(11);
  const Tensor images = randn({kBatch * kSteps, 1, 10, 10}, kCPU).to(dtype);
  const Tensor labels = randint(10, {kBatch * kSteps}, TensorOptions(kInt64).device(kCPU));
  const Device previous = get_default_device();
  set_default_device(device);
  Net net;
  set_default_device(previous);
  Outcome run;
  run.initial = on_cpu(net->state_dict());
  net->to(dtype);
  optim::SGD sgd(net->parameters(), options);
  for (int64_t step = 0; step < kSteps; ++step) {
    sgd.zero_grad();
    const Tensor x = images.narrow(0, step * kBatch, kBatch).to(device);
    const Tensor loss =
        F::cross_entropy(net(x), labels.narrow(0, step * kBatch, kBatch).to(device));
    loss.backward();
    if (step == 0)
      for (const Tensor& p : net->parameters()) run.first_gradients.push_back(p.grad().cpu());
    sgd.step();
    run.losses.push_back(loss.detach().cpu());
  }
  run.state = on_cpu(net->state_dict());
  run.mask = dropout(ones({33, 65}, device), 0.25).cpu();
  const NoGradGuard no_grad;
  net->eval();
  run.scores = net(images.narrow(0, 0, kBatch).to(device)).cpu();
  return run;
}

const optim::SGDOptions kMomentum = optim::SGDOptions(0.05).momentum(0.9).weight_decay(5e-4);

void expect_close(const std::string& what, const std::vector<Tensor>& a,
                  const std::vector<Tensor>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const double far = distance(a[i], b[i]);
    if (tolerance == 0) {
      EXPECT_TRUE(same_bits(a[i], b[i])) << what << " " << i << " differs by " << far;
    } else {
      EXPECT_LE(far, tolerance) << what << " " << i;
    }
  }
}

/// Compares all of two runs: what the first step made, and what the last one left.
void expect_same_training(const Outcome& a, const Outcome& b, double first, double last) {
  expect_close("initial value", a.initial, b.initial, 0);
  expect_close("mask", {a.mask}, {b.mask}, 0);
  expect_close("first gradient", a.first_gradients, b.first_gradients, first);
  expect_close("first loss", {a.losses[0]}, {b.losses[0]}, first);
  expect_close("loss", a.losses, b.losses, last);
  expect_close("state", a.state, b.state, last);
  expect_close("score", {a.scores}, {b.scores}, last);
}

using CudaTraining = CudaParity;

TEST_F(CudaTraining, Float64IsThatOfTheCpu) {
  const optim::SGDOptions variants[] = {optim::SGDOptions(0.05), kMomentum,
                                        optim::SGDOptions(kMomentum).nesterov(true)};
  for (const optim::SGDOptions& options : variants)
    expect_same_training(train(kCUDA, kFloat64, options), train(kCPU, kFloat64, options), 1e-12,
                         1e-9);
}

TEST_F(CudaTraining, Float32IsNearlyThatOfTheCpu) {
  const Outcome cuda = train(kCUDA, kFloat32, kMomentum), cpu = train(kCPU, kFloat32, kMomentum);
  expect_same_training(cuda, cpu, 1e-5, 5e-3);
  // It did learn: the tolerance is not larger than all that happens.
  double moved = 0;
  for (size_t i = 0; i < cpu.state.size(); ++i)
    moved = std::max(moved, distance(cpu.state[i], cpu.initial[i]));
  EXPECT_GT(moved, 0.05);
}

TEST_F(CudaTraining, RepeatsBitForBit) {
  const optim::SGDOptions options = optim::SGDOptions(kMomentum).nesterov(true);
  expect_same_training(train(kCUDA, kFloat32, options), train(kCUDA, kFloat32, options), 0, 0);
}

}  // namespace
}  // namespace wick::test
