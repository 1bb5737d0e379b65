#include <cublasLt.h>

#include <array>
#include <atomic>
#include <bit>
#include <climits>
#include <mutex>
#include <unordered_map>
#if !defined(WICK_SIMT)
#include <dlfcn.h>
#endif
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/runtime.h>

// cuBLASLt is opened with dlopen when the first matrix product is computed on a GPU. Linked in the
// ordinary way it would be loaded at the start of every program, also where no GPU is used: 500 MB
// of mapped library, and no start at all on machines without it. Its major version is that of the
// header, whose types and constants are used here. In the emulation of tests/simt (WICK_SIMT) the
// same functions are linked from a stand-in.
//
// For a problem that is new (sizes, layout, types, what goes with the product, alignment of the
// pointers) the library's heuristic is asked once, without timing, and its answer is remembered.
// Nothing depends on the contents of matrices, on other streams or on how much memory is free, so
// the same program runs the same algorithms every time. Partial sums are kept in the type that is
// computed in, never in a half type.
namespace wick::cuda {
namespace {

#define WICK_CUBLASLT_FUNCTIONS(_)         \
  _(cublasLtCreate)                        \
  _(cublasLtGetStatusString)               \
  _(cublasLtMatmulDescInit_internal)       \
  _(cublasLtMatmulDescSetAttribute)        \
  _(cublasLtMatrixLayoutInit_internal)     \
  _(cublasLtMatrixLayoutSetAttribute)      \
  _(cublasLtMatmulPreferenceInit_internal) \
  _(cublasLtMatmulPreferenceSetAttribute)  \
  _(cublasLtMatmulAlgoGetHeuristic)        \
  _(cublasLtMatmul)

struct CublasLt {
#define WICK_FIELD(name) decltype(&::name) name = nullptr;
  WICK_CUBLASLT_FUNCTIONS(WICK_FIELD)
#undef WICK_FIELD
  std::string reason;  // empty: it can be used
};

#if defined(WICK_SIMT)
void load(CublasLt& table) {
#define WICK_TAKE(name) table.name = &::name;
  WICK_CUBLASLT_FUNCTIONS(WICK_TAKE)
#undef WICK_TAKE
}
#else
void load(CublasLt& table) {
  const std::string name = str("libcublasLt.so.", CUBLAS_VER_MAJOR);
  void* library = nullptr;
  // The loader's own search (rpath, LD_LIBRARY_PATH, ldconfig) first, then where the toolkit lies.
  for (const char* folder : {"", "/usr/local/cuda/lib64/"}) {
    library = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library) break;
  }
  if (!library) {
    table.reason = name + " was not found (set LD_LIBRARY_PATH to its folder)";
    return;
  }
#define WICK_TAKE(name)                                                       \
  table.name = reinterpret_cast<decltype(table.name)>(dlsym(library, #name)); \
  if (!table.name && table.reason.empty()) table.reason = "libcublasLt has no " #name;
  WICK_CUBLASLT_FUNCTIONS(WICK_TAKE)
#undef WICK_TAKE
}
#endif

const CublasLt& cublas_lt() {
  static const CublasLt* const table = [] {
    auto* t = new CublasLt;  // leaked: a handle may be used until the end of the process
    load(*t);
    return t;
  }();
  return *table;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    WICK_FAIL(OutOfMemoryError, "matmul: cuBLASLt is out of memory in ", what,
              "; use smaller tensors or batches");
  check_alive("a matrix product");
  WICK_FAIL(DeviceError, "matmul: cuBLASLt failed in ", what, ": ",
            cublas_lt().cublasLtGetStatusString(status));
}

std::atomic<bool> tf32{false};

// What NVIDIA recommends for Hopper. Only what an algorithm needs of it is taken, from the
// allocator, for the time of a product: memory of the stream, so products of different streams
// never share it.
constexpr uint64_t kMaxWorkspaceBytes = 32 << 20;
constexpr uintptr_t kMaxAlignment = 256;  // the library asks for no more
constexpr size_t kMaxPlans = 4096;

/// What the choice of an algorithm depends on, with everything in one type so that it can be
/// hashed. Alignments in bytes; 0: no pointer.
struct Problem {
  int64_t device, dtype, tf32, epilogue;
  int64_t batch, m, n, k, trans_a, trans_b;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c;
  int64_t align_a, align_b, align_c, align_vector, align_sum;
  bool operator==(const Problem&) const = default;
};
struct Hash {
  size_t operator()(const Problem& p) const {
    uint64_t hash = 0;
    for (const uint64_t v : std::bit_cast<std::array<uint64_t, sizeof(Problem) / 8>>(p)) {
      hash = (hash ^ v) * 0x9E3779B97F4A7C15;
      hash ^= hash >> 32;
    }
    return hash;
  }
};

/// How a problem is solved. The library's descriptors are plain data.
struct Plan {
  bool possible = false;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDescOpaque_t product{};  // but for its pointers
  cublasLtMatrixLayoutOpaque_t a{}, b{}, c{};
  cublasLtMatmulAlgo_t algo{};
  size_t workspace = 0;
};

/// Sets an attribute of a descriptor.
template <class Set, class Descriptor, class Attribute, class T>
void set(Set function, Descriptor* descriptor, Attribute attribute, T value) {
  check(function(descriptor, attribute, &value, sizeof(value)), "describe");
}

cudaDataType_t type_of(int64_t dtype) {
  switch (static_cast<DType>(dtype)) {
    case DType::Float16:
      return CUDA_R_16F;
    case DType::BFloat16:
      return CUDA_R_16BF;
    case DType::Float32:
      return CUDA_R_32F;
    default:
      return CUDA_R_64F;
  }
}

cublasLtMatrixLayoutOpaque_t layout(const Problem& p, int64_t rows, int64_t columns, int64_t ld,
                                    int64_t stride) {
  const CublasLt& lt = cublas_lt();
  cublasLtMatrixLayoutOpaque_t matrix{};
  check(lt.cublasLtMatrixLayoutInit_internal(&matrix, sizeof(matrix), type_of(p.dtype),
                                             static_cast<uint64_t>(rows),
                                             static_cast<uint64_t>(columns), ld),
        "describe");
  if (p.batch > 1) {
    const auto function = lt.cublasLtMatrixLayoutSetAttribute;
    set(function, &matrix, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(p.batch));
    set(function, &matrix, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
  }
  return matrix;
}

/// The library is column-major: it sees transposed matrices, so it computes
/// c^T = op(b)^T op(a)^T, its A is our b, and a bias runs along its columns.
void describe(Plan& plan, const Problem& p) {
  const CublasLt& lt = cublas_lt();
  const bool wide = p.dtype == static_cast<int64_t>(DType::Float64);
  const cublasComputeType_t compute = wide     ? CUBLAS_COMPUTE_64F
                                      : p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                               : CUBLAS_COMPUTE_32F;
  check(lt.cublasLtMatmulDescInit_internal(&plan.product, sizeof(plan.product), compute,
                                           wide ? CUDA_R_64F : CUDA_R_32F),
        "describe");
  const auto attribute = [&](cublasLtMatmulDescAttributes_t which, auto value) {
    set(lt.cublasLtMatmulDescSetAttribute, &plan.product, which, value);
  };
  attribute(CUBLASLT_MATMUL_DESC_TRANSA, int32_t{p.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N});
  attribute(CUBLASLT_MATMUL_DESC_TRANSB, int32_t{p.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N});
  attribute(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<uint32_t>(p.epilogue));
  // The heuristic reads no memory but looks at the alignment of these: it gets addresses that have
  // the alignment that the problem says, so that its answer holds for all of them.
  if (p.align_vector) attribute(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.align_vector);
  if (p.align_sum) {
    attribute(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.align_sum);
    attribute(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, p.ldc);
  }
  plan.a =
      p.trans_b ? layout(p, p.k, p.n, p.ldb, p.stride_b) : layout(p, p.n, p.k, p.ldb, p.stride_b);
  plan.b =
      p.trans_a ? layout(p, p.m, p.k, p.lda, p.stride_a) : layout(p, p.k, p.m, p.lda, p.stride_a);
  plan.c = layout(p, p.n, p.m, p.ldc, p.stride_c);
}

Plan make_plan(cublasLtHandle_t handle, const Problem& p) {
  const CublasLt& lt = cublas_lt();
  Plan plan;
  plan.handle = handle;
  describe(plan, p);
  cublasLtMatmulPreferenceOpaque_t preference{};
  check(lt.cublasLtMatmulPreferenceInit_internal(&preference, sizeof(preference)), "describe");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
    set(lt.cublasLtMatmulPreferenceSetAttribute, &preference, which, value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMaxWorkspaceBytes);
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(p.align_b));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(p.align_a));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(p.align_c));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(p.align_c));
  cublasLtMatmulHeuristicResult_t result{};
  int count = 0;
  const cublasStatus_t status = lt.cublasLtMatmulAlgoGetHeuristic(
      handle, &plan.product, &plan.a, &plan.b, &plan.c, &plan.c, &preference, 1, &result, &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED && status != CUBLAS_STATUS_ARCH_MISMATCH)
    check(status, "choose an algorithm");
  plan.possible =
      status == CUBLAS_STATUS_SUCCESS && count > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  plan.algo = result.algo;
  plan.workspace = result.workspaceSize;
  return plan;
}

