#include <wick/kernels/cpu/blas.h>
#include <wick/kernels/cpu/dnn.h>
#include <wick/kernels/cpu/scratch.h>
#include <wick/kernels/matmul.h>
#include <type_traits>

namespace wick::cpu {
namespace {

// Products up to this many multiplications are done before a library has found its kernel (measured
// against oneDNN for float32 and OpenBLAS for float64).
template <class T>
constexpr double kTinySteps = std::is_same_v<T, double> ? 512 : 4096;
// Matrices of at most this size are shared out whole among the threads.
constexpr double kWholeSteps = 1 << 21;
constexpr double kGrainSteps = 1 << 16;  // what is worth a thread

template <class T>
Gemm<T> gemm_of(const MatmulArgs& args, int64_t index) {
  Gemm<T> g;
  g.m = args.m;
  g.n = args.n;
  g.k = args.k;
  const int64_t operand = args.k == 0 ? 0 : index;  // without elements, pointers may be null
  g.a = static_cast<const T*>(args.a) + operand * args.stride_a;
  g.b = static_cast<const T*>(args.b) + operand * args.stride_b;
  g.c = static_cast<T*>(args.c) + index * args.stride_c;
  g.lda = args.lda;
  g.ldb = args.ldb;
  g.ldc = args.ldc;
  g.trans_a = args.trans_a;
  g.trans_b = args.trans_b;
  g.bias = static_cast<const T*>(args.bias);
  g.accumulate = args.accumulate;
  return g;
}

/// Multiplications; in floating point, where no sizes overflow.
template <class Sizes>
double steps(const Sizes& s) {
  return static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
}

/// Puts the bias into c, so that the product can be added to it.
template <class T>
void apply_bias(Gemm<T>& g) {
  if (g.bias == nullptr) return;
  const int64_t grain = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(g.n, 1));
  parallel_for(g.m, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      gemm_detail::write(g.bias, g.n, static_cast<const T*>(nullptr), g.accumulate,
                         g.c + i * g.ldc);
    }
  });
  g.bias = nullptr;
  g.accumulate = true;
}

void large(Gemm<float> g) {
  apply_bias(g);
  if (!dnn::gemm(g)) blas::gemm(g);
}
void large(Gemm<double> g) {
  apply_bias(g);
  blas::gemm(g);
}
template <class T>
void large(const Gemm<T>& g) {
  gemm_split(g, [](const Gemm<T>& part) { gemm_serial(part); });
}

template <class T>
void multiply(const MatmulArgs& args) {
  const double each = steps(args);
  const bool tiny = each <= kTinySteps<T>;
  if (args.batch == 1) {
    const Gemm<T> g = gemm_of<T>(args, 0);
    return tiny ? gemm_tiny(g) : large(g);
  }
  if (!tiny && each > kWholeSteps) {
    for (int64_t i = 0; i < args.batch; ++i) large(gemm_of<T>(args, i));
    return;
  }
  const auto grain = static_cast<int64_t>(kGrainSteps / std::max(each, 64.0)) + 1;
  if (tiny) {
    return parallel_for(args.batch, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) gemm_tiny(gemm_of<T>(args, i));
    });
  }
  parallel_for(args.batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) large(gemm_of<T>(args, i));
  });
}

