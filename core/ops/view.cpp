// Views: other geometries over the same elements, each with its own reverse right below it.
#include <wick/core/make.h>
#include <wick/core/ops/common.h>
#include <wick/core/view_grad.h>
#include <algorithm>
#include <limits>

namespace wick {
namespace {

using detail::Dims;
using detail::Geometry;

void check_dim_count(const char* op, IntArrayRef dims, const TensorImpl& x) {
  WICK_CHECK(ShapeError, static_cast<int>(dims.size()) == x.dim(), op, ": expected ", x.dim(),
             " dimensions for a tensor of shape ", x.sizes(), ", got ", dims);
}

// `sizes` with a -1 replaced by what is left of x's elements.
Dims resolve_sizes(const char* op, const TensorImpl& x, IntArrayRef sizes) {
  detail::check_rank(op, sizes.size());
  Dims out(sizes);
  int open = -1;
  for (int d = 0; d < out.n; ++d) {
    if (out[d] >= 0) continue;
    WICK_CHECK(ShapeError, out[d] == -1 && open < 0, op,
               ": sizes must not be negative, except for one -1, got ", sizes);
    open = d;
  }
  if (open >= 0) out[open] = 1;
  const int64_t numel = detail::checked_numel(op, out);
  if (open < 0) {
    WICK_CHECK(ShapeError, numel == x.numel(), op, ": sizes ", sizes, " have ", numel,
               " elements, the tensor ", x.sizes(), " has ", x.numel());
    return out;
  }
  WICK_CHECK(ShapeError, numel != 0, op, ": -1 in ", sizes,
             " could be any size, as the others leave no elements; give it");
  WICK_CHECK(ShapeError, x.numel() % numel == 0, op, ": sizes ", sizes,
             " do not divide the tensor ", x.sizes(), " of ", x.numel(), " elements");
  out[open] = x.numel() / numel;
  return out;
}

void row_major_strides(const Dims& sizes, Dims& strides) {
  strides.n = sizes.n;
  int64_t step = 1;
  for (int d = sizes.n - 1; d >= 0; --d) {
    strides[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  }
}

// The strides with which `sizes` walk the elements of x in x's row-major order; false if there are
// none. Both have the same number of elements.
bool view_strides(const TensorImpl& x, const Dims& sizes, Dims& strides) {
  if (x.sizes() == IntArrayRef(sizes)) {
    strides = Dims(x.strides());
    return true;
  }
  if (x.is_contiguous()) {
    row_major_strides(sizes, strides);
    return true;
  }
  // From the back: runs of x's dimensions that are contiguous among themselves must be made up of
  // whole new dimensions.
  strides.n = sizes.n;
  int to = sizes.n - 1;
  int64_t run = 1;      // elements of the run so far
  int64_t covered = 1;  // and those that new dimensions have taken
  int64_t base = x.dim() > 0 ? x.stride(x.dim() - 1) : 1;
  for (int d = x.dim() - 1; d >= 0; --d) {
    run *= x.size(d);
    const bool ends = d == 0 || (x.size(d - 1) != 1 && x.stride(d - 1) != run * base);
    if (!ends) continue;
    while (to >= 0 && (covered < run || sizes[to] == 1)) {
      strides[to] = covered * base;
      covered *= sizes[to--];
    }
    if (covered != run) return false;
    if (d == 0) break;
    base = x.stride(d - 1);
    run = covered = 1;
  }
  return to < 0;
}

Tensor make_slice(const char* name, const Tensor& x, int dim, int64_t start, int64_t length,
                  int64_t step);

// The reverse of slice: g in the place that the slice had, zeros around it.
Tensor slice_backward(const Tensor& g, IntArrayRef sizes, int dim, int64_t start, int64_t step) {
  Tensor out = detail::make_empty(sizes, g.dtype(), g.device());
  detail::fill_raw("slice_backward", out, 0);
  const TensorImpl& o = out.impl();
  Dims strides(o.strides());
  strides[dim] *= step;
  const Tensor place(
      TensorImpl::make(o.storage(), start * o.stride(dim), g.sizes(), strides, g.dtype()));
  detail::copy_raw(place, g);
  if (needs_grad(g)) {
    record("slice_backward", {g}, out,
           [dim, start, length = g.size(dim), step](Backward& ctx) -> Grads {
             return {make_slice("slice", ctx.grad(), dim, start, length, step)};
           });
  }
  return out;
}

// start + i * step for i < length, all inside x; also 0 elements.
Tensor make_slice(const char* name, const Tensor& x, int dim, int64_t start, int64_t length,
                  int64_t step) {
  const TensorImpl& t = x.impl();
  Dims sizes(t.sizes()), strides(t.strides());
  sizes[dim] = length;
  strides[dim] *= step;
  // An empty view stays at a place that exists.
  const int64_t offset = t.storage_offset() + (length > 0 ? start * t.stride(dim) : 0);
  return detail::record_view(name, x, offset, sizes, strides, [&] {
    return [in = Dims(t.sizes()), dim, start, step](Backward& ctx) -> Grads {
      return {slice_backward(ctx.grad(), in, dim, start, step)};
    };
  });
}

int64_t end_of(const Geometry& g) {
  int64_t last = g.offset;
  for (int d = 0; d < g.ndim; ++d) last += (g.sizes[d] - 1) * g.strides[d];
  return last + 1;
}

}  // namespace

// The gradient of the geometry `from` given that of `to`, both over one storage. The elements of
// `to` are summed into the memory that both span, from which `from` reads. Where several elements
// of `from` share a place (an expanded tensor), they share its gradient evenly: their own reverse
// adds them up again.
Tensor detail::strided_gradient(const Tensor& g, const Geometry& from, const Geometry& to) {
  int64_t numel = 1;
  for (int d = 0; d < from.ndim; ++d) numel *= from.sizes[d];
  if (numel == 0 || g.numel() == 0) {
    Tensor none = detail::make_empty(from.shape(), g.dtype(), g.device());
    detail::fill_raw("as_strided", none, 0);
    return none;
  }
  const int64_t low = std::min(from.offset, to.offset);
  const int64_t span = std::max(end_of(from), end_of(to)) - low;
  const Geometry memory(span, 1, low);
  const auto read = [&](const Tensor& values, const Geometry& where) {
    return detail::as_strided_backward(values, memory, where)
        .as_strided(from.shape(), from.steps(), from.offset - low);
  };
  Tensor result = read(g, to);
  if (detail::overlaps(from)) {
    Tensor one = detail::make_empty(from.shape(), g.dtype(), g.device());
    detail::fill_raw("as_strided", one, 1);
    result = div(result, read(one, from));
  }
  return result;
}

// --- other shapes

Tensor view(const Tensor& x, IntArrayRef sizes) {
  const TensorImpl& t = x.impl();
  const Dims out = resolve_sizes("view", t, sizes);
  Dims strides;
  WICK_CHECK(ShapeError, view_strides(t, out, strides), "view: a tensor of shape ", t.sizes(),
             " with strides ", t.strides(), " has no view of shape ", sizes,
             " without a copy; use reshape()");
  return detail::record_view("view", x, t.storage_offset(), out, strides, [&] {
    return [in = Dims(t.sizes())](Backward& ctx) -> Grads { return {ctx.grad().reshape(in)}; };
  });
}

Tensor reshape(const Tensor& x, IntArrayRef sizes) {
  const TensorImpl& t = x.impl();
  const Dims out = resolve_sizes("reshape", t, sizes);
  const auto backward = [&] {
    return [in = Dims(t.sizes())](Backward& ctx) -> Grads { return {ctx.grad().reshape(in)}; };
  };
  Dims strides;
  if (view_strides(t, out, strides))
    return detail::record_view("reshape", x, t.storage_offset(), out, strides, backward);
  const Tensor dense = detail::contiguous_raw(x);
  Tensor y(TensorImpl::make(dense.storage(), 0, out, t.dtype()));
  if (needs_grad(x)) record("reshape", {x}, y, backward());
  return y;
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  const TensorImpl& t = x.impl();
  const int64_t start = detail::wrap_dim("flatten", start_dim, t.dim());
  const int64_t end = detail::wrap_dim("flatten", end_dim, t.dim());
  WICK_CHECK(ShapeError, start <= end, "flatten: start_dim ", start_dim, " comes after end_dim ",
             end_dim, " in a tensor of ", t.dim(), " dimensions");
  if (t.dim() == 0) return view(x, {1});
  if (start == end) return x;
  Dims sizes;
  for (int d = 0; d < start; ++d) sizes.push_back(t.size(d));
  sizes.push_back(detail::checked_numel("flatten", t.sizes().slice(start, end - start + 1)));
  for (int d = static_cast<int>(end) + 1; d < t.dim(); ++d) sizes.push_back(t.size(d));
  return reshape(x, sizes);
}

Tensor squeeze(const Tensor& x) {
  const TensorImpl& t = x.impl();
  Dims sizes, strides;
  for (int d = 0; d < t.dim(); ++d) {
    if (t.size(d) == 1) continue;
    sizes.push_back(t.size(d));
    strides.push_back(t.stride(d));
  }
  return detail::record_view("squeeze", x, t.storage_offset(), sizes, strides, [&] {
    return [in = Dims(t.sizes())](Backward& ctx) -> Grads { return {ctx.grad().reshape(in)}; };
  });
}

Tensor squeeze(const Tensor& x, int64_t dim) {
  const TensorImpl& t = x.impl();
  const auto dropped = static_cast<int>(detail::wrap_dim("squeeze", dim, t.dim()));
  Dims sizes, strides;
  for (int d = 0; d < t.dim(); ++d) {
    if (d == dropped && t.size(d) == 1) continue;
    sizes.push_back(t.size(d));
    strides.push_back(t.stride(d));
  }
  return detail::record_view("squeeze", x, t.storage_offset(), sizes, strides, [&] {
    return [dropped, drops = sizes.n < t.dim()](Backward& ctx) -> Grads {
      return {drops ? ctx.grad().unsqueeze(dropped) : ctx.grad()};
    };
  });
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  const TensorImpl& t = x.impl();
  detail::check_rank("unsqueeze", t.dim() + 1);
  const auto at = static_cast<int>(detail::wrap_dim("unsqueeze", dim, t.dim() + 1));
  Dims sizes, strides;
  sizes.n = strides.n = t.dim() + 1;
  for (int d = 0; d < sizes.n; ++d) {
    const int from = d < at ? d : d - 1;
    sizes[d] = d == at ? 1 : t.size(from);
    strides[d] = d != at ? t.stride(from) : d < t.dim() ? t.size(d) * t.stride(d) : 1;
  }
  return detail::record_view("unsqueeze", x, t.storage_offset(), sizes, strides, [&] {
    return [at](Backward& ctx) -> Grads { return {ctx.grad().squeeze(at)}; };
  });
}

Tensor expand(const Tensor& x, IntArrayRef sizes) {
  const TensorImpl& t = x.impl();
  detail::check_rank("expand", sizes.size());
  Dims out(sizes), strides;
  strides.n = out.n;
  const int added = out.n - t.dim();
  WICK_CHECK(ShapeError, added >= 0, "expand: ", sizes, " has fewer dimensions than the tensor ",
             t.sizes());
  for (int d = 0; d < out.n; ++d) {
    const int from = d - added;
    WICK_CHECK(ShapeError, out[d] >= 0 || (out[d] == -1 && from >= 0), "expand: size ", out[d],
               " at dimension ", d, " of ", sizes, " is not allowed for the tensor ", t.sizes());
    if (from >= 0 && (out[d] == -1 || out[d] == t.size(from))) {
      out[d] = t.size(from);
      strides[d] = t.stride(from);
      continue;
    }
    WICK_CHECK(ShapeError, from < 0 || t.size(from) == 1, "expand: cannot expand the tensor ",
               t.sizes(), " to ", sizes, ": only sizes of 1 can grow");
    strides[d] = 0;
  }
  detail::checked_numel("expand", out);
  return detail::record_view("expand", x, t.storage_offset(), out, strides, [] {
    // The engine sums what was broadcast.
    return [](Backward& ctx) -> Grads { return {ctx.grad()}; };
  });
}

// --- other orders

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const TensorImpl& t = x.impl();
  const auto a = static_cast<int>(detail::wrap_dim("transpose", dim0, t.dim()));
  const auto b = static_cast<int>(detail::wrap_dim("transpose", dim1, t.dim()));
  Dims sizes(t.sizes()), strides(t.strides());
  if (a != b) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  return detail::record_view("transpose", x, t.storage_offset(), sizes, strides, [&] {
    return [a, b](Backward& ctx) -> Grads { return {ctx.grad().transpose(a, b)}; };
  });
}

Tensor permute(const Tensor& x, IntArrayRef dims) {
  const TensorImpl& t = x.impl();
  check_dim_count("permute", dims, t);
  Dims sizes, strides, inverse;
  inverse.n = t.dim();
  unsigned seen = 0;
  for (int i = 0; i < t.dim(); ++i) {
    const auto d = static_cast<int>(detail::wrap_dim("permute", dims[i], t.dim()));
    WICK_CHECK(ShapeError, !(seen >> d & 1), "permute: dimension ", d, " is given twice in ", dims);
    seen |= 1u << d;
    sizes.push_back(t.size(d));
    strides.push_back(t.stride(d));
    inverse[d] = i;
  }
  return detail::record_view("permute", x, t.storage_offset(), sizes, strides, [&] {
    return [inverse](Backward& ctx) -> Grads { return {ctx.grad().permute(inverse)}; };
  });
}

// --- parts

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  const TensorImpl& t = x.impl();
  WICK_CHECK(IndexError, t.dim() > 0, "select: a tensor without dimensions cannot be indexed; ",
             "item() gives its value");
  const auto d = static_cast<int>(detail::wrap_dim("select", dim, t.dim()));
  const int64_t size = t.size(d);
  WICK_CHECK(IndexError, index >= -size && index < size, "select: index ", index,
             " is out of range for dimension ", d, " of size ", size);
  const int64_t start = index < 0 ? index + size : index;
  Dims sizes, strides;
  for (int i = 0; i < t.dim(); ++i) {
    if (i == d) continue;
    sizes.push_back(t.size(i));
    strides.push_back(t.stride(i));
  }
  return detail::record_view("select", x, t.storage_offset() + start * t.stride(d), sizes, strides,
                             [&] {
                               return [in = Dims(t.sizes()), d, start](Backward& ctx) -> Grads {
                                 return {slice_backward(ctx.grad().unsqueeze(d), in, d, start, 1)};
                               };
                             });
}

Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  const TensorImpl& t = x.impl();
  WICK_CHECK(IndexError, t.dim() > 0, "slice: a tensor without dimensions cannot be sliced");
  WICK_CHECK(ValueError, step > 0, "slice: expected step > 0, got ", step);
  const auto d = static_cast<int>(detail::wrap_dim("slice", dim, t.dim()));
  const int64_t size = t.size(d);
  const auto clamp = [size](int64_t v) {
    return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size);
  };
  const int64_t from = clamp(start.value_or(0));
  const int64_t to = clamp(end.value_or(size));
  const int64_t length = to > from ? (to - from - 1) / step + 1 : 0;
  // A step beyond the end takes one element, as does a step of the whole size.
  return make_slice("slice", x, d, from, length, std::min(step, std::max<int64_t>(size, 1)));
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  const TensorImpl& t = x.impl();
  WICK_CHECK(IndexError, t.dim() > 0, "narrow: a tensor without dimensions cannot be narrowed");
  const auto d = static_cast<int>(detail::wrap_dim("narrow", dim, t.dim()));
  const int64_t size = t.size(d);
  const int64_t from = start < 0 ? start + size : start;
  WICK_CHECK(IndexError, from >= 0 && from <= size && length >= 0 && length <= size - from,
             "narrow: ", length, " elements from ", start, " are out of range for dimension ", d,
             " of size ", size);
  return make_slice("narrow", x, d, from, length, 1);
}

