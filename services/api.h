#pragma once

#include <functional>
#include <optional>

#include "base/call_context.h"
#include "base/status.h"
#include "ragstone/v1/admin.pb.h"
#include "ragstone/v1/answer.pb.h"
#include "ragstone/v1/collection.pb.h"
#include "ragstone/v1/document.pb.h"
#include "ragstone/v1/job.pb.h"
#include "ragstone/v1/model.pb.h"
#include "ragstone/v1/search.pb.h"
#include "ragstone/v1/vector.pb.h"

namespace ragstone::services {

// Sends one message of a response stream; waits while the client is slow; fails when it is gone.
template <typename Message>
using Writer = std::function<Status(const Message&)>;

// Returns the next message of a request stream, or nothing at its end; an error when the client is
// gone.
template <typename Message>
using Reader = std::function<Result<std::optional<Message>>()>;

#define RAGSTONE_VECTOR_UNARY_RPCS(X)      \
  X(VectorService, CreateRecordCollection) \
  X(VectorService, AlterRecordCollection)  \
  X(VectorService, DropRecordCollection)   \
  X(VectorService, GetRecordCollection)    \
  X(VectorService, ListRecordCollections)  \
  X(VectorService, UpsertRecords)          \
  X(VectorService, GetRecords)             \
  X(VectorService, DeleteRecords)          \
  X(VectorService, UpdatePayload)          \
  X(VectorService, ScrollRecords)          \
  X(VectorService, CountRecords)           \
  X(VectorService, SearchRecords)          \
  X(VectorService, SearchRecordBatch)      \
  X(VectorService, RecommendRecords)

// Every RPC of ragstone.v1 as a plain function: no gRPC types, tested without a server. Handlers
// may block. Thread-safe. What a method does and which errors it gives is said in the protos.
class Api {
 public:
  virtual ~Api() = default;

#define RAGSTONE_UNARY_RPCS(X)               \
  X(CollectionService, CreateCollection)     \
  X(CollectionService, ListCollections)      \
  X(CollectionService, GetCollection)        \
  X(CollectionService, AlterCollection)      \
  X(CollectionService, DeleteCollection)     \
  X(DocumentService, ListDocuments)          \
  X(DocumentService, GetDocument)            \
  X(DocumentService, GetDocumentPage)        \
  X(DocumentService, UpdateDocumentMetadata) \
  X(DocumentService, DeleteDocument)         \
  X(SearchService, Search)                   \
  X(JobService, ListJobs)                    \
  X(JobService, GetJob)                      \
  X(JobService, CancelJob)                   \
  X(ModelService, ListModels)                \
  X(ModelService, RemoveModel)               \
  X(AdminService, GetStatus)                 \
  RAGSTONE_VECTOR_UNARY_RPCS(X)

#define RAGSTONE_DECLARE_UNARY(service, method)                                   \
  virtual Result<v1::method##Response> method(const v1::method##Request& request, \
                                              const CallContext& context) = 0;
  RAGSTONE_UNARY_RPCS(RAGSTONE_DECLARE_UNARY)
#undef RAGSTONE_DECLARE_UNARY

  virtual Status AddDocument(const Reader<v1::AddDocumentRequest>& read,
                             const Writer<v1::AddDocumentResponse>& write,
                             const CallContext& context) = 0;
  virtual Status Ask(const v1::AskRequest& request, const Writer<v1::AskResponse>& write,
                     const CallContext& context) = 0;
  virtual Status WatchJob(const v1::WatchJobRequest& request,
                          const Writer<v1::WatchJobResponse>& write,
                          const CallContext& context) = 0;
  virtual Status ImportModel(const v1::ImportModelRequest& request,
                             const Writer<v1::ImportModelResponse>& write,
                             const CallContext& context) = 0;
  virtual Status UpsertRecordStream(const Reader<v1::UpsertRecordStreamRequest>& read,
                                    const Writer<v1::UpsertRecordStreamResponse>& write,
                                    const CallContext& context) = 0;
  virtual Status Backup(const v1::BackupRequest& request, const Writer<v1::BackupResponse>& write,
                        const CallContext& context) = 0;
  virtual Status Purge(const v1::PurgeRequest& request, const Writer<v1::PurgeResponse>& write,
                       const CallContext& context) = 0;
};

}  // namespace ragstone::services
