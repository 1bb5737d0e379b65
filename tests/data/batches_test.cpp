#include <wick/data/batches.h>

#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace wick;
using data::Batches;
using Numbers = std::vector<int64_t>;

// The batches of one epoch.
std::vector<Numbers> epoch_of(Batches& batches) {
  std::vector<Numbers> all;
  Tensor index;
  for (batches.start_epoch(); batches.next(index);) {
    EXPECT_EQ(index.dtype(), kInt64);
    EXPECT_EQ(index.dim(), 1);
    all.push_back(index.to_vector<int64_t>());
  }
  return all;
}

Numbers joined(const std::vector<Numbers>& batches) {
  Numbers all;
  for (const Numbers& b : batches) all.insert(all.end(), b.begin(), b.end());
  return all;
}

TEST(Batches, cover_everything_once) {
  for (const int64_t size : {0, 1, 7, 8, 100}) {
    for (const int64_t batch : {1, 3, 8, 1000}) {
      Batches batches(size, batch);
      const auto epoch = epoch_of(batches);
      EXPECT_EQ(static_cast<int64_t>(epoch.size()), batches.size());
      Numbers all = joined(epoch);
      std::sort(all.begin(), all.end());
      EXPECT_EQ(all, arange(size).to_vector<int64_t>()) << size << " by " << batch;
      for (size_t i = 0; i + 1 < epoch.size(); ++i)
        EXPECT_EQ(static_cast<int64_t>(epoch[i].size()), batch);
    }
  }
}

TEST(Batches, drop_the_last_one_if_it_is_not_full) {
  Batches seven(7, 3, true, /*drop_last=*/true);
  EXPECT_EQ(seven.size(), 2);
  EXPECT_EQ(joined(epoch_of(seven)).size(), 6u);
  Batches six(6, 3, true, true), two(2, 3, true, true);
  EXPECT_EQ(epoch_of(six).size(), 2u);
  EXPECT_EQ(two.size(), 0);
  EXPECT_TRUE(epoch_of(two).empty());
}

TEST(Batches, without_shuffling_come_in_order_and_draw_nothing) {
  manual_seed(1);
  Batches batches(5, 2, /*shuffle=*/false);
  EXPECT_EQ(epoch_of(batches), (std::vector<Numbers>{{0, 1}, {2, 3}, {4}}));
  EXPECT_EQ(get_rng_state().offset, 0u);
}

TEST(Batches, order_differs_by_epoch_and_repeats_by_seed) {
  manual_seed(5);
  Batches a(100, 10);
  const auto first = epoch_of(a), second = epoch_of(a);
  EXPECT_NE(first, second);
  EXPECT_NE(joined(first), arange(100).to_vector<int64_t>());
  manual_seed(5);
  Batches b(100, 10);
  EXPECT_EQ(epoch_of(b), first);
  EXPECT_EQ(epoch_of(b), second);
  manual_seed(6);
  EXPECT_NE(epoch_of(b), first);
}

TEST(Batches, at_the_end_leave_the_index_alone) {
  Batches batches(2, 2);
  batches.start_epoch();
  Tensor index;
  EXPECT_TRUE(batches.next(index));
  const Tensor last = index;
  EXPECT_FALSE(batches.next(index));
  EXPECT_FALSE(batches.next(index));
  EXPECT_TRUE(index.is_same(last));
}

TEST(Batches, go_on_in_the_middle_of_an_epoch) {
  manual_seed(7);
  Batches a(20, 3);
  a.start_epoch();
  Tensor index;
  a.next(index);
  a.next(index);
  const Batches::State state = a.state();
  EXPECT_EQ(state.position, 6);
  Numbers rest;
  while (a.next(index)) {
    const Numbers part = index.to_vector<int64_t>();
    rest.insert(rest.end(), part.begin(), part.end());
  }
  manual_seed(1234);
  const RngState before = get_rng_state();
  Batches b(20, 3);
  b.restore(state);
  EXPECT_EQ(get_rng_state().seed, before.seed);
  EXPECT_EQ(get_rng_state().offset, before.offset);
  Numbers again;
  while (b.next(index)) {
    const Numbers part = index.to_vector<int64_t>();
    again.insert(again.end(), part.begin(), part.end());
  }
  EXPECT_EQ(again, rest);
}

TEST(Batches, restored_before_the_first_epoch_wait_for_it) {
  Batches batches(4, 2);
  const Batches::State fresh = batches.state();
  EXPECT_FALSE(fresh.started);
  epoch_of(batches);
  batches.restore(fresh);
  Tensor index;
  EXPECT_THROW(batches.next(index), ValueError);
}

}  // namespace
