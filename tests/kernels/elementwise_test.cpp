#include <gtest/gtest.h>

#include <wick/kernels/elementwise.h>
#include <wick/kernels/pointwise.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace wick {
namespace {

constexpr DType kAllTypes[] = {kBool,  kUInt8,   kInt8,     kInt16,   kInt32,
                               kInt64, kFloat16, kBFloat16, kFloat32, kFloat64};
constexpr DType kFloatTypes[] = {kFloat16, kBFloat16, kFloat32, kFloat64};

/// A strided array with its own memory; elements are read and written as double.
class Array {
 public:
  Array(DType dtype, std::vector<int64_t> sizes, std::vector<int64_t> strides = {})
      : dtype(dtype), sizes(std::move(sizes)), strides(std::move(strides)) {
    if (this->strides.empty()) {
      this->strides.resize(this->sizes.size());
      int64_t stride = 1;
      for (size_t d = this->sizes.size(); d-- > 0; stride *= this->sizes[d]) {
        this->strides[d] = stride;
      }
    }
    int64_t last = 0;
    for (size_t d = 0; d < this->sizes.size(); ++d) {
      last += std::max<int64_t>(this->sizes[d] - 1, 0) * this->strides[d];
    }
    memory_.resize(static_cast<size_t>((last + 1) * element_size(dtype)));
  }
  int64_t numel() const {
    int64_t n = 1;
    for (const int64_t s : sizes) n *= s;
    return n;
  }
  char* at(int64_t linear) {
    int64_t offset = 0;
    for (size_t d = sizes.size(); d-- > 0; linear /= sizes[d]) {
      offset += linear % sizes[d] * strides[d];
    }
    return memory_.data() + offset * element_size(dtype);
  }
  template <class T>
  T raw(int64_t i) {
    T value;
    std::memcpy(&value, at(i), sizeof value);
    return value;
  }
  double get(int64_t i) {
    return visit_dtype(dtype, [&](auto t) -> double {
      using T = decltype(t);
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        return static_cast<float>(raw<T>(i));
      } else {
        return static_cast<double>(raw<T>(i));
      }
    });
  }
  void set(int64_t i, double value) {
    visit_dtype(dtype, [&](auto t) {
      using T = decltype(t);
      T v;
      if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
        v = T(static_cast<float>(value));
      } else if constexpr (std::is_same_v<T, bool>) {
        v = value != 0;
      } else {
        v = static_cast<T>(value);
      }
      std::memcpy(at(i), &v, sizeof v);
    });
  }
  /// Small numbers that every type holds; whole ones but for floating types.
  Array& fill(uint32_t seed) {
    for (int64_t i = 0; i < numel(); ++i) {
      seed = seed * 1664525u + 1013904223u;
      const int whole = static_cast<int>(seed >> 24) % 11;
      const bool with_sign = is_signed(dtype) && (seed & 0x1000) != 0;
      const double value = is_floating_point(dtype) ? whole * 0.375 + 0.25 : whole;
      set(i, dtype == kBool ? whole % 2 : with_sign ? -value : value);
    }
    return *this;
  }
  void* data() { return memory_.data(); }

  DType dtype;
  std::vector<int64_t> sizes, strides;

 private:
  std::vector<char> memory_;
};

/// Arguments over operands of one shape; a null operand is the immediate.
ElementwiseArgs make_args(std::vector<Array*> operands, Immediate immediate = {}) {
  ElementwiseArgs args;
  args.operands = static_cast<int>(operands.size());
  args.numel = operands[0]->numel();
  args.ndim = static_cast<int>(operands[0]->sizes.size());
  std::copy(operands[0]->sizes.begin(), operands[0]->sizes.end(), args.sizes);
  args.contiguous = args.ndim <= 1;
  args.immediate = immediate;
  for (int i = 0; i < args.operands; ++i) {
    Array* const o = operands[static_cast<size_t>(i)];
    if (o == nullptr) {
      args.immediate_operand = i;
      args.contiguous = false;
      continue;
    }
    args.data[i] = o->data();
    std::copy(o->strides.begin(), o->strides.end(), args.strides[i]);
    if (args.ndim == 1 && o->strides[0] != 1) args.contiguous = false;
  }
  return args;
}

struct Layout {
  std::vector<int64_t> sizes, out, a, b;  // strides
};
/// Contiguous, strided, transposed, broadcast; empty, of one element, longer than a tile.
std::vector<Layout> layouts() {
  return {
      {{}, {}, {}, {}},
      {{0}, {1}, {1}, {1}},
      {{1}, {1}, {1}, {1}},
      {{17}, {1}, {1}, {1}},
      {{530}, {1}, {1}, {1}},
      {{530}, {2}, {3}, {1}},
      {{530}, {1}, {0}, {1}},
      {{530}, {1}, {1}, {0}},
      {{5, 7}, {7, 1}, {1, 5}, {7, 1}},
      {{5, 7}, {7, 1}, {0, 1}, {1, 0}},
      {{3, 520}, {520, 1}, {1, 3}, {0, 1}},
      {{3, 520}, {1040, 2}, {520, 1}, {1, 0}},
      {{2, 3, 4, 5}, {60, 20, 5, 1}, {1, 2, 6, 24}, {0, 5, 0, 1}},
      {{2, 0, 4}, {4, 4, 1}, {4, 4, 1}, {4, 4, 1}},
  };
}

