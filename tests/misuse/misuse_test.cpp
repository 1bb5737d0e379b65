#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <tests/misuse/misuse.h>
#include <tests/support/cuda.h>
#include <tests/support/files.h>
#include <unistd.h>
#include <wick/core/autograd.h>
#include <wick/core/ops.h>

#include <chrono>
#include <cstdlib>
#include <thread>

// The machinery behind MISUSE(), and a count of the cases.
namespace wick::test {
namespace {

constexpr char kReportVariable[] = "WICK_MISUSE_REPORT";  // where the child writes what it caught
constexpr auto kLimit = std::chrono::seconds(5);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#elif defined(__has_feature)
constexpr bool kSanitizer = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitizer = false;
#endif

// What is left after an error works: gradients are recorded, computed and freed.
std::string state_after(int64_t tensors_before, int64_t nodes_before) {
  if (live_tensors() != tensors_before) return "tensors were left behind";
  if (live_nodes() != nodes_before) return "autograd nodes were left behind";
  if (!GradMode::is_enabled()) return "grad mode was left off";
  Tensor x = full({2}, 3.0).requires_grad_();
  (x * x).sum().backward();
  if (x.grad().to_vector<double>() != std::vector<double>{6, 6}) return "autograd no longer works";
  return "usable";
}

// First line: the type; second: the state afterwards; the rest: the text.
[[noreturn]] void run_child(const char* report_path, void (*use)()) {
  const int64_t tensors = live_tensors();
  const int64_t nodes = live_nodes();
  std::string type = "nothing", text;
  try {
    use();
    finish_device_work();
  } catch (const Error& error) {
    type = typeid(error).name();
    text = error.what();
  } catch (const std::exception& error) {
    type = typeid(error).name();
    text = error.what();
  } catch (...) {
    type = "an unknown exception";
  }
  write_file(report_path, type + "\n" + state_after(tensors, nodes) + "\n" + text);
  std::exit(0);
}

std::vector<std::string> child_environment(const std::string& report) {
  std::vector<std::string> all{std::string(kReportVariable) + "=" + report};
  bool asan = false, tsan = false;
  // A sanitizer would end the program where malloc returns null.
  constexpr char kNull[] = ":allocator_may_return_null=1";
  for (char** e = environ; *e; ++e) {
    const std::string entry = *e;
    if (entry.starts_with("GTEST_") || entry.starts_with(kReportVariable)) continue;
    const bool a = entry.starts_with("ASAN_OPTIONS="), t = entry.starts_with("TSAN_OPTIONS=");
    asan |= a;
    tsan |= t;
    all.push_back(a || t ? entry + kNull : entry);
  }
  if (!asan) all.push_back(std::string("ASAN_OPTIONS=") + (kNull + 1));
  if (!tsan) all.push_back(std::string("TSAN_OPTIONS=") + (kNull + 1));
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (std::string& s : strings) all.push_back(s.data());
  all.push_back(nullptr);
  return all;
}

struct Outcome {
  bool in_time = false;
  int status = 0;
  std::string report, printed;
};

Outcome run_again(const std::string& test) {
  const ScratchFolder folder;
  const std::string report = folder / "report", output = folder / "output";
  std::vector<std::string> arguments{"misuse", "--gtest_filter=" + test, "--gtest_brief=1",
                                     "--gtest_color=no"};
  std::vector<std::string> environment = child_environment(report);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(environment);
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    ::execve("/proc/self/exe", argv.data(), envp.data());
    ::_exit(127);
  }
  Outcome outcome;
  if (child < 0) return outcome;
  while (!(outcome.in_time = ::waitpid(child, &outcome.status, WNOHANG) == child)) {
    if (std::chrono::steady_clock::now() - start > kLimit) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &outcome.status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (std::filesystem::exists(report)) outcome.report = read_file(report);
  if (std::filesystem::exists(output)) outcome.printed = read_file(output);
  return outcome;
}

}  // namespace

void expect_refusal(std::type_index type, std::initializer_list<const char*> fragments,
                    void (*use)()) {
  if (const char* report = std::getenv(kReportVariable)) run_child(report, use);
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  const Outcome o = run_again(std::string(info->test_suite_name()) + "." + info->name());
  ASSERT_TRUE(o.in_time) << "it hung for 5 s; printed: " << o.printed;
  ASSERT_TRUE(WIFEXITED(o.status))
      << "it died of signal " << WTERMSIG(o.status) << "; printed: " << o.printed;
  ASSERT_EQ(WEXITSTATUS(o.status), 0) << "printed: " << o.printed;
  const size_t first = o.report.find('\n');
  ASSERT_NE(first, std::string::npos) << "no report; printed: " << o.printed;
  const size_t second = o.report.find('\n', first + 1);
  const std::string text = o.report.substr(second + 1);
  EXPECT_EQ(o.report.substr(0, first), type.name()) << text;
  EXPECT_EQ(o.report.substr(first + 1, second - first - 1), "usable") << text;
  EXPECT_EQ(text.find_first_of("\n\r"), std::string::npos) << "more than one line: " << text;
  EXPECT_FALSE(text.empty());
  for (const char* fragment : fragments)
    EXPECT_NE(text.find(fragment), std::string::npos) << "\"" << fragment << "\" in: " << text;
  if (!kSanitizer) {
    EXPECT_EQ(o.printed, "") << "the library printed something";
  }
}

}  // namespace wick::test

TEST(MisuseSuite, has_sixty_cases_and_more) {
  int cases = 0;
  const auto* unit = testing::UnitTest::GetInstance();
  for (int i = 0; i < unit->total_test_suite_count(); ++i) {
    const auto* suite = unit->GetTestSuite(i);
    if (std::string(suite->name()).starts_with("Misuse") &&
        suite->name() != std::string("MisuseSuite"))
      cases += suite->total_test_count();
  }
  EXPECT_GE(cases, 60);
}
