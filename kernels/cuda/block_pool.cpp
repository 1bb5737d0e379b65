#include <wick/core/check.h>
#include <wick/kernels/cuda/block_pool.h>
#include <algorithm>
#include <functional>
#include <utility>

namespace wick::cuda {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kRounding = 512;     // sizes and thus addresses are multiples of it
constexpr int64_t kSmallLimit = kMiB;  // requests up to this come from small segments
constexpr int64_t kSmallSegment = 2 * kMiB;
constexpr int64_t kLargeSegment = 20 * kMiB;  // for requests of less than half of it
constexpr int64_t kLargeRounding = 2 * kMiB;  // segments of others
constexpr int64_t kLargestRequest = int64_t{1} << 60;

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

int64_t segment_bytes(int64_t size, bool small) {
  if (small) return kSmallSegment;
  return size < kLargeSegment / 2 ? kLargeSegment : round_up(size, kLargeRounding);
}

}  // namespace

struct BlockPool::Block {
  char* memory = nullptr;
  int64_t size = 0;
  void* stream = nullptr;
  bool small = false;
  bool free = false;
  int marks = 0;              // that have not passed yet
  Block* previous = nullptr;  // neighbours in the segment
  Block* next = nullptr;
  std::vector<void*> other_streams;
};

bool BlockPool::Smaller::operator()(const Block* a, const Block* b) const {
  const std::less<const void*> less;
  if (a->stream != b->stream) return less(a->stream, b->stream);
  if (a->size != b->size) return a->size < b->size;
  return less(a->memory, b->memory);
}

BlockPool::BlockPool(std::unique_ptr<MemorySource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

BlockPool::~BlockPool() {
  finish_marks(true);
  for (const auto& [memory, block] : live_) make_free(block);
  release_segments();
}

BlockPool::FreeList& BlockPool::list_of(const Block& block) {
  return block.small ? small_ : large_;
}

void* BlockPool::allocate(int64_t bytes, void* stream) {
  if (bytes <= 0) return nullptr;
  const std::lock_guard lock(mutex_);
  if (bytes > kLargestRequest) fail(bytes, 0);
  const int64_t size = round_up(bytes, kRounding);
  const bool small = size <= kSmallLimit;
  finish_marks(false);
  if (Block* block = take_cached(size, stream, small)) return hand_out(block, size);
  if (Block* block = take_segment(size, stream, small)) return hand_out(block, size);
  // Once more, with everything that can be given back given back.
  source_->synchronize();
  finish_marks(true);
  if (Block* block = take_cached(size, stream, small)) return hand_out(block, size);
  const int64_t cached = stats_.reserved - stats_.allocated;
  release_segments();
  if (Block* block = take_segment(size, stream, small)) return hand_out(block, size);
  fail(bytes, cached);
}

BlockPool::Block* BlockPool::take_cached(int64_t size, void* stream, bool small) {
  FreeList& list = small ? small_ : large_;
  Block key;
  key.size = size;
  key.stream = stream;
  const auto found = list.lower_bound(&key);
  if (found == list.end() || (*found)->stream != stream) return nullptr;
  Block* block = *found;
  list.erase(found);
  return block;
}

BlockPool::Block* BlockPool::take_segment(int64_t size, void* stream, bool small) {
  int64_t bytes = segment_bytes(size, small);
  void* memory = source_->allocate(bytes);
  if (!memory && bytes > round_up(size, kLargeRounding)) {
    bytes = round_up(size, kLargeRounding);
    memory = source_->allocate(bytes);
  }
  if (!memory) return nullptr;
  auto* block = new Block;
  block->memory = static_cast<char*>(memory);
  block->size = bytes;
  block->stream = stream;
  block->small = small;
  stats_.reserved += bytes;
  stats_.max_reserved = std::max(stats_.max_reserved, stats_.reserved);
  return block;
}

void* BlockPool::hand_out(Block* block, int64_t size) {
  const int64_t rest = block->size - size;
  // A rest that only a small request could use is not worth splitting a large block for.
  if (block->small ? rest >= kRounding : rest > kSmallLimit) {
    auto* tail = new Block;
    tail->memory = block->memory + size;
    tail->size = rest;
    tail->stream = block->stream;
    tail->small = block->small;
    tail->free = true;
    tail->previous = block;
    tail->next = block->next;
    if (tail->next) tail->next->previous = tail;
    block->next = tail;
    block->size = size;
    list_of(*tail).insert(tail);
  }
  block->free = false;
  live_.emplace(block->memory, block);
  stats_.allocated += block->size;
  stats_.max_allocated = std::max(stats_.max_allocated, stats_.allocated);
  return block->memory;
}

bool BlockPool::deallocate(void* memory) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(memory);
  if (found == live_.end()) return false;
  Block* block = found->second;
  live_.erase(found);
  stats_.allocated -= block->size;
  for (void* stream : std::exchange(block->other_streams, {})) {
    if (void* mark = source_->mark(stream)) {
      marks_.push_back({mark, block});
      ++block->marks;
      continue;
    }
    try {
      source_->synchronize();
    } catch (const Error&) {
      // A device that has failed does not use the block any more.
    }
  }
  if (block->marks == 0) make_free(block);
  return true;
}

