// Times wick's ops and training steps on a GPU: hot (the same buffers in every call), launched one
// by one, waiting for the device once in a batch of calls that takes 2 ms or more.
//   build/cuda/bin/cuda_ops            all of them; takes Google Benchmark's options
//   build/cuda/bin/cuda_ops --probe    computes a little on the GPU and says what is there
// scripts/bench-pytorch-gpu.py runs the same list, by the same names, in PyTorch.
#include <benchmark/benchmark.h>

#include <wick/wick.h>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace {

using wick::Tensor;
namespace nn = wick::nn;
namespace F = wick::nn::functional;
using Call = std::function<void()>;

const wick::Device kGpu(wick::kCUDA);

Tensor random(wick::IntArrayRef sizes, wick::DType dtype = wick::kFloat32) {
  return wick::randn(sizes, kGpu).to(dtype);
}
Tensor classes(int64_t n, int64_t count) {
  return wick::randint(count, {n}, wick::TensorOptions(wick::kInt64).device(kGpu));
}

/// One call computes f, whose result is kept until the next.
Call keep(std::function<Tensor()> f) {
  return [f = std::move(f), y = Tensor()]() mutable { y = f(); };
}

/// One call is forward and backward from a ready-made gradient; those of the leaves are dropped.
Call forward_backward(std::vector<Tensor> leaves, std::function<Tensor()> f) {
  for (Tensor& x : leaves) x.requires_grad_();
  return [=, grad = Tensor()]() mutable {
    for (Tensor& x : leaves) x.mutable_grad() = Tensor();
    const Tensor y = f();
    if (!grad.defined()) grad = wick::ones_like(y);
    y.backward(grad);
  };
}

/// One call is a training step: forward, cross entropy, backward, momentum SGD.
Call training_step(const nn::Sequential& net, const Tensor& x, int64_t number_of_classes) {
  net->to(kGpu);
  auto sgd = std::make_shared<wick::optim::SGD>(net->parameters(),
                                                wick::optim::SGDOptions(0.01).momentum(0.9));
  return [=, target = classes(x.size(0), number_of_classes)] {
    sgd->zero_grad();
    F::cross_entropy(net->forward(x), target).backward();
    sgd->step();
  };
}

struct Op {
  const char* name;
  double bytes;  // that a call must move, in millions; 0: not what matters
  double flop;   // in millions
  std::function<Call()> prepare;
};

Call matmul(int64_t n, wick::DType dtype) {
  return keep([a = random({n, n}, dtype), b = random({n, n}, dtype)] { return matmul(a, b); });
}
Call conv(wick::DType dtype) {
  return keep([x = random({32, 64, 56, 56}, dtype), w = random({64, 64, 3, 3}, dtype)] {
    return wick::conv2d(x, w, {}, 1, 1);
  });
}
Call small_sgd() {
  std::vector<Tensor> parameters;
  for (int i = 0; i < 100; ++i) {
    parameters.push_back(random({10000}).requires_grad_());
    parameters.back().mutable_grad() = random({10000});
  }
  auto sgd =
      std::make_shared<wick::optim::SGD>(parameters, wick::optim::SGDOptions(1e-6).momentum(0.9));
  return [sgd] { sgd->step(); };
}
Call mlp() {
  return training_step(nn::Sequential(nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10)),
                       random({64, 784}), 10);
}
Call cnn() {
  const nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(1, 32, 3).padding(1)), nn::BatchNorm2d(32),
                           nn::ReLU(), nn::MaxPool2d(2),
                           nn::Conv2d(nn::Conv2dOptions(32, 64, 3).padding(1)), nn::BatchNorm2d(64),
                           nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Linear(3136, 10));
  return training_step(net, random({64, 1, 28, 28}), 10);
}

const wick::DType kF = wick::kFloat32, kH = wick::kFloat16;

