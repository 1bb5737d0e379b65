#pragma once

#include <wick/core/ops.h>
#include <string>
#include <vector>

// Results of PyTorch that make_reference.py stored in reference_values/.
namespace wick::test {

/// A line of those files: {"row | case", "results => gradients"}.
struct StoredReference {
  const char* key;
  const char* value;
};
/// A file of them adds itself at the start of the program.
struct StoredReferences {
  explicit StoredReferences(ArrayRef<StoredReference> lines);
};

struct ReferenceTensor {
  bool defined = true;
  DType dtype = kFloat64;    // when the case is run in float64
  DType dtype32 = kFloat32;  // when the case is run in float32
  std::vector<int64_t> sizes;
  std::vector<double> reals;
  std::vector<int64_t> integers;  // instead, for integers and bool

  /// The type in a run of floating type `run`.
  DType dtype_in(DType run) const;
  /// As a tensor of float64, or of int64.
  Tensor values() const;
};

struct Reference {
  std::vector<ReferenceTensor> outputs;
  std::vector<ReferenceTensor> grads;  // if stored: one for each input, undefined for constants
};

/// What is stored for a case of a row; null if there is nothing.
const Reference* find_reference(const std::string& row, const std::string& case_text);
/// Number of stored cases.
size_t reference_count();
/// All stored cases as "row | case", to find stale ones.
std::vector<std::string> reference_keys();

}  // namespace wick::test
