#include <tests/simt/cudnn.h>

#include <algorithm>
#include <cstring>
#include <vector>

// What is supported follows the library's documentation, which is narrower than the library, so
// that wick's own way is taken now and then. Among the algorithms are one that needs too much
// memory, ones that are not repeatable, and ones without tensor cores, which refuse a descriptor
// that asks for them.
namespace simt::dnn {
namespace {

// ---- what is supported
// ---------------------------------------------------------------------------

struct Algorithm {
  int id;
  bool repeatable;
  bool tensor_cores;
};
std::vector<Algorithm> algorithms(Direction direction) {
  switch (direction) {
    case Direction::Forward:
      return {{CUDNN_CONVOLUTION_FWD_ALGO_FFT, true, false},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, true},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, false}};
    case Direction::BackwardData:
      return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, true, false},
              {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, false},
              {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, true}};
    default:
      return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, true, false},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, false, false},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, false},
              {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, true}};
  }
}

bool is_fft(Direction direction, int id) {
  switch (direction) {
    case Direction::Forward:
      return id == CUDNN_CONVOLUTION_FWD_ALGO_FFT;
    case Direction::BackwardData:
      return false;
    default:
      return id == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT;
  }
}

/// What the tables of the functions' documentation list. Whether the descriptor's arithmetic fits
/// is another question.
bool is_listed(Direction direction, int id, const Problem& p) {
  const bool wide = p.type == CUDNN_DATA_DOUBLE;
  const bool plane = p.spatial == 2;
  const bool dilated = p.dilation != Problem::Sizes{1, 1, 1};
  if (is_fft(direction, id)) return !p.channels_last && plane && !wide && !dilated;
  switch (direction) {
    case Direction::Forward:
      if (id == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM) return !p.channels_last || plane;
      if (id == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM)
        return p.channels_last ? plane || !wide : !dilated;
      return false;
    case Direction::BackwardData:
      if (id == CUDNN_CONVOLUTION_BWD_DATA_ALGO_0) return !p.channels_last || (plane && !wide);
      if (id == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1) return !wide || (plane && !p.channels_last);
      return false;
    default:
      if (id == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0) return !p.channels_last || (plane && !wide);
      if (id == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1) return p.channels_last ? !wide : plane;
      if (id == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3) return !p.channels_last;
      return false;
  }
}

const Algorithm& find_algorithm(const Api& api, Direction direction,
                                const std::vector<Algorithm>& all, int id) {
  for (const Algorithm& a : all)
    if (a.id == id) return a;
  api.fail("algorithm ", id, " was never offered for direction ", static_cast<int>(direction));
}

bool is_supported(Direction direction, const Algorithm& a, const Problem& p) {
  if (state().refuse || !is_listed(direction, a.id, p)) return false;
  return a.tensor_cores || p.math != CUDNN_TENSOR_OP_MATH;
}

size_t workspace_size(Direction direction, const Algorithm& a, const Problem& p) {
  if (is_fft(direction, a.id)) return size_t{1} << 40;
  if (!a.tensor_cores) return 0;
  return static_cast<size_t>(p.weight_size() + p.kernel[0] * p.kernel[1] * p.kernel[2] * 4 + 40);
}

struct Descriptors {
  cudnnTensorDescriptor_t x;
  cudnnFilterDescriptor_t weight;
  cudnnConvolutionDescriptor_t conv;
  cudnnTensorDescriptor_t y;
};

