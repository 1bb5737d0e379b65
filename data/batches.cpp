#include <wick/data/batches.h>

#include <algorithm>

namespace wick::data {

Batches::Batches(int64_t size, int64_t batch_size, bool shuffle, bool drop_last)
    : count_(size), batch_size_(batch_size), shuffle_(shuffle), drop_last_(drop_last) {
  WICK_CHECK(ValueError, size >= 0, "Batches: expected size >= 0, got ", size);
  WICK_CHECK(ValueError, batch_size >= 1, "Batches: expected batch_size >= 1, got ", batch_size);
}

int64_t Batches::size() const noexcept {
  return count_ / batch_size_ + (!drop_last_ && count_ % batch_size_ != 0 ? 1 : 0);
}

void Batches::draw_order() { order_ = shuffle_ ? randperm(count_) : arange(count_); }

void Batches::start_epoch() {
  state_ = {get_rng_state(), 0, true};
  draw_order();
}

bool Batches::next(Tensor& index) {
  WICK_CHECK(ValueError, state_.started, "Batches: call start_epoch() before next()");
  const int64_t length = std::min(batch_size_, count_ - state_.position);
  if (length <= 0 || (drop_last_ && length < batch_size_)) return false;
  index = order_.narrow(0, state_.position, length);
  state_.position += length;
  return true;
}

void Batches::restore(const State& state) {
  WICK_CHECK(ValueError, state.position >= 0 && state.position <= count_, "Batches: position ",
             state.position, " is outside a data set of ", count_);
  state_ = state;
  if (!state.started) return;
  const RngState present = get_rng_state();
  set_rng_state(state.epoch_start);
  draw_order();
  set_rng_state(present);
}

}  // namespace wick::data
