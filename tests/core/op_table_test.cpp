#include <tests/support/gradcheck.h>
#include <tests/support/op_row.h>
#include <tests/support/reference.h>
#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/kernels/cpu/parallel.h>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>

// Every test here runs over the rows of tests/support/op_table.h.
namespace wick::test {
namespace {

/// A case of a row with its inputs described.
struct Case {
  const OpRow& row;
  std::string text;
  std::vector<SampleSpec> specs;

  bool any(const std::function<bool(const SampleSpec&)>& is) const {
    return std::any_of(specs.begin(), specs.end(), is);
  }
  /// Inputs of drawn numbers in the run's type: no edges, so any floating type will do.
  bool is_drawn() const {
    return any([](const SampleSpec& s) { return s.has_run_type(); }) &&
           !any([](const SampleSpec& s) { return s.literal && s.has_run_type(); });
  }
  bool has_run_type() const {
    return any([](const SampleSpec& s) { return s.has_run_type(); });
  }
  std::vector<bool> wanted() const {
    std::vector<bool> wanted;
    for (const SampleSpec& s : specs) wanted.push_back(s.has_run_type() && !s.constant);
    return wanted;
  }
  bool differentiable() const {
    return row.has(kOnce) &&
           any([](const SampleSpec& s) { return s.has_run_type() && !s.constant; });
  }
  TensorFunction function() const {
    return [this](const std::vector<Tensor>& in) {
      std::vector<Tensor> results = row(in);
      if (row.has(kFirstOnly)) results.resize(1);
      return results;
    };
  }
};

void for_each_case(const std::function<void(const Case&)>& visit) {
  for (const OpRow& row : op_rows()) {
    for (const std::string& text : split_cases(row.inputs)) {
      SCOPED_TRACE(str(row.name, " | ", text));
      try {
        visit({row, text, parse_case(text)});
      } catch (const Error& error) {
        ADD_FAILURE() << "threw: " << error.what();
      }
    }
  }
}

std::string op_of(const std::string& row) { return row.substr(0, row.find('/')); }

/// How far a result of this type may be from the exact one, relative to 1 + its size. Reductions
/// and products round once an element, functions in float64 differ by a few units between
/// libraries.
double tolerance_of(const OpRow& row, DType dtype) {
  if (row.has(kExact)) return 0;
  const double units = is_reduced_float(dtype) ? (row.has(kPerElement) ? 1.01 : 3) : 32;
  return units * precision(dtype);
}

// --- values

void expect_values(const Case& c, const std::vector<Tensor>& results,
                   const std::vector<ReferenceTensor>& wanted, DType run) {
  ASSERT_EQ(results.size(), wanted.size());
  for (size_t i = 0; i < results.size(); ++i) {
    SCOPED_TRACE(str("in ", run, ", result ", static_cast<int64_t>(i)));
    EXPECT_EQ(results[i].dtype(), wanted[i].dtype_in(run));
    const Tensor reference = wanted[i].values();
    EXPECT_TRUE(results[i].sizes() == reference.sizes())
        << "got shape " << to_string(results[i].sizes()) << ", expected "
        << to_string(reference.sizes());
    // Of exact ops the rounding of the stored result is the result.
    const bool same =
        c.row.has(kExact) || !results[i].is_floating_point()
            ? same_bits(results[i], reference.to(results[i].dtype()))
            : distance(results[i].detach(), reference) <= tolerance_of(c.row, results[i].dtype());
    EXPECT_TRUE(same) << "got      " << results[i].str() << "\nexpected " << reference.str();
  }
}

TEST(OpTable, ValuesArePyTorchs) {
  int64_t cases = 0;
  for_each_case([&](const Case& c) {
    const Reference* reference = find_reference(c.row.name, c.text);
    ASSERT_NE(reference, nullptr) << "nothing stored: run tests/support/make_reference.py";
    ++cases;
    expect_values(c, c.row(make_samples(c.specs, kFloat64)), reference->outputs, kFloat64);
    if (c.has_run_type())
      expect_values(c, c.row(make_samples(c.specs, kFloat32)), reference->outputs, kFloat32);
  });
  RecordProperty("cases", std::to_string(cases));
}

TEST(OpTable, NothingIsStoredThatNoRowAsksFor) {
  std::set<std::string> asked;
  for_each_case([&](const Case& c) { asked.insert(str(c.row.name, " | ", c.text)); });
  for (const std::string& key : reference_keys()) {
    if (key.starts_with("nn ") || key.starts_with("sgd ")) continue;
    EXPECT_TRUE(asked.count(key)) << key << ": run tests/support/make_reference.py";
  }
}

TEST(OpTable, HalfTypesRoundTheFloat32Result) {
  for_each_case([](const Case& c) {
    if (c.row.has(kNoHalf) || !c.is_drawn()) return;
    const std::vector<Tensor> exact = c.row(make_samples(c.specs, kFloat32));
    for (const DType half : {kFloat16, kBFloat16}) {
      SCOPED_TRACE(name_of(half));
      const std::vector<Tensor> results = c.row(make_samples(c.specs, half));
      ASSERT_EQ(results.size(), exact.size());
      for (size_t i = 0; i < results.size(); ++i) {
        if (exact[i].dtype() == kFloat32) {
          EXPECT_TRUE(results[i].dtype() == half || results[i].dtype() == kFloat32);
        } else {
          EXPECT_EQ(results[i].dtype(), exact[i].dtype());
        }
        EXPECT_LE(distance(results[i], exact[i]), tolerance_of(c.row, results[i].dtype()))
            << "got      " << results[i].str() << "\nexpected " << exact[i].str();
      }
    }
  });
}

// --- gradients

/// Whether differences mean something: the mean of nothing has none.
bool is_finite(const Case& c, const std::vector<Tensor>& inputs) {
  for (const Tensor& y : c.row(inputs))
    for (const double e : y.to_vector<double>())
      if (!std::isfinite(e)) return false;
  return true;
}

TEST(OpTable, GradientsAreCentralDifferences) {
  for_each_case([](const Case& c) {
    if (!c.differentiable() || !c.is_drawn()) return;
    const auto inputs = make_samples(c.specs, kFloat64);
    if (!is_finite(c, inputs)) return;
    EXPECT_TRUE(gradcheck(c.function(), inputs, c.wanted()));
  });
}

TEST(OpTable, SecondGradientsAreCentralDifferences) {
  for_each_case([](const Case& c) {
    if (!c.differentiable() || !c.row.has(kTwice) || !c.is_drawn()) return;
    int64_t elements = 0;
    for (const SampleSpec& s : c.specs) elements += s.kind == '-' ? 0 : s.numel();
    if (elements > 100) return;
    const auto inputs = make_samples(c.specs, kFloat64);
    if (!is_finite(c, inputs)) return;
    EXPECT_TRUE(gradgradcheck(c.function(), inputs, c.wanted()));
  });
}

// Fused kernels and compositions of differentiable ops must say the same.
TEST(OpTable, GradientsWithAGraphAreTheSame) {
  for_each_case([](const Case& c) {
    if (!c.differentiable() || !c.row.has(kTwice)) return;
    for (const DType run : {kFloat64, kFloat32}) {
      const auto leaves = fresh_leaves(make_samples(c.specs, run), c.wanted());
      const std::vector<Tensor> plain = gradients(c.function(), leaves);
      const std::vector<Tensor> graph = gradients(c.function(), leaves, true);
      for (size_t i = 0; i < plain.size(); ++i) {
        if (!plain[i].defined()) continue;
        EXPECT_EQ(graph[i].dtype(), plain[i].dtype());
        EXPECT_LE(distance(graph[i].detach(), plain[i]), 64 * precision(run))
            << "input " << i << " in " << name_of(run) << "\nplain " << plain[i].str() << "\ngraph "
            << graph[i].str();
      }
    }
  });
}

TEST(OpTable, GradientsAtEdgesArePyTorchs) {
  int64_t cases = 0;
  for_each_case([&](const Case& c) {
    const Reference* reference = find_reference(c.row.name, c.text);
    if (!reference || reference->grads.empty()) return;
    ++cases;
    for (const DType run : {kFloat64, kFloat32}) {
      const auto leaves = fresh_leaves(make_samples(c.specs, run), c.wanted());
      const std::vector<Tensor> grads = gradients(c.function(), leaves);
      ASSERT_EQ(grads.size(), reference->grads.size());
      for (size_t i = 0; i < grads.size(); ++i) {
        ASSERT_EQ(grads[i].defined(), reference->grads[i].defined);
        if (!grads[i].defined()) continue;
        const Tensor wanted = reference->grads[i].values();
        EXPECT_LE(distance(grads[i], wanted), 64 * precision(run))
            << "input " << i << " in " << name_of(run) << "\ngot      " << grads[i].str()
            << "\nexpected " << wanted.str();
      }
    }
  });
  EXPECT_GT(cases, 20);
}

TEST(OpTable, ThereIsNoGradientWithoutAsking) {
  for_each_case([](const Case& c) {
    for (const Tensor& y : c.row(make_samples(c.specs, kFloat32))) EXPECT_FALSE(y.requires_grad());
    if (!c.differentiable()) return;
    const auto leaves = fresh_leaves(make_samples(c.specs, kFloat32), c.wanted());
    const NoGradGuard no_grad;
    for (const Tensor& y : c.row(leaves))
      for (const Tensor& x : leaves) EXPECT_TRUE(y.is_same(x) || !y.requires_grad());
  });
}

// --- geometry

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

TEST(OpTable, GeometryOfInputsDoesNotMatter) {
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

TEST(OpTable, ExpandedInputsAreLikeCopies) {
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

TEST(OpTable, GeometryOfTheSeedDoesNotMatter) {
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

TEST(OpTable, CallsAreRepeatable) {
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

TEST(OpTable, InputsAreLeftAlone) {
  for_each_case([](const Case& c) {
    const std::vector<Tensor> inputs = make_samples(c.specs, kFloat32);
    const std::vector<Tensor> results = c.row(inputs);
    const std::vector<Tensor> again = make_samples(c.specs, kFloat32);
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_TRUE(!inputs[i].defined() || same_bits(inputs[i], again[i]));
  });
}

TEST(OpTable, PositionAndSizeDoNotMatterElementwise) {
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

// --- errors

TEST(OpTable, WrongUsesAreNamed) {
  for (const WrongUse& use : wrong_uses()) {
    SCOPED_TRACE(str(use.name, ": ", use.text));
    try {
      use.call();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_TRUE(use.is_type(error)) << "another type of error: " << text;
      EXPECT_NE(text.find(use.text), std::string::npos) << "got " << text;
      EXPECT_EQ(text.find('\n'), std::string::npos) << "more than one line: " << text;
    }
  }
}

TEST(OpTable, UndefinedInputsAreErrorsOrOptional) {
  for_each_case([](const Case& c) {
    for (size_t i = 0; i < c.specs.size(); ++i) {
      std::vector<Tensor> inputs = make_samples(c.specs, kFloat32);
      inputs[i] = Tensor();
      try {
        c.row(inputs);
      } catch (const InternalError& error) {
        ADD_FAILURE() << error.what();
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
    }
  });
}

TEST(OpTable, WrongTypesAreErrorsOrWork) {
  for_each_case([](const Case& c) {
    if (c.any([](const SampleSpec& s) { return s.literal; })) return;
    for (size_t i = 0; i < c.specs.size(); ++i) {
      if (c.specs[i].kind == '-') continue;
      for (int type = 0; type < kNumDTypes; ++type) {
        std::vector<Tensor> inputs = make_samples(c.specs, kFloat32);
        inputs[i] = inputs[i].to(static_cast<DType>(type));
        try {
          c.row(inputs);
        } catch (const InternalError& error) {
          ADD_FAILURE() << error.what();
        } catch (const Error& error) {
          EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        }
      }
    }
  });
}

// --- devices

TEST(OpTable, CudaAgreesWithTheCpu) {
  if (!cuda::is_available()) GTEST_SKIP() << "no CUDA: " << cuda::unavailable_reason();
  for_each_case([](const Case& c) {
    if (c.specs.empty()) return;
    for (const DType run : {kFloat32, kFloat64, kFloat16, kBFloat16}) {
      if (run != kFloat32 && !c.has_run_type()) continue;
      if (is_reduced_float(run) && (c.row.has(kNoHalf) || !c.is_drawn())) continue;
      SCOPED_TRACE(name_of(run));
      const std::vector<Tensor> host = fresh_leaves(make_samples(c.specs, run), c.wanted());
      std::vector<Tensor> device;
      for (const Tensor& x : host) device.push_back(x.defined() ? x.detach().to("cuda") : Tensor());
      const bool differentiable = c.differentiable();
      device = fresh_leaves(device, c.wanted());
      std::vector<Tensor> wanted = c.row(host), got = c.row(device);
      if (differentiable) {
        for (const Tensor& g : gradients(c.function(), host)) wanted.push_back(g);
        for (const Tensor& g : gradients(c.function(), device)) got.push_back(g);
      }
      ASSERT_EQ(got.size(), wanted.size());
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(got[i].defined(), wanted[i].defined());
        if (!got[i].defined()) continue;
        EXPECT_EQ(got[i].dtype(), wanted[i].dtype());
        const double units = c.row.has(kExact) ? 0 : is_reduced_float(run) ? 4 : 64;
        EXPECT_LE(distance(got[i].detach().cpu(), wanted[i].detach()),
                  units * precision(got[i].dtype()))
            << "got      " << got[i].str() << "\nexpected " << wanted[i].str();
      }
    }
  });
}

// --- completeness

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(WICK_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The names of the functions that core/ops.h declares, and of the in-place methods that go with
/// them.
std::set<std::string> declared_ops() {
  std::set<std::string> names;
  const std::string text = read_source("core/ops.h");
  const std::regex declaration(R"(WICK_API\s+[A-Za-z_:<>, ]+?\s+(\w+)\()");
  for (std::sregex_iterator it(text.begin(), text.end(), declaration), end; it != end; ++it)
    names.insert((*it)[1]);
  names.erase("name");  // the macro that declares comparisons
#define WICK_NAME(name, Name) names.insert(#name);
#define WICK_BOTH_NAMES(name, Name) names.insert({#name, #name "_"});
  WICK_COMPARE_OPS(WICK_NAME)
  WICK_UNARY_FLOAT_OPS(WICK_BOTH_NAMES)
  WICK_UNARY_ANY_OPS(WICK_BOTH_NAMES)
  WICK_BINARY_OPS(WICK_BOTH_NAMES)
#undef WICK_NAME
#undef WICK_BOTH_NAMES
  // The state of the generator is no op.
  for (const char* name : {"manual_seed", "get_rng_state", "set_rng_state"}) names.erase(name);
  return names;
}

TEST(OpTable, EveryOpHasARow) {
  std::set<std::string> rows, wrong;
  for (const OpRow& row : op_rows()) rows.insert(op_of(row.name));
  for (const WrongUse& use : wrong_uses()) wrong.insert(use.name);
  const std::set<std::string> ops = declared_ops();
  EXPECT_GT(ops.size(), 80U) << "core/ops.h was not understood";
  for (const std::string& op : ops) {
    EXPECT_TRUE(rows.count(op)) << op << " has no row in tests/support/op_table.h";
    // An in-place form fails as the other does.
    EXPECT_TRUE(op.back() == '_' || wrong.count(op) || wrong.count(op + "_"))
        << op << " has no wrong use in tests/support/op_table.h";
  }
  int64_t cases = 0;
  for_each_case([&](const Case&) { ++cases; });
  std::printf("op table: %zu ops, %zu rows, %lld cases, %zu wrong uses, %zu stored results\n",
              ops.size(), op_rows().size(), static_cast<long long>(cases), wrong_uses().size(),
              reference_count());
}

}  // namespace
}  // namespace wick::test
