#include <tests/support/reference.h>
#include <cstdlib>
#include <map>
#include <sstream>

namespace wick::test {
namespace {

DType type_of(const std::string& name) {
  for (int i = 0; i < kNumDTypes; ++i)
    if (name == name_of(static_cast<DType>(i))) return static_cast<DType>(i);
  WICK_FAIL(ValueError, "reference: unknown type ", name);
}

// "float64/float32 2,3: 1 2 3 4 5 6", or "none". A shape without dimensions is "-".
ReferenceTensor parse_tensor(const std::string& text) {
  ReferenceTensor t;
  std::istringstream in(text);
  std::string types, sizes, word;
  in >> types >> sizes;
  if (types == "none") {
    t.defined = false;
    return t;
  }
  const size_t slash = types.find('/');
  t.dtype = type_of(types.substr(0, slash));
  t.dtype32 = slash == std::string::npos ? t.dtype : type_of(types.substr(slash + 1));
  std::istringstream shape(sizes);
  while (sizes != "-" && std::getline(shape, word, ','))
    t.sizes.push_back(std::atoll(word.c_str()));
  while (in >> word) {
    if (is_floating_point(t.dtype)) {
      t.reals.push_back(std::strtod(word.c_str(), nullptr));
    } else {
      t.integers.push_back(std::strtoll(word.c_str(), nullptr, 10));
    }
  }
  return t;
}

// "tensor; tensor => gradient; gradient"
Reference parse(const std::string& text) {
  Reference r;
  const size_t arrow = text.find("=>");
  const auto read = [](const std::string& list, std::vector<ReferenceTensor>& out) {
    std::istringstream in(list);
    for (std::string one; std::getline(in, one, ';');) out.push_back(parse_tensor(one));
  };
  read(text.substr(0, arrow), r.outputs);
  if (arrow != std::string::npos) read(text.substr(arrow + 2), r.grads);
  return r;
}

std::vector<ArrayRef<StoredReference>>& files() {
  static auto* const list = new std::vector<ArrayRef<StoredReference>>;
  return *list;
}

const std::map<std::string, Reference>& all() {
  static const auto* const map = [] {
    auto* m = new std::map<std::string, Reference>;
    for (const ArrayRef<StoredReference> lines : files())
      for (const auto& [key, value] : lines) m->emplace(key, parse(value));
    return m;
  }();
  return *map;
}

}  // namespace

StoredReferences::StoredReferences(ArrayRef<StoredReference> lines) { files().push_back(lines); }

DType ReferenceTensor::dtype_in(DType run) const {
  if (run == kFloat64) return dtype;
  // A type that follows the run's follows it for half types too.
  return run == kFloat32 || dtype == dtype32 ? dtype32 : run;
}

Tensor ReferenceTensor::values() const {
  return is_floating_point(dtype) ? tensor(reals, kFloat64).view(sizes)
                                  : tensor(integers, kInt64).view(sizes);
}

const Reference* find_reference(const std::string& row, const std::string& case_text) {
  const auto found = all().find(row + " | " + case_text);
  return found == all().end() ? nullptr : &found->second;
}

size_t reference_count() { return all().size(); }

std::vector<std::string> reference_keys() {
  std::vector<std::string> keys;
  for (const auto& [key, value] : all()) keys.push_back(key);
  return keys;
}

}  // namespace wick::test
