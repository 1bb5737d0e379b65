#include <wick/optim/sgd.h>

#include <gtest/gtest.h>
#include <tests/support/reference.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <cmath>

namespace wick::optim {
namespace {

struct Trajectory {
  const char* name;
  SGDOptions first, second;
};

#define TRAJECTORY(name, torch_first, torch_second, first, second) {name, first, second},

// TRAJECTORY(name, PyTorch's options of both groups, wick's). make_reference.py reads these and
// stores the parameters after 1, 2, 10 and 50 steps.
// A row is a line:
// clang-format off
const Trajectory kTrajectories[] = {
TRAJECTORY("plain", "lr=0.05", "lr=0.05", SGDOptions(0.05), SGDOptions(0.05))
TRAJECTORY("momentum", "lr=0.02, momentum=0.9", "lr=0.02, momentum=0.9", SGDOptions(0.02).momentum(0.9), SGDOptions(0.02).momentum(0.9))
TRAJECTORY("dampening", "lr=0.1, momentum=0.8, dampening=0.5", "lr=0.1, momentum=0.5, dampening=0.25", SGDOptions(0.1).momentum(0.8).dampening(0.5), SGDOptions(0.1).momentum(0.5).dampening(0.25))
TRAJECTORY("weight_decay", "lr=0.05, weight_decay=0.1", "lr=0.05, weight_decay=0.01", SGDOptions(0.05).weight_decay(0.1), SGDOptions(0.05).weight_decay(0.01))
TRAJECTORY("nesterov", "lr=0.02, momentum=0.9, nesterov=True", "lr=0.01, momentum=0.5, nesterov=True", SGDOptions(0.02).momentum(0.9).nesterov(true), SGDOptions(0.01).momentum(0.5).nesterov(true))
TRAJECTORY("all", "lr=0.02, momentum=0.9, weight_decay=0.05, nesterov=True", "lr=0.03, momentum=0.7, dampening=0.3, weight_decay=0.2", SGDOptions(0.02).momentum(0.9).weight_decay(0.05).nesterov(true), SGDOptions(0.03).momentum(0.7).dampening(0.3).weight_decay(0.2))
TRAJECTORY("mixed", "lr=0.05", "lr=0.01, momentum=0.95", SGDOptions(0.05), SGDOptions(0.01).momentum(0.95))
TRAJECTORY("still", "lr=0.0, momentum=0.9", "lr=0.05", SGDOptions(0).momentum(0.9), SGDOptions(0.05))
};
// clang-format on
#undef TRAJECTORY

std::vector<Tensor> start(DType dtype) {
  std::vector<Tensor> params = {test::sample_like(empty({2, 3}, dtype), 0),
                                test::sample_like(empty({4}, dtype), 1)};
  for (Tensor& p : params) p.requires_grad_();
  return params;
}

SGD optimizer_for(const Trajectory& t, const std::vector<Tensor>& params) {
  std::vector<OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<Tensor>{params[0]}, t.first.clone());
  groups.emplace_back(std::vector<Tensor>{params[1]}, t.second.clone());
  return SGD(std::move(groups), SGDOptions(1.0));
}

// A quadratic whose minimum moves, so that the gradient does not die out.
Tensor loss_of(const std::vector<Tensor>& params, int step) {
  Tensor loss;
  for (size_t i = 0; i < params.size(); ++i) {
    const Tensor& p = params[i];
    const Tensor minimum = test::sample_like(p, 20 + i + static_cast<size_t>(step % 3));
    const Tensor weight =
        test::make_sample(test::parse_case(i == 0 ? "p[2,3]" : "p[4]")[0], 30 + i, p.dtype());
    const Tensor term = (pow(p - minimum, 2) * weight).sum();
    loss = loss.defined() ? loss + term : term;
  }
  return loss;
}

void follow(const Trajectory& t, DType dtype, double tolerance) {
  SCOPED_TRACE(str(t.name, " in ", dtype));
  const test::Reference* reference = test::find_reference(str("sgd ", t.name), "");
  ASSERT_NE(reference, nullptr) << "nothing stored: run tests/support/make_reference.py";
  ASSERT_EQ(reference->outputs.size(), 8U);
  const std::vector<Tensor> params = start(dtype);
  SGD optimizer = optimizer_for(t, params);
  size_t next = 0;
  for (int step = 0; step < 50; ++step) {
    optimizer.zero_grad();
    loss_of(params, step).backward();
    optimizer.step();
    const int done = step + 1;
    if (done != 1 && done != 2 && done != 10 && done != 50) continue;
    for (const Tensor& p : params) {
      const Tensor wanted = reference->outputs[next++].values();
      EXPECT_LE(test::distance(p.detach(), wanted), tolerance)
          << "after " << done << " steps\ngot      " << p.str() << "\nexpected " << wanted.str();
    }
  }
}

TEST(SgdTrajectory, Float64IsPyTorchs) {
  for (const Trajectory& t : kTrajectories) follow(t, kFloat64, 1e-13);
}

TEST(SgdTrajectory, Float32RoundsIt) {
  for (const Trajectory& t : kTrajectories) follow(t, kFloat32, 5e-6);
}

TEST(SgdTrajectory, StateContinuesBitwise) {
  for (const Trajectory& t : kTrajectories) {
    SCOPED_TRACE(t.name);
    const auto run = [](SGD& optimizer, const std::vector<Tensor>& params, int from, int to) {
      for (int step = from; step < to; ++step) {
        optimizer.zero_grad();
        loss_of(params, step).backward();
        optimizer.step();
      }
    };
    const std::vector<Tensor> whole = start(kFloat32);
    SGD one = optimizer_for(t, whole);
    run(one, whole, 0, 20);

    const std::vector<Tensor> parts = start(kFloat32);
    SGD first = optimizer_for(t, parts);
    run(first, parts, 0, 9);
    OrderedDict<std::string, Tensor> saved;
    for (const auto& item : first.state_dict()) saved.insert(item.key(), item.value().clone());
    // Every setting comes from the state.
    const SGDOptions any = SGDOptions(0.5).momentum(0.5);
    SGD second = optimizer_for({t.name, any, any}, parts);
    second.load_state_dict(saved);
    run(second, parts, 9, 20);
    for (size_t i = 0; i < whole.size(); ++i)
      EXPECT_TRUE(test::same_bits(whole[i].detach(), parts[i].detach()));
  }
}

TEST(SgdTrajectory, LayoutOfParametersDoesNotMatter) {
  for (const Trajectory& t : kTrajectories) {
    SCOPED_TRACE(t.name);
    const std::vector<Tensor> plain = start(kFloat32);
    const Tensor turned = plain[0].detach().t().contiguous().t().requires_grad_();
    const std::vector<Tensor> other = {turned, plain[1].detach().clone().requires_grad_()};
    SGD a = optimizer_for(t, plain), b = optimizer_for(t, other);
    for (int step = 0; step < 5; ++step) {
      for (SGD* optimizer : {&a, &b}) {
        optimizer->zero_grad();
        loss_of(optimizer == &a ? plain : other, step).backward();
        optimizer->step();
      }
    }
    for (size_t i = 0; i < plain.size(); ++i)
      EXPECT_TRUE(test::same_bits(plain[i].detach(), other[i].detach()));
  }
}

}  // namespace
}  // namespace wick::optim
