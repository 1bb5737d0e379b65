#include <wick/core/cuda.h>
#include <wick/core/iterate.h>
#include <wick/core/make.h>
#include <wick/core/ops.h>
#include <wick/core/random.h>
#include <wick/kernels/elementwise.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace wick {
namespace {

using detail::Dims;

void check_sizes(const char* op, IntArrayRef sizes) {
  detail::check_rank(op, sizes.size());
  for (const int64_t size : sizes)
    WICK_CHECK(ValueError, size >= 0, op, ": sizes must not be negative, got ", sizes);
  detail::checked_numel(op, sizes);
}

// Elements from the first to the last one reached, in storage.
int64_t checked_extent(const char* op, IntArrayRef sizes, IntArrayRef strides, DType dtype) {
  check_sizes(op, sizes);
  WICK_CHECK(ShapeError, sizes.size() == strides.size(), op,
             ": expected as many strides as sizes, ", "got sizes ", sizes, " and strides ",
             strides);
  int64_t extent = 1;
  bool empty = false, fits = true;
  for (size_t d = 0; d < sizes.size(); ++d) {
    WICK_CHECK(ShapeError, strides[d] >= 0, op, ": strides must not be negative, got ", strides);
    empty |= sizes[d] == 0;
    int64_t span;
    fits &= !__builtin_mul_overflow(std::max<int64_t>(sizes[d] - 1, 0), strides[d], &span) &&
            !__builtin_add_overflow(extent, span, &extent);
  }
  if (empty) return 0;
  WICK_CHECK(ShapeError,
             fits && extent <= std::numeric_limits<int64_t>::max() / element_size(dtype), op,
             ": sizes ", sizes, " with strides ", strides, " span more than 2^63 bytes");
  return extent;
}

Tensor new_empty(const char* op, IntArrayRef sizes, DType dtype, const TensorOptions& options) {
  const Device device = detail::resolve_device(op, options.device());
  check_sizes(op, sizes);
  return detail::make_empty(sizes, dtype, device);
}

Tensor with_grad(Tensor x, const TensorOptions& options) {
  if (options.requires_grad()) x.requires_grad_();
  return x;
}

Tensor new_full(const char* op, IntArrayRef sizes, Scalar value, DType dtype,
                const TensorOptions& options) {
  Tensor x = new_empty(op, sizes, dtype, options);
  detail::fill_raw(op, x, value);
  return with_grad(std::move(x), options);
}

// Uninitialised, with what the options leave open and the memory order taken from `like`.
Tensor new_like(const char* op, const Tensor& like, const TensorOptions& options) {
  const DType dtype = options.dtype_opt().value_or(like.dtype());
  const Device device =
      options.has_device() ? detail::resolve_device(op, options.device()) : like.device();
  return detail::make_empty_like(like, dtype, device);
}

Tensor full_like(const char* op, const Tensor& like, Scalar value, const TensorOptions& options) {
  Tensor x = new_like(op, like, options);
  detail::fill_raw(op, x, value);
  return with_grad(std::move(x), options);
}

// A tensor over memory of the caller's.
Tensor borrow(void* data, IntArrayRef sizes, IntArrayRef strides,
              std::function<void(void*)> deleter, const TensorOptions& options) {
  const DType dtype = options.dtype();
  const Device device = detail::resolve_device("from_blob", options.device_opt().value_or(kCPU));
  const int64_t extent = checked_extent("from_blob", sizes, strides, dtype);
  WICK_CHECK(ValueError, data || extent == 0,
             "from_blob: got a null pointer for a tensor of shape ", sizes);
  WICK_CHECK(ValueError, reinterpret_cast<uintptr_t>(data) % element_size(dtype) == 0,
             "from_blob: the memory of ", dtype, " elements must be aligned to ",
             element_size(dtype), " bytes");
  Storage storage =
      StorageImpl::borrow(data, extent * element_size(dtype), device, std::move(deleter));
  return with_grad(Tensor(TensorImpl::make(std::move(storage), 0, sizes, strides, dtype)), options);
}

// --- random numbers; x is dense

Tensor draw_uniform(const char* op, Tensor x, const TensorOptions& options) {
  const DType dtype = x.dtype();
  WICK_CHECK(DTypeError, is_floating_point(dtype), op, ": expected a floating-point type, got ",
             dtype, "; randint makes integers");
  const int64_t n = x.numel();
  const PhiloxState state = detail::next_philox(philox_blocks(n, philox_per_block(dtype)));
  if (n > 0) WICK_DISPATCH(x.device(), uniform, dtype, n, x.data_ptr(), state, 0., 1.);
  return with_grad(std::move(x), options);
}

Tensor draw_normal(const char* op, Tensor x, const TensorOptions& options) {
  const DType dtype = x.dtype();
  WICK_CHECK(DTypeError, is_floating_point(dtype), op, ": expected a floating-point type, got ",
             dtype, "; randint makes integers");
  const int64_t n = x.numel();
  const PhiloxState state = detail::next_philox(philox_blocks(n, philox_per_block(dtype)));
  if (n > 0) WICK_DISPATCH(x.device(), normal, dtype, n, x.data_ptr(), state, 0., 1.);
  return with_grad(std::move(x), options);
}

// --- arange

// ceil((end - start) / step) for integers; the differences may exceed the signed range.
uint64_t integer_steps(int64_t start, int64_t end, int64_t step) {
  if (start == end) return 0;
  const auto s = static_cast<uint64_t>(start), e = static_cast<uint64_t>(end);
  const uint64_t distance = step > 0 ? e - s : s - e;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return (distance - 1) / stride + 1;
}

int64_t arange_size(Scalar start, Scalar end, Scalar step, DType dtype) {
  const bool all_integers =
      !start.is_floating_point() && !end.is_floating_point() && !step.is_floating_point();
  const double from = start.toDouble(), to = end.toDouble(), by = step.toDouble();
  WICK_CHECK(ValueError, std::isfinite(from) && std::isfinite(to) && !std::isnan(by),
             "arange: expected finite numbers, got start ", start, ", end ", end, ", step ", step);
  // Integer results are made of whole steps, so a step below 1 would never end.
  const bool zero = by == 0 || (!is_floating_point(dtype) && std::abs(by) < 1);
  WICK_CHECK(ValueError, !zero, "arange: the step must not be zero, got ", step,
             by == 0 ? "" : " for an integer type");
  WICK_CHECK(ValueError, by > 0 ? to >= from : to <= from, "arange: a step of ", step,
             " does not lead from ", start, " to ", end);
  if (all_integers || dtype == DType::Int64) {
    const uint64_t n = integer_steps(start.toLong(), end.toLong(), step.toLong());
    WICK_CHECK(ShapeError, n <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
               "arange: ", start, " to ", end, " by ", step, " has too many elements");
    return static_cast<int64_t>(n);
  }
  const double n = std::ceil((to - from) / by);
  WICK_CHECK(ShapeError, n < 0x1p63, "arange: ", start, " to ", end, " by ", step,
             " has too many elements");
  return static_cast<int64_t>(n);
}

}  // namespace

