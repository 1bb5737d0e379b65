#if defined(WICK_WITH_CUDA)

#include <gtest/gtest.h>

#include <wick/core/check.h>
#include <wick/kernels/cuda/block_pool.h>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace wick::cuda {
namespace {

constexpr int64_t kMiB = 1 << 20;

/// Host memory with a limit, and marks that pass when the test says so.
struct FakeDevice {
  int64_t limit = INT64_MAX;
  int64_t used = 0;
  int segments = 0, allocations = 0, synchronizations = 0;
  std::map<void*, int64_t> sizes;
  std::set<void*> open_marks, live_marks;
  int64_t next_mark = 1;
  bool no_marks = false;
};

class FakeSource final : public MemorySource {
 public:
  explicit FakeSource(FakeDevice& device) : d_(device) {}
  void* allocate(int64_t bytes) override {
    ++d_.allocations;
    if (d_.used + bytes > d_.limit) return nullptr;
    // Not aligned_alloc'd to the segment: only 512 matters.
    void* memory = std::aligned_alloc(512, static_cast<size_t>(bytes));
    d_.used += bytes;
    ++d_.segments;
    d_.sizes[memory] = bytes;
    return memory;
  }
  void release(void* memory) noexcept override {
    d_.used -= d_.sizes[memory];
    d_.sizes.erase(memory);
    --d_.segments;
    std::free(memory);
  }
  int64_t free_bytes() noexcept override { return d_.limit - d_.used; }
  void* mark(void*) noexcept override {
    if (d_.no_marks) return nullptr;
    void* mark = reinterpret_cast<void*>(d_.next_mark++);
    d_.open_marks.insert(mark);
    d_.live_marks.insert(mark);
    return mark;
  }
  bool passed(void* mark) override { return !d_.open_marks.contains(mark); }
  void drop(void* mark) noexcept override { d_.live_marks.erase(mark); }
  void synchronize() override {
    ++d_.synchronizations;
    d_.open_marks.clear();
  }

 private:
  FakeDevice& d_;
};

void* stream(int i) { return reinterpret_cast<void*>(static_cast<intptr_t>(i)); }

struct CudaAllocator : testing::Test {
  FakeDevice device;
  BlockPool pool{std::make_unique<FakeSource>(device), "cuda:0"};
};

TEST_F(CudaAllocator, NothingForNoBytes) {
  EXPECT_EQ(pool.allocate(0, nullptr), nullptr);
  EXPECT_EQ(device.allocations, 0);
  EXPECT_FALSE(pool.deallocate(stream(1)));
}

TEST_F(CudaAllocator, SmallRequestsShareASegmentAndAreAligned) {
  std::vector<void*> blocks;
  for (const int64_t bytes : {1, 511, 512, 513, 4096}) {
    blocks.push_back(pool.allocate(bytes, nullptr));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % 512, 0u);
    std::memset(blocks.back(), 1, static_cast<size_t>(bytes));
  }
  EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
  EXPECT_EQ(device.segments, 1);
  EXPECT_EQ(pool.stats().allocated, 512 + 512 + 512 + 1024 + 4096);
  EXPECT_EQ(pool.stats().reserved, 2 * kMiB);
  for (void* b : blocks) EXPECT_TRUE(pool.deallocate(b));
  EXPECT_EQ(pool.stats().allocated, 0);
  EXPECT_EQ(pool.stats().max_allocated, 6656);
  EXPECT_EQ(pool.stats().max_reserved, 2 * kMiB);
  EXPECT_FALSE(pool.deallocate(blocks[0]));  // already free
}

TEST_F(CudaAllocator, FreedBlocksMergeInAnyOrder) {
  // Three blocks fill a segment; whatever the order of the frees, it is whole again.
  const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    void* b[3];
    b[0] = pool.allocate(kMiB, nullptr);
    b[1] = pool.allocate(kMiB / 2, nullptr);
    b[2] = pool.allocate(kMiB / 2, nullptr);
    EXPECT_EQ(device.segments, 1);
    for (const int i : order) pool.deallocate(b[i]);
    pool.empty_cache();
    EXPECT_EQ(device.segments, 0);
    EXPECT_EQ(pool.stats().reserved, 0);
  }
}

