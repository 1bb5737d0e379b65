#include <wick/core/reduce_args.h>

#include <algorithm>

namespace wick::detail {

DimMask dim_mask(const char* op, OptionalIntArrayRef dim, int64_t ndim) {
  if (!dim.has_value() || (*dim).empty()) return all_dims(ndim);
  DimMask mask = 0;
  for (const int64_t d : *dim) {
    const DimMask bit = DimMask{1} << wrap_dim(op, d, ndim);
    WICK_CHECK(ValueError, !(mask & bit), op, ": dimension ", d, " appears more than once in ",
               *dim);
    mask |= bit;
  }
  return mask & all_dims(ndim);  // a 0-dimensional tensor has no dimension 0
}

Dims reduced_sizes(IntArrayRef sizes, DimMask mask, bool keepdim) {
  Dims out;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (!(mask >> d & 1)) {
      out.push_back(sizes[d]);
    } else if (keepdim) {
      out.push_back(1);
    }
  }
  return out;
}

namespace {

struct Axis {
  int64_t size, stride, out_stride;
};

// Axes run from the outermost to the innermost; returns how many are left.
int merge(Axis* axes, int n) {
  int count = 0;
  for (int i = 0; i < n; ++i) {
    const Axis& in = axes[i];
    if (count > 0) {
      Axis& out = axes[count - 1];
      if (out.stride == in.stride * in.size && out.out_stride == in.out_stride * in.size) {
        out = {out.size * in.size, in.stride, in.out_stride};
        continue;
      }
    }
    axes[count++] = in;
  }
  return count;
}

void sort_by_stride(Axis* axes, int n) {
  for (int i = 1; i < n; ++i) {
    for (int j = i; j > 0 && axes[j].stride > axes[j - 1].stride; --j)
      std::swap(axes[j], axes[j - 1]);
  }
}

}  // namespace

ReduceArgs reduce_args(const Tensor& x, DimMask mask, void* out, ReduceOrder order) {
  const TensorImpl& in = x.impl();
  ReduceArgs args;
  args.in = in.data();
  args.out = out;
  Axis kept[kMaxRank];
  Axis reduced[kMaxRank];
  int kept_n = 0;
  int reduced_n = 0;
  for (int d = in.dim() - 1; d >= 0; --d) {  // innermost first: out strides are products so far
    const bool is_reduced = mask >> d & 1;
    int64_t& count = is_reduced ? args.reduced : args.kept;
    if (in.size(d) != 1) {
      Axis& axis = is_reduced ? reduced[reduced_n++] : kept[kept_n++];
      axis = {in.size(d), in.stride(d), is_reduced ? 0 : count};
    }
    // Only an empty tensor can have sizes whose product wraps around.
    count = static_cast<int64_t>(static_cast<uint64_t>(count) * static_cast<uint64_t>(in.size(d)));
  }
  if (args.kept == 0) return args;
  std::reverse(kept, kept + kept_n);
  std::reverse(reduced, reduced + reduced_n);
  sort_by_stride(kept, kept_n);
  if (order == ReduceOrder::Memory) sort_by_stride(reduced, reduced_n);
  args.kept_ndim = merge(kept, kept_n);
  args.reduced_ndim = merge(reduced, reduced_n);
  for (int i = 0; i < args.kept_ndim; ++i) {
    args.kept_sizes[i] = kept[i].size;
    args.kept_strides[i] = kept[i].stride;
    args.kept_out_strides[i] = kept[i].out_stride;
  }
  for (int i = 0; i < args.reduced_ndim; ++i) {
    args.reduced_sizes[i] = reduced[i].size;
    args.reduced_strides[i] = reduced[i].stride;
  }
  return args;
}

}  // namespace wick::detail
