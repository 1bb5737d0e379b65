#pragma once

#include <wick/nn/holder.h>
#include <string>

namespace wick::nn {

struct WICK_API ReLUOptions {
  ReLUOptions(bool inplace = false) : inplace_(inplace) {}  // NOLINT
  WICK_ARG(bool, inplace);
};

/// max(x, 0); `inplace` overwrites x.
class WICK_API ReLUImpl : public Cloneable<ReLUImpl> {
 public:
  explicit ReLUImpl(const ReLUOptions& options = {}) : options(options) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(Tensor x);

  ReLUOptions options;
};
WICK_MODULE(ReLU);

/// 1 / (1 + exp(-x))
class WICK_API SigmoidImpl : public Cloneable<SigmoidImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);
};
WICK_MODULE(Sigmoid);

class WICK_API TanhImpl : public Cloneable<TanhImpl> {
 public:
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);
};
WICK_MODULE(Tanh);

struct WICK_API GELUOptions {
  /// "none" or "tanh"
  WICK_ARG(std::string, approximate) = "none";
};

/// x Phi(x) (https://arxiv.org/abs/1606.08415).
class WICK_API GELUImpl : public Cloneable<GELUImpl> {
 public:
  explicit GELUImpl(GELUOptions options = {});
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  GELUOptions options;
};
WICK_MODULE(GELU);

struct WICK_API LogSoftmaxOptions {
  LogSoftmaxOptions(int64_t dim) : dim_(dim) {}  // NOLINT
  WICK_ARG(int64_t, dim);
};

/// The logarithm of softmax over `dim`.
class WICK_API LogSoftmaxImpl : public Cloneable<LogSoftmaxImpl> {
 public:
  explicit LogSoftmaxImpl(const LogSoftmaxOptions& options) : options(options) {}
  void reset() override {}
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& x);

  LogSoftmaxOptions options;
};
WICK_MODULE(LogSoftmax);

}  // namespace wick::nn