TEST_F(CudaAllocator, ReusesTheSmallestThatFits) {
  void* large = pool.allocate(64 * kMiB, nullptr);
  void* medium = pool.allocate(32 * kMiB, nullptr);
  pool.deallocate(large);
  pool.deallocate(medium);
  EXPECT_EQ(pool.allocate(31 * kMiB + 5, nullptr), medium);
  EXPECT_EQ(pool.allocate(40 * kMiB, nullptr), large);
  // The rest of the split block serves the next request.
  EXPECT_EQ(pool.allocate(24 * kMiB, nullptr), static_cast<char*>(large) + 40 * kMiB);
  EXPECT_EQ(device.segments, 2);
}

TEST_F(CudaAllocator, MediumRequestsShareALargeSegment) {
  void* a = pool.allocate(2 * kMiB, nullptr);
  void* b = pool.allocate(9 * kMiB, nullptr);
  EXPECT_EQ(device.segments, 1);
  EXPECT_EQ(pool.stats().reserved, 20 * kMiB);
  EXPECT_EQ(static_cast<char*>(b) - static_cast<char*>(a), 2 * kMiB);
}

TEST_F(CudaAllocator, StreamsDoNotTakeEachOthersBlocks) {
  void* a = pool.allocate(1000, stream(1));
  pool.deallocate(a);
  void* b = pool.allocate(1000, stream(2));
  EXPECT_NE(a, b);
  EXPECT_EQ(pool.allocate(1000, stream(1)), a);
}

TEST_F(CudaAllocator, RecordedStreamsHoldABlockBack) {
  void* a = pool.allocate(1000, stream(1));
  EXPECT_TRUE(pool.record_stream(a, stream(2)));
  EXPECT_TRUE(pool.record_stream(a, stream(2)));  // once is enough
  EXPECT_TRUE(pool.record_stream(a, stream(3)));
  EXPECT_TRUE(pool.record_stream(a, stream(1)));  // its own needs no mark
  pool.deallocate(a);
  EXPECT_EQ(device.open_marks.size(), 2u);
  EXPECT_EQ(pool.stats().allocated, 0);
  void* b = pool.allocate(1000, stream(1));
  EXPECT_NE(a, b);
  device.open_marks.erase(device.open_marks.begin());
  void* c = pool.allocate(1000, stream(1));
  EXPECT_NE(a, c);
  device.open_marks.clear();
  EXPECT_EQ(pool.allocate(1000, stream(1)), a);
  EXPECT_TRUE(device.live_marks.empty());
  EXPECT_FALSE(pool.record_stream(stream(99), stream(1)));
}

TEST_F(CudaAllocator, WaitsWhereNoMarkCanBeMade) {
  void* a = pool.allocate(1000, stream(1));
  pool.record_stream(a, stream(2));
  device.no_marks = true;
  EXPECT_TRUE(pool.deallocate(a));
  EXPECT_EQ(device.synchronizations, 1);
  EXPECT_EQ(pool.allocate(1000, stream(1)), a);
}

TEST_F(CudaAllocator, PeaksCanBeReset) {
  void* a = pool.allocate(30 * kMiB, nullptr);
  void* b = pool.allocate(1 * kMiB, nullptr);
  pool.deallocate(a);
  pool.empty_cache();
  EXPECT_EQ(pool.stats().max_allocated, 31 * kMiB);
  EXPECT_EQ(pool.stats().max_reserved, 32 * kMiB);
  pool.reset_peaks();
  EXPECT_EQ(pool.stats().max_allocated, 1 * kMiB);
  EXPECT_EQ(pool.stats().max_reserved, 2 * kMiB);
  pool.deallocate(b);
}

TEST_F(CudaAllocator, EmptiesItsCacheBeforeItGivesUp) {
  device.limit = 100 * kMiB;
  void* a = pool.allocate(60 * kMiB, stream(1));
  pool.record_stream(a, stream(2));
  pool.deallocate(a);
  // 60 MiB are cached for another stream, behind a mark that has not passed.
  EXPECT_NE(pool.allocate(80 * kMiB, stream(3)), nullptr);
  EXPECT_EQ(device.synchronizations, 1);
  EXPECT_EQ(pool.stats().reserved, 80 * kMiB);
}

