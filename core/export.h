#pragma once

// Symbol visibility. Everything is compiled with -fvisibility=hidden; what a user may call is
// marked WICK_API. Exception types carry it too, so that they can be caught across a shared
// library's edge.
#if defined(WICK_STATIC)
#define WICK_API
#else
#define WICK_API __attribute__((visibility("default")))
#endif
