#include <tests/misuse/misuse.h>
#include <tests/support/files.h>
#include <wick/nn/activation.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/dropout.h>
#include <wick/nn/embedding.h>
#include <wick/nn/init.h>
#include <wick/nn/linear.h>
#include <wick/nn/pooling.h>
#include <wick/nn/sequential.h>
#include <wick/optim/sgd.h>

#include <limits>

// Wrong uses of modules and optimizers.
using namespace wick;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct BareImpl : nn::Module {
  Tensor forward(const Tensor& x) { return x; }
};
WICK_MODULE(Bare);

// Registers in its constructor, so a copy has nothing.
struct RegistersTooEarly : nn::Cloneable<RegistersTooEarly> {
  RegistersTooEarly() { register_parameter("w", ones({2})); }
  void reset() override {}
};

}  // namespace

// --- registration
MISUSE(Module, name_empty, ValueError, "name must not be empty") {
  Bare()->register_parameter("", ones({2}));
}
MISUSE(Module, name_with_dot, ValueError, "dot", "a.b") {
  Bare()->register_parameter("a.b", ones({2}));
}
MISUSE(Module, name_of_two_lines, ValueError, "dot", "two\\n.lines") {
  Bare()->register_parameter("two\n.lines", ones({2}));
}
MISUSE(Module, buffer_name_with_dot, ValueError, "Buffer", "dot", "a.b") {
  Bare()->register_buffer("a.b", ones({2}));
}
MISUSE(Module, module_name_with_dot, ValueError, "Submodule", "dot", "a.b") {
  Bare()->register_module("a.b", Bare());
}
MISUSE(Module, parameter_twice, ValueError, "Parameter", "'w' already defined") {
  Bare m;
  m->register_parameter("w", ones({2}));
  m->register_parameter("w", ones({2}));
}
MISUSE(Module, buffer_named_as_parameter, ValueError, "register_buffer", "'w'", "already") {
  Bare m;
  m->register_parameter("w", ones({2}));
  m->register_buffer("w", ones({2}));
}
MISUSE(Module, module_named_as_buffer, ValueError, "register_module", "'b'", "already") {
  Bare m;
  m->register_buffer("b", ones({2}));
  m->register_module("b", Bare());
}
MISUSE(Module, module_twice, ValueError, "Submodule", "'a' already defined") {
  Bare m;
  m->register_module("a", Bare());
  m->register_module("a", Bare());
}
MISUSE(Module, parameter_of_integers, DTypeError, "floating point", "int64") {
  Bare()->register_parameter("w", ones({2}, kInt64));
}
MISUSE(Module, parameter_was_computed, AutogradError, "register_parameter", "'w'", "mul",
       "detach()") {
  const Tensor x = ones({2}).requires_grad_();
  Bare()->register_parameter("w", x * 2);
}
MISUSE(Module, null_module, ValueError, "register_module", "'a'", "null") {
  Bare()->register_module("a", std::shared_ptr<BareImpl>());
}
MISUSE(Module, empty_holder_registered, ValueError, "empty ModuleHolder") {
  Bare()->register_module("a", Bare(nullptr));
}
MISUSE(Module, contains_itself, ValueError, "register_module", "'a'", "tree") {
  Bare m;
  m->register_module("a", m);
}
MISUSE(Module, cycle_of_three, ValueError, "register_module", "'c'", "tree") {
  Bare a, b, c;
  a->register_module("a", b);
  b->register_module("b", c);
  c->register_module("c", a);
}
MISUSE(Module, cycle_by_replacement, ValueError, "'b'", "tree") {
  Bare a, b;
  a->register_module("b", b);
  b->register_module("b", Bare());
  b->replace_module("b", a);
}
MISUSE(Module, replace_unregistered, IndexError, "'x'") { Bare()->replace_module("x", Bare()); }
MISUSE(Module, unregister_unregistered, IndexError, "'x'") { Bare()->unregister_module("x"); }
MISUSE(Module, look_up_unregistered, IndexError, "'w'", "not defined") {
  nn::Linear(2, 3)->named_parameters()["w"];
}

