#pragma once

#include <wick/nn/holder.h>
#include <optional>

namespace wick::nn {

struct WICK_API BatchNormOptions {
  BatchNormOptions(int64_t num_features) : num_features_(num_features) {}  // NOLINT: as LibTorch
  WICK_ARG(int64_t, num_features);
  WICK_ARG(double, eps) = 1e-5;
  /// The weight of the newest batch in the running statistics; nullopt: the plain average.
  WICK_ARG(std::optional<double>, momentum) = 0.1;
  WICK_ARG(bool, affine) = true;
  WICK_ARG(bool, track_running_stats) = true;
};

namespace detail {
/// What the batch norms of all dimensions share.
class WICK_API BatchNormState : public Module {
 public:
  explicit BatchNormState(const BatchNormOptions& options);
  void reset_running_stats();
  void reset_parameters();

  BatchNormOptions options;
  Parameter weight;
  Parameter bias;
  Buffer running_mean;
  Buffer running_var;
  Buffer num_batches_tracked;

 protected:
  void register_all();
  Tensor normalize(const Tensor& x);
  void print(std::ostream& stream, const char* type) const;
};
}  // namespace detail

/// Batch normalisation (https://arxiv.org/abs/1502.03167) of x: [N, C] or [N, C, L]. In training by
/// the batch's statistics, else by the running ones. weight (1) and bias (0): [C]; buffers
/// running_mean (0), running_var (1): [C], num_batches_tracked: int64.
class WICK_API BatchNorm1dImpl : public Cloneable<BatchNorm1dImpl, detail::BatchNormState> {
 public:
  explicit BatchNorm1dImpl(const BatchNormOptions& options) : Cloneable(options) {}
  void reset() override { register_all(); }
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);
};
WICK_MODULE(BatchNorm1d);

/// The same for x: [N, C, H, W].
class WICK_API BatchNorm2dImpl : public Cloneable<BatchNorm2dImpl, detail::BatchNormState> {
 public:
  explicit BatchNorm2dImpl(const BatchNormOptions& options) : Cloneable(options) {}
  void reset() override { register_all(); }
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);
};
WICK_MODULE(BatchNorm2d);

}  // namespace wick::nn
