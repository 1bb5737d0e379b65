#pragma once

#include <wick/core/tensor.h>
#include <initializer_list>
#include <tuple>
#include <vector>

// The free functions. Unless said otherwise: arguments of different types are promoted as in
// PyTorch, shapes broadcast (https://pytorch.org/docs/stable/notes/broadcasting.html), mixed
// devices throw DeviceError (a CPU tensor of 0 dimensions may meet any device), results are new
// tensors, and gradients flow to every floating-point argument.
namespace wick {

// --- creation (core/ops/creation.cpp). Negative sizes throw ValueError.
WICK_API Tensor empty(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor empty_strided(IntArrayRef sizes, IntArrayRef strides,
                              const TensorOptions& options = {});
WICK_API Tensor zeros(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor ones(IntArrayRef sizes, const TensorOptions& options = {});
/// The dtype is that of the value unless given: bool, int64 or the default.
WICK_API Tensor full(IntArrayRef sizes, Scalar value, const TensorOptions& options = {});
/// Values start, start + step, ... below `end`; int64 if all three are integers, else the default.
WICK_API Tensor arange(Scalar end, const TensorOptions& options = {});
WICK_API Tensor arange(Scalar start, Scalar end, const TensorOptions& options = {});
WICK_API Tensor arange(Scalar start, Scalar end, Scalar step, const TensorOptions& options = {});
/// Uniform in [0, 1); normal; integers in [low, high) (int64 by default); a permutation of 0..n-1
/// (int64). From the generator of manual_seed; the same numbers on every device.
WICK_API Tensor rand(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randn(IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randint(int64_t high, IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor randint(int64_t low, int64_t high, IntArrayRef sizes,
                        const TensorOptions& options = {});
WICK_API Tensor randperm(int64_t n, const TensorOptions& options = {});
/// Options that are not given are those of `like`.
WICK_API Tensor empty_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor zeros_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor ones_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor full_like(const Tensor& like, Scalar value, const TensorOptions& options = {});
WICK_API Tensor rand_like(const Tensor& like, const TensorOptions& options = {});
WICK_API Tensor randn_like(const Tensor& like, const TensorOptions& options = {});
/// Memory of the caller's, not copied; `deleter` is called with it when the last tensor goes.
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& options = {});
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                          const TensorOptions& options = {});
WICK_API Tensor from_blob(void* data, IntArrayRef sizes, std::function<void(void*)> deleter,
                          const TensorOptions& options = {});

namespace detail {
/// Numbers of any nesting that tensor() takes. Keeps int64 or double.
class WICK_API TensorData {
 public:
  template <class T>
  requires(std::is_arithmetic_v<T>) TensorData(T value)
      : kind_(kind_of<T>()), reals_{static_cast<double>(value)} {  // NOLINT
    if constexpr (std::is_integral_v<T>) integers_.assign(1, static_cast<int64_t>(value));
  }
  TensorData(std::initializer_list<TensorData> list);  // NOLINT
  template <class T>
  TensorData(const std::vector<T>& values) : TensorData(ArrayRef<T>(values)) {}  // NOLINT
  template <class T>
  TensorData(ArrayRef<T> values) : kind_(kind_of<T>()) {  // NOLINT
    sizes_.push_back(static_cast<int64_t>(values.size()));
    for (const T& v : values) reals_.push_back(static_cast<double>(v));
    if constexpr (std::is_integral_v<T>)
      for (const T& v : values) integers_.push_back(static_cast<int64_t>(v));
  }
  Tensor make(const TensorOptions& options) const;

 private:
  enum class Kind : uint8_t { Bool, Integer, Real };
  template <class T>
  static constexpr Kind kind_of() {
    return std::is_same_v<T, bool> ? Kind::Bool
           : std::is_integral_v<T> ? Kind::Integer
                                   : Kind::Real;
  }
  Kind kind_;
  std::vector<int64_t> sizes_;
  std::vector<double> reals_;
  std::vector<int64_t> integers_;  // empty for Kind::Real
};
}  // namespace detail
/// A tensor of the given numbers, nested braces to any depth: tensor({{1., 2.}, {3., 4.}}),
/// tensor(3), tensor(vector). Integers give int64, floating-point numbers the default dtype, bools
/// bool. Throws ShapeError if rows differ in length.
WICK_API Tensor tensor(const detail::TensorData& data, const TensorOptions& options = {});
/// For a flat list of numbers (keeps one-element lists lists: tensor({3}) has shape [1]).
template <class T>
requires(std::is_arithmetic_v<T>) Tensor
    tensor(std::initializer_list<T> values, const TensorOptions& options = {}) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::vector<uint8_t> bytes(values.begin(), values.end());
    return tensor(detail::TensorData(bytes), options.has_dtype() ? options : options.dtype(kBool));
  } else {
    return tensor(detail::TensorData(ArrayRef<T>(values.begin(), values.size())), options);
  }
}

// --- conversion and copies
WICK_API Tensor clone(const Tensor& x);

// --- views (core/ops/view.cpp): share elements with x. Dimensions may be negative.
/// One size may be -1. Throws ShapeError where the strides do not allow a view.
WICK_API Tensor view(const Tensor& x, IntArrayRef sizes);
/// A view if possible, else a copy.
WICK_API Tensor reshape(const Tensor& x, IntArrayRef sizes);
WICK_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
WICK_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
WICK_API Tensor permute(const Tensor& x, IntArrayRef dims);
/// Without `dim` drops all dimensions of size 1; with it that one if its size is 1.
WICK_API Tensor squeeze(const Tensor& x);
WICK_API Tensor squeeze(const Tensor& x, int64_t dim);
WICK_API Tensor unsqueeze(const Tensor& x, int64_t dim);
/// -1 keeps a size; new dimensions come first. The copies have stride 0.
WICK_API Tensor expand(const Tensor& x, IntArrayRef sizes);
WICK_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
/// Elements start, start + step, ... below `end`; both are clamped as in Python; step > 0.
WICK_API Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start = std::nullopt,
                      std::optional<int64_t> end = std::nullopt, int64_t step = 1);
/// Exactly `length` elements from `start`; throws IndexError beyond the end.
WICK_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
/// Any geometry inside the storage of x. Throws ShapeError outside it.
WICK_API Tensor as_strided(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                           std::optional<int64_t> storage_offset = std::nullopt);

// --- indexing and joining (core/ops/index.cpp)
/// Rows of dimension `dim`; index is int64 (or int32) with at most 1 dimension.
WICK_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
/// Tensors that agree in all sizes but that of `dim`; types are promoted.
WICK_API Tensor cat(TensorList tensors, int64_t dim = 0);
/// Adds a new dimension.
WICK_API Tensor stack(TensorList tensors, int64_t dim = 0);
/// Rows of weight [num, dim] by index (int64, any shape) -> index.shape + [dim]. Rows equal to
/// `padding_idx` (-1: none) get no gradient.
WICK_API Tensor embedding(const Tensor& weight, const Tensor& index, int64_t padding_idx = -1);

// --- pointwise (core/ops/pointwise.cpp). Integer arguments of exp, log, sqrt, sigmoid, tanh, gelu
// and of `/` are promoted to the default dtype.
WICK_API Tensor add(const Tensor& a, const Tensor& b);
WICK_API Tensor add(const Tensor& a, Scalar b);
/// a + alpha * b
WICK_API Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
WICK_API Tensor sub(const Tensor& a, const Tensor& b);
WICK_API Tensor sub(const Tensor& a, Scalar b);
WICK_API Tensor mul(const Tensor& a, const Tensor& b);
WICK_API Tensor mul(const Tensor& a, Scalar b);
/// True division: integers give the default dtype.
WICK_API Tensor div(const Tensor& a, const Tensor& b);
WICK_API Tensor div(const Tensor& a, Scalar b);
/// Integer to a negative integer Scalar throws ValueError; negative elements of an integer exponent
/// tensor give 0 (1 and -1 to any power are themselves).
WICK_API Tensor pow(const Tensor& a, const Tensor& b);
WICK_API Tensor pow(const Tensor& a, Scalar b);
WICK_API Tensor pow(Scalar a, const Tensor& b);
/// The larger (smaller) of the two; a NaN wins. Ties share the gradient.
WICK_API Tensor maximum(const Tensor& a, const Tensor& b);
WICK_API Tensor minimum(const Tensor& a, const Tensor& b);
WICK_API Tensor exp(const Tensor& x);
/// Natural logarithm.
WICK_API Tensor log(const Tensor& x);
WICK_API Tensor sqrt(const Tensor& x);
WICK_API Tensor sigmoid(const Tensor& x);
WICK_API Tensor tanh(const Tensor& x);
/// The error function.
WICK_API Tensor erf(const Tensor& x);
WICK_API Tensor neg(const Tensor& x);
WICK_API Tensor abs(const Tensor& x);
WICK_API Tensor relu(const Tensor& x);
/// x * Phi(x) (https://arxiv.org/abs/1606.08415); `approximate` "none" or "tanh".
WICK_API Tensor gelu(const Tensor& x, const std::string& approximate = "none");
/// condition ? a : b; the condition is bool.
WICK_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
WICK_API Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
WICK_API Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
WICK_API Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
/// Comparisons give bool and no gradient.
#define WICK_DECLARE_COMPARE(name, Name)                  \
  WICK_API Tensor name(const Tensor& a, const Tensor& b); \
  WICK_API Tensor name(const Tensor& a, Scalar b);
WICK_COMPARE_OPS(WICK_DECLARE_COMPARE)
#undef WICK_DECLARE_COMPARE
WICK_API bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol |b| everywhere.
WICK_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
                       bool equal_nan = false);

