#pragma once

#include <wick/core/autograd.h>

// Activation checkpoints (https://arxiv.org/abs/1604.06174): memory for time.
namespace wick::autograd {

using MultiFunction = std::function<variable_list(const variable_list&)>;

/// f(inputs), of which nothing is kept for backward but the inputs: backward runs f again, with the
/// random numbers that it drew the first time unless `preserve_rng_state` is false, and goes
/// through what it records. Tensors that f reads besides its inputs (a module's parameters) get
/// their gradients too. f must do the same both times; state that it changes (running statistics)
/// is changed twice. If none of the inputs requires a gradient, f is recorded as it is. As
/// torch.utils.checkpoint (re-entrant form): throws AutogradError in autograd::grad and in a
/// backward with `inputs`, NotImplementedError with create_graph.
WICK_API variable_list checkpoint(const MultiFunction& f, const variable_list& inputs,
                                  bool preserve_rng_state = true);
WICK_API Tensor checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& input,
                           bool preserve_rng_state = true);

}  // namespace wick::autograd
