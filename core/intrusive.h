#pragma once

#include <wick/core/export.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

// Intrusive reference counts and the small-object free lists behind them.
namespace wick {

namespace detail {

/// Memory for impls, nodes and small storages from the calling thread's free lists (64-byte
/// aligned, size classes up to kSmallLimit; larger requests go to the CPU allocator). Throws
/// OutOfMemoryError. `bytes` must be the same in both calls; any thread may release.
WICK_API void* allocate_small(size_t bytes);
WICK_API void release_small(void* memory, size_t bytes) noexcept;

}  // namespace detail

/// Base of reference-counted objects. The derived class T defines `static void destroy(T*)
/// noexcept`, called when the last IntrusivePtr goes.
template <class T>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  void retain() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept {
    // A sole owner needs no read-modify-write: nobody else can hold a pointer to copy from.
    if (count_.load(std::memory_order_acquire) == 1 ||
        count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      T::destroy(const_cast<T*>(static_cast<const T*>(this)));
    }
  }
  uint32_t use_count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  mutable std::atomic<uint32_t> count_{0};
};

template <class T>
class IntrusivePtr {
 public:
  IntrusivePtr() noexcept = default;
  IntrusivePtr(std::nullptr_t) noexcept {}  // NOLINT
  explicit IntrusivePtr(T* object) noexcept : object_(object) {
    if (object_) object_->retain();
  }
  IntrusivePtr(const IntrusivePtr& o) noexcept : IntrusivePtr(o.object_) {}
  IntrusivePtr(IntrusivePtr&& o) noexcept : object_(std::exchange(o.object_, nullptr)) {}
  ~IntrusivePtr() {
    if (object_) object_->release();  // NOLINT(clang-analyzer-core.uninitialized.Branch): tuples
  }
  IntrusivePtr& operator=(const IntrusivePtr& o) noexcept {
    IntrusivePtr(o).swap(*this);
    return *this;
  }
  IntrusivePtr& operator=(IntrusivePtr&& o) noexcept {
    IntrusivePtr(std::move(o)).swap(*this);
    return *this;
  }
  void swap(IntrusivePtr& o) noexcept { std::swap(object_, o.object_); }
  void reset() noexcept { IntrusivePtr().swap(*this); }
  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool operator==(const IntrusivePtr&) const = default;
  bool operator==(const T* o) const noexcept { return object_ == o; }

 private:
  T* object_ = nullptr;
};

}  // namespace wick
