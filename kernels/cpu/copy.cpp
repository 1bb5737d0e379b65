#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/tiles.h>
#include <algorithm>
#include <cstring>

namespace wick::cpu {
namespace {

template <class E>
using Any [[gnu::may_alias]] = E;

template <class E>
void copy_row(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t n) {
  if (to_stride == 1 && from_stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(E));
    return;
  }
  Any<E>* const out = reinterpret_cast<Any<E>*>(to);
  const Any<E>* const in = reinterpret_cast<const Any<E>*>(from);
  for (int64_t i = 0; i < n; ++i) out[i * to_stride] = in[i * from_stride];
}

template <class E>
void copy_rows(const ElementwiseArgs& args) {
  const int dims = args.ndim - 1;
  const int64_t inner = args.sizes[dims];
  const int64_t bytes[] = {sizeof(E), sizeof(E)};
  const auto body = [&](int64_t begin, int64_t end) {
    Rows rows(args, dims, bytes, begin);
    for (int64_t r = begin; r < end; ++r, rows.next()) {
      copy_row<E>(rows.data(0), args.strides[0][dims], rows.data(1), args.strides[1][dims], inner);
    }
  };
  const int64_t rows = row_count(args, dims);
  if (args.numel <= kParallelElements) return body(0, rows);
  parallel_for(rows, std::max<int64_t>(kGrainElements / inner, 1), body);
}

/// One block of a transposition, at most kSide x kSide: to[i][j] = from[j][i], with j running along
/// memory in `to` and i in `from`. Through a buffer, so that every cache line is touched once even
/// where strides are powers of two.
template <class E, int64_t kSide>
void transpose_block(char* to, const int64_t (&to_stride)[2], const char* from,
                     const int64_t (&from_stride)[2], int64_t ni, int64_t nj) {
  Any<E>* const out = reinterpret_cast<Any<E>*>(to);
  const Any<E>* const in = reinterpret_cast<const Any<E>*>(from);
  E block[kSide][kSide];
  for (int64_t j = 0; j < nj; ++j) {
    const Any<E>* const row = in + j * from_stride[1];
    if (from_stride[0] == 1) {
      for (int64_t i = 0; i < ni; ++i) block[j][i] = row[i];
    } else {
      for (int64_t i = 0; i < ni; ++i) block[j][i] = row[i * from_stride[0]];
    }
  }
  for (int64_t i = 0; i < ni; ++i) {
    Any<E>* const row = out + i * to_stride[0];
    for (int64_t j = 0; j < nj; ++j) row[j * to_stride[1]] = block[j][i];
  }
}

/// The last two dimensions (i, j): j runs along memory in the output, i in the input.
template <class E>
void copy_transposed(const ElementwiseArgs& args) {
  constexpr int64_t kSide = 64 / sizeof(E);
  const int di = args.ndim - 2, dj = args.ndim - 1;
  const int64_t ni = args.sizes[di], nj = args.sizes[dj];
  const int64_t to_stride[] = {args.strides[0][di], args.strides[0][dj]};
  const int64_t from_stride[] = {args.strides[1][di], args.strides[1][dj]};
  const int64_t bytes[] = {sizeof(E), sizeof(E)};
  const int64_t bands = (ni - 1) / kSide + 1;  // of kSide rows of the output
  const auto body = [&](int64_t begin, int64_t end) {
    Rows rows(args, di, bytes, begin / bands);
    int64_t band = begin % bands;
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t i = band * kSide;
      for (int64_t j = 0; j < nj; j += kSide) {
        const int64_t to = (i * to_stride[0] + j * to_stride[1]) * bytes[0];
        const int64_t from = (i * from_stride[0] + j * from_stride[1]) * bytes[1];
        transpose_block<E, kSide>(rows.data(0) + to, to_stride, rows.data(1) + from, from_stride,
                                  std::min(kSide, ni - i), std::min(kSide, nj - j));
      }
      if (++band == bands) {
        band = 0;
        rows.next();
      }
    }
  };
  const int64_t units = row_count(args, di) * bands;
  if (args.numel <= kParallelElements) return body(0, units);
  parallel_for(units, std::max<int64_t>(kGrainElements / (nj * kSide), 1), body);
}

void swap_dims(ElementwiseArgs& args, int a, int b) {
  std::swap(args.sizes[a], args.sizes[b]);
  for (int i = 0; i < args.operands; ++i) std::swap(args.strides[i][a], args.strides[i][b]);
}

/// The dimension along which the input lies closest in memory.
int innermost_of_input(const ElementwiseArgs& args) {
  int best = args.ndim - 1;
  for (int d = args.ndim - 1; d >= 0; --d) {
    const int64_t stride = std::abs(args.strides[1][d]);
    if (stride > 0 && args.sizes[d] > 1 && stride < std::abs(args.strides[1][best])) best = d;
  }
  return best;
}

template <class E>
void copy_same(const ElementwiseArgs& args) {
  char* const to = static_cast<char*>(args.data[0]);
  const char* const from = static_cast<const char*>(args.data[1]);
  if (args.ndim == 0) {
    std::memcpy(to, from, sizeof(E));
    return;
  }
  if (args.ndim == 1) {
    const int64_t to_stride = args.strides[0][0], from_stride = args.strides[1][0];
    const auto body = [&](int64_t begin, int64_t end) {
      copy_row<E>(to + begin * to_stride * int64_t{sizeof(E)}, to_stride,
                  from + begin * from_stride * int64_t{sizeof(E)}, from_stride, end - begin);
    };
    if (args.numel <= kParallelElements) return body(0, args.numel);
    return parallel_for(args.numel, kGrainElements, body);
  }
  const int last = args.ndim - 1, along_input = innermost_of_input(args);
  if (along_input != last && args.sizes[last] >= 4 && args.sizes[along_input] >= 4) {
    ElementwiseArgs transposed = args;
    swap_dims(transposed, along_input, last - 1);
    return copy_transposed<E>(transposed);
  }
  copy_rows<E>(args);
}

}  // namespace

void copy(DType to, DType from, const ElementwiseArgs& args) {
  if (args.numel == 0) return;
  if (to != from) {
    const Loop loop = WICK_ISA_CALL(convert_loop, loop_type(to), loop_type(from));
    return run_loop(loop, args, {.in = from, .out = to});
  }
  switch (element_size(to)) {
    case 1:
      return copy_same<uint8_t>(args);
    case 2:
      return copy_same<uint16_t>(args);
    case 4:
      return copy_same<uint32_t>(args);
    default:
      return copy_same<uint64_t>(args);
  }
}

}  // namespace wick::cpu
