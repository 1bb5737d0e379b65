#include <gtest/gtest.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <cmath>
#include <sstream>

// The expected texts are those of Python's torch 1.13 (whose "dtype=torch.float64" is
// "dtype=float64" here, and whose "<MulBackward0>" is "<mul>").
namespace wick {
namespace {

/// Tensors are made on the CPU: on another device their texts end in its name.
class Print : public testing::Test {
 protected:
  void SetUp() override { set_default_device(kCPU); }
  void TearDown() override { set_default_device(previous_); }

 private:
  const Device previous_ = get_default_device();
};

TEST_F(Print, Numbers) {
  EXPECT_EQ(tensor({1., 2.}).str(), "tensor([1., 2.])");
  EXPECT_EQ(tensor(1.5).str(), "tensor(1.5000)");
  EXPECT_EQ(tensor(7).str(), "tensor(7)");
  EXPECT_EQ(tensor({true, false}).str(), "tensor([ True, False])");
  EXPECT_EQ(tensor({{1, -20}, {300, 4}}).str(), "tensor([[  1, -20],\n        [300,   4]])");
  EXPECT_EQ(tensor({1.5, -2.25, 1000.}).str(), "tensor([   1.5000,   -2.2500, 1000.0000])");
  EXPECT_EQ(tensor({-0., 0.}).str(), "tensor([-0., 0.])");
}

TEST_F(Print, FixedOrScientific) {
  EXPECT_EQ(tensor({1., 1000.}).str(), "tensor([   1., 1000.])");
  EXPECT_EQ(tensor({1., 1001.}).str(), "tensor([1.0000e+00, 1.0010e+03])");
  EXPECT_EQ(tensor({1e-5, 1.}).str(), "tensor([1.0000e-05, 1.0000e+00])");
  EXPECT_EQ(tensor({0.00011, 0.09}).str(), "tensor([0.0001, 0.0900])");
  EXPECT_EQ(tensor({0.00009, 0.05}).str(), "tensor([9.0000e-05, 5.0000e-02])");
  EXPECT_EQ(tensor({123456789., 1.5}).str(), "tensor([1.2346e+08, 1.5000e+00])");
  EXPECT_EQ(tensor(1e300, kFloat64).str(), "tensor(1.0000e+300, dtype=float64)");
  EXPECT_EQ(tensor({1e-40}).str(), "tensor([9.9999e-41])");
}

TEST_F(Print, NanAndInfinity) {
  EXPECT_EQ(tensor({double{NAN}, HUGE_VAL, -HUGE_VAL, 1.}).str(), "tensor([nan, inf, -inf, 1.])");
  EXPECT_EQ(tensor({double{NAN}, HUGE_VAL, -HUGE_VAL, 1.5}).str(),
            "tensor([   nan,    inf,   -inf, 1.5000])");
  EXPECT_EQ(tensor({-double{NAN}}).str(), "tensor([nan])");
}

TEST_F(Print, EmptyAndUndefined) {
  EXPECT_EQ(zeros({0}).str(), "tensor([])");
  EXPECT_EQ(zeros({0, 3}).str(), "tensor([], size=(0, 3))");
  EXPECT_EQ(zeros({2, 0}, kInt64).str(), "tensor([], size=(2, 0), dtype=int64)");
  EXPECT_EQ(zeros({0}, kInt64).str(), "tensor([], dtype=int64)");
  EXPECT_EQ(Tensor().str(), "tensor(undefined)");
}

TEST_F(Print, TypesAndGradients) {
  EXPECT_EQ(tensor({1., 2.}, kFloat64).str(), "tensor([1., 2.], dtype=float64)");
  EXPECT_EQ(tensor({{1, 2}}, kInt8).str(), "tensor([[1, 2]], dtype=int8)");
  EXPECT_EQ(full({3}, 65504, kFloat16).str(), "tensor([65504., 65504., 65504.], dtype=float16)");
  EXPECT_EQ(tensor({0.1, 0.2}, kBFloat16).str(), "tensor([0.1001, 0.2002], dtype=bfloat16)");
  const Tensor x = tensor({0.5, 0.25}, requires_grad());
  EXPECT_EQ(x.str(), "tensor([0.5000, 0.2500], requires_grad=True)");
  EXPECT_EQ((x * 2).str(), "tensor([1.0000, 0.5000], grad_fn=<mul>)");
  set_default_dtype(kFloat64);
  EXPECT_EQ(tensor({1.}, kFloat32).str(), "tensor([1.], dtype=float32)");
  EXPECT_EQ(tensor({1.}).str(), "tensor([1.])");
  set_default_dtype(kFloat32);
}

TEST_F(Print, Devices) {
  if (!cuda::is_available()) GTEST_SKIP() << "no CUDA: " << cuda::unavailable_reason();
  EXPECT_EQ(tensor({1., 2.}, kCUDA).str(), "tensor([1., 2.], device='cuda:0')");
  EXPECT_EQ(zeros({0}, TensorOptions(kInt64).device(kCUDA)).str(),
            "tensor([], device='cuda:0', dtype=int64)");
  const Tensor x = tensor({0.5}, TensorOptions(kFloat64).device(kCUDA)).requires_grad_();
  EXPECT_EQ(x.str(), "tensor([0.5000], device='cuda:0', dtype=float64, requires_grad=True)");
}

TEST_F(Print, LinesAndDimensions) {
  EXPECT_EQ(arange(30).str(),
            "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
            "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])");
  EXPECT_EQ(arange(24).view({2, 3, 4}).str(),
            "tensor([[[ 0,  1,  2,  3],\n"
            "         [ 4,  5,  6,  7],\n"
            "         [ 8,  9, 10, 11]],\n"
            "\n"
            "        [[12, 13, 14, 15],\n"
            "         [16, 17, 18, 19],\n"
            "         [20, 21, 22, 23]]])");
  const Tensor x = (arange(9, kFloat64) * 1.0625).requires_grad_();
  EXPECT_EQ(x.str(),
            "tensor([0.0000, 1.0625, 2.1250, 3.1875, 4.2500, 5.3125, 6.3750, 7.4375, 8.5000],\n"
            "       dtype=float64, requires_grad=True)");
  EXPECT_EQ(arange(6).view({2, 3}).t().str(), "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])");
}

TEST_F(Print, LargeTensorsAreSummarised) {
  EXPECT_EQ(arange(1001).str(), "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
  EXPECT_EQ(arange(1000).str().find("..."), std::string::npos);
  EXPECT_EQ(arange(1024).view({2, 4, 128}).str(),
            "tensor([[[   0,    1,    2,  ...,  125,  126,  127],\n"
            "         [ 128,  129,  130,  ...,  253,  254,  255],\n"
            "         [ 256,  257,  258,  ...,  381,  382,  383],\n"
            "         [ 384,  385,  386,  ...,  509,  510,  511]],\n"
            "\n"
            "        [[ 512,  513,  514,  ...,  637,  638,  639],\n"
            "         [ 640,  641,  642,  ...,  765,  766,  767],\n"
            "         [ 768,  769,  770,  ...,  893,  894,  895],\n"
            "         [ 896,  897,  898,  ..., 1021, 1022, 1023]]])");
  EXPECT_EQ(ones({500, 3}).str(),
            "tensor([[1., 1., 1.],\n        [1., 1., 1.],\n        [1., 1., 1.],\n        ...,\n"
            "        [1., 1., 1.],\n        [1., 1., 1.],\n        [1., 1., 1.]])");
}

TEST_F(Print, Streams) {
  std::ostringstream out;
  out << tensor({1, 2});
  EXPECT_EQ(out.str(), "tensor([1, 2])");
  EXPECT_EQ(str("x = ", tensor(3)), "x = tensor(3)");
}

}  // namespace
}  // namespace wick
