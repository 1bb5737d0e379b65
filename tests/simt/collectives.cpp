#include <tests/simt/checker.h>
#include <tests/simt/machine.h>

#include <algorithm>
#include <bit>
#include <cstring>

// Barriers of a block and collectives of a warp: who has to come, what comes of it, and what is
// wrong if somebody else comes, or nobody.
namespace simt {
namespace {

const char* name_of(Collective what) {
  constexpr const char* kNames[] = {"__syncthreads",     "__syncthreads_count",
                                    "__syncthreads_and", "__syncthreads_or",
                                    "__syncwarp",        "__shfl_sync",
                                    "__shfl_up_sync",    "__shfl_down_sync",
                                    "__shfl_xor_sync",   "__match_any_sync",
                                    "__ballot_sync",     "__any_sync",
                                    "__all_sync",        "__reduce_add_sync",
                                    "__reduce_and_sync", "__reduce_or_sync",
                                    "__reduce_xor_sync", "__reduce_min_sync",
                                    "__reduce_max_sync", "__reduce_min_sync",
                                    "__reduce_max_sync", "an operation of the warp"};
  return kNames[static_cast<int>(what)];
}

bool same_call(const Thread& a, const Thread& b) {
  return a.what == b.what && a.mask == b.mask && a.site.line == b.site.line &&
         (a.site.file == b.site.file || std::strcmp(a.site.file, b.site.file) == 0);
}

template <class F>
void for_each_lane(uint32_t lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(std::countr_zero(lanes));
}

/// The lane whose value a shuffle gives to `lane`.
int source_lane(const Thread& t, int lane) {
  const int first = lane & ~(t.width - 1);
  const int last = first + t.width - 1;
  switch (t.what) {
    case Collective::ShuffleIndex:
      return first + (t.argument & (t.width - 1));
    case Collective::ShuffleUp:
      return lane - t.argument < first ? lane : lane - t.argument;
    case Collective::ShuffleDown:
      return lane + t.argument > last ? lane : lane + t.argument;
    default:
      return (lane ^ t.argument) > last ? lane : lane ^ t.argument;
  }
}

uint32_t combine(Collective what, uint32_t a, uint32_t b) {
  const auto sa = static_cast<int32_t>(a), sb = static_cast<int32_t>(b);
  switch (what) {
    case Collective::Add:
      return a + b;
    case Collective::And:
    case Collective::All:
      return a & b;
    case Collective::Or:
    case Collective::Any:
    case Collective::Ballot:
      return a | b;
    case Collective::Xor:
      return a ^ b;
    case Collective::MinUnsigned:
      return std::min(a, b);
    case Collective::MaxUnsigned:
      return std::max(a, b);
    case Collective::MinSigned:
      return static_cast<uint32_t>(std::min(sa, sb));
    default:
      return static_cast<uint32_t>(std::max(sa, sb));
  }
}

/// Gives each of the lanes its result.
void exchange(Thread* warp, uint32_t lanes) {
  const int first = std::countr_zero(lanes);
  const Collective what = warp[first].what;
  if (what >= Collective::ShuffleIndex && what <= Collective::ShuffleXor) {
    for_each_lane(lanes, [&](int l) {
      const int source = source_lane(warp[l], l);
      // A lane that does not take part has no value: what comes is as wrong as it can be.
      warp[l].result = (lanes >> source & 1) != 0 ? warp[source].value : ~uint64_t{0};
    });
  } else if (what == Collective::MatchAny) {
    for_each_lane(lanes, [&](int l) {
      warp[l].result = 0;
      for_each_lane(lanes, [&](int other) {
        warp[l].result |= uint64_t{warp[l].value == warp[other].value} << other;
      });
    });
  } else {
    const auto value = [&](int l) {
      const auto v = static_cast<uint32_t>(warp[l].value);
      return what == Collective::Ballot ? v << l : v;
    };
    uint32_t all = value(first);
    for_each_lane(lanes & (lanes - 1), [&](int l) { all = combine(what, all, value(l)); });
    for_each_lane(lanes, [&](int l) { warp[l].result = all; });
  }
}

}  // namespace

std::string Machine::where(int thread) const {
  const Thread& t = threads_[thread];
  if ((warps_[thread / kLanes].gone >> (thread % kLanes) & 1) != 0) return "exited";
  std::ostringstream s;
  s << name_of(t.what);
  if (t.what >= Collective::SyncWarp) s << "(mask 0x" << std::hex << t.mask << std::dec << ")";
  s << " at " << t.site.file << ":" << t.site.line;
  return s.str();
}

std::string Machine::deadlock() const {
  std::ostringstream s;
  s << "deadlock: " << alive_ << " threads of block " << text(blockIdx) << " wait forever";
  std::string last;
  for (int i = 0, shown = 0; i < size_ && shown < 8; ++i) {
    const std::string here = where(i);
    if (here == last) continue;
    s << "\n    from thread " << text(threads_[i].index) << ": " << here;
    last = here;
    ++shown;
  }
  return s.str();
}

void Machine::make_ready(int warp, uint32_t lanes) {
  warps_[warp].waiting &= ~lanes;
  warps_[warp].ready |= lanes;
  if (lanes != 0) ready_warps_ |= 1u << warp;
}

// --- barriers

int Machine::block_collective(Collective what, int predicate, Site site) {
  checker::leave_kernel();
  if (!in_kernel()) throw Error(join("simt: ", name_of(what), " outside of a kernel"));
  Thread& t = threads_[current_];
  t.what = what;
  t.mask = 0;
  t.argument = predicate;
  t.site = site;
  warps_[current_ / kLanes].waiting |= 1u << (current_ % kLanes);
  if (++arrived_ == alive_) release_barrier();
  wait();
  return static_cast<int>(t.result);
}

/// Every thread that has not ended waits at a barrier.
void Machine::release_barrier() {
  int first = -1, count = 0;
  for (int i = 0; i < size_; ++i) {
    if (!is_waiting(i)) continue;
    if (first < 0) first = i;
    if (!same_call(threads_[first], threads_[i])) {
      fail([&] {
        return join("divergent barrier: thread ", text(threads_[first].index), " waits at ",
                    where(first), ", thread ", text(threads_[i].index), " at ", where(i));
      });
    }
    if (threads_[i].argument != 0) ++count;
  }
  if (alive_ != size_) {
    fail([&] {
      return join("divergent barrier: ", size_ - alive_,
                  " threads of the block have exited, the others wait at ", where(first));
    });
  }
  const Collective what = threads_[first].what;
  const int result = what == Collective::BarrierCount ? count
                     : what == Collective::BarrierAnd ? count == size_
                                                      : count > 0;
  for (int i = 0; i < size_; ++i) threads_[i].result = static_cast<uint64_t>(result);
  arrived_ = 0;
  checker::barrier();
  for (int w = 0; w * kLanes < size_; ++w) make_ready(w, warps_[w].waiting);
}

// --- collectives of a warp

/// What can be said of a call without looking at the other lanes' calls.
void Machine::check_call(const Thread& t, int thread) {
  const int warp = thread / kLanes;
  if ((t.mask >> (thread % kLanes) & 1) == 0) {
    fail([&] { return join("the calling lane is not in its own mask: ", where(thread)); });
  }
  if (t.width < 1 || t.width > kLanes || (t.width & (t.width - 1)) != 0) {
    fail([&] {
      return join("a shuffle's width must be a power of two up to 32, got ", t.width, ": ",
                  where(thread));
    });
  }
  if (t.what >= Collective::ShuffleUp && t.what <= Collective::ShuffleXor &&
      (t.argument < 0 || t.argument >= kLanes)) {
    fail([&] {
      return join("a shuffle over ", t.argument, " lanes, expected 0 to 31: ", where(thread));
    });
  }
  if (const uint32_t gone = t.mask & warps_[warp].gone; gone != 0) {
    const int lane = std::countr_zero(gone);
    fail([&] {
      return join("the mask names lane ", lane,
                  warp * kLanes + lane >= size_ ? ", which the block does not have: "
                                                : ", which has exited: ",
                  where(thread));
    });
  }
}

/// Whether all lanes of the mask have come to this call.
bool Machine::complete(int thread, uint32_t lanes) {
  const int warp = thread / kLanes, lane = thread % kLanes;
  if ((lanes & ~warps_[warp].waiting) != 0) return false;
  for (uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const int other = warp * kLanes + std::countr_zero(rest);
    const Thread& t = threads_[other];
    if (same_call(threads_[thread], t)) continue;
    // It meets others first, and may come here then.
    if (t.what >= Collective::SyncWarp && (t.mask >> lane & 1) == 0) return false;
    fail([&] {
      return join("divergent warp collective: thread ", text(threads_[thread].index), " waits at ",
                  where(thread), ", thread ", text(t.index), " of the same warp at ", where(other));
    });
  }
  return true;
}

uint64_t Machine::warp_collective(Collective what, uint32_t mask, uint64_t value, int argument,
                                  int width, Site site) {
  checker::leave_kernel();
  if (!in_kernel()) throw Error(join("simt: ", name_of(what), " outside of a kernel"));
  const int me = current_, warp = me / kLanes;
  Thread& t = threads_[me];
  t = {t.fiber, t.index, what, width, argument, mask, value, 0, site};
  check_call(t, me);
  warps_[warp].waiting |= 1u << (me % kLanes);
  if (complete(me, mask)) {
    Thread* const lanes = &threads_[warp * kLanes];
    if (what == Collective::Custom) {
      void* data[kLanes];
      for (int l = 0; l < kLanes; ++l) data[l] = reinterpret_cast<void*>(lanes[l].value);
      custom_(data);
    } else if (what == Collective::SyncWarp) {
      checker::warp_barrier(warp, mask);
    } else {
      exchange(lanes, mask);
    }
    make_ready(warp, mask);
  }
  wait();
  return t.result;
}

void Machine::warp_custom(void* data, void (*body)(void* const*), Site site) {
  custom_ = body;
  warp_collective(Collective::Custom, ~0u, reinterpret_cast<uintptr_t>(data), 0, kLanes, site);
}

int block_collective(Collective what, int predicate, Site site) {
  return machine().block_collective(what, predicate, site);
}
uint64_t warp_collective(Collective what, uint32_t mask, uint64_t value, int argument, int width,
                         Site site) {
  return machine().warp_collective(what, mask, value, argument, width, site);
}
void warp_custom(void* data, void (*body)(void* const lanes[32]), Site site) {
  machine().warp_custom(data, body, site);
}

}  // namespace simt
