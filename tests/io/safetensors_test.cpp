#include <wick/io/safetensors.h>

#include <signal.h>
#include <sys/wait.h>
#include <tests/support/expect.h>
#include <tests/support/files.h>
#include <unistd.h>
#include <wick/core/storage.h>

#include <cstdio>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

namespace {

using namespace wick;
using io::load_safetensors;
using io::save_safetensors;
using io::TensorDict;
using nlohmann::json;
using test::read_file;
using test::safetensors_bytes;
using test::ScratchFolder;
using test::write_file;

constexpr DType kAll[] = {kBool,  kUInt8,   kInt8,     kInt16,   kInt32,
                          kInt64, kFloat16, kBFloat16, kFloat32, kFloat64};

std::string bytes_of(const Tensor& t) {
  const Tensor dense = t.cpu().contiguous();
  return {static_cast<const char*>(dense.data_ptr()), static_cast<size_t>(dense.nbytes())};
}

// Any bits at all (0 or 1 for bool), on the default device.
Tensor random_bits(IntArrayRef sizes, DType dtype) {
  Tensor t = empty(sizes, TensorOptions(dtype).device(kCPU));
  const Tensor bytes = randint(0, dtype == kBool ? 2 : 256, {t.nbytes()}, kUInt8).cpu();
  if (t.nbytes() > 0) std::memcpy(t.data_ptr(), bytes.data_ptr(), static_cast<size_t>(t.nbytes()));
  return t.to(get_default_device());
}

void expect_same(const TensorDict& got, const TensorDict& expected) {
  EXPECT_EQ(got.size(), expected.size());
  for (const auto& item : expected) {
    const Tensor* t = got.find(item.key());
    ASSERT_NE(t, nullptr) << item.key();
    EXPECT_EQ(t->dtype(), item.value().dtype()) << item.key();
    EXPECT_EQ(t->sizes().vec(), item.value().sizes().vec()) << item.key();
    EXPECT_EQ(bytes_of(*t), bytes_of(item.value())) << item.key();
  }
}

TensorDict every_type() {
  TensorDict all;
  for (const DType dtype : kAll) {
    all.insert(str("matrix.", dtype), random_bits({3, 5}, dtype));
    all.insert(str("number.", dtype), random_bits({}, dtype));
    all.insert(str("nothing.", dtype), random_bits({2, 0, 3}, dtype));
  }
  return all;
}

json header_of(const std::string& bytes, size_t* length = nullptr) {
  uint64_t n = 0;
  std::memcpy(&n, bytes.data(), 8);
  if (length) *length = n;
  return json::parse(bytes.substr(8, n));
}

// --- round trips

TEST(Safetensors, keeps_every_bit_of_every_type) {
  const ScratchFolder folder;
  const TensorDict all = every_type();
  save_safetensors(all, folder / "f");
  expect_same(load_safetensors(folder / "f"), all);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"f"});
}

TEST(Safetensors, keeps_what_is_not_contiguous) {
  const ScratchFolder folder;
  const Tensor x = arange(24).view({2, 3, 4});
  const TensorDict all{{"transposed", x.transpose(0, 2)},
                       {"sliced", x.slice(2, 1, 4, 2)},
                       {"expanded", arange(3).expand({2, 3})},
                       {"graph", ones({2}).requires_grad_() * 3}};
  save_safetensors(all, folder / "f");
  expect_same(load_safetensors(folder / "f"), all);
  EXPECT_FALSE(load_safetensors(folder / "f")["graph"].requires_grad());
}

TEST(Safetensors, keeps_nothing_at_all) {
  const ScratchFolder folder;
  save_safetensors(TensorDict(), folder / "f");
  EXPECT_TRUE(load_safetensors(folder / "f").is_empty());
}

TEST(Safetensors, keeps_special_numbers_and_odd_names) {
  const ScratchFolder folder;
  const double inf = std::numeric_limits<double>::infinity();
  const TensorDict all{{"", tensor({inf, -inf, -0.0, 5e-324})},
                       {"naïve 层.0\n\"\\/", tensor({1, 2})},
                       {std::string(4096, 'n'), tensor({3})}};
  save_safetensors(all, folder / "f");
  expect_same(load_safetensors(folder / "f"), all);
}

TEST(Safetensors, keeps_metadata) {
  const ScratchFolder folder;
  const io::Metadata metadata{{"epoch", "3"}, {"", "empty key"}, {"text", "ä\n\"quoted\""}};
  save_safetensors({{"w", ones({2})}}, folder / "f", metadata);
  io::Metadata got;
  load_safetensors(folder / "f", kCPU, &got);
  EXPECT_EQ(got["wick_format"], "1");
  got.erase("wick_format");
  EXPECT_EQ(got, metadata);
}

// --- the file itself

