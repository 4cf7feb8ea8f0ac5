#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "ingest/document_parser.h"
#include "llm/embedder.h"
#include "llm/generator.h"
#include "llm/model_store.h"
#include "services/settings.h"

namespace ragstone::services {

// State of one worker process.
struct WorkerState {
  std::string role;  // "pdf", "embed", "generate"
  int64_t pid = 0;   // 0 while it does not run
  std::string executable;
  std::string model;
  uint32_t starts = 0;
  uint64_t rss_bytes = 0;
  uint64_t peak_rss_bytes = 0;
  std::string last_exit;  // "signal 11 (Segmentation fault)", "exit code 1: …"
  std::string device;
};

// Which model-worker executables there are and which one is used.
struct TierState {
  std::string tier;  // "v2", "avx2", "avx512", "amx", "cuda"
  std::filesystem::path executable;
  bool present = false;
  bool passed = false;  // the self-test
  bool chosen = false;
  std::string reason;  // why or why not
};

// What to import, from where to where; see ragstone.worker.v1.ImportRequest.
struct ImportOptions {
  std::filesystem::path source;
  std::filesystem::path output_dir;
  bool retype = false;
  bool int8 = false;
};

// What an import found out; see ragstone.worker.v1.ImportDone.
struct ImportedModel {
  std::string kind, architecture, storage_type, pooling, license;
  uint32_t dimensions = 0, context_tokens = 0;
  uint64_t parameters = 0;
  bool normalize = true;
  std::vector<std::string> measurements;
};

// Starts, watches and talks to the worker processes. Workers are started on first use by one thread
// that lives as long as the pool, and restarted with back-off when they die. A request whose worker
// died is sent once more if nothing of its answer had come; then it fails with UNAVAILABLE
// (WORKER_CRASHED). Parse never sends again by itself: the pipeline decides. A worker that cannot
// be started gives UNAVAILABLE (WORKER_UNAVAILABLE), a model it refuses DATA_LOSS (MODEL_CORRUPT).
// Thread-safe.
class WorkerPool {
 public:
  static Result<std::unique_ptr<WorkerPool>> Start(const Settings& settings);
  virtual ~WorkerPool() = default;  // ends all workers

  virtual ingest::DocumentParser* pdf_parser() = 0;
  // One worker for each model; lives as long as the pool or until StopModel.
  virtual Result<llm::Embedder*> EmbedderFor(const llm::Manifest& manifest,
                                             const std::filesystem::path& file) = 0;
  virtual Result<llm::Generator*> GeneratorFor(const llm::Manifest& manifest,
                                               const std::filesystem::path& file) = 0;
  virtual void StopModel(const std::string& name) = 0;
  // Runs an import worker for this one request.
  virtual Result<ImportedModel> ImportModel(
      const ImportOptions& import, const std::function<Status(const std::string&)>& progress,
      const CallContext& context) = 0;
  virtual std::vector<WorkerState> States() const = 0;
  // Tiers in the order in which they are tried; self-tests run on first use and are remembered by
  // CPU and binary under models_dir.
  virtual std::vector<TierState> Tiers() = 0;
};

}  // namespace ragstone::services
