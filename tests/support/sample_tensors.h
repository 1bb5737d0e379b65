#pragma once

#include <wick/core/ops.h>
#include <string>
#include <vector>

// Small tensors by a formula that make_reference.py has as well, so that both sides see the same
// bits and no input has to be stored. A case is a text with one word for each tensor:
//
//   f[2,3]     numbers in (-2, 2): all different, none near 0, and none equal to one of the next
//              tensor, so that nothing is on an edge. Exact in every floating type.
//   p[2,3]     the same in (0.5, 2.6)        u[2,3]   the same in (0, 1)
//   F P U      the same, but constants: nothing is differentiated by them
//   n5[2,3]    int64 in [0, 5)
//   b u8 i8 i16 i32 i64 f16 bf16 f32 f64     of that type, constants
//   f{1,nan}   these elements, of any of the types above; f{1,2,3,4}[2,2] with a shape
//   -          an undefined tensor (None)
//
// f, p and u have the floating type in which the case is run.
namespace wick::test {

/// One word of a case.
struct SampleSpec {
  char kind = 'f';        // 'f', 'p', 'u', 'n' (index), 't' (a fixed type), '-'
  bool constant = false;  // not differentiated by
  bool literal = false;   // has elements of its own
  DType dtype = kFloat64;
  int64_t limit = 0;  // of kind 'n'
  std::vector<int64_t> sizes;
  std::vector<std::string> elements;

  /// Whether the type is that in which the case is run.
  bool has_run_type() const { return kind == 'f' || kind == 'p' || kind == 'u'; }
  int64_t numel() const;
};

/// The words of a case: "f[2,3] n3[2]".
std::vector<SampleSpec> parse_case(const std::string& text);
/// "a | b | c" without the blanks around them.
std::vector<std::string> split_cases(const std::string& text);
/// The tensor of a word that stands at position `index` of its case.
Tensor make_sample(const SampleSpec& spec, size_t index, DType run_type);
/// All tensors of a case.
std::vector<Tensor> make_samples(const std::vector<SampleSpec>& specs, DType run_type);
/// "f[...]" at position `index`: what backward is seeded with.
Tensor sample_like(const Tensor& x, size_t index);
/// Where a sequence of gradients' samples starts.
inline constexpr size_t kGradSample = 50;

/// Type, shape and bits are the same (a NaN equals any other NaN).
bool same_bits(const Tensor& a, const Tensor& b);
/// Largest |a - b| / (1 + |b|) with equal infinities and NaNs counted as 0; infinite if only one is
/// finite or the shapes differ.
double distance(const Tensor& a, const Tensor& b);
/// The relative precision of a type: 2^-52, 2^-23, 2^-10, 2^-7, and 0 for integers.
double precision(DType dtype);

}  // namespace wick::test
