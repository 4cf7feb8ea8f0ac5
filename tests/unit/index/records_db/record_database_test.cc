// Collections, writes and reads of RecordDatabase: what each does in plain cases. Covers
// record_collections.cc, record_collection.cc, record_reads.cc, record_reader.cc, record_filter.cc,
// record_search.cc, record_groups.cc, sparse_index.cc and text_search.cc.
#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

using RecordDatabaseTest = RecordsFixture;

Payload Of(std::string lang, int64_t year, bool draft = false) {
  return {{"lang", std::move(lang)}, {"year", year}, {"draft", draft}};
}

DenseVector Axis(size_t axis, float length = 1) {
  DenseVector vector(8, 0.0f);
  vector[axis] = length;
  return vector;
}

TEST_F(RecordDatabaseTest, CreatesDescribesListsAndDropsCollections) {
  Create();
  RecordCollectionSpec other = Spec();
  other.name = "d";
  Create(other);
  const auto info = records_->GetCollection("c");
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->spec.vectors, Spec().vectors);
  EXPECT_EQ(info->spec.schema, Spec().schema);
  EXPECT_EQ(info->records, 0u);
  const auto list = records_->ListCollections("c", 10);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ((*list)[0].spec.name, "d");
  ASSERT_TRUE(records_->DropCollection("c").ok());
  EXPECT_EQ(records_->GetCollection("c").status().reason(), Reason::kCollectionNotFound);
  Reopen();
  EXPECT_FALSE(records_->GetCollection("c").ok());
  EXPECT_TRUE(records_->GetCollection("d").ok());
}

TEST_F(RecordDatabaseTest, ADropRemovesEveryRow) {
  Create();
  Put({MakeRecord("a", Axis(0), {{"body", std::string("some words")}}), MakeRecord("b", Axis(1))},
      {"request", {}});
  Delete({"a"});
  ASSERT_TRUE(records_->DropCollection("c").ok());
  while (Rows(Family::kRecord) + Rows(Family::kRecordId) + Rows(Family::kRecordGone) +
             Rows(Family::kRecordRequest) + Rows(Family::kPosting) >
         0) {
    usleep(1000);
  }
  EXPECT_EQ(CountKeys(database_.get(), Family::kRecord), 0u);
}

TEST_F(RecordDatabaseTest, NamesAreSharedWithDocumentCollections) {
  Create();
  EXPECT_EQ(database_->CreateCollection(TestSpec("c"), Batch()).status().reason(),
            Reason::kCollectionExists);
  ASSERT_TRUE(database_->CreateCollection(TestSpec("documents"), Batch()).ok());
  RecordCollectionSpec spec = Spec();
  spec.name = "documents";
  EXPECT_EQ(records_->CreateCollection(spec).status().reason(), Reason::kCollectionExists);
  ASSERT_TRUE(records_->DropCollection("c").ok());
  EXPECT_TRUE(database_->CreateCollection(TestSpec("c"), Batch()).ok());
}

TEST_F(RecordDatabaseTest, GetReturnsWhatWasPutAlsoAfterReopening) {
  Create();
  const WriteResult put =
      Put({MakeRecord("a", Axis(0, 2), Of("en", 2020)), MakeRecord("b", Axis(1))});
  EXPECT_EQ(put.affected, 2u);
  for (int round = 0; round < 2; ++round) {
    ReadOptions options;
    options.vectors = true;
    const std::vector<Record> found = Get({"b", "none", "a"}, options);
    ASSERT_EQ(IdsOf(found), (std::vector<std::string>{"b", "a"}));
    EXPECT_EQ(found[1].payload, Of("en", 2020));
    EXPECT_EQ(std::get<DenseVector>(found[1].vectors.at("")), Axis(0, 2));
    EXPECT_EQ(found[1].version, put.version);
    options.payload = options.vectors = false;
    EXPECT_TRUE(Get({"a"}, options)[0].payload.empty());
    EXPECT_TRUE(Get({"a"}, options)[0].vectors.empty());
    Reopen();
  }
}

