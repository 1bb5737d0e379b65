#include <wick/nn/conv.h>

#include <wick/nn/init.h>
#include <cmath>
#include <ostream>

namespace wick::nn {

Conv2dImpl::Conv2dImpl(const Conv2dOptions& o) : options(o) {
  WICK_CHECK(ValueError, o.groups() > 0, "Conv2d: expected groups >= 1, got ", o.groups());
  WICK_CHECK(ValueError, o.in_channels() > 0 && o.out_channels() > 0,
             "Conv2d: expected positive numbers of channels, got in_channels ", o.in_channels(),
             " and out_channels ", o.out_channels());
  WICK_CHECK(ValueError, o.in_channels() % o.groups() == 0 && o.out_channels() % o.groups() == 0,
             "Conv2d: in_channels ", o.in_channels(), " and out_channels ", o.out_channels(),
             " must be divisible by groups ", o.groups());
  for (size_t i = 0; i < 2; ++i) {
    WICK_CHECK(
        ValueError,
        o.kernel_size()[i] > 0 && o.stride()[i] > 0 && o.dilation()[i] > 0 && o.padding()[i] >= 0,
        "Conv2d: expected kernel_size, stride and dilation >= 1 and padding >= 0, got ",
        o.kernel_size()[i], ", ", o.stride()[i], ", ", o.dilation()[i], " and ", o.padding()[i]);
  }
  Conv2dImpl::reset();
}

void Conv2dImpl::reset() {
  weight = register_parameter(
      "weight", empty({options.out_channels(), options.in_channels() / options.groups(),
                       options.kernel_size()[0], options.kernel_size()[1]}));
  bias = register_parameter("bias", options.bias() ? empty({options.out_channels()}) : Tensor());
  reset_parameters();
}

void Conv2dImpl::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias.defined()) return;
  const auto fan_in = init::calculate_fan_in_and_fan_out(weight).first;
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  init::uniform_(bias, -bound, bound);
}

void Conv2dImpl::pretty_print(std::ostream& stream) const {
  const auto differs = [](const ExpandingArray<2>& a, int64_t v) { return a[0] != v || a[1] != v; };
  stream << std::boolalpha << "wick::nn::Conv2d(" << options.in_channels() << ", "
         << options.out_channels() << ", kernel_size=" << options.kernel_size()
         << ", stride=" << options.stride();
  if (differs(options.padding(), 0)) stream << ", padding=" << options.padding();
  if (differs(options.dilation(), 1)) stream << ", dilation=" << options.dilation();
  if (options.groups() != 1) stream << ", groups=" << options.groups();
  if (!options.bias()) stream << ", bias=" << options.bias();
  stream << ")";
}

Tensor Conv2dImpl::forward(const Tensor& x) {
  return conv2d(x, weight, bias, options.stride(), options.padding(), options.dilation(),
                options.groups());
}

}  // namespace wick::nn
