#include <wick/nn/linear.h>

#include <wick/nn/init.h>
#include <cmath>
#include <ostream>

namespace wick::nn {

LinearImpl::LinearImpl(const LinearOptions& o) : options(o) {
  WICK_CHECK(ValueError, o.in_features() >= 0 && o.out_features() >= 0,
             "Linear: expected in_features and out_features >= 0, got ", o.in_features(), " and ",
             o.out_features());
  LinearImpl::reset();
}

void LinearImpl::reset() {
  weight = register_parameter("weight", empty({options.out_features(), options.in_features()}));
  bias = register_parameter("bias", options.bias() ? empty({options.out_features()}) : Tensor());
  reset_parameters();
}

void LinearImpl::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const double bound =
      options.in_features() > 0 ? 1 / std::sqrt(static_cast<double>(options.in_features())) : 0;
  init::uniform_(bias, -bound, bound);
}

void LinearImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "wick::nn::Linear(in_features=" << options.in_features()
         << ", out_features=" << options.out_features() << ", bias=" << options.bias() << ")";
}

Tensor LinearImpl::forward(const Tensor& x) { return linear(x, weight, bias); }

void FlattenImpl::pretty_print(std::ostream& stream) const {
  stream << "wick::nn::Flatten(start_dim=" << options.start_dim()
         << ", end_dim=" << options.end_dim() << ")";
}

Tensor FlattenImpl::forward(const Tensor& x) {
  return x.flatten(options.start_dim(), options.end_dim());
}

}  // namespace wick::nn
