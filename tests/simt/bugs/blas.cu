// Wrong arguments to cuBLASLt, which it would not notice: the stand-in must.
#include <cublasLt.h>
#include <tests/simt/bugs/bugs.h>

#include <cstring>
#include <string>

namespace bugs {
namespace {

void must_blas(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(std::string("cuBLASLt: ") + cublasLtGetStatusString(status));
}

constexpr int kM = 32, kN = 16, kK = 64;

/// c = a b in columns: a [kM, kK], b [kK, kN], c [kM, kN]. The members are what is told to the
/// library.
struct Product {
  cudaDataType_t type = CUDA_R_32F;
  int64_t lda = kM, ldb = kK, ldc = kM;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  float beta = 0;
  void* workspace = nullptr;  // null: one that is large enough
  size_t workspace_bytes = 1 << 20;
  cudaStream_t on = stream();

  void run();
};

cublasLtMatrixLayoutOpaque_t layout(cudaDataType_t type, uint64_t rows, uint64_t columns,
                                    int64_t ld) {
  cublasLtMatrixLayoutOpaque_t matrix{};
  must_blas(cublasLtMatrixLayoutInit(&matrix, type, rows, columns, ld));
  return matrix;
}

void Product::run() {
  static cublasLtHandle_t handle = [] {
    cublasLtHandle_t h = nullptr;
    must_blas(cublasLtCreate(&h));
    return h;
  }();
  cublasLtMatmulDescOpaque_t product{};
  must_blas(cublasLtMatmulDescInit(&product, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  auto layout_a = layout(type, kM, kK, lda);
  auto layout_b = layout(type, kK, kN, ldb);
  auto layout_c = layout(type, kM, kN, ldc);
  cublasLtMatmulPreferenceOpaque_t preference{};
  must_blas(cublasLtMatmulPreferenceInit(&preference));
  const uint64_t limit = 1 << 20;
  must_blas(cublasLtMatmulPreferenceSetAttribute(
      &preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit, sizeof limit));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  must_blas(cublasLtMatmulAlgoGetHeuristic(handle, &product, &layout_a, &layout_b, &layout_c,
                                           &layout_c, &preference, 1, &found, &count));
  if (count == 0) throw std::runtime_error("cuBLASLt: no algorithm");
  if (!workspace && workspace_bytes > 0) {
    workspace_bytes = found.workspaceSize;
    if (workspace_bytes > 0) workspace = Array<char>(workspace_bytes).p;
  }
  const float alpha = 1;
  must_blas(cublasLtMatmul(handle, &product, &alpha, a, &layout_a, b, &layout_b, &beta, c,
                           &layout_c, c, &layout_c, &found.algo, workspace, workspace_bytes, on));
}

std::vector<float> a_values() {
  std::vector<float> a(size_t{kM} * kK);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) - 2;
  return a;
}
std::vector<float> b_values() {
  std::vector<float> b(size_t{kK} * kN);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 5) - 1;
  return b;
}
std::vector<float> product_of(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> c(size_t{kM} * kN);
  for (size_t i = 0; i < kM; ++i)
    for (size_t j = 0; j < kN; ++j)
      for (size_t l = 0; l < kK; ++l) c[j * kM + i] += a[l * kM + i] * b[j * kK + l];
  return c;
}

/// The arguments are right until a case changes them.
struct Right {
  Array<float> a{a_values()}, b{b_values()}, c{size_t{kM} * kN};
  Product product;
  Right() {
    product.a = a.p;
    product.b = b.p;
    product.c = c.p;
  }
  bool run() {
    product.run();
    return c.get() != product_of(a_values(), b_values());
  }
};

bool matmul_half(size_t written) {
  std::vector<__half> a, b;
  for (const float v : a_values()) a.push_back(__float2half(v));
  for (const float v : b_values()) b.push_back(__float2half(v));
  const Array<__half> x(a.size()), y(b), z(size_t{kM} * kN);
  must(cudaMemcpyAsync(x.p, a.data(), written * sizeof(__half), cudaMemcpyHostToDevice, stream()));
  Product product;
  product.type = CUDA_R_16F;
  product.a = x.p;
  product.b = y.p;
  product.c = z.p;
  product.run();
  const std::vector<float> expected = product_of(a_values(), b_values());
  const std::vector<__half> got = z.get();
  for (size_t i = 0; i < got.size(); ++i)
    if (__half2float(got[i]) != expected[i]) return true;  // small integers: exact
  return false;
}

}  // namespace

CONTROL(ok_matmul) { return Right().run(); }
CONTROL(ok_matmul_half) { return matmul_half(size_t{kM} * kK); }

BUG(blas_freed_input, reported(kAll, "cublasLtMatmul: B: 4096 bytes .* freed")) {
  Right right;
  must(cudaFree(right.b.p));
  return right.run();
}
BUG(blas_freed_output, reported(kAll, "cublasLtMatmul: D: 2048 bytes .* freed")) {
  Right right;
  must(cudaFree(right.c.p));
  right.product.run();
  must(cudaStreamSynchronize(stream()));
  return false;
}
BUG(blas_null_input, reported(kAll, "cublasLtMatmul: A is null")) {
  Right right;
  right.product.a = nullptr;
  return right.run();
}
BUG(blas_host_input, reported(kAll, "cublasLtMatmul: A: .* not in the memory of a device")) {
  alignas(256) static float a[kM * kK];
  Right right;
  right.product.a = a;
  return right.run();
}
BUG(blas_foreign_memory, reported(kAll, "cublasLtMatmul: A: .* of device 1, not of device 0")) {
  Right right;
  must(cudaSetDevice(1));
  const Array<float> a(a_values(), nullptr);
  must(cudaDeviceSynchronize());
  must(cudaSetDevice(0));
  right.product.a = a.p;
  return right.run();
}
BUG(blas_foreign_stream, reported(kAll, "cublasLtMatmul: .* of device 1, not of device 0")) {
  Right right;
  must(cudaStreamSynchronize(stream()));
  must(cudaSetDevice(1));
  right.product.on = new_stream();
  must(cudaSetDevice(0));
  right.product.run();
  must(cudaStreamSynchronize(right.product.on));
  return false;
}
BUG(blas_stream_destroyed, reported(kAll, "cublasLtMatmul: stream .* was destroyed")) {
  Right right;
  right.product.on = new_stream();
  must(cudaStreamDestroy(right.product.on));
  return right.run();
}
BUG(blas_leading_small, reported(kAll, "leading dimension of A is 31")) {
  Right right;
  right.product.lda = kM - 1;
  return right.run();
}
BUG(blas_leading_large, reported(kAll, "cublasLtMatmul: B: 4576 bytes .* not within")) {
  Right right;
  right.product.ldb = kK + 8;
  return right.run();
}
BUG(blas_leading_large_output, reported(kAll, "cublasLtMatmul: D: 2528 bytes .* not within")) {
  Right right;
  right.product.ldc = kM + 8;
  right.product.run();
  must(cudaStreamSynchronize(stream()));
  return false;
}
// Rows and columns confused: within the array, and wrong.
BUG(blas_leading_wrong, wrong(kAll)) {
  Right right;
  const Array<float> b(std::vector<float>(size_t{2} * kK * kN, 1));
  right.product.b = b.p;
  right.product.ldb = 2 * kK;
  return right.run();
}
BUG(blas_uninit, wrong(kFast | kAsan), reported(kCheck, "cublasLtMatmul: A: uninitialised read")) {
  Right right;
  right.product.a = Array<float>(size_t{kM} * kK).p;
  return right.run();
}
BUG(blas_uninit_half, wrong(kFast | kAsan),
    reported(kCheck, "cublasLtMatmul: A: uninitialised read")) {
  return matmul_half(size_t{kM} * kK - 1);
}
BUG(blas_uninit_accumulated, wrong(kFast | kAsan),
    reported(kCheck, "cublasLtMatmul: C: uninitialised read")) {
  Right right;
  right.product.beta = 1;
  return right.run();
}
BUG(blas_missing_wait, wrong(kFast | kAsan),
    reported(kCheck, "cublasLtMatmul: [AB]: uninitialised read")) {
  Right right;  // uploads on another stream
  right.product.on = new_stream();
  right.product.run();
  return right.c.get(right.product.on) != product_of(a_values(), b_values());
}
BUG(blas_freed_late, reported(kAll, "cublasLtMatmul: A: .* freed")) {
  Right right;
  must(cudaStreamSynchronize(stream()));
  const cudaStream_t other = new_stream();
  float* a = nullptr;
  must(cudaMallocAsync(reinterpret_cast<void**>(&a), size_t{kM} * kK * sizeof(float), other));
  must(cudaMemsetAsync(a, 0, size_t{kM} * kK * sizeof(float), other));
  must(cudaStreamSynchronize(other));
  right.product.a = a;
  right.product.run();
  must(cudaFreeAsync(a, other));
  must(cudaStreamSynchronize(other));
  must(cudaStreamSynchronize(stream()));
  return false;
}

BUG(blas_workspace_null, reported(kAll, "needs 4096 bytes of workspace, got 0")) {
  Right right;
  right.product.workspace_bytes = 0;
  return right.run();
}
BUG(blas_workspace_small, reported(kAll, "the workspace: 1048576 bytes .* not within")) {
  Right right;
  right.product.workspace = Array<char>(16).p;  // and says that it has 1 MiB
  return right.run();
}
BUG(blas_workspace_freed, reported(kAll, "the workspace: 1048576 bytes .* freed")) {
  Right right;
  right.product.workspace = Array<char>(1 << 20).p;
  must(cudaFree(right.product.workspace));
  return right.run();
}

}  // namespace bugs
