#include <wick/core/ops/scatter.h>

#include <wick/core/ops/rows.h>
#include <algorithm>

namespace wick {

using detail::checked_index;
using detail::Dims;
using detail::index_args;

// --- rows of a dimension

namespace {

/// x[:, index, :] = source, or += source, in place.
struct RowWrite {
  const char* op;
  FaultOp fault;
  int64_t dim;
  Tensor index;  // checked
  bool overwrite;

  void raw(const Tensor& x, const Tensor& source) const {
    if (index.numel() == 0) return;
    const Tensor dense = detail::contiguous_raw(x), from = detail::contiguous_raw(source);
    IndexArgs args = index_args(fault, x, dim, index.numel());
    args.overwrite = overwrite;
    WICK_DISPATCH(x.device(), index_add, args, from.data_ptr(), index.data_ptr<int64_t>(),
                  int64_t{-1}, dense.data_ptr());
    if (!dense.is_same(x)) detail::copy_raw(x, dense);
  }

  auto backward() const {
    return [dim = dim, overwrite = overwrite, index = save(index)](Backward& ctx) -> Grads {
      const Tensor rows = ctx.unpack(index);
      const Tensor& g = ctx.grad();
      return {!ctx.needs(0) ? Tensor()
              : overwrite   ? index_fill(g, dim, rows, 0)
                            : g,
              ctx.needs(1) ? index_select(g, dim, rows) : Tensor()};
    };
  }

  Tensor operator()(const Tensor& x, const Tensor& source) const {
    Tensor y = detail::make_empty(x.sizes(), x.dtype(), x.device());
    detail::copy_raw(y, x);
    raw(y, source);
    if (is_floating_point(x.dtype()) && needs_grad(x, source))
      record(op, {x, source}, y, backward());
    return y;
  }

  void in_place(Tensor& x, const Tensor& source) const {
    const bool floating = x.is_floating_point();
    check_inplace(op, x, floating && needs_grad(source));
    const bool recorded = floating && needs_grad(x, source);
    const Tensor before = recorded ? previous(x) : Tensor();
    raw(x, x.is_alias_of(source) ? source.detach().clone() : source);
    bump_version(x);
    if (recorded) record_inplace(op, {before, source}, x, backward());
  }
};

RowWrite row_write(const char* op, FaultOp fault, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& source, bool overwrite) {
  dim = detail::wrap_dim(op, dim, x.dim());
  WICK_CHECK(ShapeError, index.dim() <= 1, op, ": expected an index of at most 1 dimension, got ",
             "shape ", index.sizes());
  WICK_CHECK(DTypeError, source.dtype() == x.dtype(), op, ": expected a source of type ", x.dtype(),
             ", as the tensor has, got ", source.dtype(), "; convert one with .to(dtype)");
  detail::common_device(op, {&x, &source});
  Dims wanted(x.sizes());
  if (wanted.n > 0) wanted[static_cast<int>(dim)] = index.numel();
  WICK_CHECK(ShapeError,
             source.sizes() == IntArrayRef(wanted) && (wanted.n > 0 || index.numel() == 1), op,
             ": expected a source of shape ", IntArrayRef(wanted), " for an index of shape ",
             index.sizes(), ", got ", source.sizes());
  return {op, fault, dim, checked_index(op, x, index), overwrite};
}

RowWrite fill_rows(const char* op, const Tensor& x, int64_t& dim, const Tensor& index, Scalar value,
                   Tensor& source) {
  dim = detail::wrap_dim(op, dim, x.dim());
  WICK_CHECK(ShapeError, index.dim() <= 1, op, ": expected an index of at most 1 dimension, got ",
             "shape ", index.sizes());
  IndexArgs args = index_args(FaultOp::IndexFill, x, dim, index.numel());
  args.outer = args.inner = 1;
  const Tensor rows = detail::flat_index(args, true, checked_index(op, x, index), {});
  Dims sizes(x.sizes());
  if (sizes.n > 0) sizes[static_cast<int>(dim)] = index.numel();
  source = full(sizes, value, x.options());
  if (sizes.n == 0 && index.numel() == 0) return {op, FaultOp::IndexFill, dim, rows, true};
  return row_write(op, FaultOp::IndexFill, x, dim, rows, source, true);
}

Tensor scaled(const Tensor& source, Scalar alpha) {
  return alpha.toDouble() == 1 ? source : mul(source, alpha).to(source.dtype());
}

}  // namespace

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 Scalar alpha) {
  const auto write = row_write("index_add", FaultOp::IndexAdd, x, dim, index, source, false);
  return write(x, scaled(source, alpha));
}
Tensor& Tensor::index_add_(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  const auto write = row_write("index_add_", FaultOp::IndexAdd, *this, dim, index, source, false);
  write.in_place(*this, scaled(source, alpha));
  return *this;
}
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return row_write("index_copy", FaultOp::IndexCopy, x, dim, index, source, true)(x, source);
}
Tensor& Tensor::index_copy_(int64_t dim, const Tensor& index, const Tensor& source) {
  row_write("index_copy_", FaultOp::IndexCopy, *this, dim, index, source, true)
      .in_place(*this, source);
  return *this;
}
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  Tensor source;
  const auto write = fill_rows("index_fill", x, dim, index, value, source);
  return write(x, source);
}
Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, Scalar value) {
  Tensor source;
  fill_rows("index_fill_", *this, dim, index, value, source).in_place(*this, source);
  return *this;
}

