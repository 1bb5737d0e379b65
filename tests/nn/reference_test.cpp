#include <tests/support/gradcheck.h>
#include <tests/support/reference.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <wick/nn/activation.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/dropout.h>
#include <wick/nn/embedding.h>
#include <wick/nn/init.h>
#include <wick/nn/linear.h>
#include <wick/nn/pooling.h>
#include <wick/nn/sequential.h>
#include <cmath>
#include <functional>
#include <sstream>

namespace wick::nn {
namespace {

using test::ReferenceTensor;

struct Built {
  std::shared_ptr<Module> module;
  std::function<Tensor(const Tensor&)> call;
};
struct Layer {
  const char* name;
  const char* input;
  const char* text;
  Built (*build)();
};

#define LAYER(name, torch, expression, input, text)                               \
  {name, input, text, [] {                                                        \
     auto holder = expression;                                                    \
     return Built{holder.ptr(), [holder](const Tensor& x) { return holder(x); }}; \
   }},

// LAYER(name, PyTorch's expression, wick's expression, input, what it prints). make_reference.py
// reads these, gives the parameters sample values and stores what training and then evaluation
// give.
// A row is a line:
// clang-format off
const Layer kLayers[] = {
LAYER("Linear", "torch.nn.Linear(3, 4)", Linear(3, 4), "f[2,3]", "wick::nn::Linear(in_features=3, out_features=4, bias=true)")
LAYER("Linear/bare", "torch.nn.Linear(2, 5, bias=False)", Linear(LinearOptions(2, 5).bias(false)), "f[2,3,2]", "wick::nn::Linear(in_features=2, out_features=5, bias=false)")
LAYER("Flatten", "torch.nn.Flatten()", Flatten(), "f[2,3,4]", "wick::nn::Flatten(start_dim=1, end_dim=-1)")
LAYER("Flatten/dims", "torch.nn.Flatten(0, 1)", Flatten(FlattenOptions().start_dim(0).end_dim(1)), "f[2,3,4]", "wick::nn::Flatten(start_dim=0, end_dim=1)")
LAYER("Conv2d", "torch.nn.Conv2d(2, 3, 3)", Conv2d(2, 3, 3), "f[1,2,4,5]", "wick::nn::Conv2d(2, 3, kernel_size=[3, 3], stride=[1, 1])")
LAYER("Conv2d/options", "torch.nn.Conv2d(2, 4, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False)", Conv2d(Conv2dOptions(2, 4, {2, 3}).stride({2, 1}).padding({1, 2}).dilation({1, 2}).groups(2).bias(false)), "f[1,2,4,4]", "wick::nn::Conv2d(2, 4, kernel_size=[2, 3], stride=[2, 1], padding=[1, 2], dilation=[1, 2], groups=2, bias=false)")
LAYER("Conv2d/unbatched", "torch.nn.Conv2d(1, 2, 1, stride=2)", Conv2d(Conv2dOptions(1, 2, 1).stride(2)), "f[1,5,5]", "wick::nn::Conv2d(1, 2, kernel_size=[1, 1], stride=[2, 2])")
LAYER("MaxPool2d", "torch.nn.MaxPool2d(2)", MaxPool2d(2), "f[1,2,4,4]", "wick::nn::MaxPool2d(kernel_size=[2, 2], stride=[2, 2], padding=[0, 0], dilation=[1, 1], ceil_mode=false)")
LAYER("MaxPool2d/options", "torch.nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0), ceil_mode=True)", MaxPool2d(MaxPool2dOptions({3, 2}).stride({2, 1}).padding({1, 0}).ceil_mode(true)), "f[2,5,4]", "wick::nn::MaxPool2d(kernel_size=[3, 2], stride=[2, 1], padding=[1, 0], dilation=[1, 1], ceil_mode=true)")
LAYER("AvgPool2d", "torch.nn.AvgPool2d(2)", AvgPool2d(2), "f[1,2,4,4]", "wick::nn::AvgPool2d(kernel_size=[2, 2], stride=[2, 2], padding=[0, 0])")
LAYER("AvgPool2d/options", "torch.nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)", AvgPool2d(AvgPool2dOptions(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false)), "f[2,5,4]", "wick::nn::AvgPool2d(kernel_size=[3, 3], stride=[2, 2], padding=[1, 1])")
LAYER("BatchNorm1d", "torch.nn.BatchNorm1d(3)", BatchNorm1d(3), "f[4,3]", "wick::nn::BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)")
LAYER("BatchNorm1d/average", "torch.nn.BatchNorm1d(2, eps=0.5, momentum=None)", BatchNorm1d(BatchNormOptions(2).eps(0.5).momentum(std::nullopt)), "f[3,2,4]", "wick::nn::BatchNorm1d(2, eps=0.5, momentum=None, affine=true, track_running_stats=true)")
LAYER("BatchNorm2d", "torch.nn.BatchNorm2d(2, momentum=0.5)", BatchNorm2d(BatchNormOptions(2).momentum(0.5)), "f[2,2,2,3]", "wick::nn::BatchNorm2d(2, eps=1e-05, momentum=0.5, affine=true, track_running_stats=true)")
LAYER("BatchNorm2d/plain", "torch.nn.BatchNorm2d(2, affine=False)", BatchNorm2d(BatchNormOptions(2).affine(false)), "f[1,2,3,3]", "wick::nn::BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=false, track_running_stats=true)")
LAYER("BatchNorm2d/stateless", "torch.nn.BatchNorm2d(2, track_running_stats=False)", BatchNorm2d(BatchNormOptions(2).track_running_stats(false)), "f[2,2,2,3]", "wick::nn::BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=true, track_running_stats=false)")
LAYER("Dropout/none", "torch.nn.Dropout(0.0)", Dropout(0.0), "f[2,3]", "wick::nn::Dropout(p=0, inplace=false)")
LAYER("Dropout/all", "torch.nn.Dropout(1.0)", Dropout(DropoutOptions(1.0)), "f[2,3]", "wick::nn::Dropout(p=1, inplace=false)")
LAYER("ReLU", "torch.nn.ReLU()", ReLU(), "f{-1,0,2}", "wick::nn::ReLU()")
LAYER("ReLU/inplace", "torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(inplace=True))", Sequential(Linear(3, 2), ReLU(ReLUOptions(true))), "f[2,3]", "wick::nn::Sequential(\n  (0): wick::nn::Linear(in_features=3, out_features=2, bias=true)\n  (1): wick::nn::ReLU(inplace=true)\n)")
LAYER("Sigmoid", "torch.nn.Sigmoid()", Sigmoid(), "f[2,3]", "wick::nn::Sigmoid()")
LAYER("Sigmoid/far", "torch.nn.Sigmoid()", Sigmoid(), "f{-100,0,100}", "wick::nn::Sigmoid()")
LAYER("Tanh", "torch.nn.Tanh()", Tanh(), "f[2,3]", "wick::nn::Tanh()")
LAYER("Tanh/far", "torch.nn.Tanh()", Tanh(), "f{-100,0,100}", "wick::nn::Tanh()")
LAYER("GELU", "torch.nn.GELU()", GELU(), "f[2,3]", "wick::nn::GELU()")
LAYER("GELU/tanh", "torch.nn.GELU(approximate='tanh')", GELU(GELUOptions().approximate("tanh")), "f[2,3]", "wick::nn::GELU()")
LAYER("LogSoftmax", "torch.nn.LogSoftmax(1)", LogSoftmax(1), "f[2,3]", "wick::nn::LogSoftmax(dim=1)")
LAYER("LogSoftmax/dim", "torch.nn.LogSoftmax(-2)", LogSoftmax(LogSoftmaxOptions(-2)), "f[2,3,2]", "wick::nn::LogSoftmax(dim=-2)")
LAYER("Embedding", "torch.nn.Embedding(5, 3)", Embedding(5, 3), "n5[2,4]", "wick::nn::Embedding(num_embeddings=5, embedding_dim=3)")
LAYER("Embedding/padding", "torch.nn.Embedding(5, 2, padding_idx=-3)", Embedding(EmbeddingOptions(5, 2).padding_idx(-3)), "n5[7]", "wick::nn::Embedding(num_embeddings=5, embedding_dim=2, padding_idx=2)")
LAYER("Sequential", "torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.GELU(), torch.nn.Flatten(), torch.nn.Linear(8, 2))", Sequential(Conv2d(1, 2, 3), BatchNorm2d(2), GELU(), Flatten(), Linear(8, 2)), "f[2,1,4,4]", "wick::nn::Sequential(\n  (0): wick::nn::Conv2d(1, 2, kernel_size=[3, 3], stride=[1, 1])\n  (1): wick::nn::BatchNorm2d(2, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)\n  (2): wick::nn::GELU()\n  (3): wick::nn::Flatten(start_dim=1, end_dim=-1)\n  (4): wick::nn::Linear(in_features=8, out_features=2, bias=true)\n)")
};
// clang-format on
#undef LAYER

constexpr size_t kParameterSample = 10;

/// Everything that a pass through a layer gives, in the order in which it is stored.
std::vector<Tensor> pass(const Built& layer, const char* input, DType run) {
  const auto specs = test::parse_case(input);
  Tensor x = test::make_sample(specs[0], 0, run);
  if (x.is_floating_point()) x.requires_grad_();
  layer.module->zero_grad();
  const Tensor y = layer.call(x);
  if (y.requires_grad()) y.backward(test::sample_like(y, test::kGradSample));
  std::vector<Tensor> all = {y.detach(), x.grad()};
  for (const Tensor& p : layer.module->parameters()) all.push_back(p.grad());
  for (const Tensor& b : layer.module->buffers()) all.push_back(b.clone());
  return all;
}

void compare(const Layer& row, DType run, double tolerance) {
  SCOPED_TRACE(str(row.name, " in ", run));
  const test::Reference* reference = test::find_reference(str("nn ", row.name), row.input);
  ASSERT_NE(reference, nullptr) << "nothing stored: run tests/support/make_reference.py";
  const Built layer = row.build();
  layer.module->to(run);
  size_t sample = kParameterSample;
  for (Tensor& p : layer.module->parameters()) {
    const NoGradGuard no_grad;
    p.copy_(test::sample_like(p, sample++));
  }
  std::vector<Tensor> all;
  for (const bool training : {true, false}) {
    layer.module->train(training);
    for (const Tensor& t : pass(layer, row.input, run)) all.push_back(t);
  }
  ASSERT_EQ(all.size(), reference->outputs.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const ReferenceTensor& wanted = reference->outputs[i];
    ASSERT_EQ(all[i].defined(), wanted.defined) << "tensor " << i;
    if (!wanted.defined) continue;
    EXPECT_LE(test::distance(all[i], wanted.values()), tolerance)
        << "tensor " << i << "\ngot      " << all[i].str() << "\nexpected "
        << wanted.values().str();
  }
}

TEST(LayerReference, ForwardAndBackwardArePyTorchs) {
  for (const Layer& row : kLayers) compare(row, kFloat64, 1e-13);
}

TEST(LayerReference, Float32RoundsThem) {
  for (const Layer& row : kLayers) compare(row, kFloat32, 5e-6);
}

TEST(LayerReference, PrintedText) {
  for (const Layer& row : kLayers) {
    std::ostringstream out;
    out << *row.build().module;
    EXPECT_EQ(out.str(), row.text) << row.name;
  }
}

TEST(LayerReference, CopiesAreIndependent) {
  for (const Layer& row : kLayers) {
    SCOPED_TRACE(row.name);
    const Built layer = row.build();
    if (dynamic_cast<SequentialImpl*>(layer.module.get())) continue;
    const std::shared_ptr<Module> copy = layer.module->clone();
    const std::vector<Tensor> own = layer.module->parameters(), other = copy->parameters();
    ASSERT_EQ(own.size(), other.size());
    for (size_t i = 0; i < own.size(); ++i) {
      EXPECT_TRUE(equal(own[i], other[i]));
      EXPECT_FALSE(own[i].is_alias_of(other[i]));
      EXPECT_TRUE(other[i].requires_grad());
    }
  }
}

// --- initial values: within the bounds, and with the moments, of their distribution

struct Moments {
  double least, most, mean, variance;
};

Moments moments(const Tensor& x) {
  const std::vector<double> v = x.detach().to_vector<double>();
  Moments m{v[0], v[0], 0, 0};
  const auto n = static_cast<double>(v.size());
  for (const double e : v) {
    m.least = std::min(m.least, e);
    m.most = std::max(m.most, e);
    m.mean += e / n;
  }
  for (const double e : v) m.variance += (e - m.mean) * (e - m.mean) / n;
  return m;
}

/// Five standard errors: chance fails one seed in a million, and the seed is fixed.
void expect_uniform(const Tensor& x, double bound) {
  const Moments m = moments(x);
  const auto n = static_cast<double>(x.numel());
  EXPECT_GE(m.least, -bound);
  EXPECT_LE(m.most, bound);
  EXPECT_GT(m.most - m.least, 2 * bound * (1 - 20 / n));
  EXPECT_NEAR(m.mean, 0, 5 * bound / std::sqrt(3 * n));
  EXPECT_NEAR(m.variance, bound * bound / 3, 5 * bound * bound / 3 * std::sqrt(0.8 / n));
}

void expect_normal(const Tensor& x, double deviation) {
  const Moments m = moments(x);
  const auto n = static_cast<double>(x.numel());
  EXPECT_NEAR(m.mean, 0, 5 * deviation / std::sqrt(n));
  EXPECT_NEAR(m.variance, deviation * deviation, 5 * deviation * deviation * std::sqrt(2 / n));
  EXPECT_GT(m.most, 3 * deviation);
  EXPECT_LT(m.least, -3 * deviation);
}

TEST(LayerDefaults, ArePyTorchsDistributions) {
  manual_seed(7);
  const Linear linear(100, 400);
  expect_uniform(linear->weight, 0.1);
  expect_uniform(linear->bias, 0.1);
  const Conv2d conv(Conv2dOptions(16, 64, {5, 2}).groups(4));
  expect_uniform(conv->weight, 1 / std::sqrt(40.));
  expect_uniform(conv->bias, 1 / std::sqrt(40.));
  const Embedding embedding(EmbeddingOptions(200, 100).padding_idx(3));
  expect_normal(embedding->weight.slice(0, 4), 1);
  EXPECT_TRUE(equal(embedding->weight[3].detach(), zeros(100)));
  const BatchNorm2d norm(5);
  EXPECT_TRUE(equal(norm->weight.detach(), ones(5)));
  EXPECT_TRUE(equal(norm->bias.detach(), zeros(5)));
  EXPECT_TRUE(equal(norm->running_mean, zeros(5)));
  EXPECT_TRUE(equal(norm->running_var, ones(5)));
  EXPECT_EQ(norm->num_batches_tracked.item<int64_t>(), 0);
}

TEST(LayerDefaults, ComeFromTheSeed) {
  manual_seed(3);
  const Linear a(20, 30);
  const Linear other(20, 30);
  manual_seed(3);
  const Linear b(20, 30);
  EXPECT_TRUE(equal(a->weight, b->weight));
  EXPECT_TRUE(equal(a->bias, b->bias));
  EXPECT_FALSE(equal(a->weight, other->weight));
}

TEST(LayerDefaults, InitFunctions) {
  manual_seed(11);
  const auto make = [] { return empty({128, 32, 3, 1}); };  // fan in 96, fan out 384
  expect_uniform(init::xavier_uniform_(make(), 2), 2 * std::sqrt(6. / 480));
  expect_normal(init::xavier_normal_(make()), std::sqrt(2. / 480));
  expect_uniform(init::kaiming_uniform_(make(), std::sqrt(5.)), 1 / std::sqrt(96.));
  expect_normal(init::kaiming_normal_(make(), 0, init::FanMode::FanOut, init::Nonlinearity::ReLU),
                std::sqrt(2. / 384));
  expect_uniform(init::uniform_(make(), -3, 3), 3);
  expect_normal(init::normal_(make(), 0, 2), 2);
  EXPECT_TRUE(equal(init::constant_(make(), 2.5), full({128, 32, 3, 1}, 2.5)));
}

}  // namespace
}  // namespace wick::nn
