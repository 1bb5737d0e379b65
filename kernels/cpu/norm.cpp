#include <wick/kernels/norm.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/simd/norm.h>
#include <algorithm>

namespace wick::cpu {
namespace {

/// Over channels; with inner == 1 in runs that keep neighbouring channels in whole vectors.
template <class Body>
void for_channels(const BatchNormArgs& args, const Body& body) {
  const int64_t each = std::max<int64_t>(args.n * args.inner, 1);
  const int64_t grain = std::max<int64_t>(8192 / each, 1);
  parallel_for(args.c, args.inner == 1 ? (grain + 15) / 16 * 16 : grain, body);
}

}  // namespace

void batch_norm_train(const BatchNormArgs& args, const void* x, const void* weight,
                      const void* bias, void* running_mean, void* running_var, double momentum,
                      void* y, void* mean, void* inv_std) {
  BatchNormIo io{};
  io.x = x;
  io.weight = weight;
  io.bias = bias;
  io.running_mean = running_mean;
  io.running_var = running_var;
  io.momentum = momentum;
  io.y = y;
  io.mean = mean;
  io.inv_std = inv_std;
  for_channels(args, [&](int64_t begin, int64_t end) {
    WICK_ISA_CALL(batch_norm_train_part, args, io, begin, end);
  });
}

void batch_norm_eval(const BatchNormArgs& args, const void* x, const void* weight, const void* bias,
                     const void* mean, const void* var, void* y) {
  BatchNormIo io{};
  io.x = x;
  io.weight = weight;
  io.bias = bias;
  io.mean_in = mean;
  io.scale_in = var;
  io.y = y;
  for_channels(args, [&](int64_t begin, int64_t end) {
    WICK_ISA_CALL(batch_norm_eval_part, args, io, begin, end);
  });
}

void batch_norm_backward(const BatchNormArgs& args, bool train, const void* grad_y, const void* x,
                         const void* weight, const void* mean, const void* inv_std, void* grad_x,
                         void* grad_weight, void* grad_bias) {
  BatchNormIo io{};
  io.x = x;
  io.weight = weight;
  io.mean_in = mean;
  io.scale_in = inv_std;
  io.grad_y = grad_y;
  io.grad_x = grad_x;
  io.grad_weight = grad_weight;
  io.grad_bias = grad_bias;
  for_channels(args, [&](int64_t begin, int64_t end) {
    WICK_ISA_CALL(batch_norm_backward_part, args, train, io, begin, end);
  });
}

void layer_norm(const LayerNormArgs& args, const void* x, const void* weight, const void* bias,
                void* y, void* mean, void* inv_std) {
  BatchNormIo io{};
  io.x = x;
  io.weight = weight;
  io.bias = bias;
  io.y = y;
  io.mean = mean;
  io.inv_std = inv_std;
  parallel_for(args.rows, std::max<int64_t>(8192 / args.dim, 1), [&](int64_t begin, int64_t end) {
    WICK_ISA_CALL(layer_norm_part, args, io, begin, end);
  });
}

void layer_norm_backward(const LayerNormArgs& args, const void* grad_y, const void* x,
                         const void* weight, const void* mean, const void* inv_std, void* grad_x,
                         void* grad_weight, void* grad_bias) {
  BatchNormIo io{};
  io.x = x;
  io.weight = weight;
  io.mean_in = mean;
  io.scale_in = inv_std;
  io.grad_y = grad_y;
  io.grad_x = grad_x;
  io.grad_weight = grad_weight;
  io.grad_bias = grad_bias;
  if (grad_x != nullptr) {
    parallel_for(args.rows, std::max<int64_t>(8192 / args.dim, 1), [&](int64_t begin, int64_t end) {
      WICK_ISA_CALL(layer_norm_backward_part, args, io, begin, end);
    });
  }
  if (grad_weight == nullptr && grad_bias == nullptr) return;
  const int64_t columns = std::max<int64_t>(8192 / std::max<int64_t>(args.rows, 1), 1);
  parallel_for(args.dim, (columns + 15) / 16 * 16, [&](int64_t begin, int64_t end) {
    WICK_ISA_CALL(layer_norm_sums_part, args, io, begin, end);
  });
}

}  // namespace wick::cpu
