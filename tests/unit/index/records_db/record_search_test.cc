// What searches and reads cost and promise beyond their results. Covers record_search.cc,
// record_groups.cc, text_search.cc, record_filter.cc, record_reads.cc, read_budget.cc and
// search_pool.cc.
#include "index/internal/records_db/record_search.h"

#include <atomic>
#include <set>
#include <thread>

#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/search_pool.h"
#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

class RecordSearchTest : public RecordsFixture {
 protected:
  static DenseVector Axis(size_t axis, float length = 1) {
    DenseVector vector(kDimensions, 0.0f);
    vector[axis] = length;
    return vector;
  }
  static Payload Words(const std::string& body, const std::string& title = "") {
    Payload payload = {{"body", body}};
    if (!title.empty()) payload["title"] = title;
    return payload;
  }
  // Writes records, a thousand at a time.
  void PutAll(std::vector<Record> records) {
    for (size_t begin = 0; begin < records.size(); begin += 1000) {
      const size_t end = std::min(records.size(), begin + 1000);
      Put({std::make_move_iterator(records.begin() + static_cast<ptrdiff_t>(begin)),
           std::make_move_iterator(records.begin() + static_cast<ptrdiff_t>(end))});
    }
  }
  // Of a search of the current state; returns how many rows it looked at for groups.
  size_t GroupedRows(const RecordSearch& search, std::vector<RecordHit>* hits) {
    Search(Nearest(Axis(0), 1));  // loads the indexes
    records::ReadBudget budget;
    const CallContext context;
    records::SearchRun run(
        {static_cast<DatabaseImpl*>(database_.get())->core().store(), context, &budget},
        (*impl().Find("c"))->State(), search);
    const auto found = run.Run();
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    if (found.ok()) *hits = *found;
    return run.grouped_rows();
  }
  // 40 records on an arc, of which every fourth has the word and the later the more.
  void PutArc(float scale) {
    std::vector<Record> records;
    for (int i = 0; i < 40; ++i) {
      const float angle = static_cast<float>(i) * 0.03f;
      DenseVector vector(kDimensions, 0.0f);
      vector[0] = scale * std::cos(angle);
      vector[1] = scale * std::sin(angle);
      std::string body = "a plain text";
      for (int j = 0; i % 4 == 0 && j < i; ++j) body += " pump";
      records.push_back(MakeRecord("r" + std::to_string(i), vector, Words(body)));
    }
    Put(std::move(records));
  }
};

TEST_F(RecordSearchTest, AFewLargeGroupsAreFoundWithoutReadingTheirRows) {
  Create();
  std::mt19937_64 random(3);
  std::vector<Record> records;
  for (int i = 0; i < 4000; ++i) {
    // Near records are all of one group.
    DenseVector vector = RandomDense(&random, kDimensions);
    vector[0] = i < 3990 ? 50 : -50;
    const char* const group = i < 3990 ? "large" : (i < 3995 ? "small" : "other");
    Payload payload = {{"lang", std::string(group)}, {"note", std::string(group)}};
    if (i == 3999) payload = {};
    records.push_back(MakeRecord("r" + std::to_string(i), vector, payload));
  }
  PutAll(std::move(records));
  for (const std::string field : {"lang", "note"}) {  // with an index and without
    RecordSearch search = Nearest(Axis(0), 10);
    search.group_by = field;
    search.group_size = 2;
    std::vector<RecordHit> hits;
    EXPECT_LE(GroupedRows(search, &hits), 200u);
    std::vector<std::string> groups;
    for (const RecordHit& hit : hits) groups.push_back(hit.group);
    const std::set<std::string> later(groups.begin() + 2, groups.end());
    ASSERT_EQ(groups.size(), 6u);
    EXPECT_EQ(groups[0], "\"large\"");
    EXPECT_EQ(groups[1], "\"large\"");
    EXPECT_EQ(later, (std::set<std::string>{"\"small\"", "\"other\""}));
    for (size_t i = 1; i < hits.size(); ++i) {
      if (i % 2 == 0) {
        EXPECT_GE(hits[i - 2].score, hits[i].score);
      } else {
        EXPECT_GE(hits[i - 1].score, hits[i].score);
      }
    }
  }
}

