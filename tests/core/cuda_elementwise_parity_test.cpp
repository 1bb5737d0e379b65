#include <tests/support/cuda_parity.h>
#include <limits>

// The elementwise engine on CUDA: dense with vectors of 16 bytes, misaligned, strided, broadcast,
// with a number in place of an operand, and larger than a grid.
namespace wick::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Ways in which n elements lie in the memory of a leaf.
struct Geometry {
  const char* name;
  std::vector<int64_t> (*leaf)(int64_t n);
  Tensor (*view)(const Tensor& leaf);
};
using Sizes = std::vector<int64_t>;
const Geometry kGeometries[] = {
    {"dense", [](int64_t n) { return Sizes{n}; }, [](const Tensor& x) { return x; }},
    {"misaligned", [](int64_t n) { return Sizes{n + 1}; },
     [](const Tensor& x) { return x.slice(0, 1); }},
    {"every second",
     [](int64_t n) {
       return Sizes{n, 2};
     },
     [](const Tensor& x) { return x.select(1, 1); }},
};
/// These broadcast to n elements.
const Geometry kBroadcast[] = {
    {"one element", [](int64_t) { return Sizes{1}; }, [](const Tensor& x) { return x; }},
    {"no dimension", [](int64_t) { return Sizes{}; }, [](const Tensor& x) { return x; }},
};

struct Unary {
  const char* name;
  Tensor (*call)(const Tensor& x);
};
#define WICK_ROW(name, Name) {#name, [](const Tensor& x) { return name(x); }},
const Unary kFloatFunctions[] = {
    WICK_UNARY_FLOAT_OPS(WICK_ROW){"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu_tanh", [](const Tensor& x) { return gelu(x, "tanh"); }},
};
const Unary kExactFunctions[] = {WICK_UNARY_ANY_OPS(WICK_ROW) WICK_UNARY_ROUNDING_OPS(WICK_ROW)};
const Unary kRareFunctions[] = {
    WICK_UNARY_RARE_OPS(WICK_ROW){"clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.75); }},
    {"hardtanh", [](const Tensor& x) { return hardtanh(x); }},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
    {"elu", [](const Tensor& x) { return elu(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }}};
#undef WICK_ROW

struct Binary {
  const char* name;
  Tensor (*call)(const Tensor& a, const Tensor& b);
  bool takes_bool;
};
bool takes_bool(const std::string& name) { return name != "sub" && name != "pow"; }
#define WICK_ROW(name, Name) \
  {#name, [](const Tensor& a, const Tensor& b) { return name(a, b); }, takes_bool(#name)},
const Binary kBinary[] = {WICK_BINARY_OPS(WICK_ROW)};
const Binary kComparisons[] = {WICK_COMPARE_OPS(WICK_ROW)};
#undef WICK_ROW

/// How close a CUDA result is to be: all but functions of their own approximation are exact.
double units_of(const Binary& op, DType dtype) {
  return op.name == std::string("pow") && is_floating_point(dtype) ? 64 : 0;
}

TensorFunction of_view(const Unary& op, const Geometry& g) {
  return [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{op.call(g.view(in[0]))}; };
}
TensorFunction of_views(const Binary& op, const Geometry& a, const Geometry& b) {
  return [&](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{op.call(a.view(in[0]), b.view(in[1]))};
  };
}

using CudaElementwise = CudaParity;

TEST_F(CudaElementwise, UnaryFloats) {
  for (const Unary& op : kFloatFunctions)
    for (const DType dtype : kFloatTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : kEdgeSizes)
          expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_view(op, g),
                        {numbers(g.leaf(n), dtype)}, kNearlyWithGradients);
}

TEST_F(CudaElementwise, RareFunctionsAndThoseWithNumbers) {
  for (const Unary& op : kRareFunctions)
    for (const DType dtype : kFloatTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : {0, 7, 33, 4097})
          expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_view(op, g),
                        {numbers(g.leaf(n), dtype)}, kNearlyWithGradients);
}

TEST_F(CudaElementwise, UnaryOfAllTypes) {
  for (const Unary& op : kExactFunctions)
    for (const DType dtype : kAllTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : kEdgeSizes)
          if (dtype != kBool)
            expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_view(op, g),
                          {numbers(g.leaf(n), dtype)}, kExactlyForward);
}

