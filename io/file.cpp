#include <wick/io/file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <wick/core/check.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace wick::io::detail {

InputFile::InputFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK the opening of a pipe would wait for a writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  WICK_CHECK(IoError, descriptor_ >= 0, "cannot open '", path, "': ", std::strerror(errno));
  struct stat info {};
  const bool known = ::fstat(descriptor_, &info) == 0;
  if (!known || !S_ISREG(info.st_mode)) {
    ::close(descriptor_);
    WICK_FAIL(IoError, "cannot read '", path, "': it is not a regular file");
  }
  size_ = static_cast<uint64_t>(info.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read(void* to, size_t bytes) {
  auto* out = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor_, out, std::min<size_t>(bytes, size_t{1} << 30));
    if (got < 0 && errno == EINTR) continue;
    WICK_CHECK(IoError, got >= 0, "cannot read '", path_, "': ", std::strerror(errno));
    WICK_CHECK(IoError, got > 0, "cannot read '", path_, "': it ended ", bytes,
               " bytes early; was it changed meanwhile?");
    out += got;
    bytes -= static_cast<size_t>(got);
  }
}

namespace {

// A link is followed, so that the file it points to is replaced and not the link.
std::string resolve(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : path;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(resolve(path)) {
  static std::atomic<unsigned> counter{0};
  struct stat info {};
  const bool exists = ::stat(path_.c_str(), &info) == 0;
  WICK_CHECK(IoError, !exists || S_ISREG(info.st_mode), "cannot write '", path,
             "': it exists and is not a regular file");
  do {  // a killed process, perhaps of the same number, may have left its file behind
    temporary_ = str(path_, ".tmp.", static_cast<int64_t>(::getpid()), ".", counter.fetch_add(1));
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  WICK_CHECK(IoError, descriptor_ >= 0, "cannot write '", path, "': ", std::strerror(errno));
  if (exists) ::fchmod(descriptor_, info.st_mode & 07777);  // as private as the file it replaces
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::fail(const char* what) const {
  WICK_FAIL(IoError, "cannot write '", path_, "': ", what, ": ", std::strerror(errno));
}

void AtomicFile::write(const void* from, size_t bytes) {
  const auto* in = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, in, std::min<size_t>(bytes, size_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) fail("writing failed");
    in += put;
    bytes -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("synchronising failed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("renaming failed");
  ::close(descriptor_);
  descriptor_ = -1;
  // Without this the name could be lost in a power failure.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail("opening the folder failed");
  const bool synchronised = ::fsync(folder) == 0 || errno == EINVAL;  // some file systems cannot
  ::close(folder);
  if (!synchronised) fail("synchronising the folder failed");
}

}  // namespace wick::io::detail
