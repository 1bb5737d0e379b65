#include <wick/core/check.h>
#include <wick/kernels/conv.h>
#include <wick/kernels/cpu/dnn.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/scratch.h>
#include <wick/kernels/matmul.h>
#include <algorithm>
#include <cstring>

// float32 goes to oneDNN, half types through float32 copies. What is left (float64, builds without
// oneDNN, cases that oneDNN does not do well) is done here by matrix products over columns: the
// parts of x that each output position sees, gathered for a block of positions at a time.
namespace wick::cpu {
namespace {

constexpr int64_t kBlockElements = 1
                                   << 18;  // of the column matrix: stays in the second-level cache

int64_t product(const int64_t* sizes, int count) {
  int64_t p = 1;
  for (int i = 0; i < count; ++i) p *= sizes[i];
  return p;
}

/// The sizes of the products. All counts are elements.
struct Geometry {
  explicit Geometry(const ConvArgs& args)
      : in(product(args.in, args.spatial)),
        out(product(args.out, args.spatial)),
        taps(product(args.kernel, args.spatial)),
        c(args.c / args.groups),
        k(args.k / args.groups),
        depth(c * taps),
        block(std::clamp<int64_t>(kBlockElements / std::max<int64_t>(depth, 1), 16,
                                  std::max<int64_t>(out, 16))),
        x_numel(args.n * args.c * in),
        y_numel(args.n * args.k * out),
        weight_numel(args.k * depth) {}

  int64_t in, out, taps;  // input and output positions, positions of the kernel
  int64_t c, k;           // channels of a group
  int64_t depth;          // inputs of an output
  int64_t block;          // output positions that are gathered at a time
  int64_t x_numel, y_numel, weight_numel;
};

/// Fills where[tap * count + o] with the input position that output position begin + o sees through
/// the tap, or -1 in the padding.
void find_positions(const ConvArgs& args, const Geometry& g, int64_t begin, int64_t count,
                    int64_t* where) {
  for (int64_t tap = 0; tap < g.taps; ++tap) {
    for (int64_t o = 0; o < count; ++o) {
      int64_t rest_o = begin + o, rest_tap = tap, position = 0, step = 1;
      for (int i = args.spatial - 1; i >= 0 && position >= 0; --i) {
        const int64_t at = rest_o % args.out[i] * args.stride[i] - args.padding[i] +
                           rest_tap % args.kernel[i] * args.dilation[i];
        position = at >= 0 && at < args.in[i] ? position + at * step : -1;
        rest_o /= args.out[i];
        rest_tap /= args.kernel[i];
        step *= args.in[i];
      }
      where[tap * count + o] = position;
    }
  }
}

// Columns lie as [depth, count] for channels-first tensors and as [count, depth] for channels-last
// ones, with depth in the order of the weight: both are copied in runs.

template <class T>
void gather(const ConvArgs& args, const Geometry& g, const int64_t* where, int64_t count,
            const T* x, T* columns) {
  if (args.channels_last) {
    for (int64_t o = 0; o < count; ++o) {
      for (int64_t tap = 0; tap < g.taps; ++tap, columns += g.c) {
        const int64_t at = where[tap * count + o];
        if (at < 0) {
          std::fill_n(columns, g.c, T(0));
        } else {
          std::copy_n(x + at * args.c, g.c, columns);
        }
      }
    }
    return;
  }
  for (int64_t c = 0; c < g.c; ++c) {
    const T* plane = x + c * g.in;
    for (int64_t i = 0; i < g.taps * count; ++i) {
      *columns++ = where[i] < 0 ? T(0) : plane[where[i]];
    }
  }
}

template <class T>
void scatter_add(const ConvArgs& args, const Geometry& g, const int64_t* where, int64_t count,
                 const T* columns, T* x) {
  if (args.channels_last) {
    for (int64_t o = 0; o < count; ++o) {
      for (int64_t tap = 0; tap < g.taps; ++tap, columns += g.c) {
        const int64_t at = where[tap * count + o];
        if (at < 0) continue;
        for (int64_t c = 0; c < g.c; ++c) x[at * args.c + c] += columns[c];
      }
    }
    return;
  }
  for (int64_t c = 0; c < g.c; ++c) {
    T* plane = x + c * g.in;
    for (int64_t i = 0; i < g.taps * count; ++i, ++columns) {
      if (where[i] >= 0) plane[where[i]] += *columns;
    }
  }
}

/// One block of output positions of one group of one sample.
struct Place {
  int64_t n, group, begin, count;
};

// Pointers to a place in the tensors; those of empty tensors, which may be null, are left alone.
template <class T>
T* at_x(const ConvArgs& args, const Geometry& g, const Place& p, T* x) {
  if (g.x_numel == 0) return x;
  return x + p.n * args.c * g.in + p.group * g.c * (args.channels_last ? 1 : g.in);
}
template <class T>
T* at_y(const ConvArgs& args, const Geometry& g, const Place& p, T* y) {
  if (g.y_numel == 0) return y;
  return y + p.n * args.k * g.out + p.group * g.k * (args.channels_last ? 1 : g.out) +
         p.begin * (args.channels_last ? args.k : 1);
}
template <class T>
T* at_weight(const Geometry& g, const Place& p, T* weight) {
  return weight + p.group * g.k * g.depth;
}

template <class T>
MatmulArgs product_args(const T* a, int64_t lda, bool trans_a, const T* b, int64_t ldb,
                        bool trans_b, T* c, int64_t ldc) {
  MatmulArgs args;
  args.dtype = dtype_of<T>;
  args.a = a;
  args.b = b;
  args.c = c;
  args.lda = lda;
  args.ldb = ldb;
  args.ldc = ldc;
  args.trans_a = trans_a;
  args.trans_b = trans_b;
  return args;
}

void multiply(MatmulArgs args, int64_t m, int64_t n, int64_t k) {
  args.m = m;
  args.n = n;
  args.k = k;
  matmul(args);
}

/// Working memory of one thread.
template <class T>
struct Workspace {
  static size_t bytes(const Geometry& g) {
    return aligned_bytes(static_cast<size_t>(g.taps * g.block) * sizeof(int64_t)) +
           aligned_bytes(static_cast<size_t>(g.depth * g.block) * sizeof(T));
  }
  Workspace(const Geometry& g, void* memory)
      : where(static_cast<int64_t*>(memory)),
        columns(reinterpret_cast<T*>(
            static_cast<char*>(memory) +
            aligned_bytes(static_cast<size_t>(g.taps * g.block) * sizeof(int64_t)))) {}

