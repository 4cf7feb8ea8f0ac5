// Covers keyword_index.cc, keyword_index_segments.cc, scorer.cc, segment.cc and run.cc.
#include "index/internal/keywords/keyword_index.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/index/keywords/keyword_fixture.h"

namespace ragstone::index::keywords {
namespace {

// Adds, kills, merges and reopens at random; every search must give what an exhaustive BM25 gives.
TEST_F(KeywordIndexTest, SearchIsExactUnderChangesMergesAndFilters) {
  for (const uint32_t seed : {1u, 2u, 3u}) {
    std::mt19937 random(seed);
    for (int step = 0; step < 40; ++step) {
      std::vector<std::string> texts(1 + random() % 250);
      for (std::string& text : texts) text = RandomText(1 + random() % 60, &random);
      Add(texts);
      for (int i = 0; i < 60; ++i) {
        auto it = model_.rows.lower_bound(100 + random() % (next_ - 100));
        if (it != model_.rows.end() && it->second.to == UINT64_MAX) model_.Kill(it->first);
      }
      if (random() % 3 == 0) Merge();
      if (random() % 8 == 0) Open();
      const std::string text = RandomText(1 + random() % 8, &random);
      const size_t limit = 1 + random() % 30;
      ExpectSame(Search(text, limit).top,
                 Exhaustive(model_, text, model_.position_, [](RowId) { return true; }), limit);
      if (step % 4 != 0) continue;
      // With candidates, a test of each row, and rows whose scores are wanted.
      std::vector<RowRange> candidates;
      for (RowId row = 100; row < next_; row += 1 + random() % 200) {
        candidates.push_back({row, 1 + random() % 40});
        row += candidates.back().count;
      }
      const std::function<bool(RowId)> accept = [](RowId row) { return row % 3 != 1; };
      const auto both = [&](RowId row) {
        return accept(row) && std::any_of(candidates.begin(), candidates.end(), [&](RowRange r) {
                 return row >= r.first && row < r.first + r.count;
               });
      };
      const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
      Query query{text, view.get(), limit, &candidates, &accept, false, {}};
      for (int i = 0; i < 20; ++i) query.wanted.push_back(100 + random() % (next_ - 100));
      std::sort(query.wanted.begin(), query.wanted.end());
      query.wanted.erase(std::unique(query.wanted.begin(), query.wanted.end()), query.wanted.end());
      const Found found = Run(query);
      ExpectSame(found.top, Exhaustive(model_, text, model_.position_, both), limit);
      std::vector<ScoredRow> wanted = Exhaustive(model_, text, model_.position_, [&](RowId row) {
        return std::binary_search(query.wanted.begin(), query.wanted.end(), row);
      });
      std::sort(wanted.begin(), wanted.end(),
                [](const ScoredRow& a, const ScoredRow& b) { return a.row < b.row; });
      ExpectSame(found.wanted, wanted, wanted.size());
    }
  }
}

TEST_F(KeywordIndexTest, LongListsOverManyPartsAreExact) {
  std::mt19937 random(11);
  for (int run = 0; run < 12; ++run) {
    std::vector<std::string> texts(2000);
    for (std::string& text : texts) text = "all " + RandomText(1 + random() % 12, &random);
    Add(texts);
  }
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(index_->segments(), 1u);
  for (const std::string text : {"all", "w1 w2 w30", "w5 all w900 w2"}) {
    ExpectSame(Search(text, 25).top,
               Exhaustive(model_, text, model_.position_, [](RowId) { return true; }), 25);
  }
  EXPECT_EQ(Rows("\"all w3\"").size(), 1000u);
}

TEST_F(KeywordIndexTest, OldViewsSeeWhatTheySawWhileMergesGoOn) {
  std::mt19937 random(12);
  std::vector<std::string> texts(300);
  for (std::string& text : texts) text = RandomText(20, &random);
  for (int i = 0; i < 5; ++i) Add(texts);
  const std::unique_ptr<RowView> old = std::move(model_.Now()).value();
  const auto expected = [&] {
    return Exhaustive(model_, "w2 w3", old->position(), [](RowId) { return true; });
  };
  const Query query{"w2 w3", old.get(), 20, nullptr, nullptr, false, {}};
  ExpectSame(Run(query).top, expected(), 20);
  for (int i = 0; i < 10; ++i) Add(texts);
  for (RowId row = 100; row < 600; row += 2) model_.Kill(row);
  ExpectSame(Run(query).top, expected(), 20);
  while (Merge()) {
  }
  EXPECT_LT(index_->segments(), 8u);
  ExpectSame(Run(query).top, expected(), 20);
  const std::string text = "w2 w3";
  ExpectSame(Search(text, 20).top,
             Exhaustive(model_, text, model_.position_, [](RowId) { return true; }), 20);
}

// Calls back in the middle of a search's or merge's way through the segments.
class InterruptingView : public RowView {
 public:
  InterruptingView(const RowView* view, std::function<void()> interrupt)
      : view_(view), interrupt_(std::move(interrupt)) {}
  std::vector<RowRange> Hidden(std::span<const RowRange> rows) const override {
    interrupt_();
    return view_->Hidden(rows);
  }
  uint64_t position() const override { return view_->position(); }
  uint64_t epoch() const override { return view_->epoch(); }

