#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <tests/simt/control.h>
#include <tests/simt/cublaslt.h>

#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// The stand-in of cuBLASLt takes right arguments, and no wrong ones.
namespace simt {
namespace {

void ok(cudaError_t error) { ASSERT_EQ(error, cudaSuccess) << cudaGetErrorString(error); }
void ok(cublasStatus_t status) {
  ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS) << cublasLtGetStatusString(status);
}

constexpr uint64_t kM = 40, kN = 16, kK = 33;

/// d = a b + c by columns, with a: [kM, kK], b: [kK, kN]. Right until a test changes a member.
struct Arguments {
  cublasLtMatmulDescOpaque_t op{};
  cublasLtMatrixLayoutOpaque_t a_desc{}, b_desc{}, c_desc{}, d_desc{};
  cublasLtMatmulPreferenceOpaque_t preference{};
  cublasLtMatmulHeuristicResult_t found{};
  float *a = nullptr, *b = nullptr, *d = nullptr, *vector = nullptr;
  const float* c = nullptr;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  float alpha = 1, beta = 0;
  const void* at_alpha = &alpha;
  cublasLtHandle_t handle = nullptr;
  cudaStream_t stream = nullptr;

  Arguments() {
    ok(cudaSetDevice(0));
    ok(cublasLtCreate(&handle));
    ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    ok(cublasLtMatmulDescInit(&op, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    ok(cublasLtMatrixLayoutInit(&a_desc, CUDA_R_32F, kM, kK, kM));
    ok(cublasLtMatrixLayoutInit(&b_desc, CUDA_R_32F, kK, kN, kK));
    ok(cublasLtMatrixLayoutInit(&c_desc, CUDA_R_32F, kM, kN, kM));
    ok(cublasLtMatrixLayoutInit(&d_desc, CUDA_R_32F, kM, kN, kM));
    ok(cublasLtMatmulPreferenceInit(&preference));
    const uint64_t limit = 1 << 20;
    ok(cublasLtMatmulPreferenceSetAttribute(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                            &limit, sizeof limit));
    for (const auto& [p, n] : std::initializer_list<std::pair<float**, uint64_t>>{
             {&a, kM * kK}, {&b, kK * kN}, {&d, kM * kN}, {&vector, kM}}) {
      ok(cudaMalloc(p, n * sizeof(float)));
      ok(cudaMemset(*p, 0, n * sizeof(float)));
    }
    c = d;
  }
  ~Arguments() {
    try {  // the work or the stream may be what is wrong
      cudaDeviceSynchronize();
      cudaStreamDestroy(stream);
    } catch (const Error&) {
    }
    cudaSetDevice(0);
    for (void* p : {static_cast<void*>(a), static_cast<void*>(b), static_cast<void*>(d),
                    static_cast<void*>(vector), workspace})
      cudaFree(p);
    cudaGetLastError();
    cublasLtDestroy(handle);
  }

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    ok(cublasLtMatmulDescSetAttribute(&op, attribute, &value, sizeof value));
  }
  void set_epilogue(cublasLtEpilogue_t epilogue, const void* bias) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<uint32_t>(epilogue));
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  }
  void set_aux(void* p, int64_t ld) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, ld);
  }
  void set_batch(cublasLtMatrixLayoutOpaque_t& layout, int32_t count, int64_t stride) {
    ok(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                        sizeof count));
    ok(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                        &stride, sizeof stride));
  }

  cublasStatus_t ask() {
    int count = 0;
    return cublasLtMatmulAlgoGetHeuristic(handle, &op, &a_desc, &b_desc, &c_desc, &d_desc,
                                          &preference, 1, &found, &count);
  }
  void choose() {
    ok(ask());
    workspace_bytes = found.workspaceSize;
    if (!workspace) ok(cudaMalloc(&workspace, workspace_bytes));
  }
  cublasStatus_t multiply() {
    return cublasLtMatmul(handle, &op, at_alpha, a, &a_desc, b, &b_desc, &beta, c, &c_desc, d,
                          &d_desc, &found.algo, workspace, workspace_bytes, stream);
  }
  void run() {
    choose();
    ok(multiply());
    ok(cudaStreamSynchronize(stream));
  }
};

/// `body` throws an Error that contains `text`.
void expect_error(const char* name, const char* text, const std::function<void(Arguments&)>& body) {
  SCOPED_TRACE(name);
  Arguments call;
  try {
    body(call);
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
  }
}

TEST(CublasLt, RightArgumentsCompute) {
  Arguments call;
  std::vector<float> a(kM * kK), b(kK * kN), bias(kM);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) - 2;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 1;
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i);
  const auto upload = [](float* to, const std::vector<float>& from) {
    ok(cudaMemcpy(to, from.data(), from.size() * sizeof(float), cudaMemcpyHostToDevice));
  };
  upload(call.a, a);
  upload(call.b, b);
  upload(call.vector, bias);
  call.set_epilogue(CUBLASLT_EPILOGUE_BIAS, call.vector);
  call.run();
  std::vector<float> d(kM * kN);
  ok(cudaMemcpy(d.data(), call.d, d.size() * sizeof(float), cudaMemcpyDeviceToHost));
  for (size_t i = 0; i < kM; ++i) {
    for (size_t j = 0; j < kN; ++j) {
      float sum = bias[i];
      for (size_t l = 0; l < kK; ++l) sum += a[l * kM + i] * b[j * kK + l];
      EXPECT_EQ(d[j * kM + i], sum) << i << ", " << j;  // small integers: exact
    }
  }
}

