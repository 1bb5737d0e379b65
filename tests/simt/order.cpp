#include <tests/simt/order.h>

#include <algorithm>
#include <bit>

namespace simt::checker {

void Order::begin_launch() {
  thread_ = 0;
  launch_ = next_tick();
  blocks_.clear();
  published_.clear();
}

void Order::begin_block(uint64_t block) {
  thread_ = 0;
  block_ = barrier_ = next_tick();
  blocks_.emplace_back(block_, block);
  any_fence_ = false;
  first_atomic_ = 0;
}

void Order::warp_barrier(int warp, uint32_t lanes) {
  const Stamp now = next_tick();
  std::array<Stamp, 32> all{};
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const auto& lane =
        known_[static_cast<size_t>(warp) * 32 + static_cast<size_t>(std::countr_zero(rest))];
    for (size_t i = 0; i < 32; ++i) all[i] = std::max(all[i], lane[i]);
  }
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1)
    all[static_cast<size_t>(std::countr_zero(rest))] = now;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const auto thread =
        static_cast<size_t>(warp) * 32 + static_cast<size_t>(std::countr_zero(rest));
    known_[thread] = all;
    known_all_[thread] = *std::min_element(all.begin(), all.end());
  }
}

void Order::fence() {
  const Stamp now = next_tick();
  fences_[static_cast<size_t>(thread_)] = {now, barrier_};
  any_fence_ = true;
}

void Order::device_atomic() {
  atomics_[static_cast<size_t>(thread_)] = now_;
  if (first_atomic_ < block_) first_atomic_ = now_;
  if (!any_fence_) return;
  if (published_.empty() || published_.back().block != block_)
    published_.push_back({block_, 0, {}});
  Published& p = published_.back();
  for (int t = 0; t < 1024; ++t) {
    const Fence& f = fences_[static_cast<size_t>(t)];
    if (f.at < block_ || (t != thread_ && f.at >= barrier_)) continue;
    p.all = std::max(p.all, f.barrier);
    const auto known = std::find_if(p.threads.begin(), p.threads.end(),
                                    [t](const auto& entry) { return entry.first == t; });
    if (known == p.threads.end()) {
      p.threads.emplace_back(t, f.at);
    } else {
      known->second = f.at;
    }
  }
}

bool Order::has_acquired() const {
  return atomics_[static_cast<size_t>(thread_)] >= block_ ||
         (first_atomic_ >= block_ && first_atomic_ < barrier_);
}

bool Order::is_published(Stamp earlier) const {
  auto p = std::upper_bound(published_.begin(), published_.end(), earlier,
                            [](Stamp s, const Published& b) { return s < b.block; });
  if (p == published_.begin()) return false;
  --p;
  if (std::prev(std::upper_bound(blocks_.begin(), blocks_.end(), earlier,
                                 [](Stamp s, const auto& b) { return s < b.first; }))
          ->first != p->block)
    return false;
  if (earlier < p->all) return true;
  return std::any_of(p->threads.begin(), p->threads.end(), [&](const auto& entry) {
    return entry.first == thread_of(earlier) && earlier < entry.second;
  });
}

uint64_t Order::block_of(Stamp stamp) const {
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), stamp,
                                      [](Stamp s, const auto& b) { return s < b.first; });
  return after == blocks_.begin() ? 0 : std::prev(after)->second;
}

bool Order::races_slowly(Stamp earlier) const {
  if (earlier < block_) {
    if (!has_acquired() || !is_published(earlier)) return true;
    if ((earlier & kBlocks) == 0) return false;
  }
  if ((earlier & kBlocks) != 0 && (earlier & kAtomic) == 0) {
    // Others have been there too: all blocks so far must have published something.
    const bool self = !published_.empty() && published_.back().block == block_;
    if (!has_acquired() || published_.size() - (self ? 1 : 0) + 1 < blocks_.size()) return true;
  }
  if (earlier < barrier_) return false;
  if ((earlier & kWarps) != 0) return true;
  const int thread = thread_of(earlier);
  if (thread / 32 != thread_ / 32) return true;
  if ((earlier & kLanes) != 0) return earlier >= known_all_[static_cast<size_t>(thread_)];
  return thread != thread_ &&
         earlier >= known_[static_cast<size_t>(thread_)][static_cast<size_t>(thread % 32)];
}

Stamp Order::merge(Stamp earlier) const {
  if (earlier < launch_) return now_;
  if (earlier < block_) return now_ | kBlocks;
  Stamp flags = earlier & kBlocks;
  const int thread = thread_of(earlier);
  if (earlier >= barrier_) {
    flags |= earlier & kWarps;
    if (thread / 32 != thread_ / 32) {
      flags |= kWarps;
    } else if (thread != thread_ || (earlier & kLanes) != 0) {
      // What the lane knows to have finished need not be remembered.
      const auto self = static_cast<size_t>(thread_), lane = static_cast<size_t>(thread % 32);
      const Stamp known = (earlier & kLanes) != 0 ? known_all_[self] : known_[self][lane];
      if (earlier >= known) flags |= kLanes;
    }
  }
  return now_ | flags;
}

Stamp Order::merge_atomic(Stamp earlier) const {
  if ((earlier & kAtomic) != 0)
    return merge(earlier) | kAtomic | (earlier >= launch_ ? earlier & kPlain : 0);
  // What an ordinary write before it races with, the atomic must not hide.
  if (earlier >= barrier_) return now_;
  return now_ | kAtomic | (earlier >= launch_ ? kPlain : 0);
}

}  // namespace simt::checker