TEST_F(RecordSearchTest, GroupsOfAFilteredSearchAreThoseOfAScan) {
  Create();
  std::mt19937_64 random(4);
  std::vector<Record> records;
  for (int i = 0; i < 600; ++i) {
    records.push_back(MakeRecord("r" + std::to_string(i), RandomDense(&random, kDimensions),
                                 {{"year", int64_t{i % 37}}, {"draft", i % 3 == 0}}));
  }
  Put(std::move(records));
  for (int round = 0; round < 10; ++round) {
    const DenseVector query = RandomDense(&random, kDimensions);
    std::vector<std::pair<std::string, std::string>> wanted;
    std::map<int64_t, int> sizes;
    std::vector<int64_t> order;
    const std::vector<RecordHit> all = Search(Nearest(query, 600, "draft = true"));
    for (const RecordHit& hit : all) {
      const int64_t year = std::get<int64_t>(hit.record.payload.at("year"));
      if (sizes[year]++ == 0) order.push_back(year);
    }
    for (size_t i = 0; i < 30; ++i) {
      int taken = 0;
      for (const RecordHit& hit : all) {
        if (std::get<int64_t>(hit.record.payload.at("year")) != order[i] || taken == 3) continue;
        wanted.emplace_back(std::to_string(order[i]), hit.record.id);
        ++taken;
      }
    }
    RecordSearch search = Nearest(query, 30, "draft = true");
    search.group_by = "year";
    search.group_size = 3;
    std::vector<std::pair<std::string, std::string>> found;
    for (const RecordHit& hit : Search(search)) found.emplace_back(hit.group, hit.record.id);
    EXPECT_EQ(found, wanted);
  }
}

TEST_F(RecordSearchTest, GroupsOfAFusedSearchAreInTheOrderOfItsHits) {
  Create();
  std::vector<Record> records;
  for (int i = 0; i < 300; ++i) {
    DenseVector vector = Axis(0);
    vector[1] = static_cast<float>(i) * 0.01f;
    Payload payload = Words(i % 50 == 7 ? "an oil pump" : "a plain text");
    payload["lang"] = std::string(i < 250 ? "large" : "g" + std::to_string(i % 5));
    records.push_back(MakeRecord("r" + std::to_string(i), vector, payload));
  }
  Put(std::move(records));
  RecordSearch search = Nearest(Axis(0), 300);
  search.text = "pump";
  std::map<std::string, double> best;
  for (const RecordHit& hit : Search(search)) {
    best.try_emplace(std::get<std::string>(hit.record.payload.at("lang")), hit.score);
  }
  search.group_by = "lang";
  search.top_k = 6;
  const std::vector<RecordHit> hits = Search(search);
  ASSERT_EQ(hits.size(), 6u);
  for (size_t i = 0; i < hits.size(); ++i) {
    if (i > 0) {
      EXPECT_GE(hits[i - 1].score, hits[i].score);
    }
    EXPECT_NEAR(hits[i].score, best.at(std::get<std::string>(hits[i].record.payload.at("lang"))),
                1e-6);
  }
}

TEST_F(RecordSearchTest, WhatACallReturnsIsBounded) {
  Create();
  std::vector<Record> records;
  for (int i = 0; i < 60; ++i) {
    Payload payload = {{"tags", ScalarList(250, Scalar(std::string(4000, 'x')))}};
    records.push_back(MakeRecord("r" + std::to_string(10 + i), Axis(i % 8), std::move(payload)));
    if (records.size() == 30) Put(std::exchange(records, {}));
  }
  Put(std::move(records));
  const auto too_large = [](const Status& status) {
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
    EXPECT_EQ(status.reason(), Reason::kLimitExceeded);
    EXPECT_NE(status.message().find("48 MiB"), std::string::npos) << status.message();
  };
  RecordSearch search = Nearest(Axis(0), 60);
  too_large(records_->Search("c", search, {}).status());
  search.top_k = 40;
  EXPECT_EQ(Search(search).size(), 40u);
  const std::vector<RecordSearch> two = {search, search};
  too_large(records_->SearchBatch("c", two, {}).status());  // together
  search.top_k = 60;
  search.read.payload = false;
  EXPECT_EQ(Search(search).size(), 60u);
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) ids.push_back("r" + std::to_string(10 + i));
  too_large(records_->Get("c", ids, {}).status());
  EXPECT_EQ(Get(ids, {false, true}).size(), 60u);
  // A page ends with the record that makes it too long, the next begins after it.
  ReadOptions options;
  options.page_bytes = 3 << 20;
  EXPECT_EQ(Scroll("", "", 100, options).size(), 4u);
  options.page_bytes = 1;
  EXPECT_EQ(IdsOf(Scroll("", "r12", 100, options)), (std::vector<std::string>{"r13"}));
  EXPECT_EQ(IdsOf(Scroll("has_id (\"r20\", \"r30\")", "r20", 100, options)),
            (std::vector<std::string>{"r30"}));
}

