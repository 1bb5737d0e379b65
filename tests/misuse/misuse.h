#pragma once

#include <gtest/gtest.h>
#include <wick/core/check.h>
#include <initializer_list>
#include <string>
#include <typeindex>

// A wrong use of wick and the error that must answer it. Each runs in a process of its own: the
// test starts its own program again with a filter for itself alone, and there does what is wrong.
namespace wick::test {

/// In the parent: starts the child, gives it 5 s, and checks that it ended by itself having caught
/// exactly `type`, with one line that contains all fragments, having printed nothing, leaked no
/// tensor and left autograd usable. In the child: calls `use` and reports.
void expect_refusal(std::type_index type, std::initializer_list<const char*> fragments,
                    void (*use)());

}  // namespace wick::test

/// MISUSE(Area, name, ErrorType, "fragment", ...) { what is wrong }
#define MISUSE(Area, Name, Type, ...)                                                          \
  static void misuse_##Area##_##Name();                                                        \
  TEST(Misuse##Area, Name) {                                                                   \
    ::wick::test::expect_refusal(typeid(::wick::Type), {__VA_ARGS__}, misuse_##Area##_##Name); \
  }                                                                                            \
  static void misuse_##Area##_##Name()
