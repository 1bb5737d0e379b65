#include <wick/nn/module.h>

#include <gtest/gtest.h>
#include <wick/nn/activation.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/dropout.h>
#include <wick/nn/linear.h>
#include <wick/nn/pooling.h>
#include <wick/nn/sequential.h>

#include <sstream>
#include <thread>

namespace {

using namespace wick;
using Names = std::vector<std::string>;

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

struct BlockImpl : nn::Cloneable<BlockImpl> {
  explicit BlockImpl(int64_t n) : n(n) { reset(); }
  void reset() override {
    scale = register_parameter("scale", ones({n}));
    fc = register_module("fc", nn::Linear(n, n));
    count = register_buffer("count", zeros({}, kInt64));
    shift = register_parameter("shift", zeros({n}));
  }
  Tensor forward(const Tensor& x) {
    count = count + 1;
    return fc(x) * scale + shift;
  }
  int64_t n;
  nn::Parameter scale, shift;
  nn::Buffer count;
  nn::Linear fc{nullptr};
};
WICK_MODULE(Block);

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    first = register_module("first", Block(2));
    norm = register_module("norm", nn::BatchNorm1d(2));
    last = register_module("last", nn::Linear(nn::LinearOptions(2, 1).bias(false)));
  }
  Tensor forward(const Tensor& x) { return last(norm(first(x))); }
  Block first{nullptr};
  nn::BatchNorm1d norm{nullptr};
  nn::Linear last{nullptr};
};
WICK_MODULE(Net);

const Names kParameters{"first.scale", "first.shift", "first.fc.weight", "first.fc.bias",
                        "norm.weight", "norm.bias",   "last.weight"};
const Names kState{"first.scale",      "first.shift",
                   "first.count",      "first.fc.weight",
                   "first.fc.bias",    "norm.weight",
                   "norm.bias",        "norm.running_mean",
                   "norm.running_var", "norm.num_batches_tracked",
                   "last.weight"};

// --- walking

TEST(Module, lists_in_order_of_registration) {
  const Net net;
  EXPECT_EQ(net->named_parameters().keys(), kParameters);
  EXPECT_EQ(net->parameters().size(), kParameters.size());
  EXPECT_EQ(net->state_dict().keys(), kState);
  EXPECT_EQ(net->named_buffers().keys(), (Names{"first.count", "norm.running_mean",
                                                "norm.running_var", "norm.num_batches_tracked"}));
  EXPECT_EQ(net->named_modules().keys(), (Names{"", "first", "first.fc", "norm", "last"}));
  EXPECT_EQ(net->named_modules("net").keys(),
            (Names{"net", "net.first", "net.first.fc", "net.norm", "net.last"}));
  EXPECT_EQ(net->named_modules("", false).keys(), (Names{"first", "first.fc", "norm", "last"}));
  EXPECT_EQ(net->named_children().keys(), (Names{"first", "norm", "last"}));
  EXPECT_EQ(net->children().size(), 3u);
  EXPECT_EQ(net->modules().size(), 5u);
}

TEST(Module, lists_its_own_without_recursion) {
  const Block block(3);
  EXPECT_EQ(block->named_parameters(false).keys(), (Names{"scale", "shift"}));
  EXPECT_EQ(block->named_buffers(false).keys(), Names{"count"});
  EXPECT_EQ(block->parameters(false).size(), 2u);
}

TEST(Module, undefined_parameters_are_no_part_of_the_state) {
  const nn::Linear net(nn::LinearOptions(2, 3).bias(false));
  EXPECT_EQ(net->state_dict().keys(), Names{"weight"});
  EXPECT_EQ(net->parameters().size(), 1u);
  net->load_state_dict(net->state_dict());
}

TEST(Module, applies_to_parents_first) {
  Net net;
  Names seen;
  net->apply([&](nn::Module& m) { seen.push_back(m.name().substr(m.name().rfind(':') + 1)); });
  EXPECT_EQ(seen, (Names{"NetImpl", "BlockImpl", "LinearImpl", "BatchNorm1dImpl", "LinearImpl"}));
}

TEST(Module, names_and_casts) {
  const Net net;
  EXPECT_NE(net->name().find("NetImpl"), std::string::npos);
  struct Named : nn::Module {
    Named() : Module("mine") {}
  };
  EXPECT_EQ(Named().name(), "mine");
  const std::shared_ptr<nn::Module> child = net->children()[2];
  EXPECT_NE(child->as<nn::Linear>(), nullptr);
  EXPECT_NE(child->as<nn::LinearImpl>(), nullptr);
  EXPECT_EQ(child->as<nn::Conv2d>(), nullptr);
}

// --- tied

