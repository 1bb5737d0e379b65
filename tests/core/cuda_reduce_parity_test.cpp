#include <tests/support/cuda_parity.h>
#include <limits>

// Reductions and what is computed by rows (softmax, losses) on CUDA: any set of dimensions, rows of
// any width, few and many.
namespace wick::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Sizes = std::vector<int64_t>;
using Outputs = std::vector<Tensor>;
using CudaReduce = CudaParity;
using CudaRows = CudaParity;

// --- reductions

const Sizes kDims[] = {{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};

TEST_F(CudaReduce, SumsOfAllTypesOverAnyDimensions) {
  const Sizes shapes[] = {{1, 1, 1}, {2, 0, 3}, {31, 33, 2}, {2, 3, 1025}};
  for (const Sizes& shape : shapes)
    for (const DType dtype : kAllTypes)
      for (const Sizes& dims : kDims) {
        const auto f = [&](const Outputs& in) {
          const Tensor& x = in[0];
          Outputs results{x.sum(dims), x.permute({2, 0, 1}).sum(dims, true),
                          x.slice(2, 1).sum(dims), x.sum(dims, false, kFloat64)};
          if (x.is_floating_point()) results.push_back(x.mean(dims));
          return results;
        };
        // Whole numbers: the sums are exact, and no element is lost in a tolerance.
        expect_parity(str(dtype, " ", IntArrayRef(shape), " over ", IntArrayRef(dims)), f,
                      {whole_numbers(shape, dtype)}, {0, dtype == kFloat64});
      }
}

TEST_F(CudaReduce, ManyElements) {
  const auto f = [](const Outputs& in) {
    Outputs results{in[0].max(), in[0].argmin(), (in[0] > -9).all(), (in[0] > 7.5).any()};
    for (const Sizes& dims : kDims) results.push_back(in[0].sum(dims));
    return results;
  };
  for (const Sizes& shape :
       {Sizes{50, 20, 100}, Sizes{1, 1, 100000}, Sizes{2, 16667, 3}, Sizes{20001, 5, 1}})
    expect_parity(str(IntArrayRef(shape)), f, {whole_numbers(shape, kFloat32)}, kExactly);
  // Numbers whose sums are rounded.
  const auto sums = [](const Outputs& in) {
    return Outputs{in[0].sum(), in[0].sum(0), in[0].sum(1), in[0].mean()};
  };
  for (const DType dtype : kFloatTypes)
    expect_parity(str("rounded ", dtype), sums, {rand({100, 1001}).to(dtype)},
                  kNearlyWithGradients);
}

TEST_F(CudaReduce, Extremes) {
  const auto f = [](const Outputs& in) {
    Outputs results;
    const auto add = [&](const std::tuple<Tensor, Tensor>& pair) {
      results.push_back(std::get<0>(pair));
      results.push_back(std::get<1>(pair));
    };
    for (const Tensor& x : {in[0], in[0].permute({1, 2, 0}), in[0].slice(2, 1)}) {
      results.push_back(x.max());
      results.push_back(x.min());
      for (int64_t d = 0; d < 3; ++d) {
        add(x.max(d, d == 1));
        add(x.min(d));
        if (x.dtype() != kBool) results.push_back(x.argmax(d));
        if (x.dtype() != kBool) results.push_back(x.argmin(d, true));
      }
      if (x.dtype() != kBool) results.push_back(x.argmax());
    }
    return results;
  };
  // Many are equal, so that the first of them matters.
  for (const DType dtype : kAllTypes)
    for (const Sizes& shape : {Sizes{1, 1, 2}, Sizes{5, 31, 33}, Sizes{2, 257, 4}})
      expect_parity(str(dtype, " ", IntArrayRef(shape)), f, {whole_numbers(shape, dtype)},
                    {0, dtype == kFloat64});
  for (const DType dtype : {kInt64, kInt32, kInt8}) {
    const int64_t most = std::numeric_limits<int64_t>::max(), least = -most - 1;
    const Tensor x = tensor({least, least, most, int64_t{-1}, least + 1, int64_t{-7}}, kInt64);
    expect_parity(str("limits ", dtype), f, {x.to(dtype).view({1, 2, 3})}, kExactly);
  }
  // Nothing above or below zero: what has no element must not take part.
  const auto both = [](const Outputs& in) {
    return Outputs{in[0].max(), in[0].neg().min(), in[0].argmax(), in[0].neg().argmin()};
  };
  for (const DType dtype : {kInt8, kInt64, kFloat16, kFloat64})
    for (const int64_t n : {1, 3, 33, 200, 257, 5000})
      expect_parity(str("negative ", dtype, " ", n), both, {numbers({n}, dtype).abs().neg() - 1},
                    kExactly);
  Tensor all = numbers({4, 40, 50}, kFloat32).abs().neg();
  expect_parity("negative", f, {all}, kExactly);
  all[1].fill_(-kInf);
  all[2].fill_(kInf);
  all.view(-1).slice(0, 17, std::nullopt, 501).fill_(kNaN);
  expect_parity("infinite", f, {all}, kExactly);
}

TEST_F(CudaReduce, AllAndAny) {
  const auto f = [](const Outputs& in) {
    return Outputs{in[0].all(), in[0].any(), in[0].t().all(), in[0].slice(1, 1).any()};
  };
  for (const DType dtype : kAllTypes)
    for (const int64_t n : {0, 1, 33, 257, 20000}) {
      const Tensor zero = zeros({3, n}, dtype), one = ones({3, n}, dtype);
      expect_parity(str(dtype, " zeros ", n), f, {zero}, kExactly);
      expect_parity(str(dtype, " ones ", n), f, {one}, kExactly);
      if (n == 0) continue;
      zero.select(1, n - 1)[2] = 1;
      one.select(1, n - 1)[2] = 0;
      expect_parity(str(dtype, " but one zero ", n), f, {zero}, kExactly);
      expect_parity(str(dtype, " but one one ", n), f, {one}, kExactly);
    }
}

// --- rows

struct Rows {
  int64_t outer, dim, inner;
};
/// All widths in few rows, and some in many.
const Rows kRows[] = {{1, 1, 1},   {3, 2, 1},    {7, 31, 1},   {300, 33, 1}, {2, 127, 1},
                      {9, 129, 1}, {3, 1025, 1}, {2, 5000, 1}, {300, 2, 1},  {2, 1, 3},
                      {3, 2, 33},  {2, 31, 5},   {1, 33, 70},  {2, 1025, 3}, {1, 300, 300},
                      {0, 5, 1},   {2, 5000, 2}};
/// More than the threads of a grid take at once, two for each row.
const Rows kManyRows[] = {{kGridThreads / 2 + 1, 2, 1}, {2, 2, kGridThreads / 4 + 1}};

Sizes sizes_of(const Rows& r) { return {r.outer, r.dim, r.inner}; }

Outputs both_softmaxes(const Outputs& in) { return {in[0].softmax(1), in[0].log_softmax(1)}; }

TEST_F(CudaRows, Softmax) {
  for (const DType dtype : kFloatTypes)
    for (const Rows& r : kRows)
      expect_parity(str(dtype, " ", IntArrayRef(sizes_of(r))), both_softmaxes,
                    {numbers(sizes_of(r), dtype)}, kNearlyWithGradients);
  for (const Rows& r : kManyRows)
    expect_parity(str("many ", IntArrayRef(sizes_of(r))), both_softmaxes,
                  {numbers(sizes_of(r), kFloat32)}, kNearlyWithGradients);
  // A block for each row, and more rows than blocks.
  expect_parity("many blocks", both_softmaxes, {numbers({2049, 129}, kFloat32)}, kNearly);
  const auto views = [](const Outputs& in) {
    const Tensor& x = in[0];
    return Outputs{x.t().softmax(1), x.slice(1, 1).softmax(1), x.slice(1, 1).softmax(0)};
  };
  expect_parity("views", views, {numbers({33, 65}, kFloat32)}, kNearlyWithGradients);
}

TEST_F(CudaRows, SoftmaxOfExtremes) {
  for (const DType dtype : kFloatTypes)
    for (const int64_t width : {1, 2, 33, 300}) {
      Tensor x = numbers({9, width, 1}, kFloat32);
      x[0].fill_(-kInf);
      x[1].fill_(-3e38);
      x[2].slice(0, 1).fill_(-kInf);
      x[3][width - 1] = kInf;
      x[4][width / 2] = kNaN;
      x[5].fill_(88);
      x[6].mul_(1e30);
      x[7].fill_(1e-45);
      expect_parity(str(dtype, " ", width), both_softmaxes, {x.to(dtype)}, kNearly);
    }
}

/// Class numbers for [outer, dim, inner], a few of them -100, which is left out.
Tensor labels_of(const Rows& r) {
  Tensor labels = randint(r.dim, {r.outer, r.inner}, kInt64);
  if (labels.numel() > 2) labels.view(-1).slice(0, 1, std::nullopt, 5).fill_(-100);
  return labels;
}

TEST_F(CudaRows, CrossEntropy) {
  const auto few = [](const Outputs& in) {
    return Outputs{cross_entropy(in[0], in[1]), cross_entropy(in[0], in[1], {}, Reduction::None)};
  };
  const auto all = [&](const Outputs& in) {
    const Tensor &x = in[0], &labels = in[1], weight = in[2].detach();
    const Tensor valid = where(labels >= 0, labels, 0);
    Outputs results = few(in);
    results.push_back(cross_entropy(x, labels, weight, Reduction::Sum, -100, 0.1));
    results.push_back(cross_entropy(x, valid, weight, Reduction::Mean, 0, 0.2));
    results.push_back(nll_loss(x, labels, weight));
    results.push_back(nll_loss(x, labels, {}, Reduction::None));
    return results;
  };
  for (const DType dtype : kFloatTypes)
    for (const Rows& r : kRows)
      expect_parity(str(dtype, " ", IntArrayRef(sizes_of(r))), all,
                    {numbers(sizes_of(r), dtype), labels_of(r), (rand({r.dim}) + 0.5).to(dtype)},
                    kNearlyWithGradients);
  for (const Rows& r : kManyRows)
    expect_parity(str("many ", IntArrayRef(sizes_of(r))), few,
                  {numbers(sizes_of(r), kFloat32), labels_of(r)}, kNearlyWithGradients);
}

TEST_F(CudaRows, LossesOfPairs) {
  const auto f = [](const Outputs& in) {
    return Outputs{mse_loss(in[0], in[1]), mse_loss(in[0], in[1], Reduction::None),
                   cross_entropy(in[0], in[1].softmax(1))};
  };
  for (const DType dtype : kFloatTypes)
    for (const int64_t n : {1, 33, 257})
      expect_parity(str(dtype, " ", n), f, {numbers({n, 17}, dtype), numbers({n, 17}, dtype)},
                    kNearlyWithGradients);
}

}  // namespace
}  // namespace wick::test