TEST(CublasLt, WrongDescriptors) {
  const auto ask = [](auto&& change) {
    return [change](Arguments& call) {
      change(call);
      call.ask();
    };
  };
  expect_error(
      "leading dimension", "the leading dimension of A is 39, it has 40 rows",
      ask([](Arguments& c) { ok(cublasLtMatrixLayoutInit(&c.a_desc, CUDA_R_32F, kM, kK, 39)); }));
  expect_error("sizes", "op(A) is 40 x 33, op(B) 32 x 16", ask([](Arguments& c) {
                 ok(cublasLtMatrixLayoutInit(&c.b_desc, CUDA_R_32F, 32, kN, 40));
               }));
  expect_error("transposition", "op(A) is 33 x 40",
               ask([](Arguments& c) { c.set(CUBLASLT_MATMUL_DESC_TRANSA, int32_t{CUBLAS_OP_T}); }));
  expect_error("types", "A, B, C, D are of types", ask([](Arguments& c) {
                 ok(cublasLtMatrixLayoutInit(&c.b_desc, CUDA_R_16F, kK, kN, kK));
               }));
  expect_error("arithmetic", "with compute type", ask([](Arguments& c) {
                 ok(cublasLtMatmulDescInit(&c.op, CUBLAS_COMPUTE_64F, CUDA_R_64F));
               }));
  expect_error("batch", "batch count of A is 2, that of D 1",
               ask([](Arguments& c) { c.set_batch(c.a_desc, 2, kM * kK); }));
  expect_error("overlapping batch", "the next in the batch is 639 elements away",
               ask([](Arguments& c) {
                 c.set_batch(c.a_desc, 2, 0);
                 c.set_batch(c.b_desc, 2, kK * kN);
                 c.set_batch(c.c_desc, 2, kM * kN);
                 c.set_batch(c.d_desc, 2, kM * kN - 1);
               }));
  expect_error("no bias", "epilogue 4 with bias pointer",
               ask([](Arguments& c) { c.set_epilogue(CUBLASLT_EPILOGUE_BIAS, nullptr); }));
  expect_error("needless bias", "epilogue 1 with bias pointer",
               ask([](Arguments& c) { c.set_epilogue(CUBLASLT_EPILOGUE_DEFAULT, c.vector); }));
  expect_error("no aux", "epilogue 164 with auxiliary pointer", ask([](Arguments& c) {
                 c.set_epilogue(CUBLASLT_EPILOGUE_GELU_AUX_BIAS, c.vector);
               }));
  expect_error("aux leading dimension", "is 44, D has 40 rows; it must be a multiple of 8",
               ask([](Arguments& c) {
                 c.set_epilogue(CUBLASLT_EPILOGUE_GELU_AUX_BIAS, c.vector);
                 c.set_aux(c.b, 44);
               }));
  expect_error("aux alignment", "is not 16-byte aligned", ask([](Arguments& c) {
                 c.set_epilogue(CUBLASLT_EPILOGUE_GELU_AUX_BIAS, c.vector);
                 c.set_aux(c.b + 1, 40);
               }));
  expect_error("ReLU", "epilogue 6 is not emulated",
               ask([](Arguments& c) { c.set_epilogue(CUBLASLT_EPILOGUE_RELU_BIAS, c.vector); }));
  expect_error("nothing there", "Bdesc was not initialised",
               ask([](Arguments& c) { c.b_desc = {}; }));
  expect_error("size of an attribute", "attribute 7 has 4 bytes, not 8",
               [](Arguments& c) { c.set(CUBLASLT_MATMUL_DESC_EPILOGUE, uint64_t{1}); });
  expect_error("alignment", "alignment 12", [](Arguments& c) {
    const uint32_t alignment = 12;
    cublasLtMatmulPreferenceSetAttribute(&c.preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                                         &alignment, sizeof alignment);
  });
}

