#pragma once

#include <gtest/gtest.h>
#include <wick/core/ops.h>
#include <functional>
#include <vector>

// Recorded gradients against central differences, in float64.
namespace wick::test {

using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// The gradients of sum_i <outputs_i, seed_i> with respect to the inputs that require one; zeros
/// where nothing flowed, undefined for the other inputs. Floating outputs alone count.
std::vector<Tensor> gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              bool create_graph = false);
/// A copy of each tensor, of which those marked require a gradient.
std::vector<Tensor> fresh_leaves(const std::vector<Tensor>& inputs,
                                 const std::vector<bool>& wanted);

/// Compares the gradients of f with central differences of step 1e-6: each must be within
/// `tolerance` (1 + |difference|).
testing::AssertionResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                   const std::vector<bool>& wanted, double tolerance = 2e-7);
/// The same for f's gradients as functions of the inputs and of the seeds.
testing::AssertionResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                       const std::vector<bool>& wanted, double tolerance = 1e-6);

}  // namespace wick::test
