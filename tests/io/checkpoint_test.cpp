#include <wick/io/checkpoint.h>

#include <gtest/gtest.h>
#include <tests/support/files.h>
#include <wick/core/ops.h>
#include <wick/data/batches.h>
#include <wick/io/safetensors.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/dropout.h>
#include <wick/nn/linear.h>
#include <wick/nn/sequential.h>
#include <wick/optim/sgd.h>

namespace {

using namespace wick;
using io::load_checkpoint;
using io::save_checkpoint;
using test::read_file;
using test::ScratchFolder;

struct Training {
  explicit Training(uint64_t seed) {
    manual_seed(seed);
    net = nn::Sequential(nn::Linear(6, 8), nn::BatchNorm1d(8), nn::Dropout(0.3), nn::Linear(8, 3));
    sgd = std::make_unique<optim::SGD>(net->parameters(),
                                       optim::SGDOptions(0.1).momentum(0.9).weight_decay(1e-3));
  }
  // One pass in random order, stopping after `most` batches.
  void train(const Tensor& x, const Tensor& y, data::Batches& batches, int most = 1000) {
    Tensor index;
    for (int i = 0; i < most && batches.next(index); ++i) {
      sgd->zero_grad();
      cross_entropy(net(x.index_select(0, index)), y.index_select(0, index)).backward();
      sgd->step();
    }
  }
  nn::Sequential net{nullptr};
  std::unique_ptr<optim::SGD> sgd;
};

class Checkpoint : public testing::Test {
 protected:
  Checkpoint() {
    manual_seed(99);
    x = randn({50, 6});
    y = randint(3, {50});
  }
  const ScratchFolder folder;
  Tensor x, y;
};

TEST_F(Checkpoint, four_epochs_are_two_and_two_bitwise) {
  Training whole(1);
  data::Batches batches(50, 8);
  for (int epoch = 0; epoch < 4; ++epoch) {
    batches.start_epoch();
    whole.train(x, y, batches);
  }
  save_checkpoint(folder / "whole", *whole.net, whole.sgd.get(), {{"epoch", 4}});
  {
    Training first(1);
    data::Batches own(50, 8);
    for (int epoch = 0; epoch < 2; ++epoch) {
      own.start_epoch();
      first.train(x, y, own);
    }
    save_checkpoint(folder / "half", *first.net, first.sgd.get(), {{"epoch", 2}});
  }
  Training second(777);  // other weights, another generator
  rand({13});
  EXPECT_EQ(load_checkpoint(folder / "half", *second.net, second.sgd.get())["epoch"], 2);
  data::Batches own(50, 8);
  for (int epoch = 2; epoch < 4; ++epoch) {
    own.start_epoch();
    second.train(x, y, own);
  }
  save_checkpoint(folder / "resumed", *second.net, second.sgd.get(), {{"epoch", 4}});
  EXPECT_TRUE(read_file(folder / "whole") == read_file(folder / "resumed"));
  EXPECT_FALSE(read_file(folder / "whole") == read_file(folder / "half"));
}

TEST_F(Checkpoint, resumes_in_the_middle_of_an_epoch) {
  Training whole(1);
  data::Batches batches(50, 8);
  batches.start_epoch();
  whole.train(x, y, batches, 3);
  save_checkpoint(folder / "middle", *whole.net, whole.sgd.get());
  const data::Batches::State position = batches.state();
  whole.train(x, y, batches);
  save_checkpoint(folder / "whole", *whole.net, whole.sgd.get());

  Training resumed(5);
  load_checkpoint(folder / "middle", *resumed.net, resumed.sgd.get());
  data::Batches own(50, 8);
  own.restore(position);
  resumed.train(x, y, own);
  save_checkpoint(folder / "resumed", *resumed.net, resumed.sgd.get());
  EXPECT_TRUE(read_file(folder / "whole") == read_file(folder / "resumed"));
}

TEST_F(Checkpoint, restores_settings_state_and_random_numbers) {
  Training a(1);
  data::Batches batches(50, 8);
  batches.start_epoch();
  a.train(x, y, batches);
  a.sgd->param_groups()[0].options().set_lr(0.025);
  save_checkpoint(folder / "c", *a.net, a.sgd.get(), {{"epoch", 7}, {"best", -3}});
  const Tensor next = rand({4});
  Training b(2);
  const io::Counters counters = load_checkpoint(folder / "c", *b.net, b.sgd.get());
  EXPECT_EQ(counters, (io::Counters{{"best", -3}, {"epoch", 7}}));
  EXPECT_EQ(b.sgd->param_groups()[0].options().get_lr(), 0.025);
  EXPECT_TRUE(rand({4}).equal(next));
  EXPECT_EQ(b.sgd->state_dict().keys(), a.sgd->state_dict().keys());
}

TEST_F(Checkpoint, keeps_seeds_and_counters_of_64_bits) {
  const RngState state{~uint64_t{0} - 5, (uint64_t{1} << 63) + 3};
  set_rng_state(state);
  nn::Linear net(2, 3);
  set_rng_state(state);
  optim::SGD sgd(net->parameters(), 0.1);
  save_checkpoint(folder / "c", *net, &sgd, {{"n", INT64_MIN}});
  manual_seed(0);
  EXPECT_EQ(load_checkpoint(folder / "c", *net, &sgd)["n"], INT64_MIN);
  EXPECT_EQ(get_rng_state().seed, state.seed);
  EXPECT_EQ(get_rng_state().offset, state.offset);
}

TEST_F(Checkpoint, for_evaluation_the_model_is_enough) {
  Training a(1);
  save_checkpoint(folder / "c", *a.net, a.sgd.get(), {{"epoch", 1}});
  Training b(2);
  const RngState before = get_rng_state();
  EXPECT_EQ(load_checkpoint(folder / "c", *b.net)["epoch"], 1);
  EXPECT_EQ(get_rng_state().offset, before.offset);
  EXPECT_EQ(get_rng_state().seed, before.seed);
  a.net->eval();
  b.net->eval();
  EXPECT_TRUE(a.net(x).equal(b.net(x)));
}

TEST_F(Checkpoint, that_does_not_fit_changes_nothing) {
  Training a(1);
  save_checkpoint(folder / "c", *a.net);  // no optimizer in it
  Training b(2);
  const Tensor weight = b.net->parameters()[0].detach().clone();
  nn::Sequential other{nn::Linear(6, 8)};
  const RngState random = get_rng_state();
  const auto unchanged = [&] {
    EXPECT_TRUE(b.net->parameters()[0].detach().equal(weight));
    EXPECT_EQ(b.sgd->param_groups()[0].options().get_lr(), 0.1);
    EXPECT_EQ(get_rng_state().seed, random.seed);
    EXPECT_EQ(get_rng_state().offset, random.offset);
  };
  EXPECT_THROW(load_checkpoint(folder / "c", *b.net, b.sgd.get()), ValueError);
  unchanged();
  // The optimizer's state fits, the model's does not.
  optim::SGD sgd(other->parameters(), 0.5);
  save_checkpoint(folder / "d", *other, &sgd);
  EXPECT_THROW(load_checkpoint(folder / "d", *b.net, b.sgd.get()), ValueError);
  unchanged();
  EXPECT_THROW(load_checkpoint(folder / "missing", *b.net, b.sgd.get()), IoError);
  unchanged();
}

TEST_F(Checkpoint, is_written_the_same_twice) {
  Training a(1);
  save_checkpoint(folder / "c", *a.net, a.sgd.get(), {{"epoch", 1}});
  save_checkpoint(folder / "d", *a.net, a.sgd.get(), {{"epoch", 1}});
  EXPECT_TRUE(read_file(folder / "c") == read_file(folder / "d"));
}

}  // namespace