bool BlockPool::record_stream(void* memory, void* stream) {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(memory);
  if (found == live_.end()) return false;
  Block& block = *found->second;
  auto& others = block.other_streams;
  if (stream != block.stream && std::find(others.begin(), others.end(), stream) == others.end())
    others.push_back(stream);
  return true;
}

void BlockPool::absorb(Block* block, Block* neighbour) {
  if (!neighbour || !neighbour->free) return;
  list_of(*neighbour).erase(neighbour);
  if (neighbour == block->previous) {
    block->memory = neighbour->memory;
    block->previous = neighbour->previous;
    if (block->previous) block->previous->next = block;
  } else {
    block->next = neighbour->next;
    if (block->next) block->next->previous = block;
  }
  block->size += neighbour->size;
  delete neighbour;
}

void BlockPool::make_free(Block* block) {
  absorb(block, block->previous);
  absorb(block, block->next);
  block->free = true;
  list_of(*block).insert(block);
}

void BlockPool::finish_marks(bool wait) {
  // In the order of the frees: a mark that has not passed holds back those behind it, which keeps
  // an allocation from asking about many.
  while (!marks_.empty() && (wait || source_->passed(marks_.front().mark))) {
    const Mark m = marks_.front();
    marks_.pop_front();
    source_->drop(m.mark);
    if (--m.block->marks == 0) make_free(m.block);
  }
}

void BlockPool::release_segments() {
  for (FreeList* list : {&small_, &large_}) {
    for (auto it = list->begin(); it != list->end();) {
      Block* block = *it;
      if (block->previous || block->next) {
        ++it;  // a part of a segment that is still in use
        continue;
      }
      it = list->erase(it);
      source_->release(block->memory);
      stats_.reserved -= block->size;
      delete block;
    }
  }
}

void BlockPool::empty_cache() {
  const std::lock_guard lock(mutex_);
  source_->synchronize();  // the blocks' own streams may still use them
  finish_marks(true);
  release_segments();
}

MemoryStats BlockPool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void BlockPool::reset_peaks() {
  const std::lock_guard lock(mutex_);
  stats_.max_allocated = stats_.allocated;
  stats_.max_reserved = stats_.reserved;
}

void BlockPool::fail(int64_t bytes, int64_t cached) const {
  WICK_FAIL(OutOfMemoryError, "out of memory on ", name_, ": requested ", bytes, " bytes, ",
            stats_.allocated, " are allocated, ", cached,
            " were cached and have been returned where whole segments were free, ",
            source_->free_bytes(), " are free; use smaller tensors or batches");
}

}  // namespace wick::cuda
