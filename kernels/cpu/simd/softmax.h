#pragma once

#include <wick/kernels/cpu/isa.h>
#include <wick/kernels/softmax.h>

namespace wick::cpu {

/// Work is divided into units: rows if inner is 1, else runs of up to kColumns neighbours in
/// `inner`. Results do not depend on the division.
inline constexpr int64_t kColumns = 64;
constexpr int64_t softmax_units(int64_t outer, int64_t inner) {
  return inner == 1 ? outer : outer * ((inner + kColumns - 1) / kColumns);
}

WICK_ISA_KERNEL(void, softmax_part, const SoftmaxArgs& args, const void* x, void* y, int64_t begin,
                int64_t end)
WICK_ISA_KERNEL(void, softmax_backward_part, const SoftmaxArgs& args, const void* grad_y,
                const void* y, void* grad_x, int64_t begin, int64_t end)

/// Targets are valid here. `loss` is null for Mean and Sum.
struct NllForward {
  const void* x;
  const int64_t* target;
  const void* weight;
  double weight_sum;  // of all classes
  void* loss;
  void* log_sum_exp;
};
/// Adds the units' losses to sums[0] and the weights of their counted targets to sums[1].
WICK_ISA_KERNEL(void, nll_part, const NllArgs& args, const NllForward& io, int64_t begin,
                int64_t end, double* sums)

struct NllBackward {
  const void* x;
  const int64_t* target;
  const void* weight;
  double weight_sum;
  const void* grad_loss;  // null unless the reduction is None
  double scale;           // the gradient of each element's loss otherwise
  const void* log_sum_exp;
  void* grad_x;
};
WICK_ISA_KERNEL(void, nll_backward_part, const NllArgs& args, const NllBackward& io, int64_t begin,
                int64_t end)

}  // namespace wick::cpu
