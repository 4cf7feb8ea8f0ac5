#include "tests/testing/app_fixture.h"

namespace ragstone::testing {

void AppFixture::Open() {
  app_.reset();
  auto workers = std::make_unique<FakeWorkerPool>();
  workers_ = workers.get();
  auto app = services::App::Open(settings_.value_or(home_.settings()), std::move(workers),
                                 Clock::System());
  ASSERT_TRUE(app.ok()) << app.status().ToString();
  app_ = std::move(app).value();
}

AppFixture::Added AppFixture::Add(const std::string& source, const std::string& bytes,
                                  const std::string& collection) {
  v1::AddDocumentStart start;
  start.set_source(source);
  start.set_collection(collection);
  start.set_create_collection(true);
  return AddStart(start, bytes);
}

AppFixture::Added AppFixture::AddStart(const v1::AddDocumentStart& start, const std::string& bytes,
                                       const CallContext& context) {
  Added added;
  size_t sent = 0;
  bool started = false;
  const services::Reader<v1::AddDocumentRequest> read =
      [&]() -> Result<std::optional<v1::AddDocumentRequest>> {
    v1::AddDocumentRequest message;
    if (!started) {
      started = true;
      *message.mutable_start() = start;
      return std::optional(message);
    }
    if (sent >= bytes.size() || !start.path().empty()) {
      return std::optional<v1::AddDocumentRequest>();
    }
    message.set_data(bytes.substr(sent, 1000));
    sent += 1000;
    return std::optional(message);
  };
  const services::Writer<v1::AddDocumentResponse> write = [&](const v1::AddDocumentResponse& sent) {
    if (sent.has_accepted()) {
      added.job_id = sent.accepted().job_id();
      added.document_id = sent.accepted().document_id();
    }
    if (sent.has_finished()) added.finished = sent.finished();
    return OkStatus();
  };
  added.status = app_->AddDocument(read, write, context);
  return added;
}

AppFixture::Asked AppFixture::AskQuestion(const v1::AskRequest& request) {
  Asked asked;
  asked.status = app_->Ask(
      request,
      [&](const v1::AskResponse& event) {
        asked.events.push_back(event);
        return OkStatus();
      },
      CallContext());
  return asked;
}

Result<v1::SearchResponse> AppFixture::SearchFor(const std::string& query, v1::SearchMode mode,
                                                 const std::string& collection) {
  v1::SearchRequest request;
  request.set_query(query);
  request.set_mode(mode);
  request.set_collection(collection);
  return app_->Search(request, CallContext());
}

std::vector<v1::Document> AppFixture::Documents(const std::string& collection) {
  std::vector<v1::Document> documents;
  v1::ListDocumentsRequest request;
  request.set_collection(collection);
  request.set_page_size(2);
  for (;;) {
    const auto page = app_->ListDocuments(request, CallContext());
    if (!page.ok()) return documents;
    documents.insert(documents.end(), page->documents().begin(), page->documents().end());
    if (page->next_page_token().empty()) return documents;
    request.set_page_token(page->next_page_token());
  }
}

}  // namespace ragstone::testing
