#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "ragstone/v1/answer.grpc.pb.h"
#include "ragstone/v1/collection.grpc.pb.h"
#include "ragstone/v1/document.grpc.pb.h"
#include "ragstone/v1/errors.pb.h"
#include "ragstone/v1/job.grpc.pb.h"
#include "ragstone/v1/model.grpc.pb.h"
#include "ragstone/v1/search.grpc.pb.h"
#include "services/cli/run.h"

namespace ragstone::services::cli {

// An error as the real server sends it.
inline grpc::Status FakeError(grpc::StatusCode code, const std::string& reason,
                              const std::string& message) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("ragstone");
  v1::ErrorStatus status;
  status.set_code(code);
  status.set_message(message);
  v1::ErrorDetail* detail = status.add_details();
  detail->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  detail->set_value(info.SerializeAsString());
  return grpc::Status(code, message, status.SerializeAsString());
}

// What the fake answers and what it was asked; tests set and read it while no call runs.
struct FakeState {
  Mutex mutex;
  std::vector<std::string> added GUARDED_BY(mutex);        // sources, as they came
  std::vector<std::string> collections GUARDED_BY(mutex);  // of the adds
  std::vector<size_t> bytes GUARDED_BY(mutex);
  v1::AskRequest asked;
  v1::SearchRequest searched;
  v1::ImportModelRequest imported;
  v1::AskFinal final;
  std::vector<std::string> tokens;
  std::vector<v1::Passage> passages;
  grpc::Status search_status;
  std::atomic<int> queue_full{0};  // so many adds are refused first
  std::atomic<bool> hang{false};   // adds wait after `accepted` until they are cancelled
  std::atomic<bool> unchanged{false};
  std::atomic<int> accepted{0};
  int documents = 0;  // how many a list has, in pages of at most 2
};

class FakeDocuments : public v1::DocumentService::Service {
 public:
  explicit FakeDocuments(FakeState* state) : state_(state) {}

  grpc::Status AddDocument(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::AddDocumentResponse, v1::AddDocumentRequest>* stream) override {
    v1::AddDocumentRequest request;
    if (!stream->Read(&request)) return grpc::Status::CANCELLED;
    const v1::AddDocumentStart start = request.start();
    if (state_->queue_full.fetch_sub(1) > 0) {
      return FakeError(grpc::RESOURCE_EXHAUSTED, "QUEUE_FULL", "the queue is full");
    }
    size_t bytes = 0;
    while (stream->Read(&request)) bytes += request.data().size();
    if (start.collection() == "nomodel") {
      return FakeError(grpc::NOT_FOUND, "MODEL_NOT_FOUND", "no embedding model is installed");
    }
    if (bytes == 0) return FakeError(grpc::INVALID_ARGUMENT, "EMPTY_FILE", "the file is empty");
    {
      MutexLock lock(&state_->mutex);
      state_->added.push_back(start.source());
      state_->collections.push_back(start.collection());
      state_->bytes.push_back(bytes);
    }
    v1::AddDocumentResponse event;
    event.mutable_accepted()->set_job_id("job-1");
    stream->Write(event);
    ++state_->accepted;
    while (state_->hang && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    event.mutable_progress()->set_pages_total(2);
    stream->Write(event);
    v1::Document* document = event.mutable_finished()->mutable_document();
    document->set_id("id-" + std::filesystem::path(start.source()).filename().string());
    document->set_path(start.source());
    document->set_pages(2);
    document->set_chunks(5);
    document->set_status("ready");
    event.mutable_finished()->set_unchanged(state_->unchanged);
    stream->Write(event);
    return grpc::Status::OK;
  }

  grpc::Status ListDocuments(grpc::ServerContext*, const v1::ListDocumentsRequest* request,
                             v1::ListDocumentsResponse* response) override {
    const int begin = request->page_token().empty() ? 0 : std::stoi(request->page_token());
    for (int i = begin; i < state_->documents && i < begin + 2; ++i) {
      response->add_documents()->set_id("d" + std::to_string(i));
    }
    if (begin + 2 < state_->documents) response->set_next_page_token(std::to_string(begin + 2));
    return grpc::Status::OK;
  }

  grpc::Status GetDocument(grpc::ServerContext*, const v1::GetDocumentRequest* request,
                           v1::GetDocumentResponse* response) override {
    response->mutable_document()->set_id(request->id());
    response->mutable_document()->set_title("Title\x1b[2J");
    auto& entries = *response->mutable_document()->mutable_metadata()->mutable_entries();
    entries["year"].set_int_value(2021);
    entries["draft"].set_bool_value(true);
    return grpc::Status::OK;
  }

  grpc::Status UpdateDocumentMetadata(grpc::ServerContext*,
                                      const v1::UpdateDocumentMetadataRequest* request,
                                      v1::UpdateDocumentMetadataResponse* response) override {
    response->mutable_document()->set_id(request->id());
    *response->mutable_document()->mutable_metadata() = request->metadata();
    return grpc::Status::OK;
  }

  grpc::Status DeleteDocument(grpc::ServerContext*, const v1::DeleteDocumentRequest* request,
                              v1::DeleteDocumentResponse*) override {
    if (request->id() == "d0") return grpc::Status::OK;
    return FakeError(grpc::NOT_FOUND, "DOCUMENT_NOT_FOUND", "no document " + request->id());
  }

 private:
  FakeState* const state_;
};

class FakeSearch : public v1::SearchService::Service {
 public:
  explicit FakeSearch(FakeState* state) : state_(state) {}
  grpc::Status Search(grpc::ServerContext*, const v1::SearchRequest* request,
                      v1::SearchResponse* response) override {
    state_->searched = *request;
    for (const v1::Passage& passage : state_->passages) *response->add_passages() = passage;
    (*response->mutable_timings()->mutable_ms())["total"] = 1.5;
    return state_->search_status;
  }