TEST_F(CudaAllocator, SmallerSegmentWhenMemoryIsShort) {
  device.limit = 5 * kMiB;
  EXPECT_NE(pool.allocate(3 * kMiB, nullptr), nullptr);  // not a segment of 20 MiB
  EXPECT_EQ(pool.stats().reserved, 4 * kMiB);
}

TEST_F(CudaAllocator, OutOfMemoryNamesTheFiguresAndLeavesThePoolUsable) {
  device.limit = 100 * kMiB;
  void* a = pool.allocate(40 * kMiB, nullptr);
  void* b = pool.allocate(30 * kMiB, nullptr);
  pool.deallocate(b);
  try {
    pool.allocate(90 * kMiB, nullptr);
    FAIL() << "no exception";
  } catch (const OutOfMemoryError& e) {
    EXPECT_STREQ(e.what(),
                 "out of memory on cuda:0: requested 94371840 bytes, 41943040 are allocated, "
                 "31457280 were cached and have been returned where whole segments were free, "
                 "62914560 are free; use smaller tensors or batches");
  }
  EXPECT_EQ(pool.stats().reserved, 40 * kMiB);
  EXPECT_NE(pool.allocate(60 * kMiB, nullptr), nullptr);
  pool.deallocate(a);
  EXPECT_THROW(pool.allocate(INT64_MAX, nullptr), OutOfMemoryError);
}

TEST_F(CudaAllocator, EmptyCacheKeepsWhatIsInUse) {
  void* a = pool.allocate(1000, nullptr);
  void* b = pool.allocate(1000, nullptr);
  void* large = pool.allocate(50 * kMiB, nullptr);
  pool.deallocate(a);
  pool.deallocate(large);
  pool.empty_cache();
  EXPECT_EQ(pool.stats().reserved, 2 * kMiB);
  EXPECT_EQ(pool.stats().allocated, 1024);
  pool.deallocate(b);
  pool.empty_cache();
  EXPECT_EQ(device.used, 0);
}

TEST_F(CudaAllocator, RandomUseNeverOverlapsAndGivesAllBack) {
  struct Live {
    unsigned char* memory;
    size_t bytes;
    unsigned char value;
  };
  std::mt19937 random(7);
  std::vector<Live> live;
  unsigned char value = 0;
  for (int step = 0; step < 3000; ++step) {
    if (live.empty() || random() % 5 < 3) {
      const bool large = random() % 10 == 0;
      const size_t bytes = 1 + random() % static_cast<size_t>(large ? 4 * kMiB : 20000);
      auto* memory = static_cast<unsigned char*>(
          pool.allocate(static_cast<int64_t>(bytes), stream(static_cast<int>(random() % 3))));
      // First and last bytes are enough to notice an overlap.
      memory[0] = memory[bytes - 1] = ++value;
      live.push_back({memory, bytes, value});
      if (random() % 4 == 0) pool.record_stream(memory, stream(5));
    } else {
      std::swap(live[random() % live.size()], live.back());
      const Live l = live.back();
      live.pop_back();
      EXPECT_EQ(l.memory[l.bytes - 1], l.value);
      if (l.bytes > 1) {
        EXPECT_EQ(l.memory[0], l.value);
      }
      EXPECT_TRUE(pool.deallocate(l.memory));
      if (random() % 8 == 0) device.open_marks.clear();
    }
  }
  for (const Live& l : live) {
    EXPECT_EQ(l.memory[0], l.value);
    pool.deallocate(l.memory);
  }
  pool.empty_cache();
  EXPECT_EQ(device.used, 0);
  EXPECT_EQ(pool.stats().reserved, 0);
  EXPECT_TRUE(device.live_marks.empty());
}

TEST_F(CudaAllocator, ThreadsShareThePool) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 300; ++i) {
        auto* p = static_cast<int*>(pool.allocate(64 + i, stream(t)));
        *p = t;
        EXPECT_EQ(*p, t);
        pool.deallocate(p);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(pool.stats().allocated, 0);
}

}  // namespace
}  // namespace wick::cuda

#endif
