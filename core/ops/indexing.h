#pragma once

#include <wick/core/tensor.h>
#include <iosfwd>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

// Indexing as in Python (https://pytorch.org/cppdocs/notes/tensor_indexing.html):
//
//   x.index({0, "...", Slice(1, None, 2), None})     x[0, ..., 1::2, None], a view
//   x.index({mask}), x.index({rows, Slice(), cols})  a copy of what the tensors pick
//   x.index_put_({mask}, 0)                          x[mask] = 0
//
// Index tensors are broadcast together; what they pick takes the place of their dimensions if these
// are adjacent, else comes first. Bool tensors stand for the positions that are true. Negative
// indices count from the end; one out of range is an IndexError. Gradients flow to x and to the
// values. index_put_ with `accumulate` adds all values that meet in one place, in their order;
// without it the last one stays.
namespace wick::indexing {

inline constexpr std::nullopt_t None = std::nullopt;
enum class EllipsisIndexType : uint8_t { Ellipsis };
inline constexpr EllipsisIndexType Ellipsis = EllipsisIndexType::Ellipsis;

/// start:stop:step; step > 0.
class WICK_API Slice {
 public:
  explicit Slice(std::optional<int64_t> start = std::nullopt,
                 std::optional<int64_t> stop = std::nullopt,
                 std::optional<int64_t> step = std::nullopt);
  int64_t start() const { return start_; }
  int64_t stop() const { return stop_; }
  int64_t step() const { return step_; }

 private:
  int64_t start_, stop_, step_;
};

/// One entry of an index list.
class WICK_API TensorIndex {
 public:
  TensorIndex(std::nullopt_t) : value_(std::nullopt) {}            // NOLINT: implicit, as in
  TensorIndex(EllipsisIndexType) : value_(EllipsisIndexType()) {}  // NOLINT: LibTorch
  TensorIndex(const char* text);                                   // NOLINT
  TensorIndex(Slice slice) : value_(slice) {}                      // NOLINT
  TensorIndex(Tensor tensor) : value_(std::move(tensor)) {}        // NOLINT
  template <class T>
  requires(std::is_integral_v<T>) TensorIndex(T index)  // NOLINT
      : value_(static_cast<std::conditional_t<std::is_same_v<T, bool>, bool, int64_t>>(index)) {}

  bool is_none() const { return std::holds_alternative<std::nullopt_t>(value_); }
  bool is_ellipsis() const { return std::holds_alternative<EllipsisIndexType>(value_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(value_); }
  bool is_boolean() const { return std::holds_alternative<bool>(value_); }
  bool is_slice() const { return std::holds_alternative<Slice>(value_); }
  bool is_tensor() const { return std::holds_alternative<Tensor>(value_); }
  int64_t integer() const { return get<int64_t>(); }
  bool boolean() const { return get<bool>(); }
  const Slice& slice() const { return get<Slice>(); }
  const Tensor& tensor() const { return get<Tensor>(); }

 private:
  template <class T>
  const T& get() const {
    const T* const value = std::get_if<T>(&value_);
    WICK_CHECK(ValueError, value, "TensorIndex: got something else than what is asked for");
    return *value;
  }
  std::variant<std::nullopt_t, EllipsisIndexType, int64_t, bool, Slice, Tensor> value_;
};

WICK_API std::ostream& operator<<(std::ostream& out, const Slice& slice);
WICK_API std::ostream& operator<<(std::ostream& out, const TensorIndex& index);
/// LibTorch's form: "(0, 1:5:2, None, ...)".
WICK_API std::ostream& operator<<(std::ostream& out, const std::vector<TensorIndex>& indices);

}  // namespace wick::indexing