  int64_t* where;
  T* columns;
};

/// The number of runs that tasks are cut into: one for each thread. With fewer tasks than threads
/// they are done one after another, and the products inside use the threads.
int64_t runs_of(int64_t tasks) {
  const int64_t threads = num_threads();
  return tasks >= threads ? threads : 1;
}

/// Calls body(task, run, workspace) for every task in [0, tasks), in order within each run.
template <class T, class Body>
void for_tasks(const Geometry& g, int64_t tasks, int64_t runs, const Body& body) {
  const int64_t grain = std::max<int64_t>((tasks + runs - 1) / runs, 1);
  const size_t each = Workspace<T>::bytes(g);
  const Scratch scratch(each * static_cast<size_t>(runs));
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    // One range holds several runs where fewer threads are free than expected.
    for (int64_t task = begin; task < end; ++task) {
      const int64_t run = task / grain;
      body(task, run, Workspace<T>(g, scratch.as<char>() + each * static_cast<size_t>(run)));
    }
  });
}

template <class Body>
void for_blocks(const Geometry& g, int64_t n, int64_t group, const Body& body) {
  for (int64_t begin = 0; begin < g.out; begin += g.block) {
    body(Place{n, group, begin, std::min(g.block, g.out - begin)});
  }
}

template <class T>
void forward(const ConvArgs& args, const T* x, const T* weight, const T* bias, T* y) {
  const Geometry g(args);
  const int64_t blocks = (g.out + g.block - 1) / g.block;
  const int64_t tasks = args.n * args.groups * blocks;
  for_tasks<T>(g, tasks, runs_of(tasks), [&](int64_t task, int64_t, Workspace<T> work) {
    const int64_t begin = task % blocks * g.block, slice = task / blocks;
    const Place p{slice / args.groups, slice % args.groups, begin,
                  std::min(g.block, g.out - begin)};
    find_positions(args, g, p.begin, p.count, work.where);
    gather(args, g, work.where, p.count, at_x(args, g, p, x), work.columns);
    const T* w = at_weight(g, p, weight);
    T* out = at_y(args, g, p, y);
    const T* add = bias == nullptr ? nullptr : bias + p.group * g.k;
    if (args.channels_last) {
      auto call = product_args<T>(work.columns, g.depth, false, w, g.depth, true, out, args.k);
      call.bias = add;
      multiply(call, p.count, g.k, g.depth);
    } else {
      auto call = product_args<T>(w, g.depth, false, work.columns, p.count, false, out, g.out);
      call.accumulate = add != nullptr;
      for (int64_t k = 0; k < g.k && add != nullptr; ++k) {
        std::fill_n(out + k * g.out, p.count, add[k]);
      }
      multiply(call, g.k, p.count, g.depth);
    }
  });
}

