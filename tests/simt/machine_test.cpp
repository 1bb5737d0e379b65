#include <gtest/gtest.h>
#include <regex.h>
#include <tests/simt/internal.h>
#include <tests/simt/machine_test.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>
#include <thread>

namespace {

using namespace simt::machine_test;

/// Other options for the life of this.
class WithOptions {
 public:
  WithOptions() : before_(simt::options()) {}
  ~WithOptions() { simt::options() = before_; }
  WithOptions(const WithOptions&) = delete;
  WithOptions& operator=(const WithOptions&) = delete;

 private:
  simt::Options before_;
};

/// Runs a test in both fixed orders and in random ones.
template <class F>
void in_all_orders(F f, uint64_t seeds = 10) {
  const WithOptions restore;
  for (const simt::Order order : {simt::Order::Forward, simt::Order::Reverse}) {
    simt::options().order = order;
    f();
  }
  simt::options().order = simt::Order::Random;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    simt::options().seed = seed;
    f();
  }
}

std::vector<int> iota(int n) {
  std::vector<int> v(static_cast<size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

// The CUDA C++ Programming Guide, "Warp Shuffle Functions", "Warp Vote Functions", "Warp Match
// Functions" and "Warp Reduce Functions", says what each lane gets.
TEST(Machine, collectives_give_what_cuda_gives) {
  in_all_orders([] {
    const std::vector<int64_t> got = collectives();
    int64_t multiples = 0;
    for (int l = 0; l < 32; ++l) multiples ^= l * 3;
    for (int l = 0; l < 32; ++l) {
      SCOPED_TRACE(l);
      const int first = l / 8 * 8, i = l % 8;
      const int64_t all = 31 * 32 / 2;
      const int64_t expected[kColumns] = {
          7,
          5,
          first + 5,
          l >= 3 ? l - 3 : l,
          i >= 3 ? l - 3 : l,
          l + 3 < 32 ? l + 3 : l,
          i + 3 < 8 ? l + 3 : l,
          l ^ 5,
          l / 8 % 2 == 1 ? l ^ 12 : l,  // earlier groups can be read, later ones not
          l + 2 < 32 ? l + 2 : l,
          (int64_t{1} << 40) + (l ^ 1),
          0x49249249,
          1,
          1,
          int64_t{0xff} << first,
          all - 3200,
          -100 + 1000 * -69,
          0,           // of lane 16
          0xffffffff,  // of lane 15
          64,
          31,
          multiples,
      };
      for (int c = 0; c < kColumns; ++c)
        EXPECT_EQ(got[static_cast<size_t>(l * kColumns + c)], expected[c]) << "column " << c;
    }
  });
}

TEST(Machine, shuffles_stay_in_segments) {
  in_all_orders([] {
    for (int width = 1; width <= 32; width *= 2) {
      const std::vector<int> got = segment_sums(width);
      for (int l = 0; l < 32; ++l) {
        const int first = l / width * width;
        EXPECT_EQ(got[static_cast<size_t>(l)], width * first + width * (width - 1) / 2)
            << "lane " << l << ", width " << width;
      }
    }
  });
}

TEST(Machine, parts_of_a_warp_go_their_own_ways) {
  in_all_orders([] {
    const std::vector<int> got = half_sums();
    for (int l = 0; l < 32; ++l)
      EXPECT_EQ(got[static_cast<size_t>(l)], l < 16 ? 120 : 376) << "lane " << l;
  });
}

TEST(Machine, instructions_of_a_warp) {
  in_all_orders([] { EXPECT_EQ(squares(), std::vector<int>(32, 10416)); });
}

TEST(Machine, barriers_count_predicates) {
  in_all_orders([] {
    for (const int limit : {0, 1, 50, 96}) {
      const std::vector<int> got = block_votes(96, limit);
      for (size_t i = 0; i < got.size(); i += 3) {
        EXPECT_EQ(got[i], limit);
        EXPECT_EQ(got[i + 1] != 0, limit == 96);
        EXPECT_EQ(got[i + 2] != 0, limit > 0);
      }
    }
  });
}

TEST(Machine, shared_memory_and_barriers) {
  in_all_orders([] {
    for (const int threads : {1, 31, 32, 33, 256, 1024}) {
      SCOPED_TRACE(threads);
      std::vector<int> expected = iota(threads);
      std::rotate(expected.begin(), expected.begin() + 5 * 3 % threads, expected.end());
      EXPECT_EQ(rotate_static(threads, 3, 5), expected);
      EXPECT_EQ(rotate_dynamic(threads, 3, 5), expected);
    }
  });
}

TEST(Machine, shared_memory_is_poisoned_for_each_block) {
  const WithOptions restore;
  simt::options().check_init = false;
  EXPECT_EQ(poison(), std::vector<uint32_t>(3, 0xffffffffu));
}

TEST(Machine, threads_know_their_places) {
  const uint32_t grid[3] = {3, 2, 4}, block[3] = {5, 4, 3};
  const std::vector<uint32_t> got = coordinates(grid, block);
  size_t at = 0;
  for (uint32_t b = 0; b < 24; ++b) {
    for (uint32_t t = 0; t < 60; ++t) {
      const std::vector<uint32_t> expected = {b % 3, b / 3 % 2, b / 6, t % 5, t / 5 % 4, t / 20,
                                              5,     4,         3,     3,     2,         4};
      ASSERT_EQ(std::vector<uint32_t>(&got[at], &got[at] + 12), expected)
          << "block " << b << ", thread " << t;
      at += 12;
    }
  }
}

TEST(Machine, atomics) {
  in_all_orders([] {
    constexpr uint32_t kN = 3 * 64;
    const Atomics a = atomics(3, 64);
    EXPECT_EQ(a.add, kN * (kN - 1) / 2);
    EXPECT_EQ(a.sub, 0u - 2 * kN);
    EXPECT_EQ(a.min, 5u);
    EXPECT_EQ(a.max, kN - 1);
    EXPECT_EQ(a.and_, 0x80000000u);
    EXPECT_EQ(a.or_, 0x7fffffffu);
    uint32_t x = 0;
    for (uint32_t i = 0; i < kN; ++i) x ^= i;
    EXPECT_EQ(a.xor_, x);
    EXPECT_EQ(a.inc, kN % 7);            // 0, 1 ... 6, 0
    EXPECT_EQ(a.dec, (7 - kN % 7) % 7);  // 0, 6 ... 1, 0
    EXPECT_EQ(a.smin, 10 - static_cast<int>(kN - 1));
    EXPECT_EQ(a.smax, -3);
    EXPECT_EQ(a.add64, uint64_t{kN * (kN - 1) / 2} << 33);
    EXPECT_EQ(a.max64, uint64_t{kN - 1} << 40);
    EXPECT_EQ(a.min64, uint64_t{1} << 56);
    EXPECT_EQ(a.swaps64, uint64_t{kN} << 32);
    EXPECT_EQ(a.addf, 0.5f * kN);
    EXPECT_EQ(a.addd, 0.25 * kN);
    std::vector<int> exchanged = exchange(64), expected = iota(65);
    std::sort(exchanged.begin(), exchanged.end());
    for (int& v : expected) --v;
    EXPECT_EQ(exchanged, expected);
  });
}

TEST(Machine, fixed_orders) {
  const WithOptions restore;
  std::vector<int> expected = iota(3 * 64);
  simt::options().order = simt::Order::Forward;
  EXPECT_EQ(order_of_threads(3, 64), expected);
  // A warp goes on while it can, the one that came last too.
  std::vector<int> after = iota(64);
  std::rotate(after.begin(), after.begin() + 32, after.end());
  EXPECT_EQ(order_after_barrier(64), after);
  simt::options().order = simt::Order::Reverse;
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(order_of_threads(3, 64), expected);
}

TEST(Machine, random_orders_follow_from_the_seed) {
  const WithOptions restore;
  simt::options().order = simt::Order::Random;
  const auto orders = [](uint64_t seed) {
    simt::options().seed = seed;
    simt::statistics().launches = 1000;  // a launch's schedule depends on its number, too
    return std::vector{order_of_threads(7, 64), order_after_barrier(64)};
  };
  std::set<std::vector<int>> first_blocks, all;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto once = orders(seed);
    EXPECT_EQ(orders(seed), once);
    for (const std::vector<int>& order : once) {
      std::vector<int> sorted = order;
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(sorted, iota(static_cast<int>(order.size())));
      all.insert(order);
    }
    first_blocks.insert({once[0][0] / 64});
  }
  EXPECT_GE(all.size(), 30u);
  EXPECT_GE(first_blocks.size(), 4u);  // of 7
}

TEST(Machine, later_launches_have_other_orders) {
  const WithOptions restore;
  simt::options().order = simt::Order::Random;
  std::set<std::vector<int>> orders;
  for (int i = 0; i < 10; ++i) orders.insert(order_of_threads(7, 64));
  EXPECT_GE(orders.size(), 8u);
}

/// What a kernel with a mistake is reported as; then, whether a correct one still runs.
std::string report_of(Mistake mistake) {
  std::string report = "nothing was reported";
  try {
    run_mistake(mistake);
  } catch (const simt::Error& e) {
    report = e.what();
  }
  EXPECT_FALSE(simt::in_kernel());
  EXPECT_EQ(squares(), std::vector<int>(32, 10416));
  EXPECT_EQ(rotate_static(64, 1, 1)[63], 0);
  return report;
}

/// Whether an extended regular expression is found; a dot stands for the end of a line, too.
bool is_found(const std::string& text, const char* pattern) {
  regex_t regex;
  EXPECT_EQ(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0) << pattern;
  const bool found = regexec(&regex, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&regex);
  return found;
}

void expect_report(Mistake mistake, const char* pattern) {
  in_all_orders(
      [&] {
        const std::string report = report_of(mistake);
        EXPECT_TRUE(is_found(report, pattern)) << report << "\nexpected: " << pattern;
        EXPECT_NE(report.find("mistake_kernel"), std::string::npos) << report;
        EXPECT_NE(report.find("grid 2x1x1, seed " + std::to_string(simt::options().seed)),
                  std::string::npos)
            << report;
      },
      3);
}

TEST(Machine, reports_divergent_barriers) {
  expect_report(Mistake::BarrierInBranch,
                "simt: divergent barrier: 48 threads of the block have exited, the others wait at "
                "__syncthreads at .*machine_test.cu:[0-9]+");
  expect_report(Mistake::BarrierSites,
                "divergent barrier: thread .* waits at __syncthreads at .*:([0-9]+), thread .* at "
                "__syncthreads at");
  expect_report(Mistake::BarrierAfterReturn, "divergent barrier: 24 threads .* have exited");
}

TEST(Machine, reports_divergent_collectives) {
  expect_report(Mistake::NotInMask, "the calling lane is not in its own mask: __shfl_sync");
  expect_report(Mistake::ExitedLane, "lane 9, which has exited|deadlock");
  expect_report(Mistake::AbsentLane, "lane 20, which the block does not have");
  expect_report(Mistake::DifferentCollectives,
                "divergent warp collective: .*(__shfl_sync.*__ballot_sync|__ballot_sync.*__shfl)");
  expect_report(Mistake::DifferentMasks,
                "(divergent warp collective: .*|deadlock.*)mask 0xffff\\)");
  expect_report(Mistake::ShuffleWidth, "power of two up to 32, got 12");
  expect_report(Mistake::ShuffleTooFar, "a shuffle over 32 lanes");
  expect_report(Mistake::HalfWarp,
                "(which has exited: |deadlock: .* wait forever.*)__shfl_down_sync\\(mask");
  expect_report(Mistake::BarrierAndShuffle,
                "(divergent warp collective|deadlock): .*__syncthreads at");
}

TEST(Machine, reports_misuse_of_shared_memory) {
  expect_report(Mistake::TooMuchShared, "more than 48 KiB of static shared memory.*50000 bytes");
  expect_report(Mistake::TooMuchSharedTogether,
                "more than 48 KiB of shared memory.*20000 bytes in variables and 40000");
  expect_report(Mistake::NoDynamicShared, "the launch gave 0 bytes");
}

TEST(Machine, reports_what_ends_a_thread) {
  expect_report(Mistake::Trap, "__trap\\(\\) at .*machine_test.cu.*in thread \\(5,0,0\\)");
  expect_report(Mistake::Throw, "a kernel threw: thrown by a thread\n  in thread \\(5,0,0\\)");
}

TEST(MachineDeathTest, stacks_are_large_and_guarded) {
  use_stack(100 << 10);
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a forked child has no devices
  // By the guard page, or by the checker where that sees it first.
  const auto overflow = [] {
    try {
      use_stack(1 << 20);
    } catch (const Error&) {
      std::abort();
    }
  };
  EXPECT_DEATH(overflow(), "");
}

TEST(Machine, host_threads_take_turns) {
  std::vector<std::thread> threads;
  std::vector<std::vector<int>> results(4);
  for (std::vector<int>& result : results) {
    threads.emplace_back([&result] {
      for (int i = 0; i < 5; ++i) result = count_up(100);
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::vector<int>& result : results) EXPECT_EQ(result, std::vector<int>(100, 100));
}

TEST(Machine, knows_the_names_of_kernels) {
  const auto name = simt::function_name(reinterpret_cast<const void*>(&simt::next_random));
  EXPECT_EQ(name, "simt::next_random(unsigned long&)");
  EXPECT_EQ(simt::function_name(nullptr), "?");
  EXPECT_EQ(simt::source_line(nullptr), "?");
}

TEST(MachineDeathTest, kernels_that_ran_are_logged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string own = testing::TempDir() + "machine_test." + std::to_string(getpid());
  setenv("WICK_MACHINE_TEST_LOG", own.c_str(), 0);  // the process that dies inherits it
  const std::string path = std::getenv("WICK_MACHINE_TEST_LOG");
  const auto run_some = [&path] {
    setenv("WICK_SIMT_KERNEL_LOG", path.c_str(), 1);
    squares();
    rotate_static(64, 1, 1);
    squares();
    order_of_threads(3, 64);
    std::exit(0);
  };
  EXPECT_EXIT(run_some(), testing::ExitedWithCode(0), "");
  std::ifstream log(path);
  const std::string text{std::istreambuf_iterator<char>(log), {}};
  EXPECT_EQ(text, "order_kernel\nrotate_static_kernel\nsquares_kernel\n");
  std::remove(path.c_str());
}

TEST(Machine, counts) {
  const simt::Statistics before = simt::statistics();
  order_of_threads(3, 64);
  EXPECT_EQ(simt::statistics().launches - before.launches, 1u);
  EXPECT_EQ(simt::statistics().blocks - before.blocks, 3u);
  EXPECT_EQ(simt::statistics().threads - before.threads, 192u);
  // A thread that never waits hands its stack to the next.
  EXPECT_EQ(simt::statistics().switches - before.switches, 2 * 3u);
}

}  // namespace