std::string describe(const char* op, DType dtype, const Layout& l) {
  std::string text = str(op, " ", dtype, " [");
  for (const int64_t s : l.sizes) text += std::to_string(s) + ",";
  return text + "]";
}

template <class T>
T value_of(Array& x, int64_t i) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(x.get(i));  // widens half types
  } else {
    return x.raw<T>(i);
  }
}

/// f is called with a value of the type that `dtype` is computed in.
template <class F>
void visit_computed(DType dtype, F f) {
  visit_dtype(is_reduced_float(dtype) ? kFloat32 : dtype, [&](auto t) {
    if constexpr (!std::is_same_v<decltype(t), Half> && !std::is_same_v<decltype(t), BFloat16>) {
      f(t);
    }
  });
}

/// The element as `dtype` stores it.
template <class T>
double stored(T value, DType dtype) {
  if (dtype == kFloat16) return static_cast<float>(Half(static_cast<float>(value)));
  if (dtype == kBFloat16) return static_cast<float>(BFloat16(static_cast<float>(value)));
  return static_cast<double>(value);
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

template <class Op, bool kIntegers>
void check_unary(UnaryOp op, const char* name) {
  for (const DType dtype : kAllTypes) {
    if (dtype == kBool || (!kIntegers && !is_floating_point(dtype))) {
      Array x(dtype, {3}), y(dtype, {3});
      EXPECT_THROW(cpu::unary(op, dtype, make_args({&y, &x})), DTypeError)
          << name << name_of(dtype);
      continue;
    }
    for (const Layout& l : layouts()) {
      Array x(dtype, l.sizes, l.a), y(dtype, l.sizes, l.out);
      x.fill(1);
      cpu::unary(op, dtype, make_args({&y, &x}));
      visit_computed(dtype, [&](auto t) {
        using T = decltype(t);
        if constexpr (!std::is_same_v<T, bool> && (kIntegers || std::is_floating_point_v<T>)) {
          int64_t wrong = 0;
          for (int64_t i = 0; i < x.numel(); ++i) {
            wrong += !same(y.get(i), stored(Op::template forward<T>(value_of<T>(x, i)), dtype));
          }
          EXPECT_EQ(wrong, 0) << describe(name, dtype, l);
        }
      });
    }
  }
}

// The reference is the op on single numbers, whose values Math.* and the tests below check, so that
// any layout gives the bits that any other gives.
TEST(Elementwise, UnaryForAllTypesAndLayouts) {
#define WICK_CHECK_OP(name, Name) check_unary<pointwise::Name, false>(UnaryOp::Name, #name);
  WICK_UNARY_FLOAT_OPS(WICK_CHECK_OP)
  WICK_UNARY_SPECIAL_OPS(WICK_CHECK_OP)
  WICK_UNARY_RARE_OPS(WICK_CHECK_OP)
  WICK_UNARY_ROUNDING_OPS(WICK_CHECK_OP)
#undef WICK_CHECK_OP
#define WICK_CHECK_OP(name, Name) check_unary<pointwise::Name, true>(UnaryOp::Name, #name);
  WICK_UNARY_ANY_OPS(WICK_CHECK_OP)
#undef WICK_CHECK_OP
}

bool divides(BinaryOp op) {
  return op == BinaryOp::Remainder || op == BinaryOp::Fmod || op == BinaryOp::FloorDivide ||
         op == BinaryOp::TruncDivide;
}

/// Independent of kernels/pointwise.h; for bool, values are 0 and 1.
double reference(BinaryOp op, double a, double b) {
  const auto i = static_cast<int64_t>(a), k = static_cast<int64_t>(b);
  switch (op) {
    case BinaryOp::Add:
      return a + b;
    case BinaryOp::Sub:
      return a - b;
    case BinaryOp::Mul:
      return a * b;
    case BinaryOp::Div:
      return a / b;
    case BinaryOp::Pow:
      return std::pow(a, b);
    case BinaryOp::Maximum:
      return std::max(a, b);
    case BinaryOp::Minimum:
      return std::min(a, b);
    case BinaryOp::Remainder:
      return a - b * std::floor(a / b);
    case BinaryOp::Fmod:
      return std::fmod(a, b);
    case BinaryOp::FloorDivide:
      return std::floor(a / b);
    case BinaryOp::TruncDivide:
      return std::trunc(a / b);
    case BinaryOp::BitwiseAnd:
      return static_cast<double>(i & k);
    case BinaryOp::BitwiseOr:
      return static_cast<double>(i | k);
    case BinaryOp::BitwiseXor:
      return static_cast<double>(i ^ k);
    case BinaryOp::BitwiseLeftShift:
      return k < 0 ? 0 : a * std::exp2(b);
    case BinaryOp::BitwiseRightShift:
      return static_cast<double>(i >> (k < 0 ? 63 : k));
    case BinaryOp::Atan2:
      return std::atan2(a, b);
    case BinaryOp::Hypot:
      return std::sqrt(a * a + b * b);
    case BinaryOp::Copysign:
      return std::signbit(b) ? -std::fabs(a) : std::fabs(a);
  }
  return 0;
}

bool exists(BinaryOp op, DType dtype) {
  const bool bits =
      op == BinaryOp::BitwiseAnd || op == BinaryOp::BitwiseOr || op == BinaryOp::BitwiseXor;
  if (dtype == kBool) {
    return op == BinaryOp::Add || op == BinaryOp::Mul || op == BinaryOp::Maximum ||
           op == BinaryOp::Minimum || bits;
  }
  if (is_floating_point(dtype)) {
    return !bits && op != BinaryOp::BitwiseLeftShift && op != BinaryOp::BitwiseRightShift;
  }
  return op != BinaryOp::Div && op != BinaryOp::Atan2 && op != BinaryOp::Hypot &&
         op != BinaryOp::Copysign;
}

/// As fill(), but no divisor is 0.
void fill_for(BinaryOp op, Array& x, uint32_t seed) {
  x.fill(seed);
  for (int64_t i = 0; divides(op) && i < x.numel(); ++i) {
    if (x.get(i) == 0) x.set(i, 3);
  }
}

/// A whole number as the integer type holds it, wrapped around; `exact` is below 2^53.
double wrapped(double exact, DType dtype) {
  Array x(dtype, {});
  const int64_t whole = static_cast<int64_t>(exact);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    if constexpr (std::is_integral_v<T>) {
      const T v = static_cast<T>(whole);
      std::memcpy(x.data(), &v, sizeof v);
    }
  });
  return x.get(0);
}