// --- reductions (core/ops/reduce.cpp). Without dimensions over all elements. Integers and bool are
// summed as int64; mean needs a floating type.
WICK_API Tensor sum(const Tensor& x, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor sum(const Tensor& x, OptionalIntArrayRef dim, bool keepdim = false,
                    std::optional<DType> dtype = std::nullopt);
WICK_API Tensor mean(const Tensor& x, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor mean(const Tensor& x, OptionalIntArrayRef dim, bool keepdim = false,
                     std::optional<DType> dtype = std::nullopt);
/// The largest element (NaN wins; ties share the gradient evenly); over `dim` also the index of the
/// first one (which alone gets the gradient). Throws ValueError for an empty reduction.
WICK_API Tensor max(const Tensor& x);
WICK_API std::tuple<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim = false);
WICK_API Tensor min(const Tensor& x);
WICK_API std::tuple<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim = false);
WICK_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                       bool keepdim = false);
WICK_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = std::nullopt,
                       bool keepdim = false);
WICK_API Tensor all(const Tensor& x);
WICK_API Tensor any(const Tensor& x);
/// Sums x to `sizes`, to which it must be broadcastable from: the reverse of broadcasting.
WICK_API Tensor sum_to_size(const Tensor& x, IntArrayRef sizes);

// --- products (core/ops/matmul.cpp)
/// Matrix product with PyTorch's rules for 1, 2 and more dimensions (batches broadcast).
WICK_API Tensor matmul(const Tensor& a, const Tensor& b);
/// x W^T + b; x: [..., in], weight: [out, in], bias: [out] or undefined -> [..., out].
WICK_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// relu(linear(x, weight, bias)), or with activation "gelu_tanh" gelu(.., "tanh"), in one pass over
/// the result where the device's library can. x: a floating type. As torch._addmm_activation, which
/// has no gradient and whose "gelu" is this one on CUDA.
WICK_API Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                  const std::string& activation = "relu");