 private:
  const RowView* const view_;
  const std::function<void()> interrupt_;
};

class InterruptingKeeper : public RowKeeper {
 public:
  InterruptingKeeper(const RowKeeper* keeper, std::function<void()> interrupt)
      : keeper_(keeper), interrupt_(std::move(interrupt)) {}
  Result<std::unique_ptr<RowView>> Now() const override { return keeper_->Now(); }
  std::vector<RowRange> Dead(std::span<const RowRange> rows) const override {
    return keeper_->Dead(rows);
  }
  bool Settled(std::span<const RowRange> rows) const override {
    interrupt_();
    return keeper_->Settled(rows);
  }

 private:
  const RowKeeper* const keeper_;
  const std::function<void()> interrupt_;
};

TEST_F(KeywordIndexTest, RunsThatComeMeanwhileChangeNoSearchOrMergeThatRuns) {
  for (int i = 0; i < 6; ++i) Add({"apple", "apple pear"});
  std::vector<RowId> expected = Rows("apple");
  std::sort(expected.begin(), expected.end());
  ASSERT_EQ(expected.size(), 12u);
  const auto add = [&] {
    for (int i = 0; i < 4; ++i) Add({"apple fig"});
  };
  {
    const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
    const InterruptingView interrupting(view.get(), add);
    std::vector<RowId> rows;
    for (const ScoredRow& row :
         Run({"apple", &interrupting, 100, nullptr, nullptr, false, {}}).top) {
      rows.push_back(row.row);
    }
    std::sort(rows.begin(), rows.end());
    EXPECT_EQ(rows, expected);
  }
  const size_t before = index_->segments();
  ASSERT_EQ(before, 30u);
  const InterruptingKeeper keeper(&model_, add);
  const std::atomic<bool> stop{false};
  EXPECT_TRUE(*index_->Maintain(keeper, stop));
  EXPECT_EQ(index_->segments(), 1 + 4 * before);  // what was merged, and the runs that came
  EXPECT_EQ(Rows("apple").size(), 12u + 24 + 4 * before);
}

TEST_F(KeywordIndexTest, RunThatIsLoadedBeforeItIsAddedIsThereOnce) {
  model_.rows[next_].text = "apple";
  RunBuilder run = index_->NewRun();
  const std::string_view text = "apple";
  ASSERT_TRUE(run.Add(next_, {&text, 1}).ok());
  StoreBatch batch(store_.get());
  index_->Put(run, &batch);
  ASSERT_TRUE(store_->Write(&batch, false).ok());
  EXPECT_TRUE(Rows("apple").empty());  // loads the run, which is not published
  index_->Added(run);
  model_.Publish(next_);
  EXPECT_EQ(index_->segments(), 1u);
  EXPECT_EQ(Rows("apple"), std::vector<RowId>{next_});
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(Rows("apple"), std::vector<RowId>{next_});
}

TEST_F(KeywordIndexTest, WhatASearchReadsIsRemovedOnceItEnds) {
  for (int i = 0; i < 9; ++i) Add({"apple pear", "apple fig"});
  bool merged = false;
  const std::function<bool(RowId)> merge = [&](RowId) {
    merged = merged || Merge();
    return true;
  };
  const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
  const Query query{"apple \"apple pear\"", view.get(), 100, nullptr, &merge, false, {}};
  EXPECT_EQ(Run(query).top.size(), 18u);
  EXPECT_TRUE(merged);
  EXPECT_EQ(index_->segments(), 1u);
  EXPECT_TRUE(index_->WaitsForReaders());
  const size_t both = Keys();
  EXPECT_FALSE(Merge());
  EXPECT_FALSE(index_->WaitsForReaders());
  EXPECT_EQ(Keys(), both - 9);
  EXPECT_EQ(Rows("apple").size(), 18u);
}

TEST_F(KeywordIndexTest, UnpublishedRowsAreNeitherSeenNorMerged) {
  const RowId lost = Add({"apple pear", "apple"}, /*publish=*/false);
  for (int i = 0; i < 9; ++i) Add({"apple fig"});
  EXPECT_EQ(Rows("apple").size(), 9u);
  EXPECT_TRUE(Rows("pear").empty());
  EXPECT_TRUE(Merge());
  EXPECT_EQ(Rows("apple").size(), 9u);
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(index_->segments(), 2u);
  StoreBatch batch(store_.get());
  index_->Remove(lost, &batch);
  ASSERT_TRUE(store_->Write(&batch, false).ok());
  index_->Removed(lost);
  EXPECT_EQ(index_->segments(), 1u);
}

TEST_F(KeywordIndexTest, CompactionLeavesNothingOfDeadRows) {
  Add({"alpha secretword", "beta"});
  const RowId dead = next_;
  Add({"alpha plantedbytes42 ERR-77/x"});
  for (RowId row = dead; row < dead + 1; ++row) model_.Kill(row);
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(index_->segments(), 1u);
  const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kPosting);
  for (it->Seek(""); it->Valid(); it->Next()) {
    EXPECT_EQ(std::string(it->key()).find("planted"), std::string::npos);
    EXPECT_EQ(std::string(it->value()).find("planted"), std::string::npos);
    EXPECT_EQ(std::string(it->key()).find("err-77"), std::string::npos);
  }
  model_.Kill(100);
  model_.Kill(101);
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(Keys(), 0u);
  EXPECT_TRUE(Rows("alpha").empty());
}

TEST_F(KeywordIndexTest, DeadSegmentsAreWrittenAnewByThemselves) {
  for (int i = 0; i < 9; ++i) Add(std::vector<std::string>(50, "apple pear"));
  while (Merge()) {
  }
  const size_t segments = index_->segments();
  const RowId last = next_;
  for (RowId row = 100; row < last; row += 2) {
    if (model_.rows.count(row) > 0) model_.Kill(row);
  }
  const std::vector<RowId> expected = Rows("pear");
  EXPECT_TRUE(Merge());
  while (Merge()) {
  }
  EXPECT_EQ(index_->segments(), segments);
  EXPECT_EQ(Rows("pear"), expected);
}

// A process that dies between two steps of a merge leaves the new segment's lists without its table
// of rows, or the old segments' lists without theirs.
TEST_F(KeywordIndexTest, CrashBetweenMergeStepsLosesAndDoublesNothing) {
  for (int i = 0; i < 3; ++i) Add({"apple \"pear\" x" + std::to_string(i), "apple"});
  const std::vector<RowId> expected = Rows("apple");
  const size_t keys = Keys();
  ASSERT_EQ(expected.size(), 6u);

  // Cut off before the new segment was published.
  Segment::Spec spec{store_.get(), cache_.get(), IndexName{3, 1}, 100, /*run=*/true, 0};
  RowTable rows;
  rows.Append(100, 3);
  rows.Append(101, 1);
  const auto run = std::make_shared<Segment>(spec, rows);
  ASSERT_TRUE(
      WriteMerged(store_.get(), IndexName{3, 1}, 900, {{run, {}}}, [] { return false; }).ok());
  EXPECT_GT(Keys(), keys);
  Open();
  EXPECT_EQ(Rows("apple"), expected);
  EXPECT_EQ(Keys(), keys);

  // Cut off after it, before the old lists were removed.
  ASSERT_TRUE(index_->Compact(model_).ok());
  const size_t merged_keys = Keys();
  StoreBatch batch(store_.get());
  batch.Put(Family::kPosting, SegmentKey({3, 1}, KeyKind::kRun, 100), "left over");
  batch.Put(Family::kPosting, PartKey(SegmentKey({3, 1}, KeyKind::kPositions, 7), "appl", 0),
            "left over");
  ASSERT_TRUE(store_->Write(&batch, false).ok());
  Open();
  EXPECT_EQ(Rows("apple"), expected);
  EXPECT_EQ(Keys(), merged_keys);
}

// Runs that are searched stay in memory as far as the cache has room for them.
TEST_F(KeywordIndexTest, SearchedRunsKeepWithinTheCache) {
  cache_ = std::make_unique<ListCache>(64 << 10);
  index_ = std::make_unique<KeywordIndex>(Shared{store_.get(), ids_.get(), cache_.get(), &work_},
                                          IndexName{3, 1}, Language());
  std::mt19937 random(5);
  for (int run = 0; run < 20; ++run) {
    std::vector<std::string> texts(20);
    for (std::string& text : texts) text = RandomText(80, &random) + "apple";
    Add(texts);
    EXPECT_EQ(Rows("apple").size(), 20u * static_cast<size_t>(run + 1));
    EXPECT_EQ(Rows("\"apple pear\"").size(), 20u * static_cast<size_t>(run + 1));
    EXPECT_LE(cache_->bytes(), 64u << 10);
  }
  EXPECT_GT(cache_->bytes(), 0u);
}

TEST_F(KeywordIndexTest, StoppedMergeLeavesNothing) {
  for (int i = 0; i < 9; ++i) Add({"apple pear"});
  EXPECT_EQ(Rows("apple").size(), 9u);
  const size_t keys = Keys();
  const std::atomic<bool> stop{true};
  EXPECT_FALSE(*index_->Maintain(model_, stop));
  EXPECT_EQ(Keys(), keys);
  EXPECT_EQ(Rows("apple").size(), 9u);
  index_->Drop();
  EXPECT_FALSE(Merge());
}

TEST_F(KeywordIndexTest, PhrasesNeedTheirWordsInOrder) {
  const RowId first = Add({"the connection was refused by peer", "refused connection",
                           "connection refused: connection refused", "connections refusing"});
  for (int round = 0; round < 2; ++round) {
    const std::vector<ScoredRow> hits = Search("\"connection refused\"").top;
    ASSERT_EQ(hits.size(), 4u);
    EXPECT_EQ(hits[0].row, first + 2);  // twice
    EXPECT_EQ(hits[1].row, first + 3);  // by stems
    const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
    Query query{
        "why \xe2\x80\x9c"
        "connection refused\xe2\x80\x9d",
        view.get(),
        10,
        nullptr,
        nullptr,
        true,
        {}};
    const std::vector<ScoredRow> only = Run(query).top;
    ASSERT_EQ(only.size(), 2u);
    query.text = "\"was refused by\" \"connection was\"";
    ASSERT_EQ(Run(query).top.size(), 1u);
    EXPECT_EQ(Run(query).top[0].row, first);
    query.text = "\"peer by\"";
    EXPECT_TRUE(Run(query).top.empty());
    ASSERT_TRUE(index_->Compact(model_).ok());
  }
}

TEST_F(KeywordIndexTest, PhrasesDoNotSpanTextsOfARow) {
  RunBuilder run = index_->NewRun();
  const std::array<std::string_view, 2> texts = {"alpha beta", "gamma delta"};
  ASSERT_TRUE(run.Add(next_, texts).ok());
  model_.rows[next_].text = "alpha beta gamma delta";
  StoreBatch batch(store_.get());
  index_->Put(run, &batch);
  ASSERT_TRUE(store_->Write(&batch, false).ok());
  index_->Added(run);
  model_.Publish(next_);
  const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
  Query query{"\"beta gamma\"", view.get(), 10, nullptr, nullptr, true, {}};
  EXPECT_TRUE(Run(query).top.empty());
  query.text = "\"gamma delta\"";
  EXPECT_EQ(Run(query).top.size(), 1u);
}

TEST_F(KeywordIndexTest, PrefixesFindWordsAsTheyAreWritten) {
  const RowId a = Add(
      {"replication lag", "replicas fell behind", "the reply came", "ERR-4012 seen", "err-4100"});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Rows("replication*"), std::vector<RowId>{a});
    EXPECT_EQ(Rows("replic*").size(), 2u);
    EXPECT_EQ(Rows("repl*").size(), 3u);
    EXPECT_EQ(Rows("ERR-40*"), std::vector<RowId>{a + 3});
    EXPECT_EQ(Rows("ERR-4*").size(), 2u);
    EXPECT_TRUE(Rows("lagging*").empty());
    EXPECT_TRUE(Rows("r*").empty());  // too short: a word "r"
    ASSERT_TRUE(index_->Compact(model_).ok());
  }
}

