#include <wick/kernels/convert.h>
#include <wick/kernels/cpu/parallel.h>
#include <wick/kernels/cpu/tiles.h>
#include <algorithm>
#include <cstring>

namespace wick::cpu {
namespace {

constexpr int kMaxOperands = ElementwiseArgs::kMaxOperands;
static_assert(ElementwiseArgs::kNumbers == kMaxOperands);
constexpr int64_t kTile = 512;

/// How a tile of an operand gets to the loop.
enum class Access : uint8_t {
  Direct,  // it lies in memory as the loop wants it
  Splat,   // one value for the whole row
  Buffer,  // copied, and converted if of a half type
  Shared,  // the same as an earlier input
};

template <class E>
void move_as(const void* from, int64_t from_stride, void* to, int64_t to_stride, int64_t n) {
  using Any [[gnu::may_alias]] = E;
  const Any* const in = static_cast<const Any*>(from);
  Any* const out = static_cast<Any*>(to);
  for (int64_t i = 0; i < n; ++i) out[i * to_stride] = in[i * from_stride];
}

/// Moves n elements of `bytes` bytes.
void move(int64_t bytes, const void* from, int64_t from_stride, void* to, int64_t to_stride,
          int64_t n) {
  switch (bytes) {
    case 1:
      return move_as<uint8_t>(from, from_stride, to, to_stride, n);
    case 2:
      return move_as<uint16_t>(from, from_stride, to, to_stride, n);
    case 4:
      return move_as<uint32_t>(from, from_stride, to, to_stride, n);
    default:
      return move_as<uint64_t>(from, from_stride, to, to_stride, n);
  }
}

/// An iteration cut into tiles of its rows.
class Tiling {
 public:
  Tiling(Loop loop, const ElementwiseArgs& args, const Types& types)
      : loop_(loop), args_(args), dims_(std::max(args.ndim - 1, 0)) {
    inner_ = args.ndim > 0 ? args.sizes[dims_] : 1;
    tiles_per_row_ = (inner_ - 1) / kTile + 1;
    for (int i = 0; i < args.operands; ++i) {
      Operand& o = operand_[i];
      o.dtype = types.of(i);
      o.half = types.widened(o.dtype);
      bytes_[i] = element_size(o.dtype);
      o.stride = args.ndim > 0 && args.data[i] != nullptr ? args.strides[i][dims_] : 0;
      o.access = access_of(i);
    }
    if (args.immediate_operand >= 0) {
      const DType dtype = types.of(args.immediate_operand);
      immediate_ = immediate_bits(args.immediate, types.widened(dtype) ? DType::Float32 : dtype);
    }
  }

  void run() const {
    const int64_t tiles = row_count(args_, dims_) * tiles_per_row_;
    if (args_.numel <= kParallelElements) return run(0, tiles);
    const int64_t grain = std::max<int64_t>(kGrainElements / std::min(inner_, kTile), 1);
    parallel_for(tiles, grain, [this](int64_t begin, int64_t end) { run(begin, end); });
  }

 private:
  struct Operand {
    DType dtype;
    bool half;  // of a half type that the loop takes as float32
    Access access;
    int8_t same_as;  // for Shared
    int64_t stride;  // along the row
  };

  Access access_of(int i) {
    Operand& o = operand_[i];
    if (i > 0 && args_.data[i] == nullptr) return Access::Splat;
    for (int j = 1; j < i; ++j) {
      if (args_.data[j] == args_.data[i] && operand_[j].dtype == o.dtype &&
          std::equal(args_.strides[j], args_.strides[j] + args_.ndim, args_.strides[i])) {
        o.same_as = static_cast<int8_t>(j);
        return Access::Shared;
      }
    }
    if (!o.half && (o.stride == 1 || inner_ == 1)) return Access::Direct;
    return i > 0 && o.stride == 0 ? Access::Splat : Access::Buffer;
  }

  void run(int64_t begin, int64_t end) const {
    if (begin >= end) return;
    alignas(64) char buffers[kMaxOperands][kTile * 8];
    void* operands[kMaxOperands + 1];
    operands[kMaxOperands] = args_.data[kMaxOperands];
    const void* splat_of[kMaxOperands] = {};
    const int64_t splat_size = std::min(inner_, kTile);
    for (int i = 0; i < args_.operands; ++i) {
      operands[i] = buffers[i];
      if (args_.data[i] == nullptr) {
        move(operand_[i].half ? 4 : bytes_[i], &immediate_, 0, buffers[i], 1, splat_size);
      }
    }
    Rows rows(args_, dims_, bytes_, begin / tiles_per_row_);
    int64_t tile = begin % tiles_per_row_;
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t start = tile * kTile, n = std::min(kTile, inner_ - start);
      for (int i = 0; i < args_.operands; ++i) {
        const Operand& o = operand_[i];
        char* const at = rows.data(i) + start * o.stride * bytes_[i];
        switch (o.access) {
          case Access::Direct:
            operands[i] = at;
            break;
          case Access::Shared:
            operands[i] = operands[o.same_as];
            break;
          case Access::Buffer:
            if (i > 0) load(i, at, buffers[i], n);
            break;
          case Access::Splat:
            if (at != nullptr && at != splat_of[i]) load_splat(i, at, buffers[i], splat_size);
            splat_of[i] = at;
            break;
        }
      }
      loop_(operands, n);
      if (operand_[0].access == Access::Buffer) {
        store(buffers[0], rows.data(0) + start * operand_[0].stride * bytes_[0], n);
      }
      if (++tile == tiles_per_row_) {
        tile = 0;
        rows.next();
      }
    }
  }

