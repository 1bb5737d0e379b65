#pragma once

#include <wick/core/ops.h>
#include <wick/core/tensor.h>
#include <cstdint>

namespace wick::data {

/// Indices of a data set in batches, in a new random order for each epoch:
///
///   for (batches.start_epoch(); batches.next(index);) train(images.index_select(0, index));
///
/// The order comes from the generator of manual_seed, so a run repeats, and state() lets it go on
/// in the middle of an epoch.
class WICK_API Batches {
 public:
  /// Throws ValueError unless size >= 0 and batch_size >= 1. With drop_last a last batch that is
  /// not full is left out.
  Batches(int64_t size, int64_t batch_size, bool shuffle = true, bool drop_last = false);

  /// Draws the order of a new epoch.
  void start_epoch();
  /// Sets `index` (int64 [batch]) to the next batch; false, with `index` unchanged, at the end.
  bool next(Tensor& index);
  /// Batches in an epoch.
  int64_t size() const noexcept;

  struct State {
    RngState epoch_start;  // the generator before the epoch's order was drawn
    int64_t position = 0;  // examples already given
    bool started = false;
  };
  State state() const { return state_; }
  /// Goes on where state() was taken. The random generator of the process is left as it is.
  void restore(const State& state);

 private:
  void draw_order();

  int64_t count_;
  int64_t batch_size_;
  bool shuffle_;
  bool drop_last_;
  State state_;
  Tensor order_;  // int64 [count]
};

}  // namespace wick::data
