#include <gtest/gtest.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

// Does the emulation find each planted bug in the way that the case says, and nothing in the
// controls? WICK_SIMT_BUGS is the path of simt_bugs; WICK_SIMT_VARIANT_FAST, _CHECK or _ASAN says
// how that was built.
namespace {

using Clock = std::chrono::steady_clock;

// bugs.h has these names, but needs CUDA's headers.
enum Variant : unsigned { kFast = 1, kCheck = 2, kAsan = 4, kProtect = 8 };
enum Kind { kReport = 0, kWrong = 1, kSometimesWrong = 2 };

#if defined(WICK_SIMT_VARIANT_CHECK)
constexpr unsigned kVariant = kCheck;
constexpr const char* kVariantName = "check";
#elif defined(WICK_SIMT_VARIANT_ASAN) || defined(__SANITIZE_ADDRESS__)
constexpr unsigned kVariant = kAsan;
constexpr const char* kVariantName = "asan";
#elif defined(WICK_SIMT_VARIANT_FAST)
constexpr unsigned kVariant = kFast;
constexpr const char* kVariantName = "fast";
#else
#error "the variant of simt_bugs is not defined"
#endif

constexpr int kSeeds = 20;
constexpr auto kLimit = std::chrono::seconds(10);

struct Expectation {
  Kind kind;
  unsigned variants;
  std::string pattern;
};
using Cases = std::map<std::string, std::vector<Expectation>>;

/// C: a report, W: wrong results, X: died, H: still running after the limit, '.': nothing was seen,
/// ' ': was not run.
struct Outcome {
  char sign = ' ';
  std::string text;
};

std::vector<std::string> child_environment(const std::vector<std::string>& settings) {
  std::vector<std::string> all = settings;
  for (char** e = environ; *e; ++e) {
    const std::string entry = *e;
    if (!entry.starts_with("WICK_SIMT_") && !entry.starts_with("ASAN_OPTIONS=") &&
        !entry.starts_with("UBSAN_OPTIONS="))
      all.push_back(entry);
  }
  return all;
}

/// What the process prints until it ends or the time is over.
bool read_all(int file, std::string& text) {
  const auto end = Clock::now() + kLimit;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    pollfd poll{file, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&poll, 1, static_cast<int>(left.count())) <= 0) return false;
    char buffer[4096];
    const ssize_t n = ::read(file, buffer, sizeof buffer);
    if (n <= 0) return true;
    text.append(buffer, static_cast<size_t>(n));
  }
}

Outcome run(const std::string& argument, const std::vector<std::string>& settings = {}) {
  std::vector<std::string> environment = child_environment(settings);
  std::vector<char*> envp;
  for (std::string& e : environment) envp.push_back(e.data());
  envp.push_back(nullptr);
  std::string program = WICK_SIMT_BUGS, name = argument;
  char* const argv[] = {program.data(), name.data(), nullptr};

  Outcome outcome{'X', ""};
  int ends[2];
  if (::pipe(ends) != 0) return outcome;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv, envp.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error == 0) {
    const bool ended = read_all(ends[0], outcome.text);
    if (!ended) ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome.sign = !ended ? 'H' : code == 0 ? '.' : code == 3 ? 'C' : code == 4 ? 'W' : 'X';
  }
  ::close(ends[0]);
  return outcome;
}

