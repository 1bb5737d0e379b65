#pragma once

#include <wick/core/array_ref.h>
#include <wick/core/intrusive.h>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <utility>

namespace wick {

/// A vector whose first N elements need no allocation. Moving it moves its elements.
template <class T, uint32_t N>
class InlineVector {
 public:
  InlineVector() = default;
  InlineVector(std::initializer_list<T> list) {
    reserve(static_cast<uint32_t>(list.size()));
    for (const T& v : list) push_back(v);
  }
  explicit InlineVector(uint32_t count) { resize(count); }
  InlineVector(const InlineVector& o) {
    reserve(o.size_);
    for (const T& v : o) push_back(v);
  }
  InlineVector(InlineVector&& o) noexcept { take(o); }
  InlineVector& operator=(const InlineVector& o) {
    if (this != &o) *this = InlineVector(o);
    return *this;
  }
  InlineVector& operator=(InlineVector&& o) noexcept {
    if (this != &o) {
      free();
      take(o);
    }
    return *this;
  }
  ~InlineVector() { free(); }

  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  operator ArrayRef<T>() const { return {data_, static_cast<size_t>(size_)}; }  // NOLINT

  void push_back(T value) {
    if (size_ == capacity_) reserve(capacity_ * 2);
    new (data_ + size_++) T(std::move(value));
  }
  void resize(uint32_t count) {
    reserve(count);
    while (size_ < count) new (data_ + size_++) T();
    while (size_ > count) data_[--size_].~T();
  }
  void clear() { resize(0); }
  void reserve(uint32_t count) {
    if (count <= capacity_) return;
    T* grown = static_cast<T*>(detail::allocate_small(count * sizeof(T)));
    for (uint32_t i = 0; i < size_; ++i) {
      new (grown + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    if (data_ != local()) detail::release_small(data_, capacity_ * sizeof(T));
    data_ = grown;
    capacity_ = count;
  }

 private:
  T* local() { return reinterpret_cast<T*>(buffer_); }
  void free() {
    for (uint32_t i = size_; i > 0; --i) data_[i - 1].~T();
    if (data_ != local()) detail::release_small(data_, capacity_ * sizeof(T));
    data_ = local();
    size_ = 0;
    capacity_ = N;
  }
  // Only on an empty vector without memory of its own.
  void take(InlineVector& o) noexcept {
    if (o.data_ != o.local()) {
      data_ = std::exchange(o.data_, o.local());
      size_ = std::exchange(o.size_, 0);
      capacity_ = std::exchange(o.capacity_, N);
      return;
    }
    for (uint32_t i = 0; i < o.size_; ++i) {
      new (data_ + i) T(std::move(o.data_[i]));
      o.data_[i].~T();
    }
    size_ = std::exchange(o.size_, 0);
  }

  alignas(T) unsigned char buffer_[N * sizeof(T)];
  T* data_ = local();
  uint32_t size_ = 0;
  uint32_t capacity_ = N;
};

}  // namespace wick
