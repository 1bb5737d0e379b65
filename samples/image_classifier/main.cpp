// Trains a small convolutional network on MNIST, Fashion-MNIST or any data set in their format.
//
//   image_classifier --data /usr/share/datasets/fashion-mnist --epochs 5 --checkpoint
//   model.safetensors
#include <unistd.h>

#include <wick/wick.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>

using wick::Tensor;
namespace nn = wick::nn;
namespace F = wick::nn::functional;

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl(int64_t height, int64_t width, int64_t classes)
      : height(height), width(width), classes(classes) {
    reset();
  }
  void reset() override {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 32, 3).padding(1)));
    norm1 = register_module("norm1", nn::BatchNorm2d(32));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(32, 64, 3).padding(1)));
    norm2 = register_module("norm2", nn::BatchNorm2d(64));
    fc1 = register_module("fc1", nn::Linear(64 * (height / 4) * (width / 4), 128));
    dropout = register_module("dropout", nn::Dropout(0.25));
    fc2 = register_module("fc2", nn::Linear(128, classes));
  }
  Tensor forward(Tensor x) {
    x = F::max_pool2d(F::relu(norm1(conv1(x))), 2);
    x = F::max_pool2d(F::relu(norm2(conv2(x))), 2);
    x = dropout(F::relu(fc1(x.flatten(1))));
    return fc2(x);
  }

  int64_t height, width, classes;
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::BatchNorm2d norm1{nullptr}, norm2{nullptr};
  nn::Linear fc1{nullptr}, fc2{nullptr};
  nn::Dropout dropout{nullptr};
};
WICK_MODULE(Net);

struct Settings {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string checkpoint = "image_classifier.safetensors";
  std::string resume;
  std::string device = "cpu";
  int epochs = 5;
  int total_epochs = 0;  // of the learning rate's schedule; 0: epochs
  int64_t batch_size = 64;
  double lr = 0.05;
  uint64_t seed = 1;
};

// A batch of images as the network wants them: float32 [N, 1, H, W], roughly mean 0 and
// deviation 1.
Tensor prepare(const Tensor& images, const Tensor& index, wick::Device device) {
  const Tensor batch = images.index_select(0, index).to(device).to(wick::kFloat32);
  return ((batch / 255 - 0.5) / 0.3).unsqueeze(1);
}

double evaluate(Net& net, const wick::data::LabelledImages& set, wick::Device device) {
  const wick::NoGradGuard no_grad;
  net->eval();
  int64_t right = 0;
  wick::data::Batches batches(set.images.size(0), 500, /*shuffle=*/false);
  Tensor index;
  for (batches.start_epoch(); batches.next(index);) {
    const Tensor predicted = net(prepare(set.images, index, device)).argmax(1).cpu();
    right += predicted.eq(set.labels.index_select(0, index)).sum().item<int64_t>();
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(set.images.size(0));
}

void show_progress(int64_t done, int64_t total, double loss) {
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(done * kWidth / total);
  std::printf("\r[%.*s%*s] %3d%%  loss %.4f ", filled, "##############################",
              kWidth - filled, "", static_cast<int>(done * 100 / total), loss);
  std::fflush(stdout);
}

// One pass over the data; returns the mean loss. The learning rate rises over the first tenth of
// all steps and falls to zero along a cosine.
double train_epoch(Net& net, wick::optim::SGD& optimizer, const wick::data::LabelledImages& set,
                   wick::data::Batches& batches, const Settings& s, int epoch) {
  const wick::Device device(s.device);
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const double steps =
      static_cast<double>(batches.size()) * (s.total_epochs ? s.total_epochs : s.epochs);
  net->train();
  double sum = 0;
  int64_t done = 0;
  int64_t step = (epoch - 1) * batches.size();
  Tensor index;
  for (batches.start_epoch(); batches.next(index); ++step) {
    const double at = static_cast<double>(step) / steps;
    const double factor =
        at < 0.1 ? (at + 1e-3) / 0.1 : 0.5 * (1 + std::cos(M_PI * (at - 0.1) / 0.9));
    optimizer.param_groups()[0].options().set_lr(s.lr * factor);
    optimizer.zero_grad();
    const Tensor target = set.labels.index_select(0, index).to(device);
    const Tensor loss = F::cross_entropy(net(prepare(set.images, index, device)), target);
    loss.backward();
    optimizer.step();
    sum += loss.item<double>() * static_cast<double>(index.numel());
    done += index.numel();
    if (terminal && step % 20 == 0)
      show_progress(done, set.images.size(0), sum / static_cast<double>(done));
  }
  if (terminal) std::printf("\r%60s\r", "");
  return sum / static_cast<double>(std::max<int64_t>(done, 1));
}

int run(const Settings& s) {
  const wick::Device device(s.device);
  wick::manual_seed(s.seed);
  const auto train = wick::data::read_mnist(s.data, /*train=*/true);
  const auto test = wick::data::read_mnist(s.data, /*train=*/false);
  std::printf("%lld training and %lld test images from %s\n",
              static_cast<long long>(train.images.size(0)),
              static_cast<long long>(test.images.size(0)), s.data.c_str());
  const int64_t height = train.images.size(1);
  const int64_t width = train.images.size(2);
  Net net(height, width, 10);
  net->to(device);
  wick::optim::SGD optimizer(net->parameters(),
                             wick::optim::SGDOptions(s.lr).momentum(0.9).weight_decay(5e-4));
  int first = 1;
  if (!s.resume.empty())
    first = static_cast<int>(wick::io::load_checkpoint(s.resume, *net, &optimizer)["epoch"]) + 1;

  wick::data::Batches batches(train.images.size(0), s.batch_size);
  for (int epoch = first; epoch <= s.epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    const double loss = train_epoch(net, optimizer, train, batches, s, epoch);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("epoch %d/%d  loss %.4f  test accuracy %.2f%%  %.0f images/s\n", epoch, s.epochs,
                loss, evaluate(net, test, device),
                static_cast<double>(train.images.size(0)) / time.count());
    std::fflush(stdout);
    wick::io::save_checkpoint(s.checkpoint, *net, &optimizer, {{"epoch", epoch}});
  }

  // What was saved is what was trained: a fresh model from the file must do as well.
  Net fresh(height, width, 10);
  wick::io::load_checkpoint(s.checkpoint, *fresh);
  fresh->to(device);
  std::printf("saved %s and loaded it into a fresh model\n", s.checkpoint.c_str());
  std::printf("test accuracy %.2f%%\n", evaluate(fresh, test, device));
  return 0;
}

int main(int argc, char** argv) {
  Settings s;
  CLI::App app("Trains a small convolutional network to classify images.");
  app.add_option("--data", s.data, "folder with the four IDX files")->capture_default_str();
  app.add_option("--checkpoint", s.checkpoint, "file to save to")->capture_default_str();
  app.add_option("--resume", s.resume, "checkpoint to go on from");
  app.add_option("--device", s.device, "cpu or cuda")->capture_default_str();
  app.add_option("--epochs", s.epochs)->capture_default_str()->check(CLI::Range(1, 10000));
  app.add_option("--schedule-epochs", s.total_epochs,
                 "length of the learning rate's schedule, if not --epochs");
  app.add_option("--batch-size", s.batch_size)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--lr", s.lr, "highest learning rate")->capture_default_str();
  app.add_option("--seed", s.seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(s);
  } catch (const wick::Error& e) {
    std::cerr << "image_classifier: " << e.what() << "\n";
    return 1;
  }
}
