#include <cublas_v2.h>

#include <map>
#include <mutex>
#include <utility>
#if !defined(WICK_SIMT)
#include <dlfcn.h>
#endif
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/runtime.h>

// cuBLAS is opened with dlopen when the first matrix product is computed on a GPU. Linked in the
// ordinary way it would be loaded at the start of every program, also where no GPU is used: 100 MB
// and more of mapped library, and no start at all on machines without it. Its major version is that
// of the headers, whose types and constants are used here. In the emulation of tests/simt
// (WICK_SIMT) the same functions are linked from a stand-in.
namespace wick::cuda {
namespace {

// Handles and the 64-bit interface.
#define WICK_CUBLAS_FUNCTIONS(_) \
  _(cublasCreate_v2)             \
  _(cublasDestroy_v2)            \
  _(cublasSetStream_v2)          \
  _(cublasSetWorkspace_v2)       \
  _(cublasSetMathMode)           \
  _(cublasGetStatusString)       \
  _(cublasGemmStridedBatchedEx_64)

struct Cublas {
#define WICK_FIELD(name) decltype(&::name) name = nullptr;
  WICK_CUBLAS_FUNCTIONS(WICK_FIELD)
#undef WICK_FIELD
  std::string reason;  // empty: it can be used
};

#if defined(WICK_SIMT)
void load(Cublas& table) {
#define WICK_TAKE(name) table.name = &::name;
  WICK_CUBLAS_FUNCTIONS(WICK_TAKE)
#undef WICK_TAKE
}
#else
void load(Cublas& table) {
  const std::string name = str("libcublas.so.", CUBLAS_VER_MAJOR);
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
  if (!table.name && table.reason.empty()) table.reason = "libcublas has no " #name;
  WICK_CUBLAS_FUNCTIONS(WICK_TAKE)
#undef WICK_TAKE
}
#endif

const Cublas& cublas() {
  static const Cublas* const table = [] {
    auto* t = new Cublas;  // leaked: a handle may be used until the end of the process
    load(*t);
    return t;
  }();
  return *table;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    WICK_FAIL(OutOfMemoryError, "matmul: cuBLAS is out of device memory in ", what,
              "; use smaller tensors or batches");
  WICK_FAIL(DeviceError, "matmul: cuBLAS failed in ", what, ": ",
            cublas().cublasGetStatusString(status));
}

/// A handle for each stream of each device. With a workspace of its own for each, results do not
/// depend on what other streams do.
struct Handle {
  std::mutex mutex;
  cublasHandle_t handle = nullptr;
};

constexpr int64_t kWorkspaceBytes =
    32 << 20;  // what cuBLAS recommends for Hopper; half suffices elsewhere

void make(Handle& h, void* stream) {
  const Cublas& blas = cublas();
  cublasHandle_t handle = nullptr;
  check(blas.cublasCreate_v2(&handle), "create");
  void* workspace = nullptr;
  int device = current_device();
  try {
    check(blas.cublasSetStream_v2(handle, static_cast<cudaStream_t>(stream)), "set the stream");
    workspace = allocate(kWorkspaceBytes, device, nullptr);
    check(blas.cublasSetWorkspace_v2(handle, workspace, kWorkspaceBytes), "set the workspace");
    // Sums of half products are not split into half-precision partial sums.
    check(blas.cublasSetMathMode(
              handle, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                                CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
          "set the math mode");
  } catch (...) {
    blas.cublasDestroy_v2(handle);
    deallocate(workspace, device, stream);
    throw;
  }
  h.handle = handle;
}

Handle& handle_of(int device, void* stream) {
  struct Handles {
    std::mutex mutex;
    std::map<std::pair<int, void*>, Handle> map;
  };
  static Handles* const all = new Handles;
  const std::lock_guard lock(all->mutex);
  Handle& h = all->map[{device, stream}];
  if (!h.handle) make(h, stream);
  return h;
}

struct Types {
  cudaDataType_t data;
  cublasComputeType_t compute;
};
Types types_of(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return {CUDA_R_16F, CUBLAS_COMPUTE_32F};
    case DType::BFloat16:
      return {CUDA_R_16BF, CUBLAS_COMPUTE_32F};
    case DType::Float32:
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F};
    default:
      return {CUDA_R_64F, CUBLAS_COMPUTE_64F};
  }
}

/// The leading dimension of a row-major matrix; 0 if its rows overlap. That of a single row is
/// free, but cuBLAS wants it to be at least the row's length.
int64_t leading(int64_t ld, int64_t rows, int64_t columns) {
  if (ld >= columns) return ld;
  return rows == 1 ? columns : 0;
}

}  // namespace

bool blas_available(std::string& reason) {
  reason = cublas().reason;
  return reason.empty();
}

bool blas_matmul(const MatmulArgs& args) {
  const Cublas& blas = cublas();
  if (!blas.reason.empty() || !is_floating_point(args.dtype)) return false;
  const int64_t lda =
      args.trans_a ? leading(args.lda, args.k, args.m) : leading(args.lda, args.m, args.k);
  const int64_t ldb =
      args.trans_b ? leading(args.ldb, args.n, args.k) : leading(args.ldb, args.k, args.n);
  const int64_t ldc = leading(args.ldc, args.m, args.n);
  if (lda == 0 || ldb == 0 || ldc == 0) return false;

  const Types types = types_of(args.dtype);
  const bool wide = types.compute == CUBLAS_COMPUTE_64F;
  const float alpha32 = 1;
  const float beta32 = args.accumulate ? 1 : 0;
  const double alpha64 = 1;
  const double beta64 = args.accumulate ? 1 : 0;
  Handle& h = handle_of(current_device(), native_stream());
  const std::lock_guard lock(h.mutex);
  // cuBLAS is column-major: it sees the transposed matrices, so c^T = op(b)^T op(a)^T.
  check(blas.cublasGemmStridedBatchedEx_64(
            h.handle, args.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N,
            args.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N, args.n, args.m, args.k,
            wide ? static_cast<const void*>(&alpha64) : &alpha32, args.b, types.data, ldb,
            args.stride_b, args.a, types.data, lda, args.stride_a,
            wide ? static_cast<const void*>(&beta64) : &beta32, args.c, types.data, ldc,
            args.stride_c, args.batch, types.compute, CUBLAS_GEMM_DEFAULT),
        "gemm");
  return true;
}

}  // namespace wick::cuda