void expect_binary(BinaryOp op, double a, double b, double y, DType dtype,
                   const std::string& what) {
  const double exact = reference(op, a, b);
  if (dtype == kBool) {
    EXPECT_EQ(y, exact != 0) << what;
  } else if (!is_floating_point(dtype)) {
    // Powers beyond 2^53 are left to IntegersWrapAround.
    const double whole = op == BinaryOp::Pow && std::fabs(exact) < 1 ? 0 : exact;
    if (op == BinaryOp::Pow && (std::isinf(exact) || std::fabs(exact) > 0x1p53)) return;
    EXPECT_EQ(y, wrapped(whole, dtype)) << what << ": " << a << ", " << b;
  } else if (std::isnan(exact)) {
    EXPECT_TRUE(std::isnan(y)) << what << ": " << a << ", " << b;
  } else {
    const double unit = dtype == kFloat16    ? 0x1p-11
                        : dtype == kBFloat16 ? 0x1p-8
                        : dtype == kFloat32  ? 0x1p-23
                                             : 0x1p-52;
    if (dtype == kFloat16 && std::fabs(exact) > 65000) return;
    EXPECT_NEAR(y, exact, 1.01 * unit * std::fabs(exact) + 1e-7) << what << ": " << a << ", " << b;
  }
}

template <class F>
void for_each_binary(F f) {
#define WICK_CALL(name, Name) f(BinaryOp::Name, #name);
  WICK_BINARY_OPS(WICK_CALL)
  WICK_BINARY_RARE_OPS(WICK_CALL)
  WICK_BINARY_SPECIAL_OPS(WICK_CALL)
#undef WICK_CALL
}

TEST(Elementwise, BinaryForAllTypesAndLayouts) {
  for_each_binary([](BinaryOp op, const char* name) {
    for (const DType dtype : kAllTypes) {
      if (!exists(op, dtype)) {
        Array x(dtype, {3}), y(dtype, {3});
        EXPECT_THROW(cpu::binary(op, dtype, make_args({&y, &x, &x})), DTypeError);
        continue;
      }
      for (const Layout& l : layouts()) {
        Array a(dtype, l.sizes, l.a), b(dtype, l.sizes, l.b), y(dtype, l.sizes, l.out);
        a.fill(1), fill_for(op, b, 2);
        cpu::binary(op, dtype, make_args({&y, &a, &b}));
        for (int64_t i = 0; i < a.numel(); ++i) {
          expect_binary(op, a.get(i), b.get(i), y.get(i), dtype, describe(name, dtype, l));
          if (HasFailure()) return;
        }
      }
    }
  });
}

