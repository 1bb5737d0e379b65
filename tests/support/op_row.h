#pragma once

#include <wick/core/ops.h>
#include <map>
#include <string>
#include <vector>

// What a line of op_table/<family>.h becomes.
namespace wick::test {

/// What is true of an op beyond its values.
enum Traits : uint32_t {
  kNoGrad = 0,
  kOnce = 1,         // differentiable, once
  kTwice = 3,        // differentiable, and its gradient is too
  kBitwise = 4,      // any geometry of the inputs gives the same bits
  kPerElement = 12,  // and each element depends on its own operands alone
  kDense = 16,       // strides are part of the op's meaning: row-major inputs only
  kNoHalf = 32,      // not compared in float16 and bfloat16
  kExact = 64,       // moves or counts: equal to PyTorch's to the last bit
  kFirstOnly = 128,  // results after the first are state: no gradient
  // Common combinations.
  kElementwise = kTwice | kPerElement,
  kCompares = kNoGrad | kPerElement | kExact,
  kMoves = kTwice | kBitwise | kExact,
  kSmooth = kTwice,
  kMakes = kNoGrad | kBitwise | kNoHalf,
};

struct OpRow {
  const char* name;   // "sum/dim": the function, then which form of it
  const char* torch;  // PyTorch's expression of the inputs a, b, ...
  std::vector<Tensor> (*call)(const Tensor* inputs);  // kMaxInputs of them, the rest undefined
  const char* inputs;                                 // cases (sample_tensors.h), divided by |
  uint32_t traits;

  bool has(uint32_t trait) const { return (traits & trait) == trait; }
  std::vector<Tensor> operator()(std::vector<Tensor> inputs) const {
    inputs.resize(kMaxInputs);
    return call(inputs.data());
  }
  static constexpr size_t kMaxInputs = 6;
};

/// A call that must fail, with the type of error and a part of its text.
struct WrongUse {
  const char* name;
  bool (*is_type)(const Error& error);
  const char* text;
  void (*call)();
};

/// Where an op differs from PyTorch's.
struct OpNote {
  const char* name;
  const char* text;
};

/// The rows of one file. Its constructor adds it to op_families().
struct OpFamily {
  std::string name;
  ArrayRef<OpRow> rows;
  ArrayRef<WrongUse> wrong_uses;
  ArrayRef<OpNote> notes;

  OpFamily(std::string name, ArrayRef<OpRow> rows, ArrayRef<WrongUse> wrong_uses,
           ArrayRef<OpNote> notes);
};
/// By name.
const std::map<std::string, OpFamily>& op_families();

}  // namespace wick::test
