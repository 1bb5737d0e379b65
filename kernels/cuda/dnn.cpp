#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/blas.h>
#include <wick/kernels/cuda/dnn.h>
#include <wick/kernels/cuda/runtime.h>

#if __has_include(<cudnn.h>)
#include <cudnn.h>

#include <algorithm>
#include <climits>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#if !defined(WICK_SIMT)
#include <dlfcn.h>
#endif

// cuDNN is opened with dlopen when the first convolution is computed on a GPU, for the reasons
// given in blas.cpp. The classic convolution functions are used, not the graph interface: they are
// plain C functions with their arguments in sight, which a stand-in can check and compute
// (tests/simt), where an operation graph would need an interpreter; and they say of each algorithm
// whether it gives the same bits every time. For a shape that is new to a stream the library's
// heuristics are asked, without timing, and the first algorithm is taken that is deterministic
// (where that is wanted) and whose workspace is within the limit. Nothing depends on how much
// memory is free, so that the same program chooses the same algorithms in every run. Biases are
// left to our own kernels: cudnnAddTensor is slow in channels-last memory, and nothing says that
// cudnnConvolutionBackwardBias is repeatable.
namespace wick::cuda {
namespace {

#define WICK_CUDNN_FUNCTIONS(_)                     \
  _(cudnnCreate)                                    \
  _(cudnnDestroy)                                   \
  _(cudnnSetStream)                                 \
  _(cudnnGetErrorString)                            \
  _(cudnnCreateTensorDescriptor)                    \
  _(cudnnSetTensorNdDescriptorEx)                   \
  _(cudnnDestroyTensorDescriptor)                   \
  _(cudnnCreateFilterDescriptor)                    \
  _(cudnnSetFilterNdDescriptor)                     \
  _(cudnnDestroyFilterDescriptor)                   \
  _(cudnnCreateConvolutionDescriptor)               \
  _(cudnnSetConvolutionNdDescriptor)                \
  _(cudnnSetConvolutionGroupCount)                  \
  _(cudnnSetConvolutionMathType)                    \
  _(cudnnDestroyConvolutionDescriptor)              \
  _(cudnnGetConvolutionForwardAlgorithm_v7)         \
  _(cudnnGetConvolutionForwardWorkspaceSize)        \
  _(cudnnConvolutionForward)                        \
  _(cudnnGetConvolutionBackwardDataAlgorithm_v7)    \
  _(cudnnGetConvolutionBackwardDataWorkspaceSize)   \
  _(cudnnConvolutionBackwardData)                   \
  _(cudnnGetConvolutionBackwardFilterAlgorithm_v7)  \
  _(cudnnGetConvolutionBackwardFilterWorkspaceSize) \
  _(cudnnConvolutionBackwardFilter)

struct Cudnn {
#define WICK_FIELD(name) decltype(&::name) name = nullptr;
  WICK_CUDNN_FUNCTIONS(WICK_FIELD)
#undef WICK_FIELD
  std::string reason;  // empty: it can be used
};

void load(Cudnn& table) {
#if defined(WICK_SIMT)
#define WICK_TAKE(name) table.name = &::name;
#else
  const std::string name = str("libcudnn.so.", CUDNN_MAJOR);
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen(("/usr/local/cuda/lib64/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    table.reason = name + " was not found (set LD_LIBRARY_PATH to its folder)";
    return;
  }
#define WICK_TAKE(name)                                                       \
  table.name = reinterpret_cast<decltype(table.name)>(dlsym(library, #name)); \
  if (!table.name && table.reason.empty()) table.reason = "libcudnn has no " #name;
#endif
  WICK_CUDNN_FUNCTIONS(WICK_TAKE)
#undef WICK_TAKE
}

const Cudnn& cudnn() {
  static const Cudnn* const table = [] {
    auto* t = new Cudnn;  // leaked: a handle may be used until the end of the process
    load(*t);
    return t;
  }();
  return *table;
}

/// True for success, false if cuDNN does not have what was asked for, or lacks a part of itself;
/// all else is an error.
bool supported(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return true;
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED ||
      status == CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED ||
      status == CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH)
    return false;
  if (status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
      status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED)
    WICK_FAIL(OutOfMemoryError, "conv: cuDNN is out of memory in ", what,
              "; use smaller tensors or batches");
  check_alive("a convolution");
  WICK_FAIL(DeviceError, "conv: cuDNN failed in ", what, ": ", cudnn().cudnnGetErrorString(status));
}

constexpr size_t kMaxWorkspaceBytes = 256 << 20;
constexpr int kMaxAlgorithms = 16;  // cuDNN has 8, some of them with two types of arithmetic
constexpr size_t kMaxPlans = 256;

/// What cuDNN is told of a shape, and the algorithm for one direction.
struct Plan {
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t weight = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
  int algorithm = -1;  // -1: cuDNN does not have this case
  size_t workspace = 0;

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {  // null is allowed
    cudnn().cudnnDestroyTensorDescriptor(x);
    cudnn().cudnnDestroyTensorDescriptor(y);
    cudnn().cudnnDestroyFilterDescriptor(weight);
    cudnn().cudnnDestroyConvolutionDescriptor(conv);
  }
};

/// The direction, whether TF32 is allowed, and all sizes.
using Key = std::tuple<int, bool, ConvArgs>;

/// A handle for each stream of each device, with the plans of that stream.
struct Handle {
  std::mutex mutex;
  cudnnHandle_t handle = nullptr;
  bool refused = false;  // cuDNN does not support the device
  std::map<Key, std::unique_ptr<Plan>> plans;
};

void make(Handle& h, void* stream) {
  cudnnHandle_t handle = nullptr;
  h.refused = !supported(cudnn().cudnnCreate(&handle), "create");
  if (h.refused) return;
  try {
    supported(cudnn().cudnnSetStream(handle, static_cast<cudaStream_t>(stream)), "set the stream");
  } catch (...) {
    cudnn().cudnnDestroy(handle);
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
  if (!h.handle && !h.refused) make(h, stream);
  return h;
}

/// The product of sizes if they and it are from 1 to INT_MAX, else 0.
int64_t product(std::initializer_list<int64_t> sizes) {
  int64_t total = 1;
  for (const int64_t size : sizes) {
    if (size < 1 || size > INT_MAX / total) return 0;
    total *= size;
  }
  return total;
}

/// cuDNN counts in int, and has tensors of at most 2^31 - 1 elements.
bool fits(const ConvArgs& a) {
  for (int d = 0; d < 3; ++d)
    if (std::max({a.stride[d], a.padding[d], a.dilation[d]}) > INT_MAX) return false;
  return product({a.n, a.c, a.in[0], a.in[1], a.in[2]}) > 0 &&
         product({a.n, a.k, a.out[0], a.out[1], a.out[2]}) > 0 &&
         product({a.k, a.c / a.groups, a.kernel[0], a.kernel[1], a.kernel[2]}) > 0;
}

cudnnDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return CUDNN_DATA_HALF;
    case DType::BFloat16:
      return CUDNN_DATA_BFLOAT16;
    case DType::Float32:
      return CUDNN_DATA_FLOAT;
    default:
      return CUDNN_DATA_DOUBLE;
  }
}

/// In float32, cuDNN takes all but FMA as leave to round to TF32.
cudnnMathType_t math_of(DType dtype, bool tf32) {
  if (dtype == DType::Float32) return tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
  return dtype == DType::Float64 ? CUDNN_DEFAULT_MATH : CUDNN_TENSOR_OP_MATH;
}

/// Fills in the descriptors. One spatial dimension is told as the width of images of height 1.
bool describe(Plan& p, const ConvArgs& a, bool tf32) {
  const Cudnn& d = cudnn();
  const int spatial = std::max(a.spatial, 2);
  int x[5] = {static_cast<int>(a.n), static_cast<int>(a.c)};
  int y[5] = {x[0], static_cast<int>(a.k)};
  int weight[5] = {y[1], static_cast<int>(a.c / a.groups)};
  int padding[3], stride[3], dilation[3];
  for (int i = 0; i < spatial; ++i) {
    const int from = a.spatial == 1 ? 1 - i : i;
    x[2 + i] = static_cast<int>(a.in[from]);
    y[2 + i] = static_cast<int>(a.out[from]);
    weight[2 + i] = static_cast<int>(a.kernel[from]);
    padding[i] = static_cast<int>(a.padding[from]);
    stride[i] = static_cast<int>(a.stride[from]);
    dilation[i] = static_cast<int>(a.dilation[from]);
  }
  const cudnnDataType_t type = type_of(a.dtype);
  const cudnnDataType_t sums = a.dtype == DType::Float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  const auto format = a.channels_last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
  const auto set = [](cudnnStatus_t status) { return supported(status, "describe the shapes"); };
  return set(d.cudnnCreateTensorDescriptor(&p.x)) && set(d.cudnnCreateTensorDescriptor(&p.y)) &&
         set(d.cudnnCreateFilterDescriptor(&p.weight)) &&
         set(d.cudnnCreateConvolutionDescriptor(&p.conv)) &&
         set(d.cudnnSetTensorNdDescriptorEx(p.x, format, type, 2 + spatial, x)) &&
         set(d.cudnnSetTensorNdDescriptorEx(p.y, format, type, 2 + spatial, y)) &&
         set(d.cudnnSetFilterNdDescriptor(p.weight, type, format, 2 + spatial, weight)) &&
         set(d.cudnnSetConvolutionNdDescriptor(p.conv, spatial, padding, stride, dilation,
                                               CUDNN_CROSS_CORRELATION, sums)) &&
         set(d.cudnnSetConvolutionGroupCount(p.conv, static_cast<int>(a.groups))) &&
         set(d.cudnnSetConvolutionMathType(p.conv, math_of(a.dtype, tf32)));
}

// The directions of a convolution: their functions, and their two inputs and output in the order
// in which all three functions take them.
struct Forward {
  using Perf = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int kind = 0;
  static constexpr auto get = &Cudnn::cudnnGetConvolutionForwardAlgorithm_v7;
  static constexpr auto size = &Cudnn::cudnnGetConvolutionForwardWorkspaceSize;
  static constexpr auto run = &Cudnn::cudnnConvolutionForward;
  static constexpr auto a = &Plan::x;
  static constexpr auto b = &Plan::weight;
  static constexpr auto c = &Plan::y;
};
struct BackwardInput {
  using Perf = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int kind = 1;
  static constexpr auto get = &Cudnn::cudnnGetConvolutionBackwardDataAlgorithm_v7;
  static constexpr auto size = &Cudnn::cudnnGetConvolutionBackwardDataWorkspaceSize;
  static constexpr auto run = &Cudnn::cudnnConvolutionBackwardData;
  static constexpr auto a = &Plan::weight;
  static constexpr auto b = &Plan::y;
  static constexpr auto c = &Plan::x;
};
struct BackwardWeight {
  using Perf = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int kind = 2;
  static constexpr auto get = &Cudnn::cudnnGetConvolutionBackwardFilterAlgorithm_v7;
  static constexpr auto size = &Cudnn::cudnnGetConvolutionBackwardFilterWorkspaceSize;
  static constexpr auto run = &Cudnn::cudnnConvolutionBackwardFilter;
  static constexpr auto a = &Plan::x;
  static constexpr auto b = &Plan::y;
  static constexpr auto c = &Plan::weight;
};

template <class Direction>
void choose(Plan& p, cudnnHandle_t handle, const ConvArgs& args, bool tf32) {
  using D = Direction;
  const Cudnn& dnn = cudnn();
  typename D::Perf results[kMaxAlgorithms];
  int count = 0;
  if (!describe(p, args, tf32) ||
      !supported(
          (dnn.*D::get)(handle, p.*D::a, p.*D::b, p.conv, p.*D::c, kMaxAlgorithms, &count, results),
          "choose an algorithm"))
    return;
  for (const auto* r = results; r != results + count; ++r) {
    if (r->status != CUDNN_STATUS_SUCCESS) continue;
    if (args.deterministic && r->determinism != CUDNN_DETERMINISTIC) continue;
    // An algorithm is offered for one kind of arithmetic, which need not be the one asked for. What
    // forbids TF32 stays.
    if (math_of(args.dtype, tf32) != CUDNN_FMA_MATH &&
        dnn.cudnnSetConvolutionMathType(p.conv, r->mathType) != CUDNN_STATUS_SUCCESS)
      continue;
    if ((dnn.*D::size)(handle, p.*D::a, p.*D::b, p.conv, p.*D::c, r->algo, &p.workspace) !=
            CUDNN_STATUS_SUCCESS ||
        p.workspace > kMaxWorkspaceBytes)
      continue;
    p.algorithm = r->algo;
    return;
  }
}

template <class Direction>
bool convolve(const ConvArgs& args, const void* a, const void* b, void* c) {
  using D = Direction;
  const Cudnn& dnn = cudnn();
  if (!dnn.reason.empty() || !fits(args)) return false;
  for (const void* data : {a, b, static_cast<const void*>(c)})
    if (reinterpret_cast<uintptr_t>(data) % 16 != 0) return false;  // it may read vectors
  Handle& h = handle_of(current_device(), native_stream());
  const std::lock_guard lock(h.mutex);
  if (h.refused) return false;
  const bool tf32 = args.dtype == DType::Float32 && tf32_allowed();
  const Key key{D::kind, tf32, args};
  auto it = h.plans.find(key);
  if (it == h.plans.end()) {
    auto plan = std::make_unique<Plan>();
    choose<D>(*plan, h.handle, args, tf32);
    if (h.plans.size() >= kMaxPlans) h.plans.clear();
    it = h.plans.emplace(key, std::move(plan)).first;
  }
  Plan& p = *it->second;
  if (p.algorithm < 0) return false;

  const Scratch workspace(static_cast<int64_t>(p.workspace));
  const float one32 = 1, zero32 = 0;
  const double one64 = 1, zero64 = 0;
  const bool wide = args.dtype == DType::Float64;
  const bool done = supported(
      (dnn.*D::run)(h.handle, wide ? static_cast<const void*>(&one64) : &one32, p.*D::a, a, p.*D::b,
                    b, p.conv, static_cast<decltype(D::Perf::algo)>(p.algorithm),
                    workspace.as<void>(), p.workspace,
                    wide ? static_cast<const void*>(&zero64) : &zero32, p.*D::c, c),
      "convolve");
  if (!done) p.algorithm = -1;
  return done;
}

}  // namespace

bool dnn_available(std::string& reason) {
  reason = cudnn().reason;
  return reason.empty();
}

bool dnn_conv(const ConvArgs& args, const void* x, const void* weight, void* y) {
  return convolve<Forward>(args, x, weight, y);
}
bool dnn_conv_backward_input(const ConvArgs& args, const void* grad_y, const void* weight,
                             void* grad_x) {
  return convolve<BackwardInput>(args, weight, grad_y, grad_x);
}
bool dnn_conv_backward_weight(const ConvArgs& args, const void* x, const void* grad_y,
                              void* grad_weight) {
  return convolve<BackwardWeight>(args, x, grad_y, grad_weight);
}

}  // namespace wick::cuda
#else
namespace wick::cuda {

bool dnn_available(std::string& reason) {
  reason = "wick was built without cuDNN's headers";
  return false;
}
bool dnn_conv(const ConvArgs&, const void*, const void*, void*) { return false; }
bool dnn_conv_backward_input(const ConvArgs&, const void*, const void*, void*) { return false; }
bool dnn_conv_backward_weight(const ConvArgs&, const void*, const void*, void*) { return false; }

}  // namespace wick::cuda
#endif
