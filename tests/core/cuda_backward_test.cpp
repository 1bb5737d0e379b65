#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/function.h>
#include <wick/core/ops.h>
#include <optional>
#include <vector>

// Backward runs on the devices and streams of forward, and the caller need not know.
namespace wick::test {
namespace {

class CudaBackward : public OwnDevices {};

constexpr int64_t kCount = 1 << 16;

struct Seen {
  int device = -1;
  std::optional<cuda::Stream> stream;
  void now() {
    device = cuda::current_device();
    stream = cuda::current_stream();
  }
};

TEST_F(CudaBackward, RunsOnItsForwardsStream) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  Tensor x = full({kCount}, 3, kFloat32).to(kCUDA).requires_grad_();
  Seen in_side, in_caller, at_leaf;
  Tensor y;
  side.wait_stream(cuda::current_stream());
  {
    const cuda::StreamGuard guard(side);
    x.record_stream(side);
    y = x * x;
    y.register_hook([&](const Tensor&) {
      in_side.now();
      return Tensor();
    });
    y = y * 2;
  }
  cuda::current_stream().wait_stream(side);
  y.record_stream(cuda::current_stream());
  Tensor z = y + 1;
  z.register_hook([&](const Tensor&) {
    in_caller.now();
    return Tensor();
  });
  x.register_hook([&](const Tensor&) {
    at_leaf.now();
    return Tensor();
  });
  z.sum().backward();
  EXPECT_TRUE(*in_side.stream == side);
  EXPECT_TRUE(*in_caller.stream == cuda::default_stream());
  EXPECT_TRUE(*at_leaf.stream == cuda::default_stream());
  EXPECT_TRUE(cuda::current_stream() == cuda::default_stream());
  EXPECT_EQ(x.grad().min().item<float>(), 12);
  EXPECT_EQ(x.grad().max().item<float>(), 12);
}

/// Two branches on streams of their own from one leaf to one loss.
Tensor branches(const Tensor& x, const cuda::Stream& a, const cuda::Stream& b) {
  Tensor left, right;
  const cuda::Stream caller = cuda::current_stream();
  for (const cuda::Stream& s : {a, b}) {
    s.wait_stream(caller);
    x.record_stream(s);
  }
  {
    const cuda::StreamGuard guard(a);
    left = x * 2;
    for (int i = 0; i < 5; ++i) left = left * x;
  }
  {
    const cuda::StreamGuard guard(b);
    right = x * 3;
    for (int i = 0; i < 3; ++i) right = right * x;
  }
  for (const cuda::Stream& s : {a, b}) caller.wait_stream(s);
  left.record_stream(caller);
  right.record_stream(caller);
  return (left * right).sum();  // 6 x^10
}

TEST_F(CudaBackward, BranchesOnStreamsMeet) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream a = cuda::stream_from_pool(), b = cuda::stream_from_pool();
  for (int i = 0; i < 5; ++i) {
    const Tensor x = full({kCount}, -1, kFloat32).to(kCUDA).requires_grad_();
    branches(x, a, b).backward();
    const Tensor grad = x.grad();
    EXPECT_EQ(grad.min().item<float>(), -60);
    EXPECT_EQ(grad.max().item<float>(), -60);
  }
}

/// Sum of x^6 over x^2, both made on the stream.
struct SideWork {
  Tensor square, loss;
  SideWork(const Tensor& x, const cuda::Stream& side) {
    const cuda::Stream caller = cuda::current_stream();
    side.wait_stream(caller);
    x.record_stream(side);
    Tensor sixth;
    {
      const cuda::StreamGuard guard(side);
      square = x * x;
      sixth = square * square * square;
    }
    caller.wait_stream(side);
    sixth.record_stream(caller);
    loss = sixth.sum();
  }
};

