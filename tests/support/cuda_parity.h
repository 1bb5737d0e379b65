#pragma once

#include <gtest/gtest.h>
#include <tests/support/gradcheck.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/cuda.h>
#include <wick/core/ops.h>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

// What the tests share that compare CUDA with the CPU at the sizes at which kernels break. The op
// table has every op at small shapes; here are the edges of vectors, warps, blocks and grids.
namespace wick::test {

inline constexpr DType kAllTypes[] = {kBool,  kUInt8,   kInt8,     kInt16,   kInt32,
                                      kInt64, kFloat16, kBFloat16, kFloat32, kFloat64};
inline constexpr DType kFloatTypes[] = {kFloat16, kBFloat16, kFloat32, kFloat64};
/// Around a vector of 16 bytes, a warp, a block, and beyond several blocks.
inline constexpr int64_t kEdgeSizes[] = {0, 1, 31, 32, 33, 255, 256, 257, 1023, 4097};
/// Threads of the largest grid of the elementwise kernels (2048 blocks of 256): with more items
/// than that, threads take a second turn.
inline constexpr int64_t kGridThreads = 2048 * 256;

/// Tensors are made on the CPU unless a test says otherwise.
class CudaParity : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << "no CUDA: " << cuda::unavailable_reason();
    set_default_device(kCPU);
    manual_seed(20);
  }
  void TearDown() override { set_default_device(previous_); }

 private:
  const Device previous_ = get_default_device();
};

/// Numbers of any type: multiples of 1/8 in (-4.1, 4.1) without 0, integers in [-100, 100) or [0,
/// 200), bool. They are exact in every floating type.
inline Tensor numbers(IntArrayRef sizes, DType dtype) {
  if (is_floating_point(dtype)) return (randint(-32, 32, sizes, kFloat32) / 8 + 1.0 / 16).to(dtype);
  if (dtype == kBool) return randint(2, sizes, kInt64).to(kBool);
  const int64_t low = dtype == kUInt8 ? 0 : -100;
  return randint(low, low + 200, sizes, kInt64).to(dtype);
}
/// Integers in [-8, 8] of any type (bool: 0 and 1): sums and products of some thousand of them are
/// exact in float32 in any order.
inline Tensor whole_numbers(IntArrayRef sizes, DType dtype) {
  const bool has_sign = dtype != kBool && dtype != kUInt8;
  return randint(has_sign ? -8 : 0, 9, sizes, kInt64).to(dtype);
}

struct Parity {
  double units = 64;      // results may differ by so many of their type's precision; 0: no bit
  bool backward = false;  // gradients too, which may always differ by 64 (half types: 4)
};
inline constexpr Parity kExactly{0, false};
inline constexpr Parity kExactlyForward{0, true};
inline constexpr Parity kNearly{64, false};
inline constexpr Parity kNearlyWithGradients{64, true};

/// Where and how two tensors differ first; empty if `units` allow it.
inline std::string difference(const Tensor& got, const Tensor& wanted, double units) {
  if (got.defined() != wanted.defined()) return "only one is defined";
  if (!got.defined()) return "";
  if (got.dtype() != wanted.dtype() || !(got.sizes() == wanted.sizes()))
    return str("got ", got.dtype(), " ", got.sizes(), ", expected ", wanted.dtype(), " ",
               wanted.sizes());
  const bool exact = units == 0 || !got.is_floating_point();
  if (exact) {
    if (same_bits(got, wanted)) return "";
  } else {
    if (is_reduced_float(got.dtype())) units = std::min(units, 4.0);
    if (distance(got, wanted) <= units * precision(got.dtype())) return "";
  }
  const std::vector<double> a = got.to_vector<double>(), b = wanted.to_vector<double>();
  const double allowed = exact ? 0 : units * precision(got.dtype());
  const auto differs = [&](size_t i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) return false;
    return !(std::abs(a[i] - b[i]) <= allowed * (1 + std::abs(b[i])));
  };
  size_t count = 0, first = a.size();
  for (size_t i = a.size(); i-- > 0;)
    if (differs(i)) first = i, ++count;
  if (count == 0) return "zeros differ in their sign";
  return str(count, " of ", a.size(), " elements of ", got.dtype(), " ", got.sizes(),
             " differ, the first at ", first, ": got ", a[first], ", expected ", b[first]);
}

/// f of the inputs on the CPU and on a CUDA device, and where asked for its gradients by those that
/// are of a floating type.
inline void expect_parity(const std::string& what, const TensorFunction& f,
                          const std::vector<Tensor>& inputs, const Parity& parity) {
  SCOPED_TRACE(what);
  std::vector<Tensor> device;
  std::vector<bool> wanted;
  for (const Tensor& x : inputs) {
    device.push_back(x.defined() ? x.to("cuda") : Tensor());
    wanted.push_back(x.defined() && x.is_floating_point());
  }
  try {
    const std::vector<Tensor> expected = f(inputs), results = f(device);
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(!results[i].defined() || results[i].is_cuda());
      EXPECT_EQ(difference(results[i], expected[i], parity.units), "") << "result " << i;
    }
    if (!parity.backward) return;
    const std::vector<Tensor> expected_grads = gradients(f, fresh_leaves(inputs, wanted));
    const std::vector<Tensor> grads = gradients(f, fresh_leaves(device, wanted));
    for (size_t i = 0; i < grads.size(); ++i)
      EXPECT_EQ(difference(grads[i], expected_grads[i], 64), "") << "gradient of input " << i;
  } catch (const Error& error) {
    ADD_FAILURE() << "threw: " << error.what();
  }
}

}  // namespace wick::test
