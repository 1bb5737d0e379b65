#pragma once

#include <wick/nn/expanding_array.h>
#include <wick/nn/holder.h>

namespace wick::nn {

struct WICK_API Conv2dOptions {
  Conv2dOptions(int64_t in_channels, int64_t out_channels, ExpandingArray<2> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  WICK_ARG(int64_t, in_channels);
  WICK_ARG(int64_t, out_channels);
  WICK_ARG(ExpandingArray<2>, kernel_size);
  WICK_ARG(ExpandingArray<2>, stride) = 1;
  WICK_ARG(ExpandingArray<2>, padding) = 0;
  WICK_ARG(ExpandingArray<2>, dilation) = 1;
  WICK_ARG(int64_t, groups) = 1;
  WICK_ARG(bool, bias) = true;
};

/// 2-d cross-correlation: x [N, C, H, W] or [C, H, W] -> [N, K, H', W'],
/// H' = (H + 2 padding - dilation (kernel - 1) - 1) / stride + 1. weight: [K, C / groups, R, S] and
/// bias: [K] start uniform in +-1 / sqrt(fan in).
class WICK_API Conv2dImpl : public Cloneable<Conv2dImpl> {
 public:
  Conv2dImpl(int64_t in_channels, int64_t out_channels, ExpandingArray<2> kernel_size)
      : Conv2dImpl(Conv2dOptions(in_channels, out_channels, kernel_size)) {}
  explicit Conv2dImpl(const Conv2dOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  Conv2dOptions options;
  Parameter weight;
  Parameter bias;
};
WICK_MODULE(Conv2d);

}  // namespace wick::nn
