#include <tests/support/sample_tensors.h>
#include <wick/core/autograd.h>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace wick::test {
namespace {

// Position i of tensor j draws ticket (37 i + 13 j) mod 64: up to 64 elements without a repetition.
double sample_value(char kind, DType dtype, int64_t limit, int64_t i, int64_t j) {
  const int64_t k = (37 * i + 13 * j) & 63;
  switch (kind) {
    case 'f':
      return static_cast<double>(4 * (k - 32) + 1 + 2 * (j & 1)) / 64;
    case 'p':
      return static_cast<double>(2 * k + 33 + (j & 1)) / 64;
    case 'u':
      return static_cast<double>(2 * k + 1) / 128;
    case 'n':
      return static_cast<double>(k % limit);
    default:
      break;
  }
  if (is_floating_point(dtype)) return sample_value('f', dtype, limit, i, j);
  if (dtype == kBool) return static_cast<double>((k >> 2) & 1);
  return static_cast<double>(5 * k % 13 - (dtype == kUInt8 ? 0 : 6));
}

DType type_named(const std::string& name) {
  const std::pair<const char*, DType> types[] = {
      {"b", kBool},      {"u8", kUInt8},   {"i8", kInt8},     {"i16", kInt16},
      {"i32", kInt32},   {"i64", kInt64},  {"f16", kFloat16}, {"bf16", kBFloat16},
      {"f32", kFloat32}, {"f64", kFloat64}};
  for (const auto& [text, type] : types)
    if (name == text) return type;
  WICK_FAIL(ValueError, "sample: unknown kind \"", name, "\"");
}

// The words between two brackets, and what follows.
std::vector<std::string> take_list(const std::string& word, size_t& at, char close) {
  std::vector<std::string> list;
  const size_t end = word.find(close, at);
  WICK_CHECK(ValueError, end != std::string::npos, "sample: no ", close, " in \"", word, "\"");
  for (++at; at < end;) {
    const size_t comma = std::min(word.find(',', at), end);
    list.push_back(word.substr(at, comma - at));
    at = comma + 1;
  }
  at = end + 1;
  return list;
}

SampleSpec parse_word(const std::string& word) {
  SampleSpec spec;
  size_t at = word.find_first_of("[{");
  const std::string kind = word.substr(0, at);
  if (kind == "-") {
    spec.kind = '-';
    return spec;
  }
  const std::string run_kinds = "fpuFPU";
  if (kind.size() == 1 && run_kinds.find(kind) != std::string::npos) {
    spec.constant = kind[0] < 'a';
    spec.kind = static_cast<char>(spec.constant ? kind[0] - 'A' + 'a' : kind[0]);
  } else if (kind[0] == 'n') {
    spec.kind = 'n';
    spec.dtype = kInt64;
    spec.limit = std::atoll(kind.c_str() + 1);
    spec.constant = true;
  } else {
    spec.kind = 't';
    spec.dtype = type_named(kind);
    spec.constant = true;
  }
  WICK_CHECK(ValueError, at != std::string::npos, "sample: no shape in \"", word, "\"");
  if (word[at] == '{') {
    spec.literal = true;
    spec.elements = take_list(word, at, '}');
    spec.sizes = {static_cast<int64_t>(spec.elements.size())};
  }
  if (at < word.size()) {
    spec.sizes.clear();
    for (const std::string& size : take_list(word, at, ']'))
      spec.sizes.push_back(std::atoll(size.c_str()));
  }
  return spec;
}

}  // namespace

int64_t SampleSpec::numel() const {
  int64_t n = 1;
  for (const int64_t size : sizes) n *= size;
  return n;
}

std::vector<SampleSpec> parse_case(const std::string& text) {
  std::vector<SampleSpec> specs;
  for (size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string::npos;) {
    const size_t end = std::min(text.find(' ', at), text.size());
    specs.push_back(parse_word(text.substr(at, end - at)));
    at = end;
  }
  return specs;
}

std::vector<std::string> split_cases(const std::string& text) {
  std::vector<std::string> cases;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('|', at), text.size());
    const std::string one = text.substr(at, end - at);
    const size_t first = one.find_first_not_of(' ');
    const size_t last = one.find_last_not_of(' ');
    cases.push_back(first == std::string::npos ? "" : one.substr(first, last - first + 1));
    at = end + 1;
  }
  return cases;
}

Tensor make_sample(const SampleSpec& spec, size_t index, DType run_type) {
  if (spec.kind == '-') return {};
  const DType dtype = spec.has_run_type() ? run_type : spec.dtype;
  if (spec.literal && !is_floating_point(dtype)) {
    std::vector<int64_t> values;
    for (const std::string& e : spec.elements)
      values.push_back(std::strtoll(e.c_str(), nullptr, 10));
    return tensor(values, kInt64).to(dtype).view(spec.sizes);
  }
  std::vector<double> values;
  for (const std::string& e : spec.elements) values.push_back(std::strtod(e.c_str(), nullptr));
  for (int64_t i = 0; !spec.literal && i < spec.numel(); ++i) {
    values.push_back(sample_value(spec.kind, dtype, spec.limit, i, static_cast<int64_t>(index)));
  }
  return tensor(values, kFloat64).to(dtype).view(spec.sizes);
}

std::vector<Tensor> make_samples(const std::vector<SampleSpec>& specs, DType run_type) {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < specs.size(); ++i) tensors.push_back(make_sample(specs[i], i, run_type));
  return tensors;
}

Tensor sample_like(const Tensor& x, size_t index) {
  SampleSpec spec;
  spec.sizes = x.sizes().vec();
  return make_sample(spec, index, x.dtype()).to(x.device());
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.sizes() == b.sizes())) return false;
  const NoGradGuard no_grad;
  const Tensor x = a.cpu().contiguous(), y = b.cpu().contiguous();
  const auto bytes = static_cast<size_t>(x.element_size());
  const auto* p = static_cast<const char*>(x.data_ptr());
  const auto* q = static_cast<const char*>(y.data_ptr());
  if (x.nbytes() == 0 || std::memcmp(p, q, static_cast<size_t>(x.nbytes())) == 0) return true;
  if (!x.is_floating_point()) return false;
  const std::vector<double> u = x.to_vector<double>(), v = y.to_vector<double>();
  for (size_t i = 0; i < u.size(); ++i) {
    const bool both_nan = std::isnan(u[i]) && std::isnan(v[i]);
    if (!both_nan && std::memcmp(p + i * bytes, q + i * bytes, bytes) != 0) return false;
  }
  return true;
}

double distance(const Tensor& a, const Tensor& b) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  if (!(a.sizes() == b.sizes())) return kFar;
  const std::vector<double> u = a.to_vector<double>(), v = b.to_vector<double>();
  double most = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    if (u[i] == v[i] || (std::isnan(u[i]) && std::isnan(v[i]))) continue;
    if (!std::isfinite(u[i]) || !std::isfinite(v[i])) return kFar;
    most = std::max(most, std::abs(u[i] - v[i]) / (1 + std::abs(v[i])));
  }
  return most;
}

double precision(DType dtype) {
  switch (dtype) {
    case DType::Float64:
      return 0x1p-52;
    case DType::Float32:
      return 0x1p-23;
    case DType::Float16:
      return 0x1p-10;
    case DType::BFloat16:
      return 0x1p-7;
    default:
      return 0;
  }
}

}  // namespace wick::test
