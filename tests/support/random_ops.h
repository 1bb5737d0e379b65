#pragma once

#include <tests/support/plain.h>
#include <wick/core/ops.h>
#include <random>
#include <string>
#include <vector>

// Ops for random programs (tests/core/random_programs_test.cpp): how to draw a call, how wick
// computes it and how it is computed plainly.
namespace wick::test {

/// Draws from a fixed recipe, so that a seed gives one program everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// In [0, n).
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int64_t one_in) { return below(one_in) == 0; }
  double real(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }

 private:
  std::mt19937_64 engine_;
};

/// What a program knows of a value.
struct Value {
  Tensor tensor;
  Plain plain;
  bool of_leaf =
      false;  // shares elements with an input: no in-place changes where that is recorded
  DType dtype() const { return tensor.dtype(); }
  const Ints& sizes() const { return plain.sizes; }
};

struct RandomOp;

/// A call: the op, the numbers of its arguments, and what else was drawn.
struct Step {
  const RandomOp* op = nullptr;
  std::vector<size_t> in;
  Ints n;        // dimensions, sizes, indices
  double x = 0;  // a number
};

/// The type of the result.
enum class Typed : uint8_t { Promoted, Floating, Bool, Int64, Summed, First };
/// What the rounding errors of a result are proportional to, besides the result.
enum class Errors : uint8_t { Pointwise, Sum, Product };

struct RandomOp {
  std::string name;
  size_t arguments;
  /// Whether the op can take these values; if so, draws what else it needs.
  bool (*draw)(Random& random, const std::vector<const Value*>& in, Step& step);
  Tensor (*run)(const std::vector<Tensor>& in, const Step& step);
  /// A view shares the elements of its argument; an in-place op changes and returns the first.
  Plain (*plain)(const std::vector<Plain>& in, const Step& step);
  Typed typed = Typed::Promoted;
  Errors errors = Errors::Pointwise;
  bool in_place = false;
};

const std::vector<RandomOp>& random_ops();

/// PyTorch's rules (https://pytorch.org/docs/stable/tensor_attributes.html), written down again.
DType plain_promotion(const std::vector<const Value*>& values);
DType plain_result_type(const RandomOp& op, const std::vector<const Value*>& in);

}  // namespace wick::test
