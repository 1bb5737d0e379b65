#pragma once

#include <tests/support/gradcheck.h>
#include <tests/support/op_row.h>
#include <tests/support/sample_tensors.h>
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

// The cases of the op table's rows, for the tests that run over them.
namespace wick::test {

/// A case of a row with its inputs described.
struct Case {
  const OpRow& row;
  std::string text;
  std::vector<SampleSpec> specs;

  bool any(const std::function<bool(const SampleSpec&)>& is) const {
    return std::any_of(specs.begin(), specs.end(), is);
  }
  /// Inputs of drawn numbers in the run's type: no edges, so any floating type will do.
  bool is_drawn() const {
    return any([](const SampleSpec& s) { return s.has_run_type(); }) &&
           !any([](const SampleSpec& s) { return s.literal && s.has_run_type(); });
  }
  bool has_run_type() const {
    return any([](const SampleSpec& s) { return s.has_run_type(); });
  }
  std::vector<bool> wanted() const {
    std::vector<bool> wanted;
    for (const SampleSpec& s : specs) wanted.push_back(s.has_run_type() && !s.constant);
    return wanted;
  }
  bool differentiable() const {
    return row.has(kOnce) &&
           any([](const SampleSpec& s) { return s.has_run_type() && !s.constant; });
  }
  TensorFunction function() const {
    return [this](const std::vector<Tensor>& in) {
      std::vector<Tensor> results = row(in);
      if (row.has(kFirstOnly)) results.resize(1);
      return results;
    };
  }
};

/// Calls `visit` with each case of each row; an exception is a failure of its case.
void for_each_case(const OpFamily& family, const std::function<void(const Case&)>& visit);

/// Tests over one family of the table, so that each is a ctest entry of its own.
class OpTable : public testing::TestWithParam<const char*> {
 protected:
  const OpFamily& family() const { return op_families().at(GetParam()); }
  void for_each_case(const std::function<void(const Case&)>& visit) const {
    test::for_each_case(family(), visit);
  }
};

/// How far a result of this type may be from the exact one, relative to 1 + its size. Reductions
/// and products round once an element, functions in float64 differ by a few units between
/// libraries.
double tolerance_of(const OpRow& row, DType dtype);

}  // namespace wick::test