TEST_F(CudaBackward, GradientsOfOtherStreamsCanBeUsedAtOnce) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  const Tensor x = full({kCount}, 2, kFloat32).to(kCUDA).requires_grad_();
  for (int i = 0; i < 4; ++i) {
    const SideWork at_once(x, side);
    EXPECT_EQ(autograd::grad({at_once.loss}, {at_once.square})[0].max().item<float>(), 48);
    const SideWork work(x, side);
    Tensor g = autograd::grad({work.loss}, {work.square})[0];  // 3 * 4^2, made on `side`
    const Tensor doubled = g * 2;
    g = Tensor();
    {
      // It must not have the memory that the caller has yet to read.
      const cuda::StreamGuard guard(side);
      const Tensor other = full({kCount}, -7, TensorOptions(kFloat32).device(kCUDA));
      side.synchronize();
    }
    EXPECT_EQ(doubled.min().item<float>(), 96);
    EXPECT_EQ(doubled.max().item<float>(), 96);
  }
}

TEST_F(CudaBackward, RetainedGradientsOfOtherStreamsToo) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream side = cuda::stream_from_pool();
  const Tensor x = full({kCount}, 2, kFloat32).to(kCUDA).requires_grad_();
  SideWork work(x, side);
  work.square.retain_grad();
  work.loss.backward();
  const Tensor doubled = work.square.grad() * 2;
  work.square = Tensor();
  {
    const cuda::StreamGuard guard(side);
    std::vector<Tensor> others;
    for (int i = 0; i < 8; ++i)
      others.push_back(full({kCount}, -7, TensorOptions(kFloat32).device(kCUDA)));
    side.synchronize();
  }
  EXPECT_EQ(doubled.min().item<float>(), 96);
  EXPECT_EQ(doubled.max().item<float>(), 96);
  EXPECT_EQ(x.grad().min().item<float>(), 192);
}

TEST_F(CudaBackward, AGradientIsNotOverwrittenByItsOwnStream) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream a = cuda::stream_from_pool(), b = cuda::stream_from_pool();
  const Tensor x = full({kCount}, 2, kFloat32).to(kCUDA).requires_grad_();
  const Tensor other = full({kCount}, 5, kFloat32).to(kCUDA).requires_grad_();
  Tensor first, middle, last;
  cuda::synchronize();
  {
    const cuda::StreamGuard guard(a);
    first = other * other * other;
  }
  {
    const cuda::StreamGuard guard(b);
    middle = x * x;
  }
  cuda::synchronize();
  {
    const cuda::StreamGuard guard(a);
    last = middle * 3 + first;
  }
  cuda::synchronize();
  // `a` makes the gradient of `middle`, which `b` reads, and goes on with `first`.
  last.sum().backward();
  a.synchronize();
  EXPECT_EQ(x.grad().min().item<float>(), 12);
  EXPECT_EQ(x.grad().max().item<float>(), 12);
  EXPECT_EQ(other.grad().max().item<float>(), 75);
}

TEST_F(CudaBackward, LeavesAreOnTheCallersStream) {
  WICK_NEEDS_CUDA(1);
  Tensor x = ones({4}).to(kCUDA).requires_grad_();
  cuda::synchronize();
  const cuda::Stream side = cuda::stream_from_pool();
  const cuda::StreamGuard guard(side);
  Seen at_leaf;
  x.register_hook([&](const Tensor&) {
    at_leaf.now();
    return Tensor();
  });
  (x * 2).sum().backward();
  EXPECT_TRUE(*at_leaf.stream == side);
  EXPECT_EQ(x.grad().sum().item<float>(), 8);
}

TEST_F(CudaBackward, SecondOrder) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream a = cuda::stream_from_pool(), b = cuda::stream_from_pool();
  const Tensor x = full({kCount}, 1, kFloat32).to(kCUDA).requires_grad_();
  const Tensor grad = autograd::grad({branches(x, a, b)}, {x}, {}, true, true)[0];
  grad.sum().backward();
  EXPECT_EQ(x.grad().min().item<float>(), 540);  // 6 * 10 * 9
  EXPECT_EQ(x.grad().max().item<float>(), 540);
}

