#pragma once

#include <wick/nn/holder.h>
#include <wick/optim/optimizer.h>

namespace wick::optim {

class WICK_API SGDOptions : public OptimizerOptions {
 public:
  SGDOptions(double lr) : lr_(lr) {}  // NOLINT: implicit, as in LibTorch
  std::unique_ptr<OptimizerOptions> clone() const override;
  double get_lr() const override { return lr_; }
  void set_lr(double lr) override { lr_ = lr; }
  std::vector<std::pair<std::string, double*>> numbers() override;
  std::vector<std::pair<std::string, bool*>> switches() override;
  void check() const override;
  bool operator==(const SGDOptions& o) const;

  WICK_ARG(double, lr);
  WICK_ARG(double, momentum) = 0;
  WICK_ARG(double, dampening) = 0;
  WICK_ARG(double, weight_decay) = 0;
  WICK_ARG(bool, nesterov) = false;
};

/// Stochastic gradient descent with momentum, as PyTorch's
/// (https://pytorch.org/docs/stable/generated/torch.optim.SGD.html).
class WICK_API SGD : public Optimizer {
 public:
  SGD(std::vector<OptimizerParamGroup> groups, const SGDOptions& defaults);
  SGD(std::vector<Tensor> params, const SGDOptions& defaults);
  Tensor step(const LossClosure& closure = nullptr) override;

 protected:
  const std::vector<std::string>& buffer_names() const override;

 private:
  void step_group(size_t g);
};

}  // namespace wick::optim