void detail::put_rows(const Tensor& x, IntArrayRef sizes, int64_t dim, const Tensor& index,
                      const Tensor& values, bool accumulate) {
  Tensor rows = x.reshape(sizes);
  if (accumulate) {
    rows.index_add_(dim, index, values);
  } else {
    rows.index_copy_(dim, index, values);
  }
  // Strides that no view has: a changed copy goes back.
  if (!rows.is_alias_of(x)) Tensor(x).copy_(rows.reshape(x.sizes()));
}

// --- an index for each element

Tensor detail::flat_index(const IndexArgs& args, bool wrap, const Tensor& index,
                          const Tensor& rows) {
  Tensor flat = make_empty(index.sizes(), kInt64, index.device());
  if (index.numel() > 0) {
    WICK_DISPATCH(index.device(), flat_index, args, wrap, index.data_ptr<int64_t>(),
                  rows.defined() ? rows.data_ptr<int64_t>() : nullptr, flat.data_ptr<int64_t>());
  }
  return flat;
}

namespace {

/// The part of x (and of a source) that an index of its own size in `dim` reaches, and the places
/// of its elements in it.
struct Places {
  Tensor part, flat;
};

Tensor cut(const char* op, const char* name, Tensor x, IntArrayRef sizes, int64_t but_dim) {
  WICK_CHECK(ShapeError, x.sizes().size() == sizes.size(), op, ": expected ", name, " with ",
             sizes.size(), " dimensions, as many as the index has, got shape ", x.sizes());
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d == but_dim || x.sizes()[d] == sizes[d]) continue;
    WICK_CHECK(ShapeError, sizes[d] < x.sizes()[d], op, ": an index of shape ", sizes,
               " is larger than ", name, " ", x.sizes(), " at dimension ", d);
    x = x.narrow(d, 0, sizes[d]);
  }
  return x;
}

Places places(const char* op, FaultOp fault, const Tensor& x, int64_t dim, const Tensor& index) {
  dim = detail::wrap_dim(op, dim, x.dim());
  const Tensor dense = checked_index(op, x, index);
  // One without dimensions is one with a single element.
  if (x.dim() == 0 || index.dim() == 0) {
    WICK_CHECK(ShapeError, x.dim() <= 1 && index.dim() <= 1, op, ": expected an index with ",
               x.dim(), " dimensions, as many as the tensor has, got shape ", index.sizes());
    IndexArgs args = index_args(fault, x.reshape({-1}), 0, index.numel());
    return {x, detail::flat_index(args, false, dense, {})};
  }
  Places p;
  p.part = cut(op, "the tensor", x, index.sizes(), dim);
  p.flat = detail::flat_index(index_args(fault, p.part, dim, index.sizes()[dim]), false, dense, {});
  return p;
}

