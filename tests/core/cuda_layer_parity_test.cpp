#include <tests/support/cuda_parity.h>
#include <wick/core/autograd.h>
#include <wick/optim/sgd.h>

// Products, windows, normalisation, indices and the optimizer on CUDA, at sizes around tiles,
// blocks and grids.
namespace wick::test {
namespace {

using Sizes = std::vector<int64_t>;
using Outputs = std::vector<Tensor>;
using CudaLayers = CudaParity;

// --- products

TEST_F(CudaLayers, Matmul) {
  struct Shapes {
    int64_t m, k, n;
  };
  const Shapes cases[] = {{1, 1, 1},  {1, 33, 1}, {31, 33, 65}, {32, 32, 32},  {33, 1, 257},
                          {65, 0, 3}, {0, 4, 5},  {1, 257, 33}, {17, 1025, 2}, {129, 64, 63}};
  const auto f = [](const Outputs& in) {
    const Tensor &a = in[0], &b = in[1];
    Outputs results{a.matmul(b), linear(a, b.t(), in[2]), a.t().contiguous().t().matmul(b),
                    b.t().matmul(a.t()), a.matmul(b.t().contiguous().t())};
    if (a.size(0) > 0) results.push_back(a.slice(0, 1).matmul(b.slice(1, 1)));
    return results;
  };
  for (const Shapes& s : cases)
    for (const DType dtype : kFloatTypes)  // whole numbers: exact in any order of addition
      expect_parity(str(dtype, " ", s.m, " ", s.k, " ", s.n), f,
                    {whole_numbers({s.m, s.k}, dtype), whole_numbers({s.k, s.n}, dtype),
                     whole_numbers({s.n}, dtype)},
                    {is_reduced_float(dtype) ? 4.0 : 0.0, true});
  const auto integers = [](const Outputs& in) { return Outputs{in[0].matmul(in[1])}; };
  for (const DType dtype : {kUInt8, kInt8, kInt16, kInt32, kInt64})
    expect_parity(str(dtype), integers, {numbers({33, 65}, dtype), numbers({65, 17}, dtype)},
                  kExactly);
}

TEST_F(CudaLayers, BatchedMatmul) {
  const auto f = [](const Outputs& in) {
    const Tensor &a = in[0], &b = in[1];
    return Outputs{a.matmul(b), a.matmul(b[0]), a[0].matmul(b),
                   a.transpose(1, 2).matmul(
                       b.transpose(1, 2).contiguous().transpose(1, 2).slice(1, 0, a.size(1)))};
  };
  for (const DType dtype : kFloatTypes)
    for (const int64_t batch : {1, 3, 65})
      expect_parity(str(dtype, " ", batch), f,
                    {whole_numbers({batch, 33, 33}, dtype), whole_numbers({batch, 33, 9}, dtype)},
                    {is_reduced_float(dtype) ? 4.0 : 0.0, true});
}

// --- windows

Tensor laid(const Tensor& x, bool channels_last) {
  return channels_last ? x.contiguous(MemoryFormat::ChannelsLast) : x;
}

/// The same, one element off the alignment of any allocation.
Tensor misaligned(const Tensor& x, bool channels_last) {
  const Tensor y = channels_last ? x.permute({0, 2, 3, 1}) : x;
  const Tensor flat = cat({zeros({1}, x.options()), y.reshape(-1)}).slice(0, 1).view(y.sizes());
  return channels_last ? flat.permute({0, 3, 1, 2}) : flat;
}

// Aligned tensors go to cuDNN where it is there, others to wick's own kernels.
TEST_F(CudaLayers, Conv2d) {
  struct Case {
    Sizes x, weight;
    Sizes stride, padding, dilation;
    int64_t groups;
  };
  const Case cases[] = {
      {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
      {{2, 3, 33, 17}, {5, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
      {{3, 4, 16, 19}, {6, 2, 3, 2}, {2, 1}, {0, 2}, {1, 2}, 2},
      {{2, 33, 7, 5}, {33, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 33},
      {{1, 65, 6, 6}, {31, 65, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
      {{2, 2, 9, 300}, {3, 2, 5, 7}, {3, 4}, {2, 3}, {1, 1}, 1},
      {{0, 2, 5, 5}, {3, 2, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
  };
  for (const Case& c : cases)
    for (const bool channels_last : {false, true})
      for (const DType dtype : kFloatTypes) {
        const auto f = [&](const Outputs& in) {
          const Tensor x = laid(in[0], channels_last), off = misaligned(in[0], channels_last);
          const Tensor &weight = in[1], off_weight = misaligned(in[1], channels_last);
          return Outputs{
              conv2d(x, weight, in[2], c.stride, c.padding, c.dilation, c.groups),
              conv2d(x, laid(weight, true), {}, c.stride, c.padding, c.dilation, c.groups),
              conv2d(off, off_weight, in[2], c.stride, c.padding, c.dilation, c.groups)};
        };
        expect_parity(
            str(dtype, " ", IntArrayRef(c.x), " * ", IntArrayRef(c.weight),
                channels_last ? " channels last" : ""),
            f, {numbers(c.x, dtype), numbers(c.weight, dtype) / 8, numbers({c.weight[0]}, dtype)},
            kNearlyWithGradients);
      }
}

TEST_F(CudaLayers, Pooling) {
  const auto f = [](bool channels_last) {
    return [channels_last](const Outputs& in) {
      const Tensor x = laid(in[0], channels_last);
      const auto [y, indices] = max_pool2d_with_indices(x, {3, 2}, {2, 1}, {1, 1}, {1, 2}, true);
      return Outputs{max_pool2d(x, 2),
                     y,
                     indices,
                     max_pool2d(x, 3, 1, 1),
                     avg_pool2d(x, 2),
                     avg_pool2d(x, {3, 2}, {2, 1}, {1, 0}, true, false),
                     avg_pool2d(x, 3, 2, 1, true),
                     avg_pool2d(x, 2, {}, 0, false, true, 3)};
    };
  };
  for (const DType dtype : kFloatTypes)
    for (const Sizes& shape : {Sizes{1, 1, 3, 3}, Sizes{2, 3, 33, 31}, Sizes{3, 65, 5, 4},
                               Sizes{0, 2, 5, 5}, Sizes{1, 257, 4, 3}})
      for (const bool channels_last : {false, true})
        expect_parity(str(dtype, " ", IntArrayRef(shape), channels_last ? " channels last" : ""),
                      f(channels_last), {numbers(shape, dtype)}, kNearlyWithGradients);
  const auto two = [](const Outputs& in) {
    return Outputs{max_pool2d(in[0], 2, 1), avg_pool2d(in[0], 2, 1)};
  };
  expect_parity("more than a grid", two, {numbers({1, 1, 730, 730}, kFloat32)},
                kNearlyWithGradients);
}

// --- batch norm

TEST_F(CudaLayers, BatchNorm) {
  const auto normalize = [](bool channels_last, bool variants) {
    return [=](const Outputs& in) {
      const Tensor x = laid(in[0], channels_last);
      const Tensor mean = in[3].detach(), var = in[4].detach();
      const Tensor new_mean = mean.clone(), new_var = var.clone();
      Outputs results{batch_norm(x, in[1], in[2], new_mean, new_var, true, 0.3, 1e-3),
                      batch_norm(x, in[1], in[2], mean, var, false)};
      if (variants) results.push_back(batch_norm(x, {}, {}, {}, {}, true));
      if (variants) results.push_back(batch_norm(x, {}, in[2], mean, var, false));
      results.push_back(new_mean);
      results.push_back(new_var);
      return results;
    };
  };
  const auto run = [&](const Sizes& shape, DType dtype, bool channels_last, bool variants) {
    const DType stats = is_reduced_float(dtype) ? kFloat32 : dtype;
    const int64_t c = shape[1];
    expect_parity(str(dtype, " ", IntArrayRef(shape), channels_last ? " channels last" : ""),
                  normalize(channels_last, variants),
                  {numbers(shape, dtype), numbers({c}, stats), numbers({c}, stats),
                   rand({c}).to(stats), (rand({c}) + 0.5).to(stats)},
                  kNearlyWithGradients);
  };
  const Sizes shapes[] = {{2, 1},       {33, 3},      {1025, 2},      {3, 5, 1},      {4, 33, 31},
                          {1, 1, 5000}, {2, 3, 7, 9}, {1, 257, 2, 2}, {300, 1, 3, 11}};
  for (const Sizes& shape : shapes)
    for (const DType dtype : kFloatTypes)
      for (const bool channels_last : {false, true})
        if (!channels_last || shape.size() == 4) run(shape, dtype, channels_last, true);
  // More channels than blocks, and more elements than a grid.
  run({2, 2049}, kFloat32, false, false);
  run({2, 3, 256, 345}, kFloat32, true, false);
}

// --- indices

/// Not in order, and many of them more than once.
Tensor indices(int64_t count, int64_t size) { return randint(size, {count}, kInt64); }

TEST_F(CudaLayers, IndexSelect) {
  const auto f = [](const Outputs& in) {
    const Tensor &x = in[0], &index = in[1];
    return Outputs{x.index_select(1, index), x.slice(2, 1).index_select(1, index),
                   x.view(-1).slice(0, 1).index_select(0, index),
                   x.transpose(0, 1).index_select(0, index), x.index_select(1, index.to(kInt32))};
  };
  for (const DType dtype : kAllTypes)
    for (const int64_t count : {0, 1, 33, 257})
      for (const int64_t inner : {2, 3, 8, 33})
        expect_parity(str(dtype, " ", count, " ", inner), f,
                      {numbers({3, 17, inner}, dtype), indices(count, 17)},
                      {0, !is_reduced_float(dtype)});
  const auto rows = [](const Outputs& in) { return Outputs{in[0].index_select(0, in[1])}; };
  expect_parity("more than a grid", rows, {numbers({100, 33}, kFloat32), indices(16000, 100)},
                kExactly);
}

TEST_F(CudaLayers, Embedding) {
  const auto f = [](const Outputs& in) {
    return Outputs{embedding(in[0], in[1].view({1, -1})), embedding(in[0], in[1], 2)};
  };
  for (const DType dtype : {kFloat32, kFloat64})
    for (const int64_t count : {1, 2, 31, 1023, 1024, 1025, 2500})
      for (const int64_t dim : {1, 33, 300})
        if (count * dim < 100000)
          expect_parity(str(dtype, " ", count, " ", dim), f,
                        {numbers({7, dim}, dtype), indices(count, 7)}, kExactlyForward);
}

TEST_F(CudaLayers, RowsOfOneIndexAreAddedInTheirOrder) {
  const auto gradient = [](const Tensor& index, const Tensor& seed) {
    const Tensor weight = zeros({50, seed.size(1)}, seed.options()).requires_grad_();
    return autograd::grad({embedding(weight, index)}, {weight}, {seed})[0];
  };
  for (const DType dtype : kFloatTypes)
    for (const int64_t count : {1, 33, 1024, 1025, 3000}) {
      SCOPED_TRACE(str(dtype, " ", count));
      const Tensor index = indices(count, 50), seed = randn({count, 9}).to(dtype);
      const Tensor on_cpu = gradient(index, seed);
      EXPECT_EQ(difference(gradient(index.to(kCUDA), seed.to(kCUDA)), on_cpu, 0), "");
      // Half types are added in float32, and rounded once.
      const Tensor wide = seed.to(dtype == kFloat64 ? kFloat64 : kFloat32);
      EXPECT_EQ(difference(on_cpu, gradient(index, wide).to(dtype), 0), "");
    }
}

TEST_F(CudaLayers, Joining) {
  const auto f = [](const Outputs& in) {
    const Tensor &a = in[0], &b = in[1];
    return Outputs{cat({a, b}, 0), cat({a.t(), b.t(), a.t()}, 1), stack({a, a, a}, 1)};
  };
  for (const DType dtype : kAllTypes)
    for (const int64_t n : {0, 1, 33, 257})
      expect_parity(str(dtype, " ", n), f, {numbers({n, 17}, dtype), numbers({5, 17}, dtype)},
                    kExactlyForward);
}

// --- the optimizer

TEST_F(CudaLayers, Sgd) {
  const auto train = [](const Sizes& lengths, const optim::SGDOptions& options, int steps) {
    return [=](const Outputs& in) {
      std::vector<Tensor> params;
      int64_t at = 0;
      for (const int64_t n : lengths) {
        params.push_back(in[0].narrow(0, at, n).clone().requires_grad_());
        at += n;
      }
      optim::SGD sgd(params, options);
      for (int step = 0; step < steps; ++step) {
        at = 0;
        for (Tensor& p : params) {
          p.mutable_grad() = in[1].narrow(0, at, p.numel()) * (1 + step);
          at += p.numel();
        }
        sgd.step();
      }
      Outputs results;
      for (const Tensor& p : params) results.push_back(p.detach());
      return results;
    };
  };
  const optim::SGDOptions plain(0.1);
  const optim::SGDOptions all = optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01);
  const optim::SGDOptions variants[] = {plain, all, optim::SGDOptions(all).nesterov(true),
                                        optim::SGDOptions(all).dampening(0.3)};
  const auto run = [&](const std::string& what, const Sizes& lengths, DType dtype, int steps,
                       const optim::SGDOptions& options) {
    int64_t total = 0;
    for (const int64_t n : lengths) total += n;
    expect_parity(what, train(lengths, options, steps),
                  {numbers({total}, dtype), numbers({total}, dtype)}, kNearly);
  };
  Sizes many(70, 3);  // more than one launch takes
  many[65] = 4097;
  for (const DType dtype : kFloatTypes)
    for (const optim::SGDOptions& options : variants) {
      run(str("edges ", dtype), {0, 1, 33, 4095, 4096, 4097, 9000, 0}, dtype, 3, options);
      run(str("many ", dtype), many, dtype, 2, options);
    }
  run("more than a grid", {3, 2049 * 4096 + 7}, kFloat32, 1, all);
}

}  // namespace
}  // namespace wick::test
