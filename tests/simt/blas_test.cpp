#include <gtest/gtest.h>
#include <tests/simt/control.h>
#include <tests/simt/cublaslt.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/kernels/cuda/runtime.h>
#include <wick/kernels/matmul.h>
#include <string>
#include <vector>

// Matrix products on emulated devices: what cuBLASLt is asked for, and what is done without it.
namespace wick::test {
namespace {

constexpr DType kFloats[] = {kFloat16, kBFloat16, kFloat32, kFloat64};
const Device kGpu(kCUDA, 0), kSecondGpu(kCUDA, 1);

/// f(x): as many different numbers as asked for, of about 1.
Tensor numbers(IntArrayRef sizes, DType dtype, size_t index, Device device = kGpu) {
  return sample_like(zeros(sizes, TensorOptions(dtype).device(kCPU)), index).to(device);
}

class Blas : public testing::Test {
 protected:
  void TearDown() override {
    simt::refuse_no_epilogue();
    simt::fail_call(simt::Call::Library, 0);
    cuda::set_allow_tf32(false);
  }
};

/// How many kernels of ours run for what `body` does.
template <class F>
uint64_t launches(F&& body) {
  cuda::synchronize(0);
  const uint64_t before = simt::statistics().launches;
  body();
  cuda::synchronize(0);
  return simt::statistics().launches - before;
}
template <class F>
int64_t questions(F&& body) {
  const int64_t before = simt::heuristic_calls();
  body();
  return simt::heuristic_calls() - before;
}

void expect_near(const Tensor& got, const Tensor& wanted, double units = 16) {
  EXPECT_LE(distance(got.detach().cpu(), wanted.detach().cpu()), units * precision(got.dtype()))
      << distance(got.detach().cpu(), wanted.detach().cpu()) / precision(got.dtype()) << " units";
}

/// y and the gradients of x, weight and bias.
std::vector<Tensor> train(Device device, DType dtype, const char* activation, int64_t rows,
                          int64_t out) {
  std::vector<Tensor> leaves = {numbers({rows, 12}, dtype, 0, device),
                                numbers({out, 12}, dtype, 1, device),
                                numbers({out}, dtype, 2, device)};
  for (Tensor& t : leaves) t.set_requires_grad(true);
  const Tensor y = activation ? linear_activation(leaves[0], leaves[1], leaves[2], activation)
                              : linear(leaves[0], leaves[1], leaves[2]);
  std::vector<Tensor> results = {y};
  const Tensor seed = numbers(y.sizes(), dtype, 3, device);
  for (const Tensor& g : autograd::grad({y}, leaves, {seed})) results.push_back(g);
  return results;
}

TEST_F(Blas, LayersAgreeWithTheCpu) {
  for (const DType dtype : kFloats) {
    for (const char* activation : {static_cast<const char*>(nullptr), "relu", "gelu_tanh"}) {
      for (const int64_t out : {1, 8, 13}) {
        for (const int64_t rows : {1, 40}) {
          SCOPED_TRACE(str(dtype, " ", activation ? activation : "linear", " ", rows, " ", out));
          const auto wanted = train(Device(kCPU), dtype, activation, rows, out);
          const auto got = train(kGpu, dtype, activation, rows, out);
          for (size_t i = 0; i < got.size(); ++i) expect_near(got[i], wanted[i]);
        }
      }
    }
  }
}

TEST_F(Blas, WhatGoesWithAProductIsFused) {
  const auto forward = [](DType dtype, const char* activation, int64_t out, bool grad = false) {
    const Tensor x = numbers({6, 12}, dtype, 0), weight = numbers({out, 12}, dtype, 1);
    Tensor bias = numbers({out}, dtype, 2);
    bias.set_requires_grad(grad);
    return launches([&] {
      activation ? linear_activation(x, weight, bias, activation) : linear(x, weight, bias);
    });
  };
  for (const DType dtype : kFloats) {
    SCOPED_TRACE(str(dtype));
    const uint64_t half = is_reduced_float(dtype) ? 1 : 0;
    EXPECT_EQ(forward(dtype, nullptr, 5), 0u);
    EXPECT_EQ(forward(dtype, "relu", 5), 1u);  // in place: the library's would lose NaN
    EXPECT_EQ(forward(dtype, "gelu_tanh", 5), 1 - half);
    EXPECT_EQ(forward(dtype, "gelu_tanh", 8, true), 1 - half);
    EXPECT_EQ(forward(dtype, "gelu_tanh", 5, true), 1u);  // the sum's rows must be 16-byte aligned
    // Both products and the gradient of the bias.
    std::vector<Tensor> leaves = {numbers({6, 12}, dtype, 0), numbers({5, 12}, dtype, 1),
                                  numbers({5}, dtype, 2)};
    for (Tensor& t : leaves) t.set_requires_grad(true);
    const Tensor y = linear(leaves[0], leaves[1], leaves[2]);
    const Tensor seed = numbers({6, 5}, dtype, 3);
    EXPECT_EQ(launches([&] { autograd::grad({y}, leaves, {seed}); }), 0u);
  }
}

TEST_F(Blas, WhatTheLibraryRefusesIsDoneWithoutIt) {
  const cublasLtEpilogue_t all[] = {CUBLASLT_EPILOGUE_DEFAULT,  CUBLASLT_EPILOGUE_BIAS,
                                    CUBLASLT_EPILOGUE_GELU,     CUBLASLT_EPILOGUE_GELU_BIAS,
                                    CUBLASLT_EPILOGUE_GELU_AUX, CUBLASLT_EPILOGUE_GELU_AUX_BIAS,
                                    CUBLASLT_EPILOGUE_BGRADB};
  int64_t out = 16;  // sizes that were not asked about before
  for (const bool also_plain : {false, true}) {
    for (const cublasLtEpilogue_t epilogue : all)
      if (also_plain || epilogue != CUBLASLT_EPILOGUE_DEFAULT) simt::refuse_epilogue(epilogue);
    for (const DType dtype : kFloats) {
      for (const char* activation : {static_cast<const char*>(nullptr), "relu", "gelu_tanh"}) {
        SCOPED_TRACE(str(dtype, " ", activation ? activation : "linear", " ", also_plain));
        out += 8;
        const auto wanted = train(Device(kCPU), dtype, activation, 20, out);
        const auto got = train(kGpu, dtype, activation, 20, out);
        for (size_t i = 0; i < got.size(); ++i) expect_near(got[i], wanted[i]);
      }
    }
  }
}

TEST_F(Blas, ABiasThatIsNotFusedLeavesTheProductToTheLibrary) {
  simt::refuse_epilogue(CUBLASLT_EPILOGUE_BIAS);
  const Tensor x = numbers({3, 12}, kFloat32, 0), weight = numbers({7, 12}, kFloat32, 1);
  const Tensor bias = numbers({7}, kFloat32, 2);
  EXPECT_EQ(launches([&] { linear(x, weight, bias); }), 1u);
  expect_near(linear(x, weight, bias), linear(x.cpu(), weight.cpu(), bias.cpu()));
}

TEST_F(Blas, RowsThatRepeat) {
  const Tensor row = numbers({9}, kFloat32, 0), b = numbers({9, 7}, kFloat32, 1);
  const Tensor c = zeros({4, 7}, TensorOptions(kFloat32).device(kGpu));
  MatmulArgs args;
  args.m = 4;
  args.n = args.ldb = args.ldc = 7;
  args.k = 9;
  args.a = row.data_ptr();
  args.b = b.data_ptr();
  args.c = c.data_ptr();
  EXPECT_EQ(launches([&] { cuda::matmul(args); }), 1u);  // nothing for the library
  expect_near(c, matmul(row.cpu().expand({4, 9}), b.cpu()));
}

TEST_F(Blas, NanSurvivesRelu) {
  Tensor x = numbers({3, 12}, kFloat32, 0, Device(kCPU));
  x[1][2].fill_(std::numeric_limits<double>::quiet_NaN());
  const Tensor weight = numbers({4, 12}, kFloat32, 1), bias = numbers({4}, kFloat32, 2);
  const Tensor y = linear_activation(x.to(kGpu), weight, bias, "relu").cpu();
  EXPECT_TRUE(all(y[1] != y[1]).item<bool>());
  EXPECT_TRUE(all(y[0] == y[0]).item<bool>());
}

TEST_F(Blas, TheHeuristicIsAskedOnceForAProblem) {
  const Tensor a = numbers({17, 23}, kFloat32, 0), b = numbers({23, 19}, kFloat32, 1);
  EXPECT_EQ(questions([&] { matmul(a, b); }), 1);
  EXPECT_EQ(questions([&] {
              matmul(a, b);
              matmul(a * 2, b + 1);  // other contents and places
              cuda::synchronize(0);
            }),
            0);
  EXPECT_EQ(questions([&] { matmul(b.t(), a.t()); }), 1);
  EXPECT_EQ(questions([&] { matmul(numbers({18, 23}, kFloat32, 0), b); }), 1);
  EXPECT_EQ(questions([&] { matmul(a.to(kFloat64), b.to(kFloat64)); }), 1);
  const Tensor shifted = numbers({17 * 23 + 1}, kFloat32, 0).narrow(0, 1, 17 * 23).view({17, 23});
  EXPECT_EQ(questions([&] { matmul(shifted, b); }), 1);  // another alignment
  cuda::set_allow_tf32(true);
  EXPECT_EQ(questions([&] { matmul(a, b); }), 1);
  cuda::set_allow_tf32(false);
  EXPECT_EQ(questions([&] { matmul(a, b); }), 0);
  EXPECT_EQ(questions([&] {
              const cuda::DeviceGuard guard(1);
              matmul(a.to(kSecondGpu), b.to(kSecondGpu));
            }),
            1);
  // Also when the answer was no.
  simt::refuse_epilogue(CUBLASLT_EPILOGUE_DEFAULT);
  const Tensor c = numbers({23, 21}, kFloat32, 1);
  EXPECT_EQ(questions([&] {
              matmul(a, c);
              matmul(a, c);
            }),
            1);
}

TEST_F(Blas, Tf32OnlyIfAllowed) {
  const Tensor a = full({8, 8}, 1 + 0x1p-12, TensorOptions(kFloat32).device(kGpu));
  EXPECT_FALSE(cuda::allow_tf32());
  EXPECT_EQ(matmul(a, a).cpu()[0][0].item<float>(), 8 * (1 + 0x1p-12f) * (1 + 0x1p-12f));
  cuda::set_allow_tf32(true);
  EXPECT_TRUE(cuda::allow_tf32());
  EXPECT_EQ(matmul(a, a).cpu()[0][0].item<float>(), 8.0f);
  EXPECT_EQ(matmul(a.to(kFloat64), a.to(kFloat64)).cpu()[0][0].item<double>(),
            8 * (1 + 0x1p-12) * (1 + 0x1p-12));
}

TEST_F(Blas, PartsOfSumsAreNotRoundedToHalf) {
  // 2049 - 2048: in float16, 2049 is 2048.
  Tensor a = zeros({1, 64}, TensorOptions(kFloat16).device(kCPU));
  a[0][0].fill_(2048);
  a[0][1].fill_(1);
  a[0][40].fill_(-2048);
  const Tensor b = ones({64, 8}, TensorOptions(kFloat16).device(kGpu));
  EXPECT_EQ(matmul(a.to(kGpu), b).cpu()[0][7].item<float>(), 1.0f);
}

TEST_F(Blas, LayoutsAndBatches) {
  for (const DType dtype : kFloats) {
    for (const int64_t m : {1, 5, 70}) {
      for (const int64_t n : {1, 9, 66}) {
        for (const int64_t k : {1, 34}) {
          for (int flags = 0; flags < 16; ++flags) {
            const bool trans_a = flags & 1, trans_b = flags & 2, accumulate = flags & 4;
            const int64_t pad = flags % 3, batch = flags & 8 ? 3 : 1;
            SCOPED_TRACE(str(dtype, " ", m, " ", n, " ", k, " ", flags));
            MatmulArgs args;
            args.dtype = dtype;
            args.batch = batch;
            args.m = m;
            args.n = n;
            args.k = k;
            args.trans_a = trans_a;
            args.trans_b = trans_b;
            args.accumulate = accumulate;
            args.lda = (trans_a ? m : k) + pad;
            args.ldb = (trans_b ? k : n) + pad;
            args.ldc = n + pad;
            args.stride_a = (trans_a ? k : m) * args.lda;
            args.stride_b = m % 2 ? 0 : (trans_b ? n : k) * args.ldb;  // one for all
            args.stride_c = m * args.ldc;
            const auto run = [&](Device device, auto&& matmul) {
              const Tensor a = numbers({batch * args.stride_a}, dtype, 0, device);
              const Tensor b = numbers({3 * (trans_b ? n : k) * args.ldb}, dtype, 1, device);
              const Tensor bias = numbers({n}, dtype, 2, device);
              const Tensor c = numbers({batch * args.stride_c}, dtype, 3, device);
              args.a = a.data_ptr();
              args.b = b.data_ptr();
              args.bias = k % 2 ? bias.data_ptr() : nullptr;
              args.c = c.data_ptr();
              matmul(args);
              return c.cpu();  // also what is between the rows
            };
            expect_near(run(kGpu, cuda::matmul), run(Device(kCPU), cpu::matmul));
          }
        }
      }
    }
  }
}

TEST_F(Blas, StreamsDoNotShareAWorkspace) {
  const Tensor a = numbers({20, 64}, kFloat32, 0), b = numbers({64, 24}, kFloat32, 1);
  const Tensor other = a * 3;
  cuda::synchronize(0);
  const cuda::Stream stream = cuda::stream_from_pool(0);
  std::vector<Tensor> here, there;
  for (int i = 0; i < 8; ++i) {
    here.push_back(matmul(a, b));
    const cuda::StreamGuard guard(stream);
    there.push_back(matmul(other, b));
  }
  cuda::synchronize(0);
  const Tensor wanted = matmul(a.cpu(), b.cpu());
  for (const Tensor& c : here) expect_near(c, wanted);
  for (const Tensor& c : there) expect_near(c, wanted * 3);
}

template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return std::string("another type: ") + e.what();
  }
  return "no exception";
}

TEST_F(Blas, FailuresAreErrorsOfOneLine) {
  const Tensor a = numbers({11, 12}, kFloat32, 0), b = numbers({12, 13}, kFloat32, 1);
  const Tensor wanted = matmul(a.cpu(), b.cpu());
  simt::fail_call(simt::Call::Library, 1);
  EXPECT_EQ(error_of<DeviceError>([&] { matmul(a, b); }),
            "matmul: cuBLASLt failed in choose an algorithm: an internal operation failed");
  simt::fail_call(simt::Call::Library, 2);
  EXPECT_EQ(error_of<DeviceError>([&] { matmul(a, b); }),
            "matmul: cuBLASLt failed in matmul: the GPU program failed to execute");
  expect_near(matmul(a, b), wanted);
}

}  // namespace
}  // namespace wick::test
