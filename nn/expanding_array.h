#pragma once

#include <wick/core/array_ref.h>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <vector>

namespace wick {

/// D numbers, given as one (repeated), as a list of D, or as a vector or std::array:
/// `kernel_size = 3` or `{3, 5}`.
template <size_t D, class T = int64_t>
class ExpandingArray {
 public:
  ExpandingArray(T value) { values_.fill(value); }  // NOLINT: implicit, as in LibTorch
  ExpandingArray(std::initializer_list<T> list)     // NOLINT
      : ExpandingArray(ArrayRef<T>(list.begin(), list.size())) {}
  ExpandingArray(const std::vector<T>& list) : ExpandingArray(ArrayRef<T>(list)) {}  // NOLINT
  ExpandingArray(const std::array<T, D>& values) : values_(values) {}                // NOLINT
  ExpandingArray(ArrayRef<T> values) {                                               // NOLINT
    if (values.size() == 1) {
      values_.fill(values[0]);
      return;
    }
    WICK_CHECK(ValueError, values.size() == D, "Expected ", D, " values, but instead got ",
               values.size());
    for (size_t i = 0; i < D; ++i) values_[i] = values[i];
  }

  std::array<T, D>& operator*() { return values_; }
  const std::array<T, D>& operator*() const { return values_; }
  std::array<T, D>* operator->() { return &values_; }
  const std::array<T, D>* operator->() const { return &values_; }
  operator ArrayRef<T>() const { return values_; }  // NOLINT
  constexpr size_t size() const { return D; }
  const T& operator[](size_t i) const { return values_[i]; }

 private:
  std::array<T, D> values_;
};

template <size_t D, class T>
std::ostream& operator<<(std::ostream& stream, const ExpandingArray<D, T>& array) {
  stream << "[";
  for (size_t i = 0; i < D; ++i) stream << (i ? ", " : "") << array[i];
  return stream << "]";
}

}  // namespace wick
