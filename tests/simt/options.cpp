#include <tests/simt/internal.h>

#include <cstdlib>
#include <cstring>

namespace simt {
namespace {

const char* text(const char* name) {
  const char* const value = std::getenv(name);
  return value && *value ? value : nullptr;
}

[[noreturn]] void wrong(const char* name, const char* expected, const char* value) {
  throw Error(std::string("simt: ") + name + ": expected " + expected + ", got \"" + value + "\"");
}

uint64_t number(const char* name, uint64_t otherwise) {
  const char* const value = text(name);
  if (!value) return otherwise;
  char* end = nullptr;
  const uint64_t n = std::strtoull(value, &end, 0);
  if (*end != '\0' || *value == '-') wrong(name, "a number", value);
  return n;
}

bool flag(const char* name, bool otherwise) {
  const char* const value = text(name);
  if (!value) return otherwise;
  if (std::strcmp(value, "0") != 0 && std::strcmp(value, "1") != 0) wrong(name, "0 or 1", value);
  return *value == '1';
}

Order order(const char* name, Order otherwise) {
  const char* const value = text(name);
  if (!value) return otherwise;
  if (std::strcmp(value, "forward") == 0) return Order::Forward;
  if (std::strcmp(value, "reverse") == 0) return Order::Reverse;
  if (std::strcmp(value, "random") != 0) wrong(name, "forward, reverse or random", value);
  return Order::Random;
}

Options from_environment() {
  Options o;
  o.seed = number("WICK_SIMT_SEED", o.seed);
  o.order = order("WICK_SIMT_ORDER", o.order);
  o.lazy = flag("WICK_SIMT_LAZY", o.lazy);
  o.protect = flag("WICK_SIMT_PROTECT", o.protect);
  o.check_init = flag("WICK_SIMT_INIT", o.check_init);
  o.check_race = flag("WICK_SIMT_RACE", o.check_race);
  return o;
}

}  // namespace

Options& options() {
  static Options o = from_environment();
  return o;
}

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014,
// https://doi.org/10.1145/2660193.2660195.
uint64_t next_random(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace simt
