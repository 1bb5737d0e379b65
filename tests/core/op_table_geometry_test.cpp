#include <tests/support/op_case.h>
#include <wick/core/autograd.h>
#include <wick/kernels/cpu/parallel.h>

// Over the rows of tests/support/op_table/: memory order, position, number of threads and
// repetition change nothing.
namespace wick::test {
namespace {

/// The same elements in other memory. Kinds 0 to 3: dimensions reversed, every second element, off
/// alignment, all of it.
Tensor relaid(const Tensor& x, int kind) {
  if (!x.defined() || x.dim() == 0) return x;
  const NoGradGuard no_grad;
  const auto reversed = [](const Tensor& t) {
    std::vector<int64_t> dims;
    for (int64_t d = t.dim(); d-- > 0;) dims.push_back(d);
    return t.permute(dims);
  };
  const auto strided = [](const Tensor& t) {
    std::vector<int64_t> sizes = t.sizes().vec();
    sizes.back() = 2 * sizes.back() + 1;
    Tensor wide = full(sizes, 1, t.options());
    const int64_t last = t.dim() - 1;
    wide.slice(last, 1, std::nullopt, 2).copy_(t);
    return wide.slice(last, 1, std::nullopt, 2);
  };
  if (kind == 0) return reversed(reversed(x).contiguous());
  if (kind == 1) return strided(x);
  if (kind == 2) {
    Tensor flat = full({x.numel() + 1}, 1, x.options());
    Tensor moved = flat.slice(0, 1).view(x.sizes());
    moved.copy_(x);
    return moved;
  }
  return reversed(strided(reversed(x).contiguous()));
}

/// Compares the results for two sets of equal inputs, and their gradients.
void expect_same(const Case& c, const std::vector<Tensor>& plain,
                 const std::vector<Tensor>& other) {
  const auto compare = [&](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].defined(), b[i].defined());
      if (!a[i].defined()) continue;
      if (c.row.has(kBitwise)) {
        EXPECT_TRUE(same_bits(a[i], b[i])) << a[i].str() << "\n" << b[i].str();
      } else {
        EXPECT_LE(distance(a[i], b[i]), 16 * precision(a[i].dtype())) << a[i].str() << "\n"
                                                                      << b[i].str();
      }
    }
  };
  compare(c.row(other), c.row(plain));
  if (!c.differentiable()) return;
  const std::vector<bool> wanted = c.wanted();
  const auto leaves = [&](const std::vector<Tensor>& from) {
    std::vector<Tensor> made;  // detach() keeps the geometry
    for (size_t i = 0; i < from.size(); ++i) {
      made.push_back(from[i].defined() ? from[i].detach() : Tensor());
      if (wanted[i]) made.back().requires_grad_();
    }
    return made;
  };
  compare(gradients(c.function(), leaves(other)), gradients(c.function(), leaves(plain)));
}

TEST_P(OpTable, GeometryOfInputsDoesNotMatter) {
  for_each_case([](const Case& c) {
    if (c.row.has(kDense)) return;
    const std::vector<Tensor> plain = make_samples(c.specs, kFloat32);
    for (int kind = 0; kind < 4; ++kind) {
      SCOPED_TRACE(str("relaid in way ", kind));
      std::vector<Tensor> other;
      for (const Tensor& x : plain) other.push_back(relaid(x, kind));
      expect_same(c, plain, other);
    }
  });
}

TEST_P(OpTable, ExpandedInputsAreLikeCopies) {
  for_each_case([](const Case& c) {
    if (c.row.has(kDense)) return;
    std::vector<Tensor> expanded, plain;
    for (const Tensor& x : make_samples(c.specs, kFloat32)) {
      const bool can = x.defined() && x.numel() > 0 && x.dim() > 0;
      expanded.push_back(can ? x.narrow(0, 0, 1).expand(x.sizes()) : x);
      plain.push_back(can ? expanded.back().contiguous() : x);
    }
    expect_same(c, plain, expanded);
  });
}