/// The plan for a problem of the current device.
Plan plan_of(const Problem& p) {
  struct Plans {
    std::mutex mutex;
    std::unordered_map<int64_t, cublasLtHandle_t> handles;  // one for each device, for all threads
    std::unordered_map<Problem, Plan, Hash> map;
  };
  static Plans* const plans = new Plans;
  const std::lock_guard lock(plans->mutex);
  const auto found = plans->map.find(p);
  if (found != plans->map.end()) [[likely]]
    return found->second;
  cublasLtHandle_t& handle = plans->handles[p.device];
  if (!handle) check(cublas_lt().cublasLtCreate(&handle), "create");
  const Plan plan = make_plan(handle, p);
  if (plans->map.size() >= kMaxPlans) plans->map.clear();
  plans->map.emplace(p, plan);
  return plan;
}

/// The leading dimension of a row-major matrix; 0 if its rows overlap. That of a single row is
/// free, but the library wants it to be at least the row's length.
int64_t leading(int64_t ld, int64_t rows, int64_t columns) {
  if (ld >= columns) return ld;
  return rows == 1 ? columns : 0;
}

int64_t alignment(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p) | kMaxAlignment;
  return p ? static_cast<int64_t>(address & -address) : 0;
}

/// The epilogue that does what goes with the product; 0: the library has none.
/// Its ReLU makes 0 of a NaN, where ours keeps it, so that it is not used
/// (https://forums.developer.nvidia.com/t/329783). Its GELU is the one with tanh; how exactly it
/// computes tanh is not documented, so it is used where the result is rounded to a half type.
int64_t epilogue_of(const MatmulArgs& args) {
  if (args.activation) {
    if (*args.activation != UnaryOp::GeluTanh || !is_reduced_float(args.dtype) || args.row_sums)
      return 0;
    if (!args.sum) return args.bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    if (args.ldc % 8 != 0 || alignment(args.sum) < 16) return 0;
    return args.bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  }
  if (args.row_sums) return args.bias ? 0 : CUBLASLT_EPILOGUE_BGRADB;
  return args.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

}  // namespace

