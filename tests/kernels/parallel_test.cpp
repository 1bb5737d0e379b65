#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wick/core/check.h>
#include <wick/kernels/cpu/parallel.h>
#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace wick::cpu {
namespace {

class Parallel : public testing::Test {
 protected:
  void SetUp() override { previous_ = num_threads(); }
  void TearDown() override { set_num_threads(previous_); }

 private:
  int previous_;
};

using Range = std::pair<int64_t, int64_t>;
std::set<Range> ranges_of(int64_t n, int64_t grain) {
  std::set<Range> ranges;
  std::mutex mutex;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(ranges.insert({begin, end}).second);
  });
  return ranges;
}

TEST_F(Parallel, RangesCoverEverythingOnceInMultiplesOfTheGrain) {
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    for (const int64_t n : {0, 1, 7, 64, 65, 1000, 4097}) {
      for (const int64_t grain : {1, 7, 64, 5000}) {
        const std::set<Range> ranges = ranges_of(n, grain);
        int64_t next = 0;
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, next);
          EXPECT_LT(begin, end);
          if (end != n) {
            EXPECT_EQ((end - begin) % grain, 0);
          }
          next = end;
        }
        EXPECT_EQ(next, n);
        EXPECT_LE(ranges.size(), static_cast<size_t>(threads));
        EXPECT_EQ(ranges, ranges_of(n, grain));
      }
    }
  }
}

TEST_F(Parallel, RunsInTheCallerWhenThereIsLittle) {
  set_num_threads(4);
  const auto caller = std::this_thread::get_id();
  parallel_for(100, 100, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(end - begin, 100);
  });
}

TEST_F(Parallel, IsSerialInside) {
  set_num_threads(2);
  std::atomic<int> calls{0};
  parallel_for(2, 1, [&](int64_t, int64_t) {
    EXPECT_EQ(num_threads(), 1);
    parallel_for(100, 1, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(end - begin, 100);
      ++calls;
    });
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(num_threads(), 2);
}

TEST_F(Parallel, SerialScopeHoldsForItsThread) {
  set_num_threads(3);
  {
    const SerialScope outer;
    {
      const SerialScope inner;
      EXPECT_EQ(num_threads(), 1);
    }
    EXPECT_EQ(num_threads(), 1);
    int other = 0;
    std::thread([&] { other = num_threads(); }).join();
    EXPECT_EQ(other, 3);
  }
  EXPECT_EQ(num_threads(), 3);
}

TEST_F(Parallel, RejectsNoThreads) {
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-2), ValueError);
}

TEST_F(Parallel, AnExceptionReachesTheCaller) {
  set_num_threads(2);
  const auto body = [](int64_t begin, int64_t) {
    if (begin > 0) throw std::runtime_error("from a thread");
  };
  EXPECT_THROW(parallel_for(1000, 10, body), std::runtime_error);
  EXPECT_EQ(ranges_of(1000, 10).size(), 2u);
}

TEST_F(Parallel, AForkedChildIsSerial) {
  set_num_threads(2);
  EXPECT_EQ(ranges_of(1000, 10).size(), 2u);  // the pool exists
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);
    int64_t sum = 0;
    parallel_for(1000, 10, [&](int64_t begin, int64_t end) { sum += end - begin; });
    set_num_threads(2);
    _exit(num_threads() == 1 && sum == 1000 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(num_threads(), 2);
}

}  // namespace
}  // namespace wick::cpu
