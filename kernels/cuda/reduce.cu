// The launchers of reductions and how a reduction is cut; see reduce_engine.h.
#include <wick/kernels/cuda/reduce_engine.h>
#include <algorithm>
#include <bit>

namespace wick::cuda {
namespace {

constexpr int64_t kTargetBlocks = 512;  // enough for any device; a constant keeps results the same
constexpr int64_t kMaxChunks = 1024;
constexpr int64_t kMinPerThread = 16;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t innermost_stride(const int64_t* strides, int ndim) {
  return ndim == 0 ? INT64_MAX : std::abs(strides[ndim - 1]);
}

/// The smallest power of two >= n, at most `limit`.
int power_of_two(int64_t n, int limit) {
  return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(n, 1, limit))));
}

void choose_lanes(ReduceGeometry& g) {
  const int64_t kept_stride = innermost_stride(g.kept_strides[0], g.kept_ndim);
  const int64_t reduced_stride = innermost_stride(g.reduced_strides[0], g.reduced_ndim);
  g.along_reduced = reduced_stride <= kept_stride;
  if (g.along_reduced) {
    g.lanes = power_of_two(g.reduced, kThreads);
  } else {
    g.lanes = kThreads / power_of_two(g.kept, kWarp);
  }
}

/// Sums of float32 and half types are accumulated in float32, of float64 in itself, others in
/// int64.
bool accumulates_as(DType in_type, DType out_type) {
  if (!is_floating_point(in_type)) return out_type == DType::Int64;
  return in_type == out_type || (is_reduced_float(in_type) && out_type == DType::Float32);
}

}  // namespace

ReduceGeometry reduce_geometry(const ReduceArgs& args, int64_t* chunks) {
  ReduceGeometry g{};
  g.kept = args.kept;
  g.reduced = args.reduced;
  g.kept_ndim = args.kept_ndim;
  g.reduced_ndim = args.reduced_ndim;
  std::copy_n(args.kept_sizes, args.kept_ndim, g.kept_sizes);
  std::copy_n(args.kept_strides, args.kept_ndim, g.kept_strides[0]);
  std::copy_n(args.kept_out_strides, args.kept_ndim, g.kept_strides[1]);
  std::copy_n(args.reduced_sizes, args.reduced_ndim, g.reduced_sizes);
  std::copy_n(args.reduced_strides, args.reduced_ndim, g.reduced_strides[0]);
  g.in = args.in;
  choose_lanes(g);
  const int64_t groups = divide_up(g.kept, kThreads / g.lanes);
  const int64_t useful = divide_up(g.reduced, g.lanes * kMinPerThread);
  *chunks = std::clamp<int64_t>(std::min(kTargetBlocks / groups, useful), 1, kMaxChunks);
  g.chunk = std::max<int64_t>(divide_up(g.reduced, *chunks), 1);
  *chunks = std::max<int64_t>(divide_up(g.reduced, g.chunk), 1);
  return g;
}

ReduceGeometry partials_geometry(const ReduceGeometry& first, int64_t chunks) {
  ReduceGeometry g = first;
  g.in = first.partial;
  g.partial = nullptr;
  // The partial results of output k lie kept elements apart, wherever the output itself goes; so
  // the dimensions stay and the input's strides become those of a dense [chunks, kept].
  int64_t dense = 1;
  for (int d = g.kept_ndim - 1; d >= 0; --d) {
    g.kept_strides[0][d] = dense;
    dense *= g.kept_sizes[d];
  }
  g.reduced = g.chunk = chunks;
  g.reduced_ndim = 1;
  g.reduced_sizes[0] = chunks;
  g.reduced_strides[0][0] = g.kept;
  choose_lanes(g);
  return g;
}

dim3 reduce_grid(const ReduceGeometry& g, int64_t chunks) {
  const int64_t groups = divide_up(g.kept, kThreads / g.lanes);
  return dim3(static_cast<unsigned>(std::min<int64_t>(groups, int64_t{1} << 20)),
              static_cast<unsigned>(chunks));
}

void reduce(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args) {
  switch (op) {
    case ReduceOp::Max:
    case ReduceOp::Min:
      return reduce_extreme(op, in_type, args);
    case ReduceOp::Any:
    case ReduceOp::All:
      return reduce_logical(op, in_type, args);
    default:
      break;
  }
  WICK_CHECK(DTypeError, accumulates_as(in_type, out_type), "reduce: expected elements that ",
             out_type, " accumulates, got ", in_type);
  reduce_sum(op, in_type, out_type, args);
}

}  // namespace wick::cuda
