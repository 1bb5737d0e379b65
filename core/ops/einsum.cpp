#include <wick/core/ops/common.h>
#include <algorithm>
#include <cctype>
#include <vector>

namespace wick {

using detail::Dims;

namespace {

/// A tensor and a label for each dimension: a letter, or a number from 1 for those of an ellipsis,
/// counted from the last.
struct Term {
  Tensor x;
  std::string labels;

  bool has(char label) const { return labels.find(label) != std::string::npos; }
  int64_t size(char label) const { return has(label) ? x.sizes()[labels.find(label)] : int64_t{1}; }
  /// The labels in this order.
  Tensor ordered(const std::string& order) const {
    Dims dims;
    for (const char label : order) dims.push_back(static_cast<int64_t>(labels.find(label)));
    return x.permute(dims);
  }
  void sum_over(size_t dim) {
    x = x.sizes()[dim] == 1 ? x.squeeze(static_cast<int64_t>(dim))
                            : x.sum(static_cast<int64_t>(dim));
    labels.erase(dim, 1);
  }
};

/// The labels that a text stands for, of which an ellipsis has `dots`.
std::string read_labels(const std::string& text, int64_t dots, const std::string& equation) {
  std::string labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      labels += text[i];
      continue;
    }
    const bool first = labels.empty() || *std::min_element(labels.begin(), labels.end()) > '\10';
    WICK_CHECK(ValueError, text.compare(i, 3, "...") == 0 && (first || dots == 0),
               "einsum: expected letters and one \"...\", got \"", text, "\" in \"", equation,
               "\"");
    for (int64_t d = dots; d > 0; --d) labels += static_cast<char>(d);
    i += 2;
  }
  return labels;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// A term whose labels are all different: others are their diagonals.
Term read_term(const Tensor& x, const std::string& text, const std::string& equation) {
  const auto letters = static_cast<int64_t>(std::count_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isalpha(c) != 0; }));
  const int64_t dots = x.dim() - letters;
  const bool fits = dots == 0 || (dots > 0 && text.find("...") != std::string::npos);
  WICK_CHECK(ShapeError, fits, "einsum: \"", text, "\" does not describe a tensor of shape ",
             x.sizes());
  Term term{x, read_labels(text, dots, equation)};
  for (size_t i = 0; i < term.labels.size(); ++i) {
    for (size_t j; (j = term.labels.find(term.labels[i], i + 1)) != std::string::npos;) {
      const int64_t n = term.x.sizes()[i];
      WICK_CHECK(ShapeError, n == term.x.sizes()[j], "einsum: \"", text,
                 "\" takes the diagonal of dimensions that differ in ", x.sizes());
      // Both last, as one, of which every (n + 1)-th element counts; then back in the first place.
      Dims order, sizes;
      for (size_t d = 0; d < term.labels.size(); ++d) {
        if (d == i || d == j) continue;
        order.push_back(static_cast<int64_t>(d));
        sizes.push_back(term.x.sizes()[d]);
      }
      order.push_back(static_cast<int64_t>(i));
      order.push_back(static_cast<int64_t>(j));
      sizes.push_back(n * n);
      term.x = term.x.permute(order).reshape(sizes).slice(-1, 0, n * n, n + 1);
      const char label = term.labels[i];
      term.labels.erase(j, 1);
      term.labels.erase(i, 1);
      term.labels += label;
      i = 0;
    }
  }
  return term;
}

int64_t product_of(const Term& term, const std::string& labels) {
  int64_t n = 1;
  for (const char label : labels) n *= term.size(label);
  return n;
}

/// The product of two terms, summed over the labels that are in neither `needed`.
Term contract(Term a, Term b, const std::string& needed) {
  // What is 1 here and more there broadcasts: it is left out here.
  for (auto [one, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    for (size_t d = one->labels.size(); d-- > 0;) {
      const char label = one->labels[d];
      if (one->x.sizes()[d] == 1 && other->has(label)) one->sum_over(d);
    }
  }
  std::string batch, summed, left, right;
  for (const char label : a.labels) {
    if (!b.has(label)) {
      left += label;
      continue;
    }
    WICK_CHECK(ShapeError, a.size(label) == b.size(label), "einsum: one label has sizes ",
               a.size(label), " and ", b.size(label), ", in tensors of shape ", a.x.sizes(),
               " and ", b.x.sizes());
    (needed.find(label) != std::string::npos ? batch : summed) += label;
  }
  for (const char label : b.labels)
    if (!a.has(label)) right += label;
  const int64_t batches = product_of(a, batch), inner = product_of(a, summed);
  detail::check_rank("einsum", batch.size() + left.size() + right.size());
  Dims sizes;
  for (const char label : batch + left) sizes.push_back(a.size(label));
  for (const char label : right) sizes.push_back(b.size(label));
  const Tensor x = a.ordered(batch + left + summed).reshape({batches, product_of(a, left), inner});
  const Tensor y =
      b.ordered(batch + summed + right).reshape({batches, inner, product_of(b, right)});
  return {bmm(x, y).view(sizes), batch + left + right};
}

}  // namespace

Tensor einsum(const std::string& equation, TensorList tensors) {
  std::string text;
  for (const char c : equation)
    if (c != ' ') text += c;
  const size_t arrow = text.find("->");
  const std::vector<std::string> texts = split(text.substr(0, arrow), ',');
  WICK_CHECK(ValueError, texts.size() == tensors.size(), "einsum: \"", equation, "\" is for ",
             static_cast<int64_t>(texts.size()), " tensors, got ",
             static_cast<int64_t>(tensors.size()));
  std::vector<Term> terms;
  std::string all;
  for (size_t i = 0; i < texts.size(); ++i) {
    const bool same = i == 0 || tensors[i].dtype() == tensors[0].dtype();
    WICK_CHECK(DTypeError, same, "einsum: expected tensors of one type, got ", tensors[0].dtype(),
               " and ", tensors[i].dtype(), "; convert one with .to(dtype)");
    terms.push_back(read_term(tensors[i], texts[i], equation));
    all += read_labels(texts[i], 0, equation);
  }
  char dots = 0;
  for (const Term& term : terms)
    for (const char label : term.labels)
      if (label <= '\10') dots = std::max(dots, label);
  std::string output;
  if (arrow != std::string::npos) {
    output = read_labels(text.substr(arrow + 2), dots, equation);
  } else {
    std::sort(all.begin(), all.end());
    output = read_labels("...", dots, equation);
    for (const char label : all)
      if (std::count(all.begin(), all.end(), label) == 1) output += label;
  }
  Term result;
  for (size_t i = 0; i < terms.size(); ++i) {
    std::string needed = output;
    for (size_t j = i + 1; j < terms.size(); ++j) needed += terms[j].labels;
    // What only this term has and the output lacks.
    for (size_t d = terms[i].labels.size(); d-- > 0;) {
      const char label = terms[i].labels[d];
      if (needed.find(label) == std::string::npos && !(i > 0 && result.has(label)))
        terms[i].sum_over(d);
    }
    result = i == 0 ? terms[0] : contract(result, terms[i], needed);
  }
  for (size_t d = result.labels.size(); d-- > 0;)
    if (output.find(result.labels[d]) == std::string::npos) result.sum_over(d);
  for (const char label : output) {
    WICK_CHECK(ValueError,
               result.has(label) && std::count(output.begin(), output.end(), label) == 1,
               "einsum: each label of the output must be in it once and in a term, got \"",
               equation, "\"");
  }
  return result.ordered(output);
}

}  // namespace wick