template <class T>
void backward_input(const ConvArgs& args, const T* grad_y, const T* weight, T* grad_x) {
  const Geometry g(args);
  std::fill_n(grad_x, g.x_numel, T(0));
  const int64_t tasks = args.n * args.groups;
  for_tasks<T>(g, tasks, runs_of(tasks), [&](int64_t task, int64_t, Workspace<T> work) {
    for_blocks(g, task / args.groups, task % args.groups, [&](const Place& p) {
      find_positions(args, g, p.begin, p.count, work.where);
      const T* w = at_weight(g, p, weight);
      const T* gy = at_y(args, g, p, grad_y);
      if (args.channels_last) {
        multiply(product_args<T>(gy, args.k, false, w, g.depth, false, work.columns, g.depth),
                 p.count, g.depth, g.k);
      } else {
        multiply(product_args<T>(w, g.depth, true, gy, g.out, false, work.columns, p.count),
                 g.depth, p.count, g.k);
      }
      scatter_add(args, g, work.where, p.count, work.columns, at_x(args, g, p, grad_x));
    });
  });
}

/// Sums of grad_y over samples and positions.
template <class T>
void sum_bias(const ConvArgs& args, const Geometry& g, const T* grad_y, T* grad_bias) {
  const int64_t channel = args.channels_last ? 1 : g.out,
                position = args.channels_last ? args.k : 1;
  const int64_t samples = g.y_numel == 0 ? 0 : args.n;  // an empty grad_y may be null
  parallel_for(args.k, 8, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      double sum = 0;
      for (int64_t n = 0; n < samples; ++n) {
        const T* values = grad_y + n * args.k * g.out + k * channel;
        double part = 0;
        for (int64_t o = 0; o < g.out; ++o) part += static_cast<double>(values[o * position]);
        sum += part;
      }
      grad_bias[k] = static_cast<T>(sum);
    }
  });
}

template <class T>
void backward_weight(const ConvArgs& args, const T* x, const T* grad_y, T* grad_weight,
                     T* grad_bias) {
  const Geometry g(args);
  if (grad_bias != nullptr) sum_bias(args, g, grad_y, grad_bias);
  // Every run of samples sums into a copy of its own; the copies are then added in order.
  const int64_t runs = runs_of(args.n);
  const Scratch scratch(static_cast<size_t>((runs - 1) * g.weight_numel) * sizeof(T));
  T* copies = scratch.as<T>();
  std::fill_n(grad_weight, g.weight_numel, T(0));
  std::fill_n(copies, (runs - 1) * g.weight_numel, T(0));
  for_tasks<T>(g, args.n, runs, [&](int64_t n, int64_t run, Workspace<T> work) {
    T* sums = run == 0 ? grad_weight : copies + (run - 1) * g.weight_numel;
    for (int64_t group = 0; group < args.groups; ++group) {
      for_blocks(g, n, group, [&](const Place& p) {
        find_positions(args, g, p.begin, p.count, work.where);
        gather(args, g, work.where, p.count, at_x(args, g, p, x), work.columns);
        const T* gy = at_y(args, g, p, grad_y);
        T* gw = at_weight(g, p, sums);
        auto call =
            args.channels_last
                ? product_args<T>(gy, args.k, true, work.columns, g.depth, false, gw, g.depth)
                : product_args<T>(gy, g.out, false, work.columns, p.count, true, gw, g.depth);
        call.accumulate = true;
        multiply(call, g.k, g.depth, p.count);
      });
    }
  });
  for (int64_t run = 1; run < runs; ++run) {
    const T* from = copies + (run - 1) * g.weight_numel;
    for (int64_t i = 0; i < g.weight_numel; ++i) grad_weight[i] += from[i];
  }
}

bool empty(const ConvArgs& args, const Geometry& g) {
  return args.n == 0 || args.k == 0 || g.out == 0 || g.depth == 0;
}

void run_forward(const ConvArgs& args, const float* x, const float* w, const float* b, float* y) {
  if (!empty(args, Geometry(args)) && dnn::conv(args, x, w, b, y)) return;
  forward(args, x, w, b, y);
}
void run_backward_input(const ConvArgs& args, const float* gy, const float* w, float* gx) {
  const Geometry g(args);
  if (!empty(args, g) && g.x_numel > 0 && dnn::conv_backward_input(args, gy, w, gx)) return;
  backward_input(args, gy, w, gx);
}
void run_backward_weight(const ConvArgs& args, const float* x, const float* gy, float* gw,
                         float* gb) {
  if (!empty(args, Geometry(args)) && dnn::conv_backward_weight(args, x, gy, gw, gb)) return;
  backward_weight(args, x, gy, gw, gb);
}
void run_forward(const ConvArgs& args, const double* x, const double* w, const double* b,
                 double* y) {
  forward(args, x, w, b, y);
}
void run_backward_input(const ConvArgs& args, const double* gy, const double* w, double* gx) {
  backward_input(args, gy, w, gx);
}
void run_backward_weight(const ConvArgs& args, const double* x, const double* gy, double* gw,
                         double* gb) {
  backward_weight(args, x, gy, gw, gb);
}

