#include <tests/simt/bugs/bugs.h>

#include <cstdio>
#include <cstring>

// simt_bugs NAME runs a case. Exit status: 0: nothing was seen; 3: a report, which is printed;
// 4: the results are wrong.
// simt_bugs --list prints a line "name<TAB>kind<TAB>variants<TAB>pattern" for each expectation of
// each case, and the name alone for a case without any.

// A sanitizer's report is a report.
extern "C" const char* __asan_default_options() { return "exitcode=3:detect_leaks=0"; }
extern "C" const char* __ubsan_default_options() { return "exitcode=3:halt_on_error=1"; }

namespace bugs {

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

namespace {

constexpr int kReport = 3;
constexpr int kWrong = 4;

int list() {
  for (const Case& c : cases()) {
    if (c.expectations.empty()) std::puts(c.name);
    for (const Expectation& e : c.expectations)
      std::printf("%s\t%d\t%u\t%s\n", c.name, e.kind, e.variants, e.pattern);
  }
  return 0;
}

void wait_for_devices() {
  int devices = 0;
  must(cudaGetDeviceCount(&devices));
  for (int i = 0; i < devices; ++i) {
    must(cudaSetDevice(i));
    must(cudaDeviceSynchronize());
  }
}

int run(const Case& c) {
  try {
    const bool wrong = c.run();
    wait_for_devices();
    std::puts(wrong ? "wrong results" : "nothing was seen");
    return wrong ? kWrong : 0;
  } catch (const std::exception& error) {
    std::puts(error.what());
    return kReport;
  }
}

}  // namespace
}  // namespace bugs

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) return bugs::list();
  for (const bugs::Case& c : bugs::cases())
    if (argc == 2 && std::strcmp(argv[1], c.name) == 0) return bugs::run(c);
  std::fputs("usage: simt_bugs NAME | --list\n", stderr);
  return 2;
}
