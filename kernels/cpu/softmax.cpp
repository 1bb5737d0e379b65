#include <wick/kernels/softmax.h>

#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/simd/softmax.h>
#include <algorithm>

namespace wick::cpu {
namespace {

constexpr int64_t kGrainElements = 8192;  // numbers that are worth a thread
constexpr int64_t kBlocks = 256;          // most partial sums of one loss

int64_t grain_of(int64_t dim, int64_t inner) {
  const int64_t unit = dim * std::min(inner, kColumns);
  return std::max<int64_t>(kGrainElements / std::max<int64_t>(unit, 1), 1);
}

void check_targets(const NllArgs& args, const int64_t* target) {
  const int64_t count = args.n * args.inner;
  int64_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t t = target[i];
    bad |= static_cast<int64_t>((t < 0) | (t >= args.classes)) &
           static_cast<int64_t>(t != args.ignore_index);
  }
  if (bad == 0) return;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t t = target[i];
    if (t != args.ignore_index && (t < 0 || t >= args.classes))
      throw_fault({args.op(), i, t, args.classes, args.ignore_index});
  }
}

double read(DType dtype, const void* p, int64_t i) {
  switch (dtype) {
    case DType::Float16:
      return static_cast<const Half*>(p)[i];
    case DType::BFloat16:
      return static_cast<const BFloat16*>(p)[i];
    case DType::Float64:
      return static_cast<const double*>(p)[i];
    default:
      return static_cast<const float*>(p)[i];
  }
}
void write(DType dtype, void* p, double value) {
  const float single = static_cast<float>(value);
  switch (dtype) {
    case DType::Float16:
      *static_cast<Half*>(p) = Half(single);
      break;
    case DType::BFloat16:
      *static_cast<BFloat16*>(p) = BFloat16(single);
      break;
    case DType::Float64:
      *static_cast<double*>(p) = value;
      break;
    default:
      *static_cast<float*>(p) = single;
      break;
  }
}
/// The type of total_weight and log_sum_exp.
DType sums_type(DType dtype) { return is_reduced_float(dtype) ? DType::Float32 : dtype; }

/// Needed for label smoothing only.
double sum_of_weights(const NllArgs& args, const void* weight) {
  if (args.label_smoothing == 0) return 0;
  if (weight == nullptr) return static_cast<double>(args.classes);
  double sum = 0;
  for (int64_t c = 0; c < args.classes; ++c) sum += read(args.dtype, weight, c);
  return sum;
}

}  // namespace

void softmax(const SoftmaxArgs& args, const void* x, void* y) {
  if (args.dim == 0) return;
  parallel_for(
      softmax_units(args.outer, args.inner), grain_of(args.dim, args.inner),
      [&](int64_t begin, int64_t end) { WICK_ISA_CALL(softmax_part, args, x, y, begin, end); });
}

void softmax_backward(const SoftmaxArgs& args, const void* grad_y, const void* y, void* grad_x) {
  if (args.dim == 0) return;
  parallel_for(softmax_units(args.outer, args.inner), grain_of(args.dim, args.inner),
               [&](int64_t begin, int64_t end) {
                 WICK_ISA_CALL(softmax_backward_part, args, grad_y, y, grad_x, begin, end);
               });
}

void nll_loss(const NllArgs& args, const void* x, const int64_t* target, const void* weight,
              void* loss, void* total_weight, void* log_sum_exp) {
  check_targets(args, target);
  const bool reduced = args.reduction != NllArgs::None;
  const NllForward io{
      x, target, weight, sum_of_weights(args, weight), reduced ? nullptr : loss, log_sum_exp};
  // Blocks depend on the shape alone, and so does the order in which they are added.
  const int64_t units = softmax_units(args.n, args.inner);
  const int64_t least = grain_of(args.classes, args.inner);
  const int64_t each = std::max(least, (units + kBlocks - 1) / kBlocks);
  const int64_t blocks = (units + each - 1) / each;
  double sums[kBlocks][2];
  sums[0][0] = sums[0][1] = 0;
  parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      sums[b][0] = sums[b][1] = 0;
      WICK_ISA_CALL(nll_part, args, io, b * each, std::min((b + 1) * each, units), sums[b]);
    }
  });
  for (int64_t b = 1; b < blocks; ++b) {
    sums[0][0] += sums[b][0];
    sums[0][1] += sums[b][1];
  }
  const auto [sum, weights] = sums[0];
  write(sums_type(args.dtype), total_weight, weights);
  if (reduced) write(args.dtype, loss, args.reduction == NllArgs::Mean ? sum / weights : sum);
}

void nll_loss_backward(const NllArgs& args, const void* grad_loss, const void* x,
                       const int64_t* target, const void* weight, const void* total_weight,
                       const void* log_sum_exp, void* grad_x) {
  check_targets(args, target);
  if (args.n * args.inner * args.classes == 0) return;
  NllBackward io{x, target, weight, sum_of_weights(args, weight), nullptr, 0, log_sum_exp, grad_x};
  if (args.reduction == NllArgs::None) {
    io.grad_loss = grad_loss;
  } else {
    io.scale = read(args.dtype, grad_loss, 0);
    if (args.reduction == NllArgs::Mean) {
      io.scale /= read(sums_type(args.dtype), total_weight, 0);
    }
  }
  parallel_for(
      softmax_units(args.n, args.inner), grain_of(args.classes, args.inner),
      [&](int64_t begin, int64_t end) { WICK_ISA_CALL(nll_backward_part, args, io, begin, end); });
}

}  // namespace wick::cpu