Outcome run_seed(const std::string& name, int seed) {
  return run(name, {"WICK_SIMT_SEED=" + std::to_string(seed)});
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Cases read_cases() {
  const Outcome list = run("--list");
  EXPECT_EQ(list.sign, '.') << list.text;
  Cases cases;
  for (const std::string& line : split(list.text, '\n')) {
    const std::vector<std::string> parts = split(line, '\t');
    if (parts[0].empty()) continue;
    auto& expectations = cases[parts[0]];
    if (parts.size() != 4) continue;
    expectations.push_back({static_cast<Kind>(std::stoi(parts[1])),
                            static_cast<unsigned>(std::stoul(parts[2])), parts[3]});
  }
  return cases;
}

bool is_control(const std::string& name) { return name.starts_with("ok_"); }

/// An extended regular expression of POSIX, for which a newline is a character as any other.
class Pattern {
 public:
  explicit Pattern(const std::string& text)
      : is_valid_(::regcomp(&regex_, text.c_str(), REG_EXTENDED | REG_NOSUB) == 0) {}
  ~Pattern() {
    if (is_valid_) ::regfree(&regex_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  bool is_valid() const { return is_valid_; }
  bool is_in(const std::string& text) const {
    return is_valid_ && ::regexec(&regex_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t regex_;
  bool is_valid_;
};

/// A sanitizer or a handler of signals may have ended the process: what counts is what it said.
bool has_report(const Outcome& outcome, const std::string& pattern) {
  return (outcome.sign == 'C' || outcome.sign == 'X') && Pattern(pattern).is_in(outcome.text);
}

bool is_met(const Expectation& e, const Outcome& outcome) {
  return e.kind == kReport ? has_report(outcome, e.pattern) : outcome.sign == 'W';
}

bool takes_long(const std::string& name) { return name.find("long_") != std::string::npos; }

/// Chance matters for what is right or wrong, hardly for reports, and not where nothing is said.
int seeds_of(const std::string& name, const std::vector<Expectation>& expectations) {
  if (takes_long(name)) return 2;
  if (is_control(name)) return kVariant == kAsan ? 5 : kSeeds;
  int seeds = 1;
  for (const Expectation& e : expectations)
    if (e.variants & kVariant) seeds = e.kind == kReport ? std::max(seeds, 5) : kSeeds;
  return seeds;
}

/// All that one case did, for a line of the table.
struct Results {
  std::vector<Outcome> random;
  Outcome forward, reverse, eager, protect;

  int caught() const {
    return static_cast<int>(std::count_if(random.begin(), random.end(),
                                          [](const Outcome& o) { return o.sign != '.'; }));
  }
  std::string signs() const {
    std::string all;
    for (const Outcome& o : random)
      if (all.find(o.sign) == std::string::npos) all += o.sign;
    return all;
  }
};

Results run_all(const std::string& name, int seeds) {
  Results results;
  for (int seed = 1; seed <= seeds; ++seed) results.random.push_back(run_seed(name, seed));
  if (!takes_long(name)) {
    results.forward = run(name, {"WICK_SIMT_ORDER=forward"});
    results.reverse = run(name, {"WICK_SIMT_ORDER=reverse"});
    results.eager = run(name, {"WICK_SIMT_LAZY=0"});
    if (kVariant == kFast) results.protect = run(name, {"WICK_SIMT_PROTECT=1"});
  }
  std::printf("%-30s %3d/%-2d %-4s %-8c%-8c%-6c%c\n", name.c_str(), results.caught(), seeds,
              results.signs().c_str(), results.forward.sign, results.reverse.sign,
              results.eager.sign, results.protect.sign);
  std::fflush(stdout);
  return results;
}

void print_heading() {
  std::printf("C: report, W: wrong results, X: died, H: hung, '.': nothing was seen\n");
  std::printf("%-30s random      forward reverse eager protect\n", kVariantName);
}

void expect_met(const Expectation& e, const Results& results) {
  if (e.variants & kVariant) {
    const auto met = std::count_if(results.random.begin(), results.random.end(),
                                   [&](const Outcome& o) { return is_met(e, o); });
    const auto all = static_cast<ptrdiff_t>(results.random.size());
    const char* what = e.kind == kReport ? "a report with " : "wrong results";
    EXPECT_GE(met, e.kind == kSometimesWrong ? 1 : all)
        << "with how many of " << all << " seeds there was " << what << e.pattern
        << "; with the first one: " << results.random[0].text;
  }
  if (kVariant == kFast && (e.variants & kProtect)) {
    EXPECT_TRUE(is_met(e, results.protect)) << e.pattern << ": " << results.protect.text;
  }
}

TEST(PlantedBugs, has_all_cases) {
  const Cases cases = read_cases();
  const auto controls = std::count_if(cases.begin(), cases.end(),
                                      [](const auto& entry) { return is_control(entry.first); });
  EXPECT_GE(controls, 35);
  EXPECT_GE(static_cast<ptrdiff_t>(cases.size()) - controls, 160);
}

// The variants are built and run apart from each other; together they must leave nothing out.
TEST(PlantedBugs, each_is_caught_by_a_variant) {
  for (const auto& [name, expectations] : read_cases()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(expectations.empty(), is_control(name));
    for (const Expectation& e : expectations) {
      EXPECT_NE(e.variants & (kFast | kCheck | kAsan | kProtect), 0u);
      EXPECT_EQ(e.pattern.empty(), e.kind != kReport);
      EXPECT_TRUE(Pattern(e.pattern).is_valid()) << e.pattern;
    }
  }
}

TEST(PlantedBugs, are_caught) {
  print_heading();
  for (const auto& [name, expectations] : read_cases()) {
    if (is_control(name)) continue;
    SCOPED_TRACE(name);
    const Results results = run_all(name, seeds_of(name, expectations));
    for (const Expectation& e : expectations) expect_met(e, results);
  }
}

TEST(PlantedBugs, controls_are_clean) {
  print_heading();
  for (const auto& [name, expectations] : read_cases()) {
    if (!is_control(name)) continue;
    SCOPED_TRACE(name);
    const Results results = run_all(name, seeds_of(name, expectations));
    for (const Outcome& o : results.random) EXPECT_EQ(o.sign, '.') << o.text;
    for (const Outcome* o : {&results.forward, &results.reverse, &results.eager, &results.protect})
      EXPECT_TRUE(o->sign == '.' || o->sign == ' ') << o->sign << ": " << o->text;
  }
}

}  // namespace
