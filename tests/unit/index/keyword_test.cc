// Covers keyword.cc and keyword_merger.cc.
#include "index/internal/keyword.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class KeywordTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = OpenDatabase(folder_.path());
    collection_ = database_->CreateCollection(TestSpec("a"), Batch())->id;
  }
  DocumentId Put(const std::string& source, const std::vector<std::string>& texts) {
    const Result<DocumentInfo> info = PutDocument(database_.get(), collection_, {source, texts, 1});
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return info->id;
  }
  std::vector<SearchHit> Search(const std::string& text, size_t top_k = 10) {
    SearchRequest request;
    request.mode = SearchMode::kKeyword;
    request.text = text;
    request.top_k = static_cast<uint32_t>(top_k);
    const auto hits = database_->Search(collection_, request, CallContext());
    EXPECT_TRUE(hits.ok()) << hits.status().ToString();
    return hits.ok() ? *hits : std::vector<SearchHit>();
  }
  double Weight(const std::string& word) {
    const auto weights = database_->TermWeights(collection_, word);
    EXPECT_TRUE(weights.ok());
    return weights->size() == 1 ? (*weights)[0].second : -1;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
  CollectionId collection_ = 0;
};

// BM25 by its definition, over texts with the test's heading "Heading" as a first word.
double Bm25ByHand(double tf, double df, double chunks, double length, double length_mean) {
  const double idf = std::log(1 + (chunks - df + 0.5) / (df + 0.5));
  return idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / length_mean));
}

TEST_F(KeywordTest, ScoreIsBm25) {
  Put("x", {"apple apple pear", "pear", "plum plum plum"});
  // Lengths with the heading: 4, 2, 4.
  const std::vector<SearchHit> hits = Search("apple pear");
  ASSERT_EQ(hits.size(), 2u);
  const double mean = 10.0 / 3;
  EXPECT_NEAR(hits[0].score, Bm25ByHand(2, 1, 3, 4, mean) + Bm25ByHand(1, 2, 3, 4, mean), 1e-9);
  EXPECT_NEAR(hits[1].score, Bm25ByHand(1, 2, 3, 2, mean), 1e-9);
  EXPECT_EQ(hits[0].keyword_score, hits[0].score);
}

TEST_F(KeywordTest, StatisticsAreRightAfterDeletesAndReopen) {
  Put("x", {"apple", "pear"});
  const double before = Weight("apple");
  const std::vector<SearchHit> hits_before = Search("apple");
  const DocumentId other = Put("y", {"apple", "apple plum", "fig"});
  EXPECT_LT(Weight("apple"), before);
  ASSERT_TRUE(database_->DeleteDocument(collection_, other, Batch()).ok());
  EXPECT_EQ(Weight("apple"), before);
  database_.reset();
  database_ = OpenDatabase(folder_.path());
  EXPECT_EQ(Weight("apple"), before);
  const std::vector<SearchHit> hits = Search("apple");
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].score, hits_before[0].score);
}

TEST_F(KeywordTest, TermWeightsFollowTheTextAndRareWordsWeighMore) {
  std::vector<std::string> texts(20, "common words");
  texts[3] += " zebra";
  Put("x", texts);
  const auto weights = database_->TermWeights(collection_, "Common zebras unheard common");
  ASSERT_TRUE(weights.ok());
  ASSERT_EQ(weights->size(), 4u);
  EXPECT_EQ((*weights)[0].first, "common");
  EXPECT_EQ((*weights)[1].first, "zebras");
  EXPECT_LT((*weights)[0].second, (*weights)[1].second);
  EXPECT_LT((*weights)[1].second, (*weights)[2].second);
  EXPECT_EQ((*weights)[0].second, (*weights)[3].second);
}

TEST_F(KeywordTest, HeadingIsSearchedAndWholeIdsRankFirst) {
  Put("x", {"error 4012 and err", "see ERR-4012 there", "nothing"});
  EXPECT_EQ(Search("heading").size(), 3u);
  const std::vector<SearchHit> hits = Search("err-4012");
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_GT(hits[0].score, hits[1].score);
  const auto chunks = database_->GetChunks(collection_, std::vector<ChunkId>{hits[0].chunk});
  EXPECT_EQ((*chunks)[0].text, "see ERR-4012 there");
}

TEST_F(KeywordTest, LongListsSpanningManyBatchesAreWhole) {
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) texts.push_back("shared w" + std::to_string(i));
  Put("x", texts);
  Put("y", {"shared"});
  EXPECT_EQ(Search("shared", 1000).size(), 701u);
  EXPECT_EQ(Search("w699").size(), 1u);
  EXPECT_TRUE(Search("absent").empty());
  EXPECT_TRUE(Search("").empty());
}

TEST_F(KeywordTest, ManyCommitsAreMergedInTheBackground) {
  for (int i = 0; i < 60; ++i) Put("x" + std::to_string(i), {"shared word" + std::to_string(i)});
  EXPECT_EQ(Search("shared", 100).size(), 60u);
  Core& core = static_cast<DatabaseImpl*>(database_.get())->core();
  const std::shared_ptr<Collection> collection = *core.Find(collection_);
  // Nothing but the merging of the last commits is left to wait for.
  while (collection->keywords().segments() >= 8) usleep(1000);
  EXPECT_EQ(Search("shared", 100).size(), 60u);
  EXPECT_EQ(Search("word59").size(), 1u);
  database_.reset();
  database_ = OpenDatabase(folder_.path());
  EXPECT_EQ(Search("shared", 100).size(), 60u);
}

