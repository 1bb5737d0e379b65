#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/embedding.h>
#include <wick/nn/functional.h>
#include <wick/nn/linear.h>
#include <wick/nn/sequential.h>
#include <wick/optim/sgd.h>

// Models that move between devices while they are trained.
namespace wick::test {
namespace {

class ModuleDevice : public OwnDevices {};

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(1, 3, 3)));
    norm = register_module("norm", nn::BatchNorm2d(3));
    fc = register_module("fc", nn::Linear(12, 4));
    scale = register_buffer("scale", full({}, 0.5));
    steps = register_buffer("steps", zeros({}, kInt64));
  }
  Tensor forward(const Tensor& x) {
    if (is_training()) steps = steps + 1;
    return fc(relu(norm(conv(x))).flatten(1) * scale);
  }
  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};
  nn::Linear fc{nullptr};
  nn::Buffer scale, steps;
};
WICK_MODULE(Net);

Net make_net() {
  manual_seed(11);
  return Net();
}

struct Batch {
  Tensor x, labels;
  Batch() {
    manual_seed(4);
    x = randn({6, 1, 4, 4});
    labels = randint(4, {6}, kInt64);
  }
};

void train_step(Net& net, optim::SGD& sgd, const Batch& batch, Device device) {
  sgd.zero_grad();
  cross_entropy(net(batch.x.to(device)), batch.labels.to(device)).backward();
  sgd.step();
}

void expect_close(const nn::StateDict& a, const nn::StateDict& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& item : a) {
    SCOPED_TRACE(item.key());
    const Tensor expected = b[item.key()].cpu();
    EXPECT_EQ(item.value().dtype(), expected.dtype());
    expect_tensor(item.value().cpu(), expected.sizes().vec(), expected.to_vector<double>(), 1e-4);
  }
}

