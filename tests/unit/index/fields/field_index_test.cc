// Covers index/internal/fields/field_index.cc, index/internal/fields/field_snapshot.cc and
// index/internal/fields/segment_filter.cc.
#include "index/internal/fields/field_index.h"

#include <gtest/gtest.h>

#include "index/filter/filter_parser.h"
#include "tests/unit/index/fields/fields_fixture.h"

namespace ragstone::index::fields {
namespace {

// Applies random additions, replacements and removals to both.
void Change(RandomFields* random, const Schema& schema, FieldIndex* index, Model* model) {
  std::vector<RowId> removed(random->Below(20));
  for (RowId& row : removed) row = random->MakeRow(500);
  std::map<RowId, Payload> added;
  for (uint64_t i = random->OneIn(4) ? 1 : random->Below(60); i > 0; --i) {
    added[random->MakeRow(500)] = random->MakePayload(schema);
  }
  std::vector<FieldRow> rows;
  for (const auto& [row, payload] : added) rows.push_back({row, &payload});
  index->Apply(removed, rows);
  for (const RowId row : removed) model->erase(row);
  for (auto& [row, payload] : added) (*model)[row] = std::move(payload);
}

void ExpectSame(const FieldSnapshot& snapshot, const Model& model, const Filter& filter) {
  const RowSet expected = MatchingRows(model, filter);
  const RowSet found = FoundRows(snapshot, model, filter);
  ASSERT_EQ(found.ToVector(), expected.ToVector()) << PrintFilter(filter);
}

// Method: random schemas; random writes to the index and to a map of payloads; random filters are
// answered by the index (unsure rows checked by PayloadMatcher) and by looking at every payload.
TEST(FieldIndexTest, FindsTheSameRowsAsLookingAtEachPayload) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFields random(seed);
    const Schema schema = random.MakeSchema();
    FieldIndex index(schema);
    Model model;
    for (int step = 0; step < 30; ++step) {
      Change(&random, schema, &index, &model);
      if (random.OneIn(6)) index.MergeOnce();
      const auto snapshot = index.Snapshot();
      ASSERT_EQ(snapshot->rows(), model.size());
      for (int i = 0; i < 8; ++i) {
        ExpectSame(*snapshot, model, random.MakeFilter(schema, 3));
        if (HasFatalFailure()) return;
      }
    }
  }
}

// The same with segments large enough for cuts and bitmaps, made by merges.
TEST(FieldIndexTest, LargeSegmentsFindTheSameRows) {
  for (uint64_t seed = 100; seed < 104; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFields random(seed);
    const Schema schema = random.MakeSchema();
    FieldIndex index(schema);
    Model model;
    for (RowId row = 0; row < 12'000; ++row) {
      model[row + (row % 3 == 0 ? RowId{1} << 33 : 0)] = random.MakePayload(schema);
    }
    std::vector<FieldRow> rows;
    for (const auto& [row, payload] : model) {
      rows.push_back({row, &payload});
      if (rows.size() < 1000) continue;
      index.Apply({}, rows);
      rows.clear();
    }
    std::vector<RowId> removed;
    for (const auto& [row, payload] : model) {
      if (row % 3 == 1) removed.push_back(row);
    }
    index.Apply(removed, {});
    for (const RowId row : removed) model.erase(row);
    for (int round = 0; round < 2; ++round) {
      const auto snapshot = index.Snapshot();
      ASSERT_EQ(snapshot->rows(), model.size());
      for (int i = 0; i < 25; ++i) {
        ExpectSame(*snapshot, model, random.MakeFilter(schema, 2));
        if (HasFatalFailure()) return;
      }
      while (index.MergeOnce()) {
      }
    }
  }
}

Schema SmallSchema() {
  return *Schema::Create({{"year", FieldType::kInteger},
                          {"lang", FieldType::kKeyword},
                          {"body", FieldType::kText},
                          {"note", FieldType::kKeyword, false, false}});
}

std::vector<RowId> Sure(const FieldSnapshot& snapshot, std::string_view filter) {
  const Filter bound = *BindFilter(snapshot.schema(), *ParseFilter(filter));
  return snapshot.Evaluate(bound, {}).sure.ToVector();
}

