// Covers search.cc, answer.cc, collections.cc, models.cc, admin.cc, app.cc and model_registry.cc.
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/testing/app_fixture.h"

namespace ragstone::services {
namespace {

class AppSearch : public testing::AppFixture {
 protected:
  void AddManual() {
    const Added added = Add("manual.pdf", testing::FakePdf({
                                              "The pump is blue.\nIts pressure is twelve bar.",
                                              "The warranty lasts five years.",
                                          }));
    ASSERT_TRUE(added.status.ok()) << added.status.ToString();
    document_ = added.document_id;
  }
  std::string document_;
};

TEST_F(AppSearch, BadQueriesHaveTheirReasons) {
  EXPECT_EQ(SearchFor("x", v1::SEARCH_MODE_HYBRID).status().reason(), Reason::kCollectionNotFound);
  AddManual();
  EXPECT_EQ(SearchFor(" \n", v1::SEARCH_MODE_HYBRID).status().reason(), Reason::kEmptyQuery);
  EXPECT_EQ(SearchFor(std::string(40'000, 'x'), v1::SEARCH_MODE_KEYWORD).status().reason(),
            Reason::kQueryTooLong);
  std::string longer;
  for (int i = 0; i < 400; ++i) longer += "word ";
  EXPECT_EQ(SearchFor(longer, v1::SEARCH_MODE_VECTOR).status().reason(), Reason::kQueryTooLong);
  v1::SearchRequest request;
  request.set_query("pump");
  request.mutable_filter()->set_expression("year > 2000");  // no document has a year
  EXPECT_EQ(app_->Search(request, CallContext()).status().reason(), Reason::kFilterInvalid);
  request.Clear();
  request.set_query("pump");
  request.set_top_k(1001);
  EXPECT_EQ(app_->Search(request, CallContext()).status().reason(), Reason::kInvalidArgument);
}

TEST_F(AppSearch, PassagesNamePageAndPlace) {
  AddManual();
  const auto found = SearchFor("warranty years", v1::SEARCH_MODE_HYBRID);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  ASSERT_GE(found->passages_size(), 1);
  EXPECT_LE(found->passages(0).page(), 2u);
  EXPECT_EQ(found->passages(0).page_end(), 2u);
  EXPECT_EQ(found->passages(0).line(), 0u);
  EXPECT_TRUE(found->timings().ms().contains("embed"));
  EXPECT_TRUE(found->timings().ms().contains("search"));
}

TEST_F(AppSearch, AnAnswerCitesTextThatStandsInTheDocument) {
  AddManual();
  v1::AskRequest request;
  request.set_question("How long does the warranty last?");
  settings_ = home_.settings();
  settings_->confidence_min = 0;  // the fake models know nothing of confidence
  Open();
  const Asked asked = AskQuestion(request);
  ASSERT_TRUE(asked.status.ok()) << asked.status.ToString();
  ASSERT_GE(asked.events.size(), 2u);
  EXPECT_TRUE(asked.events.front().has_evidence());
  const v1::AskFinal answer = asked.final();
  std::string streamed;
  for (const v1::AskResponse& event : asked.events) streamed += event.token();
  EXPECT_EQ(streamed, answer.answer());
  EXPECT_TRUE(answer.answered());
  ASSERT_GE(answer.citations_size(), 1);
  for (const v1::Citation& citation : answer.citations()) {
    EXPECT_NE(answer.answer().find("[" + std::to_string(citation.n()) + "]"), std::string::npos);
    EXPECT_GE(citation.boxes_size(), 1);
    v1::GetDocumentPageRequest page;
    page.set_id(citation.document_id());
    page.set_page(citation.page());
    const auto text = app_->GetDocumentPage(page, CallContext());
    ASSERT_TRUE(text.ok());
    EXPECT_NE(text->text().find(citation.quote()), std::string::npos) << citation.quote();
  }
  EXPECT_EQ(answer.model(), "fake-generator");
}

TEST_F(AppSearch, ALoneQuestionIsAnsweredTheSameWayEveryTime) {
  AddManual();
  v1::AskRequest request;
  request.set_question("What pressure does the pump have?");
  const v1::AskFinal first = AskQuestion(request).final();
  const v1::AskFinal second = AskQuestion(request).final();
  EXPECT_EQ(first.answer(), second.answer());
  EXPECT_EQ(first.fingerprint(), second.fingerprint());
}

TEST_F(AppSearch, NothingFoundIsANormalAnswer) {
  ASSERT_TRUE(app_->CreateCollection(
                      [] {
                        v1::CreateCollectionRequest request;
                        request.set_name("empty");
                        return request;
                      }(),
                      CallContext())
                  .ok());
  v1::AskRequest request;
  request.set_collection("empty");
  request.set_question("What is the boiling point of tin?");
  const Asked asked = AskQuestion(request);
  ASSERT_TRUE(asked.status.ok()) << asked.status.ToString();
  EXPECT_FALSE(asked.final().answered());
  EXPECT_FALSE(asked.final().answer().empty());
  EXPECT_EQ(asked.final().citations_size(), 0);
}

TEST_F(AppSearch, AttachmentsAreAskedAlone) {
  AddManual();
  const Added attached = Add("x.txt", "The warranty lasts ninety days.", ".attachments");
  ASSERT_TRUE(attached.status.ok());
  Add("y.txt", "The warranty lasts forever.", ".attachments");
  v1::AskRequest request;
  request.set_question("How long does the warranty last?");
  request.add_attachments(attached.document_id);
  const Asked asked = AskQuestion(request);
  ASSERT_TRUE(asked.status.ok()) << asked.status.ToString();
  for (const v1::Passage& passage : asked.events.front().evidence().passages()) {
    EXPECT_EQ(passage.path(), "x.txt");
  }
  request.set_attachments(0, "doc-9999");
  EXPECT_EQ(AskQuestion(request).status.reason(), Reason::kDocumentNotFound);
}

TEST_F(AppSearch, CollectionsAreMadeShownListedAndDeleted) {
  v1::CreateCollectionRequest create;
  create.set_name("one");
  create.set_request_id("r");
  ASSERT_TRUE(app_->CreateCollection(create, CallContext()).ok());
  EXPECT_TRUE(app_->CreateCollection(create, CallContext()).ok());  // the same request
  create.clear_request_id();
  EXPECT_EQ(app_->CreateCollection(create, CallContext()).status().reason(),
            Reason::kCollectionExists);
  create.set_name("../x");
  EXPECT_EQ(app_->CreateCollection(create, CallContext()).status().reason(),
            Reason::kCollectionNameInvalid);
  create.set_name("two");
  create.set_embedding_model("none");
  EXPECT_EQ(app_->CreateCollection(create, CallContext()).status().reason(),
            Reason::kModelNotFound);
  Add("a.txt", "Some text.", "two");
  v1::ListCollectionsRequest list;
  list.set_page_size(1);
  const auto first = app_->ListCollections(list, CallContext());
  ASSERT_EQ(first->collections_size(), 1);
  EXPECT_EQ(first->collections(0).name(), "one");
  list.set_page_token(first->next_page_token());
  EXPECT_EQ(app_->ListCollections(list, CallContext())->collections(0).documents(), 1u);
  v1::DeleteCollectionRequest remove;
  remove.set_name("two");
  EXPECT_EQ(app_->DeleteCollection(remove, CallContext())->documents_deleted(), 1u);
  EXPECT_EQ(SearchFor("text", v1::SEARCH_MODE_HYBRID, "two").status().reason(),
            Reason::kCollectionNotFound);
}

TEST_F(AppSearch, ModelsAreImportedListedAndRemoved) {
  const auto folder = home_.dir() / "new-model";
  ASSERT_TRUE(CreateDirectories(folder).ok());
  ASSERT_TRUE(WriteFileAtomically(folder / "model.safetensors", "weights").ok());
  ASSERT_TRUE(WriteFileAtomically(folder / "tokenizer.json", testing::FakeTokenizerJson()).ok());
  CallContext owner;
  owner.set_trusted_local(true);
  const auto import = [&](const v1::ImportModelRequest& request) {
    return app_->ImportModel(
        request, [](const auto&) { return OkStatus(); }, owner);
  };
  v1::ImportModelRequest request;
  request.set_path(folder.string());
  ASSERT_TRUE(import(request).ok());
  EXPECT_EQ(import(request).reason(), Reason::kModelExists);
  EXPECT_EQ(app_->ListModels({}, CallContext())->models_size(), 3);
  request.set_name("checked");
  request.set_sha256(std::string(64, '0'));
  EXPECT_EQ(import(request).reason(), Reason::kModelCorrupt);
  request.Clear();
  request.set_path((home_.dir() / "none").string());
  EXPECT_EQ(import(request).reason(), Reason::kFileNotFound);
  ASSERT_TRUE(WriteFileAtomically(home_.dir() / "broken.gguf", "GGUF").ok());
  request.set_path((home_.dir() / "broken.gguf").string());
  EXPECT_EQ(import(request).reason(), Reason::kModelCorrupt);
  request.Clear();
  request.set_path(folder.string());
  request.set_name("quick");
  request.set_int8(true);
  ASSERT_TRUE(import(request).ok());
  const auto models = app_->ListModels({}, CallContext());
  for (const v1::Model& model : models->models()) EXPECT_EQ(model.int8(), model.name() == "quick");
  v1::RemoveModelRequest remove;
  remove.set_name("new-model");
  EXPECT_TRUE(app_->RemoveModel(remove, CallContext()).ok());
  EXPECT_EQ(app_->RemoveModel(remove, CallContext()).status().reason(), Reason::kModelNotFound);
  AddManual();
  remove.set_name("fake-embedder");
  EXPECT_EQ(app_->RemoveModel(remove, CallContext()).status().reason(), Reason::kModelInUse);
}

TEST_F(AppSearch, ADamagedModelIsNamed) {
  ASSERT_TRUE(
      WriteFileAtomically(home_.dir() / "models" / "fake-embedder" / "model.gguf", "bad").ok());
  const Added added = Add("a.txt", "Some text.");
  EXPECT_EQ(added.status.reason(), Reason::kModelCorrupt) << added.status.ToString();
}

TEST_F(AppSearch, StatusTellsCountersAndWorkers) {
  AddManual();
  const auto status = app_->GetStatus({}, CallContext());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->counters().at("add.requests"), 1u);
  EXPECT_EQ(status->workers_size(), 1);
  EXPECT_GT(status->rss_bytes(), 0u);
  EXPECT_EQ(status->jobs_active(), 0u);
}

}  // namespace
}  // namespace ragstone::services
