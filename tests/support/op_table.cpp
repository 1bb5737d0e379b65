#include <tests/support/op_row.h>
#include <wick/core/autograd.h>
#include <limits>
#include <tuple>

namespace wick::test {
namespace {

// --- what rows return

std::vector<Tensor> outputs(const Tensor& y) { return {y}; }
std::vector<Tensor> outputs(const std::tuple<Tensor, Tensor>& y) {
  return {std::get<0>(y), std::get<1>(y)};
}
std::vector<Tensor> outputs(std::vector<Tensor> y) { return y; }
std::vector<Tensor> outputs(bool y) { return {tensor(y)}; }

// --- helpers of rows; make_reference.py has those that PyTorch needs as well

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr Reduction kNone = Reduction::None;
constexpr Reduction kSum = Reduction::Sum;
constexpr Reduction kMean = Reduction::Mean;

/// The result and the running statistics after it.
std::vector<Tensor> batch_norm_and_stats(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                         const Tensor& mean, const Tensor& var, bool training,
                                         double momentum, double eps) {
  const Tensor m = mean.detach().clone(), v = var.detach().clone();
  Tensor y = batch_norm(x, weight, bias, m, v, training, momentum, eps);
  return {y, m, v};
}

/// x with `value` written over part of it.
Tensor assign_row(const Tensor& x, const Tensor& value) {
  Tensor y = x.clone();
  y[1] = value;
  return y;
}
Tensor fill_column(const Tensor& x, Scalar value) {
  Tensor y = x.clone();
  y.select(1, 0).fill_(value);
  return y;
}
Tensor scale_slice(const Tensor& x, const Tensor& by) {
  Tensor y = x.clone();
  y.slice(0, 0, std::nullopt, 2).mul_(by);
  return y;
}

/// Adds to elements what is read from others of the same memory.
Tensor add_shifted(const Tensor& x) {
  Tensor y = x.clone();
  y.slice(0, 1).add_(y.slice(0, 0, -1));
  return y;
}
Tensor add_transposed(const Tensor& x) {
  Tensor y = x.clone();
  return y.add_(y.t());
}

/// Six numbers that outlive the tensors made of them.
void* six() {
  static float numbers[] = {0, 1, 2, 3, 4, 5};
  return numbers;
}

// For wrong uses.
Tensor i64(IntArrayRef sizes) { return ones(sizes, kInt64); }

}  // namespace

ArrayRef<OpRow> op_rows() {
#define NAMES                                                                               \
  [[maybe_unused]] const Tensor &a = in[0], &b = in[1], &c = in[2], &d = in[3], &e = in[4], \
                                &g = in[5];
#define OP(name, torch, wick_expression, inputs, traits)                                           \
  {name, torch,                                                                                    \
   [](const Tensor* in) -> std::vector<Tensor> { NAMES return outputs(wick_expression); }, inputs, \
   traits},
#define WRONG(name, Type, text, ...)
  static const OpRow rows[] = {
#include <tests/support/op_table.h>
  };
#undef OP
#undef WRONG
  return {rows, std::size(rows)};
}

ArrayRef<WrongUse> wrong_uses() {
#define OP(name, torch, wick_expression, inputs, traits)
#define WRONG(name, Type, text, ...)                                                            \
  {name, [](const Error& error) { return dynamic_cast<const Type*>(&error) != nullptr; }, text, \
   [] { (void)(__VA_ARGS__); }},
  static const WrongUse uses[] = {
#include <tests/support/op_table.h>
  };
#undef OP
#undef WRONG
  return {uses, std::size(uses)};
}

}  // namespace wick::test