TEST_F(RecordDatabaseTest, AnUpsertReplacesTheWholeRecord) {
  Create();
  Put({MakeRecord("a", Axis(0), Of("en", 2020))});
  const WriteResult second = Put({MakeRecord("a", Axis(1), {{"lang", std::string("de")}})});
  const std::vector<Record> found = Get({"a"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].payload, (Payload{{"lang", std::string("de")}}));
  EXPECT_EQ(found[0].version, second.version);
  EXPECT_EQ(Count(), 1u);
  EXPECT_EQ(Count("year = 2020"), 0u);
  const std::vector<RecordHit> hits = Search(Nearest(Axis(1), 10));
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_NEAR(hits[0].score, 1.0, 1e-6);
}

TEST_F(RecordDatabaseTest, ScrollPagesThroughIdsInOrder) {
  Create();
  std::vector<Record> records;
  for (int i = 0; i < 50; ++i) {
    char id[16];
    snprintf(id, sizeof(id), "r%02d", i);
    records.push_back(MakeRecord(id, Axis(0), Of(i % 5 == 0 ? "de" : "en", i)));
  }
  std::shuffle(records.begin(), records.end(), std::mt19937_64(1));
  Put(std::move(records));
  std::vector<std::string> seen;
  for (std::string after;;) {
    const std::vector<Record> page = Scroll("", after, 7);
    if (page.empty()) break;
    for (const Record& record : page) seen.push_back(record.id);
    after = seen.back();
  }
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(IdsOf(Scroll("lang = \"de\"", "r05", 3)),
            (std::vector<std::string>{"r10", "r15", "r20"}));
  EXPECT_EQ(IdsOf(Scroll("year < 2")), (std::vector<std::string>{"r00", "r01"}));
  EXPECT_EQ(IdsOf(Scroll("year < 40", "r38", 9)), (std::vector<std::string>{"r39"}));
  EXPECT_TRUE(Scroll("", "", 0).empty());
}

TEST_F(RecordDatabaseTest, IdsMayHoldZeroBytesAndBeBeginningsOfOthers) {
  Create();
  const std::string zero("a\0b", 3);
  Put({MakeRecord("a", Axis(0)), MakeRecord(zero, Axis(1)), MakeRecord("ab", Axis(2))});
  EXPECT_EQ(IdsOf(Scroll()), (std::vector<std::string>{"a", zero, "ab"}));
  EXPECT_EQ(IdsOf(Get({zero})), (std::vector<std::string>{zero}));
  EXPECT_EQ(IdsOf(Scroll("", "a")), (std::vector<std::string>{zero, "ab"}));
  Delete({"a"});
  EXPECT_EQ(IdsOf(Scroll()), (std::vector<std::string>{zero, "ab"}));
}