TEST(Elementwise, BinaryWithAnImmediateOnEitherSide) {
  for_each_binary([](BinaryOp op, const char* name) {
    for (const DType dtype : kAllTypes) {
      if (!exists(op, dtype)) continue;
      for (const Layout& l : layouts()) {
        for (const int64_t number : {1, 2}) {
          Array x(dtype, l.sizes, l.a), y(dtype, l.sizes, l.out);
          fill_for(op, x, 3);
          const Immediate value = dtype == kFloat32 ? Immediate::of(static_cast<double>(number))
                                                    : Immediate::of(number);
          const double used = dtype == kBool ? 1 : static_cast<double>(number);
          cpu::binary(op, dtype, make_args({&y, &x, nullptr}, value));
          for (int64_t i = 0; i < x.numel(); ++i) {
            expect_binary(op, x.get(i), used, y.get(i), dtype, describe(name, dtype, l));
          }
          cpu::binary(op, dtype, make_args({&y, nullptr, &x}, value));
          for (int64_t i = 0; i < x.numel(); ++i) {
            expect_binary(op, used, x.get(i), y.get(i), dtype, describe(name, dtype, l));
          }
          if (HasFailure()) return;
        }
      }
    }
  });
}

// Enough elements for several threads.
TEST(Elementwise, ManyElements) {
  const Layout large[] = {{{40000}, {1}, {1}, {1}},
                          {{40000}, {1}, {2}, {0}},
                          {{300, 150}, {150, 1}, {1, 300}, {150, 1}},
                          {{12000, 3}, {3, 1}, {1, 12000}, {0, 1}}};
  for (const DType dtype : {kFloat32, kFloat16, kInt32}) {
    for (const Layout& l : large) {
      Array a(dtype, l.sizes, l.a), b(dtype, l.sizes, l.b), y(dtype, l.sizes, l.out);
      Array less(kBool, l.sizes), copy(dtype, l.sizes), filled(dtype, l.sizes, l.out);
      a.fill(1), b.fill(2);
      cpu::binary(BinaryOp::Add, dtype, make_args({&y, &a, &b}));
      cpu::compare(CompareOp::Lt, dtype, make_args({&less, &a, &b}));
      cpu::copy(dtype, dtype, make_args({&copy, &a}));
      cpu::fill(dtype, make_args({&filled}, Immediate::of(3.0)));
      int64_t wrong = 0;
      for (int64_t i = 0; i < a.numel(); ++i) {
        wrong += y.get(i) != a.get(i) + b.get(i);
        wrong += less.get(i) != (a.get(i) < b.get(i));
        wrong += copy.get(i) != a.get(i);
        wrong += filled.get(i) != 3;
      }
      EXPECT_EQ(wrong, 0) << describe("many", dtype, l);
    }
  }
}

TEST(Elementwise, InPlace) {
  for (const DType dtype : {kFloat32, kFloat16, kInt32, kFloat64}) {
    for (const Layout& l : layouts()) {
      if (std::count(l.a.begin(), l.a.end(), 0) > 0) continue;
      Array x(dtype, l.sizes, l.a), b(dtype, l.sizes, l.b);
      x.fill(4), b.fill(5);
      Array before = x;
      cpu::binary(BinaryOp::Sub, dtype, make_args({&x, &x, &b}));
      for (int64_t i = 0; i < x.numel(); ++i) EXPECT_EQ(x.get(i), before.get(i) - b.get(i));
      cpu::binary(BinaryOp::Sub, dtype, make_args({&x, &b, &x}));
      for (int64_t i = 0; i < x.numel(); ++i) EXPECT_EQ(x.get(i), 2 * b.get(i) - before.get(i));
      cpu::unary(UnaryOp::Neg, dtype, make_args({&x, &x}));
      for (int64_t i = 0; i < x.numel(); ++i) EXPECT_EQ(x.get(i), before.get(i) - 2 * b.get(i));
    }
  }
}

// The same memory under two sets of strides is two operands.
TEST(Elementwise, AnArrayAndItsTransposeInOneCall) {
  Array x(kFloat32, {9, 9}), y(kFloat32, {9, 9});
  x.fill(6);
  ElementwiseArgs args = make_args({&y, &x, &x});
  std::swap(args.strides[2][0], args.strides[2][1]);
  cpu::binary(BinaryOp::Sub, kFloat32, args);
  for (int64_t i = 0; i < 9; ++i) {
    for (int64_t j = 0; j < 9; ++j) {
      EXPECT_EQ(y.get(i * 9 + j), x.get(i * 9 + j) - x.get(j * 9 + i));
    }
  }
}

