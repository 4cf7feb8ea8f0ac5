// Writes by filter that match more than fits one write of the store. Covers the groups of
// group_write.cc and record_writes.cc.
#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

class RecordMatchesTest : public RecordsFixture {
 protected:
  static constexpr int kRecords = 25'000;

  void Fill() {
    RecordCollectionSpec spec = Spec();
    spec.vectors[0].dimensions = 2;
    Create(spec);
    for (int begin = 0; begin < kRecords; begin += 5000) {
      std::vector<Record> records;
      for (int i = begin; i < begin + 5000; ++i) {
        records.push_back(MakeRecord("r" + std::to_string(i), {1.0f, static_cast<float>(i)},
                                     {{"year", int64_t{i % 10}}}));
      }
      Put(std::move(records));
    }
  }
};

TEST_F(RecordMatchesTest, ADeletionOfManyTakesAllThatMatchedAndNothingElse) {
  Fill();
  WriteOptions options;
  options.request_id = "delete-many";
  const auto removed = records_->Delete("c", Parsed("year < 9"), options, {});
  ASSERT_TRUE(removed.ok()) << removed.status().ToString();
  EXPECT_EQ(removed->affected, kRecords / 10 * 9u);
  EXPECT_EQ(Count(), kRecords / 10u);
  EXPECT_EQ(Count("year = 9"), kRecords / 10u);
  const auto again = records_->Delete("c", Parsed("year < 9"), options, {});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->affected, removed->affected);
  EXPECT_EQ(again->version, removed->version);
}

// Every changed record matches still: each must be changed once.
TEST_F(RecordMatchesTest, AChangeOfManyIsMadeOnceToEach) {
  Fill();
  PayloadChange change;
  change.set = {{"lang", std::string("en")}};
  const auto changed = records_->UpdatePayload("c", Parsed("year >= 0"), change, {}, {});
  ASSERT_TRUE(changed.ok()) << changed.status().ToString();
  EXPECT_EQ(changed->affected, static_cast<uint64_t>(kRecords));
  EXPECT_EQ(Count("lang = \"en\" and year >= 0"), static_cast<uint64_t>(kRecords));
  EXPECT_EQ(Count(), static_cast<uint64_t>(kRecords));
  Maintain();
  EXPECT_EQ(Rows(Family::kRecord), static_cast<size_t>(kRecords));
}

TEST_F(RecordMatchesTest, LargeRecordsAreChangedInSmallerGroups) {
  constexpr int kLarge = 1200;  // of 32 KiB each
  RecordCollectionSpec spec = Spec();
  spec.vectors[0].dimensions = 8192;
  Create(spec);
  for (int begin = 0; begin < kLarge; begin += 400) {
    std::vector<Record> records;
    for (int i = begin; i < begin + 400; ++i) {
      DenseVector vector(8192, 1.0f);
      vector[static_cast<size_t>(i)] = 2.0f;
      records.push_back(MakeRecord("r" + std::to_string(i), vector, {{"year", int64_t{1}}}));
    }
    Put(std::move(records));
  }
  PayloadChange change;
  change.set = {{"year", int64_t{2}}};
  const auto changed = records_->UpdatePayload("c", Parsed("year = 1"), change, {}, {});
  ASSERT_TRUE(changed.ok()) << changed.status().ToString();
  EXPECT_EQ(changed->affected, static_cast<uint64_t>(kLarge));
  EXPECT_EQ(Count("year = 2"), static_cast<uint64_t>(kLarge));
  std::set<uint64_t> versions;
  for (const Record& record : Scroll("", "", kLarge)) versions.insert(record.version);
  ASSERT_FALSE(versions.empty());
  EXPECT_GT(versions.size(), 1u) << "several writes of the store";
  EXPECT_LE(versions.size(), 5u);
  EXPECT_EQ(*versions.rbegin(), changed->version);
}

TEST_F(RecordMatchesTest, AFilterThatMatchesNothingChangesNothing) {
  Fill();
  const auto removed = records_->Delete("c", Parsed("year > 100"), {}, {});
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->affected, 0u);
  EXPECT_EQ(Count(), static_cast<uint64_t>(kRecords));
}

// Words of a `match` filter have the stems of the collection's language, by the keyword index and,
// where that does not decide, by the text itself.
TEST_F(RecordMatchesTest, WordsMatchByTheStemsOfTheLanguage) {
  RecordCollectionSpec spec = Spec();
  spec.language = "de";
  spec.schema = *Schema::Create({{"body", FieldType::kText},
                                 {"parts", FieldType::kText, true},
                                 {"year", FieldType::kInteger}});
  Create(spec);
  const DenseVector vector(kDimensions, 1.0f);
  Put({MakeRecord("pumps", vector,
                  {{"body", std::string("Die Pumpen wurden entlüftet.")},
                   {"parts", ScalarList{std::string("alte Ventile"), std::string("Dichtungen")}}}),
       MakeRecord("pump", vector, {{"body", std::string("Eine Pumpe, zwei Häuser")}}),
       MakeRecord(
           "valve", vector,
           {{"body", std::string("Das Ventil der Anlage")},
            {"parts", ScalarList{std::string("eine Dichtung"), std::string("alte Rohre")}}})});
  const auto matching = [&](std::string_view filter) {
    std::vector<std::string> ids = IdsOf(Scroll(filter));
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(Count(filter), ids.size()) << filter;
    RecordSearch search = Nearest(vector, 10, filter);
    std::vector<std::string> found = IdsOf(Search(search));
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, ids) << filter;
    return ids;
  };
  using Ids = std::vector<std::string>;
  const auto check = [&] {
    EXPECT_EQ(matching("body match \"Pumpe\""), (Ids{"pump", "pumps"}));
    EXPECT_EQ(matching("body match \"pumpen\" and not body match \"Haus\""), Ids{"pumps"});
    EXPECT_EQ(matching("body match \"Pumpe Häusern\""), Ids{"pump"});
    EXPECT_EQ(matching("body match \"pumping\""), Ids{}) << "that would be English";
    // All words in one element of a list.
    EXPECT_EQ(matching("parts match \"altes Ventil\""), Ids{"pumps"});
    EXPECT_EQ(matching("parts match \"alte Dichtung\""), Ids{});
    EXPECT_EQ(matching("parts match \"Dichtungen\""), (Ids{"pumps", "valve"}));
  };
  check();
  Maintain();
  Reopen();
  check();
  // In English, with other stems.
  spec.language = "en";
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  EXPECT_EQ(matching("body match \"Pumpe\""), Ids{"pump"});
  EXPECT_EQ(matching("body match \"Pumpen\""), Ids{"pumps"});
}

TEST_F(RecordMatchesTest, SearchesAsOfAVersionAreRefusedClearly) {
  RecordCollectionSpec spec = Spec();
  Create(spec);
  const WriteResult written = Put({MakeRecord("a", DenseVector(kDimensions, 1.0f))});
  RecordSearch search = Nearest(DenseVector(kDimensions, 1.0f), 1);
  search.read.as_of = written.version;
  const auto found = records_->Search("c", search, {});
  EXPECT_EQ(found.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(found.status().message().find("as_of is for Get and Scroll"), std::string::npos);
  RecommendSearch recommend;
  recommend.positive = {"a"};
  recommend.search.read.as_of = written.version;
  const auto recommended = records_->Recommend("c", recommend, {});
  EXPECT_EQ(recommended.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(recommended.status().message().find("as_of is for Get and Scroll"), std::string::npos);
}

}  // namespace
}  // namespace ragstone::index