TEST_F(RecordDatabaseTest, DeleteAndUpdateWorkByIdAndByFilter) {
  Create();
  Put({MakeRecord("a", Axis(0), Of("en", 1)), MakeRecord("b", Axis(1), Of("en", 2)),
       MakeRecord("c", Axis(2), Of("de", 3)), MakeRecord("d", Axis(3), Of("fr", 4))});
  EXPECT_EQ(Delete({"d", "none"}).affected, 1u);
  auto result = records_->Delete("c", Parsed("lang = \"en\" and year > 1"), {}, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->affected, 1u);
  EXPECT_EQ(IdsOf(Scroll()), (std::vector<std::string>{"a", "c"}));

  PayloadChange change;
  change.set = {{"year", int64_t{9}}, {"lang", std::monostate()}};
  result = records_->UpdatePayload("c", Parsed("year >= 1"), change, {}, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->affected, 2u);
  EXPECT_EQ(Get({"a"})[0].payload, (Payload{{"year", int64_t{9}}, {"draft", false}}));
  EXPECT_EQ(Get({"a"})[0].version, result->version);
  change.replace = true;
  change.set = {{"lang", std::string("it")}};
  result =
      records_->UpdatePayload("c", RecordSelector(std::vector<std::string>{"c"}), change, {}, {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(Get({"c"})[0].payload, (Payload{{"lang", std::string("it")}}));
  // Vectors stay.
  EXPECT_EQ(IdsOf(Search(Nearest(Axis(2), 1))), (std::vector<std::string>{"c"}));
  EXPECT_EQ(Count("year = 9"), 1u);
}

TEST_F(RecordDatabaseTest, FiltersFindIndexedPlainTextAndIdConditions) {
  Create();
  Payload first = Of("en", 1);
  first["note"] = std::string("left");
  first["body"] = std::string("a quick fox");
  first["tags"] = ScalarList{std::string("x"), std::string("y")};
  Put({MakeRecord("1", Axis(0), first), MakeRecord("2", Axis(1), Of("en", 2))});
  EXPECT_EQ(Count("note = \"left\""), 1u);
  EXPECT_EQ(Count("not (note = \"left\")"), 1u);
  EXPECT_EQ(Count("tags = \"y\""), 1u);
  EXPECT_EQ(Count("body contains \"quick\""), 1u);
  EXPECT_EQ(Count("lang in (\"en\", \"de\") and year >= 2"), 1u);
  const auto by_id = records_->Count("c", HasId({uint64_t{1}, std::string("3")}), {});
  ASSERT_TRUE(by_id.ok());
  EXPECT_EQ(*by_id, 1u);
  EXPECT_EQ(IdsOf(Search(Nearest(Axis(1), 5, "note = \"left\""))), (std::vector<std::string>{"1"}));
}

TEST_F(RecordDatabaseTest, ScoresAreThoseOfTheMetric) {
  struct Case {
    VectorMetric metric;
    double best;
    double second;
  };
  // Of (2, 0, …) against (1, 0, …) and (0, 1, …).
  for (const Case& c : {Case{VectorMetric::kInnerProduct, 2, 0}, Case{VectorMetric::kCosine, 1, 0},
                        Case{VectorMetric::kL2, 1, 5}}) {
    Create(Spec(c.metric));
    Put({MakeRecord("x", Axis(0)), MakeRecord("y", Axis(1))});
    const std::vector<RecordHit> hits = Search(Nearest(Axis(0, 2), 10));
    ASSERT_EQ(IdsOf(hits), (std::vector<std::string>{"x", "y"}));
    EXPECT_NEAR(hits[0].score, c.best, 1e-5);
    EXPECT_NEAR(hits[1].score, c.second, 1e-5);
    RecordSearch limited = Nearest(Axis(0, 2), 10);
    limited.score_limit = c.best;
    EXPECT_EQ(IdsOf(Search(limited)), (std::vector<std::string>{"x"}));
    ASSERT_TRUE(records_->DropCollection("c").ok());
  }
  Create(Spec(VectorMetric::kHamming));
  Record x;
  x.id = "x";
  x.vectors[""] = BitVector{0b1011};
  Put({x});
  const std::vector<RecordHit> hits = Search(Nearest(BitVector{0b0001}, 10));
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].score, 2);
}

TEST_F(RecordDatabaseTest, SeveralVectorsAreSearchedByName) {
  RecordCollectionSpec spec = Spec();
  spec.vectors[0].name = "small";
  spec.vectors.push_back(spec.vectors[0]);
  spec.vectors[1].name = "large";
  spec.vectors[1].dimensions = 16;
  spec.sparse = {{"words"}};
  Create(spec);
  Record both;
  both.id = "both";
  both.vectors["small"] = Axis(0);
  both.vectors["large"] = DenseVector(16, 1.0f);
  both.vectors["words"] = SparseVector{{3, 70'000}, {0.5f, 2.0f}};
  Record one;
  one.id = "one";
  one.vectors["small"] = Axis(1);
  one.vectors["words"] = SparseVector{{3}, {1.0f}};
  Record none;
  none.id = "none";
  Put({both, one, none});
  for (int round = 0; round < 2; ++round) {
    RecordSearch search = Nearest(Axis(1), 5);
    search.vector_name = "small";
    EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"one", "both"}));
    search = Nearest(DenseVector(16, 1.0f), 5);
    search.vector_name = "large";
    EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"both"}));
    search = Nearest(SparseVector{{3, 70'000}, {1.0f, 1.0f}}, 5);
    search.vector_name = "words";
    const std::vector<RecordHit> hits = Search(search);
    ASSERT_EQ(IdsOf(hits), (std::vector<std::string>{"both", "one"}));
    EXPECT_DOUBLE_EQ(hits[0].score, 2.5);
    ReadOptions options;
    options.vectors = true;
    EXPECT_EQ(Get({"both"}, options)[0].vectors, both.vectors);
    Reopen();
  }
}

TEST_F(RecordDatabaseTest, TextsAreSearchedByWordsAloneAndBesideVectors) {
  Create();
  const auto text = [](std::string words) { return Payload{{"body", std::move(words)}}; };
  Put({MakeRecord("fox", Axis(0), text("the quick brown fox")),
       MakeRecord("dog", Axis(1), text("a lazy dog sleeps")),
       MakeRecord("both", Axis(2), text("fox and dog")), MakeRecord("none", Axis(3))});
  RecordSearch search;
  search.text = "sleeping dogs";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"dog", "both"}));
    Reopen();
  }
  search.filter = Parsed("has_id(\"both\")");
  EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"both"}));
  search.filter = Filter();
  Put({MakeRecord("dog", Axis(1), text("now about cats"))});
  EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"both"}));
  Delete({"both"});
  EXPECT_TRUE(Search(search).empty());
  search.text = "cats";
  search.vector = Axis(1);
  const std::vector<RecordHit> hits = Search(search);
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].record.id, "dog");
}

