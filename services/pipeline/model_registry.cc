#include "services/pipeline/model_registry.h"

#include <algorithm>
#include <array>

namespace ragstone::services {

namespace {

constexpr uint32_t kSpecialTokens = 2;  // [CLS] and [SEP]

// One request to the worker; small enough that a query waits at most for a fraction of a second.
constexpr size_t kTextsPerRequest = 64;

// Of a model that tells hardly anything apart something must be left to rank by.
constexpr double kUnrelatedCosineMax = 0.95;

}  // namespace

EmbeddingModel::EmbeddingModel(llm::Manifest manifest, std::unique_ptr<llm::Tokenizer> tokenizer,
                               llm::Embedder* embedder)
    : manifest_(std::move(manifest)),
      fingerprint_(llm::EmbeddingFingerprint(manifest_)),
      tokenizer_(std::move(tokenizer)),
      embedder_(embedder) {}

uint32_t EmbeddingModel::Count(std::string_view text) const { return tokenizer_->Count(text); }

uint32_t EmbeddingModel::PassageTokensMax() const {
  const uint32_t used = kSpecialTokens + tokenizer_->Count(manifest_.document_prefix);
  return manifest_.context_tokens > used ? manifest_.context_tokens - used : 1;
}

std::string EmbeddingModel::PassageInput(std::string_view text) const {
  return manifest_.document_prefix + std::string(text);
}

Result<std::vector<float>> EmbeddingModel::EmbedQuery(std::string_view query,
                                                      const CallContext& context) const {
  std::vector<std::vector<int32_t>> ids(1);
  ids[0] = tokenizer_->Encode(manifest_.query_prefix + std::string(query));
  if (ids[0].size() > manifest_.context_tokens) {
    return InvalidArgument(Reason::kQueryTooLong,
                           "the question has " + std::to_string(ids[0].size()) +
                               " tokens, the embedding model " + manifest_.name + " takes " +
                               std::to_string(manifest_.context_tokens) +
                               "; ask a shorter question");
  }
  return embedder_->Embed(ids, context);
}

Result<std::vector<float>> EmbeddingModel::EmbedInputs(std::span<const std::string> inputs,
                                                       const CallContext& context) const {
  std::vector<float> vectors;
  vectors.reserve(inputs.size() * manifest_.dimensions);
  while (!inputs.empty()) {
    const auto part = inputs.first(std::min(inputs.size(), kTextsPerRequest));
    std::vector<std::vector<int32_t>> ids;
    ids.reserve(part.size());
    for (const std::string& input : part) ids.push_back(tokenizer_->Encode(input));
    ASSIGN_OR_RETURN(const std::vector<float> some, embedder_->Embed(ids, context));
    if (some.size() != part.size() * manifest_.dimensions) {
      return Internal("the embedding worker returned " + std::to_string(some.size()) +
                      " values for " + std::to_string(part.size()) + " texts of " +
                      std::to_string(manifest_.dimensions) + " dimensions");
    }
    vectors.insert(vectors.end(), some.begin(), some.end());
    inputs = inputs.subspan(part.size());
  }
  return vectors;
}

Result<double> EmbeddingModel::MeasureUnrelatedCosine(const CallContext& context) const {
  // No two have a subject in common.
  static constexpr std::array<std::string_view, 8> kPassages = {
      "The choir rehearses every Tuesday evening in the old town hall.",
      "Add the flour slowly and knead the dough until it is smooth.",
      "Photosynthesis turns sunlight, water and carbon dioxide into sugar.",
      "The tenant returns both keys on the last day of the lease.",
      "Replace the brake pads when they are thinner than three millimetres.",
      "The goalkeeper saved two penalties in the second half of the final.",
      "Interest is paid on the first working day of each quarter.",
      "The volcano last erupted when glaciers still covered the valley."};
  static constexpr std::array<std::string_view, 8> kQueries = {
      "how do vaccines train the immune system",    "train connections from the airport at night",
      "which paint dries fastest on damp wood",     "origin of the word quarantine",
      "error while mounting a network drive",       "best time to prune apple trees",
      "who composed the opera about a bullfighter", "minimum wage for apprentices"};
  std::vector<std::string> inputs;
  for (const std::string_view passage : kPassages) inputs.push_back(PassageInput(passage));
  ASSIGN_OR_RETURN(const std::vector<float> passages, EmbedInputs(inputs, context));
  double sum = 0;
  for (const std::string_view text : kQueries) {
    ASSIGN_OR_RETURN(const std::vector<float> query, EmbedQuery(text, context));
    for (size_t i = 0; i < passages.size(); ++i) {
      sum += static_cast<double>(passages[i]) * query[i % query.size()];
    }
  }
  const double mean = sum / static_cast<double>(kPassages.size() * kQueries.size());
  return std::clamp(mean, 0.0, kUnrelatedCosineMax);
}

ModelRegistry::ModelRegistry(const Settings* settings, llm::ModelStore* store, WorkerPool* workers)
    : settings_(settings), store_(store), workers_(workers) {}

Result<llm::Manifest> ModelRegistry::EmbeddingManifest(std::string_view name) const {
  if (name.empty()) name = settings_->embedding_model;
  if (name.empty()) return store_->Default(llm::ModelKind::kEmbedding);
  ASSIGN_OR_RETURN(llm::Manifest manifest, store_->Get(name));
  if (manifest.kind != llm::ModelKind::kEmbedding) {
    return InvalidArgument(Reason::kModelUnsupported,
                           "model " + manifest.name +
                               " is a generator, an embedding model is "
                               "needed; `ragstone model list` shows them");
  }
  return manifest;
}

Result<llm::Manifest> ModelRegistry::FindByFingerprint(const index::CollectionSpec& spec) const {
  const Result<llm::Manifest> named = store_->Get(spec.embedding_model);
  if (named.ok() && llm::EmbeddingFingerprint(*named) == spec.fingerprint) return named;
  ASSIGN_OR_RETURN(const std::vector<llm::Manifest> all, store_->List());
  for (const llm::Manifest& manifest : all) {
    if (manifest.kind == llm::ModelKind::kEmbedding &&
        llm::EmbeddingFingerprint(manifest) == spec.fingerprint) {
      return manifest;
    }
  }
  if (!named.ok()) return named.status().WithContext("collection " + spec.name);
  return FailedPrecondition(
      Reason::kModelMismatch,
      "collection " + spec.name + " was made with embedding model " + spec.embedding_model +
          " of fingerprint " + spec.fingerprint + ", the installed one has " +
          llm::EmbeddingFingerprint(*named) +
          "; install the former model again, or add the documents to a new collection");
}

Result<std::shared_ptr<const EmbeddingModel>> ModelRegistry::ForCollection(
    const index::CollectionSpec& spec) {
  {
    MutexLock lock(&mutex_);
    const auto found = loaded_.find(spec.fingerprint);
    if (found != loaded_.end()) return found->second;
  }
  ASSIGN_OR_RETURN(const llm::Manifest manifest, FindByFingerprint(spec));
  return Load(manifest);
}

Result<std::shared_ptr<const EmbeddingModel>> ModelRegistry::Load(const llm::Manifest& manifest) {
  RETURN_IF_ERROR(store_->Verify(manifest));
  ASSIGN_OR_RETURN(auto tokenizer, llm::LoadTokenizer(store_->FolderOf(manifest.name)));
  ASSIGN_OR_RETURN(llm::Embedder * embedder,
                   workers_->EmbedderFor(manifest, store_->FileOf(manifest)));
  auto model = std::make_shared<const EmbeddingModel>(manifest, std::move(tokenizer), embedder);
  MutexLock lock(&mutex_);
  return loaded_.try_emplace(model->fingerprint(), model).first->second;
}

Result<GeneratorModel> ModelRegistry::Generator() {
  llm::Manifest manifest;
  if (settings_->generator_model.empty()) {
    ASSIGN_OR_RETURN(manifest, store_->Default(llm::ModelKind::kGenerator));
  } else {
    ASSIGN_OR_RETURN(manifest, store_->Get(settings_->generator_model));
  }
  if (manifest.kind != llm::ModelKind::kGenerator) {
    return InvalidArgument(Reason::kModelUnsupported,
                           "model " + manifest.name +
                               " is an embedding model, a generator is "
                               "needed; `ragstone model list` shows them");
  }
  RETURN_IF_ERROR(store_->Verify(manifest));
  ASSIGN_OR_RETURN(llm::Generator * generator,
                   workers_->GeneratorFor(manifest, store_->FileOf(manifest)));
  return GeneratorModel{std::move(manifest), generator};
}

void ModelRegistry::Forget(std::string_view name) {
  workers_->StopModel(std::string(name));
  MutexLock lock(&mutex_);
  std::erase_if(loaded_,
                [name](const auto& entry) { return entry.second->manifest().name == name; });
}

}  // namespace ragstone::services