  void load(int i, const void* at, void* buffer, int64_t n) const {
    const Operand& o = operand_[i];
    if (!o.half) return move(bytes_[i], at, o.stride, buffer, 1, n);
    uint16_t halves[kTile];
    if (o.stride != 1) {
      move(2, at, o.stride, halves, 1, n);
      at = halves;
    }
    WICK_ISA_CALL(half_to_float, o.dtype, at, static_cast<float*>(buffer), n);
  }

  void load_splat(int i, const void* at, void* buffer, int64_t n) const {
    const Operand& o = operand_[i];
    if (!o.half) return move(bytes_[i], at, 0, buffer, 1, n);
    float value;
    WICK_ISA_CALL(half_to_float, o.dtype, at, &value, 1);
    move(4, &value, 0, buffer, 1, n);
  }

  void store(const void* buffer, void* at, int64_t n) const {
    const Operand& o = operand_[0];
    if (!o.half) return move(bytes_[0], buffer, 1, at, o.stride, n);
    uint16_t halves[kTile];
    void* const to = o.stride == 1 ? at : halves;
    WICK_ISA_CALL(float_to_half, o.dtype, static_cast<const float*>(buffer), to, n);
    if (o.stride != 1) move(2, halves, 1, at, o.stride, n);
  }

  Loop loop_;
  const ElementwiseArgs& args_;
  int dims_;
  int64_t inner_, tiles_per_row_;
  uint64_t immediate_ = 0;
  Operand operand_[kMaxOperands];
  int64_t bytes_[kMaxOperands];
};

/// Few elements, dense but for an immediate or a half type: the cost of a call is all that counts.
bool run_small(Loop loop, const ElementwiseArgs& args, const Types& types) {
  if (args.ndim > 1 || args.numel > kTile) return false;
  for (int i = 0; i < args.operands; ++i) {
    if (args.ndim == 1 && args.data[i] != nullptr && args.strides[i][0] != 1) return false;
  }
  alignas(64) char buffers[kMaxOperands][kTile * 8];
  void* operands[kMaxOperands + 1];
  operands[kMaxOperands] = args.data[kMaxOperands];
  for (int i = 0; i < args.operands; ++i) {
    const DType dtype = types.of(i);
    const bool half = types.widened(dtype);
    operands[i] = half || args.data[i] == nullptr ? buffers[i] : args.data[i];
    if (args.data[i] == nullptr) {
      const uint64_t value = immediate_bits(args.immediate, half ? DType::Float32 : dtype);
      move(half ? 4 : element_size(dtype), &value, 0, buffers[i], 1, args.numel);
    } else if (half && i > 0) {
      float* const to = reinterpret_cast<float*>(buffers[i]);
      WICK_ISA_CALL(half_to_float, dtype, args.data[i], to, args.numel);
    }
  }
  loop(operands, args.numel);
  if (types.widened(types.out)) {
    const float* const from = reinterpret_cast<const float*>(buffers[0]);
    WICK_ISA_CALL(float_to_half, types.out, from, args.data[0], args.numel);
  }
  return true;
}

}  // namespace

uint64_t immediate_bits(const Immediate& immediate, DType dtype) {
  uint64_t bits = 0;
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    const T value =
        immediate.is_integer ? convert<T>(immediate.integer) : convert<T>(immediate.real);
    std::memcpy(&bits, &value, sizeof(T));
  });
  return bits;
}

void run_contiguous_parallel(Loop loop, const ElementwiseArgs& args, const Types& types) {
  parallel_for(args.numel, kGrainElements, [&](int64_t begin, int64_t end) {
    void* operands[kMaxOperands + 1];
    operands[kMaxOperands] = args.data[kMaxOperands];
    for (int i = 0; i < args.operands; ++i) {
      operands[i] = static_cast<char*>(args.data[i]) + begin * element_size(types.of(i));
    }
    loop(operands, end - begin);
  });
}

void run_tiles(Loop loop, const ElementwiseArgs& args, const Types& types) {
  if (args.numel == 0 || run_small(loop, args, types)) return;
  Tiling(loop, args, types).run();
}

}  // namespace wick::cpu
