#pragma once

#include <cublasLt.h>

#include <tests/simt/internal.h>

#include <cstdint>
#include <sstream>

// The stand-in of cuBLASLt: the functions of it that wick uses, with every argument checked.
namespace simt {

/// The heuristic has no algorithm for these epilogues from now on; none: it has one for all.
void refuse_epilogue(cublasLtEpilogue_t epilogue);
void refuse_no_epilogue();
/// How often the heuristic has been asked.
int64_t heuristic_calls();

namespace blas {

/// What is in the library's opaque structs here.
struct Description {
  uint64_t magic;
  cublasComputeType_t compute;
  cudaDataType_t scale;
  int32_t trans_a, trans_b;
  uint32_t epilogue;
  const void* bias;
  const void* aux;
  int64_t aux_ld;

  bool has_bias() const { return epilogue & CUBLASLT_EPILOGUE_BIAS; }
  bool has_bias_gradient() const { return epilogue == CUBLASLT_EPILOGUE_BGRADB; }
  bool has_gelu() const { return epilogue & CUBLASLT_EPILOGUE_GELU; }
  bool has_aux() const { return has_gelu() && (epilogue & 128); }
};
struct Layout {
  uint64_t magic;
  cudaDataType_t type;
  int32_t batch;
  uint64_t rows, columns;
  int64_t ld, stride;

  size_t at(int64_t b, uint64_t row, uint64_t column) const {
    return static_cast<size_t>(b * stride + static_cast<int64_t>(column) * ld) + row;
  }
  size_t element() const;  // bytes
  /// From the first element to behind the last, in bytes.
  size_t extent() const { return (at(batch - 1, rows - 1, columns - 1) + 1) * element(); }
};
struct Preference {
  uint64_t magic;
  uint64_t workspace;
  uint32_t reductions;
  uint32_t alignment[4];  // A, B, C, D
};
struct Algorithm {
  uint64_t magic;
  uint64_t problem;  // that it was chosen for
  uint64_t workspace;
  uint32_t alignment[4], bias_alignment, aux_alignment;
  uint32_t parts;  // sums that are added up in the workspace
  bool rounded;    // to the type of the result, before that
};

struct Problem {
  Description op;
  Layout a, b, c, d;
  uint64_t k() const { return op.trans_a == CUBLAS_OP_N ? a.columns : a.rows; }
};
struct Product : Problem {
  int device;
  double alpha, beta;
  const void *in_a, *in_b, *in_c;
  void* out;
  void* workspace;
  Algorithm algorithm;
};

template <class... Parts>
[[noreturn]] void fail(const char* function, const Parts&... parts) {
  std::ostringstream text;
  text << "simt: " << function << ": ";
  (text << ... << parts);
  throw Error(text.str());
}
size_t alignment_of(const void* p);

/// Throw Error, which begins with the function's name, for what the library would not stand.
void check_problem(const char* function, const Problem& p);
void check_arguments(const char* function, const Product& p, size_t workspace_bytes);
/// Unless everything that the product touches is live memory of its device.
void require_memory(const Product& p);

/// Computes it. Throws Error if memory that it touches is not there any more, or was never written.
void run(const Product& p);

}  // namespace blas
}  // namespace simt