/// Checks the descriptors one by one and against each other.
Problem problem_of(const Api& api, const Descriptors& d) {
  const Tensor& x = *api.find(state().tensors, d.x, "the descriptor of x");
  const Filter& w = *api.find(state().filters, d.weight, "the descriptor of the filter");
  const Convolution& conv = *api.find(state().convolutions, d.conv, "the convolution's descriptor");
  const Tensor& y = *api.find(state().tensors, d.y, "the descriptor of y");
  api.require(x.is_set && w.is_set && conv.is_set && y.is_set, "a descriptor was never set (x ",
              x.is_set, ", filter ", w.is_set, ", convolution ", conv.is_set, ", y ", y.is_set,
              ")");
  api.require(x.type == w.type && x.type == y.type, "data types of x ", x.type, ", filter ", w.type,
              ", y ", y.type);
  api.require(x.format == w.format && x.format == y.format, "formats of x ", x.format, ", filter ",
              w.format, ", y ", y.format);
  api.require(x.rank == w.rank && x.rank == y.rank && x.rank == conv.spatial + 2,
              "dimensions of x ", x.rank, ", filter ", w.rank, ", y ", y.rank, ", convolution ",
              conv.spatial);
  const auto sums = x.type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  api.require(conv.sums == sums, "computes data type ", x.type, " in ", conv.sums);
  api.require(x.sizes[1] == w.sizes[1] * conv.groups, "x has ", x.sizes[1],
              " channels, the filter ", w.sizes[1], " in each of ", conv.groups, " groups");
  api.require(w.sizes[0] % conv.groups == 0, w.sizes[0], " filters in ", conv.groups, " groups");
  api.require(y.sizes[0] == x.sizes[0], "x has ", x.sizes[0], " images, y ", y.sizes[0]);
  api.require(y.sizes[1] == w.sizes[0], "y has ", y.sizes[1], " channels of ", w.sizes[0],
              " filters");
  Problem p{x.type,       conv.math,   x.format == CUDNN_TENSOR_NHWC,
            conv.spatial, x.sizes[0],  x.sizes[1],
            w.sizes[0],   conv.groups, {1, 1, 1},
            {1, 1, 1},    {1, 1, 1},   {1, 1, 1},
            {0, 0, 0},    {1, 1, 1}};
  for (int i = 0; i < conv.spatial; ++i) {
    const size_t to = static_cast<size_t>(3 - conv.spatial) + static_cast<size_t>(i);
    p.in[to] = x.sizes[2 + i];
    p.out[to] = y.sizes[2 + i];
    p.kernel[to] = w.sizes[2 + i];
    p.padding[to] = conv.padding[i];
    p.stride[to] = conv.stride[i];
    p.dilation[to] = conv.dilation[i];
    const int64_t span = p.in[to] + 2 * p.padding[to] - p.dilation[to] * (p.kernel[to] - 1) - 1;
    const int64_t expected = span < 0 ? 0 : span / p.stride[to] + 1;
    api.require(p.out[to] == expected, "expected size ", expected, " of y in spatial dimension ", i,
                ", got ", p.out[to]);
  }
  return p;
}

const Context& context_of(const Api& api, cudnnHandle_t handle) {
  const auto context = api.find(state().contexts, handle, "handle");
  api.require(context->device == current_device(), "the handle is of device ", context->device,
              ", the current device is ", current_device());
  return *context;
}

