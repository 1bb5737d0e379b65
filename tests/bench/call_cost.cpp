// What one call costs when there is nothing to compute: nanoseconds for each of the hottest paths.
//   build/release/bin/call_cost
#include <benchmark/benchmark.h>

#include <wick/wick.h>

namespace {

using wick::Tensor;

void add_without_grad(benchmark::State& state) {
  const Tensor a = wick::ones({1});
  const Tensor b = wick::ones({1});
  const wick::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(wick::add(a, b));
}
BENCHMARK(add_without_grad);

void add_with_grad(benchmark::State& state) {
  const Tensor a = wick::ones({1}).requires_grad_();
  const Tensor b = wick::ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(wick::add(a, b));
}
BENCHMARK(add_with_grad);

void mul_with_grad(benchmark::State& state) {
  const Tensor a = wick::ones({1}).requires_grad_();
  const Tensor b = wick::ones({1}).requires_grad_();
  for (auto _ : state) benchmark::DoNotOptimize(wick::mul(a, b));
}
BENCHMARK(mul_with_grad);

void view_of_a_matrix(benchmark::State& state) {
  const Tensor x = wick::ones({4, 6});
  for (auto _ : state) benchmark::DoNotOptimize(x.view({6, 4}));
}
BENCHMARK(view_of_a_matrix);

void select_row(benchmark::State& state) {
  const Tensor x = wick::ones({4, 6});
  for (auto _ : state) benchmark::DoNotOptimize(x.select(0, 1));
}
BENCHMARK(select_row);

void empty_tensor(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(wick::empty({1}));
}
BENCHMARK(empty_tensor);

void add_in_place(benchmark::State& state) {
  Tensor a = wick::ones({1});
  const Tensor b = wick::ones({1});
  for (auto _ : state) benchmark::DoNotOptimize(a.add_(b));
}
BENCHMARK(add_in_place);

void chain_forward_and_backward(benchmark::State& state) {
  const Tensor x = wick::ones({1}).requires_grad_();
  for (auto _ : state) {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y + x;
    y.backward();
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(chain_forward_and_backward);

}  // namespace

BENCHMARK_MAIN();