Tensor as_strided(const Tensor& x, IntArrayRef sizes, IntArrayRef strides,
                  std::optional<int64_t> storage_offset) {
  const TensorImpl& t = x.impl();
  detail::check_rank("as_strided", sizes.size());
  WICK_CHECK(ShapeError, sizes.size() == strides.size(), "as_strided: sizes ", sizes,
             " and strides ", strides, " differ in length");
  const bool empty = detail::checked_numel("as_strided", sizes) == 0;
  const int64_t held = t.storage()->nbytes() / element_size(t.dtype());
  int64_t offset = storage_offset.value_or(t.storage_offset());
  if (empty) offset = std::min(offset, held);  // nothing is there to be outside
  int64_t last = offset;
  bool fits = true;
  for (size_t d = 0; d < sizes.size(); ++d) {
    WICK_CHECK(ShapeError, strides[d] >= 0, "as_strided: strides must not be negative, got ",
               strides);
    int64_t span;
    fits &= sizes[d] == 0 || (!__builtin_mul_overflow(sizes[d] - 1, strides[d], &span) &&
                              !__builtin_add_overflow(last, span, &last));
  }
  WICK_CHECK(ShapeError, offset >= 0 && (empty || (fits && last < held)), "as_strided: sizes ",
             sizes, " with strides ", strides, " and offset ", offset,
             " reach outside the storage of ", held, " elements");
  const Geometry place(sizes, strides, offset);
  return detail::record_view("as_strided", x, offset, sizes, strides, [&] {
    return [from = Geometry(t), place](Backward& ctx) -> Grads {
      return {detail::strided_gradient(ctx.grad(), from, place)};
    };
  });
}

