#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "index/blob_store.h"
#include "index/database.h"
#include "index/record_database.h"
#include "index/request_log.h"
#include "llm/answer/answerer.h"
#include "llm/model_store.h"
#include "services/app.h"
#include "services/handlers/records.h"
#include "services/pipeline/ingest_pipeline.h"
#include "services/pipeline/job_runner.h"
#include "services/pipeline/model_registry.h"

namespace ragstone::services {

// Documents given to `ask --file`; its name cannot be taken by users, and lists leave it out.
inline constexpr std::string_view kAttachments = ".attachments";

// Requests since start, by RPC.
struct RequestCounters {
  std::atomic<uint64_t> search{0}, ask{0}, add{0}, answered{0}, refused{0};
};

// The handlers, by service: collections.cc, documents.cc, search.cc, answer.cc, jobs.cc, models.cc,
// admin.cc, admin_care.cc; those of VectorService are RecordHandlers.
class AppImpl : public App {
 public:
  AppImpl(const Settings& settings, std::unique_ptr<WorkerPool> workers, const Clock* clock);
  ~AppImpl() override;
  Status Init();

  void Shutdown() override;
  bool Idle() const override;

#define RAGSTONE_OVERRIDE_UNARY(service, method)                          \
  Result<v1::method##Response> method(const v1::method##Request& request, \
                                      const CallContext& context) override;
  RAGSTONE_UNARY_RPCS(RAGSTONE_OVERRIDE_UNARY)
#undef RAGSTONE_OVERRIDE_UNARY

  Status AddDocument(const Reader<v1::AddDocumentRequest>& read,
                     const Writer<v1::AddDocumentResponse>& write,
                     const CallContext& context) override;
  Status Ask(const v1::AskRequest& request, const Writer<v1::AskResponse>& write,
             const CallContext& context) override;
  Status WatchJob(const v1::WatchJobRequest& request, const Writer<v1::WatchJobResponse>& write,
                  const CallContext& context) override;
  Status ImportModel(const v1::ImportModelRequest& request,
                     const Writer<v1::ImportModelResponse>& write,
                     const CallContext& context) override;
  Status UpsertRecordStream(const Reader<v1::UpsertRecordStreamRequest>& read,
                            const Writer<v1::UpsertRecordStreamResponse>& write,
                            const CallContext& context) override;
  Status Backup(const v1::BackupRequest& request, const Writer<v1::BackupResponse>& write,
                const CallContext& context) override;
  Status Purge(const v1::PurgeRequest& request, const Writer<v1::PurgeResponse>& write,
               const CallContext& context) override;

 private:
  // documents.cc
  struct Upload {
    v1::AddDocumentStart start;
    std::unique_ptr<index::BlobWriter> writer;  // while it lives, its blob is not removed
    Sha256Digest blob;
    uint64_t bytes = 0;
  };
  Result<index::CollectionInfo> CollectionForAdd(const v1::AddDocumentStart& start);
  Result<Upload> ReceiveUpload(const Reader<v1::AddDocumentRequest>& read,
                               const CallContext& context);
  Status StoreBytes(const Reader<v1::AddDocumentRequest>& read, const CallContext& context,
                    Upload* upload);
  Status StorePath(const CallContext& context, Upload* upload);
  Status CheckPath(std::string_view path, const CallContext& context) const;
  Result<JobRecord> AcceptUpload(const Upload& upload, const index::CollectionInfo& collection);
  Status FollowJob(JobId id, const std::function<Status(const JobView&)>& changed,
                   const CallContext& context);
  Result<v1::Document> DocumentMessage(const index::DocumentInfo& info) const;
  void TrimAttachments(const index::CollectionInfo& collection);

  // search.cc
  struct Retrieval {
    index::CollectionInfo collection;
    std::shared_ptr<const EmbeddingModel> model;
    std::vector<index::SearchHit> hits;
    std::vector<index::ChunkRecord> chunks;  // of hits, in their order
    std::map<std::string, double> timings_ms;
  };
  struct Query {
    std::string_view collection;
    std::string_view text;
    uint32_t top_k = 10;
    v1::SearchMode mode = v1::SEARCH_MODE_UNSPECIFIED;
    std::optional<std::vector<index::DocumentId>> documents;
    const v1::Filter* filter = nullptr;  // null: none
  };
  // What the cosine of unrelated texts is by this model: measured once, then known.
  Result<double> UnrelatedCosine(const EmbeddingModel& model, const CallContext& context);
  Result<Retrieval> Retrieve(const Query& query, const CallContext& context);
  Result<std::vector<v1::Passage>> Passages(const Retrieval& retrieval) const;

  // answer.cc
  Result<v1::Citation> ResolveCitation(const Retrieval& retrieval,
                                       const std::vector<v1::Passage>& passages,
                                       const llm::AnswerCitation& citation) const;
  // `found` must outlive the result.
  llm::AnswerServices AnswerParts(const GeneratorModel& generator, const Retrieval& found,
                                  const CallContext& context) const;
  Result<Retrieval> RetrieveForAsk(const v1::AskRequest& request, const CallContext& context);

  // models.cc
  Result<llm::Manifest> PrepareModel(const v1::ImportModelRequest& request,
                                     const std::filesystem::path& staging,
                                     const Writer<v1::ImportModelResponse>& write,
                                     const CallContext& context);

  const Settings settings_;
  const Clock* const clock_;
  const int64_t started_ns_;
  llm::ModelStore model_store_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<index::Database> database_;
  std::unique_ptr<index::RecordDatabase> record_database_;
  std::unique_ptr<index::BlobStore> blobs_;
  std::unique_ptr<index::RequestLog> requests_;
  std::unique_ptr<RecordHandlers> records_;
  std::unique_ptr<ModelRegistry> models_;
  std::unique_ptr<IngestPipeline> pipeline_;
  std::unique_ptr<JobRunner> jobs_;
  mutable RequestCounters counters_;
  Mutex collection_mutex_;              // one creation of a missing collection at a time
  std::atomic<bool> care_runs_{false};  // a backup or a purge: one at a time
};

// The collection a request names; empty means "default".
std::string_view CollectionName(std::string_view name);

}  // namespace ragstone::services
