// Keys and values of record collections: record_keys.cc, record_coding.cc, stored_spec.cc.
#include "index/internal/records_db/record_coding.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "index/internal/keys.h"

namespace ragstone::index::records {
namespace {

StoredSpec Stored() {
  RecordCollectionSpec spec;
  spec.name = "c";
  spec.vectors = {{"dense", 3}, {"bits", 12, VectorMetric::kHamming, VectorStorage::kBinary}};
  spec.sparse = {{"sparse"}};
  spec.schema = *Schema::Create({{"lang"}, {"body", FieldType::kText}});
  spec.history_seconds = 60;
  return NewStoredSpec(7, 123, spec);
}

Record Full() {
  Record record;
  record.id = std::string("a\0b", 3);
  record.version = 9;
  record.vectors["dense"] = DenseVector{1, -2, 3.5f};
  record.vectors["bits"] = BitVector{0xff, 0x0f};
  record.vectors["sparse"] = SparseVector{{0, 5, 4'000'000'000}, {1, -1, 0.5f}};
  record.payload["lang"] = std::string("en");
  return record;
}

TEST(RecordKeysTest, IdsKeepTheirOrderInKeysAndNewerVersionsComeFirst) {
  const std::vector<std::string> ids = {
      "a", std::string("a\0", 2), std::string("a\0b", 3), "a\x01", "ab", "b", "\xc3\xa4"};
  std::vector<std::string> keys;
  for (const std::string& id : ids) {
    keys.push_back(IdKey(1, id, 20));
    keys.push_back(IdKey(1, id, 10));
    const auto parts = DecodeIdKey(keys.back());
    ASSERT_TRUE(parts.ok());
    EXPECT_EQ(parts->id, id);
    EXPECT_EQ(parts->version, 10u);
  }
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_LT(keys.back(), IdKey(2, "", 0));
  EXPECT_FALSE(DecodeIdKey("short").ok());
}

TEST(RecordKeysTest, OtherKeysGiveTheirPartsBack) {
  EXPECT_EQ(*DecodeRowKey(RowKey(3, 77)), 77u);
  const auto gone = DecodeGoneKey(GoneKey(3, 5, 77));
  ASSERT_TRUE(gone.ok());
  EXPECT_EQ(gone->gone_at, 5u);
  EXPECT_EQ(gone->row, 77u);
  const std::string key = RequestTimeKey(3, 99, "id");
  const auto request = DecodeRequestTimeKey(key);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->time_ns, 99);
  EXPECT_EQ(request->request_id, "id");
  EXPECT_FALSE(DecodeRowKey("x").ok());
  EXPECT_FALSE(DecodeGoneKey("x").ok());
}

TEST(RecordCodingTest, RowsGiveBackWhatWasEncoded) {
  const StoredSpec stored = Stored();
  std::string bytes = EncodeRow(Full());
  Result<Record> row = DecodeRow(stored, 1, bytes, {});
  ASSERT_TRUE(row.ok()) << row.status().ToString();
  EXPECT_EQ(row->id, Full().id);
  EXPECT_EQ(row->vectors, Full().vectors);
  EXPECT_EQ(row->payload, Full().payload);
  EXPECT_EQ(row->version, 9u);
  SetRowVersion(1'000'000, &bytes);
  EXPECT_EQ(DecodeRow(stored, 1, bytes, {})->version, 1'000'000u);
  EXPECT_TRUE(DecodeRow(stored, 1, bytes, {false, false})->payload.empty());
  EXPECT_EQ(**DecodeRowVector(stored, 1, bytes, "bits"), Full().vectors["bits"]);
  EXPECT_FALSE(DecodeRowVector(stored, 1, bytes, "none")->has_value());
}

TEST(RecordCodingTest, RowsFromBeforeAFieldDoNotHaveIt) {
  StoredSpec stored = Stored();
  stored.first_rows[FieldKey("lang")] = 5;
  stored.first_rows[VectorKey("dense")] = 5;
  const std::string bytes = EncodeRow(Full());
  EXPECT_TRUE(DecodeRow(stored, 4, bytes, {})->payload.empty());
  EXPECT_EQ(DecodeRow(stored, 4, bytes, {})->vectors.size(), 2u);
  EXPECT_FALSE(DecodeRowVector(stored, 4, bytes, "dense")->has_value());
  EXPECT_EQ(DecodeRow(stored, 5, bytes, {})->vectors.size(), 3u);
}

TEST(RecordCodingTest, CutValuesAreRefused) {
  const StoredSpec stored = Stored();
  const auto cut = [](const std::string& whole, const auto& decode) {
    EXPECT_TRUE(decode(whole).ok());
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(decode(whole.substr(0, length)).ok()) << length;
    }
    std::string other = whole;
    other[0] = 2;  // a format from the future
    EXPECT_FALSE(decode(other).ok());
  };
  cut(EncodeRow(Full()), [&](const std::string& b) { return DecodeRow(stored, 1, b, {}); });
  cut(EncodeIdRow(5), [](const std::string& b) { return DecodeIdRow(b); });
  cut(EncodeGoneRow({"a", 1, 2, true}), [](const std::string& b) { return DecodeGoneRow(b); });
  cut(EncodeRecordState({1, 2, 3, 4}), [](const std::string& b) { return DecodeRecordState(b); });
  cut(EncodeRequest({1, 2, EncodeWriteResult({3, 4})}),
      [](const std::string& b) -> Result<WriteResult> {
        ASSIGN_OR_RETURN(const RequestOutcome request, DecodeRequest(b));
        return DecodeWriteResult(request.outcome);
      });
  cut(EncodeStoredSpec(stored), [](const std::string& b) { return DecodeStoredSpec(b); });
}

TEST(StoredSpecTest, GivesBackWhatWasEncoded) {
  const StoredSpec stored = Stored();
  const Result<StoredSpec> read = DecodeStoredSpec(EncodeStoredSpec(stored));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->id, 7u);
  EXPECT_EQ(read->created_ns, 123);
  EXPECT_EQ(read->spec.name, "c");
  EXPECT_EQ(read->spec.vectors, stored.spec.vectors);
  EXPECT_EQ(read->spec.sparse, stored.spec.sparse);
  EXPECT_EQ(read->spec.schema, stored.spec.schema);
  EXPECT_EQ(read->spec.language, "en");
  EXPECT_EQ(read->spec.history_seconds, 60u);
  EXPECT_EQ(read->first_rows, stored.first_rows);
  EXPECT_EQ(read->text_numbers, stored.text_numbers);
  EXPECT_EQ(read->next_text_number, stored.next_text_number);
}

TEST(StoredSpecTest, NumbersOfTextFieldsAreNeverGivenTwice) {
  StoredSpec stored = Stored();
  const uint16_t first = stored.text_numbers.at("body");
  RecordCollectionSpec spec = stored.spec;
  spec.schema = *Schema::Create({{"lang"}});
  stored = *AlteredSpec(stored, spec, 10);
  EXPECT_TRUE(stored.text_numbers.empty());
  spec.schema = *Schema::Create({{"body", FieldType::kText}});
  stored = *AlteredSpec(stored, spec, 20);
  EXPECT_GT(stored.text_numbers.at("body"), first);
  EXPECT_FALSE(stored.HasField("body", 19));
  EXPECT_TRUE(stored.HasField("body", 20));
}

}  // namespace
}  // namespace ragstone::index::records
