#include <gtest/gtest.h>
#include <wick/core/storage.h>
#include <cstdint>

// Runs a program's tests. A test that leaves a tensor, a node or memory behind fails: what is alive
// after it must be what was alive before it.
namespace {

class NothingLeftBehind : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { before_ = now(); }

  void OnTestEnd(const testing::TestInfo&) override {
    const Live after = now();
    EXPECT_EQ(after.tensors, before_.tensors) << "tensors were left behind";
    EXPECT_EQ(after.nodes, before_.nodes) << "autograd nodes were left behind";
    EXPECT_EQ(after.bytes, before_.bytes) << "bytes of CPU memory were left behind";
  }

  struct Live {
    int64_t tensors = 0;
    int64_t nodes = 0;
    int64_t bytes = 0;
  };
  static Live now() { return {wick::live_tensors(), wick::live_nodes(), wick::live_bytes()}; }

  Live before_;
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new NothingLeftBehind);
  return RUN_ALL_TESTS();
}