void scatter_into(const char* op, FaultOp fault, Tensor& x, int64_t dim, const Tensor& index,
                  const Tensor& source, bool accumulate) {
  WICK_CHECK(DTypeError, source.dtype() == x.dtype(), op, ": expected a source of type ", x.dtype(),
             ", as the tensor has, got ", source.dtype(), "; convert one with .to(dtype)");
  detail::common_device(op, {&x, &source});
  check_inplace(op, x, x.is_floating_point() && needs_grad(source));
  const Places p = places(op, fault, x, dim, index);
  const Tensor from = source.dim() == 0 && index.dim() <= 1 && index.numel() <= 1
                          ? source.reshape(-1).narrow(0, 0, index.numel())
                          : cut(op, "the source", source, index.sizes(), -1);
  if (index.numel() == 0) return;
  detail::put_rows(p.part, {-1}, 0, p.flat.view(-1), from.reshape(-1), accumulate);
}

/// A number as the source of any index.
Tensor scatter_value(const Tensor& x, const Tensor& index, Scalar value) {
  return full({}, value, x.options()).expand(index.sizes());
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const Places p = places("gather", FaultOp::Gather, x, dim, index);
  return index_select(p.part.reshape(-1), 0, p.flat.view(-1)).view(index.sizes());
}

Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Tensor& source) {
  scatter_into("scatter_", FaultOp::Scatter, *this, dim, index, source, false);
  return *this;
}
Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, Scalar value) {
  return scatter_(dim, index, scatter_value(*this, index, value));
}
Tensor& Tensor::scatter_add_(int64_t dim, const Tensor& index, const Tensor& source) {
  scatter_into("scatter_add_", FaultOp::ScatterAdd, *this, dim, index, source, true);
  return *this;
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return Tensor(x.clone()).scatter_(dim, index, source);
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value) {
  return Tensor(x.clone()).scatter_(dim, index, value);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return Tensor(x.clone()).scatter_add_(dim, index, source);
}

Tensor take(const Tensor& x, const Tensor& index) {
  const Tensor rows = checked_index("take", x, index), flat = x.reshape({x.numel()});
  const Tensor places =
      detail::flat_index(index_args(FaultOp::Take, flat, 0, rows.numel()), true, rows, {});
  return index_select(flat, 0, places.view({rows.numel()})).view(index.sizes());
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
  if (!dim) return gather(x.reshape(-1), 0, index.reshape(-1));
  constexpr const char* op = "take_along_dim";
  WICK_CHECK(ShapeError, x.dim() == index.dim(), op, ": expected an index with ", x.dim(),
             " dimensions, as many as the tensor has, got shape ", index.sizes());
  const int64_t d = detail::wrap_dim(op, *dim, x.dim());
  if (x.dim() == 0) return gather(x, d, index);
  Dims a(x.sizes()), b(index.sizes());
  const int at = static_cast<int>(d);
  a[at] = b[at] = 1;
  Dims from = detail::broadcast_shapes(op, a, b), to = from;
  from[at] = x.sizes()[d];
  to[at] = index.sizes()[d];
  return gather(x.expand(from), d, index.expand(to));
}

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  WICK_CHECK(DTypeError, x.dtype() == kInt64, "one_hot: expected classes of type int64, got ",
             x.dtype(), "; convert them with .to(kInt64)");
  WICK_CHECK(ValueError, num_classes >= -1 && num_classes != 0,
             "one_hot: expected num_classes > 0, or -1 for the largest class + 1, got ",
             num_classes);
  WICK_CHECK(ValueError, x.numel() > 0 || num_classes > 0, "one_hot: no class is largest in shape ",
             x.sizes(), "; give num_classes");
  detail::check_rank("one_hot", x.sizes().size() + 1);
  if (num_classes < 0) {
    const int64_t largest = std::max<int64_t>(max(x).item().toLong(), 0);
    WICK_CHECK(ShapeError, largest < INT64_MAX, "one_hot: class ", largest, " is too large");
    num_classes = largest + 1;
  }
  Dims sizes(x.sizes());
  sizes.push_back(num_classes);
  const Tensor y = zeros(sizes, x.options());
  IndexArgs args;
  args.op = FaultOp::OneHot;
  args.size = num_classes;
  args.count = 1;
  args.outer = x.numel();
  const Tensor flat = detail::flat_index(args, false, detail::contiguous_raw(x), {});
  y.view(-1).index_copy_(0, flat.view(-1), ones({flat.numel()}, y.options()));
  return y;
}