TEST_F(KeywordIndexTest, IdsPathsAndAddressesAreFoundWholeAndByParts) {
  const RowId a =
      Add({"src: /10.0.0.12:50010 dest", "10.0.0.13:50010", "open /var/log/x.log failed",
           "/var/log/y.log", "code=ERR-4012;", "ERR-4013 and 4012 and ERR",
           "block blk_-1608999687919862906 terminating", "blk_16089996",
           "id=550e8400-e29b-41d4-a716-446655440000", "org.apache.hadoop.hdfs.DataNode"});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Rows("10.0.0.12:50010")[0], a);
    EXPECT_EQ(Rows("10.0.0.12"), std::vector<RowId>{a});
    EXPECT_EQ(Rows("50010").size(), 2u);
    EXPECT_EQ(Rows("/var/log/x.log")[0], a + 2);
    EXPECT_EQ(Rows("x.log")[0], a + 2);
    EXPECT_EQ(Rows("ERR-4012")[0], a + 4);
    EXPECT_EQ(Rows("blk_-1608999687919862906")[0], a + 6);
    EXPECT_EQ(Rows("1608999687919862906"), std::vector<RowId>{a + 6});
    EXPECT_EQ(Rows("blk").size(), 2u);
    EXPECT_EQ(Rows("550e8400-e29b-41d4-a716-446655440000"), std::vector<RowId>{a + 8});
    EXPECT_EQ(Rows("hadoop"), std::vector<RowId>{a + 9});
    ASSERT_TRUE(index_->Compact(model_).ok());
  }
}