TEST(SafetensorsFile, is_aligned_whatever_the_sizes) {
  const ScratchFolder folder;
  TensorDict all = every_type();
  all.insert(std::string("odd"), ones({7}, kUInt8));
  for (int extra = 0; extra < 8; ++extra) {
    all.insert(std::string(static_cast<size_t>(extra) + 100, 'x'), ones({3}, kInt16));
    save_safetensors(all, folder / "f");
    size_t length;
    const json header = header_of(read_file(folder / "f"), &length);
    EXPECT_EQ(length % 8, 0u);
    for (const auto& item : all) {
      const uint64_t begin = header[item.key()]["data_offsets"][0];
      EXPECT_EQ(begin % static_cast<uint64_t>(item.value().element_size()), 0u) << item.key();
    }
  }
}

TEST(SafetensorsFile, is_the_same_whatever_the_order_of_insertion) {
  const ScratchFolder folder;
  const Tensor a = rand({3}), b = rand({5}), c = ones({2}, kFloat64);
  save_safetensors({{"a", a}, {"b", b}, {"c", c}}, folder / "f");
  save_safetensors({{"c", c}, {"b", b}, {"a", a}}, folder / "g");
  EXPECT_EQ(read_file(folder / "f"), read_file(folder / "g"));
  EXPECT_EQ(load_safetensors(folder / "f").keys(), (std::vector<std::string>{"c", "a", "b"}));
}

TEST(SafetensorsFile, has_the_documented_bytes) {
  const ScratchFolder folder;
  save_safetensors({{"w", tensor({1, 2}, kInt16)}}, folder / "f");
  std::string header = R"({"__metadata__":{"wick_format":"1"},)"
                       R"("w":{"data_offsets":[0,4],"dtype":"I16","shape":[2]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read_file(folder / "f"), safetensors_bytes(header, std::string("\1\0\2\0", 4)));
}

// --- files of others

TensorDict load_bytes(const std::string& bytes) {
  const ScratchFolder folder;
  write_file(folder / "f", bytes);
  return load_safetensors(folder / "f");
}

TEST(SafetensorsForeign, header_in_any_order_with_white_space_and_unknown_keys) {
  const TensorDict got = load_bytes(safetensors_bytes(
      " \n\t{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6],\"color\":[{\"x\":1}]},\n"
      "\"__metadata__\":null,\"b\":{\"shape\":[],\"data_offsets\":[0,4],\"dtype\":\"I32\"},"
      "\"c\":{\"dtype\":\"F64\",\"shape\":[0,9],\"data_offsets\":[4,4]}}\r\n   ",
      std::string("\7\0\0\0\1\2", 6)));
  EXPECT_EQ(got.keys(), (std::vector<std::string>{"b", "c", "a"}));
  EXPECT_EQ(got["b"].item<int>(), 7);
  EXPECT_EQ(got["a"].to_vector<int>(), (std::vector<int>{1, 2}));
  EXPECT_EQ(got["c"].sizes().vec(), (std::vector<int64_t>{0, 9}));
}

TEST(SafetensorsForeign, data_that_is_not_aligned) {
  const float values[2] = {1.5f, -2};
  std::string data(1 + sizeof(values), '\7');
  std::memcpy(data.data() + 1, values, sizeof(values));
  const TensorDict got =
      load_bytes(safetensors_bytes(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                   R"("b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
                                   data));
  EXPECT_EQ(got["b"].to_vector<float>(), (std::vector<float>{1.5f, -2}));
}

TEST(SafetensorsForeign, bools_that_are_neither_0_nor_1) {
  const TensorDict got = load_bytes(safetensors_bytes(
      R"({"m":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}})", std::string("\0\1\2\xff", 4)));
  EXPECT_EQ(bytes_of(got["m"]), std::string("\0\1\1\1", 4));
}

TEST(SafetensorsForeign, unknown_wick_versions_are_named_and_a_refused_file_leaves_nothing) {
  const int64_t bytes = live_bytes();
  const std::string good = R"("a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]})";
  EXPECT_THROW(load_bytes(safetensors_bytes("{" + good + "}", std::string(4001, 'x'))),
               FormatError);
  EXPECT_THROW(load_bytes(safetensors_bytes("{" + good + "}", std::string(3999, 'x'))),
               FormatError);
  EXPECT_EQ(live_bytes(), bytes);
}