// Float copies of half tensors. Absent ones (null) stay absent.

constexpr int64_t kConvertGrain = 1 << 14;

template <class T>
class FloatInput {
 public:
  FloatInput(const T* from, int64_t numel)
      : scratch_(from == nullptr ? 0 : static_cast<size_t>(numel) * sizeof(float)) {
    float* to = scratch_.as<float>();
    if (from == nullptr) return;
    parallel_for(numel, kConvertGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(from[i]);
    });
  }
  const float* data() const { return scratch_.as<float>(); }

 private:
  Scratch scratch_;
};

template <class T>
class FloatOutput {
 public:
  FloatOutput(T* to, int64_t numel)
      : to_(to),
        numel_(numel),
        scratch_(to == nullptr ? 0 : static_cast<size_t>(numel) * sizeof(float)) {}
  float* data() const { return scratch_.as<float>(); }
  void store() const {
    if (to_ == nullptr) return;
    parallel_for(numel_, kConvertGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to_[i] = T(data()[i]);
    });
  }

 private:
  T* to_;
  int64_t numel_;
  Scratch scratch_;
};

template <class T>
void run_forward(const ConvArgs& args, const T* x, const T* w, const T* b, T* y) {
  const Geometry g(args);
  const FloatInput<T> fx(x, g.x_numel), fw(w, g.weight_numel), fb(b, args.k);
  const FloatOutput<T> fy(y, g.y_numel);
  run_forward(args, fx.data(), fw.data(), fb.data(), fy.data());
  fy.store();
}
template <class T>
void run_backward_input(const ConvArgs& args, const T* gy, const T* w, T* gx) {
  const Geometry g(args);
  const FloatInput<T> fy(gy, g.y_numel), fw(w, g.weight_numel);
  const FloatOutput<T> fx(gx, g.x_numel);
  run_backward_input(args, fy.data(), fw.data(), fx.data());
  fx.store();
}
template <class T>
void run_backward_weight(const ConvArgs& args, const T* x, const T* gy, T* gw, T* gb) {
  const Geometry g(args);
  const FloatInput<T> fx(x, g.x_numel), fy(gy, g.y_numel);
  const FloatOutput<T> fw(gw, g.weight_numel), fb(gb, args.k);
  run_backward_weight(args, fx.data(), fy.data(), fw.data(), fb.data());
  fw.store();
  fb.store();
}

/// Calls f with a value of the element type.
template <class F>
void visit_float(const char* op, DType dtype, const F& f) {
  switch (dtype) {
    case DType::Float32:
      return f(float{});
    case DType::Float64:
      return f(double{});
    case DType::Float16:
      return f(Half{});
    case DType::BFloat16:
      return f(BFloat16{});
    default:
      WICK_FAIL(DTypeError, op, ": expected a floating-point type, got ", dtype);
  }
}

}  // namespace

void conv(const ConvArgs& args, const void* x, const void* weight, const void* bias, void* y) {
  visit_float("conv", args.dtype, [&](auto value) {
    using T = decltype(value);
    run_forward(args, static_cast<const T*>(x), static_cast<const T*>(weight),
                static_cast<const T*>(bias), static_cast<T*>(y));
  });
}

void conv_backward_input(const ConvArgs& args, const void* grad_y, const void* weight,
                         void* grad_x) {
  visit_float("conv_backward_input", args.dtype, [&](auto value) {
    using T = decltype(value);
    run_backward_input(args, static_cast<const T*>(grad_y), static_cast<const T*>(weight),
                       static_cast<T*>(grad_x));
  });
}

void conv_backward_weight(const ConvArgs& args, const void* x, const void* grad_y,
                          void* grad_weight, void* grad_bias) {
  visit_float("conv_backward_weight", args.dtype, [&](auto value) {
    using T = decltype(value);
    run_backward_weight(args, static_cast<const T*>(x), static_cast<const T*>(grad_y),
                        static_cast<T*>(grad_weight), static_cast<T*>(grad_bias));
  });
}

}  // namespace wick::cpu
