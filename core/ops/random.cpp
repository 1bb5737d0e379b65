// Random numbers written in place, and those whose distribution differs from element to element.
#include <wick/core/make.h>
#include <wick/core/ops/common.h>
#include <wick/core/random.h>
#include <wick/kernels/random.h>
#include <cmath>

namespace wick {
namespace {

// Draws into x (or into a dense stand-in that is then copied) and forgets its history.
template <class Draw>
void fill_random(const char* op, Tensor& x, const Draw& draw) {
  check_inplace(op, x, false);
  Tensor dense = x.is_contiguous() ? x : detail::make_empty(x.sizes(), x.dtype(), x.device());
  draw(dense);
  const bool had_history = needs_grad(x);
  const Tensor before = had_history ? previous(x) : Tensor();
  if (!dense.is_same(x)) detail::copy_raw(x, dense);
  bump_version(x);
  if (had_history) {
    record_inplace(op, {before}, x,
                   [](Backward& ctx) -> Grads { return {zeros_like(ctx.grad())}; });
  }
}

// With a state for numbers that draw from the blocks as uniform ones do.
template <class Draw>
void fill_real(const char* op, Tensor& x, const Draw& draw) {
  WICK_CHECK(DTypeError, x.is_floating_point(), op, ": expected a floating-point tensor, got ",
             x.dtype());
  fill_random(op, x, [&](Tensor& t) {
    draw(t, detail::next_philox(philox_blocks(t.numel(), philox_per_block(t.dtype()))));
  });
}

}  // namespace

int64_t detail::largest_exact(DType dtype) {
  switch (dtype) {
    case DType::Bool:
      return 1;
    case DType::UInt8:
      return 255;
    case DType::Float16:
      return int64_t{1} << 11;
    case DType::BFloat16:
      return int64_t{1} << 8;
    case DType::Float32:
      return int64_t{1} << 24;
    case DType::Float64:
      return int64_t{1} << 53;
    default:
      return static_cast<int64_t>((uint64_t{1} << (8 * element_size(dtype) - 1)) - 1);
  }
}

void detail::draw_integers(const char* op, const Tensor& x, int64_t low, int64_t high) {
  const DType dtype = x.dtype();
  WICK_CHECK(ValueError, low < high, op, ": expected low < high, got ", low, " and ", high);
  const int64_t most = largest_exact(dtype);
  const int64_t least = dtype == DType::Bool || dtype == DType::UInt8 ? 0
                        : wick::is_floating_point(dtype)              ? -most
                                                                      : -most - 1;
  WICK_CHECK(ValueError, low >= least && high - 1 <= most, op, ": ", dtype, " holds integers from ",
             least, " to ", most, ", got low ", low, " and high ", high);
  const int64_t n = x.numel();
  const PhiloxState state = next_philox(philox_blocks(n, 2));
  // A bool is a byte that is 0 or 1.
  const DType written = dtype == DType::Bool ? DType::UInt8 : dtype;
  if (n > 0) WICK_DISPATCH(x.device(), randint, written, n, x.data_ptr(), state, low, high);
}

// --- in place

Tensor& Tensor::uniform_(double low, double high) {
  WICK_CHECK(ValueError, low <= high && std::isfinite(high - low),
             "uniform_: expected finite low <= high, got ", low, " and ", high);
  fill_real("uniform_", *this, [&](Tensor& t, PhiloxState state) {
    WICK_DISPATCH(t.device(), uniform, t.dtype(), t.numel(), t.data_ptr(), state, low, high);
  });
  return *this;
}

Tensor& Tensor::normal_(double mean, double std) {
  WICK_CHECK(ValueError, std >= 0 && std::isfinite(std) && std::isfinite(mean),
             "normal_: expected finite mean and std >= 0, got ", mean, " and ", std);
  fill_real("normal_", *this, [&](Tensor& t, PhiloxState state) {
    WICK_DISPATCH(t.device(), normal, t.dtype(), t.numel(), t.data_ptr(), state, mean, std);
  });
  return *this;
}

Tensor& Tensor::exponential_(double lambd) {
  WICK_CHECK(ValueError, lambd > 0, "exponential_: expected lambd > 0, got ", lambd);
  fill_real("exponential_", *this, [&](Tensor& t, PhiloxState state) {
    WICK_DISPATCH(t.device(), exponential, t.dtype(), t.numel(), t.data_ptr(), state, lambd);
  });
  return *this;
}

Tensor& Tensor::random_() { return random_(0, std::nullopt); }
Tensor& Tensor::random_(int64_t to) { return random_(0, to); }
Tensor& Tensor::random_(int64_t from, std::optional<int64_t> to) {
  const int64_t most = detail::largest_exact(dtype());
  const int64_t end = to.value_or(most == INT64_MAX ? most : most + 1);
  fill_random("random_", *this, [&](Tensor& t) { detail::draw_integers("random_", t, from, end); });
  return *this;
}

// --- bernoulli

namespace {

void check_probability(const char* op, double p) {
  WICK_CHECK(ValueError, p >= 0 && p <= 1, op, ": expected a probability in [0, 1], got ", p);
}

Tensor less_often(const Tensor& p) {
  const DType dtype = p.dtype() == kFloat64 ? kFloat64 : kFloat32;
  return rand(p.sizes(), TensorOptions(dtype).device(p.device())) < p;
}

/// Bool, of the shape `sizes`.
Tensor coins(const char* op, const Tensor& p, IntArrayRef sizes) {
  WICK_CHECK(DTypeError, p.is_floating_point(), op, ": expected probabilities of a floating-point ",
             "type, got ", p.dtype());
  const NoGradGuard no_grad;
  const Tensor fits = (p >= 0) * (p <= 1);
  WICK_CHECK(ValueError, all(fits).item<bool>(), op, ": expected probabilities in [0, 1]");
  return less_often(p.detach().expand(sizes));
}

}  // namespace

Tensor& Tensor::bernoulli_(double p) {
  check_probability("bernoulli_", p);
  check_inplace("bernoulli_", *this, false);
  return copy_(rand(sizes(), TensorOptions(kFloat32).device(device())) < p);
}
Tensor& Tensor::bernoulli_(const Tensor& p) {
  check_inplace("bernoulli_", *this, false);
  detail::common_device("bernoulli_", {this, &p}, true);
  return copy_(coins("bernoulli_", p.to(device()), sizes()));
}
Tensor Tensor::bernoulli() const { return wick::bernoulli(*this); }

Tensor bernoulli(const Tensor& x) { return coins("bernoulli", x, x.sizes()).to(x.dtype()); }
Tensor bernoulli(const Tensor& x, double p) {
  return detail::make_empty(x.sizes(), x.dtype(), x.device()).bernoulli_(p);
}

// --- normal

namespace {

Tensor normal_like(const Tensor& shape) {
  detail::require_floating("normal", shape);
  return randn(shape.sizes(), shape.options());
}

}  // namespace

Tensor normal(const Tensor& mean, double std) {
  WICK_CHECK(ValueError, std >= 0, "normal: expected std >= 0, got ", std);
  const NoGradGuard no_grad;
  return normal_like(mean) * std + mean;
}
Tensor normal(double mean, const Tensor& std) {
  const NoGradGuard no_grad;
  return normal_like(std) * std + mean;
}
Tensor normal(const Tensor& mean, const Tensor& std) {
  const NoGradGuard no_grad;
  return normal_like(mean + std) * std + mean;
}
Tensor normal(double mean, double std, IntArrayRef sizes, const TensorOptions& options) {
  Tensor x = empty(sizes, options.requires_grad(std::nullopt)).normal_(mean, std);
  return options.requires_grad() ? x.requires_grad_() : x;
}

// --- multinomial

// Sums of 2^40 of them are finite.
constexpr double kLargestWeight = 0x1p980;

Tensor multinomial(const Tensor& x, int64_t num_samples, bool replacement) {
  constexpr const char* op = "multinomial";
  detail::require_floating(op, x);
  WICK_CHECK(ShapeError, (x.dim() == 1 || x.dim() == 2) && x.size(-1) > 0, op,
             ": expected shape [classes] or [rows, classes] with classes > 0, got ", x.sizes());
  const int64_t classes = x.size(-1), rows = x.numel() / classes;
  WICK_CHECK(ValueError, num_samples > 0 && (replacement || num_samples <= classes), op,
             ": expected num_samples > 0", replacement ? "" : " and <= classes (no replacement)",
             ", got ", num_samples, " of ", classes);
  const NoGradGuard no_grad;
  // The kernel works on it in place.
  const Tensor weights = detail::contiguous_raw(x.detach().to(x.device(), kFloat64, false, true));
  const Tensor positive = sum(weights > 0, -1);
  const Tensor fits = all((weights >= 0) * (weights <= kLargestWeight));
  const int64_t needed = replacement ? 1 : num_samples;
  WICK_CHECK(ValueError, fits.item<bool>(), op, ": expected numbers that are finite and >= 0");
  WICK_CHECK(ValueError, all(positive >= needed).item<bool>(), op, ": expected at least ", needed,
             " numbers above 0 in each row");
  detail::Dims sizes(x.sizes());
  sizes[sizes.n - 1] = num_samples;
  const Tensor y = detail::make_checked(op, sizes, kInt64, x.device());
  MultinomialArgs args{rows, classes, num_samples, replacement || num_samples == 1};
  const int64_t draws = args.replacement ? y.numel() : x.numel();
  const PhiloxState state = detail::next_philox(philox_blocks(draws, 2));
  if (y.numel() > 0) {
    WICK_DISPATCH(x.device(), multinomial, args, weights.data_ptr<double>(), y.data_ptr<int64_t>(),
                  state);
  }
  return y;
}
Tensor Tensor::multinomial(int64_t num_samples, bool replacement) const {
  return wick::multinomial(*this, num_samples, replacement);
}

}  // namespace wick