std::vector<RowId> Unsure(const FieldSnapshot& snapshot, std::string_view filter) {
  const Filter bound = *BindFilter(snapshot.schema(), *ParseFilter(filter));
  return snapshot.Evaluate(bound, {}).unsure.ToVector();
}

void AddRow(FieldIndex* index, RowId row, const Payload& payload) {
  const FieldRow added = {row, &payload};
  index->Apply({}, {&added, 1});
}

using Rows = std::vector<RowId>;

TEST(FieldIndexTest, WhatTheIndexCannotKnowIsUnsure) {
  FieldIndex index(SmallSchema());
  AddRow(&index, 1, {{"year", int64_t{2020}}, {"body", std::string("a b")}});
  AddRow(&index, 2, {{"year", int64_t{2021}}, {"note", std::string("n")}});
  const auto snapshot = index.Snapshot();
  EXPECT_EQ(Unsure(*snapshot, "note = \"n\""), (Rows{1, 2})) << "no index";
  EXPECT_EQ(Unsure(*snapshot, "body match \"a\""), Rows{1}) << "rows without a text do not match";
  EXPECT_EQ(Unsure(*snapshot, "not body match \"a\""), Rows{1});
  EXPECT_EQ(Sure(*snapshot, "not body match \"a\""), Rows{2});
  EXPECT_EQ(Sure(*snapshot, "year = 2020 or note = \"n\""), Rows{1});
  EXPECT_EQ(Unsure(*snapshot, "year = 2020 or note = \"n\""), Rows{2});
  EXPECT_EQ(Unsure(*snapshot, "year = 2020 and note = \"n\""), Rows{1});
  EXPECT_EQ(Unsure(*snapshot, "year = 2020 and not note = \"n\""), Rows{1});
  EXPECT_EQ(Sure(*snapshot, "body exists"), Rows{1});
}

TEST(FieldIndexTest, ASnapshotStaysAsItWas) {
  FieldIndex index(SmallSchema());
  AddRow(&index, 1, {{"year", int64_t{2020}}});
  const auto before = index.Snapshot();
  AddRow(&index, 1, {{"year", int64_t{2021}}});
  AddRow(&index, 2, {{"year", int64_t{2020}}});
  EXPECT_EQ(Sure(*before, "year = 2020"), Rows{1});
  EXPECT_EQ(Sure(*index.Snapshot(), "year = 2020"), Rows{2});
  EXPECT_EQ(Sure(*index.Snapshot(), "year = 2021"), Rows{1});
  const std::vector<RowId> removed = {1, 2, 7};
  index.Apply(removed, {});
  EXPECT_EQ(index.Snapshot()->rows(), 0u);
  EXPECT_TRUE(index.Snapshot()->segments().empty());
  EXPECT_TRUE(before->Contains(1));
  EXPECT_FALSE(index.Snapshot()->Contains(1));
}

TEST(FieldIndexTest, OfARowAddedTwiceInOneCallTheLastCounts) {
  FieldIndex index(SmallSchema());
  const Payload first = {{"year", int64_t{1}}};
  const Payload second = {{"year", int64_t{2}}};
  const FieldRow rows[] = {{5, &first}, {6, &first}, {5, &second}};
  index.Apply({}, rows);
  EXPECT_EQ(Sure(*index.Snapshot(), "year = 1"), Rows{6});
  EXPECT_EQ(Sure(*index.Snapshot(), "year = 2"), Rows{5});
}

TEST(FieldIndexTest, IdsAreResolvedByTheCaller) {
  FieldIndex index(SmallSchema());
  AddRow(&index, 10, {});
  AddRow(&index, RowId{1} << 40, {});
  const Filter filter = HasId({std::string("a"), uint64_t{3}, std::string("none")});
  const auto resolve = [](const PointId& id) -> std::optional<RowId> {
    if (id == PointId(std::string("a"))) return RowId{1} << 40;
    if (id == PointId(uint64_t{3})) return 10;
    return std::nullopt;
  };
  const auto snapshot = index.Snapshot();
  EXPECT_EQ(snapshot->Evaluate(filter, resolve).sure.ToVector(), (Rows{10, RowId{1} << 40}));
  EXPECT_EQ(snapshot->Evaluate(Not(filter), resolve).sure.ToVector(), Rows{});
  EXPECT_EQ(snapshot->Evaluate(filter, {}).sure.ToVector(), Rows{}) << "there is no row 3";
}

