// Covers what search.cc, answer.cc, documents.cc and collections.cc do with filters, metadata and
// the settings of collections.
#include <gtest/gtest.h>

#include <set>

#include "services/handlers/convert.h"
#include "tests/testing/app_fixture.h"

namespace ragstone::services {
namespace {

class AppFilter : public testing::AppFixture {
 protected:
  std::string AddWith(const std::string& source, const std::string& bytes,
                      const index::Metadata& metadata) {
    v1::AddDocumentStart start;
    start.set_source(source);
    start.set_create_collection(true);
    ToMessage(metadata, start.mutable_metadata());
    const Added added = AddStart(start, bytes);
    EXPECT_TRUE(added.status.ok()) << added.status.ToString();
    return added.document_id;
  }
  void AddAll() {
    lease_ = AddWith("lease.txt", "The warranty of the lease lasts one year.",
                     {{"year", int64_t{2021}}, {"lang", "en"}});
    manual_ = AddWith("manual.txt", "The warranty of the pump lasts two years.",
                      {{"year", int64_t{2015}}, {"tags", std::vector<std::string>{"pump", "old"}}});
    AddWith("other.txt", "The warranty of the door lasts three years.", {});
  }
  std::set<std::string> Paths(const std::string& filter, v1::SearchMode mode) {
    v1::SearchRequest request;
    request.set_query("warranty");
    request.set_mode(mode);
    request.mutable_filter()->set_expression(filter);
    const auto found = app_->Search(request, CallContext());
    EXPECT_TRUE(found.ok()) << filter << ": " << found.status().ToString();
    std::set<std::string> paths;
    if (found.ok()) {
      for (const v1::Passage& passage : found->passages()) paths.insert(passage.path());
    }
    return paths;
  }
  std::string lease_, manual_;
};

using Names = std::set<std::string>;

TEST_F(AppFilter, SearchesFindOnlyWhatTheFilterHoldsFor) {
  AddAll();
  for (const v1::SearchMode mode :
       {v1::SEARCH_MODE_HYBRID, v1::SEARCH_MODE_VECTOR, v1::SEARCH_MODE_KEYWORD}) {
    EXPECT_EQ(Paths("year >= 2020 and lang in (\"en\", \"de\")", mode), Names{"lease.txt"});
    EXPECT_EQ(Paths("tags = \"pump\" and type = \"text\"", mode), Names{"manual.txt"});
    EXPECT_EQ(Paths("not year exists", mode), Names{"other.txt"});
    EXPECT_EQ(Paths("has_id (\"" + manual_ + "\")", mode), Names{"manual.txt"});
    EXPECT_EQ(Paths("page = 1", mode).size(), 3u);
    EXPECT_EQ(Paths("false", mode), Names());
  }
}

TEST_F(AppFilter, QuestionsAreAnsweredFromWhatTheFilterHoldsFor) {
  AddAll();
  v1::AskRequest request;
  request.set_question("How long does the warranty last?");
  request.mutable_filter()->set_expression("year < 2020");
  const Asked asked = AskQuestion(request);
  ASSERT_TRUE(asked.status.ok()) << asked.status.ToString();
  ASSERT_EQ(asked.events.front().evidence().passages_size(), 1);
  EXPECT_EQ(asked.events.front().evidence().passages(0).path(), "manual.txt");
  request.mutable_filter()->set_expression("year <");
  EXPECT_EQ(AskQuestion(request).status.reason(), Reason::kFilterInvalid);
}

TEST_F(AppFilter, DocumentsAreListedByAFilterInPages) {
  AddAll();
  v1::ListDocumentsRequest request;
  request.mutable_filter()->set_expression("file prefix \"l\" or not year exists");
  request.set_page_size(1);
  const auto first = app_->ListDocuments(request, CallContext());
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  ASSERT_EQ(first->documents_size(), 1);
  EXPECT_EQ(first->documents(0).path(), "lease.txt");
  request.set_page_token(first->next_page_token());
  const auto second = app_->ListDocuments(request, CallContext());
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->documents_size(), 1);
  EXPECT_EQ(second->documents(0).path(), "other.txt");
  EXPECT_TRUE(second->next_page_token().empty());
}

TEST_F(AppFilter, BadFiltersSayWhere) {
  AddAll();
  const auto refused = [&](const std::string& filter) {
    v1::SearchRequest request;
    request.set_query("warranty");
    request.mutable_filter()->set_expression(filter);
    const Status status = app_->Search(request, CallContext()).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << filter;
    EXPECT_EQ(status.reason(), Reason::kFilterInvalid) << filter;
    return status.message();
  };
  EXPECT_NE(refused("year >= and lang").find("column 9"), std::string::npos);
  EXPECT_NE(refused("yaer = 2020").find("did you mean \"year\"?"), std::string::npos);
  EXPECT_NE(refused("year = \"x\"").find("column 8"), std::string::npos);
  EXPECT_NE(refused("has_id (\"17\")").find("doc-12"), std::string::npos);
}

TEST_F(AppFilter, AlteredMetadataCountsAtOnce) {
  AddAll();
  EXPECT_EQ(Paths("year = 2021", v1::SEARCH_MODE_HYBRID), Names{"lease.txt"});
  v1::UpdateDocumentMetadataRequest update;
  update.set_id(manual_);
  ToMessage(index::Metadata{{"year", int64_t{2021}}}, update.mutable_metadata());
  ASSERT_TRUE(app_->UpdateDocumentMetadata(update, CallContext()).ok());
  EXPECT_EQ(Paths("year = 2021", v1::SEARCH_MODE_HYBRID), (Names{"lease.txt", "manual.txt"}));
  // The same content with other metadata: nothing is embedded again.
  AddWith("lease.txt", "The warranty of the lease lasts one year.", {{"year", int64_t{1999}}});
  EXPECT_EQ(Paths("year < 2000", v1::SEARCH_MODE_HYBRID), Names{"lease.txt"});
}

TEST_F(AppFilter, CollectionsKeepLanguageAndSettings) {
  v1::CreateCollectionRequest create;
  create.set_name("a");
  create.set_language("xx");
  EXPECT_EQ(app_->CreateCollection(create, CallContext()).status().code(),
            StatusCode::kInvalidArgument);
  create.set_language("de");
  create.set_default_mode(v1::SEARCH_MODE_KEYWORD);
  const auto created = app_->CreateCollection(create, CallContext());
  ASSERT_TRUE(created.ok()) << created.status().ToString();
  EXPECT_EQ(created->collection().language(), "de");
  EXPECT_EQ(created->collection().default_mode(), v1::SEARCH_MODE_KEYWORD);
  EXPECT_FALSE(created->collection().has_unrelated_cosine());

  v1::AlterCollectionRequest alter;
  alter.set_name("a");
  alter.set_unrelated_cosine(0.7);
  const auto altered = app_->AlterCollection(alter, CallContext());
  ASSERT_TRUE(altered.ok()) << altered.status().ToString();
  EXPECT_EQ(altered->collection().default_mode(), v1::SEARCH_MODE_KEYWORD) << "was not named";
  EXPECT_EQ(altered->collection().unrelated_cosine(), 0.7);
  alter.set_measured_unrelated_cosine(true);
  EXPECT_EQ(app_->AlterCollection(alter, CallContext()).status().code(),
            StatusCode::kInvalidArgument);
  alter.clear_unrelated_cosine();
  alter.set_default_mode(v1::SEARCH_MODE_VECTOR);
  alter.set_request_id("r");
  ASSERT_TRUE(app_->AlterCollection(alter, CallContext()).ok());
  Open();
  v1::GetCollectionRequest get;
  get.set_name("a");
  const auto again = app_->GetCollection(get, CallContext());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->collection().language(), "de");
  EXPECT_EQ(again->collection().default_mode(), v1::SEARCH_MODE_VECTOR);
  EXPECT_FALSE(again->collection().has_unrelated_cosine());
  EXPECT_TRUE(app_->AlterCollection(alter, CallContext()).ok()) << "the same request";
  alter.set_name("missing");
  alter.clear_request_id();
  EXPECT_EQ(app_->AlterCollection(alter, CallContext()).status().reason(),
            Reason::kCollectionNotFound);
}

TEST_F(AppFilter, TheCollectionsModeIsThatOfRequestsThatNameNone) {
  AddAll();
  v1::AlterCollectionRequest alter;
  alter.set_name("default");
  alter.set_default_mode(v1::SEARCH_MODE_KEYWORD);
  ASSERT_TRUE(app_->AlterCollection(alter, CallContext()).ok());
  const auto words = SearchFor("warranty", v1::SEARCH_MODE_UNSPECIFIED);
  ASSERT_TRUE(words.ok());
  ASSERT_GE(words->passages_size(), 1);
  EXPECT_EQ(words->passages(0).vector_score(), 0);
  const auto both = SearchFor("warranty", v1::SEARCH_MODE_HYBRID);
  ASSERT_TRUE(both.ok());
  EXPECT_NE(both->passages(0).vector_score(), 0);
}

}  // namespace
}  // namespace ragstone::services
