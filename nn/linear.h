#pragma once

#include <wick/nn/holder.h>

namespace wick::nn {

struct WICK_API LinearOptions {
  LinearOptions(int64_t in_features, int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}
  WICK_ARG(int64_t, in_features);
  WICK_ARG(int64_t, out_features);
  WICK_ARG(bool, bias) = true;
};

/// y = x W^T + b; x: [..., in_features] -> [..., out_features]. weight: [out, in] and bias: [out]
/// start uniform in +-1 / sqrt(in_features).
class WICK_API LinearImpl : public Cloneable<LinearImpl> {
 public:
  LinearImpl(int64_t in_features, int64_t out_features)
      : LinearImpl(LinearOptions(in_features, out_features)) {}
  explicit LinearImpl(const LinearOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  LinearOptions options;
  Parameter weight;
  Parameter bias;
};
WICK_MODULE(Linear);

struct WICK_API FlattenOptions {
  WICK_ARG(int64_t, start_dim) = 1;
  WICK_ARG(int64_t, end_dim) = -1;
};

/// Merges dimensions start_dim to end_dim, by default all but the batch.
class WICK_API FlattenImpl : public Cloneable<FlattenImpl> {
 public:
  explicit FlattenImpl(const FlattenOptions& options = {}) : options(options) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  FlattenOptions options;
};
WICK_MODULE(Flatten);

}  // namespace wick::nn
