#pragma once

#include <wick/core/export.h>
#include <cstdint>
#include <string>
#include <string_view>

namespace wick {

enum class DeviceType : int8_t { CPU = 0, CUDA = 1 };
inline constexpr DeviceType kCPU = DeviceType::CPU;
inline constexpr DeviceType kCUDA = DeviceType::CUDA;

/// A place where tensors live: `Device(kCPU)`, `Device(kCUDA, 1)`, `Device("cuda:1")`.
/// Index -1 means "the current one"; tensors always carry a definite index (0 for the CPU).
class WICK_API Device {
 public:
  Device(DeviceType type, int index = -1)  // NOLINT: as LibTorch, implicit
      : type_(type),
        index_(index >= -1 && index <= 127 ? static_cast<int8_t>(index) : refuse_index(index)) {}
  /// Throws ValueError unless the text is "cpu", "cuda" or "cuda:N".
  Device(const std::string& text);                                     // NOLINT
  Device(const char* text) : Device(std::string(text ? text : "")) {}  // NOLINT

  DeviceType type() const { return type_; }
  int index() const { return index_; }
  bool has_index() const { return index_ >= 0; }
  bool is_cpu() const { return type_ == kCPU; }
  bool is_cuda() const { return type_ == kCUDA; }
  bool operator==(const Device&) const = default;
  /// "cpu", "cuda:0"
  std::string str() const;

 private:
  [[noreturn]] static int8_t refuse_index(int index);

  DeviceType type_;
  int8_t index_;
};

inline std::string to_string(const Device& device) { return device.str(); }

namespace cuda {

/// What a CUDA device is; sizes in bytes.
struct DeviceProperties {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int64_t total_memory = 0;
  int multi_processor_count = 0;
  int max_threads_per_multi_processor = 0;
  int64_t shared_memory_per_block = 0;        // without asking for more
  int64_t shared_memory_per_block_optin = 0;  // at most
  int64_t L2_cache_size = 0;
};

}  // namespace cuda

}  // namespace wick
