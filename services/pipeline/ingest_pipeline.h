#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/call_context.h"
#include "base/clock.h"
#include "base/status.h"
#include "index/blob_store.h"
#include "index/database.h"
#include "services/pipeline/job_record.h"
#include "services/pipeline/model_registry.h"
#include "services/settings.h"
#include "services/worker_pool.h"

namespace ragstone::services {

// How far a document is; written by the pipeline, read by anyone.
struct IngestProgress {
  enum class Stage : uint8_t { kQueued, kParse, kEmbed, kCommit, kDone };
  std::atomic<Stage> stage{Stage::kQueued};
  std::atomic<uint32_t> pages_done{0};
  std::atomic<uint32_t> pages_total{0};
  std::atomic<uint32_t> chunks_done{0};
  std::atomic<uint32_t> chunks_total{0};
};

// "queued", "parse", "embed", "commit" or "done".
const char* StageName(IngestProgress::Stage stage);

// The life of a document from its blob to its published version: parse, cut, embed, write.
// Thread-safe; each call works on one document and overlaps parsing with embedding.
class IngestPipeline {
 public:
  // All must outlive the pipeline.
  struct Parts {
    const Settings* settings = nullptr;
    const Clock* clock = nullptr;
    index::Database* database = nullptr;
    index::BlobStore* blobs = nullptr;
    ModelRegistry* models = nullptr;
    WorkerPool* workers = nullptr;
  };
  explicit IngestPipeline(const Parts& parts) : parts_(parts) {}

  // Ingests the document of `job` and publishes it together with `also`, which is asked for when
  // the numbers of pages and chunks are known. Input that ends the PDF worker twice is quarantined:
  // FAILED_PRECONDITION (QUARANTINED).
  Result<index::DocumentInfo> Run(
      const JobRecord& job, IngestProgress* progress, const CallContext& context,
      const std::function<index::Batch(uint32_t pages, uint32_t chunks)>& also);

  // FAILED_PRECONDITION (QUARANTINED) if this content ended a worker twice before.
  Status CheckQuarantine(const Sha256Digest& content) const;

 private:
  friend class IngestRun;
  Status Quarantine(const Sha256Digest& content, const Status& cause);

  const Parts parts_;
};

}  // namespace ragstone::services
