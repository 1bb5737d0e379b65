// Running sums, products and maxima along one dimension. Each row belongs to `lanes` threads of one
// block (rows.h), which scan as many elements at a time in shared memory (Kogge and Stone, "A
// parallel algorithm for the efficient solution of a general class of recurrence equations", 1973,
// https://doi.org/10.1109/TC.1973.5009159) and carry the last result on. Bytes moved: each element
// is read and written once.
#include <wick/kernels/cuda/rows.h>
#include <wick/kernels/scan.h>

namespace wick::cuda {
namespace {

template <class T, bool kProd>
struct Running {
  using Acc = Compute<T>;
  const T* x;
  T* y;
  __device__ Acc identity() const { return kProd; }
  __device__ Acc load(int64_t at, int64_t) const { return up(x[at]); }
  __device__ Acc combine(Acc a, Acc b) const {
    if constexpr (std::is_integral_v<T>) {  // wraps around
      const auto u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
      return static_cast<Acc>(kProd ? u * v : u + v);
    } else {
      return kProd ? a * b : a + b;
    }
  }
  __device__ void store(int64_t at, Acc acc) const { y[at] = down<T>(acc); }
};

struct RunningMax {
  struct Acc {
    int64_t key, position;  // -1: none
  };
  const int64_t* x;
  int64_t* y;
  __device__ Acc identity() const { return {INT64_MIN, -1}; }
  __device__ Acc load(int64_t at, int64_t i) const { return {x[at], i}; }
  __device__ Acc combine(Acc a, Acc b) const { return b.position >= 0 && b.key >= a.key ? b : a; }
  __device__ void store(int64_t at, Acc acc) const { y[at] = acc.position; }
};

template <class Op>
__global__ void __launch_bounds__(kThreads)
    scan_kernel(GPU_GRID_CONSTANT(RowGeometry) g, GPU_GRID_CONSTANT(Op) op, bool reverse) {
  using Acc = typename Op::Acc;
  GPU_SHARED(Acc, shared, [kThreads]);
  const RowThread t(g);
  const int self = t.lane * t.outputs + t.output;
  const int64_t step = static_cast<int64_t>(gridDim.x) * t.outputs;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * t.outputs; first < g.rows;
       first += step) {
    const int64_t row = first + t.output;
    Acc carry = op.identity();
    for (int64_t chunk = 0; chunk < g.dim; chunk += g.lanes) {
      const bool live = row < g.rows && chunk + t.lane < g.dim;
      const int64_t i = reverse ? g.dim - 1 - chunk - t.lane : chunk + t.lane;
      const int64_t at = live ? g.offset(row) + i * g.inner : 0;
      Acc acc = live ? op.load(at, i) : op.identity();
      __syncthreads();  // the previous results may still be being read
      shared[self] = acc;
      for (int distance = 1; distance < g.lanes; distance *= 2) {
        __syncthreads();
        if (t.lane >= distance) acc = op.combine(shared[self - distance * t.outputs], acc);
        __syncthreads();
        shared[self] = acc;
      }
      __syncthreads();
      if (live) op.store(at, op.combine(carry, acc));
      carry = op.combine(carry, shared[(g.lanes - 1) * t.outputs + t.output]);
    }
  }
}

template <class Op>
void launch(const ScanArgs& args, const Op& op) {
  const RowGeometry g = row_geometry(args.outer, args.dim, args.inner);
  gpu::launch(scan_kernel<Op>, row_grid(g), kThreads, 0, gpu::stream(), g, op, args.reverse);
}

}  // namespace

void scan(const ScanArgs& args, const void* x, void* y) {
  if (args.op == ScanOp::Max) {
    return launch(args, RunningMax{static_cast<const int64_t*>(x), static_cast<int64_t*>(y)});
  }
  const auto run = [&](auto t) {
    using T = decltype(t);
    const T* const in = static_cast<const T*>(x);
    if (args.op == ScanOp::Sum) return launch(args, Running<T, false>{in, static_cast<T*>(y)});
    launch(args, Running<T, true>{in, static_cast<T*>(y)});
  };
  if (args.dtype == DType::Int64) return run(int64_t{});
  visit_float(args.dtype, run);
}

}  // namespace wick::cuda