TEST_F(RecordDatabaseTest, GroupsHoldTheBestOfEachValue) {
  Create();
  std::vector<Record> records;
  for (int i = 0; i < 60; ++i) {
    DenseVector vector = Axis(0);
    vector[1] = static_cast<float>(i) / 10;
    // One value has the best thirty, so that a narrow search sees nothing else.
    records.push_back(MakeRecord("r" + std::to_string(100 + i), vector,
                                 Of(i < 30 ? "en" : (i % 2 == 0 ? "de" : "fr"), i)));
  }
  records.push_back(MakeRecord("without", Axis(0)));
  Put(std::move(records));
  RecordSearch search = Nearest(Axis(0), 3);
  search.group_by = "lang";
  search.group_size = 2;
  const std::vector<RecordHit> hits = Search(search);
  EXPECT_EQ(IdsOf(hits),
            (std::vector<std::string>{"r100", "r101", "r130", "r132", "r131", "r133"}));
  ASSERT_EQ(hits.size(), 6u);
  EXPECT_EQ(hits[0].group, "\"en\"");
  EXPECT_EQ(hits[2].group, "\"de\"");
}

TEST_F(RecordDatabaseTest, RecommendLeavesTheExamplesOut) {
  Create();
  DenseVector between = Axis(0);
  between[1] = 1;
  Put({MakeRecord("x", Axis(0)), MakeRecord("y", Axis(1)), MakeRecord("xy", between),
       MakeRecord("z", Axis(2))});
  RecommendSearch search;
  search.positive = {"x", "y"};
  search.search.top_k = 2;
  auto hits = records_->Recommend("c", search, {});
  ASSERT_TRUE(hits.ok()) << hits.status().ToString();
  EXPECT_EQ(IdsOf(*hits), (std::vector<std::string>{"xy", "z"}));
  search.positive = {"xy"};
  search.negative = {"x"};
  hits = records_->Recommend("c", search, {});
  ASSERT_TRUE(hits.ok());
  EXPECT_EQ((*hits)[0].record.id, "y");
}

TEST_F(RecordDatabaseTest, ABatchGivesWhatItsSearchesGiveAlone) {
  Create();
  std::mt19937_64 random(5);
  std::vector<Record> records;
  for (int i = 0; i < 300; ++i) {
    records.push_back(MakeRecord(std::to_string(i), RandomDense(&random, 8), Of("en", i)));
  }
  Put(std::move(records));
  std::vector<RecordSearch> searches;
  for (int i = 0; i < 20; ++i) {
    searches.push_back(
        Nearest(RandomDense(&random, 8), 5, "year < " + std::to_string(20 * (i + 1))));
  }
  const auto batch = records_->SearchBatch("c", searches, {});
  ASSERT_TRUE(batch.ok());
  for (size_t i = 0; i < searches.size(); ++i) {
    EXPECT_EQ(IdsOf((*batch)[i]), IdsOf(Search(searches[i])));
  }
}

}  // namespace
}  // namespace ragstone::index