// Every file that is one byte shorter, or has one byte changed in the header, is refused or means
// something definite; nothing else happens.
TEST(SafetensorsForeign, damaged_files_end_in_an_error_or_in_tensors) {
  const ScratchFolder folder;
  save_safetensors({{"w", arange(3)}, {"v", ones({2}, kUInt8)}}, folder / "f");
  const std::string good = read_file(folder / "f");
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_THROW(load_bytes(good.substr(0, length)), FormatError) << length;
  size_t header_length;
  header_of(good, &header_length);
  int refused = 0;
  for (size_t i = 0; i < 8 + header_length; ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x11);
    try {
      load_bytes(bad);
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

// --- safety

TEST(SafetensorsSafety, killed_while_saving_leaves_the_old_or_the_new_file) {
  const ScratchFolder folder;
  const std::string path = folder / "f";
  TensorDict tensors{{"w", full({50000}, 0.f, kCPU)}};  // a GPU is of no use after a fork
  save_safetensors(tensors, path);
  for (int trial = 0; trial < 8; ++trial) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto* w = tensors["w"].data_ptr<float>();
      for (;;) {
        for (int i = 0; i < 50000; ++i) w[i] += 1;
        save_safetensors(tensors, path);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(700 + 1900 * trial));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Tensor w = load_safetensors(path)["w"];
    EXPECT_TRUE(w.equal(w[0].expand({50000}))) << "two versions mixed";
  }
  save_safetensors(tensors, path);
  EXPECT_EQ(load_safetensors(path)["w"][0].item<float>(), 0);
}

TEST(SafetensorsSafety, a_refused_save_leaves_the_old_file) {
  const ScratchFolder folder;
  save_safetensors({{"w", ones({2})}}, folder / "f");
  EXPECT_THROW(save_safetensors({{"w", Tensor()}}, folder / "f"), ValueError);
  EXPECT_THROW(save_safetensors({{"\xff", ones({2})}}, folder / "f"), ValueError);
  EXPECT_EQ(load_safetensors(folder / "f").size(), 1u);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"f"});
}

TEST(SafetensorsThreads, save_and_load_one_file_at_once) {
  const ScratchFolder folder;
  const std::string path = folder / "f";
  save_safetensors({{"w", full({1000}, 0.f)}}, path);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) save_safetensors({{"w", full({1000}, float(t))}}, path);
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        const Tensor w = load_safetensors(path)["w"];
        EXPECT_TRUE(w.equal(w[0].expand({1000})));
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(folder.names(), std::vector<std::string>{"f"});
}

// --- Python's safetensors

// The interpreter named by WICK_TEST_PYTHON, or python3.
std::string python() {
  const char* given = std::getenv("WICK_TEST_PYTHON");
  return given ? given : "python3";
}

bool run_python(const std::string& program) {
  const ScratchFolder folder;
  write_file(folder / "program.py", program);
  return std::system((python() + " " + (folder / "program.py")).c_str()) == 0;
}

class SafetensorsPython : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system((python() + " -c 'import safetensors, numpy' 2>/dev/null").c_str()) != 0)
      GTEST_SKIP() << "NOT TESTED: " << python()
                   << " lacks safetensors or numpy; name an interpreter "
                   << "that has both in WICK_TEST_PYTHON";
  }
};

TEST_F(SafetensorsPython, reads_what_wick_writes) {
  const ScratchFolder folder;
  TensorDict all = every_type();
  save_safetensors(all, folder / "f", {{"epoch", "3"}});
  json expected;
  for (const auto& item : all) {
    std::string hex;
    char digits[3];
    for (const char c : bytes_of(item.value())) {
      std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(static_cast<uint8_t>(c)));
      hex += digits;
    }
    expected[item.key()] = {{"shape", item.value().sizes().vec()}, {"data", hex}};
  }
  write_file(folder / "expected.json", expected.dump());
  EXPECT_TRUE(
      run_python("import json, safetensors\n"
                 "folder = '" +
                 folder.path() +
                 "'\n"
                 "got = dict(safetensors.deserialize(open(folder + '/f', 'rb').read()))\n"
                 "want = json.load(open(folder + '/expected.json'))\n"
                 "assert got.keys() == want.keys(), got.keys()\n"
                 "types = dict(bool='BOOL', uint8='U8', int8='I8', int16='I16', int32='I32',\n"
                 "  int64='I64', float16='F16', bfloat16='BF16', float32='F32', float64='F64')\n"
                 "for name in want:\n"
                 "  assert list(got[name]['shape']) == want[name]['shape'], name\n"
                 "  assert bytes(got[name]['data']).hex() == want[name]['data'], name\n"
                 "  assert got[name]['dtype'] == types[name.split('.')[1]], name\n"));
}

TEST_F(SafetensorsPython, writes_what_wick_reads) {
  const ScratchFolder folder;
  ASSERT_TRUE(
      run_python("import numpy as np, safetensors.numpy\n"
                 "safetensors.numpy.save_file({\n"
                 "  'f': np.array([[1, 2], [3, 4]], dtype='float32'),\n"
                 "  'i': np.array([-5], dtype='int64'),\n"
                 "  'h': np.array(0.5, dtype='float16'),\n"
                 "  'e': np.zeros([0], dtype='uint8'),\n"
                 "}, '" +
                 (folder / "f") + "', {'by': 'python'})\n"));
  io::Metadata metadata;
  const TensorDict got = load_safetensors(folder / "f", kCPU, &metadata);
  EXPECT_EQ(got["f"].to_vector<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(got["f"].sizes().vec(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(got["i"].item<int64_t>(), -5);
  EXPECT_EQ(got["h"].item<float>(), 0.5f);
  EXPECT_EQ(got["e"].numel(), 0);
  EXPECT_EQ(metadata["by"], "python");
}

}  // namespace