// --- methods

Tensor Tensor::view(IntArrayRef sizes) const { return wick::view(*this, sizes); }
Tensor Tensor::reshape(IntArrayRef sizes) const { return wick::reshape(*this, sizes); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
  return wick::flatten(*this, start_dim, end_dim);
}
Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const {
  return wick::transpose(*this, dim0, dim1);
}
Tensor Tensor::t() const {
  WICK_CHECK(ShapeError, dim() <= 2, "t: expected at most 2 dimensions, got shape ", sizes(),
             "; use transpose()");
  return wick::transpose(*this, 0, dim() < 2 ? 0 : 1);
}
Tensor Tensor::permute(IntArrayRef dims) const { return wick::permute(*this, dims); }
Tensor Tensor::squeeze() const { return wick::squeeze(*this); }
Tensor Tensor::squeeze(int64_t dim) const { return wick::squeeze(*this, dim); }
Tensor Tensor::unsqueeze(int64_t dim) const { return wick::unsqueeze(*this, dim); }
Tensor Tensor::expand(IntArrayRef sizes) const { return wick::expand(*this, sizes); }
Tensor Tensor::select(int64_t dim, int64_t index) const { return wick::select(*this, dim, index); }
Tensor Tensor::slice(int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                     int64_t step) const {
  return wick::slice(*this, dim, start, end, step);
}
Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length) const {
  return wick::narrow(*this, dim, start, length);
}
Tensor Tensor::as_strided(IntArrayRef sizes, IntArrayRef strides,
                          std::optional<int64_t> storage_offset) const {
  return wick::as_strided(*this, sizes, strides, storage_offset);
}

}  // namespace wick