// --- holders, containers
MISUSE(Module, empty_holder_called, ValueError, "empty ModuleHolder") {
  nn::Linear net{nullptr};
  net(ones({2}));
}
MISUSE(Module, moved_from_holder, ValueError, "empty ModuleHolder") {
  nn::Linear a(2, 3);
  const nn::Linear b = std::move(a);
  a->parameters();
}
MISUSE(Module, empty_sequential, ValueError, "forward()", "empty Sequential") {
  nn::Sequential()(ones({2}));
}
MISUSE(Module, sequential_index, IndexError, "Sequential", "index 1", "1 modules") {
  nn::Sequential net(nn::Linear(2, 3));
  net[1];
}
MISUSE(Module, sequential_other_type, ValueError, "Sequential", "module 0", "Linear") {
  nn::Sequential net(nn::Linear(2, 3));
  net->at<nn::Conv2dImpl>(0);
}
MISUSE(Module, sequential_null, ValueError, "'0'", "null") {
  nn::Sequential net;
  net->push_back(std::shared_ptr<nn::LinearImpl>());
}
MISUSE(Module, clone_not_cloneable, NotImplementedError, "clone()", "Cloneable") {
  Bare()->clone();
}
MISUSE(Module, clone_without_reset, ValueError, "clone", "reset()") {
  std::make_shared<RegistersTooEarly>()->clone();
}
MISUSE(Module, modules_of_stack_object, ValueError, "shared_ptr", "make_shared") {
  BareImpl on_the_stack;
  on_the_stack.modules();
}

// --- options and calls
MISUSE(Module, linear_negative, ValueError, "Linear", "-2") { nn::Linear(-2, 3); }
MISUSE(Module, linear_huge, ShapeError, "more elements") {
  nn::Linear(int64_t{1} << 40, int64_t{1} << 40);
}
MISUSE(Module, linear_larger_than_memory, OutOfMemoryError, "out of", "memory", "requested") {
  nn::Linear(int64_t{1} << 25, int64_t{1} << 25);
}
MISUSE(Module, conv_groups, ValueError, "Conv2d", "divisible by groups 2") {
  nn::Conv2d(nn::Conv2dOptions(3, 4, 3).groups(2));
}
MISUSE(Module, conv_kernel_zero, ValueError, "Conv2d", "kernel_size", "0") {
  nn::Conv2d(nn::Conv2dOptions(3, 4, 0));
}
MISUSE(Module, conv_kernel_of_three, ValueError, "Expected 2 values", "3") {
  nn::Conv2d(nn::Conv2dOptions(3, 4, {3, 3, 3}));
}
MISUSE(Module, batch_norm_no_features, ValueError, "BatchNorm", "num_features >= 1", "0") {
  nn::BatchNorm1d(0);
}
MISUSE(Module, batch_norm_nan_eps, ValueError, "eps", "nan") {
  nn::BatchNorm1d(nn::BatchNormOptions(2).eps(kNan))(ones({4, 2}));
}
MISUSE(Module, batch_norm_2d_of_matrix, ShapeError, "BatchNorm2d", "[N, C, H, W]", "[4, 2]") {
  nn::BatchNorm2d(2)(ones({4, 2}));
}
MISUSE(Module, batch_norm_other_channels, ShapeError, "batch_norm", "[3]", "[2]") {
  nn::BatchNorm1d(2)(ones({4, 3}));
}
MISUSE(Module, dropout_nan, ValueError, "between 0 and 1", "nan") { nn::Dropout{kNan}; }
MISUSE(Module, gelu_kind, ValueError, "GELU", "exact") {
  nn::GELU(nn::GELUOptions().approximate("exact"));
}
MISUSE(Module, embedding_padding, ValueError, "Padding_idx", "7") {
  nn::Embedding(nn::EmbeddingOptions(5, 2).padding_idx(7));
}
MISUSE(Module, embedding_by_float, DTypeError, "embedding", "int64", "float32") {
  nn::Embedding(5, 2)(ones({2}));
}
MISUSE(Module, pool_stride_zero, ValueError, "max_pool2d", "stride >= 1", "0") {
  nn::MaxPool2d(nn::MaxPool2dOptions(2).stride(0))(ones({1, 1, 4, 4}));
}
MISUSE(Module, init_of_vector, ShapeError, "Fan in", "[3]") {
  nn::init::kaiming_uniform_(empty({3}));
}
MISUSE(Module, to_integers, DTypeError, "Module::to", "int64") { nn::Linear(2, 3)->to(kInt64); }
MISUSE(Module, to_absent_gpu, DeviceError, "cuda:120") { nn::Linear(2, 3)->to(Device("cuda:120")); }
MISUSE(Module, input_of_other_type, DTypeError, "linear", "float64", "float32") {
  nn::Linear(2, 3)(ones({1, 2}, kFloat64));
}
MISUSE(Module, in_place_relu_of_leaf, AutogradError, "leaf", "relu_") {
  nn::ReLU(nn::ReLUOptions(true))(ones({2}).requires_grad_());
}

