#include <tests/support/cuda.h>
#include <tests/support/expect.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/optim/sgd.h>

namespace wick::optim {
namespace {

using test::kCuda0;
using test::kCuda1;

class CudaOptim : public test::OwnDevices {};

/// Parameters of many sizes, also none and more than a block's, with gradients.
std::vector<Tensor> parameters(int count, Device device, DType dtype = kFloat32) {
  std::vector<Tensor> params;
  for (int i = 0; i < count; ++i) {
    const int64_t size = i % 50 == 49 ? 0 : i % 40 == 7 ? 9000 : 1 + i * 7 % 90;
    Tensor p = (arange(size, kFloat32) * 0.01 + i).to(device, dtype).requires_grad_();
    p.mutable_grad() = (arange(size, kFloat32) * 0.001 - 0.1 * i).to(device, dtype);
    params.push_back(p);
  }
  return params;
}

void expect_same_steps(int count, DType dtype, double tolerance) {
  const auto options = SGDOptions(0.1).momentum(0.9).dampening(0.25).weight_decay(0.01);
  std::vector<Tensor> expected = parameters(count, kCPU, dtype);
  std::vector<Tensor> params = parameters(count, kCuda0, dtype);
  SGD reference(expected, options), sgd(params, options);
  for (int step = 0; step < 3; ++step) {
    reference.step();
    sgd.step();
  }
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(i);
    test::expect_tensor(params[i].detach().cpu(), expected[i].sizes().vec(),
                        expected[i].to_vector<double>(), tolerance);
  }
}

TEST_F(CudaOptim, AnyNumberOfParametersStepsAsOnTheCpu) {
  WICK_NEEDS_CUDA(1);
  for (const int count : {1, 2, 63, 64, 65, 1000}) {
    SCOPED_TRACE(count);
    expect_same_steps(count, kFloat32, 1e-6);
  }
  expect_same_steps(70, kFloat64, 1e-14);
  expect_same_steps(70, kBFloat16, 1e-2);
}

TEST_F(CudaOptim, TheTableOfManyParametersIsKept) {
  WICK_NEEDS_CUDA(1);
  const std::vector<Tensor> params = parameters(1000, kCuda0);
  SGD sgd(params, SGDOptions(0.1));
  sgd.step();
  const int64_t allocated = cuda::memory_allocated();
  for (int i = 0; i < 20; ++i) sgd.step();
  EXPECT_EQ(cuda::memory_allocated(), allocated);
}

TEST_F(CudaOptim, NewGradientsMakeANewTable) {
  WICK_NEEDS_CUDA(1);
  std::vector<Tensor> params = parameters(100, kCuda0);
  SGD sgd(params, SGDOptions(1));
  std::vector<Tensor> before;
  for (int step = 0; step < 12; ++step) {  // more than are kept
    before.clear();
    for (Tensor& p : params) {
      before.push_back(p.detach().clone());
      p.mutable_grad() = full_like(p.detach(), step);
    }
    sgd.step();
    for (size_t i = 0; i < params.size(); ++i)
      ASSERT_TRUE(params[i].detach().equal(before[i] - step)) << "step " << step << ", " << i;
  }
}

TEST_F(CudaOptim, GroupsMaySpanDevicesAndTypes) {
  WICK_NEEDS_CUDA(2);
  std::vector<Tensor> params;
  for (const Device device : {Device(kCPU, 0), kCuda0, kCuda1}) {
    for (const DType dtype : {kFloat32, kFloat64}) {
      params.push_back(ones({3}).to(device, dtype).requires_grad_());
      params.back().mutable_grad() = full({3}, 2).to(device, dtype);
    }
  }
  SGD sgd(params, SGDOptions(0.25).momentum(0.5));
  sgd.step();
  sgd.step();
  for (const Tensor& p : params)
    test::expect_tensor(p.detach().cpu(), {3}, {-0.25, -0.25, -0.25}, 1e-6);
}

TEST_F(CudaOptim, StridedParametersAreWrittenBack) {
  WICK_NEEDS_CUDA(1);
  Tensor p = arange(6, kFloat32).to(kCuda0).view({2, 3}).t().requires_grad_();
  p.mutable_grad() = ones({3, 2}, kCuda0);
  SGD sgd({p}, SGDOptions(1));
  sgd.step();
  test::expect_tensor(p.detach().cpu(), {3, 2}, {-1, 2, 0, 3, 1, 4});
}

}  // namespace
}  // namespace wick::optim