// Merged with later segments, one without a field's column would drop theirs.
TEST(FieldIndexTest, AnIndexOfAnotherSchemaIsRefused) {
  const Schema narrow = *Schema::Create({{"year", FieldType::kInteger}});
  const Schema wide =
      *Schema::Create({{"year", FieldType::kInteger}, {"lang", FieldType::kKeyword}});
  const Schema other = *Schema::Create({{"year", FieldType::kFloat}});
  const Schema unindexed =
      *Schema::Create({{"year", FieldType::kInteger}, {"lang", FieldType::kKeyword, false, false}});
  FieldIndex index(narrow);
  AddRow(&index, 1, {{"year", int64_t{1}}});
  const std::string bytes = index.Snapshot()->Encode();
  EXPECT_TRUE(FieldIndex::Load(narrow, bytes).ok());
  EXPECT_TRUE(FieldIndex::Load(unindexed, bytes).ok());
  EXPECT_EQ(FieldIndex::Load(wide, bytes).status().reason(), Reason::kDataCorrupt);
  EXPECT_EQ(FieldIndex::Load(other, bytes).status().reason(), Reason::kDataCorrupt);
  FieldIndex whole(wide);
  AddRow(&whole, 1, {{"year", int64_t{1}}});
  EXPECT_EQ(FieldIndex::Load(narrow, whole.Snapshot()->Encode()).status().reason(),
            Reason::kDataCorrupt);
}

TEST(FieldIndexTest, KeywordSearchAnswersMatch) {
  FieldIndex index(SmallSchema());
  AddRow(&index, 1, {{"year", int64_t{2020}}, {"body", std::string("red fox")}});
  AddRow(&index, 2, {{"year", int64_t{2020}}, {"body", std::string("dog")}});
  AddRow(&index, RowId{1} << 33, {{"body", std::string("fox")}});
  AddRow(&index, 4, {});
  const Filter fox = Match("body", "fox");
  const auto find = [&](const Filter& filter, bool exact) {
    const auto texts = [&](const Filter& match) -> Result<std::optional<TextRows>> {
      if (match.text != "fox") return std::optional<TextRows>();
      TextRows known;
      // What is gone, or has no text, may be among them.
      for (const RowId row : {RowId{1}, RowId{1} << 33, RowId{4}, RowId{99}}) known.rows.Add(row);
      known.exact = exact;
      return std::optional<TextRows>(std::move(known));
    };
    return *index.Snapshot()->FindMatches(filter, {{}, texts, CallContext()});
  };
  EXPECT_EQ(find(fox, true).sure.ToVector(), (Rows{1, RowId{1} << 33}));
  EXPECT_TRUE(find(fox, true).unsure.empty());
  EXPECT_EQ(find(Not(fox), true).sure.ToVector(), (Rows{2, 4}));
  EXPECT_EQ(find(And({fox, Equals("year", int64_t{2020})}), true).sure.ToVector(), Rows{1});
  EXPECT_TRUE(find(fox, false).sure.empty());
  EXPECT_EQ(find(fox, false).unsure.ToVector(), (Rows{1, RowId{1} << 33}));
  EXPECT_EQ(find(Not(fox), false).unsure.ToVector(), (Rows{1, RowId{1} << 33}));
  EXPECT_EQ(find(Match("body", "dog"), true).unsure.ToVector(), (Rows{1, 2, RowId{1} << 33}));
  const auto fails = [](const Filter&) -> Result<std::optional<TextRows>> {
    return Unavailable(Reason::kShuttingDown, "no");
  };
  EXPECT_EQ(index.Snapshot()->FindMatches(Not(fox), {{}, fails, CallContext()}).status().code(),
            StatusCode::kUnavailable);
}

TEST(FieldIndexTest, EvaluationStopsWithTheCall) {
  FieldIndex index(SmallSchema());
  AddRow(&index, 1, {{"year", int64_t{2020}}});
  // Resolving the id comes first; then each condition looks at the call.
  CallContext context;
  const auto cancel = [&](const PointId&) -> std::optional<RowId> {
    context.flag()->Cancel();
    return 1;
  };
  const Filter filter = Or({HasId({uint64_t{1}}), Equals("year", int64_t{2020})});
  EXPECT_EQ(index.Snapshot()->FindMatches(filter, {cancel, {}, context}).status().code(),
            StatusCode::kCancelled);
}

