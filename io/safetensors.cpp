#include <wick/io/safetensors.h>

#include <wick/core/iterate.h>
#include <wick/core/ops.h>
#include <wick/io/file.h>
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace wick::io {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr size_t kMaxName = 4096;
constexpr int kMaxDepth = 8;
constexpr char kFormatKey[] = "wick_format";
constexpr char kFormatVersion[] = "1";

constexpr std::pair<const char*, DType> kTypes[] = {
    {"F64", kFloat64}, {"I64", kInt64}, {"F32", kFloat32}, {"I32", kInt32}, {"BF16", kBFloat16},
    {"F16", kFloat16}, {"I16", kInt16}, {"I8", kInt8},     {"U8", kUInt8},  {"BOOL", kBool},
};

const char* type_name(DType dtype) {
  for (const auto& [name, type] : kTypes)
    if (type == dtype) return name;
  WICK_FAIL(InternalError, "safetensors: unknown element type");
}

// Names come from files: control characters must not reach a terminal.
std::string quoted(const std::string& name) {
  return json(name.substr(0, 200)).dump(-1, ' ', true, json::error_handler_t::replace);
}

struct Entry {
  std::string name;
  DType dtype = kFloat32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path) {}

  TensorDict load(Device device, Metadata* metadata) {
    const json header = read_header();
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(value, metadata);
      } else {
        entries.push_back(read_entry(name, value));
      }
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    check_layout(entries);
    TensorDict tensors("Tensor");
    for (const Entry& e : entries) tensors.insert(e.name, read_tensor(e).to(device));
    return tensors;
  }

 private:
  template <class... Args>
  void need(bool condition, const Args&... what) const {
    WICK_CHECK(FormatError, condition, "'", path_, "' is not a valid safetensors file: ", what...);
  }

  json read_header() {
    need(file_.size() >= 8, "it has ", file_.size(),
         " bytes, fewer than the 8 of the header's length");
    unsigned char bytes[8];
    file_.read(bytes, 8);
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | bytes[i];
    need(length <= kMaxHeader, "its header claims ", length, " bytes, more than ", kMaxHeader);
    need(length <= file_.size() - 8, "its header claims ", length, " bytes, the file has ",
         file_.size() - 8, " more");
    std::string text(length, '\0');
    file_.read(text.data(), length);
    data_bytes_ = file_.size() - 8 - length;
    return parse(text);
  }

  json parse(const std::string& text) const {
    // The library keeps the last of two equal keys, and has no limit of depth.
    std::vector<std::set<std::string>> keys(kMaxDepth + 2);
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      need(depth <= kMaxDepth, "its header is nested more than ", kMaxDepth, " deep");
      const auto level = static_cast<size_t>(depth);
      if (event == json::parse_event_t::object_start) keys[level + 1].clear();
      if (event == json::parse_event_t::key) {
        const auto& key = value.get_ref<const std::string&>();
        need(keys[level].insert(key).second, "its header has ", quoted(key), " twice");
      }
      return true;
    };
    try {
      json header = json::parse(text, watch);
      need(header.is_object(), "its header is not a JSON object");
      return header;
    } catch (const json::exception& e) {
      need(false, "its header is not JSON (", std::string(e.what()).substr(0, 200), ")");
      throw;
    }
  }

  void read_metadata(const json& value, Metadata* metadata) const {
    if (value.is_null()) return;
    need(value.is_object(), "__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      need(text.is_string(), "__metadata__ entry ", quoted(key), " is not a string");
      if (metadata) (*metadata)[key] = text.get<std::string>();
    }
    const auto version = value.find(kFormatKey);
    need(version == value.end() || *version == kFormatVersion,
         "it was written by a newer version of "
         "wick (format ",
         version == value.end() ? "" : quoted(version->get<std::string>()), ")");
  }

  Entry read_entry(const std::string& name, const json& value) const {
    need(name.size() <= kMaxName, "a tensor's name has ", name.size(), " bytes");
    const std::string label = "tensor " + quoted(name);
    need(value.is_object(), label, " is not an object");
    Entry e;
    e.name = name;
    e.dtype = read_type(label, member(label, value, "dtype"));
    const json& shape = member(label, value, "shape");
    need(shape.is_array(), label, ": shape is not a list");
    need(shape.size() <= kMaxRank, label, " has ", shape.size(), " dimensions, wick reads up to ",
         kMaxRank);
    for (const json& size : shape) {
      const uint64_t s = number(label, "shape", size);
      need(s < (uint64_t{1} << 48), label, " has a dimension of size ", s);
      e.shape.push_back(static_cast<int64_t>(s));
    }
    const json& offsets = member(label, value, "data_offsets");
    need(offsets.is_array() && offsets.size() == 2, label, ": data_offsets are not two numbers");
    e.begin = number(label, "data_offsets", offsets[0]);
    e.end = number(label, "data_offsets", offsets[1]);
    check_bytes(label, e);
    return e;
  }

  void check_bytes(const std::string& label, const Entry& e) const {
    need(e.begin <= e.end, label, " ends (", e.end, ") before it begins (", e.begin, ")");
    uint64_t bytes = static_cast<uint64_t>(element_size(e.dtype));
    bool fits = true;
    bool empty = false;
    for (const int64_t s : e.shape) {
      empty |= s == 0;
      // Strides count on with the sizes of an empty tensor too.
      fits &=
          !__builtin_mul_overflow(bytes, static_cast<uint64_t>(std::max<int64_t>(s, 1)), &bytes);
    }
    need(fits && bytes <= INT64_MAX / 16, label, " of shape ", IntArrayRef(e.shape),
         " has more bytes than can be counted");
    if (empty) bytes = 0;
    need(bytes == e.end - e.begin, label, " of shape ", IntArrayRef(e.shape), " needs ", bytes,
         " bytes, its data_offsets span ", e.end - e.begin);
  }

  const json& member(const std::string& label, const json& value, const char* key) const {
    const auto found = value.find(key);
    need(found != value.end(), label, " has no ", key);
    return *found;
  }

  uint64_t number(const std::string& label, const char* key, const json& value) const {
    need(value.is_number_unsigned(), label, ": ", key, " is not made of unsigned integers");
    return value.get<uint64_t>();
  }

  DType read_type(const std::string& label, const json& value) const {
    need(value.is_string(), label, ": dtype is not a string");
    const auto& text = value.get_ref<const std::string&>();
    for (const auto& [name, type] : kTypes)
      if (text == name) return type;
    need(false, label, " has the dtype ", quoted(text), ", which wick does not read");
    return kFloat32;
  }

  // The tensors must cover the data exactly, one after the other.
  void check_layout(const std::vector<Entry>& entries) const {
    uint64_t position = 0;
    for (const Entry& e : entries) {
      need(e.begin == position, "tensor ", quoted(e.name), " begins at byte ", e.begin,
           " of the data, expected ", position, " (a hole or an overlap)");
      position = e.end;
    }
    need(position == data_bytes_, "its tensors have ", position, " bytes, the file ", data_bytes_);
  }

  Tensor read_tensor(const Entry& e) {
    Tensor t = empty(e.shape, wick::device(kCPU).dtype(e.dtype));
    file_.read(t.data_ptr(), static_cast<size_t>(t.nbytes()));
    if (e.dtype == kBool) {  // any non-zero byte means true
      auto* bytes = static_cast<uint8_t*>(t.data_ptr());
      for (int64_t i = 0; i < t.numel(); ++i) bytes[i] = bytes[i] != 0;
    }
    return t;
  }

  std::string path_;
  detail::InputFile file_;
  uint64_t data_bytes_ = 0;
};

