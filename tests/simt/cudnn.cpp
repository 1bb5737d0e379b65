#include <tests/simt/cudnn.h>

#include <algorithm>
#include <climits>

namespace simt {
namespace dnn {

State& state() {
  static State* const state = new State;  // leaked: used until the very end of the process
  return *state;
}

namespace {

template <class T, class Handle>
cudnnStatus_t create(const char* name, Handles<T, Handle>& handles, Handle* out) {
  const Api api(name);
  api.require(out != nullptr, "no place for the descriptor");
  if (should_fail(Call::Library)) return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  *out = handles.add(std::make_shared<T>());
  ++state().statistics.descriptors;
  return CUDNN_STATUS_SUCCESS;
}

template <class T, class Handle>
cudnnStatus_t destroy(const char* name, Handles<T, Handle>& handles, Handle handle) {
  const Api api(name);
  if (!handle) return CUDNN_STATUS_SUCCESS;
  api.find(handles, handle, "descriptor");
  handles.remove(handle);
  --state().statistics.descriptors;
  return CUDNN_STATUS_SUCCESS;
}

template <class T, class Handle>
cudnnStatus_t set_shape(const char* name, const Handles<T, Handle>& handles, Handle handle,
                        cudnnTensorFormat_t format, cudnnDataType_t type, int rank,
                        const int* sizes) {
  const Api api(name);
  Shape& shape = *api.find(handles, handle, "descriptor");
  api.require(format == CUDNN_TENSOR_NCHW || format == CUDNN_TENSOR_NHWC, "format ", format);
  api.require(type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16 || type == CUDNN_DATA_FLOAT ||
                  type == CUDNN_DATA_DOUBLE,
              "data type ", type);
  api.require(rank == 4 || rank == 5, "expected 4 or 5 dimensions, got ", rank);
  api.require(sizes != nullptr, "no sizes");
  int64_t numel = 1;
  for (int i = 0; i < rank; ++i) {
    api.require(sizes[i] > 0, "size ", sizes[i], " of dimension ", i);
    shape.sizes[i] = sizes[i];
    numel *= sizes[i];
    if (numel > INT_MAX) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  if (should_fail(Call::Library)) return CUDNN_STATUS_BAD_PARAM;
  shape.is_set = true;
  shape.format = format;
  shape.type = type;
  shape.rank = rank;
  return CUDNN_STATUS_SUCCESS;
}

template <class... Values>
bool are_positive(int count, const Values*... values) {
  const auto all = [count](const int* v) {
    return v && std::all_of(v, v + count, [](int i) { return i > 0; });
  };
  return (all(values) && ...);
}

}  // namespace
}  // namespace dnn

void refuse_convolutions(bool refuse) {
  const std::lock_guard lock(dnn::state().mutex);
  dnn::state().refuse = refuse;
}

CudnnStatistics cudnn_statistics() {
  const std::lock_guard lock(dnn::state().mutex);
  return dnn::state().statistics;
}

}  // namespace simt

extern "C" {

using namespace simt;
using namespace simt::dnn;

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    case CUDNN_STATUS_NOT_INITIALIZED:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    default:
      return "another cuDNN status";
  }
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  const Api api("cudnnCreate");
  api.require(handle != nullptr, "no place for the handle");
  const int device = current_device();
  if (permanent_error(device)) return CUDNN_STATUS_NOT_INITIALIZED;
  if (should_fail(Call::Library)) return CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  *handle = state().contexts.add(std::make_shared<Context>(Context{device}));
  ++state().statistics.handles;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  const Api api("cudnnDestroy");
  api.find(state().contexts, handle, "handle");
  state().contexts.remove(handle);
  --state().statistics.handles;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  const Api api("cudnnSetStream");
  Context& context = *api.find(state().contexts, handle, "handle");
  require_stream(stream, context.device, api.name("the stream"));
  if (should_fail(Call::Library)) return CUDNN_STATUS_EXECUTION_FAILED;
  context.stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  return create("cudnnCreateTensorDescriptor", state().tensors, descriptor);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  return destroy("cudnnDestroyTensorDescriptor", state().tensors, descriptor);
}
cudnnStatus_t cudnnSetTensorNdDescriptorEx(cudnnTensorDescriptor_t descriptor,
                                           cudnnTensorFormat_t format, cudnnDataType_t type,
                                           int rank, const int* sizes) {
  return set_shape("cudnnSetTensorNdDescriptorEx", state().tensors, descriptor, format, type, rank,
                   sizes);
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  return create("cudnnCreateFilterDescriptor", state().filters, descriptor);
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  return destroy("cudnnDestroyFilterDescriptor", state().filters, descriptor);
}
cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int rank, const int* sizes) {
  return set_shape("cudnnSetFilterNdDescriptor", state().filters, descriptor, format, type, rank,
                   sizes);
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  return create("cudnnCreateConvolutionDescriptor", state().convolutions, descriptor);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  return destroy("cudnnDestroyConvolutionDescriptor", state().convolutions, descriptor);
}
cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t descriptor, int spatial,
                                              const int* padding, const int* stride,
                                              const int* dilation, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t sums) {
  const Api api("cudnnSetConvolutionNdDescriptor");
  Convolution& conv = *api.find(state().convolutions, descriptor, "descriptor");
  api.require(spatial == 2 || spatial == 3, "expected 2 or 3 spatial dimensions, got ", spatial);
  api.require(are_positive(spatial, stride, dilation), "a stride or dilation is not positive");
  api.require(padding && std::all_of(padding, padding + spatial, [](int i) { return i >= 0; }),
              "a padding is negative");
  api.require(mode == CUDNN_CROSS_CORRELATION, "expected cross-correlation, got mode ", mode);
  api.require(sums == CUDNN_DATA_FLOAT || sums == CUDNN_DATA_DOUBLE, "sums in data type ", sums);
  if (should_fail(Call::Library)) return CUDNN_STATUS_BAD_PARAM;
  conv.is_set = true;
  conv.spatial = spatial;
  conv.sums = sums;
  std::copy_n(padding, spatial, conv.padding);
  std::copy_n(stride, spatial, conv.stride);
  std::copy_n(dilation, spatial, conv.dilation);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  const Api api("cudnnSetConvolutionGroupCount");
  Convolution& conv = *api.find(state().convolutions, descriptor, "descriptor");
  api.require(groups > 0, groups, " groups");
  if (should_fail(Call::Library)) return CUDNN_STATUS_BAD_PARAM;
  conv.groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor,
                                          cudnnMathType_t math) {
  const Api api("cudnnSetConvolutionMathType");
  Convolution& conv = *api.find(state().convolutions, descriptor, "descriptor");
  if (should_fail(Call::Library)) return CUDNN_STATUS_BAD_PARAM;
  conv.math = math;
  return CUDNN_STATUS_SUCCESS;
}
}
