#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/function.h>
#include <wick/core/ops.h>
#include <optional>

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

TEST_F(CudaBackward, GradAndRetainedGradientsCanBeUsedAtOnce) {
  WICK_NEEDS_CUDA(1);
  const cuda::Stream a = cuda::stream_from_pool(), b = cuda::stream_from_pool();
  const Tensor x = full({kCount}, 2, kFloat32).to(kCUDA).requires_grad_();
  Tensor middle;
  a.wait_stream(cuda::current_stream());
  x.record_stream(a);
  {
    const cuda::StreamGuard guard(a);
    middle = x * x;
    middle.retain_grad();
  }
  cuda::current_stream().wait_stream(a);
  middle.record_stream(cuda::current_stream());
  const Tensor loss = (middle * 3).sum();
  loss.backward();
  EXPECT_EQ((middle.grad() + 1).sum().item<float>(), 4.0f * kCount);
  // What was made on the side stream is freed and made anew while this stream reads it.
  for (int i = 0; i < 4; ++i) {
    Tensor g = autograd::grad({branches(x, a, b)}, {x})[0];
    const Tensor doubled = g * 2;
    g = Tensor();
    {
      const cuda::StreamGuard guard(a);
      const Tensor other = full({kCount}, -7, TensorOptions(kFloat32).device(kCUDA));
    }
    EXPECT_EQ(doubled.min().cpu().item<float>(), 2 * 60.0f * 512);
  }
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
  Tensor y;
  {
    const cuda::StreamGuard guard(side);
    y = x * 2;
    y.register_hook([](const Tensor&) -> Tensor { throw std::runtime_error("mine"); });
  }
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
