#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

// Files with errors that name the path and the system's reason. Internal.
namespace wick::io::detail {

/// A regular file opened for reading. Throws IoError.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  uint64_t size() const { return size_; }
  /// Exactly `bytes` bytes from the present position. Throws IoError if the file ends before.
  void read(void* to, size_t bytes);

 private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

/// A file that replaces `path` at commit() and not before: written beside it, synchronised,
/// renamed, and the folder synchronised. Destroyed without commit() it leaves no trace.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* from, size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what) const;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace wick::io::detail
