#pragma once

#include <wick/nn/module.h>
#include <wick/optim/optimizer.h>
#include <cstdint>
#include <map>
#include <string>

namespace wick::io {

/// What else a training run needs to go on: epoch, position in the data, ...
using Counters = std::map<std::string, int64_t>;

/// Writes the model's state, the optimizer's (unless null), the random generator's and `counters`
/// into one safetensors file, atomically. A run resumed from it continues bit for bit.
WICK_API void save_checkpoint(const std::string& path, const nn::Module& model,
                              const optim::Optimizer* optimizer = nullptr,
                              const Counters& counters = {});

/// Restores all that was saved and returns the counters. Without an optimizer only the model is
/// restored, and the random generator is left alone. Nothing changes unless everything fits.
WICK_API Counters load_checkpoint(const std::string& path, nn::Module& model,
                                  optim::Optimizer* optimizer = nullptr);

}  // namespace wick::io
