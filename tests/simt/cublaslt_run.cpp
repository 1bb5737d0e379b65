#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <tests/simt/cublaslt.h>

#include <bit>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

// What the stand-in computes: plain sums, from the last product to the first.
namespace simt::blas {
namespace {

const char* const kName = "cublasLtMatmul: ";

template <class Sum, class T>
Sum up(T v) {
  if constexpr (std::is_same_v<T, __half>) {
    return __half2float(v);
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __bfloat162float(v);
  } else {
    return static_cast<Sum>(v);
  }
}
template <class T, class Sum>
T down(Sum v) {
  if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(v);
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(v);
  } else {
    return v;
  }
}

/// To 10 bits of fraction, the nearest, as tensor cores are fed.
float to_tf32(float v) {
  if (!std::isfinite(v)) return v;
  return std::bit_cast<float>((std::bit_cast<uint32_t>(v) + 0x1000) & ~uint32_t{0x1fff});
}

void require_written(const void* p, const Layout& m, const char* name) {
  if (!checker::active()) return;
  for (int64_t b = 0; b < m.batch; ++b)
    for (uint64_t j = 0; j < m.columns; ++j)
      checker::require_initialised(static_cast<const char*>(p) + m.at(b, 0, j) * m.element(),
                                   m.rows * m.element(), std::string(kName) + name);
}
void written(void* p, const Layout& m) {
  for (int64_t b = 0; b < m.batch; ++b)
    for (uint64_t j = 0; j < m.columns; ++j)
      checker::written(static_cast<char*>(p) + m.at(b, 0, j) * m.element(), m.rows * m.element());
}

/// The sums over k of one matrix of the batch are made in `parts` pieces, each in its own part of
/// the workspace.
template <class T, class Sum>
class Matrix {
 public:
  Matrix(const Product& p, int64_t batch) : p_(p), batch_(batch), m_(p.d.rows), n_(p.d.columns) {
    const Description& op = p.op;
    k_ = p.k();
    a_.resize(m_ * k_);
    b_.resize(k_ * n_);
    for (uint64_t l = 0; l < k_; ++l) {
      for (uint64_t i = 0; i < m_; ++i)
        a_[l * m_ + i] = load(p.in_a, p.a, op.trans_a == CUBLAS_OP_N, i, l);
      for (uint64_t j = 0; j < n_; ++j)
        b_[j * k_ + l] = load(p.in_b, p.b, op.trans_b == CUBLAS_OP_N, l, j);
    }
  }

  void run() {
    std::vector<Sum> own;
    Sum* sums = static_cast<Sum*>(p_.workspace);
    if (p_.algorithm.parts == 1) {
      own.resize(m_ * n_);
      sums = own.data();
    }
    for (uint32_t part = p_.algorithm.parts; part-- > 0;) add_part(part, sums + part * m_ * n_);
    for (uint32_t part = 1; part < p_.algorithm.parts; ++part)
      for (uint64_t i = 0; i < m_ * n_; ++i) sums[i] += sums[part * m_ * n_ + i];
    finish(sums);
    if (p_.op.has_bias_gradient()) sum_columns();
  }

