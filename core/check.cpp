#include <wick/core/check.h>

#include <charconv>

namespace wick {

// Out of line, so that each type has one home for its type information and can be caught across
// the edge of a shared library.
Error::~Error() = default;

#define WICK_DEFINE_ERROR(Name)                                  \
  Name::Name(std::string message) : Error(std::move(message)) {} \
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

}  // namespace detail
}  // namespace wick