TEST_P(OpTable, GeometryOfTheSeedDoesNotMatter) {
  for_each_case([](const Case& c) {
    if (!c.differentiable()) return;
    const auto run = [&](int kind) {
      const auto leaves = fresh_leaves(make_samples(c.specs, kFloat32), c.wanted());
      std::vector<Tensor> outputs, seeds, sources;
      for (const Tensor& y : c.row(leaves)) {
        if (!y.requires_grad()) continue;
        outputs.push_back(y);
        const Tensor seed = sample_like(y, kGradSample);
        const bool expand = kind == 4 && y.numel() > 0;
        seeds.push_back(kind < 0  ? seed
                        : !expand ? relaid(seed, kind)
                                  : ones({}, y.dtype()).expand(y.sizes()));
        if (kind == 5) seeds.back() = ones(y.sizes(), y.options());
      }
      for (const Tensor& x : leaves)
        if (x.defined() && x.requires_grad()) sources.push_back(x);
      if (outputs.empty()) return std::vector<Tensor>();
      return autograd::grad(outputs, sources, seeds, std::nullopt, false, true);
    };
    const auto compare = [&](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_EQ(a[i].defined(), b[i].defined());
        if (!a[i].defined()) continue;
        EXPECT_LE(distance(a[i], b[i]), 16 * precision(kFloat32));
      }
    };
    const std::vector<Tensor> plain = run(-1);
    for (int kind = 0; kind < 4; ++kind) compare(run(kind), plain);
    compare(run(4), run(5));
  });
}

// --- repetition

TEST_P(OpTable, CallsAreRepeatable) {
  for_each_case([](const Case& c) {
    const auto once = [&] {
      const auto leaves = fresh_leaves(make_samples(c.specs, kFloat32), c.wanted());
      std::vector<Tensor> all = c.row(leaves);
      if (c.differentiable())
        for (const Tensor& g : gradients(c.function(), leaves))
          if (g.defined()) all.push_back(g);
      return all;
    };
    const std::vector<Tensor> a = once(), b = once();
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(same_bits(a[i].detach(), b[i].detach()));
  });
}

TEST_P(OpTable, InputsAreLeftAlone) {
  for_each_case([](const Case& c) {
    const std::vector<Tensor> inputs = make_samples(c.specs, kFloat32);
    const std::vector<Tensor> results = c.row(inputs);
    const std::vector<Tensor> again = make_samples(c.specs, kFloat32);
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_TRUE(!inputs[i].defined() || same_bits(inputs[i], again[i]));
  });
}

TEST_P(OpTable, PositionAndSizeDoNotMatterElementwise) {
  static constexpr int64_t kCopies = 1031;  // odd, and enough for several threads
  const int threads = cpu::num_threads();
  for_each_case([&](const Case& c) {
    if (!c.row.has(kPerElement) || c.specs.empty()) return;
    const std::vector<Tensor> small = make_samples(c.specs, kFloat32);
    int64_t rank = 0;
    for (const Tensor& x : small) rank = std::max(rank, x.dim());
    std::vector<Tensor> large;
    for (const Tensor& x : small) {
      std::vector<int64_t> sizes = x.sizes().vec();
      if (x.dim() == rank && rank > 0) {
        sizes.insert(sizes.begin(), kCopies);
        large.push_back(x.expand(sizes).contiguous());
      } else {
        large.push_back(x);
      }
    }
    const std::vector<Tensor> one = c.row(small);
    if (rank == 0 || one[0].dim() != rank) return;
    for (const int count : {1, 2, threads}) {
      cpu::set_num_threads(count);
      const std::vector<Tensor> many = c.row(large);
      const Tensor wanted = one[0].unsqueeze(0).expand(many[0].sizes()).contiguous();
      EXPECT_TRUE(same_bits(many[0], wanted)) << count << " threads";
    }
  });
}

}  // namespace
}  // namespace wick::test