// --- plain

Tensor empty(IntArrayRef sizes, const TensorOptions& options) {
  return with_grad(new_empty("empty", sizes, options.dtype(), options), options);
}

Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  const DType dtype = options.dtype();
  const Device device = detail::resolve_device("empty_strided", options.device());
  const int64_t extent = checked_extent("empty_strided", sizes, strides, dtype);
  return with_grad(
      Tensor(TensorImpl::make(StorageImpl::allocate(extent * element_size(dtype), device), 0, sizes,
                              strides, dtype)),
      options);
}

Tensor zeros(IntArrayRef sizes, const TensorOptions& options) {
  return new_full("zeros", sizes, 0, options.dtype(), options);
}

Tensor ones(IntArrayRef sizes, const TensorOptions& options) {
  return new_full("ones", sizes, 1, options.dtype(), options);
}

Tensor full(IntArrayRef sizes, Scalar value, const TensorOptions& options) {
  return new_full("full", sizes, value, options.dtype_opt().value_or(value.type()), options);
}

Tensor empty_like(const Tensor& like, const TensorOptions& options) {
  return with_grad(new_like("empty_like", like, options), options);
}

Tensor zeros_like(const Tensor& like, const TensorOptions& options) {
  return full_like("zeros_like", like, 0, options);
}

Tensor ones_like(const Tensor& like, const TensorOptions& options) {
  return full_like("ones_like", like, 1, options);
}

Tensor full_like(const Tensor& like, Scalar value, const TensorOptions& options) {
  return full_like("full_like", like, value, options);
}

Tensor arange(Scalar end, const TensorOptions& options) { return arange(0, end, 1, options); }

Tensor arange(Scalar start, Scalar end, const TensorOptions& options) {
  return arange(start, end, 1, options);
}

Tensor arange(Scalar start, Scalar end, Scalar step, const TensorOptions& options) {
  const bool all_integers =
      !start.is_floating_point() && !end.is_floating_point() && !step.is_floating_point();
  const DType dtype =
      options.dtype_opt().value_or(all_integers ? DType::Int64 : get_default_dtype());
  WICK_CHECK(DTypeError, dtype != DType::Bool, "arange: expected a type of numbers, got bool");
  const int64_t n = arange_size(start, end, step, dtype);
  Tensor x = new_empty("arange", n, dtype, options);
  const auto immediate = [&](Scalar v) {
    return is_floating_point(dtype) ? Immediate::of(v.toDouble()) : Immediate::of(v.toLong());
  };
  if (n > 0) {
    WICK_DISPATCH(x.device(), arange, dtype, x.data_ptr(), n, immediate(start), immediate(step));
  }
  return with_grad(std::move(x), options);
}

// --- random

Tensor rand(IntArrayRef sizes, const TensorOptions& options) {
  return draw_uniform("rand", new_empty("rand", sizes, options.dtype(), options), options);
}

Tensor randn(IntArrayRef sizes, const TensorOptions& options) {
  return draw_normal("randn", new_empty("randn", sizes, options.dtype(), options), options);
}

