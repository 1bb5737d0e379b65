#pragma once

#include <wick/core/recompute.h>

// Recorded gradients against finite differences, for ops and functions of the user's own.
namespace wick::autograd {

struct GradcheckOptions {
  double eps = 1e-6;                ///< step of the differences
  double atol = 1e-5, rtol = 1e-3;  ///< |recorded - difference| <= atol + rtol |difference|
  bool raise_exception = true;      ///< else a wrong gradient gives false
};

/// Whether the gradient of every floating-point element of f's results with respect to every
/// element of the inputs that require a gradient is the central difference, and the same bits when
/// computed again. Those inputs must be float64 leaves without repeated elements. As
/// torch.autograd.gradcheck: throws AutogradError that names the first element that differs.
WICK_API bool gradcheck(const MultiFunction& f, const variable_list& inputs,
                        const GradcheckOptions& options = {});
/// The same for f's gradients as functions of the inputs and of the gradients that arrive at its
/// results (`grad_outputs`, random if empty): checks second gradients.
WICK_API bool gradgradcheck(const MultiFunction& f, const variable_list& inputs,
                            const variable_list& grad_outputs = {},
                            const GradcheckOptions& options = {});

}  // namespace wick::autograd
