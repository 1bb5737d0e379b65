#include <wick/core/check.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <algorithm>
#include <charconv>

namespace wick {

// Out of line, so that each type has one home for its type information and can be caught across
// the edge of a shared library.
Error::~Error() = default;

namespace {

// Names and paths in a message are the user's or a file's: a line break or an escape sequence in
// them must not reach a log or a terminal.
std::string one_line(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::none_of(text.begin(), text.end(), is_control)) return text;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      out += {'\\', 'x', kDigits[c >> 4], kDigits[c & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

#define WICK_DEFINE_ERROR(Name)                                            \
  Name::Name(std::string message) : Error(one_line(std::move(message))) {} \
  Name::~Name() = default;

WICK_DEFINE_ERROR(ShapeError)
WICK_DEFINE_ERROR(DTypeError)
WICK_DEFINE_ERROR(DeviceError)
WICK_DEFINE_ERROR(IndexError)
WICK_DEFINE_ERROR(ValueError)
WICK_DEFINE_ERROR(AutogradError)
WICK_DEFINE_ERROR(NotImplementedError)
WICK_DEFINE_ERROR(FormatError)
WICK_DEFINE_ERROR(IoError)
WICK_DEFINE_ERROR(OutOfMemoryError)
WICK_DEFINE_ERROR(DeviceLost)
WICK_DEFINE_ERROR(InternalError)
#undef WICK_DEFINE_ERROR

namespace detail {

void append(std::string& out, double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end.ptr);
}

std::string call_sites() {
  void* frames[24];
  const int n = ::backtrace(frames, 24);
  std::string out;
  for (int i = 2; i < n; ++i) {  // without this function and its caller
    Dl_info info;
    if (::dladdr(frames[i], &info) == 0 || !info.dli_fname) continue;
    const std::string_view path(info.dli_fname);
    const auto offset = static_cast<char*>(frames[i]) - static_cast<char*>(info.dli_fbase);
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, offset, 16);
    out += str(out.empty() ? "" : " < ", path.substr(path.rfind('/') + 1), "+0x",
               std::string_view(digits, static_cast<size_t>(end.ptr - digits)));
  }
  return out;
}

}  // namespace detail
}  // namespace wick
