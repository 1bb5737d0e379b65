#include <wick/core/check.h>
#include <wick/kernels/cpu/scratch.h>
#include <new>

namespace wick::cpu {
namespace {

constexpr size_t kKeptBytes = size_t{64} << 20;
constexpr int kKeptBlocks = 8;
constexpr std::align_val_t kAlignment{64};

struct Block {
  void* data;
  size_t bytes;
};

struct Kept {
  Block blocks[kKeptBlocks];
  int count = 0;
  size_t bytes = 0;

  ~Kept() { clear(); }
  Block take(int i) {
    const Block block = blocks[i];
    blocks[i] = blocks[--count];
    bytes -= block.bytes;
    return block;
  }
  void clear() {
    while (count > 0) ::operator delete(take(count - 1).data, kAlignment);
  }
};

thread_local Kept kept;

}  // namespace

Scratch::Scratch(size_t bytes) {
  if (bytes == 0) return;
  int best = -1;
  for (int i = 0; i < kept.count; ++i) {
    const size_t size = kept.blocks[i].bytes;
    if (size >= bytes && (best < 0 || size < kept.blocks[best].bytes)) best = i;
  }
  if (best >= 0) {
    const Block block = kept.take(best);
    data_ = block.data;
    bytes_ = block.bytes;
    return;
  }
  bytes_ = aligned_bytes(bytes);
  data_ = ::operator new(bytes_, kAlignment, std::nothrow);
  if (data_ == nullptr) {
    kept.clear();
    data_ = ::operator new(bytes_, kAlignment, std::nothrow);
  }
  WICK_CHECK(OutOfMemoryError, data_ != nullptr, "cpu: no memory for ", bytes_,
             " bytes of working space; use smaller batches");
}

Scratch::~Scratch() {
  if (data_ == nullptr) return;
  if (bytes_ > kKeptBytes) {
    ::operator delete(data_, kAlignment);
    return;
  }
  // The smallest blocks go first: they are the cheapest to get again.
  while (kept.count == kKeptBlocks || kept.bytes + bytes_ > kKeptBytes) {
    int smallest = 0;
    for (int i = 1; i < kept.count; ++i) {
      if (kept.blocks[i].bytes < kept.blocks[smallest].bytes) smallest = i;
    }
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete): take() removes the block from the list
    ::operator delete(kept.take(smallest).data, kAlignment);
  }
  kept.blocks[kept.count++] = {data_, bytes_};
  kept.bytes += bytes_;
}

}  // namespace wick::cpu