nn::StateDict trained_on_cpu(int steps) {
  Net net = make_net();
  optim::SGD sgd(net->parameters(), optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
  const Batch batch;
  for (int i = 0; i < steps; ++i) train_step(net, sgd, batch, kCPU);
  nn::StateDict state;
  for (const auto& item : net->state_dict()) state.insert(item.key(), item.value().clone());
  return state;
}

void expect_on(const Net& net, Device device) {
  for (const auto& item : net->state_dict()) EXPECT_EQ(item.value().device(), device) << item.key();
}

TEST_F(ModuleDevice, TrainsAsOnTheCpuWithAnOptimizerMadeBeforeOrAfter) {
  WICK_NEEDS_CUDA(1);
  const nn::StateDict expected = trained_on_cpu(3);
  for (const bool before : {true, false}) {
    SCOPED_TRACE(before);
    Net net = make_net();
    std::unique_ptr<optim::SGD> sgd;
    const auto make = [&] {
      sgd = std::make_unique<optim::SGD>(net->parameters(),
                                         optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
    };
    if (before) make();
    net->cuda();
    if (!before) make();
    expect_on(net, kCuda0);
    const Batch batch;
    for (int i = 0; i < 3; ++i) train_step(net, *sgd, batch, kCUDA);
    expect_on(net, kCuda0);
    expect_close(net->state_dict(), expected);
    net->cpu();
    expect_on(net, Device(kCPU, 0));
    expect_close(net->state_dict(), expected);
  }
}

TEST_F(ModuleDevice, MovesInTheMiddleOfTraining) {
  WICK_NEEDS_CUDA(2);
  const nn::StateDict expected = trained_on_cpu(5);
  Net net = make_net();
  optim::SGD sgd(net->parameters(), optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
  const Batch batch;
  const Tensor weight = net->fc->weight;  // the same tensor wherever it is
  for (const Device device : {Device(kCPU, 0), kCuda0, kCuda1, Device(kCPU, 0), kCuda1}) {
    net->to(device);
    expect_on(net, device);
    train_step(net, sgd, batch, device);
    EXPECT_TRUE(net->fc->weight.is_same(weight));
    EXPECT_EQ(weight.device(), device);
  }
  expect_close(net->state_dict(), expected);
  for (const auto& item : sgd.state_dict()) {
    if (item.key().find("momentum_buffer") != std::string::npos) {
      EXPECT_EQ(item.value().device(), kCuda1) << item.key();
    }
  }
}

TEST_F(ModuleDevice, TypesOfIntegersStay) {
  WICK_NEEDS_CUDA(1);
  Net net = make_net();
  net->to(kCuda0, kFloat64);
  expect_on(net, kCuda0);
  for (const auto& item : net->state_dict()) {
    const bool counts = item.key() == "steps" || item.key() == "norm.num_batches_tracked";
    EXPECT_EQ(item.value().dtype(), counts ? kInt64 : kFloat64) << item.key();
  }
  net(Batch().x.to(kCuda0, kFloat64));
  EXPECT_EQ(net->steps.item<int64_t>(), 1);
  EXPECT_EQ(net->norm->num_batches_tracked.item<int64_t>(), 1);
  net->to(kHalf);
  EXPECT_EQ(net->fc->weight.device(), kCuda0);
  EXPECT_EQ(net->fc->weight.dtype(), kHalf);
  EXPECT_EQ(net->steps.dtype(), kInt64);
}

struct TiedImpl : nn::Module {
  TiedImpl() {
    embedding = register_module("embedding", nn::Embedding(5, 3));
    out = register_module("out", nn::Linear(nn::LinearOptions(3, 5).bias(false)));
    out->weight = embedding->weight;
  }
  Tensor forward(const Tensor& index) { return out(embedding(index)); }
  nn::Embedding embedding{nullptr};
  nn::Linear out{nullptr};
};
WICK_MODULE(Tied);

TEST_F(ModuleDevice, TiedWeightsStayTied) {
  WICK_NEEDS_CUDA(1);
  const auto train = [](Device device) {
    manual_seed(8);
    Tied net;
    optim::SGD sgd(net->parameters(), optim::SGDOptions(0.3).momentum(0.5));
    net->to(device);
    EXPECT_EQ(net->parameters().size(), 1u);
    EXPECT_TRUE(net->out->weight.is_same(net->embedding->weight));
    const Tensor index = tensor({0, 3, 3, 1}).to(device);
    for (int i = 0; i < 3; ++i) {
      sgd.zero_grad();
      cross_entropy(net(index), index).backward();
      sgd.step();
    }
    EXPECT_EQ(net->out->weight.data_ptr(), net->embedding->weight.data_ptr());
    return net->out->weight.detach().cpu();
  };
  expect_tensor(train(kCuda0), {5, 3}, train(kCPU).to_vector<double>(), 1e-5);
}

TEST_F(ModuleDevice, HooksAndGradientsMoveAlong) {
  WICK_NEEDS_CUDA(1);
  nn::Linear net(2, 1);
  int calls = 0;
  net->weight.register_hook([&](const Tensor& g) {
    ++calls;
    return g * 10;
  });
  net(ones({1, 2})).sum().backward();
  expect_tensor(net->weight.grad(), {1, 2}, {10, 10});
  net->cuda();
  EXPECT_EQ(net->weight.grad().device(), kCuda0);
  net(ones({1, 2}, kCUDA)).sum().backward();
  EXPECT_EQ(calls, 2);
  expect_tensor(net->weight.grad().cpu(), {1, 2}, {20, 20});
}

TEST_F(ModuleDevice, MayMoveBetweenForwardAndBackward) {
  WICK_NEEDS_CUDA(1);
  nn::Linear net(2, 2);
  const Tensor up = net(ones({3, 2})).sum();
  net->cuda();
  up.backward();
  EXPECT_EQ(net->weight.grad().device(), kCuda0);
  expect_tensor(net->weight.grad().cpu(), {2, 2}, {3, 3, 3, 3});
  const Tensor down = net(ones({3, 2}, kCUDA)).sum();
  net->cpu();
  down.backward();
  EXPECT_EQ(net->weight.grad().device(), Device(kCPU, 0));
  expect_tensor(net->weight.grad(), {2, 2}, {6, 6, 6, 6});
}

TEST_F(ModuleDevice, StatesLoadAcrossDevices) {
  WICK_NEEDS_CUDA(1);
  const Batch batch;
  Net a = make_net();
  a->cuda();
  optim::SGD sgd_a(a->parameters(), optim::SGDOptions(0.1).momentum(0.9));
  train_step(a, sgd_a, batch, kCUDA);
  Net b;
  optim::SGD sgd_b(b->parameters(), optim::SGDOptions(1).momentum(0.1));
  b->load_state_dict(a->state_dict());
  sgd_b.load_state_dict(sgd_a.state_dict());
  expect_on(b, Device(kCPU, 0));
  train_step(a, sgd_a, batch, kCUDA);
  train_step(b, sgd_b, batch, kCPU);
  expect_close(a->state_dict(), b->state_dict());
}

TEST_F(ModuleDevice, ClonesToADevice) {
  WICK_NEEDS_CUDA(2);
  const Net net = make_net();
  const Net copy(std::dynamic_pointer_cast<NetImpl>(net->clone(kCuda1)));
  expect_on(copy, kCuda1);
  expect_on(net, Device(kCPU, 0));
  expect_close(copy->state_dict(), net->state_dict());
}

TEST_F(ModuleDevice, StaysWhereItIsIfItCannotMove) {
  Net net = make_net();
  EXPECT_THROW(net->to(Device(kCUDA, 99)), DeviceError);
  expect_on(net, Device(kCPU, 0));
  if (!cuda::is_available()) {
    EXPECT_ERROR(DeviceError, "to: cannot use device cuda: " + cuda::unavailable_reason(),
                 net->cuda());
  }
}

TEST_F(ModuleDevice, GoesToTheCurrentDevice) {
  WICK_NEEDS_CUDA(2);
  Net net = make_net();
  {
    const cuda::DeviceGuard guard(1);
    net->cuda();
  }
  expect_on(net, kCuda1);
  net->cuda();
  expect_on(net, kCuda0);
}

TEST_F(ModuleDevice, MixedWithTheWrongDeviceIsRefused) {
  WICK_NEEDS_CUDA(1);
  nn::Linear net(2, 2);
  net->cuda();
  EXPECT_THROW(net(ones({3, 2})), DeviceError);
}

}  // namespace
}  // namespace wick::test
