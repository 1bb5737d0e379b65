#pragma once

#include <wick/nn/expanding_array.h>
#include <wick/nn/holder.h>
#include <optional>
#include <tuple>

namespace wick::nn {

struct WICK_API MaxPool2dOptions {
  MaxPool2dOptions(ExpandingArray<2> kernel_size)  // NOLINT: implicit, as in LibTorch
      : kernel_size_(kernel_size), stride_(kernel_size) {}
  WICK_ARG(ExpandingArray<2>, kernel_size);
  WICK_ARG(ExpandingArray<2>, stride);  // the kernel size
  WICK_ARG(ExpandingArray<2>, padding) = 0;
  WICK_ARG(ExpandingArray<2>, dilation) = 1;
  WICK_ARG(bool, ceil_mode) = false;
};

/// The maximum of each window: x [N, C, H, W] or [C, H, W].
class WICK_API MaxPool2dImpl : public Cloneable<MaxPool2dImpl> {
 public:
  MaxPool2dImpl(ExpandingArray<2> kernel_size) : options(kernel_size) {}  // NOLINT
  explicit MaxPool2dImpl(const MaxPool2dOptions& options) : options(options) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);
  /// Also the position of each maximum in its H x W plane.
  std::tuple<Tensor, Tensor> forward_with_indices(const Tensor& x);

  MaxPool2dOptions options;
};
WICK_MODULE(MaxPool2d);

struct WICK_API AvgPool2dOptions {
  AvgPool2dOptions(ExpandingArray<2> kernel_size)  // NOLINT
      : kernel_size_(kernel_size), stride_(kernel_size) {}
  WICK_ARG(ExpandingArray<2>, kernel_size);
  WICK_ARG(ExpandingArray<2>, stride);  // the kernel size
  WICK_ARG(ExpandingArray<2>, padding) = 0;
  WICK_ARG(bool, ceil_mode) = false;
  WICK_ARG(bool, count_include_pad) = true;
  WICK_ARG(std::optional<int64_t>, divisor_override) = std::nullopt;
};

/// The mean of each window: x [N, C, H, W] or [C, H, W].
class WICK_API AvgPool2dImpl : public Cloneable<AvgPool2dImpl> {
 public:
  AvgPool2dImpl(ExpandingArray<2> kernel_size) : options(kernel_size) {}  // NOLINT
  explicit AvgPool2dImpl(const AvgPool2dOptions& options) : options(options) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  AvgPool2dOptions options;
};
WICK_MODULE(AvgPool2d);

}  // namespace wick::nn
