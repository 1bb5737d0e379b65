#include <wick/core/check.h>
#include <wick/kernels/convert.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/tiles.h>
#include <algorithm>

namespace wick::cpu {
namespace {

#define WICK_NAME(name, Name) #name,
constexpr const char* kUnaryNames[] = {WICK_UNARY_OPS(WICK_NAME) WICK_UNARY_NUMBER_OPS(
    WICK_NAME) WICK_UNARY_RARE_OPS(WICK_NAME) WICK_UNARY_ROUNDING_OPS(WICK_NAME)};
constexpr const char* kBinaryNames[] = {WICK_BINARY_OPS(WICK_NAME) WICK_BINARY_RARE_OPS(WICK_NAME)
                                            WICK_BINARY_SPECIAL_OPS(WICK_NAME)};
#undef WICK_NAME
inline void check_exists(Loop loop, const char* op, const char* suffix, DType dtype) {
  WICK_CHECK(DTypeError, loop != nullptr, op, suffix, ": not defined for ", dtype,
             "; convert with .to(dtype)");
}

}  // namespace

void throw_zero_division(BinaryOp op) {
  WICK_FAIL(ValueError, kBinaryNames[static_cast<int>(op)],
            ": integer division by zero; convert to a floating type, or mask the zeros");
}

void unary(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  const Loop loop = WICK_ISA_CALL(unary_loop, op, loop_type(dtype));
  check_exists(loop, kUnaryNames[static_cast<int>(op)], "", dtype);
  run_loop(loop, args, {.in = dtype, .out = dtype});
}

void unary_backward(UnaryOp op, DType dtype, const ElementwiseArgs& args) {
  const Loop loop = WICK_ISA_CALL(unary_backward_loop, op, loop_type(dtype));
  check_exists(loop, kUnaryNames[static_cast<int>(op)], "_backward", dtype);
  run_loop(loop, args, {.in = dtype, .out = dtype});
}

void binary(BinaryOp op, DType dtype, const ElementwiseArgs& args) {
  if (op == BinaryOp::Pow && args.immediate_operand == 2 && args.immediate.as<double>() == 2) {
    ElementwiseArgs square = args;
    square.immediate_operand = -1;
    square.data[2] = args.data[1];
    std::copy(args.strides[1], args.strides[1] + kMaxRank, square.strides[2]);
    return binary(BinaryOp::Mul, dtype, square);
  }
  const Loop loop = WICK_ISA_CALL(binary_loop, op, loop_type(dtype));
  check_exists(loop, kBinaryNames[static_cast<int>(op)], "", dtype);
  run_loop(loop, args, {.in = dtype, .out = dtype});
}

void binary_backward(BinaryOp op, int side, DType dtype, const ElementwiseArgs& args) {
  const Loop loop = WICK_ISA_CALL(binary_backward_loop, op, side, loop_type(dtype));
  check_exists(loop, kBinaryNames[static_cast<int>(op)], "_backward", dtype);
  run_loop(loop, args, {.in = dtype, .out = dtype});
}

void compare(CompareOp op, DType dtype, const ElementwiseArgs& args) {
  const Loop loop = WICK_ISA_CALL(compare_loop, op, loop_type(dtype));
  run_loop(loop, args, {.in = dtype, .out = DType::Bool});
}

void where(DType dtype, const ElementwiseArgs& args) {
  const Loop loop = WICK_ISA_CALL(where_loop, element_size(dtype));
  run_loop(loop, args, {.in = dtype, .out = dtype, .first_input_is_bool = true, .raw = true});
}

void fill(DType dtype, const ElementwiseArgs& args) {
  if (args.numel == 0) return;
  const uint64_t bits = immediate_bits(args.immediate, dtype);
  const int64_t bytes = element_size(dtype);
  const int dims = std::max(args.ndim - 1, 0);
  const int64_t inner = args.ndim > 0 ? args.sizes[dims] : 1;
  const int64_t stride = args.ndim > 0 ? args.strides[0][dims] : 1;
  const auto fill_row = [&](char* at, int64_t n) {
    const auto put = [&](auto element) {
      using E [[gnu::may_alias]] = decltype(element);
      const E value = static_cast<E>(bits);
      E* const out = reinterpret_cast<E*>(at);
      if (stride == 1) {
        for (int64_t i = 0; i < n; ++i) out[i] = value;
      } else {
        for (int64_t i = 0; i < n; ++i) out[i * stride] = value;
      }
    };
    switch (bytes) {
      case 1:
        return put(uint8_t{});
      case 2:
        return put(uint16_t{});
      case 4:
        return put(uint32_t{});
      default:
        return put(uint64_t{});
    }
  };
  if (args.ndim <= 1) {
    char* const out = static_cast<char*>(args.data[0]);
    if (inner <= kParallelElements) return fill_row(out, inner);
    return parallel_for(inner, kGrainElements, [&](int64_t begin, int64_t end) {
      fill_row(out + begin * stride * bytes, end - begin);
    });
  }
  const auto fill_rows = [&](int64_t begin, int64_t end) {
    Rows rows(args, dims, &bytes, begin);
    for (int64_t r = begin; r < end; ++r, rows.next()) fill_row(rows.data(0), inner);
  };
  const int64_t rows = row_count(args, dims);
  if (args.numel <= kParallelElements) return fill_rows(0, rows);
  parallel_for(rows, std::max<int64_t>(kGrainElements / inner, 1), fill_rows);
}

void arange(DType dtype, void* out, int64_t n, Immediate start, Immediate step) {
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    T* const to = static_cast<T*>(out);
    if (is_floating_point(dtype)) {
      const double first = start.as<double>(), delta = step.as<double>();
      for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(first + static_cast<double>(i) * delta);
    } else {
      const uint64_t first = static_cast<uint64_t>(start.as<int64_t>());
      const uint64_t delta = static_cast<uint64_t>(step.as<int64_t>());
      for (int64_t i = 0; i < n; ++i) {
        to[i] = convert<T>(static_cast<int64_t>(first + static_cast<uint64_t>(i) * delta));
      }
    }
  });
}

}  // namespace wick::cpu