bool blas_available(std::string& reason) {
  reason = cublas_lt().reason;
  return reason.empty();
}

bool tf32_allowed() { return tf32.load(std::memory_order_relaxed); }
void allow_tf32_in_libraries(bool allow) { tf32.store(allow, std::memory_order_relaxed); }

bool blas_matmul(const MatmulArgs& args) {
  const CublasLt& lt = cublas_lt();
  if (!lt.reason.empty() || !is_floating_point(args.dtype) || args.batch > INT_MAX) return false;
  const bool batched = args.batch > 1;
  const void* const vector = args.bias ? args.bias : args.row_sums;
  const Problem p{
      .device = current_device(),
      .dtype = static_cast<int64_t>(args.dtype),
      .tf32 = args.dtype == DType::Float32 && tf32_allowed(),
      .epilogue = epilogue_of(args),
      .batch = args.batch,
      .m = args.m,
      .n = args.n,
      .k = args.k,
      .trans_a = args.trans_a,
      .trans_b = args.trans_b,
      .lda = args.trans_a ? leading(args.lda, args.k, args.m) : leading(args.lda, args.m, args.k),
      .ldb = args.trans_b ? leading(args.ldb, args.n, args.k) : leading(args.ldb, args.k, args.n),
      .ldc = leading(args.ldc, args.m, args.n),
      .stride_a = batched ? args.stride_a : 0,
      .stride_b = batched ? args.stride_b : 0,
      .stride_c = batched ? args.stride_c : 0,
      .align_a = alignment(args.a),
      .align_b = alignment(args.b),
      .align_c = alignment(args.c),
      .align_vector = alignment(vector),
      .align_sum = alignment(args.sum),
  };
  if (p.lda == 0 || p.ldb == 0 || p.ldc == 0 || p.epilogue == 0) return false;
  Plan plan = plan_of(p);
  if (!plan.possible) return false;
  const auto point = [&](cublasLtMatmulDescAttributes_t which, const void* pointer) {
    if (pointer) set(lt.cublasLtMatmulDescSetAttribute, &plan.product, which, pointer);
  };
  point(CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
  point(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, args.sum);

  const bool wide = args.dtype == DType::Float64;
  const float alpha32 = 1, beta32 = args.accumulate ? 1 : 0;
  const double alpha64 = 1, beta64 = args.accumulate ? 1 : 0;
  const Scratch workspace(static_cast<int64_t>(plan.workspace));
  check(lt.cublasLtMatmul(plan.handle, &plan.product,
                          wide ? static_cast<const void*>(&alpha64) : &alpha32, args.b, &plan.a,
                          args.a, &plan.b, wide ? static_cast<const void*>(&beta64) : &beta32,
                          args.c, &plan.c, args.c, &plan.c, &plan.algo, workspace.as<void>(),
                          plan.workspace, static_cast<cudaStream_t>(native_stream())),
        "matmul");
  return true;
}

}  // namespace wick::cuda
