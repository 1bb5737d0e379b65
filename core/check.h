#pragma once

#include <wick/core/export.h>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

// Errors: every user mistake is one line that says the op, what was expected, what came and the
// way out ("linear: expected x of shape [..., 5], got [2, 4]").
namespace wick {

/// Base of every exception that wick throws. `what()` is one line.
class WICK_API Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  ~Error() override;
  const char* what() const noexcept override { return message_.c_str(); }
  /// The message alone. wick adds no backtrace to `what()`, so both give the same text.
  const char* what_without_backtrace() const noexcept { return message_.c_str(); }

 private:
  std::string message_;
};

#define WICK_DECLARE_ERROR(Name, Base)  \
  class WICK_API Name : public Base {   \
   public:                              \
    explicit Name(std::string message); \
    ~Name() override;                   \
  }

WICK_DECLARE_ERROR(ShapeError, Error);           ///< sizes, strides or number of dimensions
WICK_DECLARE_ERROR(DTypeError, Error);           ///< element types
WICK_DECLARE_ERROR(DeviceError, Error);          ///< devices: absent, or mixed in one op
WICK_DECLARE_ERROR(IndexError, Error);           ///< an index, label or dimension out of range
WICK_DECLARE_ERROR(ValueError, Error);           ///< any other argument
WICK_DECLARE_ERROR(AutogradError, Error);        ///< misuse of the gradient machinery
WICK_DECLARE_ERROR(NotImplementedError, Error);  ///< a combination that wick does not have
WICK_DECLARE_ERROR(FormatError, Error);          ///< a file that is not what it should be
WICK_DECLARE_ERROR(IoError, Error);              ///< the operating system refused
WICK_DECLARE_ERROR(OutOfMemoryError, Error);     ///< no memory even after emptying the caches
WICK_DECLARE_ERROR(DeviceLost, Error);           ///< the device reported a sticky fault
WICK_DECLARE_ERROR(InternalError, Error);        ///< a bug in wick
#undef WICK_DECLARE_ERROR

namespace detail {

inline void append(std::string& out, std::string_view text) { out.append(text); }
inline void append(std::string& out, const char* text) { out.append(text ? text : "(null)"); }
inline void append(std::string& out, const std::string& text) { out.append(text); }
inline void append(std::string& out, char c) { out.push_back(c); }
inline void append(std::string& out, bool v) { out.append(v ? "true" : "false"); }
WICK_API void append(std::string& out, double value);  // shortest text that reads back the same
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool> &&
         !std::is_same_v<T, char>) void append(std::string& out, T value) {
  out.append(std::to_string(value));
}
inline void append(std::string& out, float value) { append(out, static_cast<double>(value)); }
// Types of wick have `std::string to_string(T)` in their own namespace.
template <class T>
requires requires(const T& v) { std::string(to_string(v)); }
void append(std::string& out, const T& value) { out.append(to_string(value)); }

}  // namespace detail

/// Concatenates the texts of all arguments.
template <class... Args>
std::string str(const Args&... args) {
  std::string out;
  (detail::append(out, args), ...);
  return out;
}

namespace detail {
/// The return addresses of the calling functions, innermost first, as "program+0x1a2b < ...": for
/// `addr2line -Cfe program 0x1a2b`.
WICK_API std::string call_sites();
template <class E, class... Args>
[[noreturn, gnu::noinline, gnu::cold]] void fail(const Args&... args) {
  throw E(str(args...));
}
}  // namespace detail

}  // namespace wick

/// WICK_CHECK(ShapeError, x.dim() == 2, "linear: expected ..., got ", x.sizes());
#define WICK_CHECK(Type, condition, ...)               \
  do {                                                 \
    if (!(condition)) [[unlikely]]                     \
      ::wick::detail::fail<::wick::Type>(__VA_ARGS__); \
  } while (false)

/// Throws an error of the given type; for the end of a function that has no other way out.
#define WICK_FAIL(Type, ...) ::wick::detail::fail<::wick::Type>(__VA_ARGS__)
