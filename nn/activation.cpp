#include <wick/nn/activation.h>

#include <ostream>

namespace wick::nn {

void ReLUImpl::pretty_print(std::ostream& stream) const {
  stream << "wick::nn::ReLU(" << (options.inplace() ? "inplace=true" : "") << ")";
}
Tensor ReLUImpl::forward(Tensor x) { return options.inplace() ? x.relu_() : relu(x); }

void SigmoidImpl::pretty_print(std::ostream& stream) const { stream << "wick::nn::Sigmoid()"; }
Tensor SigmoidImpl::forward(const Tensor& x) { return sigmoid(x); }

void TanhImpl::pretty_print(std::ostream& stream) const { stream << "wick::nn::Tanh()"; }
Tensor TanhImpl::forward(const Tensor& x) { return tanh(x); }

GELUImpl::GELUImpl(GELUOptions o) : options(std::move(o)) {
  WICK_CHECK(ValueError, options.approximate() == "none" || options.approximate() == "tanh",
             "GELU: expected approximate to be \"none\" or \"tanh\", got \"", options.approximate(),
             "\"");
}
void GELUImpl::pretty_print(std::ostream& stream) const { stream << "wick::nn::GELU()"; }
Tensor GELUImpl::forward(const Tensor& x) { return gelu(x, options.approximate()); }

void LogSoftmaxImpl::pretty_print(std::ostream& stream) const {
  stream << "wick::nn::LogSoftmax(dim=" << options.dim() << ")";
}
Tensor LogSoftmaxImpl::forward(const Tensor& x) { return log_softmax(x, options.dim()); }

}  // namespace wick::nn