struct TiedImpl : nn::Module {
  TiedImpl() {
    a = register_module("a", nn::Linear(nn::LinearOptions(2, 2).bias(false)));
    b = register_module("b", nn::Linear(nn::LinearOptions(2, 2).bias(false)));
    b->weight = a->weight;
    register_module("again", a);
  }
  nn::Linear a{nullptr}, b{nullptr};
};
WICK_MODULE(Tied);

TEST(ModuleTied, lists_once_and_saves_every_name) {
  const Tied net;
  EXPECT_EQ(net->named_parameters().keys(), Names{"a.weight"});
  EXPECT_EQ(net->modules().size(), 3u);
  EXPECT_EQ(net->state_dict().keys(), (Names{"a.weight", "b.weight", "again.weight"}));
}

TEST(ModuleTied, gradients_of_both_uses_meet) {
  const Tied net;
  const Tensor x = ones({1, 2});
  (net->a(x) + net->b(x)).sum().backward();
  EXPECT_EQ(net->a->weight.grad().to_vector<float>(), std::vector<float>(4, 2));
}

TEST(ModuleTied, inside_one_module_saves_every_name) {
  struct Twice : nn::Module {
    Twice() {
      const Tensor w = ones({2});
      register_parameter("first", w);
      register_parameter("second", w);
    }
  } const net;
  EXPECT_EQ(net.named_parameters().keys(), Names{"first"});
  EXPECT_EQ(net.state_dict().keys(), (Names{"first", "second"}));
}

// --- registration

TEST(ModuleRegistration, replaces_and_removes) {
  Net net;
  net->norm = net->replace_module("norm", nn::BatchNorm1d(7));
  EXPECT_EQ(net->named_parameters()["norm.weight"].size(0), 7);
  EXPECT_EQ(net->named_children().keys(), (Names{"first", "norm", "last"}));
  net->unregister_module("norm");
  EXPECT_EQ(net->named_children().keys(), (Names{"first", "last"}));
}

TEST(ModuleRegistration, freezes_what_needs_no_gradient) {
  struct Frozen : nn::Module {
    Frozen() { w = register_parameter("w", ones({2}), /*requires_grad=*/false); }
    nn::Parameter w;
  } net;
  EXPECT_FALSE(net.w.requires_grad());
  net.requires_grad_();
  EXPECT_TRUE(net.w.requires_grad());
}

TEST(ModuleRegistration, a_refused_name_leaves_all_as_it_was) {
  Block block(2);
  EXPECT_THROW(block->register_parameter("scale", ones({2})), ValueError);
  EXPECT_THROW(block->register_buffer("fc", ones({2})), ValueError);
  EXPECT_THROW(block->register_module("fc", block), ValueError);
  EXPECT_EQ(block->state_dict().keys(), (Names{"scale", "shift", "count", "fc.weight", "fc.bias"}));
}

TEST(ModuleRegistration, one_module_in_two_parents_is_no_cycle) {
  struct Parent : nn::Module {};
  auto shared = std::make_shared<Parent>(), a = std::make_shared<Parent>(),
       b = std::make_shared<Parent>(), top = std::make_shared<Parent>();
  a->register_module("s", shared);
  b->register_module("s", shared);
  top->register_module("a", a);
  top->register_module("b", b);
  EXPECT_EQ(top->named_modules().keys(), (Names{"", "a", "a.s", "b"}));
  EXPECT_THROW(shared->register_module("top", top), ValueError);
}

// --- modes and gradients

TEST(ModuleMode, reaches_all_below) {
  Net net;
  EXPECT_TRUE(net->is_training());
  net->eval();
  for (const auto& m : net->modules()) EXPECT_FALSE(m->is_training());
  net->first->train();
  EXPECT_TRUE(net->first->fc->is_training());
  EXPECT_FALSE(net->norm->is_training());
}

TEST(ModuleGradients, are_dropped_or_zeroed) {
  Net net;
  net(randn({4, 2})).sum().backward();
  for (const Tensor& p : net->parameters()) EXPECT_TRUE(p.grad().defined());
  const Tensor held = net->last->weight.grad();
  net->zero_grad(/*set_to_none=*/false);
  for (const Tensor& p : net->parameters()) EXPECT_TRUE(p.grad().equal(zeros_like(p.detach())));
  net->zero_grad();
  for (const Tensor& p : net->parameters()) EXPECT_FALSE(p.grad().defined());
  EXPECT_EQ(held.numel(), 2);
}

TEST(ModuleGradients, frozen_modules_get_none) {
  Net net;
  net->first->requires_grad_(false);
  net(randn({4, 2})).sum().backward();
  for (const auto& item : net->named_parameters())
    EXPECT_EQ(item.value().grad().defined(), !item.key().starts_with("first.")) << item.key();
}

