// Covers searcher.cc.
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "index/internal/searcher.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class SearchTest : public testing::Test {
 protected:
  void SetUp() override {
    Reopen();
    collection_ = database_->CreateCollection(TestSpec("a"), Batch())->id;
    for (uint64_t i = 0; i < 20; ++i) {
      std::vector<std::string> texts;
      for (int j = 0; j < 5; ++j) {
        texts.push_back("word" + std::to_string(i) + " item" + std::to_string(j) + " all");
      }
      const auto info =
          PutDocument(database_.get(), collection_, {std::to_string(i), texts, 100 * i});
      ASSERT_TRUE(info.ok()) << info.status().ToString();
      documents_.push_back(info->id);
    }
  }
  void Reopen() {
    database_.reset();
    database_ = OpenDatabase(folder_.path());
  }
  SearchRequest Request(SearchMode mode, const std::string& text, uint64_t seed) {
    vector_ = UnitVector(seed);
    text_ = text;
    SearchRequest request;
    request.mode = mode;
    request.text = text_;
    request.vector = vector_;
    return request;
  }
  std::vector<SearchHit> Search(const SearchRequest& request) {
    const auto hits = database_->Search(collection_, request, CallContext());
    EXPECT_TRUE(hits.ok()) << hits.status().ToString();
    return hits.ok() ? *hits : std::vector<SearchHit>();
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
  CollectionId collection_ = 0;
  std::vector<DocumentId> documents_;
  std::vector<float> vector_;
  std::string text_;
};

TEST_F(SearchTest, HybridHitsCarryBothExactScores) {
  SearchRequest request = Request(SearchMode::kHybrid, "word7 item2", 302);
  const std::vector<SearchHit> hybrid = Search(request);
  ASSERT_EQ(hybrid.size(), 10u);
  request.top_k = 1000;
  request.mode = SearchMode::kVector;
  std::map<ChunkId, double> vectors;
  for (const SearchHit& hit : Search(request)) vectors[hit.chunk] = hit.score;
  request.mode = SearchMode::kKeyword;
  std::map<ChunkId, double> keywords;
  for (const SearchHit& hit : Search(request)) keywords[hit.chunk] = hit.score;
  for (const SearchHit& hit : hybrid) {
    EXPECT_NEAR(hit.vector_score, vectors.at(hit.chunk), 1e-6);
    EXPECT_NEAR(hit.keyword_score, keywords.count(hit.chunk) ? keywords[hit.chunk] : 0, 1e-9);
  }
  for (size_t i = 1; i < hybrid.size(); ++i) EXPECT_GE(hybrid[i - 1].score, hybrid[i].score);
}

TEST_F(SearchTest, RestrictedSearchReturnsAllChunksOfTheDocuments) {
  for (const bool loaded : {false, true}) {
    Reopen();
    if (loaded) Search(Request(SearchMode::kVector, "", 1));
    SearchRequest request = Request(SearchMode::kVector, "word3", 302);
    request.documents = {documents_[7], documents_[3], documents_[7], 987654};
    request.top_k = 100;
    for (const SearchMode mode : {SearchMode::kVector, SearchMode::kHybrid}) {
      request.mode = mode;
      const std::vector<SearchHit> hits = Search(request);
      EXPECT_EQ(hits.size(), 10u) << "loaded: " << loaded;
      std::set<ChunkId> unique;
      for (const SearchHit& hit : hits) {
        EXPECT_TRUE(hit.document == documents_[3] || hit.document == documents_[7]);
        unique.insert(hit.chunk);
      }
      EXPECT_EQ(unique.size(), hits.size());
      EXPECT_EQ(hits[0].document, documents_[3]);
    }
    request.mode = SearchMode::kKeyword;
    EXPECT_EQ(Search(request).size(), 5u);
    request.text = "word5";
    EXPECT_TRUE(Search(request).empty());
    request.documents = std::vector<DocumentId>();
    request.mode = SearchMode::kHybrid;
    EXPECT_TRUE(Search(request).empty());
  }
}

TEST_F(SearchTest, SearchAgreesBeforeAndAfterReopen) {
  const std::vector<SearchHit> before = Search(Request(SearchMode::kHybrid, "word7 all", 302));
  Reopen();
  const std::vector<SearchHit> after = Search(Request(SearchMode::kHybrid, "word7 all", 302));
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].chunk, after[i].chunk);
    EXPECT_EQ(before[i].score, after[i].score);
  }
}

TEST_F(SearchTest, TopKIsHonouredAndBounded) {
  SearchRequest request = Request(SearchMode::kHybrid, "all", 1);
  request.top_k = 7;
  EXPECT_EQ(Search(request).size(), 7u);
  request.top_k = 0;
  EXPECT_TRUE(Search(request).empty());
  request.top_k = 10'001;
  EXPECT_EQ(database_->Search(collection_, request, CallContext()).status().reason(),
            Reason::kLimitExceeded);
}

TEST_F(SearchTest, CancelledAndLateSearchesSaySo) {
  auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  const SearchRequest request = Request(SearchMode::kHybrid, "all", 1);
  EXPECT_EQ(
      database_->Search(collection_, request, CallContext(CallContext::TimePoint::max(), flag))
          .status()
          .code(),
      StatusCode::kCancelled);
  const CallContext late(std::chrono::steady_clock::now() - std::chrono::seconds(1),
                         std::make_shared<CancelFlag>());
  EXPECT_EQ(database_->Search(collection_, request, late).status().code(),
            StatusCode::kDeadlineExceeded);
}

TEST_F(SearchTest, EmptyCollectionHasNoHits) {
  const CollectionId empty = database_->CreateCollection(TestSpec("empty"), Batch())->id;
  const auto hits = database_->Search(empty, Request(SearchMode::kHybrid, "all", 1), CallContext());
  ASSERT_TRUE(hits.ok());
  EXPECT_TRUE(hits->empty());
  EXPECT_EQ((*database_->TermWeights(empty, "word"))[0].first, "word");
}

}  // namespace
}  // namespace ragstone::index
