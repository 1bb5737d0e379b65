#include <tests/support/cuda_parity.h>
#include <functional>

// The same seed gives the same numbers, masks and permutations on the CPU and on CUDA, bit for bit,
// at any size.
namespace wick::test {
namespace {

using CudaRandom = CudaParity;
using Outputs = std::vector<Tensor>;

/// What `make` makes on each device after the same seed, and where both generators stand then.
void expect_same_numbers(const std::string& what,
                         const std::function<Tensor(const TensorOptions&)>& make) {
  SCOPED_TRACE(what);
  manual_seed(77);
  const Tensor host = make(TensorOptions(kCPU));
  const RngState after = get_rng_state();
  manual_seed(77);
  const Tensor device = make(TensorOptions(kCUDA));
  EXPECT_TRUE(device.is_cuda());
  EXPECT_EQ(difference(device, host, 0), "");
  EXPECT_EQ(get_rng_state().offset, after.offset);
}

TEST_F(CudaRandom, UniformAndNormal) {
  for (const DType dtype : kFloatTypes)
    for (const int64_t n : {1, 2, 3, 4, 5, 31, 33, 255, 257, 1023, 4097, 100003}) {
      const std::string what = str(dtype, " ", n);
      expect_same_numbers("rand " + what,
                          [&](const TensorOptions& o) { return rand({n}, o.dtype(dtype)); });
      expect_same_numbers("randn " + what,
                          [&](const TensorOptions& o) { return randn({n}, o.dtype(dtype)); });
      expect_same_numbers("uniform_ " + what, [&](const TensorOptions& o) {
        return empty({n}, o.dtype(dtype)).uniform_(-0.3, 1.7);
      });
      expect_same_numbers("normal_ of a view " + what, [&](const TensorOptions& o) {
        Tensor x = zeros({3, n + 1}, o.dtype(dtype));
        x.select(0, 1).slice(0, 1).normal_(0.7, 3);
        return x;
      });
    }
}

TEST_F(CudaRandom, Integers) {
  for (const DType dtype : kAllTypes)
    for (const int64_t n : {1, 2, 33, 257, 4097}) {
      if (dtype == kBool) continue;
      const int64_t low = dtype == kUInt8 ? 3 : -100;
      expect_same_numbers(str(dtype, " ", n), [&](const TensorOptions& o) {
        return randint(low, 101, {n}, o.dtype(dtype));
      });
    }
  for (const int64_t span : {int64_t{1}, int64_t{1} << 33, (int64_t{1} << 62) + 12345})
    expect_same_numbers(str("span ", span), [&](const TensorOptions& o) {
      return randint(-span, span, {1025}, o.dtype(kInt64));
    });
}

TEST_F(CudaRandom, Exponential) {
  for (const DType dtype : kFloatTypes)
    for (const int64_t n : {1, 2, 5, 257, 4097})
      expect_same_numbers(str(dtype, " ", n), [&](const TensorOptions& o) {
        return empty({n}, o.dtype(dtype)).exponential_(0.3);
      });
}

TEST_F(CudaRandom, CoinsAndClasses) {
  const Tensor p = rand({3, 700});
  expect_same_numbers("bernoulli", [&](const TensorOptions& o) { return bernoulli(p.to(o)); });
  expect_same_numbers("bernoulli of float64",
                      [&](const TensorOptions& o) { return bernoulli(p.to(o).to(kFloat64)); });
  expect_same_numbers("bernoulli_", [&](const TensorOptions& o) {
    return zeros({77}, o.dtype(kInt32)).bernoulli_(0.3);
  });
  expect_same_numbers("random_", [&](const TensorOptions& o) {
    return zeros({77, 2}, o).t().random_();
  });
  for (const DType dtype : kFloatTypes)
    for (const int64_t samples : {1, 5, 700}) {
      const std::string what = str("multinomial ", dtype, " ", samples);
      expect_same_numbers(what, [&](const TensorOptions& o) {
        return multinomial((p + 0.01).to(dtype).to(o), samples);
      });
      expect_same_numbers(what + " with replacement", [&](const TensorOptions& o) {
        return multinomial(p.to(dtype).to(o), samples, true);
      });
    }
}

TEST_F(CudaRandom, Permutations) {
  // Around the powers of two and the block of the sorting network, and several blocks.
  for (const int64_t n :
       {0, 1, 2, 3, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 2049, 5000, 9001})
    expect_same_numbers(str(n), [&](const TensorOptions& o) { return randperm(n, o); });
}

TEST_F(CudaRandom, Dropout) {
  const auto f = [](const Outputs& in) {
    manual_seed(123);
    return Outputs{dropout(in[0], 0.3), dropout(in[0].t(), 0.5), dropout(in[0].slice(1, 1), 0.999),
                   dropout(in[0], 1)};
  };
  for (const DType dtype : kFloatTypes)
    for (const int64_t n : {1, 2, 5, 31, 33, 257, 1023, 4097}) {
      expect_parity(str(dtype, " ", n), f, {numbers({1, n}, dtype)}, kExactlyForward);
      expect_parity(str(dtype, " 3x", n), f, {numbers({3, n}, dtype)}, kExactlyForward);
    }
}

TEST_F(CudaRandom, MoreThanAGrid) {
  constexpr int64_t kBlocks = kGridThreads + 1;  // of four numbers
  expect_same_numbers("rand", [&](const TensorOptions& o) { return rand({4 * kBlocks + 1}, o); });
  expect_same_numbers("randn", [&](const TensorOptions& o) { return randn({4 * kBlocks + 3}, o); });
  expect_same_numbers("randint", [&](const TensorOptions& o) { return randint(9, {kBlocks}, o); });
  const auto f = [](const Outputs& in) {
    manual_seed(5);
    return Outputs{dropout(in[0], 0.25)};
  };
  expect_parity("dropout", f, {numbers({4 * kBlocks + 2}, kFloat32)}, kExactlyForward);
  manual_seed(6);
  const Tensor order = randperm(150000, TensorOptions(kCUDA)).cpu();
  manual_seed(6);
  EXPECT_TRUE(same_bits(order, randperm(150000)));
}

}  // namespace
}  // namespace wick::test
