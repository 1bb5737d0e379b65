#pragma once

#include <tests/support/op_row.h>
#include <wick/core/autograd.h>
#include <algorithm>
#include <limits>
#include <tuple>

// Makes the family whose rows are in WICK_ROWS, for the .cpp beside it. A file of rows looks so:
//
//   OP(name, PyTorch's expression, wick's expression, cases, traits)
//
// name: the function, after a slash which form of it. Both expressions see the inputs as a, b, c,
// d, e, g; cases (divided by |) say what these are: see sample_tensors.h. traits: see op_row.h.
// After a change run tests/support/make_reference.py, which reads these files and stores PyTorch's
// results. Cases of drawn numbers (f, p, u) are also run in float32, float16 and bfloat16 and
// checked against central differences; for those with elements of their own, PyTorch's gradients
// are stored.
//
//   WRONG(name, type of the error, part of its text, expression)
//   NOTE(name, where the op differs from PyTorch's: a remark in docs/ops.md)
//
// It is included in the middle of lists: no include guard, nothing but these macros and #defined
// strings. A row is a line.
namespace wick::test {
namespace rows {

// --- what rows return

inline std::vector<Tensor> outputs(const Tensor& y) { return {y}; }
inline std::vector<Tensor> outputs(const std::tuple<Tensor, Tensor>& y) {
  return {std::get<0>(y), std::get<1>(y)};
}
inline std::vector<Tensor> outputs(const std::tuple<Tensor, Tensor, Tensor>& y) {
  return {std::get<0>(y), std::get<1>(y), std::get<2>(y)};
}
inline std::vector<Tensor> outputs(std::vector<Tensor> y) { return y; }
inline std::vector<Tensor> outputs(bool y) { return {tensor(y)}; }

// --- helpers of rows; make_reference.py has those that PyTorch needs as well

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double inf = std::numeric_limits<double>::infinity();
using indexing::None;
using indexing::Slice;
inline constexpr Reduction kNone = Reduction::None;
inline constexpr Reduction kSum = Reduction::Sum;
inline constexpr Reduction kMean = Reduction::Mean;

/// The result and the running statistics after it.
inline std::vector<Tensor> batch_norm_and_stats(const Tensor& x, const Tensor& weight,
                                                const Tensor& bias, const Tensor& mean,
                                                const Tensor& var, bool training, double momentum,
                                                double eps) {
  const Tensor m = mean.detach().clone(), v = var.detach().clone();
  Tensor y = batch_norm(x, weight, bias, m, v, training, momentum, eps);
  return {y, m, v};
}

inline std::vector<Tensor> instance_norm_and_stats(const Tensor& x, const Tensor& weight,
                                                   const Tensor& bias, const Tensor& mean,
                                                   const Tensor& var, bool use_input_stats) {
  const Tensor m = mean.detach().clone(), v = var.detach().clone();
  Tensor y = instance_norm(x, weight, bias, m, v, use_input_stats);
  return {y, m, v};
}

/// x with `value` written over part of it.
inline Tensor assign_row(const Tensor& x, const Tensor& value) {
  Tensor y = x.clone();
  y[1] = value;
  return y;
}
inline Tensor fill_column(const Tensor& x, Scalar value) {
  Tensor y = x.clone();
  y.select(1, 0).fill_(value);
  return y;
}
inline Tensor scale_slice(const Tensor& x, const Tensor& by) {
  Tensor y = x.clone();
  y.slice(0, 0, std::nullopt, 2).mul_(by);
  return y;
}

/// Adds to elements what is read from others of the same memory.
inline Tensor add_shifted(const Tensor& x) {
  Tensor y = x.clone();
  y.slice(0, 1).add_(y.slice(0, 0, -1));
  return y;
}
inline Tensor add_transposed(const Tensor& x) {
  Tensor y = x.clone();
  return y.add_(y.t());
}

/// Writes at indices into memory that is not in the order of the result.
inline Tensor put_apart(const Tensor& x, const Tensor& index, const Tensor& values) {
  Tensor y = x.clone();
  return y.index_put_({index, indexing::Slice(), index}, values);
}
inline Tensor put_view(const Tensor& x, const Tensor& values) {
  Tensor y = x.clone();
  return y.index_put_({"...", indexing::Slice(0, 3)}, values);
}
inline Tensor put_transposed(const Tensor& x, const Tensor& index, const Tensor& values) {
  Tensor y = x.clone();
  y.t().index_put_({index}, values);
  return y;
}
inline Tensor scatter_transposed(const Tensor& x, const Tensor& index, const Tensor& source) {
  Tensor y = zeros({x.size(1), x.size(0)}, x.options()).copy_(x.t());
  y.t().scatter_(0, index, source);
  return y;
}

/// x, written element by element.
inline Tensor fill_by_accessor(const Tensor& x) {
  const Tensor from = x.to(kCPU, kFloat64),
               y = zeros(x.sizes(), TensorOptions(kCPU).dtype(kFloat64));
  const auto read = from.accessor<const double, 2>();
  const auto write = y.accessor<double, 2>();
  for (int64_t i = 0; i < y.size(0); ++i)
    for (int64_t j = 0; j < y.size(1); ++j) write[i][j] = read[i][j];
  return y.to(x.device(), x.dtype());
}
/// x, flattened, with the first again behind the last.
inline Tensor grown(const Tensor& x) {
  const int64_t n = x.numel();
  Tensor y = x.detach().clone();
  y.resize_({n + (n > 0)});
  if (n > 0) y[n].copy_(y[0]);
  return y;
}

/// The numbers of a vector that stands for a set, in order.
inline Tensor order_of(const Tensor& x) {
  std::vector<int64_t> v = x.to_vector<int64_t>();
  std::sort(v.begin(), v.end());
  return tensor(v).to(x.device());
}

/// Six numbers that outlive the tensors made of them.
inline void* six() {
  static float numbers[] = {0, 1, 2, 3, 4, 5};
  return numbers;
}

// For wrong uses.
inline Tensor i64(IntArrayRef sizes) { return ones(sizes, kInt64); }

}  // namespace rows

namespace {
using namespace rows;  // NOLINT

#define NAMES                                                                               \
  [[maybe_unused]] const Tensor &a = in[0], &b = in[1], &c = in[2], &d = in[3], &e = in[4], \
                                &g = in[5];
#define OP(name, torch, wick_expression, inputs, traits)                                           \
  {name, torch,                                                                                    \
   [](const Tensor* in) -> std::vector<Tensor> { NAMES return outputs(wick_expression); }, inputs, \
   traits},
#define WRONG(name, Type, text, ...)
#define NOTE(name, text)
const OpRow kRows[] = {
#include WICK_ROWS
};
#undef OP
#undef WRONG
#undef NOTE
#define OP(name, torch, wick_expression, inputs, traits)
#define NOTE(name, text)
#define WRONG(name, Type, text, ...)                                                            \
  {name, [](const Error& error) { return dynamic_cast<const Type*>(&error) != nullptr; }, text, \
   [] { (void)(__VA_ARGS__); }},
const WrongUse kWrongUses[] = {
#include WICK_ROWS
};
#undef WRONG
#undef NOTE
#define WRONG(name, Type, text, ...)
#define NOTE(name, text) {name, text},
const OpNote kNotes[] = {
#include WICK_ROWS
    {nullptr, nullptr}};
#undef OP
#undef WRONG
#undef NOTE

const OpFamily kFamily(WICK_ROWS_NAME, {kRows, std::size(kRows)},
                       {kWrongUses, std::size(kWrongUses)}, {kNotes, std::size(kNotes) - 1});

}  // namespace
}  // namespace wick::test
