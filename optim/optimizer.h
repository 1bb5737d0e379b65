#pragma once

#include <wick/core/ordered_dict.h>
#include <wick/core/tensor.h>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace wick::optim {

/// Settings of a parameter group; each optimizer derives its own.
class WICK_API OptimizerOptions {
 public:
  virtual ~OptimizerOptions();
  virtual std::unique_ptr<OptimizerOptions> clone() const = 0;
  virtual double get_lr() const = 0;
  virtual void set_lr(double lr) = 0;
  /// Every setting that state_dict() keeps, as name and place: the numbers and the switches.
  virtual std::vector<std::pair<std::string, double*>> numbers() = 0;
  virtual std::vector<std::pair<std::string, bool*>> switches() { return {}; }
  /// Throws ValueError for settings out of range.
  virtual void check() const = 0;
};

/// Parameters with settings of their own: {{params, options}, ...}. Without options they have the
/// optimizer's defaults.
class WICK_API OptimizerParamGroup {
 public:
  OptimizerParamGroup(std::vector<Tensor> params)  // NOLINT: implicit, as in LibTorch
      : params_(std::move(params)) {}
  OptimizerParamGroup(std::vector<Tensor> params, std::unique_ptr<OptimizerOptions> options)
      : params_(std::move(params)), options_(std::move(options)) {}
  OptimizerParamGroup(const OptimizerParamGroup& o)
      : params_(o.params_), options_(o.options_ ? o.options_->clone() : nullptr) {}
  OptimizerParamGroup(OptimizerParamGroup&&) noexcept = default;
  OptimizerParamGroup& operator=(const OptimizerParamGroup&) = delete;
  OptimizerParamGroup& operator=(OptimizerParamGroup&&) noexcept = default;
  ~OptimizerParamGroup() = default;

  bool has_options() const noexcept { return static_cast<bool>(options_); }
  /// Throws ValueError if the group has none.
  OptimizerOptions& options() const;
  void set_options(std::unique_ptr<OptimizerOptions> options) { options_ = std::move(options); }
  std::vector<Tensor>& params() { return params_; }
  const std::vector<Tensor>& params() const { return params_; }

 private:
  std::vector<Tensor> params_;
  std::unique_ptr<OptimizerOptions> options_;
};

/// Base of optimizers. They hold the parameters themselves: a model may move between devices or
/// have a parameter assigned anew, and training goes on with the state that was there.
class WICK_API Optimizer {
 public:
  using LossClosure = std::function<Tensor()>;
  explicit Optimizer(std::unique_ptr<OptimizerOptions> defaults);
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// Updates every parameter that has a gradient. `closure` computes the loss anew; its result is
  /// returned.
  virtual Tensor step(const LossClosure& closure = nullptr) = 0;
  void zero_grad(bool set_to_none = true);
  /// Throws ValueError for an empty list, undefined tensors and duplicates, and AutogradError for
  /// tensors that are not leaves.
  void add_param_group(OptimizerParamGroup group);
  std::vector<OptimizerParamGroup>& param_groups() noexcept { return groups_; }
  const std::vector<OptimizerParamGroup>& param_groups() const noexcept { return groups_; }
  std::vector<Tensor> parameters() const;
  /// Number of parameters in all groups.
  size_t size() const noexcept;
  const OptimizerOptions& defaults() const noexcept { return *defaults_; }

  /// Settings ("group.0.lr", float64; switches bool) and state ("0.momentum_buffer"), sharing
  /// elements.
  OrderedDict<std::string, Tensor> state_dict() const;
  /// All or nothing; throws ValueError with every key that does not fit.
  void load_state_dict(const OrderedDict<std::string, Tensor>& state);

 protected:
  /// The buffers of one parameter by their names, undefined until first needed.
  using Buffers = std::vector<Tensor>;
  virtual const std::vector<std::string>& buffer_names() const = 0;
  /// For constructors of derived classes; throws ValueError if there is no group.
  void add_groups(std::vector<OptimizerParamGroup> groups);
  /// Parameter i of group g as it is now (a re-seated one is followed), and its buffers, moved to
  /// its device.
  Tensor& resolve(size_t g, size_t i);
  Buffers& buffers(size_t g, size_t i) { return buffers_[g][i]; }

 private:
  std::vector<OptimizerParamGroup> groups_;
  std::unique_ptr<OptimizerOptions> defaults_;
  std::vector<std::vector<Buffers>> buffers_;  // [group][parameter][buffer]
};

}  // namespace wick::optim
