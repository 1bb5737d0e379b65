// The sample as a user runs it, on a small data set made here: results repeat and resume bit for
// bit.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <tests/support/files.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::string kProgram = wick::test::program_folder() + "/image_classifier";

struct Outcome {
  int status = -1;
  std::string text;
  std::string last_line() const {
    const size_t end = text.find_last_not_of('\n');
    if (end == std::string::npos) return "";
    const size_t begin = text.rfind('\n', end);
    return text.substr(begin + 1, end - begin);
  }
};

Outcome run(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = popen((kProgram + " " + arguments + " 2>&1").c_str(), "r");
  if (!pipe) return outcome;
  char buffer[4096];
  while (const size_t got = fread(buffer, 1, sizeof buffer, pipe)) outcome.text.append(buffer, got);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  return outcome;
}

void write_idx(const fs::path& path, const std::vector<uint32_t>& sizes,
               const std::vector<unsigned char>& data) {
  std::ofstream out(path, std::ios::binary);
  const char magic[4] = {0, 0, 8, static_cast<char>(sizes.size())};
  out.write(magic, 4);
  for (const uint32_t s : sizes) {
    const char bytes[4] = {static_cast<char>(s >> 24), static_cast<char>(s >> 16),
                           static_cast<char>(s >> 8), static_cast<char>(s)};
    out.write(bytes, 4);
  }
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
}

// Ten classes of 8 x 8 images: a bright bar whose place is the class, and noise.
void write_set(const fs::path& folder, const std::string& stem, uint32_t count, uint32_t seed) {
  std::vector<unsigned char> images;
  std::vector<unsigned char> labels;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t label = i % 10;
    labels.push_back(static_cast<unsigned char>(label));
    for (uint32_t p = 0; p < 64; ++p) {
      seed = seed * 1664525u + 1013904223u;
      const bool bright = label < 8 ? p % 8 == label : p / 8 == label - 7;
      images.push_back(static_cast<unsigned char>((bright ? 160 : 0) + (seed >> 24) % 90));
    }
  }
  write_idx(folder / (stem + "-images-idx3-ubyte"), {count, 8, 8}, images);
  write_idx(folder / (stem + "-labels-idx1-ubyte"), {count}, labels);
}

std::vector<char> bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The device of the tests, which the sample takes as an option.
std::string on_test_device() {
  const char* device = std::getenv("WICK_TEST_DEVICE");
  return device && *device ? std::string("--device ") + device + " " : "";
}

class ImageClassifier : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kProgram)) GTEST_SKIP() << "the samples were not built";
    std::string pattern = (fs::temp_directory_path() / "wick-sample-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write_set(folder_, "train", 300, 1);
    write_set(folder_, "t10k", 100, 2);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  Outcome train(const std::string& checkpoint, const std::string& more) {
    return run("--data " + folder_.string() + " --checkpoint " + (folder_ / checkpoint).string() +
               " --batch-size 32 " + on_test_device() + more);
  }
  fs::path folder_;
};

TEST_F(ImageClassifier, LearnsAndSaysSoInItsLastLine) {
  const Outcome o = train("a", "--epochs 4");
  ASSERT_EQ(o.status, 0) << o.text;
  double accuracy = 0;
  ASSERT_EQ(std::sscanf(o.last_line().c_str(), "test accuracy %lf%%", &accuracy), 1) << o.text;
  EXPECT_GT(accuracy, 90);
  // The last epoch's model and the one loaded from the file are the same.
  const size_t epoch = o.text.find("epoch 4/4");
  ASSERT_NE(epoch, std::string::npos) << o.text;
  EXPECT_NE(o.text.find(o.last_line(), epoch), o.text.rfind(o.last_line())) << o.text;
}

TEST_F(ImageClassifier, SameSeedSameBytes) {
  ASSERT_EQ(train("a", "--epochs 2 --seed 7").status, 0);
  ASSERT_EQ(train("b", "--epochs 2 --seed 7").status, 0);
  ASSERT_EQ(train("c", "--epochs 2 --seed 8").status, 0);
  ASSERT_GT(bytes_of(folder_ / "a").size(), 1000u);
  EXPECT_EQ(bytes_of(folder_ / "a"), bytes_of(folder_ / "b"));
  EXPECT_NE(bytes_of(folder_ / "a"), bytes_of(folder_ / "c"));
}

TEST_F(ImageClassifier, FourEpochsAreTwoAndResumeAndTwo) {
  ASSERT_EQ(train("four", "--epochs 4").status, 0);
  ASSERT_EQ(train("two", "--epochs 2 --schedule-epochs 4").status, 0);
  const Outcome o = train("resumed", "--epochs 4 --resume " + (folder_ / "two").string());
  ASSERT_EQ(o.status, 0) << o.text;
  EXPECT_EQ(o.text.find("epoch 1/4"), std::string::npos) << o.text;
  EXPECT_NE(bytes_of(folder_ / "two"), bytes_of(folder_ / "four"));
  EXPECT_EQ(bytes_of(folder_ / "resumed"), bytes_of(folder_ / "four"));
}

TEST_F(ImageClassifier, MistakesAreOneLine) {
  for (const std::string& arguments :
       {std::string("--data /nonexistent"), "--data " + folder_.string() + " --device cuda:99",
        "--data " + folder_.string() + " --resume " + (folder_ / "none").string(),
        "--data " + folder_.string() + " --lr -1"}) {
    const Outcome o = run(arguments + " --epochs 1 --checkpoint " + (folder_ / "x").string());
    EXPECT_EQ(o.status, 1) << o.text;
    EXPECT_NE(o.text.find("image_classifier: "), std::string::npos) << o.text;
    EXPECT_EQ(o.last_line().rfind("image_classifier: ", 0), 0u) << o.text;
  }
}

}  // namespace