TEST_F(KeywordIndexTest, LanguageOfTheIndexStemsRowsAndQueries) {
  Open("de");
  const RowId a = Add({"Die H\xc3\xa4user am See", "ein Haus"});
  EXPECT_EQ(Rows("haus").size(), 2u);
  EXPECT_EQ(Rows("H\xc3\x84USER").size(), 2u);
  EXPECT_EQ(Rows("am"), std::vector<RowId>{a});
}

TEST_F(KeywordIndexTest, WeightsAreThoseOfTheRowsSeen) {
  Add({"apple pear", "apple", "fig"});
  const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
  const auto weights = index_->WeighTerms("Apples and pear", *view);
  ASSERT_TRUE(weights.ok());
  ASSERT_EQ(weights->size(), 3u);
  EXPECT_EQ((*weights)[0], std::make_pair(std::string("apples"), Bm25Idf(3, 2)));
  EXPECT_EQ((*weights)[1].second, Bm25Idf(3, 0));
  EXPECT_EQ((*weights)[2].second, Bm25Idf(3, 1));
}

TEST_F(KeywordIndexTest, NothingToFindIsNoError) {
  EXPECT_TRUE(Rows("anything").empty());
  Add({"apple"});
  EXPECT_TRUE(Rows("").empty());
  EXPECT_TRUE(Rows("\"").empty());
  EXPECT_TRUE(Rows("* ** \"\" \"a\"").empty());
  EXPECT_TRUE(Search("apple", 0).top.empty());
  CallContext cancelled;
  cancelled.flag()->Cancel();
  const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
  const Query query{"apple", view.get(), 5, nullptr, nullptr, false, {}};
  EXPECT_EQ(index_->Search(query, cancelled).status().code(), StatusCode::kCancelled);
}

TEST_F(KeywordIndexTest, DamagedKeysAndValuesAreReportedNotUsed) {
  for (int i = 0; i < 3; ++i) Add({"apple pear fig", "apple pear"});
  ASSERT_TRUE(index_->Compact(model_).ok());
  std::vector<std::pair<std::string, std::string>> stored;
  {
    const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kPosting);
    for (it->Seek(""); it->Valid(); it->Next()) stored.emplace_back(it->key(), it->value());
  }
  for (const auto& [key, value] : stored) {
    StoreBatch damage(store_.get());
    damage.Put(Family::kPosting, key, value.substr(0, value.size() - 1));
    ASSERT_TRUE(store_->Write(&damage, false).ok());
    Open();
    const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
    const Query query{"\"apple pear fig\" apple*", view.get(), 5, nullptr, nullptr, false, {}};
    EXPECT_EQ(index_->Search(query, CallContext()).status().reason(), Reason::kDataCorrupt);
    StoreBatch repair(store_.get());
    repair.Put(Family::kPosting, key, value);
    ASSERT_TRUE(store_->Write(&repair, false).ok());
  }
  Open();
  EXPECT_EQ(Rows("apple").size(), 6u);
}

}  // namespace
}  // namespace ragstone::index::keywords