template <class Perf>
cudnnStatus_t choose(const char* name, Direction direction, cudnnHandle_t handle,
                     const Descriptors& d, int requested, int* returned, Perf* results) {
  const Api api(name);
  const Context& context = context_of(api, handle);
  const Problem p = problem_of(api, d);
  api.require(requested > 0 && returned && results, "no place for results");
  ++state().statistics.choices;
  if (should_fail(Call::Library) || permanent_error(context.device))
    return CUDNN_STATUS_EXECUTION_FAILED;
  std::vector<Perf> supported, others;
  for (const Algorithm& a : algorithms(direction)) {
    Perf perf{};
    perf.algo = static_cast<decltype(perf.algo)>(a.id);
    perf.time = -1;
    perf.determinism = a.repeatable ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
    const bool half = size_of(p.type) == 2;
    perf.mathType = half && a.tensor_cores ? CUDNN_TENSOR_OP_MATH : CUDNN_DEFAULT_MATH;
    const bool listed = !state().refuse && is_listed(direction, a.id, p);
    perf.status = listed ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    if (listed) perf.memory = workspace_size(direction, a, p);
    (listed ? supported : others).push_back(perf);
  }
  supported.insert(supported.end(), others.begin(), others.end());
  *returned = std::min(requested, static_cast<int>(supported.size()));
  std::copy_n(supported.begin(), *returned, results);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t size(const char* name, Direction direction, cudnnHandle_t handle,
                   const Descriptors& d, int algorithm, size_t* bytes) {
  const Api api(name);
  const Context& context = context_of(api, handle);
  const Problem p = problem_of(api, d);
  const auto all = algorithms(direction);
  const Algorithm& a = find_algorithm(api, direction, all, algorithm);
  api.require(bytes != nullptr, "no place for the size");
  if (should_fail(Call::Library) || permanent_error(context.device))
    return CUDNN_STATUS_EXECUTION_FAILED;
  if (!is_supported(direction, a, p)) return CUDNN_STATUS_NOT_SUPPORTED;
  *bytes = workspace_size(direction, a, p);
  return CUDNN_STATUS_SUCCESS;
}

struct Operand {
  const char* name;
  const void* data;
  size_t bytes;
  bool overlaps(const Operand& other) const {
    const char* const a = static_cast<const char*>(data);
    const char* const b = static_cast<const char*>(other.data);
    return bytes > 0 && other.bytes > 0 && a < b + other.bytes && b < a + bytes;
  }
};

/// The values are in host memory, in the type of the sums. wick uses 1 and 0 alone.
void check_scale(const Api& api, const Problem& p, const char* name, const void* value,
                 double expected) {
  api.require(value != nullptr && device_of(value) < 0, name, " at ", value,
              " is not in host memory");
  double got = 0;
  if (p.type == CUDNN_DATA_DOUBLE) {
    std::memcpy(&got, value, sizeof got);
  } else {
    float single;
    std::memcpy(&single, value, sizeof single);
    got = single;
  }
  api.require(got == expected, "expected ", name, " ", expected, " (in ",
              p.type == CUDNN_DATA_DOUBLE ? "double" : "float", "), got ", got);
}

struct Run {
  const void *alpha, *beta, *x, *weight, *y;
  int algorithm;
  void* workspace;
  size_t workspace_bytes;
};

cudnnStatus_t run(const char* name, Direction direction, cudnnHandle_t handle, const Descriptors& d,
                  const Run& r) {
  const Api api(name);
  const Context context = context_of(api, handle);
  const Problem p = problem_of(api, d);
  const auto all = algorithms(direction);
  const Algorithm& a = find_algorithm(api, direction, all, r.algorithm);
  check_scale(api, p, "alpha", r.alpha, 1);
  check_scale(api, p, "beta", r.beta, 0);
  require_stream(context.stream, context.device, api.name("the handle's stream"));
  if (should_fail(Call::Library) || permanent_error(context.device))
    return CUDNN_STATUS_EXECUTION_FAILED;
  if (!is_supported(direction, a, p)) return CUDNN_STATUS_NOT_SUPPORTED;
  const size_t needed = workspace_size(direction, a, p);
  api.require(r.workspace_bytes >= needed && (needed == 0 || r.workspace), "a workspace of ",
              r.workspace_bytes, " bytes at ", r.workspace, ", the algorithm needs ", needed);

  const size_t unit = size_of(p.type);
  const Operand x{"x", r.x, static_cast<size_t>(p.x_size()) * unit};
  const Operand weight{"the filter", r.weight, static_cast<size_t>(p.weight_size()) * unit};
  const Operand y{"y", r.y, static_cast<size_t>(p.y_size()) * unit};
  const Operand workspace{"the workspace", r.workspace, needed};
  const Operand& to = direction == Direction::Forward        ? y
                      : direction == Direction::BackwardData ? x
                                                             : weight;
  const Operand* const operands[] = {&x, &weight, &y, &workspace};
  for (const Operand* o : operands) {
    api.require(reinterpret_cast<uintptr_t>(o->data) % 16 == 0, o->name, " at ", o->data,
                " is not aligned to 16 bytes");
    require_memory(o->data, o->bytes, context.device, api.name(o->name));
    for (const Operand* other : operands)
      if (other != o && (o == &to || o == &workspace))
        api.require(!o->overlaps(*other), o->name, " overlaps ", other->name);
  }
  ++state().statistics.convolutions;
  if (!a.repeatable) ++state().statistics.unrepeatable;
  const std::string function = api.name("");
  enqueue(context.stream, name, [=] {
    for (const Operand* o : {&x, &weight, &y, &workspace}) {
      require_memory(o->data, o->bytes, context.device, function + o->name);
      if (o->data != to.data && o != &workspace)
        checker::require_initialised(o->data, o->bytes, function + o->name);
    }
    const DeviceAccess access;
    if (needed > 0) std::memset(const_cast<void*>(workspace.data), 0xa5, needed);
    compute(direction, p, const_cast<void*>(x.data), const_cast<void*>(weight.data),
            const_cast<void*>(y.data));
    checker::written(const_cast<void*>(to.data), to.bytes);
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
}  // namespace simt::dnn

extern "C" {

using namespace simt::dnn;

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc, cudnnFilterDescriptor_t weight_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y_desc, int requested, int* returned,
    cudnnConvolutionFwdAlgoPerf_t* results) {
  return choose("cudnnGetConvolutionForwardAlgorithm_v7", Direction::Forward, handle,
                {x_desc, weight_desc, conv, y_desc}, requested, returned, results);
}
cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc, cudnnFilterDescriptor_t weight_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y_desc,
    cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  return size("cudnnGetConvolutionForwardWorkspaceSize", Direction::Forward, handle,
              {x_desc, weight_desc, conv, y_desc}, algorithm, bytes);
}
cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      cudnnTensorDescriptor_t x_desc, const void* x,
                                      cudnnFilterDescriptor_t weight_desc, const void* weight,
                                      cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t y_desc, void* y) {
  return run("cudnnConvolutionForward", Direction::Forward, handle,
             {x_desc, weight_desc, conv, y_desc},
             {alpha, beta, x, weight, y, algorithm, workspace, workspace_bytes});
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t handle, cudnnFilterDescriptor_t weight_desc, cudnnTensorDescriptor_t y_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t x_desc, int requested, int* returned,
    cudnnConvolutionBwdDataAlgoPerf_t* results) {
  return choose("cudnnGetConvolutionBackwardDataAlgorithm_v7", Direction::BackwardData, handle,
                {x_desc, weight_desc, conv, y_desc}, requested, returned, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, cudnnFilterDescriptor_t weight_desc, cudnnTensorDescriptor_t y_desc,
    cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t x_desc,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  return size("cudnnGetConvolutionBackwardDataWorkspaceSize", Direction::BackwardData, handle,
              {x_desc, weight_desc, conv, y_desc}, algorithm, bytes);
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t weight_desc, const void* weight,
                                           cudnnTensorDescriptor_t y_desc, const void* y,
                                           cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           size_t workspace_bytes, const void* beta,
                                           cudnnTensorDescriptor_t x_desc, void* x) {
  return run("cudnnConvolutionBackwardData", Direction::BackwardData, handle,
             {x_desc, weight_desc, conv, y_desc},
             {alpha, beta, x, weight, y, algorithm, workspace, workspace_bytes});
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc, cudnnTensorDescriptor_t y_desc,
    cudnnConvolutionDescriptor_t conv, cudnnFilterDescriptor_t weight_desc, int requested,
    int* returned, cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  return choose("cudnnGetConvolutionBackwardFilterAlgorithm_v7", Direction::BackwardFilter, handle,
                {x_desc, weight_desc, conv, y_desc}, requested, returned, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_desc, cudnnTensorDescriptor_t y_desc,
    cudnnConvolutionDescriptor_t conv, cudnnFilterDescriptor_t weight_desc,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  return size("cudnnGetConvolutionBackwardFilterWorkspaceSize", Direction::BackwardFilter, handle,
              {x_desc, weight_desc, conv, y_desc}, algorithm, bytes);
}
cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x_desc, const void* x,
    cudnnTensorDescriptor_t y_desc, const void* y, cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace, size_t workspace_bytes,
    const void* beta, cudnnFilterDescriptor_t weight_desc, void* weight) {
  return run("cudnnConvolutionBackwardFilter", Direction::BackwardFilter, handle,
             {x_desc, weight_desc, conv, y_desc},
             {alpha, beta, x, weight, y, algorithm, workspace, workspace_bytes});
}
}
