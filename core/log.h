#pragma once

#include <string>

// wick's own log, to the standard error. Nothing is printed by default but warnings; the
// environment variable WICK_LOG (off, error, warn, info, debug) changes that. Never on a hot path.
// Internal.
namespace wick::detail {

void log_warning(const std::string& message);
/// What one wants to know once about a run: instruction set, threads, devices.
void log_info(const std::string& message);

}  // namespace wick::detail