// --- softmax and losses (core/ops/softmax.cpp, core/ops/loss.cpp)
WICK_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = std::nullopt);
WICK_API Tensor log_softmax(const Tensor& x, int64_t dim,
                            std::optional<DType> dtype = std::nullopt);
enum class Reduction : uint8_t { None, Mean, Sum };
/// x: log-probabilities [N, C], [C] or [N, C, d1, ...]; target: int64 class numbers [N], [] or
/// [N, d1, ...]; weight: [C] or undefined. Mean divides by the total weight of the counted targets.
/// A target outside [0, C) other than ignore_index is an IndexError, which comes later on a GPU
/// (cuda::synchronize).
WICK_API Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                         Reduction reduction = Reduction::Mean, int64_t ignore_index = -100);
/// nll_loss of log_softmax(x, 1) in one pass; x: logits. Target may also be probabilities of x's
/// shape and a floating type.
WICK_API Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                              Reduction reduction = Reduction::Mean, int64_t ignore_index = -100,
                              double label_smoothing = 0);
/// (x - target)^2, reduced. Both have one shape: broadcasting would compare wrong pairs.
WICK_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                         Reduction reduction = Reduction::Mean);

// --- layers (core/ops/conv.cpp, pool.cpp, norm.cpp, dropout.cpp)
/// Cross-correlation. x: [N, C, H, W] or [C, H, W]; weight: [K, C / groups, R, S]; bias: [K] or
/// undefined. One value or two (height, width) for each of stride, padding, dilation.
WICK_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                       int64_t groups = 1);
/// x: [N, C, H, W] or [C, H, W]. `stride` defaults to the kernel size.
WICK_API Tensor max_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, IntArrayRef dilation = 1,
                           bool ceil_mode = false);