 private:
  FakeState* const state_;
};

class FakeAnswers : public v1::AnswerService::Service {
 public:
  explicit FakeAnswers(FakeState* state) : state_(state) {}
  grpc::Status Ask(grpc::ServerContext*, const v1::AskRequest* request,
                   grpc::ServerWriter<v1::AskResponse>* writer) override {
    state_->asked = *request;
    v1::AskResponse event;
    for (const v1::Passage& passage : state_->passages) {
      *event.mutable_evidence()->add_passages() = passage;
    }
    writer->Write(event);
    for (const std::string& token : state_->tokens) {
      event.set_token(token);
      writer->Write(event);
    }
    *event.mutable_final() = state_->final;
    writer->Write(event);
    return grpc::Status::OK;
  }

 private:
  FakeState* const state_;
};

class FakeCollections : public v1::CollectionService::Service {
 public:
  grpc::Status CreateCollection(grpc::ServerContext*, const v1::CreateCollectionRequest* request,
                                v1::CreateCollectionResponse* response) override {
    response->mutable_collection()->set_name(request->name());
    return grpc::Status::OK;
  }
  grpc::Status ListCollections(grpc::ServerContext*, const v1::ListCollectionsRequest*,
                               v1::ListCollectionsResponse* response) override {
    response->add_collections()->set_name("manuals");
    return grpc::Status::OK;
  }
  grpc::Status GetCollection(grpc::ServerContext*, const v1::GetCollectionRequest* request,
                             v1::GetCollectionResponse* response) override {
    response->mutable_collection()->set_name(request->name());
    response->mutable_collection()->set_index("flat: few vectors");
    return grpc::Status::OK;
  }
  grpc::Status AlterCollection(grpc::ServerContext*, const v1::AlterCollectionRequest* request,
                               v1::AlterCollectionResponse* response) override {
    response->mutable_collection()->set_name(request->name());
    response->mutable_collection()->set_default_mode(request->default_mode());
    if (request->has_unrelated_cosine()) {
      response->mutable_collection()->set_unrelated_cosine(request->unrelated_cosine());
    }
    return grpc::Status::OK;
  }
  grpc::Status DeleteCollection(grpc::ServerContext*, const v1::DeleteCollectionRequest*,
                                v1::DeleteCollectionResponse* response) override {
    response->set_documents_deleted(3);
    return grpc::Status::OK;
  }
};

class FakeJobs : public v1::JobService::Service {
 public:
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest*,
                        v1::ListJobsResponse* response) override {
    response->add_jobs()->set_id("j1");
    // The same token for ever: a defect that must not hang the client.
    response->set_next_page_token("again");
    return grpc::Status::OK;
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override {
    response->mutable_job()->set_id(request->id());
    response->mutable_job()->set_state(v1::JOB_STATE_FAILED);
    response->mutable_job()->mutable_error()->set_code(3);
    response->mutable_job()->mutable_error()->set_reason("NOT_PDF");
    return grpc::Status::OK;
  }
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    response->mutable_job()->set_id(request->id());
    response->mutable_job()->set_state(v1::JOB_STATE_CANCELLED);
    return grpc::Status::OK;
  }
};

class FakeModels : public v1::ModelService::Service {
 public:
  explicit FakeModels(FakeState* state) : state_(state) {}
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    response->add_models()->set_name("minilm");
    return grpc::Status::OK;
  }
  grpc::Status ImportModel(grpc::ServerContext*, const v1::ImportModelRequest* request,
                           grpc::ServerWriter<v1::ImportModelResponse>* writer) override {
    state_->imported = *request;
    v1::ImportModelResponse event;
    event.set_progress("reading");
    writer->Write(event);
    event.mutable_model()->set_name("minilm");
    writer->Write(event);
    return grpc::Status::OK;
  }
  grpc::Status RemoveModel(grpc::ServerContext*, const v1::RemoveModelRequest* request,
                           v1::RemoveModelResponse*) override {
    return FakeError(grpc::FAILED_PRECONDITION, "MODEL_IN_USE", request->name() + " is in use");
  }

 private:
  FakeState* const state_;
};

// All of the above on a Unix socket.
class FakeServer : public Server {
 public:
  FakeServer(FakeState* state, const std::filesystem::path& folder)
      : target_("unix:" + (folder / "api.sock").string()),
        documents_(state),
        search_(state),
        answers_(state),
        models_(state) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(target_, grpc::InsecureServerCredentials());
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &documents_, &search_, &answers_, &collections_, &jobs_, &models_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() override { Shutdown(); }

  std::string socket_target() const override { return target_; }
  std::string tcp_address() const override { return "127.0.0.1:7420"; }
  bool Idle() const override { return true; }
  void Shutdown() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

 private:
  const std::string target_;
  FakeDocuments documents_;
  FakeSearch search_;
  FakeAnswers answers_;
  FakeCollections collections_;
  FakeJobs jobs_;
  FakeModels models_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace ragstone::services::cli
