#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/types.h"
#include "ingest/chunker.h"
#include "llm/model_store.h"
#include "llm/tokenizer.h"
#include "services/settings.h"
#include "services/worker_pool.h"

namespace ragstone::services {

// An embedding model ready for use: manifest, tokeniser and the worker that runs it. Immutable and
// thread-safe; shared by everything that uses the model.
class EmbeddingModel : public ingest::TokenCounter {
 public:
  EmbeddingModel(llm::Manifest manifest, std::unique_ptr<llm::Tokenizer> tokenizer,
                 llm::Embedder* embedder);

  const llm::Manifest& manifest() const { return manifest_; }
  const std::string& fingerprint() const { return fingerprint_; }

  // Tokens without the special ones.
  uint32_t Count(std::string_view text) const override;
  // Tokens left for a passage beside special tokens and the document prefix.
  uint32_t PassageTokensMax() const;
  // What is hashed and embedded for a passage: the document prefix and the text.
  std::string PassageInput(std::string_view text) const;

  // Returns one normalised vector. INVALID_ARGUMENT (QUERY_TOO_LONG) naming both lengths.
  Result<std::vector<float>> EmbedQuery(std::string_view query, const CallContext& context) const;
  // Returns inputs.size() × dimensions floats; inputs are PassageInputs.
  Result<std::vector<float>> EmbedInputs(std::span<const std::string> inputs,
                                         const CallContext& context) const;
  // About what the cosine of a query and a passage that have nothing to do with each other is, 0 to
  // 0.95: some models put all texts near each other. From a few sentences, so with 16 of them
  // embedded.
  Result<double> MeasureUnrelatedCosine(const CallContext& context) const;

 private:
  const llm::Manifest manifest_;
  const std::string fingerprint_;
  const std::unique_ptr<llm::Tokenizer> tokenizer_;
  llm::Embedder* const embedder_;
};

// A language model ready for use.
struct GeneratorModel {
  llm::Manifest manifest;
  llm::Generator* generator = nullptr;
};

// Finds installed models and gets them ready on first use. Thread-safe.
class ModelRegistry {
 public:
  // All must outlive the registry.
  ModelRegistry(const Settings* settings, llm::ModelStore* store, WorkerPool* workers);

  // The model for new collections: the named one, or the default of the settings.
  Result<llm::Manifest> EmbeddingManifest(std::string_view name) const;
  // The model a collection was made with. FAILED_PRECONDITION (MODEL_MISMATCH) if the installed one
  // of that name has another fingerprint and no other installed one has it.
  Result<std::shared_ptr<const EmbeddingModel>> ForCollection(const index::CollectionSpec& spec);
  Result<GeneratorModel> Generator();
  // Forgets a model that was removed.
  void Forget(std::string_view name);

 private:
  Result<llm::Manifest> FindByFingerprint(const index::CollectionSpec& spec) const;
  Result<std::shared_ptr<const EmbeddingModel>> Load(const llm::Manifest& manifest);

  const Settings* const settings_;
  llm::ModelStore* const store_;
  WorkerPool* const workers_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const EmbeddingModel>, std::less<>> loaded_
      GUARDED_BY(mutex_);  // by fingerprint
};

}  // namespace ragstone::services