TEST_F(KeywordTest, MergedRowsOfDeletedDocumentsGoWithoutAnotherCommit) {
  EXPECT_TRUE(Search("shared").empty());  // loads the index
  std::vector<DocumentId> documents;
  for (int i = 0; i < 30; ++i) {
    documents.push_back(Put("x" + std::to_string(i), {"shared word" + std::to_string(i)}));
  }
  Core& core = static_cast<DatabaseImpl*>(database_.get())->core();
  const std::shared_ptr<Collection> collection = *core.Find(collection_);
  while (collection->keywords().segments() >= 8) usleep(1000);
  for (const DocumentId id : documents) {
    ASSERT_TRUE(database_->DeleteDocument(collection_, id, Batch()).ok());
  }
  EXPECT_TRUE(Search("shared").empty());
  constexpr int kWaitsMax = 60'000;
  for (int i = 0; i < kWaitsMax && CountKeys(database_.get(), Family::kPosting) > 0; ++i) {
    usleep(1000);
  }
  EXPECT_EQ(CountKeys(database_.get(), Family::kPosting), 0u);
  EXPECT_EQ(collection->keywords().segments(), 0u);
}

TEST_F(KeywordTest, RestrictedSearchFindsOnlyTheDocumentsGiven) {
  const DocumentId a = Put("x", {"apple pie", "apple"});
  Put("y", {"apple"});
  const DocumentId c = Put("z", {"apple tart", "pear"});
  SearchRequest request;
  request.mode = SearchMode::kKeyword;
  request.text = "apple";
  request.documents = {c, a, DocumentId{999}};
  const auto hits = database_->Search(collection_, request, CallContext());
  ASSERT_TRUE(hits.ok());
  ASSERT_EQ(hits->size(), 3u);
  for (const SearchHit& hit : *hits) EXPECT_TRUE(hit.document == a || hit.document == c);
}

TEST_F(KeywordTest, CollectionDroppedWhileMergingLeavesNothing) {
  for (int i = 0; i < 40; ++i) Put("x" + std::to_string(i), {"shared word" + std::to_string(i)});
  ASSERT_TRUE(database_->DeleteCollection("a", Batch()).ok());
  Clean(database_.get());
  EXPECT_EQ(CountKeys(database_.get(), Family::kPosting), 0u);
}

TEST_F(KeywordTest, AnIdleIndexBecomesOneSegment) {
  for (int i = 0; i < 6; ++i) Put(std::to_string(i), {"apple number" + std::to_string(i)});
  database_.reset();  // its own merger waits for longer
  DatabaseOptions options;
  options.dir = folder_.path();
  const auto core = Core::Open(options, Clock::System());
  ASSERT_TRUE(core.ok());
  const std::shared_ptr<Collection> collection = *(*core)->Find(collection_);
  ASSERT_TRUE(collection->EnsureVersions((*core)->store()).ok());
  const auto found = [&] {
    const Collection::Pin pin = collection->PinNow();
    KeywordRequest request;
    request.text = "apple";
    request.sequence = pin.sequence();
    request.limit = 10;
    return SearchKeywords((*core)->store(), *collection, request, CallContext())->top.size();
  };
  keywords::KeywordIndex& index = collection->keywords();
  EXPECT_FALSE(index.Scattered()) << "it is not loaded";
  EXPECT_EQ(found(), 6u);
  EXPECT_EQ(index.segments(), 6u);
  EXPECT_TRUE(index.Scattered());
  KeywordMerger merger(core->get(), std::chrono::milliseconds(20));
  merger.Start();
  while (index.segments() > 1) usleep(1000);
  EXPECT_EQ(found(), 6u);
  merger.Stop();
  EXPECT_FALSE(index.Scattered());
  EXPECT_EQ(merger.failures(), 0u);
}

TEST_F(KeywordTest, WordsAreStemmedByTheLanguageOfTheCollection) {
  for (const char* language : {"none", "de"}) {
    CollectionSpec spec = TestSpec(language);
    spec.language = language;
    collection_ = database_->CreateCollection(spec, Batch())->id;
    Put("x", {"die Verträge", "Vertrag"});
    EXPECT_EQ(Search("Vertrag").size(), spec.language == "none" ? 1u : 2u) << language;
  }
  database_.reset();
  database_ = OpenDatabase(folder_.path());
  EXPECT_EQ(database_->GetCollection("de")->spec.language, "de");
  EXPECT_EQ(database_->GetCollection("a")->spec.language, "auto");
  EXPECT_EQ(Search("Vertrag").size(), 2u);
  CollectionSpec unknown = TestSpec("unknown");
  unknown.language = "xx";
  EXPECT_EQ(database_->CreateCollection(unknown, Batch()).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ragstone::index
