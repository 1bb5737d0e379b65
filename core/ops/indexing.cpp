#include <wick/core/ops/indexing.h>

#include <wick/core/ops/rows.h>
#include <ostream>
#include <string_view>

namespace wick {
namespace indexing {

Slice::Slice(std::optional<int64_t> start, std::optional<int64_t> stop, std::optional<int64_t> step)
    : step_(step.value_or(1)) {
  WICK_CHECK(ValueError, step_ > 0, "Slice: expected step > 0, got ", step_);
  start_ = start.value_or(0);
  stop_ = stop.value_or(INT64_MAX);
}

TensorIndex::TensorIndex(const char* text) : value_(EllipsisIndexType()) {
  WICK_CHECK(ValueError, text && std::string_view(text) == "...",
             "Expected \"...\" to represent an ellipsis index, but got \"", text, "\"");
}

std::ostream& operator<<(std::ostream& out, const Slice& slice) {
  return out << slice.start() << ':' << slice.stop() << ':' << slice.step();
}

std::ostream& operator<<(std::ostream& out, const TensorIndex& index) {
  if (index.is_none()) return out << "None";
  if (index.is_ellipsis()) return out << "...";
  if (index.is_integer()) return out << index.integer();
  if (index.is_boolean()) return out << (index.boolean() ? "true" : "false");
  return index.is_slice() ? out << index.slice() : out << index.tensor();
}

std::ostream& operator<<(std::ostream& out, const std::vector<TensorIndex>& indices) {
  out << '(';
  for (size_t i = 0; i < indices.size(); ++i) out << (i > 0 ? ", " : "") << indices[i];
  return out << ')';
}

}  // namespace indexing

namespace {

using detail::Dims;
using indexing::TensorIndex;
using Indices = ArrayRef<TensorIndex>;

/// An index tensor, for `count` dimensions from `first` on that have `size` elements together.
struct Part {
  int64_t first, count, size;
  Tensor index;
};

/// What is left of x after everything but tensors was applied, and the tensors.
struct Applied {
  Tensor x;
  std::vector<Part> parts;
};

class Applier {
 public:
  Applier(const char* op, const Tensor& x, Indices indices) : op_(op), out_{x, {}} {
    int64_t used = 0, ellipses = 0;
    for (const TensorIndex& i : indices) {
      if (i.is_ellipsis()) ++ellipses;
      if (i.is_integer() || i.is_slice()) ++used;
      if (i.is_tensor()) used += i.tensor().dtype() == kBool ? i.tensor().dim() : 1;
    }
    WICK_CHECK(IndexError, ellipses <= 1, op, ": expected at most one ellipsis, got ", ellipses);
    WICK_CHECK(IndexError, used <= x.dim(), op, ": too many indices for a tensor of ", x.dim(),
               " dimensions: ", used);
    rest_ = x.dim() - used;
    for (const TensorIndex& i : indices) apply(i);
  }
  Applied take() { return std::move(out_); }

 private:
  void apply(const TensorIndex& i) {
    Tensor& x = out_.x;
    if (i.is_none()) {
      x = x.unsqueeze(dim_++);
    } else if (i.is_ellipsis()) {
      dim_ += rest_;
    } else if (i.is_integer()) {
      x = x.select(dim_, i.integer());
    } else if (i.is_boolean()) {
      add_bool(i.boolean());
    } else if (i.is_slice()) {
      const indexing::Slice& s = i.slice();
      x = x.slice(dim_++, s.start(), s.stop(), s.step());
    } else {
      add_tensor(i.tensor());
    }
  }

  /// A new dimension of which all or nothing is picked.
  void add_bool(bool value) {
    out_.x = out_.x.unsqueeze(dim_);
    add(1, zeros({value ? 1 : 0}, TensorOptions(kInt64).device(out_.x.device())));
  }

  void add_tensor(const Tensor& index) {
    WICK_CHECK(DeviceError, index.is_cpu() || index.device() == out_.x.device(), op_,
               ": expected index tensors on ", out_.x.device(), " or the CPU, got one on ",
               index.device());
    if (index.dtype() == kBool) {
      if (index.dim() == 0) return add_bool(index.item<bool>());
      for (int64_t d = 0; d < index.dim(); ++d)
        WICK_CHECK(IndexError, index.sizes()[d] == out_.x.sizes()[dim_ + d], op_, ": the mask ",
                   index.sizes(), " does not fit the tensor ", out_.x.sizes(), " at dimension ",
                   dim_ + d);
      add(index.dim(), detail::true_places(index, false));
    } else if (index.dim() == 0 && !is_floating_point(index.dtype())) {
      out_.x = out_.x.select(dim_, index.item<int64_t>());
    } else {
      WICK_CHECK(DTypeError, index.dtype() == kInt64 || index.dtype() == kInt32, op_,
                 ": expected index tensors of type int64, int32 or bool, got ", index.dtype(),
                 "; convert with .to(kInt64)");
      add(1, index);
    }
  }

  void add(int64_t count, const Tensor& index) {
    Part part{dim_, count, 1, index.to(out_.x.device(), kInt64)};
    for (int64_t d = 0; d < count; ++d) part.size *= out_.x.sizes()[dim_ + d];
    out_.parts.push_back(std::move(part));
    dim_ += count;
  }

