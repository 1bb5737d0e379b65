#pragma once

#include <wick/core/check.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace wick {

/// A view of elements that somebody else owns; valid as long as they are. Pass by value.
template <class T>
class ArrayRef {
 public:
  using value_type = T;
  constexpr ArrayRef() = default;
  constexpr ArrayRef(const T& one) : data_(&one), size_(1) {}  // NOLINT: implicit, as in LibTorch
  constexpr ArrayRef(const T* data, size_t size) : data_(data), size_(size) {}
  constexpr ArrayRef(const T* begin, const T* end) : data_(begin), size_(end - begin) {}
  ArrayRef(const std::vector<T>& v) : data_(v.data()), size_(v.size()) {}  // NOLINT
  template <size_t N>
  constexpr ArrayRef(const std::array<T, N>& a) : data_(a.data()), size_(N) {}  // NOLINT
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Winit-list-lifetime"  // used as a function argument only
#endif
  constexpr ArrayRef(const std::initializer_list<T>& list)  // NOLINT
      : data_(list.begin() == list.end() ? nullptr : list.begin()), size_(list.size()) {}
#pragma GCC diagnostic pop

  constexpr const T* begin() const { return data_; }
  constexpr const T* end() const { return data_ + size_; }
  constexpr const T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const T& operator[](size_t i) const { return data_[i]; }
  const T& at(size_t i) const {
    WICK_CHECK(IndexError, i < size_, "ArrayRef: index ", i, " is out of range for size ", size_);
    return data_[i];
  }
  const T& front() const { return at(0); }
  const T& back() const { return at(size_ - 1); }
  ArrayRef slice(size_t start, size_t count) const {
    WICK_CHECK(IndexError, start <= size_ && count <= size_ - start, "ArrayRef: slice of ", count,
               " from ", start, " is out of range for size ", size_);
    return {data_ + start, count};
  }
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
  friend bool operator==(ArrayRef a, ArrayRef b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; ++i)
      if (!(a.data_[i] == b.data_[i])) return false;
    return true;
  }

 private:
  const T* data_ = nullptr;
  size_t size_ = 0;
};

using IntArrayRef = ArrayRef<int64_t>;

/// "[2, 3]"
WICK_API std::string to_string(IntArrayRef values);

/// Optional sizes or dimensions: `nullopt`, `1`, `{0, 1}`, a vector.
class OptionalIntArrayRef {
 public:
  OptionalIntArrayRef() = default;
  OptionalIntArrayRef(std::nullopt_t) {}                                                   // NOLINT
  OptionalIntArrayRef(IntArrayRef v) : value_(v), has_(true) {}                            // NOLINT
  OptionalIntArrayRef(const int64_t& v) : value_(v), has_(true) {}                         // NOLINT
  OptionalIntArrayRef(const std::vector<int64_t>& v) : value_(v), has_(true) {}            // NOLINT
  OptionalIntArrayRef(const std::initializer_list<int64_t>& v) : value_(v), has_(true) {}  // NOLINT
  bool has_value() const { return has_; }
  explicit operator bool() const { return has_; }
  IntArrayRef operator*() const { return value_; }
  IntArrayRef value() const { return value_; }

 private:
  IntArrayRef value_;
  bool has_ = false;
};

}  // namespace wick