// --- type

TEST(ModuleTo, changes_floating_tensors_only) {
  Net net;
  net->to(kFloat64);
  for (const auto& item : net->state_dict())
    EXPECT_EQ(item.value().dtype(), item.value().is_floating_point() ? kFloat64 : kInt64)
        << item.key();
  EXPECT_EQ(net->state_dict()["norm.num_batches_tracked"].dtype(), kInt64);
  EXPECT_EQ(net(randn({4, 2}, kFloat64)).dtype(), kFloat64);
  EXPECT_THROW(net->to(kInt32), DTypeError);
  net->to(Device(kCPU), kFloat32);
  EXPECT_EQ(net->last->weight.dtype(), kFloat32);
}

TEST(ModuleTo, tied_tensors_stay_tied) {
  Tied net;
  net->to(kFloat64);
  EXPECT_TRUE(net->a->weight.is_same(net->b->weight));
  EXPECT_EQ(net->b->weight.dtype(), kFloat64);
}

// --- state

TEST(ModuleState, shares_elements_and_has_no_history) {
  Net net;
  const nn::StateDict state = net->state_dict();
  EXPECT_FALSE(state["last.weight"].requires_grad());
  EXPECT_TRUE(state["last.weight"].is_alias_of(net->last->weight));
}

TEST(ModuleState, is_copied_in) {
  Net a, b;
  const Tensor held = b->last->weight;
  b->load_state_dict(a->state_dict());
  a->eval();
  b->eval();
  const Tensor x = randn({3, 2});
  EXPECT_TRUE(a(x).equal(b(x)));
  EXPECT_TRUE(held.is_same(b->last->weight)) << "loading must not seat other tensors";
  EXPECT_FALSE(held.is_alias_of(a->last->weight));
  EXPECT_TRUE(held.requires_grad());
}

TEST(ModuleState, of_another_type_is_converted) {
  Net a, b;
  a->to(kFloat64);
  b->load_state_dict(a->state_dict());
  EXPECT_EQ(b->last->weight.dtype(), kFloat32);
  EXPECT_TRUE(b->last->weight.equal(a->last->weight.to(kFloat32)));
}

