#include <wick/core/ops/common.h>

namespace wick {

using detail::Dims;

namespace {

/// y with `value` around x.
Tensor surround(const Tensor& x, const Dims& before, const Dims& sizes, double value) {
  detail::checked_numel("pad", sizes);
  Tensor y = full(sizes, value, x.options());
  const auto inner = [n = Dims(x.sizes()), before](Tensor t) {
    for (int d = 0; d < n.n; ++d)
      if (n[d] != t.sizes()[d]) t = t.narrow(d, before[d], n[d]);
    return t;
  };
  detail::copy_raw(inner(y), x);
  if (needs_grad(x)) {
    record("pad", {x}, y, [inner](Backward& ctx) -> Grads { return {inner(ctx.grad())}; });
  }
  return y;
}

enum class Mode { Constant, Reflect, Replicate, Circular };

Mode mode_of(const std::string& name) {
  if (name == "constant") return Mode::Constant;
  if (name == "reflect") return Mode::Reflect;
  if (name == "replicate") return Mode::Replicate;
  WICK_CHECK(ValueError, name == "circular",
             "pad: expected mode constant, reflect, replicate or circular, got \"", name, '"');
  return Mode::Circular;
}

/// Where elements -before, ..., size + after - 1 of a dimension come from.
Tensor sources(const Tensor& x, Mode mode, int64_t size, int64_t before, int64_t after) {
  const Tensor i = arange(-before, size + after, x.options().dtype(kInt64));
  if (mode == Mode::Reflect) return (size - 1) - abs((size - 1) - abs(i));
  if (mode == Mode::Replicate) return where(i < 0, 0, where(i >= size, size - 1, i));
  return where(i < 0, i + size, where(i >= size, i - size, i));
}

}  // namespace

Tensor pad(const Tensor& x, IntArrayRef pad, const std::string& mode, double value) {
  const Mode how = mode_of(mode);
  const auto count = static_cast<int64_t>(pad.size());
  WICK_CHECK(ShapeError, count % 2 == 0 && count / 2 <= x.dim(),
             "pad: expected two numbers for each of at most ", x.dim(), " dimensions of x ",
             x.sizes(), ", got ", pad);
  WICK_CHECK(ShapeError,
             how == Mode::Constant || x.dim() == count / 2 + 1 || x.dim() == count / 2 + 2,
             "pad: mode ", mode, " with ", pad, " expects x of ", count / 2 + 1, " or ",
             count / 2 + 2, " dimensions, got ", x.sizes());
  Tensor y = x;
  Dims before, sizes(x.sizes());
  for (int64_t d = 0; d < x.dim(); ++d) before.push_back(0);
  for (int64_t i = 0; i < count / 2; ++i) {
    const auto d = static_cast<int>(x.dim() - 1 - i);
    const int64_t size = x.sizes()[d], begin = pad[2 * i], end = pad[2 * i + 1];
    constexpr int64_t kMost = INT64_MAX / 4;
    WICK_CHECK(ShapeError,
               begin < kMost && end < kMost && begin > -kMost && end > -kMost && size < kMost &&
                   size + begin + end >= 0 && size + begin >= 0 && size + end >= 0,
               "pad: ", pad, " cuts away more than x ", x.sizes(), " has");
    if (begin == 0 && end == 0) continue;
    if (how == Mode::Constant) {
      const int64_t first = begin < 0 ? -begin : 0;
      y = y.narrow(d, first, size - first + (end < 0 ? end : 0));
      before[d] = begin > 0 ? begin : 0;
      sizes[d] = size + begin + end;
      continue;
    }
    const int64_t most = how == Mode::Reflect ? size - 1 : how == Mode::Circular ? size : kMost;
    WICK_CHECK(ShapeError, size > 0 && begin >= 0 && end >= 0 && begin <= most && end <= most,
               "pad: expected numbers from 0 to ", size == 0 ? 0 : most, " for mode ", mode,
               " and a size of ", size, ", got ", pad);
    y = index_select(y, d, sources(x, how, size, begin, end));
  }
  if (how == Mode::Constant && y.sizes() != IntArrayRef(sizes))
    y = surround(y, before, sizes, value);
  return y.is_alias_of(x) ? y.clone() : y;
}

}  // namespace wick