TEST_F(CudaElementwise, BinaryOfAllTypes) {
  for (const Binary& op : kBinary)
    for (const DType dtype : kAllTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : kEdgeSizes) {
          if (dtype == kBool && !op.takes_bool) continue;
          expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_views(op, g, g),
                        {numbers(g.leaf(n), dtype), numbers(g.leaf(n), dtype)},
                        {units_of(op, dtype), true});
        }
}

TEST_F(CudaElementwise, BinaryBroadcasts) {
  for (const Binary& op : kBinary)
    for (const DType dtype : {kInt32, kFloat16, kFloat32, kFloat64})
      for (const Geometry& g : kBroadcast)
        for (const int64_t n : {0, 1, 33, 4097}) {
          const Geometry& plain = kGeometries[0];
          const Tensor a = numbers({n}, dtype), b = numbers(g.leaf(n), dtype);
          const Parity parity{units_of(op, dtype), true};
          const std::string what = str(op.name, " ", dtype, " ", g.name, " ", n);
          expect_parity(what + " right", of_views(op, plain, g), {a, b}, parity);
          expect_parity(what + " left", of_views(op, g, plain), {b, a}, parity);
        }
}

TEST_F(CudaElementwise, BinaryOfMatrices) {
  struct Shapes {
    Sizes a, b;
    bool transpose_b;
  };
  const Shapes cases[] = {{{33, 65}, {65, 33}, true}, {{33, 65}, {65}, false},
                          {{33, 65}, {33, 1}, false}, {{7, 1, 33}, {1, 65, 1}, false},
                          {{1, 257}, {31, 1}, false}, {{4, 5, 6, 7}, {5, 1, 7}, false}};
  for (const Shapes& shapes : cases)
    for (const Binary& op : kBinary)
      for (const DType dtype : {kUInt8, kInt64, kBFloat16, kFloat32}) {
        const auto f = [&](const std::vector<Tensor>& in) {
          return std::vector<Tensor>{op.call(in[0], shapes.transpose_b ? in[1].t() : in[1])};
        };
        expect_parity(
            str(op.name, " ", dtype, " ", IntArrayRef(shapes.a), " ", IntArrayRef(shapes.b)), f,
            {numbers(shapes.a, dtype), numbers(shapes.b, dtype)},
            {units_of(op, dtype), units_of(op, dtype) == 0});
      }
}

TEST_F(CudaElementwise, NumbersAsOperands) {
  const Unary cases[] = {
      {"x + 2.5", [](const Tensor& x) { return x + 2.5; }},
      {"3 - x", [](const Tensor& x) { return 3 - x; }},
      {"x * 3", [](const Tensor& x) { return x * 3; }},
      {"2 / x", [](const Tensor& x) { return 2 / x; }},
      {"add with alpha", [](const Tensor& x) { return add(x, x, 2); }},
      {"x > 1", [](const Tensor& x) { return x > 1; }},
      {"0.5 <= x", [](const Tensor& x) { return 0.5 <= x; }},
      {"add_", [](const Tensor& x) { return x.clone().add_(x); }},
      {"mul_", [](const Tensor& x) { return x.clone().mul_(3); }},
  };
  for (const Unary& op : cases)
    for (const DType dtype : kAllTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : kEdgeSizes) {
          if (dtype == kBool && op.name == std::string("mul_")) continue;  // no bool times 3
          expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_view(op, g),
                        {numbers(g.leaf(n), dtype)}, kExactly);
        }
}

TEST_F(CudaElementwise, Comparisons) {
  for (const Binary& op : kComparisons)
    for (const DType dtype : kAllTypes)
      for (const Geometry& g : kGeometries)
        for (const int64_t n : kEdgeSizes)
          expect_parity(str(op.name, " ", dtype, " ", g.name, " ", n), of_views(op, g, g),
                        {whole_numbers(g.leaf(n), dtype), whole_numbers(g.leaf(n), dtype)},
                        kExactly);
}

