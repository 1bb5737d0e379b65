#pragma once

#include <wick/core/tensor.h>
#include <string>

namespace wick::data {

/// Reads an IDX file (the format of MNIST), plain or gzip-compressed: uint8, int8, int16, int32,
/// float32 or float64 elements of up to 8 dimensions. Header and length are checked before memory
/// is taken. Throws IoError when the file cannot be read and FormatError when it is not a whole IDX
/// file.
WICK_API Tensor read_idx(const std::string& path);

/// Images and their classes.
struct LabelledImages {
  Tensor images;  // uint8 [N, H, W]
  Tensor labels;  // int64 [N]
};

/// MNIST, Fashion-MNIST and their like from a folder with the four usual files
/// (train-images-idx3-ubyte, ..., or with .gz). Throws FormatError if images and labels do not
/// match or a label is not below `classes`, and IoError, which names the folder, if files are
/// missing.
WICK_API LabelledImages read_mnist(const std::string& folder, bool train, int64_t classes = 10);

}  // namespace wick::data
