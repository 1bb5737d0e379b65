#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tests/simt/internal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <unordered_set>
#include <vector>

// Names for code. dladdr() knows exported symbols only, and kernels are mostly in anonymous
// namespaces, so the symbol tables are read from the files.
namespace simt {
namespace {

struct Function {
  uintptr_t begin, end;
  std::string name;  // mangled
};

/// The program or a shared library.
struct Image {
  std::string path;
  uintptr_t base = 0;  // added to the addresses in the file
  std::vector<Function> functions;
  bool read = false;
};

/// A file that is mapped for the life of this.
class File {
 public:
  explicit File(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat s {};
    if (fd >= 0 && fstat(fd, &s) == 0 && s.st_size > 0) {
      size_ = static_cast<size_t>(s.st_size);
      void* const p = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      data_ = p == MAP_FAILED ? nullptr : static_cast<const char*>(p);
    }
    if (fd >= 0) close(fd);
  }
  ~File() {
    if (data_) munmap(const_cast<char*>(data_), size_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  /// `count` objects at an offset; null if the file does not have them.
  template <class T>
  const T* at(uint64_t offset, uint64_t count = 1) const {
    if (!data_ || offset > size_ || count > (size_ - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }

 private:
  const char* data_ = nullptr;
  size_t size_ = 0;
};

void read_functions(Image& image) {
  image.read = true;
  const File file(image.path);
  const auto* const header = file.at<ElfW(Ehdr)>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto* const sections = file.at<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
  if (!sections) return;
  for (int i = 0; i < header->e_shnum; ++i) {
    const auto& section = sections[i];
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) continue;
    const uint64_t count = section.sh_size / sizeof(ElfW(Sym));
    const auto* const symbols = file.at<ElfW(Sym)>(section.sh_offset, count);
    if (!symbols || section.sh_link >= header->e_shnum) continue;
    const auto& strings = sections[section.sh_link];
    const char* const names = file.at<char>(strings.sh_offset, strings.sh_size);
    for (uint64_t k = 0; names && k < count; ++k) {
      const auto& s = symbols[k];
      if ((s.st_info & 0xf) != STT_FUNC || s.st_value == 0 || s.st_name >= strings.sh_size)
        continue;
      const uintptr_t begin = image.base + s.st_value;
      image.functions.push_back({begin, begin + s.st_size, names + s.st_name});
    }
  }
  std::sort(image.functions.begin(), image.functions.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
}

struct Search {
  uintptr_t code;
  Image* found;
};

/// Called for each image of the process; 1 ends it.
int look_for_image(dl_phdr_info* info, size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD ||
        search.code - (info->dlpi_addr + segment.p_vaddr) >= segment.p_memsz)
      continue;
    search.found->path = *info->dlpi_name ? info->dlpi_name : "/proc/self/exe";
    search.found->base = info->dlpi_addr;
    return 1;
  }
  return 0;
}

std::mutex& mutex() {
  static std::mutex* const m = new std::mutex;
  return *m;
}

/// The image with this code, or null. Needs the mutex.
Image* image_of(const void* code) {
  static auto* const images = new std::vector<std::unique_ptr<Image>>;
  Image found;
  Search search{reinterpret_cast<uintptr_t>(code), &found};
  if (dl_iterate_phdr(look_for_image, &search) == 0) return nullptr;
  for (const auto& i : *images)
    if (i->path == found.path && i->base == found.base) return i.get();
  images->push_back(std::make_unique<Image>(std::move(found)));
  return images->back().get();
}

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 && text ? text.get() : name;
}

/// "void wick::(anonymous namespace)::fill_kernel<float>(float*, long)" -> "fill_kernel".
std::string bare_name(std::string_view name) {
  int depth = 0;
  size_t first = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    constexpr std::string_view kAnonymous = "(anonymous namespace)";
    const char c = name[i];
    if (depth == 0 && name.substr(i).starts_with(kAnonymous)) {
      i += kAnonymous.size() - 1;
    } else if (depth == 0 && (c == ' ' || c == ':')) {
      first = i + 1;
    } else if (c == '(' && depth == 0) {
      name = name.substr(0, i);
    } else if (c == '<' || c == '(') {
      ++depth;
    } else if (c == '>' || c == ')') {
      --depth;
    }
  }
  name = name.substr(first);
  return std::string(name.substr(0, name.find('<')));
}

/// The kernels that have run, of which the log is made.
struct Executed {
  std::unordered_set<const void*> kernels;
  const void* last = nullptr;
};
Executed& executed() {
  static Executed* const e = new Executed;
  return *e;
}

void write_log() {
  std::set<std::string> names;
  for (const void* k : executed().kernels) names.insert(bare_name(function_name(k)));
  std::string all;
  for (const std::string& n : names) all += n + "\n";
  const int fd =
      open(std::getenv("WICK_SIMT_KERNEL_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  // One write, so that programs that end at the same time do not mix.
  if (fd < 0 || write(fd, all.data(), all.size()) != static_cast<ssize_t>(all.size()))
    std::perror("simt: WICK_SIMT_KERNEL_LOG");
  if (fd >= 0) close(fd);
}

}  // namespace

std::string function_name(const void* code) {
  const std::lock_guard lock(mutex());
  Image* const image = image_of(code);
  if (!image) return "?";
  if (!image->read) read_functions(*image);
  const auto address = reinterpret_cast<uintptr_t>(code);
  const auto& all = image->functions;
  auto f = std::upper_bound(all.begin(), all.end(), address,
                            [](uintptr_t a, const Function& b) { return a < b.begin; });
  while (f != all.begin()) {
    --f;
    if (address < f->end || address == f->begin) return demangled(f->name);
    if (address - f->begin > (1 << 20)) break;
  }
  return "?";
}

std::string source_line(const void* code) {
  std::string path;
  uintptr_t offset = 0;
  {
    const std::lock_guard lock(mutex());
    Image* const image = image_of(code);
    if (!image) return "?";
    path = image->path == "/proc/self/exe" ? "/proc/" + std::to_string(getpid()) + "/exe"
                                           : image->path;
    offset = reinterpret_cast<uintptr_t>(code) - image->base;
  }
  char command[512];
  std::snprintf(command, sizeof command, "addr2line -i -s -e '%s' 0x%zx 2>/dev/null", path.c_str(),
                static_cast<size_t>(offset));
  // One line for each function that was inlined, from the inside out. The emulation's own are not
  // where the mistake is.
  std::string found = "?";
  if (FILE* const pipe = popen(command, "r")) {
    char line[512];
    while (std::fgets(line, sizeof line, pipe)) {
      std::string_view here(line, std::strcspn(line, " \n"));
      if (found == "?" && here[0] != '?' && !here.starts_with("simt.h:")) found = here;
    }
    pclose(pipe);
  }
  return found;
}

void note_executed(const void* kernel) {
  static const bool wanted = [] {
    const char* const path = std::getenv("WICK_SIMT_KERNEL_LOG");
    return path && *path && std::atexit(write_log) == 0;
  }();
  if (!wanted) return;
  const std::lock_guard lock(mutex());
  if (executed().last == kernel) return;
  executed().last = kernel;
  executed().kernels.insert(kernel);
}

}  // namespace simt
