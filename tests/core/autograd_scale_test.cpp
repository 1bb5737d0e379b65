#include <gtest/gtest.h>
#include <pthread.h>
#include <tests/support/leaf.h>
#include <wick/core/function.h>
#include <wick/core/storage.h>

#include <cmath>
#include <thread>

// Deep graphs and many threads. The deepest are on the CPU whatever the default device is: they are
// about the engine, and a million kernels take long where a GPU is emulated.
namespace {

using namespace wick;
using autograd::AutogradContext;
using autograd::variable_list;
using test::grad_of;
using test::Values;

struct Cube : autograd::Function<Cube> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x * x;
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    return {grads[0] * 3 * ctx->get_saved_variables()[0].pow(2)};
  }
};

void on_small_stack(void (*work)()) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
  pthread_t thread;
  const auto run = [](void* f) -> void* {
    reinterpret_cast<void (*)()>(f)();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, reinterpret_cast<void*>(work)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST(AutogradDeepChain, a_million_ops_run_backward_and_are_freed) {
  on_small_stack([] {
    const int64_t nodes = live_nodes();
    const Tensor x = ones({1}, kCPU).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 1'000'000; ++i) y = y + 1;
    EXPECT_GE(live_nodes(), nodes + 1'000'000);
    y.backward();
    EXPECT_EQ(grad_of(x), Values{1});
    y = Tensor();
    EXPECT_LE(live_nodes(), nodes + 1);
  });
}

TEST(AutogradDeepChain, saved_tensors_are_freed_without_a_backward) {
  on_small_stack([] {
    const Tensor x = ones({1}).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 200'000; ++i) y = (y * x).relu();
    y = Tensor();
    EXPECT_LE(live_nodes(), 1);
  });
}

TEST(AutogradDeepChain, of_writes_into_a_view) {
  on_small_stack([] {
    const Tensor x = ones({2}, kCPU).requires_grad_();
    Tensor y = x * 1;
    Tensor view = y[0];
    for (int i = 0; i < 20'000; ++i) view.add_(1);
    y.sum().backward();
    EXPECT_EQ(grad_of(x), (Values{1, 1}));
  });
}

TEST(AutogradDeepChain, of_functions_of_the_users_own) {
  on_small_stack([] {
    const Tensor x = ones({1}).requires_grad_();
    Tensor y = x;
    for (int i = 0; i < 50'000; ++i) y = Cube::apply(y);
    EXPECT_EQ(autograd::grad({y}, {x}, {}, true)[0].numel(), 1);  // the walk that looks for x
    y = Tensor();
    EXPECT_LE(live_nodes(), 1);
  });
}

// --- threads

template <class Work>
void on_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (auto& t : threads) t.join();
}

TEST(AutogradThreads, leaves_add_up_gradients_of_all_threads) {
  const Tensor x = ones({64}).requires_grad_();
  on_threads(8, [&](int) {
    for (int i = 0; i < 50; ++i) (x * 2).sum().backward();
  });
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(64, 800));
}

TEST(AutogradThreads, grad_mode_is_each_threads_own) {
  const NoGradGuard no_grad;
  const Tensor x = ones({4}).requires_grad_();
  on_threads(2, [&](int) { EXPECT_TRUE((x * 2).requires_grad()); });
  EXPECT_FALSE((x * 2).requires_grad());
}

TEST(AutogradThreads, a_graph_is_made_walked_and_freed_by_different_threads) {
  const Tensor x = ones({4}).requires_grad_();
  std::vector<Tensor> losses(8);
  on_threads(8, [&](int i) { losses[i] = (x.exp() * x).sum(); });
  on_threads(8, [&](int i) { losses[i].backward(); });
  on_threads(8, [&](int i) { losses[7 - i] = Tensor(); });
  EXPECT_NEAR(x.grad()[0].item<double>(), 8 * 2 * std::exp(1), 1e-4);
}

}  // namespace
