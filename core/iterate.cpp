#include <wick/core/iterate.h>

#include <wick/core/ops.h>
#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/runtime.h>
#include <wick/kernels/elementwise.h>
#include <algorithm>

namespace wick::detail {

Dims broadcast_shapes(const char* op, IntArrayRef a, IntArrayRef b) {
  Dims out;
  out.n = static_cast<int>(std::max(a.size(), b.size()));
  for (int i = 1; i <= out.n; ++i) {
    const int64_t x = i <= static_cast<int>(a.size()) ? a[a.size() - i] : 1;
    const int64_t y = i <= static_cast<int>(b.size()) ? b[b.size() - i] : 1;
    WICK_CHECK(ShapeError, x == y || x == 1 || y == 1, op, ": cannot broadcast ", a, " with ", b,
               ": sizes ", x, " and ", y, " at dimension ", out.n - i,
               " differ and neither is 1; view() or unsqueeze() one of them");
    out[out.n - i] = x == 1 ? y : x;
  }
  return out;
}

namespace {

// Sorted so that the innermost dimension, by the strides of the output and then of the inputs, is
// last.
bool is_outer(const ElementwiseArgs& args, int a, int b) {
  for (int i = 0; i < args.operands; ++i) {
    const int64_t x = args.strides[i][a];
    const int64_t y = args.strides[i][b];
    if (x == 0 || y == 0) continue;  // a broadcast operand has no opinion
    if (x != y) return x > y;
  }
  return false;
}

void swap_dims(ElementwiseArgs& args, int a, int b) {
  std::swap(args.sizes[a], args.sizes[b]);
  for (int i = 0; i < args.operands; ++i) std::swap(args.strides[i][a], args.strides[i][b]);
}

bool can_merge(const ElementwiseArgs& args, int outer, int inner) {
  for (int i = 0; i < args.operands; ++i) {
    if (args.strides[i][outer] != args.strides[i][inner] * args.sizes[inner]) return false;
  }
  return true;
}

void sort_and_merge(ElementwiseArgs& args) {
  for (int i = 1; i < args.ndim; ++i) {
    for (int j = i; j > 0 && is_outer(args, j, j - 1); --j) swap_dims(args, j, j - 1);
  }
  int last = 0;
  for (int d = 1; d < args.ndim; ++d) {
    if (can_merge(args, last, d)) {
      args.sizes[last] *= args.sizes[d];
      for (int i = 0; i < args.operands; ++i) args.strides[i][last] = args.strides[i][d];
    } else {
      ++last;
      args.sizes[last] = args.sizes[d];
      for (int i = 0; i < args.operands; ++i) args.strides[i][last] = args.strides[i][d];
    }
  }
  args.ndim = args.ndim > 0 ? last + 1 : 0;
  args.contiguous = args.ndim <= 1;
  for (int i = 0; i < args.operands && args.ndim == 1; ++i)
    args.contiguous &= args.strides[i][0] == 1;
  for (int i = 0; i < args.operands; ++i)
    args.contiguous &= args.data[i] != nullptr || args.numel == 0;
}

}  // namespace

ElementwiseArgs elementwise_args(const Tensor& out, std::initializer_list<const Tensor*> inputs) {
  ElementwiseArgs args;
  const TensorImpl& o = out.impl();
  args.numel = o.numel();
  args.operands = 1 + static_cast<int>(inputs.size());
  args.data[0] = o.data();
  bool simple = o.is_contiguous();
  int k = 1;
  for (const Tensor* t : inputs) {
    if (t) {
      const TensorImpl& in = t->impl();
      args.data[k] = in.data();
      simple &= in.is_contiguous() && in.numel() == o.numel();
    } else {
      args.immediate_operand = k;
    }
    ++k;
  }
  if (simple) {  // every operand is dense in the same order; the immediate has stride 0
    args.contiguous = args.immediate_operand < 0;
    args.ndim = args.numel == 1 ? 0 : 1;
    args.sizes[0] = args.numel;
    for (int i = 0; i < args.operands; ++i)
      args.strides[i][0] = i == args.immediate_operand ? 0 : 1;
    return args;
  }
  for (int d = 0; d < o.dim(); ++d) {
    if (o.size(d) == 1) continue;
    args.sizes[args.ndim] = o.size(d);
    args.strides[0][args.ndim] = o.stride(d);
    int i = 1;
    for (const Tensor* t : inputs) {
      int64_t stride = 0;
      if (t) {
        const TensorImpl& in = t->impl();
        const int from = d - (o.dim() - in.dim());
        if (from >= 0 && in.size(from) != 1) stride = in.stride(from);
      }
      args.strides[i++][args.ndim] = stride;
    }
    ++args.ndim;
  }
  sort_and_merge(args);
  return args;
}

int64_t wrap_dim(const char* op, int64_t dim, int64_t ndim) {
  const int64_t n = ndim == 0 ? 1 : ndim;
  WICK_CHECK(IndexError, dim >= -n && dim < n, op, ": dimension ", dim,
             " is out of range for a tensor of ", ndim, " dimensions (", -n, " to ", n - 1, ")");
  return dim < 0 ? dim + n : dim;
}

int64_t checked_numel(const char* op, IntArrayRef sizes) {
  int64_t numel = 1;
  bool overflow = false;
  bool empty = false;
  for (const int64_t s : sizes) {
    WICK_CHECK(ShapeError, s >= 0, op, ": expected sizes >= 0, got ", sizes);
    empty |= s == 0;
    // Strides count on with the sizes of an empty tensor too.
    overflow |= __builtin_mul_overflow(numel, std::max<int64_t>(s, 1), &numel);
  }
  // Room for the largest element, so that byte counts and strides cannot overflow either.
  WICK_CHECK(ShapeError, !overflow && numel <= INT64_MAX / 16, op, ": sizes ", sizes,
             " have more elements than can be addressed");
  return empty ? 0 : numel;
}

void check_rank(const char* op, size_t ndim) {
  WICK_CHECK(ShapeError, ndim <= kMaxRank, op, ": expected at most ", kMaxRank, " dimensions, got ",
             ndim);
}

Device common_device(const char* op, std::initializer_list<const Tensor*> tensors,
                     bool scalars_join) {
  const Tensor* first = nullptr;
  const Tensor* scalar = nullptr;
  for (const Tensor* t : tensors) {
    if (!t->defined()) continue;
    if (scalars_join && t->dim() == 0 && t->is_cpu()) {
      scalar = t;
      continue;
    }
    if (!first) first = t;
    WICK_CHECK(DeviceError, first->device() == t->device(), op,
               ": expected all tensors on one device, got ", first->device(), " and ", t->device(),
               "; move one with .to(device)");
  }
  return first ? first->device() : scalar ? scalar->device() : Device(kCPU, 0);
}

Tensor make_empty(IntArrayRef sizes, DType dtype, Device device) {
  const int64_t numel = checked_numel("result", sizes);
  return Tensor(TensorImpl::make(StorageImpl::allocate(numel * element_size(dtype), device), 0,
                                 sizes, dtype));
}

Tensor make_empty_like(const Tensor& like, DType dtype) {
  return make_empty_like(like, dtype, like.device());
}

Tensor make_empty_like(const Tensor& like, DType dtype, Device device) {
  const TensorImpl& x = like.impl();
  if (x.is_contiguous()) return make_empty(x.sizes(), dtype, device);
  // Dense in another order: with the dimensions sorted by stride it would be row-major.
  int order[kMaxRank];
  for (int d = 0; d < x.dim(); ++d) {
    order[d] = d;
    for (int i = d; i > 0 && x.stride(order[i]) > x.stride(order[i - 1]); --i)
      std::swap(order[i], order[i - 1]);
  }
  Dims strides;
  strides.n = x.dim();
  int64_t expected = 1;
  for (int i = x.dim() - 1; i >= 0; --i) {
    const int d = order[i];
    if (x.size(d) != 1 && x.stride(d) != expected) return make_empty(x.sizes(), dtype, device);
    strides[d] = expected;
    expected *= x.size(d);
  }
  return Tensor(TensorImpl::make(StorageImpl::allocate(x.numel() * element_size(dtype), device), 0,
                                 x.sizes(), strides, dtype));
}

namespace {
int category(DType d) { return is_floating_point(d) ? 2 : is_integral(d) ? 1 : 0; }
}  // namespace

DType result_type(const Tensor& a, const Tensor& b) {
  const DType x = a.dtype();
  const DType y = b.dtype();
  if (x == y) return x;
  // A tensor without dimensions counts only if its category is higher.
  if ((a.dim() == 0) == (b.dim() == 0)) return promote_types(x, y);
  const DType weak = a.dim() == 0 ? x : y;
  const DType strong = a.dim() == 0 ? y : x;
  return category(weak) > category(strong) ? weak : strong;
}

DType result_type(const Tensor& a, Scalar b) {
  const DType x = a.dtype();
  const int s = b.is_floating_point() ? 2 : b.is_integral() ? 1 : 0;
  return s <= category(x) ? x : b.type();
}

Tensor cast_raw(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor out = make_empty_like(x, dtype);
  copy_raw(out, x);
  return out;
}

Tensor contiguous_raw(const Tensor& x) {
  if (x.impl().is_contiguous()) return x;
  Tensor out = make_empty(x.sizes(), x.dtype(), x.device());
  copy_raw(out, x);
  return out;
}

void copy_raw(const Tensor& out, const Tensor& src, bool non_blocking) {
  if (out.numel() == 0) return;
  if (out.device() == src.device()) {
    const ElementwiseArgs args = elementwise_args(out, {&src});
    WICK_DISPATCH(out.device(), copy, out.dtype(), src.dtype(), args);
    return;
  }
  // Between devices only dense blocks of one type move; the rest happens on either side.
  const Tensor from = contiguous_raw(cast_raw(src, out.dtype()));
  const bool direct = out.impl().is_contiguous() && from.sizes() == out.sizes();
  const Tensor to = direct ? out : make_empty(from.sizes(), out.dtype(), out.device());
  if constexpr (kBuiltWithCuda) {
    const Storage& host = to.is_cpu() ? to.storage() : from.storage();
    const int device = to.is_cpu() ? from.device().index() : to.device().index();
    non_blocking &= host->is_pinned();
    if (non_blocking) cuda::record_pinned(host->data(), device, cuda::native_stream(device));
    cuda::copy_bytes(to.data_ptr(), to.device(), from.data_ptr(), from.device(), to.nbytes(),
                     non_blocking);
  }
  if (!direct) copy_raw(out, to);
}

}  // namespace wick::detail
