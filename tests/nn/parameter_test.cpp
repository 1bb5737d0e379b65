#include <wick/nn/parameter.h>

#include <gtest/gtest.h>
#include <wick/nn/linear.h>
#include <wick/optim/sgd.h>

#include <type_traits>

namespace {

using namespace wick;
using nn::Buffer;
using nn::Parameter;

static_assert(!std::is_assignable_v<Parameter&, Tensor>,
              "a plain tensor must not replace a parameter");
static_assert(!std::is_assignable_v<Parameter&, const Tensor&>);
static_assert(std::is_assignable_v<Parameter&, Parameter>);
static_assert(std::is_assignable_v<Buffer&, Tensor>);
static_assert(std::is_convertible_v<nn::BoundParameter&, Tensor>,
              "Tensor w = register_parameter(...)");

struct Net : nn::Cloneable<Net> {
  Net() { reset(); }
  void reset() override {
    w = register_parameter("w", ones({2}));
    average = register_buffer("average", zeros({2}));
  }
  Parameter w;
  Buffer average;
};

Tensor first(const nn::Module& m) { return m.parameters()[0]; }

std::vector<float> values(const Tensor& t) { return t.to_vector<float>(); }
using Values = std::vector<float>;

TEST(Parameter, is_a_leaf_that_shares_elements) {
  const Tensor data = ones({2});
  const Parameter p(data);
  EXPECT_TRUE(p.requires_grad());
  EXPECT_TRUE(p.is_leaf());
  EXPECT_TRUE(p.is_alias_of(data));
  EXPECT_FALSE(data.requires_grad());
  EXPECT_FALSE(Parameter(data, false).requires_grad());
  const Tensor leaf = ones({2}).requires_grad_();
  EXPECT_TRUE(Parameter(leaf).is_same(leaf));
  const Parameter computed(leaf * 2);
  EXPECT_TRUE(computed.is_leaf());
}

TEST(Parameter, member_follows_in_place_changes) {
  Net net;
  EXPECT_TRUE(net.w.is_same(first(net)));
  const NoGradGuard no_grad;
  net.w.mul_(3);
  EXPECT_EQ(values(first(net)), (Values{3, 3}));
}

TEST(Parameter, assignment_seats_another_tensor) {
  Net net;
  const Tensor old = net.w;
  net.w = Parameter(full({3}, 5.0));
  EXPECT_TRUE(net.w.is_same(first(net)));
  EXPECT_EQ(values(net.state_dict()["w"]), (Values{5, 5, 5}));
  EXPECT_EQ(values(old), (Values{1, 1})) << "the old tensor must keep its values";
  EXPECT_EQ(net.parameters().size(), 1u);
}

TEST(Parameter, a_graph_made_before_keeps_its_values) {
  Net net;
  const Tensor old = net.w;
  const Tensor loss = (net.w * net.w).sum();
  net.w = Parameter(full({2}, 5.0));
  loss.backward();
  EXPECT_EQ(values(old.grad()), (Values{2, 2}));
  EXPECT_FALSE(net.w.grad().defined());
}

TEST(Parameter, a_copy_is_bound_to_nothing) {
  Net net;
  Parameter copy = net.w;
  EXPECT_TRUE(copy.is_same(net.w));
  copy = Parameter(zeros({2}));
  EXPECT_EQ(values(first(net)), (Values{1, 1}));
}

TEST(Parameter, can_be_emptied_and_filled_again) {
  Net net;
  net.w = Parameter();
  EXPECT_TRUE(net.parameters().empty());
  EXPECT_TRUE(net.state_dict().size() == 1 && net.state_dict().contains("average"));
  net.w = Parameter(full({2}, 4.0));
  EXPECT_EQ(values(first(net)), (Values{4, 4}));
}

TEST(Parameter, reference_from_the_registry_is_the_same_slot) {
  auto net = std::make_shared<nn::LinearImpl>(1, 1);
  nn::BoundParameter& bound = net->register_parameter("extra", ones({1}));
  Parameter member = bound;
  member = Parameter(full({1}, 9.0));
  EXPECT_EQ(bound.value().item<float>(), 9);
  bound = Parameter(full({1}, 8.0));
  EXPECT_EQ(net->named_parameters()["extra"].item<float>(), 8);
}

TEST(Parameter, the_registrys_own_follows_too) {
  Net net;
  nn::BoundParameter& w = net.register_parameter("v", ones({1}));
  nn::BoundBuffer& b = net.register_buffer("b", ones({1}));
  Parameter member = w;
  Buffer other = b;
  member = Parameter(full({1}, 4.0));
  other = full({1}, 5.0);
  EXPECT_TRUE(w.is_same(member));
  EXPECT_TRUE(b.is_same(other));
}

TEST(Parameter, outlives_its_module) {
  Parameter member;
  {
    Net net;
    member = net.register_parameter("v", ones({1}));
  }
  member = Parameter(full({1}, 2.0));
  EXPECT_EQ(member.item<float>(), 2);
}

TEST(Parameter, moves_keep_identity) {
  Net net;
  const Tensor held = net.w;
  (net.w * 2).sum().backward();
  net.to(kFloat64);
  EXPECT_TRUE(held.is_same(net.w));
  EXPECT_EQ(held.dtype(), kFloat64);
  EXPECT_EQ(held.grad().dtype(), kFloat64);
  (net.w * 3).sum().backward();
  EXPECT_EQ(values(held.grad()), (Values{5, 5}));
}

TEST(Parameter, may_move_between_forward_and_backward) {
  Net net;
  const Tensor loss = (net.w * net.w).sum();
  net.to(kFloat64);
  loss.backward();
  EXPECT_EQ(net.w.grad().dtype(), kFloat64);
  EXPECT_EQ(values(net.w.grad()), (Values{2, 2}));
}

TEST(Buffer, follows_assignment_and_keeps_old_values) {
  Net net;
  const Tensor previous = net.average;
  net.average = net.average * 0.5 + 1;
  EXPECT_EQ(values(net.buffers()[0]), (Values{1, 1}));
  EXPECT_EQ(values(previous), (Values{0, 0}));
  net.average = Buffer(full({2}, 7.0));
  EXPECT_EQ(values(net.state_dict()["average"]), (Values{7, 7}));
}

TEST(Buffer, is_no_parameter) {
  Net net;
  EXPECT_EQ(net.named_parameters().keys(), std::vector<std::string>{"w"});
  EXPECT_EQ(net.named_buffers().keys(), std::vector<std::string>{"average"});
  EXPECT_FALSE(net.average.requires_grad());
}

TEST(ParameterOptimizer, follows_a_parameter_that_was_assigned) {
  Net net;
  optim::SGD sgd(net.parameters(), optim::SGDOptions(1).momentum(0.5));
  const Tensor old = net.w;
  (net.w * 4).sum().backward();
  sgd.step();  // momentum 4
  EXPECT_EQ(values(net.w), (Values{-3, -3}));
  net.w = Parameter(full({2}, 10.0));
  (net.w * 2).sum().backward();
  sgd.step();  // momentum 4 / 2 + 2: the state came along
  EXPECT_EQ(values(net.w), (Values{6, 6}));
  EXPECT_EQ(values(old), (Values{-3, -3}));
  EXPECT_TRUE(sgd.parameters()[0].is_same(net.w));
}

TEST(ParameterOptimizer, follows_through_several_and_back) {
  Net net;
  optim::SGD sgd(net.parameters(), 1);
  const Parameter original = net.w;
  net.w = Parameter(full({2}, 10.0));
  net.w = Parameter(full({2}, 20.0));
  sgd.zero_grad();
  EXPECT_TRUE(sgd.parameters()[0].is_same(net.w));
  net.w = original;
  (net.w * 2).sum().backward();
  sgd.step();
  EXPECT_EQ(values(net.w), (Values{-1, -1}));
}

TEST(ParameterOptimizer, follows_a_parameter_that_changed_type) {
  Net net;
  optim::SGD sgd(net.parameters(), optim::SGDOptions(1).momentum(0.5));
  (net.w * 4).sum().backward();
  sgd.step();
  net.to(kFloat64);
  sgd.zero_grad();
  (net.w * 2).sum().backward();
  sgd.step();
  EXPECT_EQ(values(net.w), (Values{-7, -7}));
}

// What a parameter was in between is neither kept nor a chain too long to free.
TEST(ParameterOptimizer, a_million_assignments_between_two_steps) {
  Net net;
  optim::SGD sgd(net.parameters(), 1);
  const Tensor data = full({2}, 3.0);
  for (int i = 0; i < 1'000'000; ++i) net.w = Parameter(data);
  (net.w * 2).sum().backward();
  sgd.step();
  EXPECT_EQ(values(net.w), (Values{1, 1}));
  EXPECT_LE(live_tensors(), 16);
}

}  // namespace
