#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Who accessed each byte of a stretch of memory last. A stamp is a moment and a thread:
//   tick 46 bits | thread 10 bits | flags 8 bits
// Ticks count launches, blocks, barriers and fences, so one that is later than the begin of a
// launch, of a block or of the time since a barrier says that the access was in it. They never
// wrap.
namespace simt::checker {

using Stamp = uint64_t;
inline constexpr Stamp kNothing = 0;  // never written, or not memory of an allocation
inline constexpr Stamp kSplit = 1;    // each byte has a record of its own
inline constexpr Stamp kHost = 2;     // written, not by a kernel
inline constexpr int kThreadShift = 8, kTickShift = 18;
// What an access stands for beside itself, as far as nothing orders it with the others.
inline constexpr Stamp kAtomic = 1, kLanes = 2, kWarps = 4, kBlocks = 8;
inline constexpr Stamp kPlain = 16;  // beside an atomic: an ordinary write of the block before

inline int thread_of(Stamp s) { return static_cast<int>(s >> kThreadShift & 1023); }

struct Record {
  Stamp write, read;
  bool operator==(const Record&) const = default;
};

struct Extent {
  uintptr_t base = 0;
  size_t bytes = 0;
  bool has(uintptr_t p, size_t n) const { return p - base <= bytes && n <= bytes - (p - base); }
};

/// Records of words of four bytes, which most accesses are made of, and of bytes where words have
/// been accessed in part. Memory for them is taken as it is touched.
class Shadow {
 public:
  static constexpr size_t kWord = 4;

  void reserve(char* base, size_t bytes);
  bool has(const void* p) const { return offset(p) < bytes_; }
  size_t offset(const void* p) const { return reinterpret_cast<uintptr_t>(p) - base_; }
  uintptr_t address(size_t offset) const { return base_ + offset; }

  /// Sets what was written last, kNothing or kHost, and forgets the reads.
  void set(const void* p, size_t bytes, Stamp write);
  /// As memory is copied: what was never written stays so.
  void copy(const void* to, const Shadow& from_shadow, const void* from, size_t bytes);
  /// The first byte that was never written, as an offset from p; -1: none.
  int64_t find_unwritten(const void* p, size_t bytes) const;

  Record& word(size_t word) { return words_[word]; }
  Record& byte(size_t offset) { return bytes_of_words_[offset]; }
  /// Gives a word's bytes records of their own.
  void split(size_t word);
  /// One record for all of a word again, if its bytes' are the same.
  void try_join(size_t word);

 private:
  Stamp written(size_t offset) const {
    const Stamp w = words_[offset / kWord].write;
    return w == kSplit ? bytes_of_words_[offset].write : w;
  }

  uintptr_t base_ = 0;
  size_t bytes_ = 0;
  Record* words_ = nullptr;
  Record* bytes_of_words_ = nullptr;
};

}  // namespace simt::checker