/// Each special value of a type, and some others.
Tensor extremes(DType dtype) {
  if (dtype == kFloat64)
    return tensor({kNaN, kInf, -kInf, 0., -0., 5e-324, -1e-310, 2.3e-308, 1.7e308, -1.7e308, 1.,
                   -2.5, 1e-30, 709.5, -745.},
                  dtype);
  if (is_floating_point(dtype))  // the range of the half types cuts off some
    return tensor({kNaN, kInf, -kInf, 0., -0., 1e-45, -1e-40, 6e-8, 3.4e38, -3.4e38, 65504., 1.,
                   -2.5, 1e-30, 88.5, -87.},
                  kFloat32)
        .to(dtype);
  const int64_t most = std::numeric_limits<int64_t>::max();
  return tensor({most, -most - 1, -most, int64_t{1} << 31, int64_t{-1} << 31, int64_t{255},
                 int64_t{128}, int64_t{127}, int64_t{32768}, int64_t{0}, int64_t{1}, int64_t{-1},
                 int64_t{2}, int64_t{-3}},
                kInt64)
      .to(dtype);  // and wraps
}

TEST_F(CudaElementwise, Extremes) {
  for (const DType dtype : kAllTypes) {
    const Tensor x = extremes(dtype);
    const auto run = [&](const Unary& op, const Parity& parity) {
      expect_parity(str(op.name, " ", dtype), of_view(op, kGeometries[0]), {x}, parity);
    };
    for (const Unary& op : kFloatFunctions) run(op, kNearlyWithGradients);
    for (const Unary& op : kExactFunctions)
      if (dtype != kBool) run(op, kExactlyForward);
    // Each with each.
    const auto pairs = [&](const Binary& op) {
      const auto f = [&](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{op.call(in[0].unsqueeze(1), in[0])};
      };
      expect_parity(str(op.name, " ", dtype), f, {x}, {units_of(op, dtype), false});
    };
    for (const Binary& op : kBinary)
      if (dtype != kBool || op.takes_bool) pairs(op);
    for (const Binary& op : kComparisons) pairs(op);
  }
}

TEST_F(CudaElementwise, WhereAndFill) {
  for (const DType dtype : kAllTypes)
    for (const Geometry& g : kGeometries)
      for (const int64_t n : kEdgeSizes) {
        const Scalar one = dtype == kBool ? Scalar(true) : Scalar(1);
        const auto f = [&](const std::vector<Tensor>& in) {
          const Tensor mask = g.view(in[0]), a = g.view(in[1]), b = g.view(in[2]);
          Tensor filled = in[1].detach().clone();
          g.view(filled).fill_(1);
          return std::vector<Tensor>{where(mask, a, b), where(mask, a, 1), where(mask, 0, b),
                                     masked_fill(a, mask, one), filled};
        };
        expect_parity(
            str(dtype, " ", g.name, " ", n), f,
            {numbers(g.leaf(n), kBool), numbers(g.leaf(n), dtype), numbers(g.leaf(n), dtype)},
            kExactly);
      }
  for (const DType dtype : {kInt16, kFloat32, kFloat64}) {
    const auto f = [](const std::vector<Tensor>& in) {
      return std::vector<Tensor>{where(in[0], in[1], in[2]), where(in[0], in[1].t(), in[2])};
    };
    expect_parity(str("broadcast ", dtype), f,
                  {numbers({33, 1}, kBool), numbers({33, 33}, dtype), numbers({33}, dtype)},
                  kExactlyForward);
  }
}

TEST_F(CudaElementwise, Arange) {
  for (const DType dtype : kAllTypes)
    for (const int64_t n : kEdgeSizes) {
      if (dtype == kBool) continue;
      const auto f = [&](const std::vector<Tensor>& in) {
        const TensorOptions options = TensorOptions(dtype).device(in[0].device());
        const double end = 0.5 + 0.1 * static_cast<double>(n);
        return std::vector<Tensor>{
            arange(n, options), arange(5, 5 - 3 * n, -3, options),
            is_floating_point(dtype) ? arange(0.5, end, 0.1, options) : Tensor()};
      };
      expect_parity(str(dtype, " ", n), f, {zeros({1})}, kExactly);
    }
}