  const char* op_;
  Applied out_;
  int64_t dim_ = 0, rest_ = 0;
};

/// x with the indexed dimensions together, and what is picked of them as one.
struct Plan {
  Tensor x;
  Dims rows;  // the shape of x with those dimensions as one, `at`
  int64_t at = 0;
  Tensor flat;  // indices of that one
  Dims picked;  // the shape of the rows that they pick
  Dims result;  // and with the shape of the index tensors in their place
};

Plan make_plan(const char* op, FaultOp fault, const Applied& applied) {
  Plan plan;
  Dims shape;
  unsigned indexed = 0;
  bool adjacent = true;
  const std::vector<Part>& parts = applied.parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    shape = detail::broadcast_shapes(op, shape, parts[i].index.sizes());
    for (int64_t d = 0; d < parts[i].count; ++d) indexed |= 1u << (parts[i].first + d);
    adjacent = adjacent && (i == 0 || parts[i].first == parts[i - 1].first + parts[i - 1].count);
  }
  int64_t size = 1;
  for (const Part& part : parts) {
    IndexArgs args;
    args.op = fault;
    args.size = part.size;
    args.outer = 1;
    args.count = 1;
    for (const int64_t s : IntArrayRef(shape)) args.count *= s;
    const Tensor index = detail::contiguous_raw(part.index.expand(shape));
    plan.flat = detail::flat_index(args, true, index, plan.flat);
    size *= part.size;
  }
  plan.flat = plan.flat.reshape({plan.flat.numel()});
  plan.x = applied.x;
  const int dims = static_cast<int>(plan.x.dim());
  if (!adjacent) {
    Dims order;
    for (const bool first : {true, false})
      for (int d = 0; d < dims; ++d)
        if ((indexed >> d & 1) == first) order.push_back(d);
    plan.x = plan.x.permute(order);
  }
  plan.at = adjacent ? parts[0].first : 0;
  const auto taken = static_cast<int64_t>(__builtin_popcount(indexed));
  detail::check_rank(op, static_cast<size_t>(dims - taken + shape.n));
  for (int64_t d = 0; d < dims; ++d) {
    if (d == plan.at) {
      plan.rows.push_back(size);
      plan.picked.push_back(plan.flat.numel());
      for (const int64_t s : IntArrayRef(shape)) plan.result.push_back(s);
    }
    if (d >= plan.at && d < plan.at + taken) continue;
    for (Dims* to : {&plan.rows, &plan.picked, &plan.result}) to->push_back(plan.x.sizes()[d]);
  }
  return plan;
}

/// Without leading dimensions of 1 that `shape` does not have.
Tensor without_ones(Tensor values, size_t dims) {
  while (static_cast<size_t>(values.dim()) > dims && values.sizes()[0] == 1)
    values = values.squeeze(0);
  return values;
}

void put(const Tensor& x, Indices indices, Tensor values, bool accumulate) {
  constexpr const char* op = "index_put_";
  check_inplace(op, x, x.is_floating_point() && needs_grad(values));
  if (values.dim() == 0) values = values.to(x.device());
  detail::common_device(op, {&x, &values});
  Applied applied = Applier(op, x, indices).take();
  if (applied.parts.empty()) {
    values = without_ones(values, static_cast<size_t>(applied.x.dim()));
    if (accumulate) {
      applied.x.add_(values);
    } else {
      applied.x.copy_(values);
    }
    return;
  }
  WICK_CHECK(DTypeError, values.dtype() == x.dtype(), op, ": expected values of type ", x.dtype(),
             ", as the tensor has, got ", values.dtype(), "; convert one with .to(dtype)");
  const Plan plan = make_plan(op, FaultOp::IndexPut, applied);
  values = without_ones(values, plan.result.n);
  const Dims shape = detail::broadcast_shapes(op, plan.result, values.sizes());
  WICK_CHECK(ShapeError, IntArrayRef(shape) == IntArrayRef(plan.result), op,
             ": cannot broadcast values of shape ", values.sizes(), " to the indexed shape ",
             IntArrayRef(plan.result));
  detail::put_rows(plan.x, plan.rows, plan.at, plan.flat,
                   values.expand(plan.result).reshape(plan.picked), accumulate);
}

}  // namespace

Tensor Tensor::index(Indices indices) const {
  const Applied applied = Applier("index", *this, indices).take();
  if (applied.parts.empty()) return applied.x;
  const Plan plan = make_plan("index", FaultOp::Index, applied);
  return plan.x.reshape(plan.rows).index_select(plan.at, plan.flat).reshape(plan.result);
}
Tensor Tensor::index(std::initializer_list<TensorIndex> indices) const {
  return index(Indices(indices));
}

Tensor& Tensor::index_put_(Indices indices, const Tensor& values, bool accumulate) {
  put(*this, indices, values, accumulate);
  return *this;
}
Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices, const Tensor& values,
                           bool accumulate) {
  return index_put_(Indices(indices), values, accumulate);
}
Tensor& Tensor::index_put_(Indices indices, Scalar value) {
  return index_put_(indices, full({}, value, options()));
}
Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices, Scalar value) {
  return index_put_(Indices(indices), value);
}

}  // namespace wick