TEST(Elementwise, IntegersWrapAround) {
  const auto apply = [](BinaryOp op, int32_t a, int32_t b) {
    Array x(kInt32, {1}), y(kInt32, {1}), out(kInt32, {1});
    x.set(0, a), y.set(0, b);
    cpu::binary(op, kInt32, make_args({&out, &x, &y}));
    return out.raw<int32_t>(0);
  };
  EXPECT_EQ(apply(BinaryOp::Add, INT32_MAX, 1), INT32_MIN);
  EXPECT_EQ(apply(BinaryOp::Sub, INT32_MIN, 1), INT32_MAX);
  EXPECT_EQ(apply(BinaryOp::Mul, INT32_MIN, -1), INT32_MIN);
  EXPECT_EQ(apply(BinaryOp::Mul, 65536, 65536), 0);
  EXPECT_EQ(apply(BinaryOp::Pow, 3, 40), static_cast<int32_t>(689956897));  // 3^40 mod 2^32
  EXPECT_EQ(apply(BinaryOp::Pow, 0, 0), 1);
  EXPECT_EQ(apply(BinaryOp::Pow, 0, -1), 0);
  EXPECT_EQ(apply(BinaryOp::Pow, -1, -3), -1);
  EXPECT_EQ(apply(BinaryOp::Pow, -1, INT32_MIN), 1);
  EXPECT_EQ(apply(BinaryOp::Pow, 2, -1), 0);
  Array x(kInt64, {1}), y(kInt64, {1});
  x.set(0, -0x1p63);
  for (const BinaryOp op : {BinaryOp::FloorDivide, BinaryOp::TruncDivide}) {
    EXPECT_EQ(apply(op, INT32_MIN, -1), INT32_MIN);
    EXPECT_THROW(apply(op, 1, 0), ValueError);
  }
  for (const BinaryOp op : {BinaryOp::Remainder, BinaryOp::Fmod}) {
    EXPECT_EQ(apply(op, INT32_MIN, -1), 0);
    EXPECT_THROW(apply(op, 1, 0), ValueError);
  }
  EXPECT_EQ(apply(BinaryOp::BitwiseLeftShift, -1, 31), INT32_MIN);
  EXPECT_EQ(apply(BinaryOp::BitwiseLeftShift, 1, 32), 0);
  EXPECT_EQ(apply(BinaryOp::BitwiseRightShift, INT32_MIN, INT32_MIN), -1);
  for (const UnaryOp op : {UnaryOp::Neg, UnaryOp::Abs}) {
    cpu::unary(op, kInt64, make_args({&y, &x}));
    EXPECT_EQ(y.raw<int64_t>(0), INT64_MIN);
  }
  Array a(kInt16, {1}), b(kInt16, {1});
  a.set(0, -32768);
  cpu::binary(BinaryOp::Mul, kInt16, make_args({&b, &a, &a}));
  EXPECT_EQ(b.get(0), 0);
}

TEST(Elementwise, NanWinsInMaximumAndMinimum) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : kFloatTypes) {
    const std::vector<double> a{nan, 1, nan, inf, -inf, 3}, b{1, nan, nan, nan, 2, -4};
    Array x(dtype, {6}), y(dtype, {6}), out(dtype, {6});
    for (int i = 0; i < 6; ++i) x.set(i, a[i]), y.set(i, b[i]);
    cpu::binary(BinaryOp::Maximum, dtype, make_args({&out, &x, &y}));
    const std::vector<double> larger{nan, nan, nan, nan, 2, 3};
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(same(out.get(i), larger[i])) << name_of(dtype) << i;
    cpu::binary(BinaryOp::Minimum, dtype, make_args({&out, &x, &y}));
    const std::vector<double> smaller{nan, nan, nan, nan, -inf, -4};
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(same(out.get(i), smaller[i])) << name_of(dtype) << i;
  }
}

TEST(Elementwise, CompareForAllTypesAndLayouts) {
  using Comparison = std::function<bool(double, double)>;
  const std::pair<CompareOp, Comparison> ops[] = {
      {CompareOp::Eq, std::equal_to<double>()}, {CompareOp::Ne, std::not_equal_to<double>()},
      {CompareOp::Lt, std::less<double>()},     {CompareOp::Le, std::less_equal<double>()},
      {CompareOp::Gt, std::greater<double>()},  {CompareOp::Ge, std::greater_equal<double>()},
  };
  for (const auto& [op, reference] : ops) {
    for (const DType dtype : kAllTypes) {
      for (const Layout& l : layouts()) {
        Array a(dtype, l.sizes, l.a), b(dtype, l.sizes, l.b), y(kBool, l.sizes, l.out);
        a.fill(1), b.fill(2);
        if (is_floating_point(dtype) && a.numel() > 0) a.set(0, std::nan(""));
        cpu::compare(op, dtype, make_args({&y, &a, &b}));
        int64_t wrong = 0;
        for (int64_t i = 0; i < a.numel(); ++i) wrong += y.get(i) != reference(a.get(i), b.get(i));
        EXPECT_EQ(wrong, 0) << describe("compare", dtype, l);
        cpu::compare(op, dtype, make_args({&y, &a, nullptr}, Immediate::of(int64_t{1})));
        for (int64_t i = 0; i < a.numel(); ++i) wrong += y.get(i) != reference(a.get(i), 1);
        EXPECT_EQ(wrong, 0) << describe("compare with immediate", dtype, l);
      }
    }
  }
}

