#pragma once

#include <wick/core/tensor.h>
#include <wick/kernels/args.h>
#include <initializer_list>

// From tensors to what the elementwise and reduction kernels iterate over. Internal.
namespace wick::detail {

/// Up to kMaxRank sizes without allocation.
struct Dims {
  int64_t v[kMaxRank];
  int n = 0;
  Dims() = default;
  Dims(IntArrayRef r) : n(static_cast<int>(r.size())) {  // NOLINT
    for (int i = 0; i < n; ++i) v[i] = r[i];
  }
  int64_t& operator[](int i) { return v[i]; }
  int64_t operator[](int i) const { return v[i]; }
  void push_back(int64_t x) { v[n++] = x; }  // the caller stays within kMaxRank
  operator IntArrayRef() const { return {v, static_cast<size_t>(n)}; }  // NOLINT
};

/// The shape that a and b broadcast to. Throws ShapeError: "add: cannot broadcast [2, 3] with [4]:
/// ...".
Dims broadcast_shapes(const char* op, IntArrayRef a, IntArrayRef b);

/// Kernel arguments for `out` (operand 0, its own shape) and inputs that broadcast to it. A null
/// input takes no memory (the immediate). Dimensions are sorted and merged. Allocates nothing.
ElementwiseArgs elementwise_args(const Tensor& out, std::initializer_list<const Tensor*> inputs);

/// dim in [-ndim, ndim) made non-negative (a 0-dimensional tensor counts as 1). Throws IndexError:
/// "sum: dimension 3 is out of range for a tensor of 2 dimensions (-2 to 1)".
int64_t wrap_dim(const char* op, int64_t dim, int64_t ndim);

/// Product of sizes; throws ShapeError for negative sizes and on overflow.
int64_t checked_numel(const char* op, IntArrayRef sizes);

/// Throws ShapeError when there are more than kMaxRank dimensions.
void check_rank(const char* op, size_t ndim);

/// All defined tensors on one device (a 0-dimensional CPU tensor may join any if `scalars_join`).
/// Throws DeviceError: "matmul: expected all tensors on one device, got cpu and cuda:0; move one
/// with .to(device)".
Device common_device(const char* op, std::initializer_list<const Tensor*> tensors,
                     bool scalars_join = false);

/// Uninitialised dense tensor, with no options to resolve: the cheap way for ops to make results.
Tensor make_empty(IntArrayRef sizes, DType dtype, Device device);
/// Uninitialised, with the dense memory order of `like` if it is dense, else row-major.
Tensor make_empty_like(const Tensor& like, DType dtype);
Tensor make_empty_like(const Tensor& like, DType dtype, Device device);

/// The type of `a op b` for tensors (0-dimensional ones weigh less) and with a Scalar.
DType result_type(const Tensor& a, const Tensor& b);
DType result_type(const Tensor& a, Scalar b);
/// `dtype` if floating, else the default dtype.
inline DType to_float_type(DType dtype) {
  return is_floating_point(dtype) ? dtype : get_default_dtype();
}

/// x in another type without recording (x itself if it has it already).
Tensor cast_raw(const Tensor& x, DType dtype);
/// x moved to row-major memory without recording (x itself if it is already).
Tensor contiguous_raw(const Tensor& x);
/// out's elements = src's, broadcast and converted, any devices, without recording or version bump.
void copy_raw(const Tensor& out, const Tensor& src, bool non_blocking = false);

}  // namespace wick::detail
