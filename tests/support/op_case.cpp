#include <tests/support/op_case.h>

namespace wick::test {

namespace {
std::map<std::string, OpFamily>& families() {
  static auto* const map = new std::map<std::string, OpFamily>;
  return *map;
}
}  // namespace

OpFamily::OpFamily(std::string name, ArrayRef<OpRow> rows, ArrayRef<WrongUse> wrong_uses,
                   ArrayRef<OpNote> notes)
    : name(std::move(name)), rows(rows), wrong_uses(wrong_uses), notes(notes) {
  families().emplace(this->name, *this);
}

const std::map<std::string, OpFamily>& op_families() { return families(); }

void for_each_case(const OpFamily& family, const std::function<void(const Case&)>& visit) {
  for (const OpRow& row : family.rows) {
    for (const std::string& text : split_cases(row.inputs)) {
      SCOPED_TRACE(str(row.name, " | ", text));
      try {
        visit({row, text, parse_case(text)});
      } catch (const Error& error) {
        ADD_FAILURE() << "threw: " << error.what();
      }
    }
  }
}

double tolerance_of(const OpRow& row, DType dtype) {
  if (row.has(kExact)) return 0;
  const double units = is_reduced_float(dtype) ? (row.has(kPerElement) ? 1.01 : 3) : 32;
  return units * precision(dtype);
}

}  // namespace wick::test