TEST_F(RecordSearchTest, GetAndScrollSeeAllOfAWriteOrNothing) {
  Create();
  std::vector<std::string> ids;
  std::vector<Record> first;
  for (int i = 0; i < 300; ++i) {
    ids.push_back("r" + std::to_string(100 + i));
    first.push_back(MakeRecord(ids.back(), Axis(0), {{"year", int64_t{0}}}));
  }
  Put(first);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int64_t round = 1; !stop; ++round) {
      std::vector<Record> next = first;
      for (Record& record : next) record.payload["year"] = round;
      if (!records_->Upsert("c", std::move(next), {}, {}).ok()) break;
    }
  });
  for (int round = 0; round < 50; ++round) {
    for (const std::vector<Record>& read : {Get(ids), Scroll("", "", 1000)}) {
      EXPECT_EQ(read.size(), 300u);
      std::set<uint64_t> versions;
      for (const Record& record : read) versions.insert(record.version);
      EXPECT_EQ(versions.size(), 1u);
    }
  }
  stop = true;
  writer.join();
}

TEST_F(RecordSearchTest, TheBestSumOverFieldsNeedNotLeadInAnyField) {
  RecordCollectionSpec spec = Spec();
  spec.schema = *Schema::Create({{"body", FieldType::kText}, {"title", FieldType::kText}});
  Create(spec);
  const std::string filler = " and then some more words";
  std::vector<Record> records = {
      MakeRecord("a", Axis(0), Words("pump pump pump pump pump pump", "nothing" + filler)),
      MakeRecord("b", Axis(0), Words("nothing" + filler, "pump pump pump pump pump pump")),
      MakeRecord("c", Axis(0), Words("pump pump pump" + filler, "pump pump pump" + filler))};
  for (int i = 0; i < 20; ++i) {
    records.push_back(MakeRecord("x" + std::to_string(i), Axis(1), Words("other", "text")));
  }
  Put(std::move(records));
  RecordSearch search;
  search.text = "pump";
  search.top_k = 3;
  EXPECT_EQ(IdsOf(Search(search))[0], "c");
  search.top_k = 1;
  EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"c"}));
}

TEST_F(RecordSearchTest, FusionDoesNotDependOnTheScaleOfVectors) {
  for (const VectorMetric metric :
       {VectorMetric::kL2, VectorMetric::kInnerProduct, VectorMetric::kCosine}) {
    std::vector<std::vector<RecordHit>> found;
    for (const float scale : {1.0f, 0.015625f, 1024.0f}) {
      Create(Spec(metric));
      PutArc(scale);
      RecordSearch search = Nearest(Axis(0, scale), 40);
      search.text = "pump";
      found.push_back(Search(search));
      ASSERT_TRUE(records_->DropCollection("c").ok());
    }
    for (size_t i = 1; i < found.size(); ++i) {
      EXPECT_EQ(IdsOf(found[i]), IdsOf(found[0])) << static_cast<int>(metric);
      for (size_t j = 0; j < found[0].size(); ++j) {
        EXPECT_NEAR(found[i][j].score, found[0][j].score, 1e-4) << static_cast<int>(metric);
      }
    }
    // Both halves count: the words bring later records of the arc before earlier ones.
    EXPECT_NE(IdsOf(found[0])[0], "r39");
    EXPECT_GT(found[0][0].score, found[0].back().score + 0.2);
  }
}

