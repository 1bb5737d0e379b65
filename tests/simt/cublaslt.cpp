#include <tests/simt/cublaslt.h>
#include <tests/simt/internal.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <mutex>
#include <set>

// The functions of cuBLASLt, linked instead of the library. What the library's header and manual
// (https://docs.nvidia.com/cuda/cublas) forbid, or leave undefined, throws simt::Error, which names
// the function, the argument and the values; what they say is an answer, is one.

struct cublasLtContext {
  int device;
};

namespace simt {
namespace {

using blas::Algorithm;
using blas::Description;
using blas::fail;
using blas::Layout;
using blas::Preference;
using blas::Problem;
using blas::Product;

constexpr uint64_t kDescriptionMagic = 0xb1a5de5c, kLayoutMagic = 0xb1a51a70,
                   kPreferenceMagic = 0xb1a59ef0, kAlgorithmMagic = 0xb1a5a190;
constexpr uint64_t kLongSum = 32;  // is split, if there is workspace for the parts

struct State {
  std::mutex mutex;
  std::set<cublasLtHandle_t> handles;
  std::set<uint32_t> refused;
  int64_t heuristic_calls = 0;
};
State& state() {
  static State* const state = new State;  // leaked: used until the very end of the process
  return *state;
}

/// Our struct in the library's opaque one.
template <class T, class Opaque>
T read(const char* function, const Opaque* from, uint64_t magic, const char* name) {
  static_assert(sizeof(T) <= sizeof(Opaque));
  if (!from) fail(function, name, " is null");
  T value;
  std::memcpy(&value, from, sizeof value);
  if (value.magic != magic) fail(function, name, " was not initialised");
  return value;
}
template <class T, class Opaque>
void write(Opaque* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}

template <class T, class Opaque>
cublasStatus_t init(const char* function, Opaque* to, size_t size, const T& value) {
  if (!to) fail(function, "the descriptor is null");
  if (size != sizeof(Opaque)) fail(function, "size is ", size, ", not ", sizeof(Opaque));
  write(to, value);
  return CUBLAS_STATUS_SUCCESS;
}

/// The attribute's new value; `size` is what the caller says of it.
template <class T>
void assign(const char* function, T& to, int attribute, const void* from, size_t size) {
  if (!from) fail(function, "attribute ", attribute, ": the value is null");
  if (size != sizeof(T))
    fail(function, "attribute ", attribute, " has ", sizeof(T), " bytes, not ", size);
  std::memcpy(&to, from, sizeof(T));
}

int device_of_handle(const char* function, cublasLtHandle_t handle) {
  const std::lock_guard lock(state().mutex);
  if (!state().handles.count(handle)) fail(function, "the handle was destroyed or never was one");
  if (handle->device != current_device())
    fail(function, "the handle is of device ", handle->device, ", the current one is ",
         current_device());
  return handle->device;
}

Problem read_problem(const char* function, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                     cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d) {
  const Problem p{read<Description>(function, op, kDescriptionMagic, "the product's descriptor"),
                  read<Layout>(function, a, kLayoutMagic, "Adesc"),
                  read<Layout>(function, b, kLayoutMagic, "Bdesc"),
                  read<Layout>(function, c, kLayoutMagic, "Cdesc"),
                  read<Layout>(function, d, kLayoutMagic, "Ddesc")};
  blas::check_problem(function, p);
  return p;
}

/// A number for all of a problem but its pointers.
uint64_t number_of(const Problem& p) {
  uint64_t number = 1469598103934665603u;
  const auto add = [&](auto v) { number = (number ^ static_cast<uint64_t>(v)) * 1099511628211u; };
  add(p.op.compute);
  add(p.op.trans_a);
  add(p.op.trans_b);
  add(p.op.epilogue);
  add(p.op.has_aux() ? p.op.aux_ld : 0);
  for (const Layout& x : {p.a, p.b, p.c, p.d}) {
    add(x.type);
    add(x.batch);
    add(x.rows);
    add(x.columns);
    add(x.ld);
    add(x.stride);
  }
  return number;
}

/// Whether there is one. Larger sizes than an int has, the header says, are usually not supported.
bool is_supported(const Problem& p, const Preference& preference) {
  for (const Layout& x : {p.a, p.b, p.c, p.d})
    if (x.rows > INT_MAX || x.columns > INT_MAX) return false;
  for (const uint32_t alignment : preference.alignment)
    if (alignment < p.d.element()) return false;
  const std::lock_guard lock(state().mutex);
  return !state().refused.count(p.op.epilogue);
}

Algorithm choose(const Problem& p, const Preference& preference) {
  Algorithm a{};
  a.magic = kAlgorithmMagic;
  a.problem = number_of(p);
  a.parts = 1;
  std::copy_n(preference.alignment, 4, a.alignment);
  a.bias_alignment = static_cast<uint32_t>(std::min<size_t>(blas::alignment_of(p.op.bias), 256));
  a.aux_alignment = static_cast<uint32_t>(std::min<size_t>(blas::alignment_of(p.op.aux), 256));
  const uint64_t parts = 2;
  const uint64_t workspace =
      parts * p.d.rows * p.d.columns * (p.d.type == CUDA_R_64F ? sizeof(double) : sizeof(float));
  if (p.k() >= kLongSum && workspace <= preference.workspace && preference.reductions != 0) {
    a.parts = parts;
    a.workspace = workspace;
    a.rounded = preference.reductions != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  }
  return a;
}

double factor(const char* function, const void* from, cudaDataType_t type, const char* name) {
  if (!from) fail(function, name, " is null");
  if (device_of(from) >= 0) fail(function, name, " is in the memory of a device");
  if (type == CUDA_R_32F) return *static_cast<const float*>(from);
  return *static_cast<const double*>(from);
}

}  // namespace

void refuse_epilogue(cublasLtEpilogue_t epilogue) {
  const std::lock_guard lock(state().mutex);
  state().refused.insert(epilogue);
}
void refuse_no_epilogue() {
  const std::lock_guard lock(state().mutex);
  state().refused.clear();
}
int64_t heuristic_calls() {
  const std::lock_guard lock(state().mutex);
  return state().heuristic_calls;
}

}  // namespace simt

