#include <wick/kernels/norm.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/scratch.h>
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

namespace {

/// to [dim] = the sums of parts [count, 2, dim], in order.
template <class S>
void add_parts(int64_t count, int64_t dim, const S* parts, S* to) {
  if (to == nullptr) return;
  parallel_for(dim, std::max<int64_t>(8192 / count, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (int64_t p = 0; p < count; ++p) sum += static_cast<double>(parts[p * 2 * dim + i]);
      to[i] = static_cast<S>(sum);
    }
  });
}

template <class S>
void backward_rows(const LayerNormArgs& args, BatchNormIo io, S* grad_weight, S* grad_bias) {
  // The gradients of the parameters are summed in parts that depend on the shape alone.
  constexpr int64_t kPartRows = 128;
  const int64_t count = (args.rows + kPartRows - 1) / kPartRows, size = 2 * args.dim;
  const bool wanted = grad_weight != nullptr || grad_bias != nullptr;
  const Scratch scratch(wanted ? static_cast<size_t>(count * size) * sizeof(S) : 0);
  S* const parts = scratch.as<S>();
  const int64_t grain = std::max<int64_t>(8192 / (args.dim * kPartRows), 1);
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      BatchNormIo own = io;
      if (wanted) std::fill_n(parts + p * size, size, S(0));
      if (grad_weight != nullptr) own.grad_weight = parts + p * size;
      if (grad_bias != nullptr) own.grad_bias = parts + p * size + args.dim;
      WICK_ISA_CALL(layer_norm_backward_part, args, own, p * kPartRows,
                    std::min((p + 1) * kPartRows, args.rows));
    }
  });
  if (!wanted) return;
  add_parts(count, args.dim, parts, grad_weight);
  add_parts(count, args.dim, parts + args.dim, grad_bias);
}

}  // namespace

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
  if (args.dtype == DType::Float64) {
    backward_rows(args, io, static_cast<double*>(grad_weight), static_cast<double*>(grad_bias));
  } else {
    backward_rows(args, io, static_cast<float*>(grad_weight), static_cast<float*>(grad_bias));
  }
}

}  // namespace wick::cpu
