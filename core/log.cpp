#include <wick/core/log.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace wick::detail {
namespace {

// Leaked: a destructor at exit may still have something to say. Not spdlog's registry, which
// belongs to the program that wick is part of.
spdlog::logger& logger() {
  static spdlog::logger* const instance = [] {
    auto* log = new spdlog::logger("wick", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    const char* wanted = std::getenv("WICK_LOG");
    log->set_level(wanted ? spdlog::level::from_str(wanted) : spdlog::level::warn);
    log->set_pattern("[%n] [%l] %v");
    return log;
  }();
  return *instance;
}

}  // namespace

void log_warning(const std::string& message) { logger().warn("{}", message); }
void log_info(const std::string& message) { logger().info("{}", message); }

}  // namespace wick::detail