TEST(CublasLt, WrongArguments) {
  const Options saved = options();
  const auto multiply = [](auto&& change) {
    return [change](Arguments& call) {
      call.choose();
      change(call);
      call.multiply();
    };
  };
  expect_error("null", "cublasLtMatmul: B is null", multiply([](Arguments& c) { c.b = nullptr; }));
  expect_error("alignment", "is not aligned to 256 bytes",
               multiply([](Arguments& c) { c.c += 1; }));
  expect_error("host memory", "not in the memory of a device", multiply([](Arguments& c) {
                 static float host[kM * kK];
                 cudaFree(std::exchange(c.a, host));
               }));
  expect_error("freed", "freed", multiply([](Arguments& c) { ok(cudaFree(c.b)); }));
  expect_error("too short", "cublasLtMatmul: A", [](Arguments& c) {
    ok(cublasLtMatrixLayoutInit(&c.a_desc, CUDA_R_32F, kM, kK, kM + 1));
    c.choose();
    c.multiply();
  });
  expect_error("freed before it runs", "freed", [](Arguments& c) {
    options().lazy = true;
    c.choose();
    float* late = nullptr;
    ok(cudaMallocAsync(&late, kM * kK * sizeof(float), nullptr));
    ok(cudaMemset(late, 0, kM * kK * sizeof(float)));
    ok(cudaDeviceSynchronize());
    std::swap(c.a, late);
    c.multiply();
    std::swap(c.a, late);
    ok(cudaFreeAsync(late, nullptr));
    ok(cudaStreamSynchronize(nullptr));
    ok(cudaStreamSynchronize(c.stream));
  });
  expect_error("alpha", "alpha is in the memory of a device",
               multiply([](Arguments& c) { c.at_alpha = c.vector; }));
  expect_error("no workspace", "the algorithm needs 5120 bytes of workspace, got 5120 at",
               multiply([](Arguments& c) {
                 ok(cudaFree(c.workspace));
                 c.workspace = nullptr;
               }));
  expect_error("small workspace", "the algorithm needs 5120 bytes of workspace, got 5119",
               multiply([](Arguments& c) { --c.workspace_bytes; }));
  expect_error("false workspace", "the workspace",
               multiply([](Arguments& c) { ++c.workspace_bytes; }));
  expect_error("shared memory", "D overlaps the workspace", multiply([](Arguments& c) {
                 ok(cudaFree(c.d));
                 c.c = c.d = static_cast<float*>(std::exchange(c.workspace, nullptr));
                 c.workspace = c.d;
               }));
  expect_error("another problem", "the algorithm was chosen for another problem",
               multiply([](Arguments& c) {
                 ok(cublasLtMatrixLayoutInit(&c.a_desc, CUDA_R_32F, kM, kK, kM + 8));
               }));
  expect_error("another device", "the handle is of device 0, the current one is 1",
               multiply([](Arguments&) { ok(cudaSetDevice(1)); }));
  expect_error("stream of another device", "the stream is of device 1", [](Arguments& c) {
    c.choose();
    ok(cudaSetDevice(1));
    cudaStream_t other = nullptr;
    ok(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    ok(cudaSetDevice(0));
    std::swap(c.stream, other);
    try {
      c.multiply();
    } catch (const Error&) {
      cudaStreamDestroy(std::exchange(c.stream, other));
      throw;
    }
  });
  expect_error("destroyed stream", "was destroyed",
               multiply([](Arguments& c) { ok(cudaStreamDestroy(c.stream)); }));
  expect_error("no handle", "the handle was destroyed or never was one", multiply([](Arguments& c) {
                 cublasLtHandle_t other = nullptr;
                 ok(cublasLtCreate(&other));
                 std::swap(c.handle, other);
                 ok(cublasLtDestroy(c.handle));
                 std::swap(c.handle, other);
                 cublasLtDestroy(other);
               }));
  options() = saved;
}

TEST(CublasLt, UnwrittenMemoryIsSeen) {
  if (!checker::active()) GTEST_SKIP() << "kernels are not instrumented";
  expect_error("A", "cublasLtMatmul: A", [](Arguments& c) {
    ok(cudaFree(c.a));
    ok(cudaMalloc(&c.a, kM * kK * sizeof(float)));
    c.run();
  });
}

TEST(CublasLt, Failures) {
  Arguments call;
  call.choose();
  fail_call(Call::Library, 1);
  EXPECT_EQ(call.multiply(), CUBLAS_STATUS_EXECUTION_FAILED);
  fail_call(Call::Library, 1);
  EXPECT_EQ(call.ask(), CUBLAS_STATUS_INTERNAL_ERROR);
  fail_call(Call::Library, 1);
  cublasLtHandle_t handle = nullptr;
  EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_ALLOC_FAILED);
  lose_device(0, cudaErrorLaunchFailure);
  EXPECT_EQ(call.multiply(), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(call.ask(), CUBLAS_STATUS_INTERNAL_ERROR);
  EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_NOT_INITIALIZED);
  restore();
  refuse_epilogue(CUBLASLT_EPILOGUE_DEFAULT);
  EXPECT_EQ(call.ask(), CUBLAS_STATUS_NOT_SUPPORTED);
  refuse_no_epilogue();
  ok(cublasLtMatrixLayoutInit(&call.a_desc, CUDA_R_32F, kM, uint64_t{1} << 31, kM));
  ok(cublasLtMatrixLayoutInit(&call.b_desc, CUDA_R_32F, uint64_t{1} << 31, kN, int64_t{1} << 31));
  EXPECT_EQ(call.ask(), CUBLAS_STATUS_NOT_SUPPORTED);
}

}  // namespace
}  // namespace simt
