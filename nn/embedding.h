#pragma once

#include <wick/nn/holder.h>
#include <optional>

namespace wick::nn {

struct WICK_API EmbeddingOptions {
  EmbeddingOptions(int64_t num_embeddings, int64_t embedding_dim)
      : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}
  WICK_ARG(int64_t, num_embeddings);
  WICK_ARG(int64_t, embedding_dim);
  /// This row starts at zero and gets no gradient. Negative: from the end.
  WICK_ARG(std::optional<int64_t>, padding_idx) = std::nullopt;
};

/// A table of vectors: int64 indices of any shape -> [..., embedding_dim]. weight:
/// [num_embeddings, embedding_dim] starts normal.
class WICK_API EmbeddingImpl : public Cloneable<EmbeddingImpl> {
 public:
  EmbeddingImpl(int64_t num_embeddings, int64_t embedding_dim)
      : EmbeddingImpl(EmbeddingOptions(num_embeddings, embedding_dim)) {}
  explicit EmbeddingImpl(const EmbeddingOptions& options);
  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;
  Tensor forward(const Tensor& index);

  EmbeddingOptions options;
  Parameter weight;
};
WICK_MODULE(Embedding);

}  // namespace wick::nn
