#include "index/internal/keywords/merge.h"

#include "tests/unit/index/keywords/keyword_fixture.h"

namespace ragstone::index::keywords {
namespace {

class MergeTest : public KeywordIndexTest {
 protected:
  std::string Stored(const std::string& key) {
    return store_->Get(Family::kPosting, key).value().value_or("");
  }
  void Store(const std::string& key, const std::string& value) {
    StoreBatch batch(store_.get());
    batch.Put(Family::kPosting, key, value);
    ASSERT_TRUE(store_->Write(&batch, false).ok());
  }
  // A run of these rows, which all hold the text.
  std::shared_ptr<const Segment> Run(const std::vector<RowId>& rows, const std::string& text) {
    RunBuilder run;
    const std::string_view view = text;
    for (const RowId row : rows) EXPECT_TRUE(run.Add(row, {&view, 1}).ok());
    StoreBatch batch(store_.get());
    index_->Put(run, &batch);
    EXPECT_TRUE(store_->Write(&batch, false).ok());
    const Segment::Spec spec{store_.get(), cache_.get(), IndexName{3, 1}, rows[0], true, 0};
    return std::make_shared<Segment>(spec, run.rows());
  }
  Result<std::optional<RowTable>> Merged(const std::vector<MergeInput>& inputs) {
    return WriteMerged(store_.get(), IndexName{3, 1}, 900, inputs, [] { return false; });
  }
  std::shared_ptr<const Segment> Made(const RowTable& rows) {
    const Segment::Spec spec{store_.get(), cache_.get(), IndexName{3, 1}, 900, false, 0};
    return std::make_shared<Segment>(spec, rows);
  }
};

// The last list is damaged, so that a merge fails after it has written others.
TEST_F(MergeTest, FailuresAgainAndAgainLeaveNothing) {
  std::mt19937 random(4);
  std::vector<std::string> texts(120);
  for (std::string& text : texts) {
    for (int word = 0; word < 120; ++word) {
      for (int i = 0; i < 70; ++i) text += static_cast<char>('b' + random() % 8);
      text += ' ';
    }
  }
  Add(texts);
  for (int i = 0; i < 8; ++i) Add({"apple zebra"});
  const RowId last = Add({"apple zebra"});
  const std::string key = SegmentKey({3, 1}, KeyKind::kRun, last);
  const std::string whole = Stored(key);
  Store(key, whole.substr(0, whole.size() - 1));
  const size_t keys = Keys();
  const std::atomic<bool> stop{false};
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(index_->Compact(model_).reason(), Reason::kDataCorrupt);
    EXPECT_EQ(Keys(), keys) << "what was written before the failure stays";
  }
  EXPECT_EQ(*ids_->Take(), 2u) << "a number for each failure";
  Store(key, whole);
  Open();
  ASSERT_TRUE(index_->Compact(model_).ok());
  EXPECT_EQ(index_->segments(), 1u);
  EXPECT_EQ(Rows("zebra").size(), 9u);
}

TEST_F(MergeTest, RowsThatAlternateBetweenInputsComeInOrder) {
  std::vector<RowId> even;
  std::vector<RowId> third;
  std::vector<RowId> rest;
  std::vector<RowRange> dead;
  for (RowId row = 1; row <= 20'000; ++row) {
    (row % 3 == 0 ? third : row % 2 == 0 ? even : rest).push_back(row);
    if (row % 7 == 0) AppendRow(row, &dead);
  }
  const auto table = Merged({{Run(third, "apple apple pear"), dead},
                             {Run(even, "apple fig fig fig"), dead},
                             {Run(rest, "apple"), dead}});
  ASSERT_TRUE(table.ok() && table->has_value());
  EXPECT_EQ((*table)->size(), 20'000u - 20'000 / 7);
  const auto made = Made(**table);
  std::vector<Posting> postings;
  (*made->Find("appl"))->list.DecodeAll(&postings);
  ASSERT_EQ(postings.size(), (*table)->size());
  for (uint32_t i = 0; i < postings.size(); ++i) {
    const RowId row = (*table)->row(i);
    ASSERT_EQ(postings[i].ordinal, i);
    ASSERT_EQ(postings[i].frequency, row % 3 == 0 ? 2u : 1u) << row;
    ASSERT_NE(row % 7, 0u);
  }
  EXPECT_TRUE(made->Positions("appl", 2).ok());
  // Even, no multiple of 3, and of the rest no multiple of 7.
  EXPECT_EQ((*made->Find("fig"))->list.count(), 20'000u / 2 - 20'000 / 6 - 20'000 / 14 + 476);
}

// No more than one part of a list is read at a time.
TEST_F(MergeTest, LongListsAreReadPartByPart) {
  std::vector<MergeInput> inputs;
  for (RowId first : {1u, 10'001u, 20'001u}) {
    std::vector<RowId> rows(8000);
    for (RowId& row : rows) row = first++;
    inputs.push_back({Run(rows, "apple pear"), {}});
  }
  const auto table = Merged(inputs);
  ASSERT_TRUE(table.ok() && table->has_value());
  const auto made = Made(**table);
  const auto terms = made->Terms();
  ASSERT_TRUE(terms.ok());
  std::map<std::string, std::vector<uint32_t>> parts;
  while ((*terms)->Valid()) {
    parts[std::string((*terms)->term())].push_back((*terms)->list().count());
    EXPECT_EQ((*terms)->positions().empty(), !HasPositions((*terms)->term()));
    ASSERT_TRUE((*terms)->Next().ok());
  }
  const std::vector<uint32_t> sizes = {kPartPostings, kPartPostings, 24'000 - 2 * kPartPostings};
  EXPECT_EQ(parts["appl"], sizes);
  EXPECT_EQ(parts["pear"], sizes);
}

TEST_F(MergeTest, MissingPartsAndRowsInTwoSegmentsAreDamage) {
  std::vector<RowId> rows(kPartPostings);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = i + 1;
  const auto first = Run(rows, "apple");
  for (RowId& row : rows) row += 10'000;
  const auto second = Run(rows, "apple");
  const auto again = Run({10'005}, "apple");
  EXPECT_EQ(Merged({{second, {}}, {again, {}}}).status().reason(), Reason::kDataCorrupt);
  const auto table = Merged({{first, {}}, {second, {}}});
  ASSERT_TRUE(table.ok() && table->has_value());
  const auto made = Made(**table);
  const auto merge_again = [&] {
    return WriteMerged(store_.get(), {3, 1}, 901, {{made, {}}}, [] { return false; }).status();
  };
  EXPECT_TRUE(merge_again().ok());
  for (const KeyKind kind : {KeyKind::kList, KeyKind::kPositions}) {
    const std::string key = PartKey(SegmentKey({3, 1}, kind, 900), "appl", 0);
    const std::string whole = Stored(key);
    StoreBatch batch(store_.get());
    batch.Delete(Family::kPosting, key);
    ASSERT_TRUE(store_->Write(&batch, false).ok());
    EXPECT_EQ(merge_again().reason(), Reason::kDataCorrupt);
    Store(key, whole);
  }
  EXPECT_TRUE(merge_again().ok());
}

}  // namespace
}  // namespace ragstone::index::keywords
