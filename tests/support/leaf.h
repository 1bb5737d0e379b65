#pragma once

#include <wick/core/autograd.h>
#include <wick/core/ops.h>

#include <initializer_list>
#include <vector>

namespace wick::test {

using Values = std::vector<double>;

/// A float64 tensor of one dimension that requires a gradient.
inline Tensor leaf(std::initializer_list<double> values) {
  return tensor(Values(values), kFloat64).requires_grad_();
}

/// The accumulated gradient; empty if there is none.
inline Values grad_of(const Tensor& x) {
  return x.grad().defined() ? x.grad().to_vector<double>() : Values();
}

}  // namespace wick::test
