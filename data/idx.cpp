#include <wick/data/idx.h>

#include <sys/stat.h>
#include <zlib.h>

#include <wick/core/ops.h>
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace wick::data {
namespace {

// A file that zlib reads, compressed or not.
class Source {
 public:
  explicit Source(const std::string& path) : path_(path) {
    struct stat info {};
    WICK_CHECK(IoError, ::stat(path.c_str(), &info) == 0, "cannot open '", path,
               "': ", std::strerror(errno));
    WICK_CHECK(IoError, S_ISREG(info.st_mode), "cannot read '", path,
               "': it is not a regular file");
    stored_ = static_cast<uint64_t>(info.st_size);
    file_ = gzopen(path.c_str(), "rb");
    WICK_CHECK(IoError, file_, "cannot open '", path, "': ", std::strerror(errno));
  }
  ~Source() { gzclose(file_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  template <class... Args>
  void need(bool condition, const Args&... what) const {
    WICK_CHECK(FormatError, condition, "'", path_, "' is not a valid IDX file: ", what...);
  }

  // As many of the bytes as there are.
  size_t read(void* to, size_t bytes) {
    auto* out = static_cast<unsigned char*>(to);
    size_t total = 0;
    while (total < bytes) {
      const auto want = static_cast<unsigned>(std::min<size_t>(bytes - total, 1u << 30));
      const int got = gzread(file_, out + total, want);
      if (got < 0) {
        int code = 0;
        const char* text = gzerror(file_, &code);
        WICK_CHECK(IoError, code != Z_ERRNO, "cannot read '", path_, "': ", std::strerror(errno));
        need(false, "its compressed data are damaged (", text, ")");
      }
      if (got == 0) {
        int code = 0;
        gzerror(file_, &code);
        need(code != Z_BUF_ERROR, "its compressed data end too early");
        break;
      }
      total += static_cast<size_t>(got);
    }
    return total;
  }

  // Most bytes that the file can hold: deflate expands at most 1032 times.
  uint64_t most_bytes() const { return gzdirect(file_) ? stored_ : stored_ * 1032; }

 private:
  std::string path_;
  gzFile file_ = nullptr;
  uint64_t stored_ = 0;
};

uint32_t big_endian(const unsigned char* b) {
  return static_cast<uint32_t>(b[0]) << 24 | static_cast<uint32_t>(b[1]) << 16 |
         static_cast<uint32_t>(b[2]) << 8 | b[3];
}

DType type_of(const Source& source, unsigned code) {
  switch (code) {
    case 0x08:
      return kUInt8;
    case 0x09:
      return kInt8;
    case 0x0B:
      return kInt16;
    case 0x0C:
      return kInt32;
    case 0x0D:
      return kFloat32;
    case 0x0E:
      return kFloat64;
    default:
      source.need(false, "unknown element type ", code, " (byte 2)");
  }
  return kUInt8;
}

void swap_bytes(void* data, int64_t count, int64_t size) {
  if (std::endian::native == std::endian::big) return;
  auto* bytes = static_cast<unsigned char*>(data);
  for (int64_t i = 0; i < count; ++i) std::reverse(bytes + i * size, bytes + (i + 1) * size);
}

std::string find_file(const std::string& folder, const std::string& stem) {
  for (const char* suffix : {"", ".gz"}) {
    std::string path = str(folder, "/", stem, suffix);
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) return path;
  }
  WICK_FAIL(IoError, "no '", stem, "' or '", stem, ".gz' in '", folder,
            "'; on Debian the package dataset-fashion-mnist has such files in "
            "/usr/share/datasets/fashion-mnist");
}

}  // namespace

Tensor read_idx(const std::string& path) {
  Source source(path);
  unsigned char header[4 + 4 * kMaxRank];
  source.need(source.read(header, 4) == 4, "it is shorter than its header");
  source.need(header[0] == 0 && header[1] == 0, "it does not begin with two zero bytes");
  const DType dtype = type_of(source, header[2]);
  const size_t ndim = header[3];
  source.need(ndim >= 1 && ndim <= kMaxRank, "it claims ", ndim, " dimensions, expected 1 to ",
              kMaxRank);
  source.need(source.read(header + 4, 4 * ndim) == 4 * ndim, "it is shorter than its header");
  std::vector<int64_t> sizes;
  auto bytes = static_cast<uint64_t>(element_size(dtype));
  for (size_t d = 0; d < ndim; ++d) {
    sizes.push_back(big_endian(header + 4 + 4 * d));
    source.need(sizes.back() > 0, "dimension ", d, " is empty");
    source.need(!__builtin_mul_overflow(bytes, static_cast<uint64_t>(sizes.back()), &bytes),
                "its sizes ", IntArrayRef(sizes), " overflow");
  }
  source.need(bytes <= source.most_bytes(), "its sizes ", IntArrayRef(sizes), " need ", bytes,
              " bytes, more than the file can hold");
  Tensor data = empty(sizes, device(kCPU).dtype(dtype));
  const size_t got = source.read(data.data_ptr(), bytes);
  source.need(got == bytes, "it ends after ", got, " of ", bytes, " bytes of data");
  unsigned char extra;
  source.need(source.read(&extra, 1) == 0, "there are bytes after its data");
  swap_bytes(data.data_ptr(), data.numel(), element_size(dtype));
  return data;
}

LabelledImages read_mnist(const std::string& folder, bool train, int64_t classes) {
  const std::string stem = train ? "train" : "t10k";
  const std::string image_path = find_file(folder, stem + "-images-idx3-ubyte");
  const std::string label_path = find_file(folder, stem + "-labels-idx1-ubyte");
  LabelledImages result{read_idx(image_path), read_idx(label_path)};
  WICK_CHECK(FormatError, result.images.dtype() == kUInt8 && result.images.dim() == 3, "'",
             image_path, "' does not hold images: expected uint8 of 3 dimensions, got ",
             result.images.dtype(), " of shape ", result.images.sizes());
  WICK_CHECK(FormatError, result.labels.dtype() == kUInt8 && result.labels.dim() == 1, "'",
             label_path, "' does not hold labels: expected uint8 of 1 dimension, got ",
             result.labels.dtype(), " of shape ", result.labels.sizes());
  WICK_CHECK(FormatError, result.labels.size(0) == result.images.size(0), "'", image_path, "' has ",
             result.images.size(0), " images and '", label_path, "' ", result.labels.size(0),
             " labels");
  const auto* labels = result.labels.data_ptr<uint8_t>();
  for (int64_t i = 0; i < result.labels.numel(); ++i) {
    WICK_CHECK(FormatError, labels[i] < classes, "'", label_path, "': label ",
               static_cast<int>(labels[i]), " at position ", i, " is not below ", classes);
  }
  result.labels = result.labels.to(kInt64);
  return result;
}

}  // namespace wick::data
