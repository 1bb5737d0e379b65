#pragma once

#include <cstdint>

namespace wick {

/// The ops whose kernels look at values that a user gave, for error texts.
enum class FaultOp : uint8_t {
  IndexSelect,
  IndexAdd,
  Embedding,
  AsStrided,
  NllLoss,
  CrossEntropy,
  Index,
  IndexPut,
  IndexCopy,
  IndexFill,
  Gather,
  Scatter,
  ScatterAdd,
  Take,
  OneHot,
};

/// A value outside [0, limit) at a position of an index or a target.
struct Fault {
  FaultOp op = FaultOp::IndexSelect;
  int64_t position = 0, value = 0, limit = 0;
  int64_t ignored = 0;  // what is allowed beside; losses only
};

/// The IndexError of a fault, in the same words wherever it was found.
[[noreturn]] void throw_fault(const Fault& fault);

}  // namespace wick
