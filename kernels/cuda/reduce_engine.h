#pragma once

#include <wick/kernels/cuda/allocator.h>
#include <wick/kernels/cuda/elementwise_engine.h>
#include <wick/kernels/reduce.h>

// One engine for all reductions over kept x reduced elements. A block of 256 threads is a grid of
// `lanes` along the reduced and 256 / lanes along the kept elements, laid out so that neighbouring
// threads read neighbouring memory. Each thread folds its elements in blocks of 64, the lanes meet
// in a tree in shared memory; where there are too few outputs to fill the device, the reduced
// elements are cut into chunks whose partial results a second launch folds. The order of all this
// depends on the shape alone, so results are the same bits in every run. Each input is read once.
//
// An op is a struct with the types In and Acc and
//   Acc init() const;  Acc step(Acc, In, int64_t position) const;  Acc combine(Acc, Acc) const;
//   void store(int64_t output_offset, Acc) const;
namespace wick::cuda {

struct ReduceGeometry {
  int64_t kept, reduced;
  int64_t kept_sizes[kMaxRank];
  int64_t kept_strides[2][kMaxRank];  // of the input, of the output
  int64_t reduced_sizes[kMaxRank];
  int64_t reduced_strides[1][kMaxRank];
  int64_t chunk;  // reduced elements for each blockIdx.y
  const void* in;
  void* partial;  // Acc [chunks, kept], or null: store
  int kept_ndim, reduced_ndim;
  int lanes;           // threads along the reduced elements, a power of two
  bool along_reduced;  // neighbouring threads differ in the reduced element
};

inline constexpr int kFoldBlock = 64;

template <class Op, bool kPartials>
__device__ inline typename Op::Acc fold_elements(const ReduceGeometry& g, const Op& op,
                                                 int64_t base, int64_t first, int64_t end) {
  using Acc = typename Op::Acc;
  Acc total = op.init();
  for (int64_t i = first; i < end;) {
    Acc acc = op.init();
    for (int n = 0; n < kFoldBlock && i < end; ++n, i += g.lanes) {
      int64_t offset;
      if (g.reduced_ndim == 1) {
        offset = i * g.reduced_strides[0][0];
      } else {
        element_offsets<1>(g.reduced_sizes, g.reduced_strides, g.reduced_ndim, g.reduced, i,
                           &offset);
      }
      if constexpr (kPartials) {
        acc = op.combine(acc, static_cast<const Acc*>(g.in)[base + offset]);
      } else {
        acc = op.step(acc, static_cast<const typename Op::In*>(g.in)[base + offset], i);
      }
    }
    total = op.combine(total, acc);
  }
  return total;
}

template <class Op, bool kPartials>
__global__ void __launch_bounds__(kThreads, kMinBlocks<typename Op::In>)
    reduce_kernel(GPU_GRID_CONSTANT(ReduceGeometry) g, GPU_GRID_CONSTANT(Op) op) {
  using Acc = typename Op::Acc;
  GPU_SHARED(Acc, shared, [kThreads]);
  const int outputs = kThreads / g.lanes;
  const int thread = threadIdx.x;
  const int lane = g.along_reduced ? thread % g.lanes : thread / outputs;
  const int output = g.along_reduced ? thread / g.lanes : thread % outputs;
  const int64_t begin = blockIdx.y * g.chunk;
  const int64_t end = begin + g.chunk < g.reduced ? begin + g.chunk : g.reduced;
  for (int64_t group = blockIdx.x; group * outputs < g.kept; group += gridDim.x) {
    const int64_t k = group * outputs + output;
    int64_t offsets[2] = {0, 0};
    Acc acc = op.init();
    if (k < g.kept) {
      element_offsets<2>(g.kept_sizes, g.kept_strides, g.kept_ndim, g.kept, k, offsets);
      acc = fold_elements<Op, kPartials>(g, op, offsets[0], begin + lane, end);
    }
    __syncthreads();  // the previous group may still be reading
    shared[lane * outputs + output] = acc;
    __syncthreads();
    for (int half = g.lanes / 2; half > 0; half /= 2) {
      if (lane < half)
        shared[lane * outputs + output] =
            op.combine(shared[lane * outputs + output], shared[(lane + half) * outputs + output]);
      __syncthreads();
    }
    if (lane == 0 && k < g.kept) {
      if (g.partial) {
        static_cast<Acc*>(g.partial)[blockIdx.y * g.kept + k] = shared[output];
      } else {
        op.store(offsets[1], shared[output]);
      }
    }
  }
}

/// Geometry of the caller's reduction, and how it is cut.
ReduceGeometry reduce_geometry(const ReduceArgs& args, int64_t* chunks);
/// Geometry of folding partial results [chunks, kept] into the outputs of `first`.
ReduceGeometry partials_geometry(const ReduceGeometry& first, int64_t chunks);
dim3 reduce_grid(const ReduceGeometry& g, int64_t chunks);

template <class Op>
void launch_reduce(const ReduceArgs& args, const Op& op) {
  if (args.kept == 0) return;
  int64_t chunks = 1;
  ReduceGeometry g = reduce_geometry(args, &chunks);
  if (chunks == 1) {
    gpu::launch(reduce_kernel<Op, false>, reduce_grid(g, 1), kThreads, 0, gpu::stream(), g, op);
    return;
  }
  const Scratch partial(chunks * g.kept * static_cast<int64_t>(sizeof(typename Op::Acc)));
  g.partial = partial.as<void>();
  gpu::launch(reduce_kernel<Op, false>, reduce_grid(g, chunks), kThreads, 0, gpu::stream(), g, op);
  const ReduceGeometry last = partials_geometry(g, chunks);
  gpu::launch(reduce_kernel<Op, true>, reduce_grid(last, 1), kThreads, 0, gpu::stream(), last, op);
}

// The families are split over several files, so that none takes long to compile.
void reduce_sum(ReduceOp op, DType in_type, DType out_type, const ReduceArgs& args);
void reduce_extreme(ReduceOp op, DType dtype, const ReduceArgs& args);
void reduce_logical(ReduceOp op, DType in_type, const ReduceArgs& args);

}  // namespace wick::cuda
