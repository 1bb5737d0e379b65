#pragma once

#include <wick/core/tensor.h>
#include <functional>
#include <initializer_list>
#include <optional>
#include <vector>

// Creation (core/ops/creation.cpp). Negative sizes throw ValueError.
namespace wick {

WICK_API Tensor empty(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides,
                              const TensorOptions& options = {});
WICK_API Tensor zeros(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor ones(IntArrayRef sizes, const TensorOptions& options = {});
/// The dtype is that of the value unless given: bool, int64 or the default.
WICK_API Tensor full(IntArrayRef sizes, Scalar value, const TensorOptions& options = {});
/// Values start, start + step, ... below `end`; int64 if all three are integers, else the default.
WICK_API Tensor arange(Scalar end, const TensorOptions& options = {});
WICK_API Tensor arange(Scalar start, Scalar end, const TensorOptions& options = {});
WICK_API Tensor arange(Scalar start, Scalar end, Scalar step, const TensorOptions& options = {});
/// Uniform in [0, 1); normal; integers in [low, high) (int64 by default); a permutation of 0..n-1
/// (int64). From the generator of manual_seed; the same numbers on every device.
WICK_API Tensor rand(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randn(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randint(int64_t low, int64_t high, IntArrayRef sizes,
                        const TensorOptions& options = {});
WICK_API Tensor randint_like(const Tensor& like, int64_t high, const TensorOptions& options = {});
WICK_API Tensor randint_like(const Tensor& like, int64_t low, int64_t high,
                             const TensorOptions& options = {});
WICK_API Tensor randperm(int64_t n, const TensorOptions& options = {});
/// Options that are not given are those of `like`.
WICK_API Tensor empty_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor zeros_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor ones_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor full_like(const Tensor& like, Scalar value, const TensorOptions& options = {});
WICK_API Tensor rand_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor randn_like(const Tensor& like, const TensorOptions& options = {});
/// Memory of the caller's, not copied; `deleter` is called with it when the last tensor goes.
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                          const TensorOptions& options = {});
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, std::function<void(void*)> deleter,
                          const TensorOptions& options = {});
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                          std::function<void(void*)> deleter, const TensorOptions& options = {});

namespace detail {
/// Numbers of any nesting that tensor() takes. Keeps int64 or double.
class WICK_API TensorData {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T>) TensorData(T value)
      : kind_(kind_of<T>()), reals_{static_cast<double>(value)} {  // NOLINT
    if constexpr (std::is_integral_v<T>) integers_.assign(1, static_cast<int64_t>(value));
  }
  TensorData(std::initializer_list<TensorData> list);  // NOLINT
  template <class T>
  TensorData(const std::vector<T>& values) : TensorData(ArrayRef<T>(values)) {}  // NOLINT
  template <class T>
  TensorData(ArrayRef<T> values) : kind_(kind_of<T>()) {  // NOLINT
    sizes_.push_back(static_cast<int64_t>(values.size()));
    for (const T& v : values) reals_.push_back(static_cast<double>(v));
    if constexpr (std::is_integral_v<T>)
      for (const T& v : values) integers_.push_back(static_cast<int64_t>(v));
  }
  Tensor make(const TensorOptions& options) const;

 private:
  enum class Kind : uint8_t { Bool, Integer, Real };
  template <class T>
  static constexpr Kind kind_of() {
    return std::is_same_v<T, bool> ? Kind::Bool
           : std::is_integral_v<T> ? Kind::Integer
                                   : Kind::Real;
  }
  Kind kind_;
  std::vector<int64_t> sizes_;
  std::vector<double> reals_;
  std::vector<int64_t> integers_;  // empty for Kind::Real
};
}  // namespace detail
/// A tensor of the given numbers, nested braces to any depth: tensor({{1., 2.}, {3., 4.}}),
/// tensor(3), tensor(vector). Integers give int64, floating-point numbers the default dtype, bools
/// bool. Throws ShapeError if rows differ in length.
WICK_API Tensor tensor(const detail::TensorData& data, const TensorOptions& options = {});
/// For a flat list of numbers (keeps one-element lists lists: tensor({3}) has shape [1]).
template <class T>
requires(std::is_arithmetic_v<T>) Tensor
    tensor(std::initializer_list<T> values, const TensorOptions& options = {}) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::vector<uint8_t> bytes(values.begin(), values.end());
    return tensor(detail::TensorData(bytes), options.has_dtype() ? options : options.dtype(kBool));
  } else {
    return tensor(detail::TensorData(ArrayRef<T>(values.begin(), values.size())), options);
  }
}

// --- conversion and copies
WICK_API Tensor clone(const Tensor& x);

}  // namespace wick
