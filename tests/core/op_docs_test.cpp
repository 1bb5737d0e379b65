#include <tests/support/cuda.h>
#include <tests/support/files.h>
#include <tests/support/op_case.h>
#include <fstream>
#include <map>
#include <sstream>

// docs/ops.md is made of the op table and of what the ops do with each type. After a change:
//   WICK_WRITE_DOCS=1 build/release/bin/core_tests --gtest_filter='OpDocs.*'
namespace wick::test {
namespace {

struct Described {
  std::vector<std::string> forms;  // "exp_"
  std::vector<bool> types = std::vector<bool>(kNumDTypes);
  bool has_inputs = false, once = false, twice = false;
  std::string notes;
};

/// Whether the row takes a case with inputs of this type where they have that of the run.
bool takes(const Case& c, DType type) {
  std::vector<Tensor> inputs = make_samples(c.specs, kFloat32);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (c.specs[i].has_run_type()) inputs[i] = inputs[i].to(type);
  try {
    c.row(inputs);
    finish_device_work();
    return true;
  } catch (const Error&) {
    return false;
  }
}

void describe(const OpRow& row, Described& op) {
  op.once |= row.has(kOnce);
  op.twice |= row.has(kTwice);
  for (const std::string& text : split_cases(row.inputs)) {
    const Case c{row, text, parse_case(text)};
    if (!c.has_run_type() || c.any([](const SampleSpec& s) { return s.literal; })) continue;
    op.has_inputs = true;
    for (int t = 0; t < kNumDTypes; ++t)
      if (!op.types[static_cast<size_t>(t)])
        op.types[static_cast<size_t>(t)] = takes(c, static_cast<DType>(t));
  }
}

/// "floating", "all but bool", or a list.
std::string types_text(const Described& op) {
  if (!op.has_inputs) return "";
  const auto every = [&](auto&& wanted) {
    for (int t = 0; t < kNumDTypes; ++t)
      if (op.types[static_cast<size_t>(t)] != wanted(static_cast<DType>(t))) return false;
    return true;
  };
  if (every([](DType) { return true; })) return "all";
  if (every([](DType t) { return t != kBool; })) return "all but bool";
  if (every([](DType t) { return is_floating_point(t); })) return "floating";
  if (every([](DType t) { return is_floating_point(t) || t == kInt64; })) return "floating, int64";
  if (every([](DType t) { return !is_floating_point(t); })) return "integers, bool";
  std::string list;
  for (int t = 0; t < kNumDTypes; ++t)
    if (op.types[static_cast<size_t>(t)])
      list += std::string(list.empty() ? "" : ", ") + name_of(static_cast<DType>(t));
  return list;
}

std::string family_text(const OpFamily& family) {
  std::map<std::string, Described> ops;
  std::map<std::string, std::string> home;  // of an in-place form: the op whose line it shares
  const auto base_of = [](const std::string& row) { return row.substr(0, row.find('/')); };
  for (const OpRow& row : family.rows) ops[base_of(row.name)];
  for (const auto& [name, op] : ops) {
    const bool form = name.back() == '_' && ops.count(name.substr(0, name.size() - 1));
    home[name] = form ? name.substr(0, name.size() - 1) : name;
  }
  for (const OpRow& row : family.rows) {
    const std::string name = base_of(row.name);
    if (home[name] == name) describe(row, ops[name]);
  }
  for (const OpNote& note : family.notes) {
    EXPECT_TRUE(ops.count(note.name)) << "a note on " << note.name << ", which has no row";
    std::string& text = ops[home[note.name]].notes;
    text += (text.empty() ? "" : "; ") + std::string(note.text);
  }
  std::ostringstream out;
  out << "\n## " << family.name << "\n\n| op | types | gradient | second gradient | remarks |\n"
      << "|---|---|---|---|---|\n";
  for (const auto& [name, op] : ops) {
    if (home[name] != name) continue;
    out << "| `" << name << "`" << (ops.count(name + "_") ? ", `" + name + "_`" : "") << " | "
        << types_text(op) << " | " << (op.once ? "yes" : "no") << " | " << (op.twice ? "yes" : "no")
        << " | " << op.notes << " |\n";
  }
  return out.str();
}

TEST(OpDocs, AreWhatTheOpsDo) {
  std::string text =
      "# Ops\n\nMade from the op table by a test (`core_tests --gtest_filter='OpDocs.*'`); do not "
      "edit.\n\nEvery op runs on the CPU and on CUDA, with the same types. Every op is "
      "deterministic: called again with the same\narguments it gives the same bits, random ones "
      "from the same state of the generator. Types are those of the\nfloating-point arguments in "
      "the table's cases; integers may be promoted. A *second gradient* is the gradient of the\n"
      "gradient (`create_graph`). What an op does, its arguments and its errors are documented "
      "where it is declared,\nin `core/ops/<family>.h`.\n";
  for (const auto& [name, family] : op_families()) text += family_text(family);
  const std::string path = source_folder() + "/docs/ops.md";
  if (const char* write = std::getenv("WICK_WRITE_DOCS"); write && *write == '1') {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::ostringstream stored;
  stored << file.rdbuf();
  EXPECT_TRUE(stored.str() == text)
      << path << " is not current: run this test with WICK_WRITE_DOCS=1";
}

}  // namespace
}  // namespace wick::test
