#pragma once

// Everything that wick offers.
#include <wick/core/autograd.h>
#include <wick/core/cuda.h>
#include <wick/core/dlpack.h>
#include <wick/core/function.h>
#include <wick/core/gradcheck.h>
#include <wick/core/ops.h>
#include <wick/core/ordered_dict.h>
#include <wick/core/recompute.h>
#include <wick/core/tensor.h>
#include <wick/data/batches.h>
#include <wick/data/idx.h>
#include <wick/io/checkpoint.h>
#include <wick/io/safetensors.h>
#include <wick/nn/activation.h>
#include <wick/nn/batchnorm.h>
#include <wick/nn/conv.h>
#include <wick/nn/dropout.h>
#include <wick/nn/embedding.h>
#include <wick/nn/functional.h>
#include <wick/nn/init.h>
#include <wick/nn/linear.h>
#include <wick/nn/module.h>
#include <wick/nn/pooling.h>
#include <wick/nn/sequential.h>
#include <wick/optim/sgd.h>
