// Tensors as text, as Python's torch prints them (its default print options), with the names of
// wick's types and nodes.
#include <wick/core/autograd.h>
#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ostream>

namespace wick {
namespace {

constexpr int64_t kEdgeItems = 3;
constexpr int64_t kThreshold = 1000;  // more elements are summarised
constexpr int64_t kLineWidth = 80;
constexpr int kPrecision = 4;

std::string text_of(double value, std::chars_format format, int precision) {
  if (std::isnan(value)) return "nan";  // whatever its sign
  char buffer[512];                     // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format, precision);
  return std::string(buffer, end.ptr);
}

// The elements to print, as C++ values, and how to write them.
class Printer {
 public:
  explicit Printer(const Tensor& x);
  std::string body(int64_t indent) const { return rows(0, 0, indent); }

 private:
  void choose_format();
  std::string element(int64_t i) const;
  std::string padded(int64_t i) const;
  std::string rows(int d, int64_t first, int64_t indent) const;
  std::string line(int64_t first, int64_t count, bool cut, int64_t indent) const;

  DType dtype_;
  detail::Dims sizes_;       // of what is printed
  bool cut_[kMaxRank] = {};  // the middle of this dimension is left out
  std::vector<double> reals_;
  std::vector<int64_t> integers_;
  bool whole_ = true;  // floating-point numbers without fractions: "1."
  bool scientific_ = false;
  size_t width_ = 1;
};

// The first and last elements of dimension `d`.
Tensor edges(const Tensor& x, int d) {
  detail::Dims sizes(x.sizes());
  sizes[d] = 2 * kEdgeItems;
  Tensor out = detail::make_empty(sizes, x.dtype(), x.device());
  detail::copy_raw(out.narrow(d, 0, kEdgeItems), x.narrow(d, 0, kEdgeItems));
  detail::copy_raw(out.narrow(d, kEdgeItems, kEdgeItems),
                   x.narrow(d, x.size(d) - kEdgeItems, kEdgeItems));
  return out;
}

Printer::Printer(const Tensor& tensor) : dtype_(tensor.dtype()) {
  Tensor x = tensor.detach();
  if (x.numel() > kThreshold) {
    for (int d = 0; d < x.dim(); ++d) {
      cut_[d] = x.size(d) > 2 * kEdgeItems;
      if (cut_[d]) x = edges(x, d);
    }
  }
  sizes_ = detail::Dims(x.sizes());
  if (is_floating_point(dtype_)) {
    reals_ = x.to_vector<double>();
    choose_format();
  } else {
    integers_ = x.to_vector<int64_t>();
    for (size_t i = 0; i < integers_.size(); ++i)
      width_ = std::max(width_, element(static_cast<int64_t>(i)).size());
  }
}

void Printer::choose_format() {
  double least = HUGE_VAL, most = 0;
  for (const double v : reals_) {
    if (!std::isfinite(v) || v == 0) continue;
    least = std::min(least, std::abs(v));
    most = std::max(most, std::abs(v));
    whole_ &= v == std::ceil(v);
  }
  if (most == 0) return;  // no number that needs more than "0."
  scientific_ = most / least > 1000 || most > 1e8 || (!whole_ && least < 1e-4);
  for (size_t i = 0; i < reals_.size(); ++i) {
    if (std::isfinite(reals_[i]) && reals_[i] != 0)
      width_ = std::max(width_, element(static_cast<int64_t>(i)).size());
  }
}

std::string Printer::element(int64_t i) const {
  if (dtype_ == DType::Bool) return integers_[i] ? "True" : "False";
  if (!is_floating_point(dtype_)) return std::to_string(integers_[i]);
  const double v = reals_[i];
  if (scientific_) return text_of(v, std::chars_format::scientific, kPrecision);
  if (!whole_) return text_of(v, std::chars_format::fixed, kPrecision);
  return text_of(v, std::chars_format::fixed, 0) + (std::isfinite(v) ? "." : "");
}

std::string Printer::padded(int64_t i) const {
  std::string text = element(i);
  if (text.size() < width_) text.insert(0, width_ - text.size(), ' ');
  return text;
}

// One dimension, broken into lines; `first` is the place of its first element.
std::string Printer::line(int64_t first, int64_t count, bool cut, int64_t indent) const {
  const int64_t per_line =
      std::max<int64_t>(1, (kLineWidth - indent) / static_cast<int64_t>(width_ + 2));
  std::string out = "[";
  const int64_t entries = count + (cut ? 1 : 0);
  for (int64_t e = 0; e < entries; ++e) {
    if (e > 0) out += e % per_line == 0 ? ",\n" + std::string(indent + 1, ' ') : ", ";
    const bool dots = cut && e == kEdgeItems;
    out += dots ? " ..." : padded(first + (cut && e > kEdgeItems ? e - 1 : e));
  }
  return out + "]";
}

std::string Printer::rows(int d, int64_t first, int64_t indent) const {
  if (sizes_.n == 0) return padded(first);
  if (d == sizes_.n - 1) return line(first, sizes_[d], cut_[d], indent);
  int64_t step = 1;
  for (int i = d + 1; i < sizes_.n; ++i) step *= sizes_[i];
  const std::string separator =
      "," + std::string(sizes_.n - d - 1, '\n') + std::string(indent + 1, ' ');
  std::string out = "[";
  for (int64_t i = 0; i < sizes_[d]; ++i) {
    if (i > 0) out += separator;
    if (cut_[d] && i == kEdgeItems) out += "..." + separator;
    out += rows(d + 1, first + i * step, indent + 1);
  }
  return out + "]";
}

std::string tuple(IntArrayRef sizes) {
  std::string out = to_string(sizes);
  out.front() = '(';
  out.back() = ')';
  return out;
}

}  // namespace

std::string Tensor::str() const {
  if (!defined()) return "tensor(undefined)";
  const NoGradGuard no_grad;
  const std::string prefix = "tensor(";
  const auto indent = static_cast<int64_t>(prefix.size());
  std::vector<std::string> notes;
  if (is_cuda()) notes.push_back("device='" + device().str() + "'");
  bool implied = dtype() == get_default_dtype();
  if (numel() == 0) {
    if (dim() != 1) notes.push_back("size=" + tuple(sizes()));
  } else {
    implied |= dtype() == kInt64 || dtype() == kBool;
  }
  if (!implied) notes.push_back(std::string("dtype=") + name_of(dtype()));
  if (const auto node = grad_fn()) {
    notes.push_back(std::string("grad_fn=<") + node->name() + ">");
  } else if (requires_grad()) {
    notes.push_back("requires_grad=True");
  }
  std::string out = prefix + (numel() == 0 ? "[]" : Printer(*this).body(indent));
  // Python's torch counts one more character here than the line has.
  const size_t newline = out.rfind('\n');
  int64_t width = static_cast<int64_t>(newline == std::string::npos ? out.size() + 2
                                                                    : out.size() - newline + 1);
  for (const std::string& note : notes) {
    const auto length = static_cast<int64_t>(note.size());
    if (width + length + 2 > kLineWidth) {
      out += ",\n" + std::string(indent, ' ') + note;
      width = indent + length;
    } else {
      out += ", " + note;
      width += length + 2;
    }
  }
  return out + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << tensor.str(); }

}  // namespace wick
