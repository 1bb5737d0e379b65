#include <wick/nn/batchnorm.h>

#include <wick/nn/init.h>
#include <cmath>
#include <ostream>

namespace wick::nn {
namespace detail {

BatchNormState::BatchNormState(const BatchNormOptions& o) : options(o) {
  WICK_CHECK(ValueError, o.num_features() > 0, "BatchNorm: expected num_features >= 1, got ",
             o.num_features());
  WICK_CHECK(ValueError, o.eps() >= 0 && std::isfinite(o.eps()),
             "BatchNorm: expected a finite eps >= 0, got ", o.eps());
  WICK_CHECK(ValueError, std::isfinite(o.momentum().value_or(0)),
             "BatchNorm: expected a finite momentum, got ", o.momentum().value_or(0));
  register_all();
}

void BatchNormState::register_all() {
  const int64_t c = options.num_features();
  weight = register_parameter("weight", options.affine() ? ones({c}) : Tensor());
  bias = register_parameter("bias", options.affine() ? zeros({c}) : Tensor());
  const bool track = options.track_running_stats();
  running_mean = register_buffer("running_mean", track ? zeros({c}) : Tensor());
  running_var = register_buffer("running_var", track ? ones({c}) : Tensor());
  num_batches_tracked =
      register_buffer("num_batches_tracked", track ? zeros({}, kInt64) : Tensor());
}

void BatchNormState::reset_running_stats() {
  if (!options.track_running_stats()) return;
  init::zeros_(running_mean);
  init::ones_(running_var);
  init::zeros_(num_batches_tracked);
}

void BatchNormState::reset_parameters() {
  reset_running_stats();
  if (!options.affine()) return;
  init::ones_(weight);
  init::zeros_(bias);
}

Tensor BatchNormState::normalize(const Tensor& x) {
  double momentum = options.momentum().value_or(0);
  const bool track = is_training() && num_batches_tracked.defined();
  if (track && !options.momentum())
    momentum = 1 / static_cast<double>(num_batches_tracked.item<int64_t>() + 1);
  Tensor y = batch_norm(x, weight, bias, running_mean, running_var,
                        is_training() || !running_mean.defined(), momentum, options.eps());
  if (track) num_batches_tracked.add_(1);
  return y;
}

void BatchNormState::print(std::ostream& stream, const char* type) const {
  stream << std::boolalpha << "wick::nn::" << type << "(" << options.num_features()
         << ", eps=" << options.eps() << ", momentum=";
  if (options.momentum()) {
    stream << *options.momentum();
  } else {
    stream << "None";
  }
  stream << ", affine=" << options.affine()
         << ", track_running_stats=" << options.track_running_stats() << ")";
}

}  // namespace detail

void BatchNorm1dImpl::pretty_print(std::ostream& stream) const { print(stream, "BatchNorm1d"); }

Tensor BatchNorm1dImpl::forward(const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() == 2 || x.dim() == 3,
             "BatchNorm1d: expected x of shape [N, C] or [N, C, L], got ", x.sizes());
  return normalize(x);
}

void BatchNorm2dImpl::pretty_print(std::ostream& stream) const { print(stream, "BatchNorm2d"); }

Tensor BatchNorm2dImpl::forward(const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() == 4, "BatchNorm2d: expected x of shape [N, C, H, W], got ",
             x.sizes());
  return normalize(x);
}

}  // namespace wick::nn