TEST_F(RecordSearchTest, ExamplesOfAnyLengthCountTheSameUnderCosine) {
  Create();
  DenseVector between = Axis(0);
  between[1] = 1;
  DenseVector near_long = Axis(0);
  near_long[1] = 0.1f;
  Put({MakeRecord("short", Axis(0, 0.01f)), MakeRecord("long", Axis(1, 100)),
       MakeRecord("between", between), MakeRecord("near", near_long),
       MakeRecord("against", Axis(0, -3)), MakeRecord("twice", Axis(0, 7))});
  RecommendSearch search;
  search.positive = {"short", "long"};
  search.search.top_k = 1;
  const auto hits = records_->Recommend("c", search, {});
  ASSERT_TRUE(hits.ok()) << hits.status().ToString();
  EXPECT_EQ(IdsOf(*hits), (std::vector<std::string>{"between"}));
  search.positive = {"twice", "against"};
  const Status cancelled = records_->Recommend("c", search, {}).status();
  EXPECT_EQ(cancelled.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(cancelled.message().find("examples"), std::string::npos) << cancelled.message();
}

TEST_F(RecordSearchTest, TinyVectorsAreFoundUnderCosineAndPoisonNothing) {
  for (const VectorStorage storage : {VectorStorage::kFloat32, VectorStorage::kInt8}) {
    RecordCollectionSpec spec = Spec();
    spec.vectors[0].storage = storage;
    Create(spec);
    Put({MakeRecord("tiny", Axis(0, 1e-40f)), MakeRecord("one", Axis(1)),
         MakeRecord("huge", Axis(2, 1e15f))});
    for (size_t axis = 0; axis < 3; ++axis) {
      const std::vector<RecordHit> hits = Search(Nearest(Axis(axis, 1e-41f), 3));
      ASSERT_EQ(hits.size(), 3u);
      EXPECT_EQ(hits[0].record.id, (std::vector<std::string>{"tiny", "one", "huge"})[axis]);
      EXPECT_NEAR(hits[0].score, 1, 1e-4);
      for (const RecordHit& hit : hits) EXPECT_TRUE(std::isfinite(hit.score));
    }
    ASSERT_TRUE(records_->DropCollection("c").ok());
  }
}

TEST_F(RecordSearchTest, ABatchNamesTheSearchThatIsWrong) {
  Create();
  Put({MakeRecord("a", Axis(0))});
  std::vector<RecordSearch> searches(5, Nearest(Axis(0), 1));
  searches[3].filter = Equals("yeer", int64_t{1});
  const Status status = records_->SearchBatch("c", searches, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.reason(), Reason::kFilterInvalid);
  EXPECT_NE(status.message().find("search 3: "), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("year"), std::string::npos) << status.message();
}

TEST_F(RecordSearchTest, WhatIsWrittenWithACollectionIsThereOrNot) {
  Batch with;
  with.Put(Table::kRequests, "create", "1");
  ASSERT_TRUE(records_->CreateCollection(Spec(), std::move(with)).ok());
  Batch again;
  again.Put(Table::kRequests, "again", "1");
  EXPECT_FALSE(records_->CreateCollection(Spec(), std::move(again)).ok());
  Batch drop;
  drop.Put(Table::kRequests, "drop", "1");
  ASSERT_TRUE(records_->DropCollection("c", std::move(drop)).ok());
  Reopen();
  EXPECT_TRUE(database_->Get(Table::kRequests, "create")->has_value());
  EXPECT_TRUE(database_->Get(Table::kRequests, "drop")->has_value());
  EXPECT_FALSE(database_->Get(Table::kRequests, "again")->has_value());
}

TEST(SortsMatchesTest, OnlyWhereTheWholeScrollReadsFewerRows) {
  using records::SortsMatches;
  EXPECT_TRUE(SortsMatches(10, 1000, 100));
  EXPECT_FALSE(SortsMatches(200, 1000, 1000));
  // Of many pages each would read all matches again.
  EXPECT_TRUE(SortsMatches(100'000, 1'000'000, 100'000));
  EXPECT_FALSE(SortsMatches(100'000, 1'000'000, 100));
  EXPECT_TRUE(SortsMatches(0, 1, 1));
}

TEST(SearchPoolTest, DoesEveryPieceOnceForAllCallersWithFewThreads) {
  records::SearchPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> now{0}, most{0}, wrong{0};
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (size_t count : {size_t{0}, size_t{1}, size_t{100}}) {
        std::vector<std::atomic<int>> done(count);
        pool.Run(count, [&](size_t i) {
          const int running = ++now;
          for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
          }
          std::this_thread::yield();
          ++done[i];
          --now;
        });
        for (const std::atomic<int>& times : done) wrong += times == 1 ? 0 : 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(most, 8 + 2);  // the callers and the pool's own
}

}  // namespace
}  // namespace ragstone::index
