#pragma once

#include <cstddef>
#include <cstdint>

namespace wick::cpu {

/// Working memory of one kernel call, 64-byte aligned and not initialised. A few blocks of up to
/// 64 MiB in all are kept by each thread for its next calls, because fresh pages from the system
/// cost more than most kernels. Throws OutOfMemoryError.
class Scratch {
 public:
  explicit Scratch(size_t bytes);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Bytes rounded up so that what follows is aligned too.
constexpr size_t aligned_bytes(size_t bytes) { return (bytes + 63) & ~size_t{63}; }

}  // namespace wick::cpu
