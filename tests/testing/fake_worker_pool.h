#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "services/worker_pool.h"
#include "tests/testing/fake_models.h"

namespace ragstone::testing {

// Reads "%PDF-fake\n" and then pages separated by form feeds. A page that holds "CRASH" ends the
// "worker" each time, "CRASHONCE" only the first time, "NOTEXT" gives an empty page with an image.
class FakePdfParser : public ingest::DocumentParser {
 public:
  Status Parse(std::string_view bytes, const ingest::ParseLimits& limits,
               const ingest::PageSink& sink, const CallContext& context) override;
  std::atomic<uint64_t> documents{0};

 private:
  std::atomic<bool> crashed_once_{false};
};

// The workers, without processes.
class FakeWorkerPool : public services::WorkerPool {
 public:
  ingest::DocumentParser* pdf_parser() override { return &parser; }
  Result<llm::Embedder*> EmbedderFor(const llm::Manifest& manifest,
                                     const std::filesystem::path& file) override;
  Result<llm::Generator*> GeneratorFor(const llm::Manifest& manifest,
                                       const std::filesystem::path& file) override;
  void StopModel(const std::string& name) override { stopped.push_back(name); }
  // Copies the file (or the folder's model.safetensors and tokenizer.json); a source whose name
  // holds "broken" is refused with MODEL_CORRUPT.
  Result<services::ImportedModel> ImportModel(
      const services::ImportOptions& import,
      const std::function<Status(const std::string&)>& progress,
      const CallContext& context) override;
  std::vector<services::WorkerState> States() const override;
  std::vector<services::TierState> Tiers() override { return {}; }

  FakePdfParser parser;
  FakeEmbedder embedder;
  FakeGenerator generator;
  std::vector<std::string> stopped;
};

// A temporary folder with data and models: an embedding model "fake-embedder" whose WordPiece
// vocabulary is the ASCII letters and digits, and a generator "fake-generator", both defaults.
class TestHome {
 public:
  TestHome();
  ~TestHome();
  TestHome(const TestHome&) = delete;
  TestHome& operator=(const TestHome&) = delete;

  const std::filesystem::path& dir() const { return dir_; }
  services::Settings settings() const;

 private:
  std::filesystem::path dir_;
};

// "%PDF-fake" with these pages.
std::string FakePdf(const std::vector<std::string>& pages);

// A tokenizer.json of BERT's kind whose vocabulary is letters and digits.
std::string FakeTokenizerJson();

}  // namespace ragstone::testing
