#pragma once

// The elementwise ops; pointwise_op.h says how they are written.
#include <wick/kernels/pointwise_binary.h>
#include <wick/kernels/pointwise_unary.h>