// --- states
MISUSE(Module, state_missing_unexpected_and_shape, ValueError, "load_state_dict",
       "missing keys: 'weight'", "unexpected keys: 'extra', 'more.w'",
       "'bias' is [3] in the model and [4] in the state", "Nothing was loaded") {
  nn::StateDict state;
  state.insert(std::string("bias"), zeros({4}));
  state.insert(std::string("extra"), zeros({1}));
  state.insert(std::string("more.w"), zeros({1}));
  nn::Linear(2, 3)->load_state_dict(state);
}
MISUSE(Module, state_of_undefined_tensors, ValueError, "load_state_dict", "'weight'") {
  nn::Linear net(2, 3);
  nn::StateDict state = net->state_dict();
  state["weight"] = Tensor();
  net->load_state_dict(state);
}
MISUSE(Module, state_shape_not_strict, ValueError, "load_state_dict", "'bias' is [3]") {
  nn::StateDict state;
  state.insert(std::string("bias"), zeros({4}));
  nn::Linear(2, 3)->load_state_dict(state, /*strict=*/false);
}

// --- optimizers
MISUSE(Optimizer, no_parameters, ValueError, "empty parameter list") {
  optim::SGD(std::vector<Tensor>(), 0.1);
}
MISUSE(Optimizer, no_groups, ValueError, "empty parameter list") {
  optim::SGD(std::vector<optim::OptimizerParamGroup>(), 0.1);
}
MISUSE(Optimizer, undefined_parameter, ValueError, "parameter 1", "undefined") {
  optim::SGD({ones({2}), Tensor()}, 0.1);
}
MISUSE(Optimizer, computed_parameter, AutogradError, "non-leaf", "parameter 0", "mul") {
  optim::SGD({ones({2}).requires_grad_() * 2}, 0.1);
}
MISUSE(Optimizer, parameter_twice, ValueError, "more than one", "parameter 1") {
  const Tensor w = ones({2}).requires_grad_();
  optim::SGD({w, w}, 0.1);
}
MISUSE(Optimizer, learning_rate_nan, ValueError, "learning rate", "nan") {
  optim::SGD({ones({2})}, kNan);
}
MISUSE(Optimizer, learning_rate_negative, ValueError, "learning rate", "-0.1") {
  optim::SGD({ones({2})}, -0.1);
}
MISUSE(Optimizer, learning_rate_set_to_infinity, ValueError, "learning rate", "inf") {
  const Tensor w = ones({2}).requires_grad_();
  optim::SGD sgd({w}, 0.1);
  w.sum().backward();
  sgd.param_groups()[0].options().set_lr(std::numeric_limits<double>::infinity());
  sgd.step();
}
MISUSE(Optimizer, nesterov_without_momentum, ValueError, "Nesterov", "momentum") {
  optim::SGD({ones({2})}, optim::SGDOptions(0.1).nesterov(true));
}
MISUSE(Optimizer, gradient_of_other_shape, ShapeError, "SGD", "parameter 0", "[2]", "[3]") {
  Tensor w = ones({2}).requires_grad_();
  optim::SGD sgd({w}, 0.1);
  w.mutable_grad() = ones({3});
  sgd.step();
}
MISUSE(Optimizer, step_between_forward_and_backward, AutogradError,
       "modified by an inplace operation", "version") {
  Tensor w = ones({2}).requires_grad_();
  optim::SGD sgd({w}, 0.1);
  const Tensor loss = (w * w).sum();
  loss.backward({}, /*retain_graph=*/true);
  sgd.step();
  loss.backward();
}
MISUSE(Optimizer, parameter_changed_shape, ShapeError, "optimizer", "parameter 0", "[3, 2]",
       "[3, 4]") {
  nn::Linear net(2, 3);
  optim::SGD sgd(net->parameters(), 0.1);
  net->weight = nn::Parameter(ones({3, 4}));
  sgd.step();
}
MISUSE(Optimizer, state_of_other_model, ValueError, "optimizer load_state_dict",
       "0.momentum_buffer", "[5]", "[2]", "Nothing was loaded") {
  const auto state_for = [](int64_t n) {
    const Tensor w = ones({n}).requires_grad_();
    optim::SGD sgd({w}, optim::SGDOptions(0.1).momentum(0.9));
    w.sum().backward();
    sgd.step();
    return sgd.state_dict();
  };
  optim::SGD sgd({ones({2})}, optim::SGDOptions(0.1).momentum(0.9));
  sgd.load_state_dict(state_for(5));
}
MISUSE(Optimizer, state_empty, ValueError, "optimizer load_state_dict", "missing: group.0.lr") {
  optim::SGD({ones({2})}, 0.1).load_state_dict(nn::StateDict());
}
MISUSE(Optimizer, group_options_before_use, ValueError, "no options yet") {
  optim::OptimizerParamGroup(std::vector<Tensor>{ones({2})}).options();
}