TEST(ModuleState, that_does_not_fit_changes_nothing_and_says_all) {
  Net net;
  const Tensor before = net->first->scale.detach().clone();
  nn::StateDict state;
  for (const auto& item : net->state_dict()) {
    if (item.key() != "last.weight") state.insert(item.key(), item.value().clone() + 1);
  }
  state["norm.bias"] = zeros({5});
  state.insert(std::string("wrong"), zeros({1}));
  try {
    net->load_state_dict(state);
    FAIL() << "no error";
  } catch (const ValueError& e) {
    const std::string text = e.what();
    for (const char* part : {"missing keys: 'last.weight'", "unexpected keys: 'wrong'",
                             "'norm.bias' is [2] in the model and [5] in the state"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_TRUE(net->first->scale.detach().equal(before));
}

TEST(ModuleState, not_strict_loads_what_is_there) {
  Net net;
  nn::StateDict state;
  state.insert(std::string("first.scale"), full({2}, 5.0));
  state.insert(std::string("wrong"), zeros({1}));
  const auto result = net->load_state_dict(state, /*strict=*/false);
  EXPECT_EQ(net->first->scale.to_vector<float>(), (std::vector<float>{5, 5}));
  EXPECT_EQ(result.unexpected_keys, Names{"wrong"});
  EXPECT_EQ(result.missing_keys.size(), kState.size() - 1);
}

// --- copies

TEST(ModuleClone, is_independent) {
  Net net;
  net->eval();
  net->first->shift.requires_grad_(false);
  net->first->count = net->first->count + 41;
  const auto copy = std::dynamic_pointer_cast<NetImpl>(net->clone());
  ASSERT_TRUE(copy);
  EXPECT_FALSE(copy->is_training());
  EXPECT_FALSE(copy->first->is_training());
  EXPECT_FALSE(copy->first->shift.requires_grad());
  EXPECT_EQ(copy->first->count.item<int64_t>(), 41);
  const Tensor x = randn({3, 2});
  EXPECT_TRUE(net(x).equal(copy->forward(x)));
  {
    const NoGradGuard no_grad;
    copy->last->weight.zero_();
    copy->first->scale = nn::Parameter(full({2}, 3.0));
  }
  EXPECT_EQ(copy->named_parameters()["first.scale"][0].item<float>(), 3) << "its members are bound";
  EXPECT_EQ(net->first->scale[0].item<float>(), 1);
  EXPECT_NE(net->last->weight.detach().abs().sum().item<float>(), 0);
  EXPECT_FALSE(net->first->fc.ptr() == copy->first->fc.ptr());
}

TEST(ModuleClone, of_a_sequential) {
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU(), nn::Linear(3, 1));
  const auto copy = std::dynamic_pointer_cast<nn::SequentialImpl>(net->clone());
  ASSERT_TRUE(copy);
  const Tensor x = randn({3, 2});
  EXPECT_TRUE(net(x).equal(copy->forward(x)));
  EXPECT_FALSE(net->parameters()[0].is_alias_of(copy->parameters()[0]));
  EXPECT_EQ(copy->named_parameters().keys(), net->named_parameters().keys());
}

TEST(ModuleClone, draws_nothing_that_changes_the_original) {
  manual_seed(3);
  Net net;
  const Tensor before = net->first->fc->weight.detach().clone();
  net->clone();
  EXPECT_TRUE(net->first->fc->weight.detach().equal(before));
}

// --- holders and containers

TEST(ModuleHolder, refers_and_can_be_empty) {
  const nn::Linear a(2, 3);
  const nn::Linear b = a;
  EXPECT_EQ(a.get(), b.get());
  const nn::Linear none = nullptr;
  EXPECT_TRUE(none.is_empty());
  EXPECT_FALSE(none);
  EXPECT_THROW(none->parameters(), ValueError);
  const nn::Linear from_pointer(std::make_shared<nn::LinearImpl>(2, 3));
  EXPECT_EQ(from_pointer->options.in_features(), 2);
}

TEST(Sequential, names_calls_and_extends) {
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU());
  net->push_back("head", nn::Linear(3, 1));
  net->push_back(nn::SigmoidImpl());
  net->push_back(std::make_shared<nn::TanhImpl>());
  EXPECT_EQ(net->named_children().keys(), (Names{"0", "1", "head", "3", "4"}));
  EXPECT_EQ(net->size(), 5u);
  const Tensor x = randn({4, 2});
  const Tensor y = net->at<nn::LinearImpl>(2).forward(net->at<nn::LinearImpl>(0).forward(x).relu());
  EXPECT_TRUE(net(x).equal(y.sigmoid().tanh()));
  nn::Sequential longer{nn::Flatten()};
  longer->extend(*net);
  EXPECT_EQ(longer->size(), 6u);
  EXPECT_TRUE(longer(x).equal(net(x)));
  int count = 0;
  for (const auto& m : *net) count += m != nullptr;
  EXPECT_EQ(count, 5);
}

// --- printing

TEST(ModulePrint, is_nested_as_in_libtorch) {
  EXPECT_EQ(printed(nn::Linear(3, 4)),
            "wick::nn::Linear(in_features=3, out_features=4, bias=true)");
  EXPECT_EQ(printed(nn::Conv2d(nn::Conv2dOptions(1, 2, 3).padding(1))),
            "wick::nn::Conv2d(1, 2, kernel_size=[3, 3], stride=[1, 1], padding=[1, 1])");
  EXPECT_EQ(
      printed(nn::BatchNorm2d(8)),
      "wick::nn::BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)");
  EXPECT_EQ(printed(nn::Dropout(0.25)), "wick::nn::Dropout(p=0.25, inplace=false)");
  EXPECT_EQ(
      printed(nn::MaxPool2d(2)),
      "wick::nn::MaxPool2d(kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], "
      "ceil_mode=false)");
  nn::Sequential inner{nn::ReLU()};
  EXPECT_EQ(printed(nn::Sequential(nn::Flatten(), inner)),
            "wick::nn::Sequential(\n"
            "  (0): wick::nn::Flatten(start_dim=1, end_dim=-1)\n"
            "  (1): wick::nn::Sequential(\n"
            "    (0): wick::nn::ReLU()\n"
            "  )\n"
            ")");
}

// --- threads

TEST(ModuleThreads, evaluation_from_eight_threads) {
  manual_seed(1);
  nn::Sequential net(nn::Conv2d(nn::Conv2dOptions(1, 4, 3).padding(1)), nn::BatchNorm2d(4),
                     nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Dropout(0.5),
                     nn::Linear(4 * 16, 10), nn::LogSoftmax(1));
  net->eval();
  const Tensor x = randn({4, 1, 8, 8});
  Tensor expected;
  {
    const NoGradGuard no_grad;
    expected = net(x);
  }
  std::vector<int> equal(8, 0);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&, i] {
      const NoGradGuard no_grad;
      for (int repeat = 0; repeat < 10; ++repeat) equal[i] += net(x).equal(expected);
      equal[i] += net->parameters().size() == 6 && net->state_dict().size() == 9;
      equal[i] += !printed(net).empty() && net->children()[0]->name().ends_with("Conv2dImpl");
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(equal, std::vector<int>(8, 12));
}

}  // namespace