struct Named {
  std::string name;
  Tensor tensor;
};

// Larger elements first, so that each tensor lies at a multiple of its element size.
std::vector<Named> in_file_order(const TensorDict& tensors) {
  std::vector<Named> order;
  for (const auto& item : tensors) {
    WICK_CHECK(ValueError, item.value().defined(), "save_safetensors: tensor ", quoted(item.key()),
               " is undefined");
    WICK_CHECK(ValueError, item.key() != "__metadata__" && item.key().size() <= kMaxName,
               "save_safetensors: ", quoted(item.key()), " cannot be the name of a tensor");
    order.push_back({item.key(), item.value()});
  }
  std::stable_sort(order.begin(), order.end(), [](const Named& a, const Named& b) {
    const int64_t x = a.tensor.element_size();
    const int64_t y = b.tensor.element_size();
    return x != y ? x > y
                  : std::tuple(a.tensor.dtype(), a.name) < std::tuple(b.tensor.dtype(), b.name);
  });
  return order;
}

std::string make_header(const std::vector<Named>& order, const Metadata& metadata) {
  json header = json::object();
  header["__metadata__"] = metadata;
  header["__metadata__"][kFormatKey] = kFormatVersion;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : order) {
    const auto bytes = static_cast<uint64_t>(tensor.nbytes());
    header[name] = {{"dtype", type_name(tensor.dtype())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    WICK_FAIL(ValueError, "save_safetensors: a name or the metadata is not valid UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  WICK_CHECK(ValueError, text.size() <= kMaxHeader, "save_safetensors: the header has ",
             text.size(), " bytes, more than ", kMaxHeader, "; use fewer tensors or shorter names");
  return text;
}

}  // namespace

void save_safetensors(const TensorDict& tensors, const std::string& path,
                      const Metadata& metadata) {
  const std::vector<Named> order = in_file_order(tensors);
  const std::string header = make_header(order, metadata);
  detail::AtomicFile file(path);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
  file.write(length, 8);
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : order) {
    const Tensor dense = tensor.detach().cpu().contiguous();
    file.write(dense.data_ptr(), static_cast<size_t>(dense.nbytes()));
  }
  file.commit();
}

TensorDict load_safetensors(const std::string& path, Device device, Metadata* metadata) {
  return Reader(path).load(device, metadata);
}

}  // namespace wick::io
