#include <wick/io/checkpoint.h>

#include <wick/core/ops.h>
#include <wick/io/safetensors.h>
#include <bit>

namespace wick::io {
namespace {

constexpr char kModel[] = "model.";
constexpr char kOptimizer[] = "optimizer.";
constexpr char kCounter[] = "counter.";
constexpr char kRandom[] = "random_state";

TensorDict with_prefix(const TensorDict& all, const std::string& prefix) {
  TensorDict part("Tensor");
  for (const auto& item : all)
    if (item.key().starts_with(prefix)) part.insert(item.key().substr(prefix.size()), item.value());
  return part;
}

}  // namespace

void save_checkpoint(const std::string& path, const nn::Module& model,
                     const optim::Optimizer* optimizer, const Counters& counters) {
  TensorDict all("Tensor");
  for (const auto& item : model.state_dict()) all.insert(kModel + item.key(), item.value());
  if (optimizer) {
    for (const auto& item : optimizer->state_dict())
      all.insert(kOptimizer + item.key(), item.value());
  }
  for (const auto& [name, value] : counters) all.insert(kCounter + name, full({}, value, kInt64));
  const RngState state = get_rng_state();
  const std::vector<int64_t> words{std::bit_cast<int64_t>(state.seed),
                                   std::bit_cast<int64_t>(state.offset)};
  all.insert(std::string(kRandom), tensor(words));
  save_safetensors(all, path);
}

Counters load_checkpoint(const std::string& path, nn::Module& model, optim::Optimizer* optimizer) {
  const TensorDict all = load_safetensors(path);
  Counters counters;
  for (const auto& item : with_prefix(all, kCounter)) {
    WICK_CHECK(FormatError, item.value().numel() == 1 && !item.value().is_floating_point(), "'",
               path, "': counter '", item.key(), "' is not one integer");
    counters[item.key()] = item.value().item<int64_t>();
  }
  const TensorDict state = with_prefix(all, kModel);
  if (!optimizer) {
    model.load_state_dict(state);
    return counters;
  }
  const Tensor* random = all.find(kRandom);
  WICK_CHECK(FormatError, random && random->dtype() == kInt64 && random->numel() == 2, "'", path,
             "' is not a checkpoint of a training run: it has no random state");
  // The optimizer refuses before it changes anything, and so does the model; to make them one, the
  // model's old values are kept until both have agreed.
  TensorDict before("Tensor");
  for (const auto& item : model.state_dict()) before.insert(item.key(), item.value().clone());
  model.load_state_dict(state);
  try {
    optimizer->load_state_dict(with_prefix(all, kOptimizer));
  } catch (...) {
    model.load_state_dict(before);
    throw;
  }
  const std::vector<int64_t> words = random->to_vector<int64_t>();
  set_rng_state({std::bit_cast<uint64_t>(words[0]), std::bit_cast<uint64_t>(words[1])});
  return counters;
}

}  // namespace wick::io
