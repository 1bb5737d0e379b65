#include <wick/core/ops/window.h>
#include <cmath>

namespace wick {

using detail::Dims;

namespace {

void require_images(const char* op, const Tensor& x) {
  WICK_CHECK(ShapeError, x.dim() >= 3, op, ": expected x of shape [..., C, H, W], got ", x.sizes());
}

Dims with_last(const Tensor& x, int64_t c, int64_t h, int64_t w) {
  Dims sizes(x.sizes());
  sizes[sizes.n - 3] = c;
  sizes[sizes.n - 2] = h;
  sizes[sizes.n - 1] = w;
  return sizes;
}

int64_t images(const Tensor& x) {
  int64_t n = 1;
  for (int64_t d = 0; d < x.dim() - 3; ++d) n *= x.sizes()[d];
  return n;
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor) {
  require_images("pixel_shuffle", x);
  const int64_t r = upscale_factor, c = x.size(-3), h = x.size(-2), w = x.size(-1);
  WICK_CHECK(ValueError, r > 0 && r <= INT32_MAX && c % (r * r) == 0,
             "pixel_shuffle: expected an upscale_factor whose square divides the ", c,
             " channels of x ", x.sizes(), ", got ", r);
  return x.reshape({images(x), c / (r * r), r, r, h, w})
      .permute({0, 1, 4, 2, 5, 3})
      .reshape(with_last(x, c / (r * r), h * r, w * r));
}

Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor) {
  require_images("pixel_unshuffle", x);
  const int64_t r = downscale_factor, c = x.size(-3), h = x.size(-2), w = x.size(-1);
  WICK_CHECK(ValueError, r > 0 && h % r == 0 && w % r == 0,
             "pixel_unshuffle: expected a downscale_factor that divides height and width of x ",
             x.sizes(), ", got ", r);
  return x.reshape({images(x), c, h / r, r, w / r, r})
      .permute({0, 1, 3, 5, 2, 4})
      .reshape(with_last(x, c * r * r, h / r, w / r));
}

// --- interpolation: a weighted sum of elements along one dimension after the other

namespace {

/// The elements of one dimension that make one of the result's, and their shares.
struct Taps {
  std::vector<int64_t> index;
  std::vector<double> weight;
};

enum class Mode { Nearest, NearestExact, Linear, Cubic };

double cubic_near(double d) { return (1.25 * d - 2.25) * d * d + 1; }
double cubic_far(double d) { return ((-0.75 * d + 3.75) * d - 6) * d + 3; }

/// One Taps for each of the elements that a result needs, each over all of the result.
std::vector<Taps> find_taps(Mode mode, int64_t in, int64_t out, std::optional<double> factor,
                            bool align_corners) {
  const int count = mode == Mode::Cubic ? 4 : mode == Mode::Linear ? 2 : 1;
  std::vector<Taps> taps(static_cast<size_t>(count));
  const double ratio = factor ? 1 / *factor : static_cast<double>(in) / static_cast<double>(out);
  const double aligned = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  const auto add = [&](int tap, double at, double weight) {
    const auto last = static_cast<double>(in - 1);
    taps[static_cast<size_t>(tap)].index.push_back(static_cast<int64_t>(at < 0      ? 0
                                                                        : at > last ? last
                                                                                    : at));
    taps[static_cast<size_t>(tap)].weight.push_back(weight);
  };
  for (int64_t o = 0; o < out; ++o) {
    const auto position = static_cast<double>(o);
    if (count == 1) {  // in float32, as in PyTorch: rounding decides between neighbours
      const float offset = mode == Mode::NearestExact ? 0.5f : 0.0f;
      add(0, std::floor((static_cast<float>(o) + offset) * static_cast<float>(ratio)), 1);
      continue;
    }
    double at = align_corners ? position * aligned : (position + 0.5) * ratio - 0.5;
    if (mode == Mode::Linear && at < 0) at = 0;
    const double whole = std::floor(at), part = at - whole;
    if (mode == Mode::Linear) {
      add(0, whole, 1 - part);
      add(1, whole + 1, part);
    } else {  // https://en.wikipedia.org/wiki/Bicubic_interpolation with a = -0.75
      add(0, whole - 1, cubic_far(part + 1));
      add(1, whole, cubic_near(part));
      add(2, whole + 1, cubic_near(1 - part));
      add(3, whole + 2, cubic_far(2 - part));
    }
  }
  return taps;
}

Tensor resample(const Tensor& x, int64_t dim, const std::vector<Taps>& taps) {
  Dims along;
  for (int64_t d = 0; d < x.dim(); ++d) along.push_back(d == dim ? -1 : 1);
  Tensor sum;
  for (const Taps& t : taps) {
    Tensor part = index_select(x, dim, tensor(t.index, kInt64).to(x.device()));
    if (taps.size() > 1) part = part * tensor(t.weight, x.dtype()).to(x.device()).view(along);
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

Mode mode_of(const std::string& mode, int64_t n) {
  if (mode == "nearest") return Mode::Nearest;
  if (mode == "nearest-exact") return Mode::NearestExact;
  if (mode == "bicubic" && n == 2) return Mode::Cubic;
  static constexpr const char* kLinear[] = {"linear", "bilinear", "trilinear"};
  WICK_CHECK(ValueError, mode == kLinear[n - 1], "interpolate: expected mode nearest, ",
             "nearest-exact, area, ", kLinear[n - 1], n == 2 ? " or bicubic" : "", " for x with ",
             n, " dimensions behind its channels, got \"", mode, '"');
  return Mode::Linear;
}

}  // namespace

Tensor interpolate(const Tensor& x, OptionalIntArrayRef size, ArrayRef<double> scale_factor,
                   const std::string& mode, std::optional<bool> align_corners) {
  constexpr const char* op = "interpolate";
  WICK_CHECK(ShapeError, x.dim() >= 3 && x.dim() <= 5, op,
             ": expected x of shape [N, C, L], [N, C, H, W] or [N, C, D, H, W], got ", x.sizes());
  detail::require_floating(op, x);
  const auto n = static_cast<int>(x.dim() - 2);
  const size_t factors = scale_factor.size();
  WICK_CHECK(ValueError, size.has_value() != (factors > 0), op,
             ": expected either size or scale_factor");
  WICK_CHECK(ValueError, factors <= 1 || factors == static_cast<size_t>(n), op, ": expected 1 or ",
             n, " values for scale_factor, got ", factors);
  Dims out;
  if (size) out = detail::window_values(op, "size", *size, n, 1);
  std::vector<std::optional<double>> factor(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    const int64_t in = x.sizes()[2 + i];
    WICK_CHECK(ShapeError, in > 0, op, ": expected x with elements to take, got ", x.sizes());
    if (size) continue;
    factor[static_cast<size_t>(i)] = scale_factor[factors == 1 ? 0 : i];
    const double wanted = std::floor(static_cast<double>(in) * *factor[static_cast<size_t>(i)]);
    WICK_CHECK(ValueError, wanted >= 1 && wanted <= INT32_MAX, op, ": scale_factor makes sizes of ",
               wanted, " from x ", x.sizes());
    out.push_back(static_cast<int64_t>(wanted));
  }
  if (mode == "area") {
    return n == 1   ? adaptive_avg_pool1d(x, out)
           : n == 2 ? adaptive_avg_pool2d(x, out)
                    : adaptive_avg_pool3d(x, out);
  }
  const Mode how = mode_of(mode, n);
  WICK_CHECK(ValueError, !align_corners || how == Mode::Linear || how == Mode::Cubic, op,
             ": align_corners needs a linear or cubic mode, got \"", mode, '"');
  Tensor y = x.to(detail::stats_dtype(x.dtype()));
  for (int i = 0; i < n; ++i) {
    y = resample(y, 2 + i,
                 find_taps(how, x.sizes()[2 + i], out[i], factor[static_cast<size_t>(i)],
                           align_corners.value_or(false)));
  }
  return y.to(x.dtype());
}

// --- columns of windows

namespace {

struct Columns {
  detail::Window w;
  Dims out;
  int64_t padded[2];
  Tensor index;  // [taps x positions], into a padded plane

  int64_t taps() const { return w.kernel[0] * w.kernel[1]; }
  int64_t positions() const { return out[0] * out[1]; }
};

/// Windows over planes of the size of those of `image`, whose elements are not looked at.
Columns columns_of(const char* op, const Tensor& image, IntArrayRef kernel_size,
                   IntArrayRef dilation, IntArrayRef padding, IntArrayRef stride) {
  Columns c;
  c.w.kernel = detail::window_values(op, "kernel_size", kernel_size, 2, 1);
  c.w.dilation = detail::window_values(op, "dilation", dilation, 2, 1);
  c.w.padding = detail::window_values(op, "padding", padding, 2, 0);
  c.w.stride = detail::window_values(op, "stride", stride, 2, 1);
  c.out = detail::window_positions(op, image, c.w, false);
  const TensorOptions options = image.options().dtype(kInt64);
  Tensor along[2];  // [kernel, out] of each dimension
  for (int i = 0; i < 2; ++i) {
    c.padded[i] = image.size(i - 2) + 2 * c.w.padding[i];
    along[i] = arange(c.w.kernel[i], options).unsqueeze(1) * c.w.dilation[i] +
               arange(c.out[i], options) * c.w.stride[i];
  }
  c.index = ((along[0] * c.padded[1]).view({c.w.kernel[0], 1, c.out[0], 1}) +
             along[1].view({1, c.w.kernel[1], 1, c.out[1]}))
                .reshape(-1);
  return c;
}

}  // namespace

Tensor im2col(const Tensor& x, IntArrayRef kernel_size, IntArrayRef dilation, IntArrayRef padding,
              IntArrayRef stride) {
  detail::require_planes("im2col", x, 2);
  const Columns c = columns_of("im2col", x, kernel_size, dilation, padding, stride);
  const int64_t h = c.w.padding[0], w = c.w.padding[1];
  const Tensor padded = h == 0 && w == 0 ? x : pad(x, {w, w, h, h});
  Dims sizes(x.sizes().slice(0, x.dim() - 3));
  sizes.push_back(x.size(-3) * c.taps());
  sizes.push_back(c.positions());
  return index_select(padded.flatten(-2), -1, c.index).reshape(sizes);
}

Tensor col2im(const Tensor& x, IntArrayRef output_size, IntArrayRef kernel_size,
              IntArrayRef dilation, IntArrayRef padding, IntArrayRef stride) {
  constexpr const char* op = "col2im";
  WICK_CHECK(ShapeError, x.dim() == 2 || x.dim() == 3, op,
             ": expected x of shape [N, C kh kw, L] or [C kh kw, L], got ", x.sizes());
  const Dims size = detail::window_values(op, "output_size", output_size, 2, 1);
  detail::checked_numel(op, size);
  const Tensor image = zeros({}, x.options()).expand({1, size[0], size[1]});
  const Columns c = columns_of(op, image, kernel_size, dilation, padding, stride);
  WICK_CHECK(ShapeError, x.size(-2) % c.taps() == 0 && x.size(-1) == c.positions(), op,
             ": expected x with a multiple of ", c.taps(), " rows and ", c.positions(),
             " columns, got ", x.sizes());
  Dims sizes(x.sizes().slice(0, x.dim() - 2));
  sizes.push_back(x.size(-2) / c.taps());
  Dims flat = sizes;
  flat.push_back(c.taps() * c.positions());
  sizes.push_back(c.padded[0]);
  sizes.push_back(c.padded[1]);
  return detail::index_add(FaultOp::IndexAdd, x.reshape(flat), flat.n - 1, c.index,
                           c.padded[0] * c.padded[1])
      .view(sizes)
      .narrow(-2, c.w.padding[0], size[0])
      .narrow(-1, c.w.padding[1], size[1]);
}

}  // namespace wick
