#include <tests/simt/cublaslt.h>
#include <tests/simt/internal.h>

#include <cstring>
#include <utility>
#include <vector>

// What the stand-in of cuBLASLt demands of a problem and of the arguments of a product.
namespace simt::blas {
namespace {

void check_types(const char* function, const Problem& p) {
  const cudaDataType_t type = p.d.type;
  if (p.a.type != type || p.b.type != type || p.c.type != type)
    fail(function, "A, B, C, D are of types ", p.a.type, ", ", p.b.type, ", ", p.c.type, ", ",
         type);
  const bool wide = type == CUDA_R_64F;
  const bool known = type == CUDA_R_16F || type == CUDA_R_16BF || type == CUDA_R_32F || wide;
  const bool fits = wide ? p.op.compute == CUBLAS_COMPUTE_64F
                         : p.op.compute == CUBLAS_COMPUTE_32F ||
                               (p.op.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && type == CUDA_R_32F);
  if (!known || !fits || p.op.scale != (wide ? CUDA_R_64F : CUDA_R_32F))
    fail(function, "data of type ", type, " with compute type ", p.op.compute, " and scale type ",
         p.op.scale);
}

void check_shapes(const char* function, const Problem& p) {
  const bool plain_a = p.op.trans_a == CUBLAS_OP_N, plain_b = p.op.trans_b == CUBLAS_OP_N;
  const uint64_t m = plain_a ? p.a.rows : p.a.columns, n = plain_b ? p.b.columns : p.b.rows;
  const uint64_t k_b = plain_b ? p.b.rows : p.b.columns;
  if (p.k() != k_b || p.d.rows != m || p.d.columns != n || p.c.rows != m || p.c.columns != n)
    fail(function, "op(A) is ", m, " x ", p.k(), ", op(B) ", k_b, " x ", n, ", C ", p.c.rows, " x ",
         p.c.columns, ", D ", p.d.rows, " x ", p.d.columns);
  const auto check = [&](const Layout& x, const char* name, bool is_output) {
    if (x.rows == 0 || x.columns == 0) fail(function, name, " is ", x.rows, " x ", x.columns);
    if (x.ld < 0 || static_cast<uint64_t>(x.ld) < x.rows)
      fail(function, "the leading dimension of ", name, " is ", x.ld, ", it has ", x.rows, " rows");
    if (x.batch != p.d.batch || x.batch < 1)
      fail(function, "batch count of ", name, " is ", x.batch, ", that of D ", p.d.batch);
    if (x.stride < 0 || (is_output && x.batch > 1 &&
                         x.stride < static_cast<int64_t>(x.at(0, x.rows - 1, x.columns - 1) + 1)))
      fail(function, name, " has ", x.rows, " x ", x.columns,
           " elements, the next in the batch is ", x.stride, " elements away");
  };
  check(p.a, "A", false);
  check(p.b, "B", false);
  check(p.c, "C", false);
  check(p.d, "D", true);
}

void check_epilogue(const char* function, const Problem& p) {
  const Description& op = p.op;
  switch (op.epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT:
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_BGRADB:
      break;
    default:
      fail(function, "epilogue ", op.epilogue, " is not emulated");
  }
  if ((op.has_bias() || op.has_bias_gradient()) != (op.bias != nullptr))
    fail(function, "epilogue ", op.epilogue, " with bias pointer ", op.bias);
  if (op.has_aux() != (op.aux != nullptr))
    fail(function, "epilogue ", op.epilogue, " with auxiliary pointer ", op.aux);
  if (!op.has_aux()) return;
  if (op.aux_ld % 8 != 0 || op.aux_ld < static_cast<int64_t>(p.d.rows))
    fail(function, "the leading dimension of the auxiliary output is ", op.aux_ld, ", D has ",
         p.d.rows, " rows; it must be a multiple of 8");
  if (alignment_of(op.aux) < 16)
    fail(function, "the auxiliary output at ", op.aux, " is not 16-byte aligned");
  if (p.d.batch > 1) fail(function, "an auxiliary output of a batch is not emulated");
}

void check_alignment(const char* function, const Product& p) {
  const auto check = [&](const void* x, const char* name, size_t alignment) {
    if (alignment_of(x) < alignment)
      fail(function, name, " at ", x, " is not aligned to ", alignment,
           " bytes, for which the algorithm was chosen");
  };
  const Algorithm& a = p.algorithm;
  check(p.in_a, "A", a.alignment[0]);
  check(p.in_b, "B", a.alignment[1]);
  check(p.in_c, "C", a.alignment[2]);
  check(p.out, "D", a.alignment[3]);
  check(p.op.bias, "the bias", a.bias_alignment);
  check(p.op.aux, "the auxiliary output", a.aux_alignment);
}

struct Range {
  const char* name;
  const void* p;
  size_t bytes;
};

/// What is written must not be read or written by anything else.
void check_overlap(const char* function, const Product& p) {
  const Description& op = p.op;
  const size_t element = p.d.element();
  std::vector<Range> ranges = {{"D", p.out, p.d.extent()}};
  if (p.algorithm.workspace)
    ranges.push_back({"the workspace", p.workspace, p.algorithm.workspace});
  if (op.has_aux())
    ranges.push_back({"the auxiliary output", op.aux,
                      ((p.d.columns - 1) * static_cast<size_t>(op.aux_ld) + p.d.rows) * element});
  if (op.has_bias_gradient()) ranges.push_back({"the bias", op.bias, p.d.columns * element});
  const size_t written = ranges.size();
  ranges.push_back({"A", p.in_a, p.a.extent()});
  ranges.push_back({"B", p.in_b, p.b.extent()});
  if (op.has_bias()) ranges.push_back({"the bias", op.bias, p.d.rows * element});
  for (size_t i = 0; i < written; ++i) {
    for (size_t j = i + 1; j < ranges.size(); ++j) {
      const auto x = reinterpret_cast<uintptr_t>(ranges[i].p);
      const auto y = reinterpret_cast<uintptr_t>(ranges[j].p);
      if (x < y + ranges[j].bytes && y < x + ranges[i].bytes)
        fail(function, ranges[i].name, " overlaps ", ranges[j].name);
    }
  }
}

void check_workspace(const char* function, const Product& p, size_t bytes) {
  if (p.algorithm.workspace > bytes || (p.algorithm.workspace > 0 && !p.workspace))
    fail(function, "the algorithm needs ", p.algorithm.workspace, " bytes of workspace, got ",
         bytes, " at ", p.workspace);
  if (!p.workspace) return;
  if (alignment_of(p.workspace) < 16)
    fail(function, "the workspace at ", p.workspace, " is not 16-byte aligned");
  simt::require_memory(p.workspace, bytes, p.device, "cublasLtMatmul: the workspace");
}

}  // namespace

size_t alignment_of(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return address & -address;
}

void check_problem(const char* function, const Problem& p) {
  check_types(function, p);
  check_shapes(function, p);
  check_epilogue(function, p);
}

void check_arguments(const char* function, const Product& p, size_t workspace_bytes) {
  const std::pair<const char*, const void*> operands[] = {
      {"A", p.in_a}, {"B", p.in_b}, {"C", p.in_c}, {"D", p.out}};
  for (const auto& [name, pointer] : operands)
    if (!pointer) fail(function, name, " is null");
  check_workspace(function, p, workspace_bytes);
  require_memory(p);
  check_alignment(function, p);
  check_overlap(function, p);
  if (p.in_c == p.out && std::memcmp(&p.c, &p.d, sizeof p.c) != 0)
    fail(function, "C and D are the same memory in two layouts");
}

}  // namespace simt::blas