TEST(Elementwise, WhereForAllTypesAndLayouts) {
  for (const DType dtype : kAllTypes) {
    for (const Layout& l : layouts()) {
      Array c(kBool, l.sizes, l.b), a(dtype, l.sizes, l.a), b(dtype, l.sizes, l.b);
      Array y(dtype, l.sizes, l.out);
      c.fill(1), a.fill(2), b.fill(3);
      cpu::where(dtype, make_args({&y, &c, &a, &b}));
      int64_t wrong = 0;
      for (int64_t i = 0; i < a.numel(); ++i) {
        wrong += y.get(i) != (c.get(i) != 0 ? a.get(i) : b.get(i));
      }
      cpu::where(dtype, make_args({&y, &c, &a, nullptr}, Immediate::of(1.0)));
      for (int64_t i = 0; i < a.numel(); ++i) wrong += y.get(i) != (c.get(i) != 0 ? a.get(i) : 1);
      cpu::where(dtype, make_args({&y, &c, nullptr, &b}, Immediate::of(1.0)));
      for (int64_t i = 0; i < a.numel(); ++i) wrong += y.get(i) != (c.get(i) != 0 ? 1 : b.get(i));
      EXPECT_EQ(wrong, 0) << describe("where", dtype, l);
    }
  }
}

/// What the header promises for a conversion, from the value as a double.
double converted(double value, DType to) {
  if (to == kBool) return value != 0;
  if (!is_floating_point(to)) {
    if (std::isnan(value)) return 0;
    const bool high = value >= 0x1p63, low = value < -0x1p63;
    const int64_t whole = high ? INT64_MAX : low ? INT64_MIN : static_cast<int64_t>(value);
    Array x(to, {1});
    visit_dtype(to, [&](auto t) {
      using T = decltype(t);
      if constexpr (std::is_integral_v<T>) {
        const T v = static_cast<T>(whole);
        std::memcpy(x.data(), &v, sizeof v);
      }
    });
    return x.get(0);
  }
  return to == kFloat64 ? value : stored(static_cast<float>(value), to);
}

TEST(Elementwise, CopyBetweenAllTypesAndLayouts) {
  for (const DType to : kAllTypes) {
    for (const DType from : kAllTypes) {
      for (const Layout& l : layouts()) {
        Array x(from, l.sizes, l.a), y(to, l.sizes, l.out);
        x.fill(7);
        cpu::copy(to, from, make_args({&y, &x}));
        int64_t wrong = 0;
        for (int64_t i = 0; i < x.numel(); ++i) wrong += y.get(i) != converted(x.get(i), to);
        EXPECT_EQ(wrong, 0) << describe(name_of(to), from, l);
      }
    }
  }
}

TEST(Elementwise, CopyConvertsEveryFloat) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<double> values{std::nan(""), inf,    -inf,   1e30,    -1e30, 300.7, -300.7,
                                   -1,           -0.0,   0x1p63, -0x1p63, 65519, 65520, 70000,
                                   5.9e-8,       2.9e-8, 1e-40,  3e9,     0.999};
  const int64_t n = static_cast<int64_t>(values.size());
  for (const DType from : kFloatTypes) {
    for (const DType to : kAllTypes) {
      Array x(from, {n}), y(to, {n});
      for (int64_t i = 0; i < n; ++i) x.set(i, values[static_cast<size_t>(i)]);
      cpu::copy(to, from, make_args({&y, &x}));
      for (int64_t i = 0; i < n; ++i) {
        EXPECT_TRUE(same(y.get(i), converted(x.get(i), to)))
            << name_of(from) << " " << x.get(i) << " to " << name_of(to) << " gave " << y.get(i);
      }
    }
  }
}

TEST(Elementwise, CopyKeepsTheBitsOfTheSameType) {
  Array x(kFloat32, {4}), y(kFloat32, {4}, {2});
  const uint32_t bits[] = {0x7fa00001u, 0xffc12345u, 0x80000000u, 1u};  // signalling NaN first
  std::memcpy(x.data(), bits, sizeof bits);
  cpu::copy(kFloat32, kFloat32, make_args({&y, &x}));
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(y.raw<uint32_t>(i), bits[i]);
}

