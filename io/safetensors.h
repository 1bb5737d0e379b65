#pragma once

#include <wick/core/ordered_dict.h>
#include <wick/core/tensor.h>
#include <map>
#include <string>

namespace wick::io {

using TensorDict = OrderedDict<std::string, Tensor>;
using Metadata = std::map<std::string, std::string>;

/// Writes named tensors as a safetensors file (https://github.com/huggingface/safetensors), which
/// Python's `safetensors` reads. The file appears under its name only when it is complete and on
/// disk: a failed or killed save leaves an older file as it was. Throws ValueError for an undefined
/// tensor or a name that is not UTF-8, IoError when the file could not be written.
WICK_API void save_safetensors(const TensorDict& tensors, const std::string& path,
                               const Metadata& metadata = {});

/// Reads a safetensors file to the device. Everything that the header says is checked before a
/// tensor is made, no byte of it is executed, and memory is bounded by the size of the file. Throws
/// IoError when the file cannot be read and FormatError, which says what is wrong, when it is not a
/// valid file. The tensors come in the order of their data. `metadata` may be null.
WICK_API TensorDict load_safetensors(const std::string& path, Device device = kCPU,
                                     Metadata* metadata = nullptr);

}  // namespace wick::io