 private:
  Sum load(const void* from, const Layout& matrix, bool plain, uint64_t row,
           uint64_t column) const {
    const size_t at = plain ? matrix.at(batch_, row, column) : matrix.at(batch_, column, row);
    const Sum v = up<Sum>(static_cast<const T*>(from)[at]);
    if constexpr (std::is_same_v<T, float>)
      if (p_.op.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return to_tf32(v);
    return v;
  }

  void add_part(uint32_t part, Sum* sums) const {
    const uint64_t begin = k_ * part / p_.algorithm.parts;
    const uint64_t end = k_ * (part + 1) / p_.algorithm.parts;
    for (uint64_t j = 0; j < n_; ++j) {
      Sum* const column = sums + j * m_;
      for (uint64_t i = 0; i < m_; ++i) column[i] = 0;
      for (uint64_t l = end; l-- > begin;) {
        const Sum factor = b_[j * k_ + l];
        const Sum* const a = &a_[l * m_];
        for (uint64_t i = 0; i < m_; ++i) column[i] += a[i] * factor;
      }
      if (p_.algorithm.rounded)
        for (uint64_t i = 0; i < m_; ++i) column[i] = up<Sum>(down<T>(column[i]));
    }
  }

  void finish(const Sum* sums) const {
    const Description& op = p_.op;
    for (uint64_t j = 0; j < n_; ++j) {
      for (uint64_t i = 0; i < m_; ++i) {
        Sum v = static_cast<Sum>(p_.alpha) * sums[j * m_ + i];
        if (p_.beta != 0)
          v += static_cast<Sum>(p_.beta) *
               up<Sum>(static_cast<const T*>(p_.in_c)[p_.c.at(batch_, i, j)]);
        if (op.has_bias()) v += up<Sum>(static_cast<const T*>(op.bias)[i]);
        if (op.has_aux())
          static_cast<T*>(const_cast<void*>(op.aux))[j * static_cast<uint64_t>(op.aux_ld) + i] =
              down<T>(v);
        // The form with tanh (https://arxiv.org/abs/1606.08415).
        if (op.has_gelu())
          v = v / 2 *
              (1 + std::tanh(static_cast<Sum>(0.7978845608028654) *
                             (v + static_cast<Sum>(0.044715) * v * v * v)));
        static_cast<T*>(p_.out)[p_.d.at(batch_, i, j)] = down<T>(v);
      }
    }
  }

  /// The gradient of the bias: of B, whose columns are those of D.
  void sum_columns() const {
    T* const out = static_cast<T*>(const_cast<void*>(p_.op.bias));
    for (uint64_t j = 0; j < n_; ++j) {
      Sum sum = 0;
      for (uint64_t l = k_; l-- > 0;) sum += b_[j * k_ + l];
      out[j] = down<T>(sum);
    }
  }

  const Product& p_;
  int64_t batch_;
  uint64_t m_, n_, k_;
  std::vector<Sum> a_, b_;  // op(A) by columns, op(B) by columns
};

template <class T, class Sum>
void run_batch(const Product& p) {
  for (int64_t b = 0; b < p.d.batch; ++b) Matrix<T, Sum>(p, b).run();
}

uint64_t bias_bytes(const Product& p) {
  const Description& op = p.op;
  return p.d.element() * (op.has_bias() ? p.d.rows : op.has_bias_gradient() ? p.d.columns : 0);
}
Layout aux_layout(const Product& p) {
  Layout aux = p.d;
  aux.batch = 1;
  aux.ld = p.op.aux_ld;
  return aux;
}

}  // namespace

size_t Layout::element() const { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

void require_memory(const Product& p) {
  const auto require = [&](const void* from, size_t bytes, const char* name) {
    simt::require_memory(from, bytes, p.device, std::string(kName) + name);
  };
  require(p.in_a, p.a.extent(), "A");
  require(p.in_b, p.b.extent(), "B");
  if (p.beta != 0) require(p.in_c, p.c.extent(), "C");
  require(p.out, p.d.extent(), "D");
  require(p.op.bias, bias_bytes(p), "the bias");
  if (p.op.has_aux()) require(p.op.aux, aux_layout(p).extent(), "the auxiliary output");
  require(p.workspace, p.algorithm.workspace, "the workspace");
}

void run(const Product& p) {
  const DeviceAccess access;
  const Description& op = p.op;
  require_memory(p);
  require_written(p.in_a, p.a, "A");
  require_written(p.in_b, p.b, "B");
  if (p.beta != 0) require_written(p.in_c, p.c, "C");
  if (op.has_bias())
    checker::require_initialised(op.bias, bias_bytes(p), std::string(kName) + "the bias");
  switch (p.d.type) {
    case CUDA_R_16F:
      run_batch<__half, float>(p);
      break;
    case CUDA_R_16BF:
      run_batch<__nv_bfloat16, float>(p);
      break;
    case CUDA_R_32F:
      run_batch<float, float>(p);
      break;
    default:
      run_batch<double, double>(p);
  }
  written(p.out, p.d);
  if (op.has_aux()) written(const_cast<void*>(op.aux), aux_layout(p));
  if (op.has_bias_gradient()) checker::written(const_cast<void*>(op.bias), bias_bytes(p));
}

}  // namespace simt::blas
