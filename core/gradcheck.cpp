#include <wick/core/gradcheck.h>

#include <wick/core/ops.h>
#include <cmath>
#include <cstring>

namespace wick::autograd {
namespace {

variable_list differentiable(const variable_list& outputs, bool recorded) {
  variable_list found;
  for (const Tensor& y : outputs)
    if (y.defined() && y.is_floating_point() && (!recorded || y.requires_grad()))
      found.push_back(y);
  return found;
}

bool is_checked(const Tensor& x) { return x.defined() && x.requires_grad(); }

void check_inputs(const char* op, const variable_list& inputs) {
  bool any = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_checked(inputs[i])) continue;
    any = true;
    WICK_CHECK(DTypeError, inputs[i].dtype() == kFloat64, op,
               ": expected inputs that require a gradient to be float64, as differences of less "
               "precise numbers say nothing; input ",
               i, " is ", inputs[i].dtype());
    for (int64_t d = 0; d < inputs[i].dim(); ++d)
      WICK_CHECK(ValueError, inputs[i].stride(d) != 0 || inputs[i].size(d) <= 1, op, ": input ", i,
                 " has several elements in one place; clone() it first");
  }
  WICK_CHECK(ValueError, any, op, ": expected at least one input that requires a gradient");
}

/// All elements of all outputs.
std::vector<double> flat(const variable_list& outputs) {
  std::vector<double> all;
  for (const Tensor& y : outputs) {
    const std::vector<double> values = y.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// d(all elements of the outputs) / d(element e of x), changed in place and put back.
std::vector<double> difference(const MultiFunction& f, const variable_list& inputs, const Tensor& x,
                               int64_t e, double eps) {
  const NoGradGuard no_grad;
  Tensor element = x.detach();
  for (int64_t d = x.dim(); d-- > 0; e /= x.size(d)) element = element.narrow(d, e % x.size(d), 1);
  const double value = element.item<double>();
  const auto at = [&](double v) {
    element.fill_(v);
    return flat(differentiable(f(inputs), false));
  };
  std::vector<double> slope = at(value + eps);
  const std::vector<double> below = at(value - eps);
  element.fill_(value);
  for (size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - below[i]) / (2 * eps);
  return slope;
}

/// Gradients of element e of `output` with respect to the checked inputs.
variable_list row(const Tensor& output, int64_t e, const variable_list& sources) {
  Tensor seed = zeros({output.numel()}, output.options());
  seed[e].fill_(1);
  variable_list grads = grad({output}, sources, {seed.view(output.sizes())}, true, false, true);
  for (size_t i = 0; i < grads.size(); ++i)
    if (!grads[i].defined()) grads[i] = zeros_like(sources[i]);
  return grads;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

// What is wrong, or nothing.
std::string compare(const MultiFunction& f, const variable_list& inputs,
                    const GradcheckOptions& options) {
  variable_list sources;
  std::vector<size_t> numbers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!is_checked(inputs[i])) continue;
    sources.push_back(inputs[i]);
    numbers.push_back(i);
  }
  const AutoGradMode on(true);
  // recorded[source][element of all outputs] is a list over the source's elements.
  std::vector<std::vector<std::vector<double>>> recorded(sources.size());
  for (const Tensor& y : differentiable(f(inputs), false)) {
    for (int64_t e = 0; e < y.numel(); ++e) {
      variable_list grads, again;
      if (y.requires_grad()) {
        grads = row(y, e, sources);
        again = row(y, e, sources);
      }
      for (size_t i = 0; i < sources.size(); ++i) {
        recorded[i].push_back(y.requires_grad()
                                  ? grads[i].to_vector<double>()
                                  : std::vector<double>(static_cast<size_t>(sources[i].numel())));
        if (y.requires_grad() && !same_bits(recorded[i].back(), again[i].to_vector<double>()))
          return str("the gradient of input ", numbers[i], " differs from call to call");
      }
    }
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    for (int64_t e = 0; e < sources[i].numel(); ++e) {
      const std::vector<double> slope = difference(f, inputs, sources[i], e, options.eps);
      if (slope.size() != recorded[i].size())
        return "the number of elements of the results differs from call to call";
      for (size_t out = 0; out < slope.size(); ++out) {
        const double got = recorded[i][out][static_cast<size_t>(e)];
        if (!(std::abs(got - slope[out]) <= options.atol + options.rtol * std::abs(slope[out])))
          return str("the gradient of result element ", out, " (all results in order) for input ",
                     numbers[i], ", element ", e, ", is ", got, ", the central difference is ",
                     slope[out]);
      }
    }
  }
  return "";
}

bool report(const char* op, const std::string& wrong, const GradcheckOptions& options) {
  WICK_CHECK(AutogradError, wrong.empty() || !options.raise_exception, op, ": ", wrong);
  return wrong.empty();
}

}  // namespace

bool gradcheck(const MultiFunction& f, const variable_list& inputs,
               const GradcheckOptions& options) {
  check_inputs("gradcheck", inputs);
  return report("gradcheck", compare(f, inputs, options), options);
}

bool gradgradcheck(const MultiFunction& f, const variable_list& inputs,
                   const variable_list& grad_outputs, const GradcheckOptions& options) {
  check_inputs("gradgradcheck", inputs);
  const variable_list outputs = differentiable(f(inputs), true);
  variable_list all = inputs;
  WICK_CHECK(ValueError, grad_outputs.empty() || grad_outputs.size() == outputs.size(),
             "gradgradcheck: expected a gradient for each of the ", outputs.size(),
             " differentiable results, got ", grad_outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    all.push_back(grad_outputs.empty() ? randn_like(outputs[i].detach()).requires_grad_()
                                       : grad_outputs[i]);
  const size_t n = inputs.size();
  const MultiFunction gradients = [&](const variable_list& args) {
    const AutoGradMode on(true);
    variable_list in(args.begin(), args.begin() + static_cast<int64_t>(n)), sources, results;
    for (const Tensor& x : in)
      if (is_checked(x)) sources.push_back(x);
    const variable_list found =
        grad(differentiable(f(in), true), sources,
             variable_list(args.begin() + static_cast<int64_t>(n), args.end()), true, true, true);
    for (size_t i = 0; i < found.size(); ++i)
      results.push_back(found[i].defined() ? found[i] : zeros_like(sources[i]));
    return results;
  };
  return report("gradgradcheck", compare(gradients, all, options), options);
}

}  // namespace wick::autograd