using namespace simt;

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (!handle) fail("cublasLtCreate", "the handle is null");
  const int device = current_device();
  if (device_count() == 0 || permanent_error(device)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (should_fail(Call::Library)) return CUBLAS_STATUS_ALLOC_FAILED;
  *handle = new cublasLtContext{device};
  const std::lock_guard lock(state().mutex);
  state().handles.insert(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  device_of_handle("cublasLtDestroy", handle);
  const std::lock_guard lock(state().mutex);
  state().handles.erase(handle);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "the operation completed successfully";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "the resource allocation failed";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the GPU program failed to execute";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "an internal operation failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the requested functionality is not supported";
    default:
      return "an unknown status";
  }
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t desc, size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale) {
  return init("cublasLtMatmulDescInit", desc, size,
              Description{.magic = kDescriptionMagic,
                          .compute = compute,
                          .scale = scale,
                          .trans_a = CUBLAS_OP_N,
                          .trans_b = CUBLAS_OP_N,
                          .epilogue = CUBLASLT_EPILOGUE_DEFAULT,
                          .bias = nullptr,
                          .aux = nullptr,
                          .aux_ld = 0});
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* from, size_t size) {
  const char* const name = "cublasLtMatmulDescSetAttribute";
  auto d = read<Description>(name, desc, kDescriptionMagic, "the descriptor");
  const auto set = [&](auto& to) { assign(name, to, attribute, from, size); };
  const auto set_transposition = [&](int32_t& to) {
    set(to);
    if (to != CUBLAS_OP_N && to != CUBLAS_OP_T) fail(name, "transposition ", to);
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      set_transposition(d.trans_a);
      break;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      set_transposition(d.trans_b);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      set(d.epilogue);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      set(d.bias);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      set(d.aux);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      set(d.aux_ld);
      break;
    default:
      fail(name, "attribute ", attribute, " is not emulated");
  }
  write(desc, d);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size,
                                                 cudaDataType type, uint64_t rows, uint64_t columns,
                                                 int64_t ld) {
  return init("cublasLtMatrixLayoutInit", layout, size,
              Layout{kLayoutMagic, type, 1, rows, columns, ld, 0});
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* from, size_t size) {
  const char* const name = "cublasLtMatrixLayoutSetAttribute";
  auto l = read<Layout>(name, layout, kLayoutMagic, "the layout");
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      assign(name, l.batch, attribute, from, size);
      break;
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      assign(name, l.stride, attribute, from, size);
      break;
    default:
      fail(name, "attribute ", attribute, " is not emulated");
  }
  write(layout, l);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference,
                                                     size_t size) {
  return init(
      "cublasLtMatmulPreferenceInit", preference, size,
      Preference{kPreferenceMagic, 0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}});
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* from, size_t size) {
  const char* const name = "cublasLtMatmulPreferenceSetAttribute";
  auto p = read<Preference>(name, preference, kPreferenceMagic, "the preference");
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      assign(name, p.workspace, attribute, from, size);
      break;
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      assign(name, p.reductions, attribute, from, size);
      break;
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: {
      uint32_t& alignment = p.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES];
      assign(name, alignment, attribute, from, size);
      if (alignment == 0 || (alignment & (alignment - 1)) != 0) fail(name, "alignment ", alignment);
      break;
    }
    default:
      fail(name, "attribute ", attribute, " is not emulated");
  }
  write(preference, p);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t op,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  const char* const name = "cublasLtMatmulAlgoGetHeuristic";
  const int device = device_of_handle(name, handle);
  const Problem p = read_problem(name, op, a, b, c, d);
  const auto limits = read<Preference>(name, preference, kPreferenceMagic, "the preference");
  if (wanted < 1 || !results || !count) fail(name, "there is no room for ", wanted, " results");
  {
    const std::lock_guard lock(state().mutex);
    ++state().heuristic_calls;
  }
  *count = 0;
  if (permanent_error(device) || should_fail(Call::Library)) return CUBLAS_STATUS_INTERNAL_ERROR;
  if (!is_supported(p, limits)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const Algorithm algorithm = choose(p, limits);
  results[0] = {};
  write(&results[0].algo, algorithm);
  results[0].workspaceSize = algorithm.workspace;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t op, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_desc, const void* b,
                              cublasLtMatrixLayout_t b_desc, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_desc, void* d, cublasLtMatrixLayout_t d_desc,
                              const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  const char* const name = "cublasLtMatmul";
  const int device = device_of_handle(name, handle);
  const Problem problem = read_problem(name, op, a_desc, b_desc, c_desc, d_desc);
  const Product p{problem,
                  device,
                  factor(name, alpha, problem.op.scale, "alpha"),
                  factor(name, beta, problem.op.scale, "beta"),
                  a,
                  b,
                  c,
                  d,
                  workspace,
                  read<Algorithm>(name, algo, kAlgorithmMagic, "the algorithm")};
  if (p.algorithm.problem != number_of(problem))
    fail(name, "the algorithm was chosen for another problem");
  blas::check_arguments(name, p, workspace_bytes);
  require_stream(stream, device, name);
  if (permanent_error(device) || should_fail(Call::Library)) return CUBLAS_STATUS_EXECUTION_FAILED;
  const cudaError_t error = enqueue(stream, name, [p] { blas::run(p); });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