TEST(Elementwise, CopyTransposesBlocks) {
  for (const DType dtype : {kUInt8, kFloat16, kFloat32, kFloat64}) {
    for (const int64_t side : {4, 63, 65, 200}) {
      // [batch, rows, columns] from [batch, columns, rows], and with gaps on both sides.
      Array x(dtype, {2, side, side + 3}, {side * (side + 3), 1, side});
      Array y(dtype, {2, side, side + 3});
      Array z(dtype, {2, side, side + 3}, {side * (side + 3) * 2, (side + 3) * 2, 2});
      x.fill(8);
      cpu::copy(dtype, dtype, make_args({&y, &x}));
      cpu::copy(dtype, dtype, make_args({&z, &x}));
      int64_t wrong = 0;
      for (int64_t i = 0; i < x.numel(); ++i) {
        wrong += y.get(i) != x.get(i);
        wrong += z.get(i) != x.get(i);
      }
      EXPECT_EQ(wrong, 0) << name_of(dtype) << side;
    }
  }
}

TEST(Elementwise, FillForAllTypesAndLayouts) {
  for (const DType dtype : kAllTypes) {
    for (const Layout& l : layouts()) {
      Array y(dtype, l.sizes, l.out);
      std::memset(y.data(), 0x55, static_cast<size_t>(element_size(dtype)));
      cpu::fill(dtype, make_args({&y}, Immediate::of(2.5)));
      const double expected = dtype == kBool ? 1 : is_floating_point(dtype) ? 2.5 : 2;
      int64_t wrong = 0;
      for (int64_t i = 0; i < y.numel(); ++i) wrong += y.get(i) != expected;
      EXPECT_EQ(wrong, 0) << describe("fill", dtype, l);
    }
  }
  Array gaps(kInt32, {4, 2}, {4, 1});
  cpu::fill(kInt32, make_args({&gaps}, Immediate::of(int64_t{-7})));
  const int32_t* const memory = static_cast<const int32_t*>(gaps.data());
  for (int i = 0; i < 14; ++i) EXPECT_EQ(memory[i], i % 4 < 2 ? -7 : 0) << i;
}

TEST(Elementwise, Arange) {
  for (const DType dtype : kAllTypes) {
    if (dtype == kBool) continue;
    Array y(dtype, {50});
    cpu::arange(dtype, y.data(), 50, Immediate::of(int64_t{3}), Immediate::of(int64_t{2}));
    for (int64_t i = 0; i < 50; ++i)
      EXPECT_EQ(y.get(i), static_cast<double>(3 + 2 * i)) << name_of(dtype);
  }
  Array y(kFloat32, {1000});
  cpu::arange(kFloat32, y.data(), 1000, Immediate::of(-1.0), Immediate::of(0.1));
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(y.get(i), static_cast<float>(-1.0 + static_cast<double>(i) * 0.1));
  }
  cpu::arange(kFloat32, nullptr, 0, Immediate::of(0.0), Immediate::of(1.0));
}

/// (f(x + h) - f(x - h)) / 2h in double.
double slope(UnaryOp op, double x) {
  const double h = 1e-5;
  Array in(kFloat64, {2}), out(kFloat64, {2});
  in.set(0, x + h), in.set(1, x - h);
  cpu::unary(op, kFloat64, make_args({&out, &in}));
  return (out.get(0) - out.get(1)) / (2 * h);
}

TEST(Elementwise, UnaryBackwardIsTheSlope) {
#define WICK_OP(name, Name) UnaryOp::Name,
  const UnaryOp ops[] = {WICK_UNARY_OPS(WICK_OP)};
#undef WICK_OP
  for (const UnaryOp op : ops) {
    for (const DType dtype : kFloatTypes) {
      Array x(dtype, {2, 9}), y(dtype, {2, 9}, {1, 2}), g(dtype, {2, 9}, {1, 0}),
          grad(dtype, {2, 9});
      for (int64_t i = 0; i < 18; ++i) {
        const bool positive = op == UnaryOp::Log || op == UnaryOp::Sqrt || op == UnaryOp::Log1p ||
                              op == UnaryOp::Rsqrt || op == UnaryOp::Reciprocal;
        x.set(i, positive ? 0.25 + static_cast<double>(i) * 0.125
                          : static_cast<double>(i) * 0.25 - 2.125);
      }
      g.set(0, 2), g.set(9, -3);
      cpu::unary(op, dtype, make_args({&y, &x}));
      cpu::unary_backward(op, dtype, make_args({&grad, &g, &x, &y}));
      const double tolerance = dtype == kFloat64 ? 1e-8 : dtype == kFloat32 ? 2e-6 : 0.03;
      for (int64_t i = 0; i < 18; ++i) {
        const double expected = g.get(i) * slope(op, x.get(i));
        EXPECT_NEAR(grad.get(i), expected, tolerance * std::max(1.0, std::fabs(expected)))
            << static_cast<int>(op) << " " << name_of(dtype) << " at " << x.get(i);
      }
    }
  }
  Array x(kInt32, {2});
  EXPECT_THROW(cpu::unary_backward(UnaryOp::Relu, kInt32, make_args({&x, &x, &x, &x})), DTypeError);
}

