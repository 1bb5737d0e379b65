#include <wick/core/device.h>

#include <wick/core/check.h>
#include <charconv>

namespace wick {

Device::Device(const std::string& text) : type_(kCPU), index_(-1) {
  std::string_view rest = text;
  bool valid = false;
  if (rest == "cpu" || rest == "cpu:0") {
    valid = true;
    if (rest.size() > 3) index_ = 0;
  } else if (rest.starts_with("cuda")) {
    type_ = kCUDA;
    rest.remove_prefix(4);
    valid = rest.empty();
    if (rest.size() > 1 && rest[0] == ':' && rest[1] != '-') {
      const auto end = std::from_chars(rest.data() + 1, rest.data() + rest.size(), index_);
      valid = end.ec == std::errc() && end.ptr == rest.data() + rest.size() &&
              (rest[1] != '0' || rest.size() == 2);
    }
  }
  WICK_CHECK(ValueError, valid,
             "Device: expected \"cpu\", \"cuda\" or \"cuda:N\" with N from 0 to ", "127, got \"",
             text, "\"");
}

int8_t Device::refuse_index(int index) {
  WICK_FAIL(ValueError,
            "Device: expected an index from 0 to 127, or -1 for the current device, got ", index);
}

std::string Device::str() const {
  // There is one CPU; its index says nothing.
  if (is_cpu()) return "cpu";
  return has_index() ? "cuda:" + std::to_string(index()) : "cuda";
}

}  // namespace wick
