#include <tests/support/gradcheck.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <cmath>

namespace wick::test {
namespace {

bool counts(const Tensor& output) { return output.defined() && output.is_floating_point(); }

// sum_i <outputs_i, seed_i> as a number.
double weighted_sum(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> outputs = f(inputs);
  const NoGradGuard no_grad;
  double total = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!counts(outputs[i])) continue;
    const std::vector<double> y = outputs[i].to_vector<double>();
    const std::vector<double> seed = sample_like(outputs[i], kGradSample + i).to_vector<double>();
    for (size_t e = 0; e < y.size(); ++e) total += y[e] * seed[e];
  }
  return total;
}

}  // namespace

std::vector<Tensor> fresh_leaves(const std::vector<Tensor>& inputs,
                                 const std::vector<bool>& wanted) {
  std::vector<Tensor> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i].defined() ? inputs[i].detach().clone() : Tensor());
    if (wanted[i]) leaves.back().requires_grad_();
  }
  return leaves;
}

std::vector<Tensor> gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              bool create_graph) {
  std::vector<Tensor> outputs, seeds, sources;
  const std::vector<Tensor> results = f(inputs);
  for (size_t i = 0; i < results.size(); ++i) {
    if (!counts(results[i]) || !results[i].requires_grad()) continue;
    outputs.push_back(results[i]);
    seeds.push_back(sample_like(results[i], kGradSample + i));
  }
  for (const Tensor& x : inputs)
    if (x.defined() && x.requires_grad()) sources.push_back(x);
  std::vector<Tensor> found;
  if (!outputs.empty() && !sources.empty())
    found = autograd::grad(outputs, sources, seeds, std::nullopt, create_graph, true);
  std::vector<Tensor> grads;
  size_t next = 0;
  for (const Tensor& x : inputs) {
    grads.emplace_back();
    if (!x.defined() || !x.requires_grad()) continue;
    if (!found.empty()) grads.back() = found[next];
    ++next;
    if (!grads.back().defined()) grads.back() = zeros_like(x);
  }
  return grads;
}

testing::AssertionResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                   const std::vector<bool>& wanted, double tolerance) {
  constexpr double kStep = 1e-6;
  const std::vector<Tensor> recorded = gradients(f, fresh_leaves(inputs, wanted));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    const std::vector<double> values = inputs[i].to_vector<double>();
    const std::vector<double> grads = recorded[i].to_vector<double>();
    if (!(recorded[i].sizes() == inputs[i].sizes()))
      return testing::AssertionFailure() << "gradient " << i << " has another shape";
    for (size_t e = 0; e < values.size(); ++e) {
      const auto at = [&](double step) {
        std::vector<double> moved = values;
        moved[e] += step;
        std::vector<Tensor> all = fresh_leaves(inputs, wanted);
        all[i] = tensor(moved, kFloat64).view(inputs[i].sizes()).requires_grad_();
        return weighted_sum(f, all);
      };
      const double difference = (at(kStep) - at(-kStep)) / (2 * kStep);
      if (!(std::abs(grads[e] - difference) <= tolerance * (1 + std::abs(difference)))) {
        return testing::AssertionFailure()
               << "gradient of input " << i << ", element " << e << ": recorded " << grads[e]
               << ", central difference " << difference;
      }
    }
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                       const std::vector<bool>& wanted, double tolerance) {
  std::vector<Tensor> all = inputs;
  std::vector<bool> all_wanted = wanted;
  const std::vector<Tensor> outputs = f(fresh_leaves(inputs, wanted));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!counts(outputs[i]) || !outputs[i].requires_grad()) continue;
    all.push_back(sample_like(outputs[i], kGradSample + i));
    all_wanted.push_back(true);
  }
  const size_t n = inputs.size();
  const TensorFunction grads_of = [&](const std::vector<Tensor>& args) {
    std::vector<Tensor> in(args.begin(), args.begin() + static_cast<int64_t>(n));
    const std::vector<Tensor> seeds(args.begin() + static_cast<int64_t>(n), args.end());
    std::vector<Tensor> out, sources;
    for (const Tensor& y : f(in))
      if (counts(y) && y.requires_grad()) out.push_back(y);
    for (size_t i = 0; i < n; ++i)
      if (wanted[i]) sources.push_back(in[i]);
    return out.empty() ? std::vector<Tensor>()
                       : autograd::grad(out, sources, seeds, std::nullopt, true, true);
  };
  return gradcheck(grads_of, all, all_wanted, tolerance);
}

}  // namespace wick::test
