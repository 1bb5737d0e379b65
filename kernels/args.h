#pragma once

#include <wick/core/dtype.h>
#include <wick/kernels/dispatch.h>
#include <cstdint>

// What kernels see of tensors: plain pointers, sizes and strides. All strides count elements, all
// pointers already include the storage offset, all sizes may be 0.
namespace wick {

/// A number in the argument list of a kernel, in the widest type of its category.
struct Immediate {
  union {
    double real = 0;
    int64_t integer;
  };
  bool is_integer = false;

  static Immediate of(double v) {
    Immediate i;
    i.real = v;
    return i;
  }
  static Immediate of(int64_t v) {
    Immediate i;
    i.integer = v;
    i.is_integer = true;
    return i;
  }
  template <class T>
  WICK_HOST_DEVICE T as() const {
    if constexpr (std::is_same_v<T, bool>) {
      return is_integer ? integer != 0 : real != 0;
    } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      return T(is_integer ? static_cast<float>(integer) : static_cast<float>(real));
    } else {
      return is_integer ? static_cast<T>(integer) : static_cast<T>(real);
    }
  }
};

/// Iteration over strided operands of one shape. Operand 0 is the output. The builder
/// (core/iterate.h) has dropped dimensions of size 1, sorted dimensions so that the last one is the
/// innermost in memory, and merged what can be merged; ndim is 0 for one element.
struct ElementwiseArgs {
  static constexpr int kMaxOperands = 5;
  /// data[kNumbers] are the numbers (double, on the host) of an op that has some.
  static constexpr int kNumbers = kMaxOperands;
  int64_t numel = 0;
  int ndim = 0;
  int operands = 0;
  /// All operands are dense in the same order: strides[i][0] == 1 with ndim == 1 (or ndim == 0).
  bool contiguous = false;
  /// This operand is `immediate` and has no memory (data[i] == nullptr); -1: none.
  int immediate_operand = -1;
  Immediate immediate;
  int64_t sizes[kMaxRank] = {};
  int64_t strides[kMaxOperands][kMaxRank] = {};
  void* data[kMaxOperands + 1] = {};
};

}  // namespace wick