TEST_F(CudaElementwise, CastsOfAllPairsOfTypes) {
  for (const DType from : kAllTypes)
    for (const DType to : kAllTypes) {
      const auto f = [&](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{in[0].to(to), in[0].slice(0, 1).to(to),
                                   in[0].slice(0, 0, std::nullopt, 2).to(to)};
      };
      for (const int64_t n : {0, 1, 33, 257, 4097})
        expect_parity(str(from, " to ", to, " ", n), f, {numbers({n}, from)}, kExactly);
      expect_parity(str("extremes of ", from, " to ", to), f, {extremes(from)}, kExactly);
    }
  // Between what the nearest half is and the next: ties, and what overflows.
  const Tensor edges =
      tensor({2049., 2051., 65519., 65520., 2.98e-8, 2.99e-8, 257., 259., 3.3895e38, 3.4e38,
              0.999999, -1.75, 254.9, 1e19, -1e19, 9.2e18, 1e-8},
             kFloat64);
  for (const DType from : {kFloat32, kFloat64})
    for (const DType to : kAllTypes)
      expect_parity(
          str("edges of ", from, " to ", to),
          [&](const std::vector<Tensor>& in) { return std::vector<Tensor>{in[0].to(to)}; },
          {edges.to(from)}, kExactly);
}

TEST_F(CudaElementwise, CopiesBetweenMemoryOrders) {
  const auto f = [](const std::vector<Tensor>& in) {
    std::vector<Tensor> results;
    const Tensor& x = in[0];
    for (int64_t i = 0; i < x.dim(); ++i)
      for (int64_t j = i + 1; j < x.dim(); ++j) {
        results.push_back(x.transpose(i, j).contiguous());
        Tensor into = zeros_like(x).transpose(i, j).contiguous();
        into.transpose(i, j).copy_(x);
        results.push_back(into);
      }
    results.push_back(x.slice(-1, 1).transpose(0, -1).contiguous());
    if (x.dim() == 4)
      results.push_back(x.contiguous(MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}));
    return results;
  };
  // The last ones are more tiles than blocks.
  const Sizes shapes[] = {{7, 9},       {8, 8},      {31, 33},       {65, 257}, {1, 40},
                          {33, 8, 9},   {2, 40, 33}, {3, 5, 33, 34}, {0, 8, 9}, {4, 7, 7, 7},
                          {300, 8, 11}, {9, 300, 8}, {2, 17, 32, 40}};
  for (const Sizes& shape : shapes)
    for (const DType dtype : {kUInt8, kFloat16, kFloat32, kInt64})
      expect_parity(str(dtype, " ", IntArrayRef(shape)), f, {numbers(shape, dtype)}, kExactly);
}

TEST_F(CudaElementwise, MoreThanAGrid) {
  const auto twice = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{in[0] + in[0], in[0].to(kFloat16)};
  };
  expect_parity("vectors of 4", twice, {numbers({4 * kGridThreads + 5}, kFloat32)}, kExactly);
  expect_parity(
      "vectors of 16",
      [](const std::vector<Tensor>& in) { return std::vector<Tensor>{in[0] + in[0]}; },
      {numbers({16 * kGridThreads + 17}, kUInt8)}, kExactly);
  const auto strided = [](const std::vector<Tensor>& in) {
    return std::vector<Tensor>{in[0].select(1, 1) - in[0].select(1, 0), in[0].t().contiguous(),
                               in[0].select(1, 1) > 0, where(in[0] > 0, in[0], 1)};
  };
  expect_parity("strided", strided, {numbers({kGridThreads + 1, 2}, kFloat32)}, kExactly);
  const auto made = [](const std::vector<Tensor>& in) {
    const TensorOptions options = in[0].options();
    return std::vector<Tensor>{arange(kGridThreads + 1, options),
                               full({4 * kGridThreads + 1}, 3, options)};
  };
  expect_parity("made", made, {zeros({1})}, kExactly);
}

}  // namespace
}  // namespace wick::test
