#include <wick/kernels/cpu/blas.h>
#include <climits>

#if WICK_HAVE_OPENBLAS
#include <cblas.h>
#include <omp.h>
#endif

namespace wick::cpu::blas {
namespace {

#if WICK_HAVE_OPENBLAS

// OpenBLAS resizes one global team whenever the caller's number of threads changes, which is a race
// when several threads use it. Called with one thread it touches no global state, so wick cuts the
// product itself and every part is computed by the thread that asks for it.
class OneThread {
 public:
  OneThread() : saved_(omp_in_parallel() ? 1 : omp_get_max_threads()) {
    if (saved_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (saved_ != 1) omp_set_num_threads(saved_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int saved_;
};

void call(const Gemm<float>& g, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, static_cast<int>(g.m), static_cast<int>(g.n),
              static_cast<int>(g.k), 1.0f, g.a, lda, g.b, ldb, g.accumulate ? 1.0f : 0.0f, g.c,
              ldc);
}
void call(const Gemm<double>& g, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int lda, int ldb,
          int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, static_cast<int>(g.m), static_cast<int>(g.n),
              static_cast<int>(g.k), 1.0, g.a, lda, g.b, ldb, g.accumulate ? 1.0 : 0.0, g.c, ldc);
}

/// OpenBLAS wants leading dimensions of at least a row's length, and 32-bit integers.
int leading(int64_t rows, int64_t cols, int64_t ld) {
  if (rows == 1) ld = cols;
  return ld >= cols && ld <= INT_MAX ? static_cast<int>(ld) : 0;
}

template <class T>
bool library_gemm(const Gemm<T>& g) {
  if (g.bias != nullptr || std::max({g.m, g.n, g.k}) > INT_MAX) return false;
  const int lda = g.trans_a ? leading(g.k, g.m, g.lda) : leading(g.m, g.k, g.lda);
  const int ldb = g.trans_b ? leading(g.n, g.k, g.ldb) : leading(g.k, g.n, g.ldb);
  const int ldc = leading(g.m, g.n, g.ldc);
  if (lda == 0 || ldb == 0 || ldc == 0) return false;
  const OneThread one;
  call(g, g.trans_a ? CblasTrans : CblasNoTrans, g.trans_b ? CblasTrans : CblasNoTrans, lda, ldb,
       ldc);
  return true;
}

#else

template <class T>
bool library_gemm(const Gemm<T>&) {
  return false;
}

#endif

template <class T>
void run(const Gemm<T>& g) {
  gemm_split(g, [](const Gemm<T>& part) {
    if (!library_gemm(part)) gemm_serial(part);
  });
}

}  // namespace

void gemm(const Gemm<float>& g) { run(g); }
void gemm(const Gemm<double>& g) { run(g); }

}  // namespace wick::cpu::blas
