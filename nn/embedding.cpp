#include <wick/nn/embedding.h>

#include <wick/nn/init.h>
#include <ostream>

namespace wick::nn {

EmbeddingImpl::EmbeddingImpl(const EmbeddingOptions& o) : options(o) {
  const int64_t n = o.num_embeddings();
  WICK_CHECK(ValueError, n > 0 && o.embedding_dim() > 0,
             "Embedding: expected num_embeddings and embedding_dim >= 1, got ", n, " and ",
             o.embedding_dim());
  if (auto& padding = options.padding_idx()) {
    WICK_CHECK(ValueError, *padding >= -n && *padding < n,
               "Embedding: Padding_idx must be within num_embeddings (", n, "), got ", *padding);
    if (*padding < 0) *padding += n;
  }
  EmbeddingImpl::reset();
}

void EmbeddingImpl::reset() {
  weight = register_parameter("weight", empty({options.num_embeddings(), options.embedding_dim()}));
  reset_parameters();
}

void EmbeddingImpl::reset_parameters() {
  init::normal_(weight);
  if (const auto padding = options.padding_idx()) {
    const NoGradGuard no_grad;
    weight.select(0, *padding).zero_();
  }
}

void EmbeddingImpl::pretty_print(std::ostream& stream) const {
  stream << "wick::nn::Embedding(num_embeddings=" << options.num_embeddings()
         << ", embedding_dim=" << options.embedding_dim();
  if (options.padding_idx()) stream << ", padding_idx=" << *options.padding_idx();
  stream << ")";
}

Tensor EmbeddingImpl::forward(const Tensor& index) {
  return embedding(weight, index, options.padding_idx().value_or(-1));
}

}  // namespace wick::nn
