#pragma once

#include <wick/core/ops.h>

// The differentiable value type that the formulas of kernels/pointwise.h are instantiated with when
// backward itself must be differentiable. Internal.
namespace wick::detail {

/// A tensor or a number; arithmetic on numbers alone stays on the host.
class Value {
 public:
  Value(Tensor t) : tensor_(std::move(t)) {}  // NOLINT
  explicit Value(double v) : number_(v), is_number_(true) {}
  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
  double number_ = 0;
  bool is_number_ = false;
};

/// A condition: a bool tensor, or a known answer.
class Condition {
 public:
  Condition(Tensor t) : tensor_(std::move(t)) {}  // NOLINT
  explicit Condition(bool v) : known_(true), answer_(v) {}
  bool known() const { return known_; }
  bool answer() const { return answer_; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
  bool known_ = false;
  bool answer_ = false;
};

#define WICK_VALUE_OPERATOR(op)                                                 \
  inline Value operator op(const Value& a, const Value& b) {                    \
    if (a.is_number() && b.is_number()) return Value(a.number() op b.number()); \
    if (a.is_number()) return Scalar(a.number()) op b.tensor();                 \
    if (b.is_number()) return a.tensor() op Scalar(b.number());                 \
    return a.tensor() op b.tensor();                                            \
  }
WICK_VALUE_OPERATOR(+)
WICK_VALUE_OPERATOR(-)
WICK_VALUE_OPERATOR(*)
WICK_VALUE_OPERATOR(/)
#undef WICK_VALUE_OPERATOR

#define WICK_VALUE_COMPARE(op)                                                      \
  inline Condition operator op(const Value& a, const Value& b) {                    \
    if (a.is_number() && b.is_number()) return Condition(a.number() op b.number()); \
    if (a.is_number()) return Scalar(a.number()) op b.tensor();                     \
    if (b.is_number()) return a.tensor() op Scalar(b.number());                     \
    return a.tensor() op b.tensor();                                                \
  }
WICK_VALUE_COMPARE(<)
WICK_VALUE_COMPARE(<=)
WICK_VALUE_COMPARE(>)
WICK_VALUE_COMPARE(>=)
WICK_VALUE_COMPARE(==)
#undef WICK_VALUE_COMPARE

inline Value operator-(const Value& x) {
  return x.is_number() ? Value(-x.number()) : Value(neg(x.tensor()));
}
Value where(const Condition& c, const Value& a, const Value& b);
#define WICK_VALUE_FUNCTIONS(_)      \
  _(exp, std::exp(v))                \
  _(log, std::log(v))                \
  _(tanh, std::tanh(v))              \
  _(erf, std::erf(v))                \
  _(sigmoid, 1 / (1 + std::exp(-v))) \
  _(sqrt, std::sqrt(v))              \
  _(sin, std::sin(v))                \
  _(cos, std::cos(v))                \
  _(sinh, std::sinh(v))              \
  _(cosh, std::cosh(v))
#define WICK_DECLARE(name, of_number) Value name(const Value& x);
WICK_VALUE_FUNCTIONS(WICK_DECLARE)
#undef WICK_DECLARE
Value rint(const Value& x);
Value pow(const Value& a, const Value& b);

}  // namespace wick::detail