TEST_F(CudaBackward, CrossesDevices) {
  WICK_NEEDS_CUDA(2);
  const cuda::StreamGuard first(cuda::stream_from_pool(1));
  const cuda::StreamGuard second(cuda::stream_from_pool(0));
  const Tensor x = full({kCount}, 3, kFloat32).requires_grad_();  // on the CPU
  Seen there, here;
  Tensor a = x.to(kCuda0) * 2;
  a.register_hook([&](const Tensor& g) {
    EXPECT_EQ(g.device(), kCuda0);
    here.now();
    return Tensor();
  });
  Tensor b = a.to(kCuda1);
  b.register_hook([&](const Tensor& g) {
    EXPECT_EQ(g.device(), kCuda1);
    there.now();
    return Tensor();
  });
  const Tensor loss = (b * b).sum();
  EXPECT_EQ(cuda::current_device(), 0);
  loss.backward();
  EXPECT_EQ(cuda::current_device(), 0);
  EXPECT_EQ(here.device, 0);
  EXPECT_TRUE(*here.stream == cuda::current_stream(0));
  EXPECT_EQ(there.device, 1);
  EXPECT_TRUE(*there.stream == cuda::current_stream(1));
  EXPECT_EQ(x.grad().min().item<float>(), 24);
  EXPECT_EQ(x.grad().max().item<float>(), 24);
}

TEST_F(CudaBackward, ErrorsLeaveTheCallersStreams) {
  WICK_NEEDS_CUDA(2);
  const cuda::Stream side = cuda::stream_from_pool(1);
  const Tensor x = ones({4}).to(kCuda1).requires_grad_();
  cuda::synchronize(1);
  Tensor y;
  {
    const cuda::StreamGuard guard(side);
    y = x * 2;
    y.register_hook([](const Tensor&) -> Tensor { throw std::runtime_error("mine"); });
  }
  cuda::synchronize(1);
  EXPECT_THROW(y.sum().backward(), std::runtime_error);
  EXPECT_EQ(cuda::current_device(), 0);
  EXPECT_TRUE(cuda::current_stream(1) == cuda::default_stream(1));
}

TEST_F(CudaBackward, ALeafMayHaveMoved) {
  WICK_NEEDS_CUDA(2);
  Tensor x = full({kCount}, 3, kFloat32).to(kCuda0).requires_grad_();
  const cuda::Stream side = cuda::stream_from_pool(0);
  Tensor y;
  side.wait_stream(cuda::current_stream());
  {
    const cuda::StreamGuard guard(side);
    x.record_stream(side);
    y = (x * x).sum();
  }
  cuda::current_stream().wait_stream(side);
  for (const Device device : {kCuda1, Device(kCPU, 0)}) {
    x.set_data(x.detach().to(device));
    x.mutable_grad() = Tensor();
    y.backward({}, true);
    EXPECT_EQ(x.grad().device(), device);
    EXPECT_EQ(x.grad().min().item<float>(), 6);
  }
}

struct Twice : autograd::Function<Twice> {
  static Tensor forward(autograd::AutogradContext*, const Tensor& x) { return x * 2; }
  static autograd::variable_list backward(autograd::AutogradContext*,
                                          const autograd::variable_list& grads) {
    // A user's backward makes tensors "on the GPU" and means that of the op.
    return {grads[0] * full({kCount}, 2, TensorOptions(kFloat32).device(kCUDA))};
  }
};

TEST_F(CudaBackward, CustomFunctionsSeeTheirDevice) {
  WICK_NEEDS_CUDA(2);
  const Tensor x = ones({kCount}).to(kCuda1).requires_grad_();
  Twice::apply(x).sum().backward();
  EXPECT_EQ(x.grad().device(), kCuda1);
  EXPECT_EQ(x.grad().max().item<float>(), 2);
}

}  // namespace
}  // namespace wick::test
