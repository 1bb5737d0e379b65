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

/// For each element of the result along a dimension: one that it is made of, and its share.
struct Tap {
  Tensor index, weight;
};

enum class Mode { Nearest, NearestExact, Linear, Cubic };

/// The largest whole number that is no larger than x.
Tensor floor_of(const Tensor& x) {
  const Tensor whole = x.to(kInt64).to(x.dtype());
  return where(whole > x, whole - 1, whole);
}

Tensor cubic_near(const Tensor& d) { return (d * 1.25 - 2.25) * d * d + 1; }
Tensor cubic_far(const Tensor& d) { return ((d * -0.75 + 3.75) * d - 6) * d + 3; }

std::vector<Tap> find_taps(Mode mode, int64_t in, int64_t out, std::optional<double> factor,
                           bool align_corners, Device device) {
  const double ratio = factor ? 1 / *factor : static_cast<double>(in) / static_cast<double>(out);
  const double last = static_cast<double>(in - 1);
  const auto inside = [&](const Tensor& at) {
    return where(at < 0, 0.0, where(at > last, last, at)).to(kInt64);
  };
  if (mode == Mode::Nearest || mode == Mode::NearestExact) {
    // In float32, as in PyTorch: rounding decides between neighbours.
    const Tensor o = arange(out, TensorOptions(kFloat32).device(device));
    const Tensor at = floor_of((o + (mode == Mode::Nearest ? 0.0 : 0.5)) * ratio);
    return {{inside(at.to(kFloat64)), {}}};
  }
  const Tensor o = arange(out, TensorOptions(kFloat64).device(device));
  Tensor at = align_corners ? o * (out > 1 ? last / static_cast<double>(out - 1) : 0.0)
                            : (o + 0.5) * ratio - 0.5;
  if (mode == Mode::Linear) at = where(at < 0, 0.0, at);
  const Tensor whole = floor_of(at), part = at - whole;
  if (mode == Mode::Linear) return {{inside(whole), 1 - part}, {inside(whole + 1), part}};
  // https://en.wikipedia.org/wiki/Bicubic_interpolation with a = -0.75
  return {{inside(whole - 1), cubic_far(part + 1)},
          {inside(whole), cubic_near(part)},
          {inside(whole + 1), cubic_near(1 - part)},
          {inside(whole + 2), cubic_far(2 - part)}};
}

Tensor resample(const Tensor& x, int64_t dim, const std::vector<Tap>& taps) {
  Dims along;
  for (int64_t d = 0; d < x.dim(); ++d) along.push_back(d == dim ? -1 : 1);
  Tensor sum;
  for (const Tap& t : taps) {
    Tensor part = index_select(x, dim, t.index);
    if (t.weight.defined()) part = part * t.weight.to(x.dtype()).view(along);
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
    const std::vector<Tap> taps =
        find_taps(how, x.sizes()[2 + i], out[i], factor[static_cast<size_t>(i)],
                  align_corners.value_or(false), x.device());
    y = resample(y, 2 + i, taps);
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

// --- samples at given points

namespace {

/// From [-1, 1] to positions along a dimension of `size`, brought inside as `padding` says.
Tensor positions_of(const Tensor& grid, int64_t size, const std::string& padding,
                    bool align_corners) {
  const auto n = static_cast<double>(size);
  Tensor at = align_corners ? (grid + 1) * ((n - 1) / 2) : ((grid + 1) * n - 1) / 2;
  if (padding == "zeros") return at;
  if (padding == "reflection") {
    const double low = align_corners ? 0 : -0.5, span = align_corners ? n - 1 : n;
    if (span == 0) return at * 0;
    const Tensor off = abs(at - low), turns = floor_of((off / span).detach()),
                 rest = off - turns * span;
    const Tensor odd = turns - floor_of(turns / 2) * 2 == 1;
    at = where(odd, span - rest, rest) + low;
  }
  return where(at > n - 1, n - 1, where(at < 0, 0.0, at));
}

Tensor nearest_even(const Tensor& x) {
  const Tensor up = floor_of(x.detach() + 0.5);
  const Tensor tie = up - x.detach() == 0.5, odd = up - floor_of(up / 2) * 2 == 1;
  return where(tie, where(odd, up - 1, up), up);
}

}  // namespace

Tensor grid_sample(const Tensor& x, const Tensor& grid, const std::string& mode,
                   const std::string& padding_mode, bool align_corners) {
  constexpr const char* op = "grid_sample";
  WICK_CHECK(ValueError, mode == "bilinear" || mode == "nearest", op,
             ": expected mode bilinear or nearest, got \"", mode, '"');
  WICK_CHECK(ValueError,
             padding_mode == "zeros" || padding_mode == "border" || padding_mode == "reflection",
             op, ": expected padding_mode zeros, border or reflection, got \"", padding_mode, '"');
  WICK_CHECK(ShapeError,
             x.dim() == 4 && grid.dim() == 4 && grid.size(3) == 2 && grid.size(0) == x.size(0), op,
             ": expected x of shape [N, C, H, W] and a grid of shape [N, h, w, 2], got ", x.sizes(),
             " and ", grid.sizes());
  WICK_CHECK(ShapeError, x.size(2) > 0 && x.size(3) > 0, op,
             ": expected planes of at least one element, got x ", x.sizes());
  detail::require_floating(op, x);
  detail::require_dtype(op, "grid", grid, x.dtype());
  detail::common_device(op, {&x, &grid});
  const DType stats = detail::stats_dtype(x.dtype());
  const Tensor points = grid.to(stats);
  const Tensor at[2] = {positions_of(points.select(-1, 1), x.size(2), padding_mode, align_corners),
                        positions_of(points.select(-1, 0), x.size(3), padding_mode, align_corners)};
  const bool linear = mode == "bilinear";
  const Tensor first[2] = {linear ? floor_of(at[0].detach()) : nearest_even(at[0]),
                           linear ? floor_of(at[1].detach()) : nearest_even(at[1])};
  const Tensor rows =
      x.to(stats).permute({0, 2, 3, 1}).reshape({x.size(0) * x.size(2) * x.size(3), x.size(1)});
  const Tensor image = arange(x.size(0), x.options().dtype(kInt64)).view({-1, 1, 1}) * x.size(2);
  Tensor sum;
  for (int corner = 0; corner < (linear ? 4 : 1); ++corner) {
    Tensor inside, weight, index[2];
    for (int d = 0; d < 2; ++d) {
      const int step = d == 0 ? corner / 2 : corner % 2;
      const Tensor position = first[d] + step;
      const Tensor in = ((position >= 0).to(kInt64) * (position < x.size(2 + d)).to(kInt64)) == 1;
      const Tensor part = step == 0 ? 1 - (at[d] - first[d]) : at[d] - first[d];
      index[d] = where(in, position, 0.0).to(kInt64);
      inside = d == 0 ? in : where(in, inside, in);
      if (linear) weight = d == 0 ? part : weight * part;
    }
    const Tensor from = ((image + index[0]) * x.size(3) + index[1]).reshape(-1);
    Dims sizes(grid.sizes());
    sizes[3] = x.size(1);
    Tensor value = where(inside.unsqueeze(-1), index_select(rows, 0, from).view(sizes), 0.0);
    if (linear) value = value * weight.unsqueeze(-1);
    sum = sum.defined() ? sum + value : value;
  }
  return sum.permute({0, 3, 1, 2}).contiguous().to(x.dtype());
}

}  // namespace wick