TEST(Elementwise, BinaryBackwardIsTheSlope) {
  const double h = 1e-5;
  for_each_binary([&](BinaryOp op, const char* name) {
    if (divides(op) || !exists(op, kFloat32)) return;  // steps between the points
    for (const int side : {0, 1}) {
      for (const DType dtype : kFloatTypes) {
        Array a(dtype, {5, 5}, {1, 0}), b(dtype, {5, 5}, {0, 1}), y(dtype, {5, 5});
        Array g(dtype, {5, 5}), grad(dtype, {5, 5});
        for (int64_t i = 0; i < 5; ++i) {
          a.set(i * 5, 0.5 + static_cast<double>(i) * 0.25);
          b.set(i, 1.625 - static_cast<double>(i) * 0.25);
        }
        g.fill(1);
        cpu::binary(op, dtype, make_args({&y, &a, &b}));
        cpu::binary_backward(op, side, dtype, make_args({&grad, &g, &a, &b, &y}));
        const double tolerance = dtype == kFloat64 ? 1e-8 : dtype == kFloat32 ? 4e-6 : 0.03;
        for (int64_t i = 0; i < 25; ++i) {
          const double u = a.get(i), v = b.get(i);
          const double rise = side == 0 ? reference(op, u + h, v) - reference(op, u - h, v)
                                        : reference(op, u, v + h) - reference(op, u, v - h);
          const double expected = g.get(i) * rise / (2 * h);
          EXPECT_NEAR(grad.get(i), expected, tolerance * std::max(1.0, std::fabs(expected)))
              << name << " side " << side << " " << name_of(dtype) << " at " << u << ", " << v;
        }
      }
    }
  });
}

TEST(Elementwise, GradientsAtSpecialPoints) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  const auto grad = [](BinaryOp op, int side, double a, double b) {
    Array x(kFloat32, {1}), z(kFloat32, {1}), y(kFloat32, {1}), g(kFloat32, {1}),
        out(kFloat32, {1});
    x.set(0, a), z.set(0, b), g.set(0, 3);
    cpu::binary(op, kFloat32, make_args({&y, &x, &z}));
    cpu::binary_backward(op, side, kFloat32, make_args({&out, &g, &x, &z, &y}));
    return out.get(0);
  };
  // Values of PyTorch.
  EXPECT_EQ(grad(BinaryOp::Pow, 0, 0, 0), 0);
  EXPECT_EQ(grad(BinaryOp::Pow, 0, inf, 0), 0);
  EXPECT_EQ(grad(BinaryOp::Pow, 0, 0, 1), 3);
  EXPECT_EQ(grad(BinaryOp::Pow, 0, 0, 2), 0);
  EXPECT_EQ(grad(BinaryOp::Pow, 0, -2, 3), 36);
  EXPECT_EQ(grad(BinaryOp::Pow, 1, 0, 0), 0);
  EXPECT_EQ(grad(BinaryOp::Pow, 1, 0, 2), 0);
  EXPECT_EQ(grad(BinaryOp::Pow, 1, 0, -1), -inf);
  EXPECT_TRUE(std::isnan(grad(BinaryOp::Pow, 1, -2, 3)));
  for (const BinaryOp op : {BinaryOp::Maximum, BinaryOp::Minimum}) {
    for (const int side : {0, 1}) {
      EXPECT_EQ(grad(op, side, 2, 2), 1.5);
      EXPECT_EQ(grad(op, side, nan, 2), 3);
      EXPECT_EQ(grad(op, side, 1, 2), (op == BinaryOp::Maximum) == (side == 1) ? 3 : 0);
    }
  }
  const auto unary_grad = [](UnaryOp op, double at) {
    Array x(kFloat64, {1}), y(kFloat64, {1}), g(kFloat64, {1}), out(kFloat64, {1});
    x.set(0, at), g.set(0, 3);
    cpu::unary(op, kFloat64, make_args({&y, &x}));
    cpu::unary_backward(op, kFloat64, make_args({&out, &g, &x, &y}));
    return out.get(0);
  };
  EXPECT_EQ(unary_grad(UnaryOp::Relu, 0), 0);
  EXPECT_EQ(unary_grad(UnaryOp::Relu, -0.0), 0);
  EXPECT_EQ(unary_grad(UnaryOp::Relu, nan), 3);
  EXPECT_EQ(unary_grad(UnaryOp::Abs, 0), 0);
  EXPECT_EQ(unary_grad(UnaryOp::Log, 0), inf);
  EXPECT_EQ(unary_grad(UnaryOp::Sqrt, 0), inf);
  EXPECT_EQ(unary_grad(UnaryOp::Gelu, 0), 1.5);
}

}  // namespace
}  // namespace wick
