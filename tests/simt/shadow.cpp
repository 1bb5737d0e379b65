#include <sys/mman.h>
#include <tests/simt/internal.h>
#include <tests/simt/shadow.h>

#include <algorithm>

namespace simt::checker {
namespace {

Record* reserve_records(size_t count) {
  void* const p = mmap(nullptr, count * sizeof(Record), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw Error("simt: no address space for the checker's records");
  return static_cast<Record*>(p);
}

/// Fills an array; where much becomes zero, the memory is given back instead.
void fill(Record* begin, size_t count, Record value) {
  constexpr uintptr_t kPage = 4096;
  const auto first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const auto last = reinterpret_cast<uintptr_t>(begin + count) / kPage * kPage;
  if (value != Record{} || last < first + 64 * kPage) {
    std::fill_n(begin, count, value);
    return;
  }
  std::fill(begin, reinterpret_cast<Record*>(first), value);
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  std::fill(reinterpret_cast<Record*>(last), begin + count, value);
}

}  // namespace

void Shadow::reserve(char* base, size_t bytes) {
  base_ = reinterpret_cast<uintptr_t>(base);
  bytes_ = bytes;
  words_ = reserve_records(bytes / kWord + 1);
  bytes_of_words_ = reserve_records(bytes + kWord);
}

void Shadow::split(size_t word) {
  if (words_[word].write == kSplit) return;
  std::fill_n(&bytes_of_words_[word * kWord], kWord, words_[word]);
  words_[word].write = kSplit;
}

void Shadow::try_join(size_t word) {
  const Record* const r = &bytes_of_words_[word * kWord];
  if (r[0] == r[1] && r[0] == r[2] && r[0] == r[3]) words_[word] = r[0];
}

void Shadow::set(const void* p, size_t bytes, Stamp write) {
  size_t at = offset(p);
  const size_t end = at + bytes;
  const auto single = [&](size_t until) {
    if (at < until && write == kNothing && words_[at / kWord].write == kNothing) at = until;
    for (; at < until; ++at) {
      split(at / kWord);
      bytes_of_words_[at] = {write, kNothing};
    }
  };
  single(std::min(end, (at + kWord - 1) / kWord * kWord));
  const size_t words = (end - at) / kWord;
  fill(words_ + at / kWord, words, {write, kNothing});
  at += words * kWord;
  single(end);
}

void Shadow::copy(const void* to, const Shadow& from_shadow, const void* from, size_t bytes) {
  const size_t source = from_shadow.offset(from), target = offset(to);
  const auto state = [&](size_t at) {
    return from_shadow.written(at) == kNothing ? kNothing : kHost;
  };
  for (size_t i = 0; i < bytes;) {
    const size_t word = (target + i) / kWord;
    const Stamp w = state(source + i);
    if ((source + i) % kWord == 0 && (target + i) % kWord == 0 && i + kWord <= bytes &&
        state(source + i + 1) == w && state(source + i + 2) == w && state(source + i + 3) == w) {
      words_[word] = {w, kNothing};
      i += kWord;
    } else {
      split(word);
      bytes_of_words_[target + i] = {w, kNothing};
      ++i;
    }
  }
}

int64_t Shadow::find_unwritten(const void* p, size_t bytes) const {
  const size_t begin = offset(p);
  for (size_t i = begin; i < begin + bytes;) {
    if (written(i) == kNothing) return static_cast<int64_t>(i - begin);
    i = i % kWord == 0 && words_[i / kWord].write != kSplit ? i + kWord : i + 1;
  }
  return -1;
}

}  // namespace simt::checker