std::vector<Op> ops() {
  const auto k4 = [](auto f) {
    return [f] { return keep([x = random({4096, 4096}), f] { return f(x); }); };
  };
  return {
      {"add_1", 0, 0, [] { return keep([a = random({1}), b = random({1})] { return a + b; }); }},
      {"add_16m", 201, 0,
       [] {
         return keep([a = random({4096, 4096}), b = random({4096, 4096})] { return a + b; });
       }},
      {"gelu_16m", 134, 0, k4([](const Tensor& x) { return wick::gelu(x); })},
      {"add_row_4096x4096", 134, 0,
       [] {
         return keep([a = random({4096, 4096}), b = random({4096})] { return a + b; });
       }},
      {"transpose_4096x4096", 134, 0, k4([](const Tensor& x) { return x.t().contiguous(); })},
      {"sum_16m", 67, 0, k4([](const Tensor& x) { return x.sum(); })},
      {"sum_rows_4096x4096", 67, 0, k4([](const Tensor& x) { return x.sum(1); })},
      {"sum_columns_4096x4096", 67, 0, k4([](const Tensor& x) { return x.sum(0); })},
      {"softmax_4096x4096", 134, 0, k4([](const Tensor& x) { return wick::softmax(x, 1); })},
      {"matmul_256", 0, 33.6, [] { return matmul(256, kF); }},
      {"matmul_1024", 0, 2147, [] { return matmul(1024, kF); }},
      {"matmul_4096", 0, 137439, [] { return matmul(4096, kF); }},
      {"matmul_half_4096", 0, 137439, [] { return matmul(4096, kH); }},
      {"conv_32x64x56x56_3x3", 0, 7399, [] { return conv(kF); }},
      {"conv_half_32x64x56x56_3x3", 0, 7399, [] { return conv(kH); }},
      {"linear_step_1024", 0, 6442,
       [] {
         const Tensor x = random({1024, 1024}), w = random({1024, 1024}), b = random({1024});
         return forward_backward({x, w, b}, [=] { return wick::linear(x, w, b); });
       }},
      {"batch_norm_step_32x64x56x56", 0, 0,
       [] {
         const Tensor x = random({32, 64, 56, 56}), w = random({64}), b = random({64});
         const Tensor mean = wick::zeros({64}, kGpu), var = wick::ones({64}, kGpu);
         return forward_backward({x, w, b},
                                 [=] { return wick::batch_norm(x, w, b, mean, var, true); });
       }},
      {"cross_entropy_step_1024x1000", 0, 0,
       [] {
         const Tensor x = random({1024, 1000}), target = classes(1024, 1000);
         return forward_backward({x}, [=] { return wick::cross_entropy(x, target); });
       }},
      {"sgd_100x10000", 20, 0, small_sgd},
      {"mlp_step_64", 0, 0, mlp},
      {"cnn_step_64", 0, 0, cnn},
  };
}

void run(benchmark::State& state, const Op& op) {
  const Call call = op.prepare();
  const Tensor tick = wick::zeros({}, kGpu);
  const auto batch_of = [&](int64_t calls) {
    for (int64_t i = 0; i < calls; ++i) call();
    (void)tick.item<float>();  // waits for the stream
  };
  batch_of(3);  // memory is allocated, algorithms are chosen
  int64_t calls = 1;
  for (auto begin = std::chrono::steady_clock::now();; calls *= 2) {
    batch_of(calls);
    const auto end = std::chrono::steady_clock::now();
    if (end - begin > std::chrono::milliseconds(2)) break;
    begin = end;
  }
  while (state.KeepRunningBatch(calls)) batch_of(calls);
  using benchmark::Counter;
  if (op.bytes > 0)
    state.counters["bytes/s"] = Counter(op.bytes * 1e6, Counter::kIsIterationInvariantRate);
  if (op.flop > 0)
    state.counters["flop/s"] = Counter(op.flop * 1e6, Counter::kIsIterationInvariantRate);
}

int probe() {
  const Tensor x = wick::ones({64, 64}, kGpu);
  const Tensor y = wick::matmul(x, x) + x;
  if (!y.eq(65).all().item<bool>()) {
    std::fprintf(stderr, "the GPU computes nonsense: 64 * 1 + 1 = %s\n", y[0][0].str().c_str());
    return 1;
  }
  std::printf("%d CUDA devices\n", wick::cuda::device_count());
  return 0;
}

int run_program(int argc, char** argv) {
  if (!wick::cuda::is_available()) {
    std::fprintf(stderr, "cuda_ops: there is no CUDA device: %s\n",
                 wick::cuda::unavailable_reason().c_str());
    return 1;
  }
  if (argc == 2 && std::string_view(argv[1]) == "--probe") return probe();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Op& op : ops())
    benchmark::RegisterBenchmark(op.name, [op](benchmark::State& state) { run(state, op); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cuda_ops: %s\n", error.what());
    return 1;
  }
}
