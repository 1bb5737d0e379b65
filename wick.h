#pragma once
// Everything of wick's public interface.
#include <wick/core/tensor.h>
