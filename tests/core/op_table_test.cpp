#include <tests/support/cuda.h>
#include <tests/support/files.h>
#include <tests/support/op_case.h>
#include <tests/support/reference.h>
#include <wick/core/cuda.h>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

// Over the rows of tests/support/op_table/: values, errors, devices, and that no op is missing.
// Gradients and geometry: op_table_grad_test.cpp, op_table_geometry_test.cpp.
namespace wick::test {
namespace {

// --- values

void for_every_case(const std::function<void(const Case&)>& visit) {
  for (const auto& [name, family] : op_families()) for_each_case(family, visit);
}

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

TEST_P(OpTable, ValuesArePyTorchs) {
  for_each_case([&](const Case& c) {
    const Reference* reference = find_reference(c.row.name, c.text);
    ASSERT_NE(reference, nullptr) << "nothing stored: run tests/support/make_reference.py";
    expect_values(c, c.row(make_samples(c.specs, kFloat64)), reference->outputs, kFloat64);
    if (c.has_run_type())
      expect_values(c, c.row(make_samples(c.specs, kFloat32)), reference->outputs, kFloat32);
  });
}

TEST(OpTableFiles, NothingIsStoredThatNoRowAsksFor) {
  std::set<std::string> asked;
  for_every_case([&](const Case& c) { asked.insert(str(c.row.name, " | ", c.text)); });
  for (const std::string& key : reference_keys()) {
    if (key.starts_with("nn ") || key.starts_with("sgd ")) continue;
    EXPECT_TRUE(asked.count(key)) << key << ": run tests/support/make_reference.py";
  }
}

TEST_P(OpTable, HalfTypesRoundTheFloat32Result) {
  for_each_case([&](const Case& c) {
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

// --- errors

TEST_P(OpTable, WrongUsesAreNamed) {
  for (const WrongUse& use : family().wrong_uses) {
    SCOPED_TRACE(str(use.name, ": ", use.text));
    try {
      use.call();
      finish_device_work();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_TRUE(use.is_type(error)) << "another type of error: " << text;
      EXPECT_NE(text.find(use.text), std::string::npos) << "got " << text;
      EXPECT_EQ(text.find('\n'), std::string::npos) << "more than one line: " << text;
    }
  }
}

TEST_P(OpTable, UndefinedInputsAreErrorsOrOptional) {
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

TEST_P(OpTable, WrongTypesAreErrorsOrWork) {
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

TEST_P(OpTable, CudaAgreesWithTheCpu) {
  if (!cuda::is_available()) GTEST_SKIP() << "no CUDA: " << cuda::unavailable_reason();
  for_each_case([](const Case& c) {
    if (c.specs.empty()) return;
    for (const DType run : {kFloat32, kFloat64, kFloat16, kBFloat16}) {
      if (run != kFloat32 && !c.has_run_type()) continue;
      if (is_reduced_float(run) && (c.row.has(kNoHalf) || !c.is_drawn())) continue;
      SCOPED_TRACE(name_of(run));
      std::vector<Tensor> host, device;
      for (const Tensor& x : make_samples(c.specs, run)) {
        host.push_back(x.defined() ? x.cpu() : Tensor());
        device.push_back(x.defined() ? x.to("cuda") : Tensor());
      }
      host = fresh_leaves(host, c.wanted());
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

std::string op_of(const std::string& row) { return row.substr(0, row.find('/')); }

// --- completeness

std::string read_source(const std::string& path) {
  std::ifstream file(source_folder() + "/" + path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The names of the functions that core/ops/*.h declare, and of the in-place methods that go with
/// them.
std::set<std::string> declared_ops() {
  std::set<std::string> names;
  std::string text;
  for (const auto& file : std::filesystem::directory_iterator(source_folder() + "/core/ops"))
    if (file.path().extension() == ".h")
      text += read_source("core/ops/" + file.path().filename().string());
  // The word before the first parenthesis after each WICK_API.
  for (size_t at = text.find("WICK_API "); at != std::string::npos;
       at = text.find("WICK_API ", at + 1)) {
    const size_t end = text.find_first_of("({", at);
    if (end == std::string::npos || text[end] == '{') continue;  // a class
    size_t begin = end;
    while (std::isalnum(static_cast<unsigned char>(text[begin - 1])) || text[begin - 1] == '_')
      --begin;
    if (begin < end) names.insert(text.substr(begin, end - begin));  // not an operator
  }
  names.erase("name");  // the macro that declares comparisons
#define WICK_NAME(name, Name) names.insert(#name);
#define WICK_BOTH_NAMES(name, Name) names.insert({#name, #name "_"});
  WICK_COMPARE_OPS(WICK_NAME)
  WICK_UNARY_FLOAT_OPS(WICK_BOTH_NAMES)
  WICK_UNARY_RARE_OPS(WICK_BOTH_NAMES)
  WICK_UNARY_ROUNDING_OPS(WICK_BOTH_NAMES)
  WICK_UNARY_ANY_OPS(WICK_BOTH_NAMES)
  WICK_BINARY_OPS(WICK_BOTH_NAMES)
  WICK_BINARY_RARE_OPS(WICK_BOTH_NAMES)
#undef WICK_NAME
#undef WICK_BOTH_NAMES
  // The state of the generator is no op.
  for (const char* name : {"manual_seed", "get_rng_state", "set_rng_state"}) names.erase(name);
  return names;
}

TEST(OpTableFiles, EveryOpHasARow) {
  std::set<std::string> rows, wrong;
  size_t row_count = 0, wrong_count = 0;
  for (const auto& [name, family] : op_families()) {
    for (const OpRow& row : family.rows) rows.insert(op_of(row.name));
    for (const WrongUse& use : family.wrong_uses) wrong.insert(use.name);
    row_count += family.rows.size();
    wrong_count += family.wrong_uses.size();
  }
  const std::set<std::string> ops = declared_ops();
  EXPECT_GT(ops.size(), 80U) << "core/ops/*.h were not understood";
  for (const std::string& op : ops) {
    EXPECT_TRUE(rows.count(op)) << op << " has no row in tests/support/op_table/";
    // An in-place form fails as the other does.
    EXPECT_TRUE(op.back() == '_' || wrong.count(op) || wrong.count(op + "_"))
        << op << " has no wrong use in tests/support/op_table/";
  }
  size_t cases = 0, drawn = 0, differentiable = 0;
  for_every_case([&](const Case& c) {
    ++cases;
    drawn += c.is_drawn();
    differentiable += c.is_drawn() && c.differentiable();
  });
  std::printf("op table: %zu ops, %zu rows, %zu cases, %zu wrong uses, %zu stored results\n",
              ops.size(), row_count, cases, wrong_count, reference_count());
  EXPECT_GT(cases, 1000U) << "the table was not understood";
  EXPECT_GT(drawn, 400U) << "the table was not understood";
  EXPECT_GT(differentiable, 400U) << "the table was not understood";
}

// A ctest entry for each.
// clang-format off
#define FAMILIES(_) \
  _(activation) _(attention) _(compare) _(creation) _(index) _(indexing) \
  _(layer) _(linalg) _(loss) _(pattern) _(pointwise) _(product) \
  _(reduce) _(resample) _(scan) _(scatter) _(shape) _(sort) \
  _(view)
// clang-format on
#define INSTANTIATE(name) INSTANTIATE_TEST_SUITE_P(name, OpTable, testing::Values(#name));
FAMILIES(INSTANTIATE)

TEST(OpTableFiles, EveryFamilyIsTested) {
  std::set<std::string> tested, families;
#define INSERT(name) tested.insert(#name);
  FAMILIES(INSERT)
  for (const auto& [name, family] : op_families()) families.insert(name);
  EXPECT_EQ(tested, families);
}

}  // namespace
}  // namespace wick::test