/// Half types: float32 copies of one matrix at a time, rounded once at the end.
template <class T>
void multiply_half(const MatmulArgs& args) {
  const int64_t a_rows = args.trans_a ? args.k : args.m, a_cols = args.trans_a ? args.m : args.k;
  const int64_t b_rows = args.trans_b ? args.n : args.k, b_cols = args.trans_b ? args.k : args.n;
  const size_t a_bytes = aligned_bytes(static_cast<size_t>(a_rows * a_cols) * sizeof(float));
  const size_t b_bytes = aligned_bytes(static_cast<size_t>(b_rows * b_cols) * sizeof(float));
  const size_t c_bytes = aligned_bytes(static_cast<size_t>(args.m * args.n) * sizeof(float));
  const Scratch scratch(a_bytes + b_bytes + c_bytes + static_cast<size_t>(args.n) * sizeof(float));
  auto* a = scratch.as<float>();
  float* b = a + a_bytes / sizeof(float);
  float* c = b + b_bytes / sizeof(float);
  float* bias = c + c_bytes / sizeof(float);
  const auto rows_of = [](int64_t rows, int64_t cols, const auto& body) {
    const int64_t grain = std::max<int64_t>(1, (1 << 13) / std::max<int64_t>(cols, 1));
    parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  };
  const auto load = [&](const T* from, int64_t ld, int64_t rows, int64_t cols, float* to) {
    rows_of(rows, cols, [&](int64_t i) {
      for (int64_t j = 0; j < cols; ++j) to[i * cols + j] = static_cast<float>(from[i * ld + j]);
    });
  };
  if (args.bias != nullptr) load(static_cast<const T*>(args.bias), 0, 1, args.n, bias);
  for (int64_t index = 0; index < args.batch; ++index) {
    const Gemm<T> h = gemm_of<T>(args, index);
    if (index == 0 || args.stride_a != 0) load(h.a, h.lda, a_rows, a_cols, a);
    if (index == 0 || args.stride_b != 0) load(h.b, h.ldb, b_rows, b_cols, b);
    if (args.accumulate) load(h.c, h.ldc, args.m, args.n, c);
    Gemm<float> g{.m = h.m, .n = h.n, .k = h.k, .a = a, .b = b, .c = c};
    g.lda = a_cols;
    g.ldb = b_cols;
    g.ldc = args.n;
    g.trans_a = h.trans_a;
    g.trans_b = h.trans_b;
    g.bias = args.bias == nullptr ? nullptr : bias;
    g.accumulate = h.accumulate;
    steps(g) <= kTinySteps<float> ? gemm_tiny(g) : large(g);
    rows_of(args.m, args.n, [&](int64_t i) {
      for (int64_t j = 0; j < args.n; ++j) h.c[i * h.ldc + j] = T(c[i * args.n + j]);
    });
  }
}

/// Or of ands.
void multiply_bool(const MatmulArgs& args) {
  for (int64_t index = 0; index < args.batch; ++index) {
    const Gemm<bool> g = gemm_of<bool>(args, index);
    const int64_t grain = static_cast<int64_t>(kGrainSteps / std::max(steps(g) / 16, 1.0)) + 1;
    parallel_for(g.m, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        bool* c = g.c + i * g.ldc;
        for (int64_t j = 0; j < g.n; ++j) {
          bool any = (g.bias != nullptr && g.bias[j]) || (g.accumulate && c[j]);
          for (int64_t p = 0; p < g.k && !any; ++p) any = *g.a_at(i, p) && *g.b_at(p, j);
          c[j] = any;
        }
      }
    });
  }
}

/// A batch whose matrices lie one after another and share op(b) is one tall matrix.
void merge_batch(MatmulArgs& args) {
  if (args.batch > 1 && !args.trans_a && args.stride_b == 0 && args.stride_a == args.m * args.lda &&
      args.stride_c == args.m * args.ldc) {
    args.m *= args.batch;
    args.batch = 1;
  }
}

void multiply_any(const MatmulArgs& args) {
  switch (args.dtype) {
    case DType::Float32:
      return multiply<float>(args);
    case DType::Float64:
      return multiply<double>(args);
    case DType::Float16:
      return multiply_half<Half>(args);
    case DType::BFloat16:
      return multiply_half<BFloat16>(args);
    case DType::Bool:
      return multiply_bool(args);
    // Unsigned arithmetic wraps around without undefined behaviour and gives the same bits.
    case DType::UInt8:
    case DType::Int8:
      return multiply<uint8_t>(args);
    case DType::Int16:
      return multiply<uint16_t>(args);
    case DType::Int32:
      return multiply<uint32_t>(args);
    case DType::Int64:
      return multiply<uint64_t>(args);
  }
}

}  // namespace

void matmul(const MatmulArgs& args) {
  if (args.row_sums) reduce(ReduceOp::Sum, args.dtype, args.dtype, row_sums_args(args));
  if (args.batch == 0 || args.m == 0 || args.n == 0) return;
  MatmulArgs plain = plain_product(args);
  merge_batch(plain);
  multiply_any(plain);
  if (args.activation) unary(*args.activation, args.dtype, activation_args(args));
}

}  // namespace wick::cpu
