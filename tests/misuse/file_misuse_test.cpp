#include <sys/resource.h>
#include <sys/stat.h>
#include <tests/misuse/misuse.h>
#include <tests/support/files.h>
#include <wick/data/batches.h>
#include <wick/data/idx.h>
#include <wick/io/checkpoint.h>
#include <wick/io/safetensors.h>
#include <wick/nn/linear.h>
#include <wick/optim/sgd.h>

#include <csignal>

// Files that are not what they should be, and paths that cannot be used.
using namespace wick;
using test::gzip;
using test::idx_bytes;
using test::safetensors_bytes;
using test::ScratchFolder;
using test::write_file;

namespace {

void load_tensors(const std::string& bytes) {
  const ScratchFolder folder;
  write_file(folder / "f.safetensors", bytes);
  io::load_safetensors(folder / "f.safetensors");
}

void load_header(const std::string& header, const std::string& data = "") {
  load_tensors(safetensors_bytes(header, data));
}

// A header with one float32 tensor "w".
std::string one(const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

void load_idx(const std::string& bytes) {
  const ScratchFolder folder;
  write_file(folder / "f.idx", bytes);
  data::read_idx(folder / "f.idx");
}

// A folder as read_mnist() expects it.
void load_mnist(const std::string& images, const std::string& labels) {
  const ScratchFolder folder;
  write_file(folder / "train-images-idx3-ubyte", images);
  write_file(folder / "train-labels-idx1-ubyte", labels);
  data::read_mnist(folder.path(), true);
}

const io::TensorDict& some_tensors() {
  static const auto* const dict = new io::TensorDict;
  return *dict;
}

std::string repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

// --- safetensors: paths
MISUSE(File, missing, IoError, "cannot open '/nonexistent/f'", "No such file") {
  io::load_safetensors("/nonexistent/f");
}
MISUSE(File, path_of_two_lines, IoError, "two\\nlines") { io::load_safetensors("two\nlines"); }
MISUSE(File, empty_path, IoError, "cannot open ''") { io::load_safetensors(""); }
MISUSE(File, folder, IoError, "not a regular file") { io::load_safetensors("/tmp"); }
MISUSE(File, pipe, IoError, "not a regular file") {
  const ScratchFolder folder;
  ::mkfifo((folder / "pipe").c_str(), 0600);
  io::load_safetensors(folder / "pipe");
}
MISUSE(File, endless_device, IoError, "not a regular file") { io::load_safetensors("/dev/zero"); }
MISUSE(File, link_to_itself, IoError, "cannot open") {
  const ScratchFolder folder;
  std::filesystem::create_symlink(folder / "a", folder / "a");
  io::load_safetensors(folder / "a");
}
MISUSE(File, save_into_missing_folder, IoError, "cannot write '/nonexistent/f'", "No such file") {
  io::save_safetensors(some_tensors(), "/nonexistent/f");
}
MISUSE(File, save_onto_folder, IoError, "cannot write", "not a regular file") {
  const ScratchFolder folder;
  io::save_safetensors(some_tensors(), folder.path());
}
MISUSE(File, save_onto_full_device, IoError, "cannot write '/dev/full'", "not a regular file") {
  io::save_safetensors(some_tensors(), "/dev/full");
}
MISUSE(File, save_onto_pipe, IoError, "cannot write", "not a regular file") {
  const ScratchFolder folder;
  ::mkfifo((folder / "pipe").c_str(), 0600);
  io::save_safetensors(some_tensors(), folder / "pipe");
}
MISUSE(File, save_below_a_file, IoError, "cannot write", "Not a directory") {
  const ScratchFolder folder;
  write_file(folder / "f", "text");
  io::save_safetensors(some_tensors(), folder / "f/g");
}
MISUSE(File, save_to_too_long_name, IoError, "cannot write", "name too long") {
  io::save_safetensors(some_tensors(), "/tmp/" + std::string(5000, 'x'));
}
MISUSE(File, disk_is_full, IoError, "cannot write", "writing failed", "File too large") {
  const ScratchFolder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{4096, RLIM_INFINITY}, none{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  struct Reset {
    const rlimit& limit;
    ~Reset() { ::setrlimit(RLIMIT_FSIZE, &limit); }
  } const reset{none};
  io::save_safetensors({{"w", zeros({10000})}}, folder / "f");
}
MISUSE(File, save_undefined, ValueError, "save_safetensors", "\"w\"", "undefined") {
  io::save_safetensors({{"w", Tensor()}}, "/tmp/never");
}
MISUSE(File, save_reserved_name, ValueError, "save_safetensors", "__metadata__") {
  io::save_safetensors({{"__metadata__", ones({1})}}, "/tmp/never");
}
MISUSE(File, save_name_not_utf8, ValueError, "save_safetensors", "UTF-8") {
  io::save_safetensors({{"\xff\xfe", ones({1})}}, "/tmp/never");
}
MISUSE(File, save_name_too_long, ValueError, "save_safetensors", "name") {
  io::save_safetensors({{std::string(5000, 'w'), ones({1})}}, "/tmp/never");
}
MISUSE(File, save_metadata_not_utf8, ValueError, "save_safetensors", "UTF-8") {
  io::save_safetensors(some_tensors(), "/tmp/never", {{"key", "\xc3"}});
}

// --- safetensors: every rule of the format
MISUSE(Safetensors, empty_file, FormatError, "0 bytes", "fewer than the 8") { load_tensors(""); }
MISUSE(Safetensors, seven_bytes, FormatError, "7 bytes") { load_tensors("1234567"); }
MISUSE(Safetensors, header_longer_than_file, FormatError, "header claims 100 bytes") {
  load_tensors(test::little_endian(100) + "{}");
}
MISUSE(Safetensors, header_longer_than_limit, FormatError, "header claims", "100000000") {
  load_tensors(test::little_endian(100'000'001) + "{}");
}
MISUSE(Safetensors, header_length_overflows, FormatError, "header claims 18446744073709551615") {
  load_tensors(test::little_endian(~uint64_t{0}) + "{}");
}
MISUSE(Safetensors, header_empty, FormatError, "not JSON") { load_header(""); }
MISUSE(Safetensors, header_not_json, FormatError, "not JSON") { load_header("{\"w\":"); }
MISUSE(Safetensors, header_with_rest, FormatError, "not JSON") { load_header("{} {}"); }
MISUSE(Safetensors, header_not_utf8, FormatError, "not JSON") { load_header("{\"\xff\":1}"); }
MISUSE(Safetensors, header_a_list, FormatError, "not a JSON object") { load_header("[1,2]"); }
MISUSE(Safetensors, header_a_number, FormatError, "not a JSON object") { load_header("7"); }
MISUSE(Safetensors, header_nested_deep, FormatError, "nested more than 8") {
  load_header(repeat("{\"a\":", 100000) + "1" + repeat("}", 100000));
}
MISUSE(Safetensors, lists_nested_deep, FormatError, "nested more than 8") {
  load_header("{\"w\":" + repeat("[", 1000000));
}
MISUSE(Safetensors, tensor_twice, FormatError, "\"w\" twice") {
  const std::string w = R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  load_header("{" + w + "," + w + "}", "x");
}
MISUSE(Safetensors, member_twice, FormatError, "\"shape\" twice") {
  load_header(R"({"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", "x");
}
MISUSE(Safetensors, tensor_not_an_object, FormatError, "\"w\"", "not an object") {
  load_header(R"({"w":1})");
}
MISUSE(Safetensors, no_dtype, FormatError, "\"w\"", "no dtype") {
  load_header(R"({"w":{"shape":[1],"data_offsets":[0,1]}})", "x");
}
MISUSE(Safetensors, no_shape, FormatError, "\"w\"", "no shape") {
  load_header(R"({"w":{"dtype":"U8","data_offsets":[0,1]}})", "x");
}
MISUSE(Safetensors, no_offsets, FormatError, "\"w\"", "no data_offsets") {
  load_header(R"({"w":{"dtype":"U8","shape":[1]}})", "x");
}
MISUSE(Safetensors, unknown_dtype, FormatError, "\"w\"", "\"F4\"") {
  load_header(R"({"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", "x");
}
MISUSE(Safetensors, dtype_not_text, FormatError, "\"w\"", "dtype is not a string") {
  load_header(R"({"w":{"dtype":32,"shape":[1],"data_offsets":[0,1]}})", "x");
}
MISUSE(Safetensors, shape_not_a_list, FormatError, "\"w\"", "shape is not a list") {
  load_header(one("3", "[0,12]"), std::string(12, 'x'));
}
MISUSE(Safetensors, size_negative, FormatError, "\"w\"", "shape", "unsigned") {
  load_header(one("[-1]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, size_fraction, FormatError, "\"w\"", "shape", "unsigned") {
  load_header(one("[1.5]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, size_exponent, FormatError, "\"w\"", "shape", "unsigned") {
  load_header(one("[1e0]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, size_huge, FormatError, "\"w\"", "281474976710656") {
  load_header(one("[281474976710656]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, sizes_overflow, FormatError, "\"w\"", "more bytes than can be counted") {
  load_header(one("[281474976710655,281474976710655]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, sizes_overflow_beside_zero, FormatError, "\"w\"") {
  load_header(one("[281474976710655,281474976710655,0]", "[0,0]"));
}
MISUSE(Safetensors, sizes_wrap_to_offsets, FormatError, "\"w\"") {
  load_header(one("[4294967296,4294967296]", "[0,0]"));
}
MISUSE(Safetensors, too_many_dimensions, FormatError, "\"w\"", "9 dimensions", "up to 8") {
  load_header(one("[1,1,1,1,1,1,1,1,1]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, offsets_not_two, FormatError, "\"w\"", "data_offsets are not two") {
  load_header(one("[1]", "[0,4,8]"), "xxxx");
}
MISUSE(Safetensors, offset_negative, FormatError, "\"w\"", "data_offsets", "unsigned") {
  load_header(one("[1]", "[-4,0]"), "xxxx");
}
MISUSE(Safetensors, offset_text, FormatError, "\"w\"", "data_offsets", "unsigned") {
  load_header(one("[1]", "[\"0\",\"4\"]"), "xxxx");
}
MISUSE(Safetensors, offset_too_long_a_number, FormatError, "safetensors") {
  load_header(one("[1]", "[0,99999999999999999999999]"), "xxxx");
}
MISUSE(Safetensors, offset_beyond_double, FormatError, "safetensors") {
  load_header(one("[1]", "[0,1e999]"), "xxxx");
}
MISUSE(Safetensors, ends_before_it_begins, FormatError, "\"w\"", "before it begins") {
  load_header(one("[1]", "[4,0]"), "xxxx");
}
MISUSE(Safetensors, bytes_do_not_fit_shape, FormatError, "\"w\"", "[2]", "needs 8", "span 4") {
  load_header(one("[2]", "[0,4]"), "xxxx");
}
MISUSE(Safetensors, hole_before_first, FormatError, "\"w\"", "begins at byte 4", "expected 0") {
  load_header(one("[1]", "[4,8]"), "xxxxxxxx");
}
MISUSE(Safetensors, hole_between, FormatError, "\"b\"", "begins at byte 5", "expected 4") {
  load_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}})",
              std::string(9, 'x'));
}
MISUSE(Safetensors, overlap, FormatError, "\"b\"", "begins at byte 0", "expected 4") {
  load_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
              R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
              "xxxx");
}
MISUSE(Safetensors, truncated, FormatError, "4 bytes", "the file 3") {
  load_header(one("[1]", "[0,4]"), "xxx");
}
MISUSE(Safetensors, bytes_after_data, FormatError, "4 bytes", "the file 5") {
  load_header(one("[1]", "[0,4]"), "xxxxx");
}
MISUSE(Safetensors, data_without_tensors, FormatError, "0 bytes", "the file 3") {
  load_header("{}", "xxx");
}
MISUSE(Safetensors, metadata_a_list, FormatError, "__metadata__", "not an object") {
  load_header(R"({"__metadata__":[1]})");
}
MISUSE(Safetensors, metadata_a_number, FormatError, "__metadata__", "\"k\"", "not a string") {
  load_header(R"({"__metadata__":{"k":1}})");
}
MISUSE(Safetensors, metadata_twice, FormatError, "\"__metadata__\" twice") {
  load_header(R"({"__metadata__":{},"__metadata__":{}})");
}
MISUSE(Safetensors, newer_format, FormatError, "newer version of wick", "\"2\"") {
  load_header(R"({"__metadata__":{"wick_format":"2"}})");
}
MISUSE(Safetensors, name_too_long, FormatError, "name has 5000 bytes") {
  load_header("{\"" + std::string(5000, 'w') +
              R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})");
}
MISUSE(Safetensors, name_with_line_breaks, FormatError, "\\n", "not an object") {
  load_header(R"({"two\nlines\r\u001b[31m":1})");
}

// --- checkpoints
MISUSE(Checkpoint, of_another_model, ValueError, "load_state_dict", "'weight' is [5, 2]",
       "Nothing was loaded") {
  const ScratchFolder folder;
  io::save_checkpoint(folder / "c", *nn::Linear(2, 3));
  io::load_checkpoint(folder / "c", *nn::Linear(2, 5));
}
MISUSE(Checkpoint, without_random_state, FormatError, "no random state") {
  const ScratchFolder folder;
  io::save_safetensors(some_tensors(), folder / "c");
  nn::Linear net(2, 3);
  optim::SGD sgd(net->parameters(), 0.1);
  io::load_checkpoint(folder / "c", *net, &sgd);
}
MISUSE(Checkpoint, saved_without_optimizer, ValueError, "optimizer", "group.0.lr") {
  const ScratchFolder folder;
  nn::Linear net(2, 3);
  io::save_checkpoint(folder / "c", *net);
  optim::SGD sgd(net->parameters(), 0.1);
  io::load_checkpoint(folder / "c", *net, &sgd);
}
MISUSE(Checkpoint, counter_of_many, FormatError, "counter 'epoch'", "one integer") {
  const ScratchFolder folder;
  io::save_safetensors({{"counter.epoch", zeros({2})}}, folder / "c");
  io::load_checkpoint(folder / "c", *nn::Linear(2, 3));
}

// --- IDX
MISUSE(Idx, missing, IoError, "cannot open '/nonexistent/f'", "No such file") {
  data::read_idx("/nonexistent/f");
}
MISUSE(Idx, folder, IoError, "not a regular file") { data::read_idx("/tmp"); }
MISUSE(Idx, pipe, IoError, "not a regular file") {
  const ScratchFolder folder;
  ::mkfifo((folder / "pipe").c_str(), 0600);
  data::read_idx(folder / "pipe");
}
MISUSE(Idx, empty_file, FormatError, "shorter than its header") { load_idx(""); }
MISUSE(Idx, header_truncated, FormatError, "shorter than its header") {
  load_idx(idx_bytes(8, {2, 3}, "").substr(0, 9));
}
MISUSE(Idx, wrong_magic, FormatError, "two zero bytes") { load_idx("PK\x03\x04 and so on"); }
MISUSE(Idx, unknown_type, FormatError, "element type 10") { load_idx(idx_bytes(10, {1}, "x")); }
MISUSE(Idx, no_dimensions, FormatError, "0 dimensions", "1 to 8") {
  load_idx(idx_bytes(8, {}, "x"));
}
MISUSE(Idx, too_many_dimensions, FormatError, "9 dimensions") {
  load_idx(idx_bytes(8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "x"));
}
MISUSE(Idx, empty_dimension, FormatError, "dimension 1 is empty") {
  load_idx(idx_bytes(8, {3, 0}, ""));
}
MISUSE(Idx, sizes_overflow, FormatError, "overflow") {
  load_idx(idx_bytes(0xE, std::vector<uint32_t>(8, 0xffffffff), "x"));
}
MISUSE(Idx, larger_than_file, FormatError, "more than the file can hold", "4294967295") {
  load_idx(idx_bytes(8, {0xffffffff}, "xxx"));
}
MISUSE(Idx, truncated, FormatError, "more than the file can hold") {
  load_idx(idx_bytes(8, {200}, std::string(100, 'x')));
}
MISUSE(Idx, bytes_after_data, FormatError, "bytes after its data") {
  load_idx(idx_bytes(8, {2}, "xxx"));
}
MISUSE(Idx, gzip_larger_than_possible, FormatError, "more than the file can hold") {
  load_idx(gzip(idx_bytes(8, {0xffffffff, 0xffff}, "xxx")));
}
MISUSE(Idx, gzip_of_too_little, FormatError, "ends after 3 of 5 bytes") {
  load_idx(gzip(idx_bytes(8, {5}, "xxx")));
}
MISUSE(Idx, gzip_of_too_much, FormatError, "bytes after its data") {
  load_idx(gzip(idx_bytes(8, {2}, "xxx")));
}
MISUSE(Idx, gzip_damaged, FormatError, "compressed data are damaged") {
  std::string bytes = gzip(idx_bytes(8, {1000}, std::string(1000, 'x')));
  bytes[12] = static_cast<char>(~bytes[12]);
  bytes[13] = static_cast<char>(~bytes[13]);
  load_idx(bytes);
}
MISUSE(Idx, gzip_wrong_checksum, FormatError, "compressed data are damaged") {
  std::string bytes = gzip(idx_bytes(8, {3}, "xyz"));
  bytes[bytes.size() - 8] ^= 1;
  load_idx(bytes);
}
MISUSE(Idx, gzip_truncated, FormatError, "IDX") {
  std::string noise;
  for (uint32_t i = 0, v = 1; i < 1000; ++i)
    noise += static_cast<char>((v = v * 1664525 + 1013904223) >> 24);
  const std::string bytes = gzip(idx_bytes(8, {1000}, noise));
  load_idx(bytes.substr(0, bytes.size() / 2));
}
MISUSE(Idx, gzip_without_checksum, FormatError, "compressed data", "end") {
  const std::string bytes = gzip(idx_bytes(8, {3}, "xyz"));
  load_idx(bytes.substr(0, bytes.size() - 8));
}
MISUSE(Idx, mnist_folder_missing, IoError, "train-images-idx3-ubyte", "/nonexistent") {
  data::read_mnist("/nonexistent", true);
}
MISUSE(Idx, mnist_counts_differ, FormatError, "2 images", "3 labels") {
  load_mnist(idx_bytes(8, {2, 1, 1}, "xx"), idx_bytes(8, {3}, "\1\2\3"));
}
MISUSE(Idx, mnist_images_and_labels_exchanged, FormatError, "does not hold images", "[2]") {
  load_mnist(idx_bytes(8, {2}, "\1\2"), idx_bytes(8, {2, 1, 1}, "xx"));
}
MISUSE(Idx, mnist_label_too_large, FormatError, "label 10", "position 1", "below 10") {
  load_mnist(idx_bytes(8, {2, 1, 1}, "xx"), idx_bytes(8, {2}, "\1\12"));
}

// --- batches
MISUSE(Batches, batch_of_nothing, ValueError, "batch_size >= 1", "0") { data::Batches(10, 0); }
MISUSE(Batches, negative_size, ValueError, "size >= 0", "-1") { data::Batches(-1, 2); }
MISUSE(Batches, next_before_start, ValueError, "start_epoch()") {
  Tensor index;
  data::Batches(10, 2).next(index);
}
MISUSE(Batches, restored_from_larger_set, ValueError, "position 8", "data set of 4") {
  data::Batches::State state;
  state.position = 8;
  data::Batches(4, 2).restore(state);
}
MISUSE(Batches, larger_than_memory, OutOfMemoryError, "out of", "memory", "requested") {
  data::Batches(int64_t{1} << 50, 2).start_epoch();
}
