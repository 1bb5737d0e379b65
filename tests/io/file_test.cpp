#include <wick/io/file.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tests/support/expect.h>
#include <tests/support/files.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace {

using namespace wick;
using io::detail::AtomicFile;
using io::detail::InputFile;
using test::read_file;
using test::ScratchFolder;
using test::write_file;

using Names = std::vector<std::string>;

void write_atomically(const std::string& path, const std::string& bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

// Runs `work` in a child process and returns how it ended.
template <class Work>
int in_child(const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

// --- reading

TEST(InputFile, reads_in_pieces) {
  const ScratchFolder folder;
  write_file(folder / "f", "hello world");
  InputFile file(folder / "f");
  EXPECT_EQ(file.size(), 11u);
  char text[12] = {};
  file.read(text, 0);
  file.read(text, 5);
  EXPECT_STREQ(text, "hello");
  file.read(text, 6);
  EXPECT_STREQ(text, " world");
}

TEST(InputFile, says_when_the_file_became_shorter) {
  const ScratchFolder folder;
  write_file(folder / "f", "hello");
  InputFile file(folder / "f");
  ::truncate((folder / "f").c_str(), 2);
  char text[5];
  EXPECT_ERROR(
      IoError,
      "cannot read '" + (folder / "f") + "': it ended 3 bytes early; was it changed meanwhile?",
      file.read(text, 5));
}

TEST(InputFile, refuses_what_is_no_regular_file) {
  const ScratchFolder folder;
  EXPECT_ERROR(IoError, "cannot open '" + (folder / "f") + "': No such file or directory",
               InputFile(folder / "f"));
  EXPECT_ERROR(IoError, "cannot read '" + folder.path() + "': it is not a regular file",
               InputFile(folder.path()));
  ::mkfifo((folder / "pipe").c_str(), 0600);
  EXPECT_ERROR(IoError, "cannot read '" + (folder / "pipe") + "': it is not a regular file",
               InputFile(folder / "pipe"));
}

// --- writing

TEST(AtomicFile, appears_at_commit) {
  const ScratchFolder folder;
  const std::string path = folder / "f";
  {
    AtomicFile file(path);
    file.write("abc", 3);
    file.write("", 0);
    file.write("def", 3);
    EXPECT_FALSE(std::filesystem::exists(path));
    file.commit();
    EXPECT_EQ(read_file(path), "abcdef");
  }
  EXPECT_EQ(folder.names(), Names{"f"});
}

TEST(AtomicFile, without_commit_leaves_no_trace) {
  const ScratchFolder folder;
  write_file(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("new", 3);
  }
  EXPECT_EQ(read_file(folder / "f"), "old");
  EXPECT_EQ(folder.names(), Names{"f"});
}

TEST(AtomicFile, replaces_a_file_whatever_its_length) {
  const ScratchFolder folder;
  for (const size_t length : {100, 0, 1, 100000, 7}) {
    write_atomically(folder / "f", std::string(length, 'x'));
    EXPECT_EQ(read_file(folder / "f").size(), length);
  }
}

TEST(AtomicFile, keeps_a_links_target_and_a_files_permissions) {
  const ScratchFolder folder;
  write_file(folder / "target", "old");
  ::chmod((folder / "target").c_str(), 0600);
  std::filesystem::create_symlink("target", folder / "link");
  write_atomically(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "target"), "new");
  struct stat info {};
  ::stat((folder / "target").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(AtomicFile, works_in_the_current_folder) {
  const ScratchFolder folder;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("plain", "x");
  std::filesystem::current_path(before);
  EXPECT_EQ(folder.names(), Names{"plain"});
}

TEST(AtomicFile, two_at_once_do_not_meet) {
  const ScratchFolder folder;
  AtomicFile a(folder / "f"), b(folder / "f");
  a.write("a", 1);
  b.write("b", 1);
  b.commit();
  EXPECT_EQ(read_file(folder / "f"), "b");
  a.commit();
  EXPECT_EQ(read_file(folder / "f"), "a");
}

// In a container every run may have the same process number.
TEST(AtomicFile, is_not_stopped_by_what_a_killed_process_of_the_same_number_left) {
  const ScratchFolder folder;
  for (int i = 0; i < 300; ++i)
    write_file(str(folder / "f", ".tmp.", static_cast<int64_t>(::getpid()), ".", i), "junk");
  write_atomically(folder / "f", "new");
  EXPECT_EQ(read_file(folder / "f"), "new");
}

// --- a disk that is full, a process that dies

void limit_file_size(rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY}, none{0, 0};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::setrlimit(RLIMIT_CORE, &none);
}

TEST(AtomicFileFailure, a_write_error_throws_and_leaves_the_old_file) {
  const ScratchFolder folder;
  write_file(folder / "f", "old");
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    limit_file_size(4096);
    try {
      write_atomically(folder / "f", std::string(100000, 'x'));
    } catch (const IoError& error) {
      const std::string text = error.what();
      const bool good =
          text == "cannot write '" + (folder / "f") + "': writing failed: File too large";
      ::_exit(good ? 42 : 1);
    }
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
  EXPECT_EQ(read_file(folder / "f"), "old");
  EXPECT_EQ(folder.names(), Names{"f"});
}

TEST(AtomicFileFailure, dying_in_the_middle_of_a_write_leaves_the_old_file) {
  const ScratchFolder folder;
  write_file(folder / "f", "old");
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_DFL);
    limit_file_size(50000);
    write_atomically(folder / "f", std::string(100000, 'x'));
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
  EXPECT_EQ(read_file(folder / "f"), "old");
  write_atomically(folder / "f", "next");
  EXPECT_EQ(read_file(folder / "f"), "next");
}

TEST(AtomicFileFailure, killed_at_any_time_leaves_one_whole_file) {
  const ScratchFolder folder;
  const std::string path = folder / "f";
  write_file(path, std::string(300000, 'a'));
  for (int trial = 0; trial < 12; ++trial) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (char c = 'a';; c = c == 'z' ? 'a' : static_cast<char>(c + 1))
        write_atomically(path, std::string(300000, c));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 1700 * trial));
    ::kill(child, SIGKILL);
    int status;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself";
    const std::string bytes = read_file(path);
    EXPECT_EQ(bytes.size(), 300000u);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), bytes[0]), 300000) << "two versions mixed";
  }
}

}  // namespace
