#include "index/internal/fields/field_segment.h"

#include <gtest/gtest.h>

namespace ragstone::index::fields {
namespace {

Schema TestSchema() {
  return *Schema::Create({{"year", FieldType::kInteger},
                          {"body", FieldType::kText},
                          {"tags", FieldType::kKeyword, true},
                          {"plain", FieldType::kKeyword, false, false}});
}

SegmentRef RefOf(const Schema& schema, const std::map<uint32_t, Payload>& payloads,
                 std::shared_ptr<const Roaring> dead) {
  std::vector<FieldSegment::Row> rows;
  for (const auto& [low, payload] : payloads) rows.push_back({low, &payload});
  SegmentRef ref = {FieldSegment::Build(schema, 7, rows), std::move(dead), 0};
  ref.live = ref.segment->row_count() - (ref.dead == nullptr ? 0 : ref.dead->cardinality());
  return ref;
}

TEST(FieldSegmentTest, OnlyIndexedFieldsHaveColumns) {
  const SegmentRef ref = RefOf(TestSchema(), {{1, {{"plain", std::string("x")}}}}, nullptr);
  EXPECT_EQ(ref.segment->Find("plain"), nullptr);
  ASSERT_NE(ref.segment->Find("year"), nullptr);
  EXPECT_TRUE(ref.segment->Find("year")->exists().isEmpty());
  EXPECT_EQ(ref.segment->row_count(), 1u);
}

TEST(FieldSegmentTest, MergesLeaveTheDeadOut) {
  const Schema schema = TestSchema();
  const Payload a = {{"year", int64_t{1}},
                     {"body", std::string("t")},
                     {"tags", ScalarList{std::string("x"), std::string("y"), std::string("x")}}};
  const Payload b = {{"year", int64_t{2}}, {"tags", ScalarList{std::string("y")}}};
  const auto dead = std::make_shared<const Roaring>(Roaring::bitmapOf(1, 2));
  const SegmentRef refs[] = {RefOf(schema, {{1, a}, {2, a}}, dead),
                             RefOf(schema, {{2, b}}, nullptr)};
  const auto merged = FieldSegment::Merge(schema, refs);
  EXPECT_EQ(merged->high(), 7u);
  EXPECT_TRUE(merged->rows() == Roaring::bitmapOf(2, 1, 2));
  const Column& tags = *merged->Find("tags");
  ASSERT_EQ(tags.values(), 2u);
  EXPECT_TRUE(tags.postings().Union(0, 1) == Roaring::bitmapOf(1, 1));
  EXPECT_TRUE(tags.postings().Union(1, 2) == Roaring::bitmapOf(2, 1, 2));
  EXPECT_TRUE(merged->Find("body")->exists() == Roaring::bitmapOf(1, 1));
  EXPECT_EQ(merged->EntriesMax(), 3u);
}

TEST(FieldSegmentTest, AFieldThatOneSegmentDoesNotKnowIsLeftOut) {
  const Schema narrow = *Schema::Create({{"year", FieldType::kInteger}});
  const Payload payload = {{"year", int64_t{1}}};
  const SegmentRef refs[] = {RefOf(narrow, {{1, payload}}, nullptr),
                             RefOf(TestSchema(), {{2, payload}}, nullptr)};
  const auto merged = FieldSegment::Merge(TestSchema(), refs);
  EXPECT_NE(merged->Find("year"), nullptr);
  EXPECT_EQ(merged->Find("tags"), nullptr);
}

TEST(FieldSegmentTest, EncodedSegmentsReadBackAndCutOnesAreRefused) {
  const Payload payload = {{"year", int64_t{1}}, {"body", std::string("t")}};
  const SegmentRef ref = RefOf(TestSchema(), {{1, payload}, {9, payload}}, nullptr);
  const std::string bytes = ref.segment->Encode();
  const auto decoded = FieldSegment::Decode(bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ((*decoded)->Encode(), bytes);
  EXPECT_EQ((*decoded)->high(), 7u);
  EXPECT_GT((*decoded)->MemoryBytes(), 0u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(FieldSegment::Decode(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace ragstone::index::fields
