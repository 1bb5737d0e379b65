#include <wick/nn/dropout.h>

#include <ostream>

namespace wick::nn {

DropoutImpl::DropoutImpl(const DropoutOptions& o) : options(o) {
  WICK_CHECK(ValueError, o.p() >= 0 && o.p() <= 1,
             "dropout probability has to be between 0 and 1, but got ", o.p());
}

void DropoutImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "wick::nn::Dropout(p=" << options.p()
         << ", inplace=" << options.inplace() << ")";
}

Tensor DropoutImpl::forward(Tensor x) {
  if (!is_training()) return x;
  if (!options.inplace()) return dropout(x, options.p(), true);
  // The mask as a tensor of its own: x is overwritten, the mask is what backward needs.
  const Tensor mask = dropout(ones_like(x), options.p(), true);
  return x.mul_(mask);
}

}  // namespace wick::nn