// --- what is true

Tensor detail::true_places(const Tensor& x, bool coordinates) {
  const Tensor dense = contiguous_raw(x);
  const auto* data = static_cast<const bool*>(dense.data_ptr());
  const auto before = WICK_DISPATCH(x.device(), count_true, x.numel(), data);
  TrueArgs args;
  args.n = x.numel();
  args.ndim = coordinates ? static_cast<int>(x.dim()) : 1;
  args.sizes[0] = args.n;
  if (coordinates) std::copy(x.sizes().begin(), x.sizes().end(), args.sizes);
  const int64_t count = before.back();
  const Tensor places = coordinates ? make_empty({count, x.dim()}, kInt64, x.device())
                                    : make_empty(count, kInt64, x.device());
  if (places.numel() > 0)
    WICK_DISPATCH(x.device(), find_true, args, data, before, places.data_ptr<int64_t>());
  return places;
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  constexpr const char* op = "masked_select";
  WICK_CHECK(DTypeError, mask.dtype() == kBool, op, ": expected a bool mask, got ", mask.dtype(),
             "; compare it first");
  detail::common_device(op, {&x, &mask});
  const Dims shape = detail::broadcast_shapes(op, x.sizes(), mask.sizes());
  const Tensor places = detail::true_places(mask.expand(shape), false);
  const Tensor flat = x.expand(shape);
  return index_select(flat.reshape({flat.numel()}), 0, places);
}

Tensor nonzero(const Tensor& x) {
  return detail::true_places(x.dtype() == kBool ? x : ne(x, 0), true);
}
std::vector<Tensor> where(const Tensor& condition) { return nonzero(condition).unbind(1); }

// --- methods

Tensor& Tensor::masked_fill_(const Tensor& mask, Scalar value) {
  check_inplace("masked_fill_", *this, false);
  return copy_(wick::masked_fill(*this, mask, value));
}

#define WICK_METHOD(Return, name, parameters, arguments) \
  Return Tensor::name parameters const { return wick::name arguments; }
WICK_METHOD(Tensor, gather, (int64_t dim, const Tensor& index), (*this, dim, index))
WICK_METHOD(Tensor, scatter, (int64_t dim, const Tensor& index, const Tensor& source),
            (*this, dim, index, source))
WICK_METHOD(Tensor, scatter, (int64_t dim, const Tensor& index, Scalar value),
            (*this, dim, index, value))
WICK_METHOD(Tensor, scatter_add, (int64_t dim, const Tensor& index, const Tensor& source),
            (*this, dim, index, source))
WICK_METHOD(Tensor, index_add,
            (int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha),
            (*this, dim, index, source, alpha))
WICK_METHOD(Tensor, index_copy, (int64_t dim, const Tensor& index, const Tensor& source),
            (*this, dim, index, source))
WICK_METHOD(Tensor, index_fill, (int64_t dim, const Tensor& index, Scalar value),
            (*this, dim, index, value))
WICK_METHOD(Tensor, take, (const Tensor& index), (*this, index))
WICK_METHOD(Tensor, take_along_dim, (const Tensor& index, std::optional<int64_t> dim),
            (*this, index, dim))
WICK_METHOD(Tensor, masked_select, (const Tensor& mask), (*this, mask))
WICK_METHOD(Tensor, nonzero, (), (*this))
#undef WICK_METHOD

}  // namespace wick
