#pragma once

#include <wick/nn/holder.h>

namespace wick::nn {

struct WICK_API DropoutOptions {
  DropoutOptions(double p = 0.5) : p_(p) {}  // NOLINT
  WICK_ARG(double, p);
  WICK_ARG(bool, inplace) = false;
};

/// In training zeroes each element with probability p and scales the rest by 1 / (1 - p)
/// (https://jmlr.org/papers/v15/srivastava14a.html).
class WICK_API DropoutImpl : public Cloneable<DropoutImpl> {
 public:
  explicit DropoutImpl(const DropoutOptions& options = {});
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor x);

  DropoutOptions options;
};
WICK_MODULE(Dropout);

}  // namespace wick::nn