// Lists make segments that may not grow; the others are merged all the same.
TEST(FieldIndexTest, SegmentsThatAreFullDoNotKeepOthersFromMerging) {
  const Schema schema = *Schema::Create({{"marks", FieldType::kInteger, true}});
  FieldIndex index(schema, {.segment_entries_max = 2000});
  ScalarList long_list;
  for (int64_t i = 0; i < 300; ++i) long_list.emplace_back(i);
  for (RowId row = 0; row < 8; ++row) AddRow(&index, row, {{"marks", long_list}});
  ASSERT_EQ(index.Snapshot()->segments().size(), 8u);
  std::vector<Payload> payloads(64, Payload{{"marks", ScalarList{int64_t{1}}}});
  for (RowId first = 100; first < 900; first += 100) {
    std::vector<FieldRow> rows;
    for (RowId i = 0; i < 64; ++i) rows.push_back({first + i, &payloads[i]});
    index.Apply({}, rows);
  }
  for (RowId row = 1000; row < 1007; ++row) AddRow(&index, row, {{"marks", ScalarList{}}});
  EXPECT_LT(index.Snapshot()->segments().size(), 20u);
  AddRow(&index, 1007, {{"marks", long_list}});
  EXPECT_EQ(index.Snapshot()->rows(), 8u + 512 + 8);
  EXPECT_EQ(index.Snapshot()->Evaluate(Equals("marks", int64_t{299}), {}).sure.Count(), 9u);
}

TEST(FieldIndexTest, SegmentsStayFewAndTheRemovedLeaveThem) {
  FieldIndex index(SmallSchema());
  for (RowId row = 0; row < 3000; ++row) {
    AddRow(&index, row, {{"year", static_cast<int64_t>(row % 7)}});
    ASSERT_LE(index.Snapshot()->segments().size(), 40u);
  }
  std::vector<RowId> removed;
  for (RowId row = 0; row < 3000; row += 2) removed.push_back(row);
  index.Apply(removed, {});
  const std::vector<RowId> before = Sure(*index.Snapshot(), "year = 3");
  while (index.MergeOnce()) {
  }
  EXPECT_EQ(Sure(*index.Snapshot(), "year = 3"), before);
  uint64_t dead = 0;
  for (const SegmentRef& ref : index.Snapshot()->segments()) {
    dead += ref.segment->row_count() - ref.live;
  }
  EXPECT_LT(dead, 1500u);
}

TEST(FieldIndexTest, ALoadedIndexAnswersLikeTheSavedOne) {
  for (uint64_t seed = 200; seed < 210; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomFields random(seed);
    const Schema schema = random.MakeSchema();
    FieldIndex index(schema);
    Model model;
    for (int step = 0; step < 40; ++step) Change(&random, schema, &index, &model);
    const std::string bytes = index.Snapshot()->Encode();
    const auto loaded = FieldIndex::Load(schema, bytes);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ((*loaded)->Snapshot()->Encode(), bytes);
    for (int step = 0; step < 5; ++step) {
      Change(&random, schema, loaded->get(), &model);
      for (int i = 0; i < 10; ++i) {
        ExpectSame(*(*loaded)->Snapshot(), model, random.MakeFilter(schema, 3));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(FieldIndexTest, DamagedBytesAreRefused) {
  RandomFields random(7);
  const Schema schema = SmallSchema();
  FieldIndex index(schema);
  Model model;
  for (int step = 0; step < 5; ++step) Change(&random, schema, &index, &model);
  const std::string bytes = index.Snapshot()->Encode();
  const auto refused = [&schema](const std::string& damaged) {
    const auto loaded = FieldIndex::Load(schema, damaged);
    return !loaded.ok() && loaded.status().reason() == Reason::kDataCorrupt;
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random.Below(8)));
    EXPECT_TRUE(refused(damaged)) << i;
  }
  for (size_t size = 0; size < bytes.size(); size += 7) EXPECT_TRUE(refused(bytes.substr(0, size)));
  EXPECT_TRUE(refused(bytes + "x"));
  EXPECT_FALSE(refused(bytes));
}

}  // namespace
}  // namespace ragstone::index::fields