/// Also the position of each maximum in its H x W plane (int64).
WICK_API std::tuple<Tensor, Tensor> max_pool2d_with_indices(
    const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {}, IntArrayRef padding = 0,
    IntArrayRef dilation = 1, bool ceil_mode = false);
WICK_API Tensor avg_pool2d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride = {},
                           IntArrayRef padding = 0, bool ceil_mode = false,
                           bool count_include_pad = true,
                           std::optional<int64_t> divisor_override = std::nullopt);
/// x: [N, C, ...]; weight, bias, running_mean, running_var: [C] or undefined. In training the
/// batch's statistics are used and the running ones updated in place:
/// running = (1 - momentum) * running + momentum * new.
WICK_API Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           Tensor running_mean, Tensor running_var, bool training,
                           double momentum = 0.1, double eps = 1e-5);
/// Zeroes each element with probability p and scales the rest by 1 / (1 - p), when training.
WICK_API Tensor dropout(const Tensor& x, double p = 0.5, bool training = true);

// --- operators
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
WICK_API Tensor operator-(Scalar a, const Tensor& b);
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
WICK_API Tensor operator/(Scalar a, const Tensor& b);
#define WICK_COMPARE_OPERATOR(op, name, mirrored)                                    \
  inline Tensor operator op(const Tensor& a, const Tensor& b) { return name(a, b); } \
  inline Tensor operator op(const Tensor& a, Scalar b) { return name(a, b); }        \
  inline Tensor operator op(Scalar a, const Tensor& b) { return mirrored(b, a); }
WICK_COMPARE_OPERATOR(==, eq, eq)
WICK_COMPARE_OPERATOR(!=, ne, ne)
WICK_COMPARE_OPERATOR(<, lt, gt)
WICK_COMPARE_OPERATOR(<=, le, ge)
WICK_COMPARE_OPERATOR(>, gt, lt)
WICK_COMPARE_OPERATOR(>=, ge, le)
#undef WICK_COMPARE_OPERATOR

// --- random state (core/random.cpp)
/// Seeds the one generator of the process. It starts at seed 0.
WICK_API void manual_seed(uint64_t seed);
struct RngState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};
WICK_API RngState get_rng_state();
WICK_API void set_rng_state(RngState state);

}  // namespace wick