Tensor rand_like(const Tensor& like, const TensorOptions& options) {
  return draw_uniform("rand_like", new_like("rand_like", like, options), options);
}

Tensor randn_like(const Tensor& like, const TensorOptions& options) {
  return draw_normal("randn_like", new_like("randn_like", like, options), options);
}

Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  return randint(0, high, sizes, options);
}

Tensor randint(int64_t low, int64_t high, IntArrayRef sizes, const TensorOptions& options) {
  const Tensor x = new_empty("randint", sizes, options.dtype_opt().value_or(kInt64), options);
  detail::draw_integers("randint", x, low, high);
  return with_grad(x, options);
}

Tensor randint_like(const Tensor& like, int64_t high, const TensorOptions& options) {
  return randint_like(like, 0, high, options);
}

Tensor randint_like(const Tensor& like, int64_t low, int64_t high, const TensorOptions& options) {
  const Tensor x = new_like("randint_like", like, options);
  detail::draw_integers("randint_like", x, low, high);
  return with_grad(x, options);
}

Tensor randperm(int64_t n, const TensorOptions& options) {
  const DType dtype = options.dtype_opt().value_or(kInt64);
  WICK_CHECK(ValueError, n >= 0, "randperm: expected n >= 0, got ", n);
  WICK_CHECK(DTypeError, dtype != DType::Bool, "randperm: expected a type of numbers, got bool");
  WICK_CHECK(ValueError, n - 1 <= detail::largest_exact(dtype), "randperm: ", dtype,
             " holds integers up to ", detail::largest_exact(dtype), ", got n = ", n);
  const Tensor x = new_empty("randperm", n, kInt64, options);
  const PhiloxState state = detail::next_philox(philox_blocks(n, 2));
  if (n > 0) WICK_DISPATCH(x.device(), randperm, n, x.data_ptr<int64_t>(), state);
  return with_grad(detail::cast_raw(x, dtype), options);
}

// --- memory of others

Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options) {
  return from_blob(data, sizes, std::function<void(void*)>(), options);
}

Tensor from_blob(void* data, IntArrayRef sizes, std::function<void(void*)> deleter,
                 const TensorOptions& options) {
  check_sizes("from_blob", sizes);
  Dims strides(sizes);
  int64_t step = 1;
  for (int d = strides.n - 1; d >= 0; --d) {
    strides[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  }
  return borrow(data, sizes, strides, std::move(deleter), options);
}

Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const TensorOptions& options) {
  return borrow(data, sizes, strides, {}, options);
}

Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                 std::function<void(void*)> deleter, const TensorOptions& options) {
  return borrow(data, sizes, strides, std::move(deleter), options);
}

// --- numbers

detail::TensorData::TensorData(std::initializer_list<TensorData> list) : kind_(Kind::Bool) {
  sizes_.push_back(static_cast<int64_t>(list.size()));
  const TensorData* first = list.begin();
  if (list.size() == 0) {
    kind_ = Kind::Real;  // as in PyTorch, nothing has the default type
    return;
  }
  sizes_.insert(sizes_.end(), first->sizes_.begin(), first->sizes_.end());
  for (const TensorData& row : list) {
    WICK_CHECK(ShapeError, row.sizes_ == first->sizes_, "tensor: expected rows of one shape, got ",
               IntArrayRef(first->sizes_), " and ", IntArrayRef(row.sizes_));
    kind_ = std::max(kind_, row.kind_);
    reals_.insert(reals_.end(), row.reals_.begin(), row.reals_.end());
    integers_.insert(integers_.end(), row.integers_.begin(), row.integers_.end());
  }
  if (kind_ == Kind::Real) integers_.clear();
}

Tensor detail::TensorData::make(const TensorOptions& options) const {
  const bool integers = kind_ != Kind::Real;
  const DType dtype = options.dtype_opt().value_or(kind_ == Kind::Bool      ? kBool
                                                   : kind_ == Kind::Integer ? kInt64
                                                                            : get_default_dtype());
  const Device device = resolve_device("tensor", options.device());
  check_sizes("tensor", sizes_);
  Tensor x = make_empty(sizes_, dtype, Device(kCPU, 0));
  visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = static_cast<T*>(x.data_ptr());
    for (size_t i = 0; i < reals_.size(); ++i) {
      // An unsigned number of 64 bits may have wrapped around.
      WICK_CHECK(ValueError, !integers || (reals_[i] < 0) == (integers_[i] < 0),
                 "tensor: ", reals_[i], " does not fit in int64");
      if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
        const Scalar value = integers ? Scalar(integers_[i]) : Scalar(reals_[i]);
        out[i] = immediate_for("tensor", value, dtype).template as<T>();
      } else {
        out[i] =
            (integers ? Immediate::of(integers_[i]) : Immediate::of(reals_[i])).template as<T>();
      }
    }
  });
  if (device.is_cuda()) {
    const Tensor moved = make_empty(sizes_, dtype, device);
    copy_raw(moved, x);
    x = moved;
  }
  return with_grad(std::move(x), options);
}

Tensor tensor(const detail::TensorData& data, const TensorOptions& options) {
  return data.make(options);
}

}  // namespace wick
