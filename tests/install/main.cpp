#include <wick/wick.h>
#include <cstdio>
#include <string>

// What a program outside wick's tree relies on: layers, a training step, a file, and errors that
// keep their type across the library's edge.
namespace {

int fail(const char* what) {
  std::fprintf(stderr, "consumer: %s\n", what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  wick::manual_seed(1);
  wick::nn::Sequential net(wick::nn::Linear(4, 8), wick::nn::ReLU(), wick::nn::Linear(8, 3));
  wick::optim::SGD sgd(net->parameters(), wick::optim::SGDOptions(0.1).momentum(0.9));
  const wick::Tensor x = wick::randn({16, 4});
  const wick::Tensor target = wick::randint(0, 3, {16}, wick::kInt64);

  float first = 0;
  float last = 0;
  for (int step = 0; step < 50; ++step) {
    sgd.zero_grad();
    const wick::Tensor loss = wick::nn::functional::cross_entropy(net->forward(x), target);
    loss.backward();
    sgd.step();
    last = loss.item<float>();
    if (step == 0) first = last;
  }
  if (!(last < first)) return fail("the loss did not fall");

  try {
    net->forward(wick::ones({2, 5}));
    return fail("a wrong shape was accepted");
  } catch (const wick::ShapeError& error) {
    if (std::string(error.what()).empty()) return fail("an error without a message");
  }

  const std::string folder = argc > 1 ? argv[1] : ".";
  wick::io::save_safetensors(net->state_dict(), folder + "/net.safetensors");
  wick::nn::Sequential copy(wick::nn::Linear(4, 8), wick::nn::ReLU(), wick::nn::Linear(8, 3));
  copy->load_state_dict(wick::io::load_safetensors(folder + "/net.safetensors"));
  const wick::Tensor difference = (net->forward(x) - copy->forward(x)).abs().max();
  if (difference.item<float>() != 0) return fail("the file changed the network");
  std::printf("consumer: loss %.4f -> %.4f\n", first, last);
  return 0;
}
