#include <wick/data/idx.h>

#include <tests/support/expect.h>
#include <tests/support/files.h>

#include <bit>
#include <cstdlib>
#include <cstring>

namespace {

using namespace wick;
using data::read_idx;
using data::read_mnist;
using test::gzip;
using test::idx_bytes;
using test::ScratchFolder;
using test::write_file;

Tensor read_bytes(const std::string& bytes) {
  const ScratchFolder folder;
  write_file(folder / "f", bytes);
  return read_idx(folder / "f");
}

template <class Bits>
std::string big_endian(std::initializer_list<Bits> values) {
  std::string bytes;
  for (const Bits v : values)
    for (int shift = 8 * (static_cast<int>(sizeof(Bits)) - 1); shift >= 0; shift -= 8)
      bytes += static_cast<char>(v >> shift);
  return bytes;
}

TEST(Idx, reads_every_type) {
  const std::vector<uint32_t> two{2};
  const Tensor u8 = read_bytes(idx_bytes(0x08, two, std::string("\x00\xff", 2)));
  EXPECT_EQ(u8.dtype(), kUInt8);
  EXPECT_EQ(u8.to_vector<int>(), (std::vector<int>{0, 255}));
  const Tensor i8 = read_bytes(idx_bytes(0x09, two, "\x80\x7f"));
  EXPECT_EQ(i8.dtype(), kInt8);
  EXPECT_EQ(i8.to_vector<int>(), (std::vector<int>{-128, 127}));
  const Tensor i16 = read_bytes(idx_bytes(0x0B, two, big_endian<uint16_t>({0x8000, 0x0102})));
  EXPECT_EQ(i16.dtype(), kInt16);
  EXPECT_EQ(i16.to_vector<int>(), (std::vector<int>{-32768, 258}));
  const Tensor i32 =
      read_bytes(idx_bytes(0x0C, two, big_endian<uint32_t>({0xffffffff, 0x01020304})));
  EXPECT_EQ(i32.dtype(), kInt32);
  EXPECT_EQ(i32.to_vector<int>(), (std::vector<int>{-1, 0x01020304}));
  const Tensor f32 = read_bytes(idx_bytes(
      0x0D, two, big_endian({std::bit_cast<uint32_t>(-1.5f), std::bit_cast<uint32_t>(3e38f)})));
  EXPECT_EQ(f32.dtype(), kFloat32);
  EXPECT_EQ(f32.to_vector<float>(), (std::vector<float>{-1.5f, 3e38f}));
  const Tensor f64 = read_bytes(idx_bytes(
      0x0E, two, big_endian({std::bit_cast<uint64_t>(0.1), std::bit_cast<uint64_t>(-1e300)})));
  EXPECT_EQ(f64.dtype(), kFloat64);
  EXPECT_EQ(f64.to_vector<double>(), (std::vector<double>{0.1, -1e300}));
}

TEST(Idx, reads_one_to_eight_dimensions_in_row_major_order) {
  EXPECT_EQ(read_bytes(idx_bytes(8, {1}, "x")).sizes().vec(), std::vector<int64_t>{1});
  const Tensor t = read_bytes(idx_bytes(8, {2, 3}, std::string("\0\1\2\3\4\5", 6)));
  EXPECT_EQ(t[1].to_vector<int>(), (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(read_bytes(idx_bytes(8, {1, 1, 2, 1, 1, 1, 2, 1}, "abcd")).sizes().vec(),
            (std::vector<int64_t>{1, 1, 2, 1, 1, 1, 2, 1}));
}

TEST(Idx, reads_gzip_also_in_several_members) {
  std::string data;
  for (uint32_t i = 0; i < 100000; ++i) data += static_cast<char>(i * i >> 3);
  const std::string bytes = idx_bytes(8, {100, 1000}, data);
  const Tensor plain = read_bytes(bytes);
  EXPECT_EQ(std::memcmp(plain.data_ptr(), data.data(), data.size()), 0);
  EXPECT_TRUE(read_bytes(gzip(bytes)).equal(plain));
  EXPECT_TRUE(read_bytes(gzip(bytes.substr(0, 5)) + gzip(bytes.substr(5))).equal(plain));
}

TEST(Idx, data_that_compress_extremely_well) {
  const std::string bytes = idx_bytes(8, {1000, 1000}, std::string(1000000, '\0'));
  const std::string packed = gzip(bytes);
  EXPECT_LT(packed.size(), bytes.size() / 900);
  EXPECT_EQ(read_bytes(packed).sum().item<int64_t>(), 0);
}

TEST(Idx, every_shorter_file_is_refused) {
  const std::string plain = idx_bytes(0x0C, {2, 3}, std::string(24, 'x'));
  for (size_t length = 0; length < plain.size(); ++length)
    EXPECT_THROW(read_bytes(plain.substr(0, length)), FormatError) << length;
  const std::string packed = gzip(plain);
  for (size_t length = 0; length < packed.size(); ++length)
    EXPECT_THROW(read_bytes(packed.substr(0, length)), FormatError) << length << " compressed";
}

TEST(Idx, refusal_says_what_and_where) {
  const ScratchFolder folder;
  write_file(folder / "f", idx_bytes(8, {2, 0}, ""));
  EXPECT_ERROR(FormatError,
               "'" + (folder / "f") + "' is not a valid IDX file: dimension 1 is empty",
               read_idx(folder / "f"));
}

// --- images and labels

TEST(Mnist, reads_plain_and_compressed_files_of_a_folder) {
  const ScratchFolder folder;
  write_file(folder / "train-images-idx3-ubyte", idx_bytes(8, {2, 1, 3}, "abcdef"));
  write_file(folder / "train-labels-idx1-ubyte.gz", gzip(idx_bytes(8, {2}, "\3\11")));
  write_file(folder / "t10k-images-idx3-ubyte.gz", gzip(idx_bytes(8, {1, 1, 3}, "xyz")));
  write_file(folder / "t10k-labels-idx1-ubyte", idx_bytes(8, {1}, "\2"));
  const auto train = read_mnist(folder.path(), true), test = read_mnist(folder.path(), false);
  EXPECT_EQ(train.images.dtype(), kUInt8);
  EXPECT_EQ(train.images.sizes().vec(), (std::vector<int64_t>{2, 1, 3}));
  EXPECT_EQ(train.labels.dtype(), kInt64);
  EXPECT_EQ(train.labels.to_vector<int64_t>(), (std::vector<int64_t>{3, 9}));
  EXPECT_EQ(test.labels.to_vector<int64_t>(), std::vector<int64_t>{2});
  EXPECT_EQ(test.images.to_vector<int>(), (std::vector<int>{'x', 'y', 'z'}));
  EXPECT_THROW(read_mnist(folder.path(), true, 9), FormatError);
  EXPECT_NO_THROW(read_mnist(folder.path(), false, 3));
}

// Means and deviations of the pixels, over 255, as they are known for the sets.
struct Known {
  const char* what;
  std::string folder;
  double mean, deviation, tolerance;
};

void check(const Known& k) {
  SCOPED_TRACE(k.what);
  const auto train = read_mnist(k.folder, true);
  const int64_t n = train.images.size(0);
  EXPECT_EQ(train.images.sizes().vec(), (std::vector<int64_t>{n, 28, 28}));
  EXPECT_EQ(train.labels.sizes().vec(), std::vector<int64_t>{n});
  std::vector<int64_t> counts(10);
  for (const int64_t label : train.labels.to_vector<int64_t>())
    ++counts[static_cast<size_t>(label)];
  for (const int64_t count : counts) EXPECT_NEAR(static_cast<double>(count), n / 10., n / 50.);
  double sum = 0, squares = 0;
  const auto* pixels = train.images.data_ptr<uint8_t>();
  for (int64_t i = 0; i < train.images.numel(); ++i) {
    sum += pixels[i];
    squares += pixels[i] * pixels[i];
  }
  const double mean = sum / static_cast<double>(train.images.numel());
  const double variance = squares / static_cast<double>(train.images.numel()) - mean * mean;
  EXPECT_NEAR(mean / 255, k.mean, k.tolerance);
  EXPECT_NEAR(std::sqrt(variance) / 255, k.deviation, k.tolerance);
  const auto test = read_mnist(k.folder, false);
  EXPECT_EQ(test.images.sizes().vec(), (std::vector<int64_t>{10000, 28, 28}));
}

TEST(Mnist, real_data) {
  bool any = false;
  if (const char* data = std::getenv("WICK_TEST_DATA")) {
    check({"MNIST", std::string(data) + "/mnist", 0.1307, 0.3081, 0.005});
    any = true;
  }
  const std::string fashion = "/usr/share/datasets/fashion-mnist";
  if (std::filesystem::exists(fashion)) {
    check({"Fashion-MNIST", fashion, 0.28604, 0.35302, 1e-5});
    any = true;
  }
  if (!any)
    GTEST_SKIP() << "NOT TESTED: neither $WICK_TEST_DATA/mnist nor " << fashion
                 << " (Debian: dataset-fashion-mnist) is here";
}

}  // namespace
