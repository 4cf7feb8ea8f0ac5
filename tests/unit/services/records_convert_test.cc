// What clients send to VectorService and what becomes of it. Covers records_convert.cc,
// records_convert_filter.cc and records_convert_spec.cc.
#include "services/handlers/records_convert.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <limits>

#include "index/filter/filter_parser.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// A request in protobuf's text format, and what must be said of it.
struct BadCase {
  std::string text;
  Reason reason;
  std::string message;
};

template <typename Message, typename Convert>
void ExpectRefused(const std::vector<BadCase>& cases, Convert convert) {
  for (const BadCase& test : cases) {
    const Status status = convert(Parse<Message>(test.text));
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << test.text;
    EXPECT_EQ(ReasonName(status.reason()), ReasonName(test.reason)) << test.text;
    EXPECT_THAT(status.message(), HasSubstr(test.message)) << test.text;
  }
}

Status Convert(const v1::UpsertRecordsRequest& request) {
  return FromMessage(request.records()).status();
}

TEST(RecordsConvert, ARecordComesBackWithEveryKindOfVectorAndValue) {
  index::Record record;
  record.id = "a";
  record.vectors[""] = index::DenseVector{1, -2.5f};
  record.vectors["bits"] = index::BitVector{0x0f, 0x80};
  record.vectors["words"] = index::SparseVector{{3, 9}, {0.5f, -1}};
  record.payload["keyword"] = std::string("en");
  record.payload["integer"] = int64_t{-7};
  record.payload["float"] = 0.25;
  record.payload["boolean"] = true;
  record.payload["datetime"] = index::Datetime{99};
  record.payload["null"] = index::PayloadValue();
  record.payload["empty"] = index::ScalarList{};
  record.payload["list"] = index::ScalarList{std::string("x"), std::string("y")};
  record.version = 12;
  v1::Record message;
  ToMessage(record, &message);
  EXPECT_EQ(message.version(), 12u);
  const auto back = FromMessage(message, "records[0]");
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->id, record.id);
  EXPECT_EQ(back->vectors, record.vectors);
  EXPECT_EQ(back->payload, record.payload);
  EXPECT_EQ(back->version, 0u);  // not the client's to say
}

// Responses are bounded by what the database counts for their records.
TEST(RecordsConvert, AMessageIsNoLargerThanTheDatabaseCounts) {
  const index::PayloadValue values[] = {
      std::string(),
      std::string(200, 'x'),
      INT64_MIN,
      1e300,
      true,
      index::Datetime{-1},
      index::ScalarList{},
      index::PayloadValue(),
      index::ScalarList(300, index::Scalar(INT64_MIN)),
      index::ScalarList(300, index::Scalar(std::string(20'000, 'x')))};
  const index::Vector vectors[] = {
      index::DenseVector(1, 1.0f), index::DenseVector(8192, 1.0f), index::BitVector(1024, 1),
      index::SparseVector{std::vector<uint32_t>(5000, UINT32_MAX), std::vector<float>(5000, 1.0f)}};
  index::RecordHit hit;
  hit.score = 0.5;
  const auto check = [&hit] {
    v1::SearchRecordsResponse response;
    ToMessage(hit, response.add_hits());
    EXPECT_LE(response.ByteSizeLong(), index::RecordBytes(hit.record));
  };
  check();
  hit.record.id = std::string(256, 'i');
  hit.record.version = UINT64_MAX;
  check();
  for (const index::PayloadValue& value : values) {
    hit.record.payload = {{"n", value}};
    check();
    for (int i = 0; i < 256; ++i) hit.record.payload["n" + std::to_string(i)] = value;
    check();
  }
  for (const index::Vector& vector : vectors) {
    hit.record.vectors.insert_or_assign("v" + std::to_string(hit.record.vectors.size()), vector);
    check();
  }
}

TEST(RecordsConvert, BadRecordsAreRefusedWithTheirPlace) {
  const std::string good = "records { id: 'a' } ";
  const std::string tail = " } }";
  const std::string vector = good + "records { id: 'b' vectors { key: 'title' value { ";
  ExpectRefused<v1::UpsertRecordsRequest>(
      {
          {"", Reason::kInvalidArgument, "records is empty"},
          {vector + "} " + tail, Reason::kInvalidArgument,
           "records[1].vectors[\"title\"] is neither dense nor bits nor sparse"},
          {"records { id: 'a' payload { key: 'score' value { float_value: nan } } }",
           Reason::kInvalidArgument, "records[0].payload[\"score\"] is not a finite number"},
          {"records { id: 'a' payload { key: 'tags' value { list { values { } } } } }",
           Reason::kInvalidArgument, "records[0].payload[\"tags\"][0] has no value"},
          {"records { id: 'a' payload { key: 'tags' value { list { values { list { } } } } } }",
           Reason::kInvalidArgument, "records[0].payload[\"tags\"][0] is a list"},
      },
      Convert);
}

// Limits of records are the database's: what is beyond them reaches it as it was sent.
TEST(RecordsConvert, WhatIsBeyondALimitOfTheDatabaseIsPassedOn) {
  v1::UpsertRecordsRequest request;
  v1::Record* record = request.add_records();
  (*record->mutable_vectors())[""].mutable_dense()->mutable_values()->Resize(8193, 1);
  v1::SparseVector* sparse = (*record->mutable_vectors())["words"].mutable_sparse();
  sparse->add_dimensions(2);
  const auto records = FromMessage(request.records());
  ASSERT_TRUE(records.ok()) << records.status().ToString();
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ((*records)[0].id, "");
  EXPECT_EQ(std::get<index::DenseVector>((*records)[0].vectors.at("")).size(), 8193u);
  const auto& words = std::get<index::SparseVector>((*records)[0].vectors.at("words"));
  EXPECT_EQ(words.dimensions.size(), 1u);
  EXPECT_TRUE(words.weights.empty());
}

TEST(RecordsConvert, WriteOptionsArePassedOn) {
  google::protobuf::RepeatedField<uint64_t> versions;
  versions.Add(0);
  versions.Add(7);
  const index::WriteOptions options = MakeWriteOptions("id", versions);
  EXPECT_EQ(options.request_id, "id");
  EXPECT_EQ(options.if_versions, (std::vector<uint64_t>{0, 7}));
  EXPECT_EQ(CheckRequestId(std::string(129, 'i')).reason(), Reason::kLimitExceeded);
}

constexpr char kSpec[] =
    "name: 'articles' vectors { name: 'title' dimensions: 384 metric: VECTOR_METRIC_L2 "
    "storage: VECTOR_STORAGE_FLOAT16 method: VECTOR_METHOD_HNSW target_recall: 0.9 } "
    "vectors { name: 'bits' dimensions: 64 metric: VECTOR_METRIC_HAMMING } "
    "sparse_vectors { name: 'words' } fields { name: 'year' type: FIELD_TYPE_INTEGER } "
    "fields { name: 'tags' type: FIELD_TYPE_KEYWORD is_list: true unindexed: true } "
    "history_seconds: 60";

TEST(RecordsConvert, ASpecificationComesBackWithItsDefaultsSaid) {
  const auto spec = FromMessage(Parse<v1::RecordCollectionSpec>(kSpec));
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  ASSERT_EQ(spec->vectors.size(), 2u);
  EXPECT_EQ(spec->vectors[0],
            (index::VectorField{"title", 384, index::VectorMetric::kL2,
                                index::VectorStorage::kFloat16, index::VectorMethod::kHnsw, 0.9f}));
  EXPECT_EQ(spec->vectors[1],
            (index::VectorField{"bits", 64, index::VectorMetric::kHamming,
                                index::VectorStorage::kBinary, index::VectorMethod::kAuto, 0.98f}));
  EXPECT_EQ(spec->language, "en");
  EXPECT_EQ(spec->history_seconds, 60u);
  EXPECT_FALSE(spec->schema.Find("tags")->indexed);

  index::RecordCollectionInfo info;
  info.spec = *spec;
  info.records = 3;
  v1::RecordCollection message;
  ToMessage(info, &message);
  const auto back = FromMessage(message.spec());
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->vectors, spec->vectors);
  EXPECT_EQ(back->sparse, spec->sparse);
  EXPECT_EQ(back->schema, spec->schema);
  EXPECT_EQ(message.records(), 3u);
}

TEST(RecordsConvert, BadSpecificationsAreRefusedWithTheirPlace) {
  ExpectRefused<v1::RecordCollectionSpec>(
      {
          {"name: '.hidden'", Reason::kCollectionNameInvalid, "do not begin with '.'"},
          {"fields { name: 'x' }", Reason::kInvalidArgument, "spec.fields[0].type is not given"},
          {"fields { name: '' type: FIELD_TYPE_TEXT }", Reason::kInvalidArgument, "spec.fields"},
          {"fields { name: 'a' type: FIELD_TYPE_TEXT } fields { name: 'a' type: FIELD_TYPE_TEXT }",
           Reason::kInvalidArgument, "spec.fields"},
      },
      [](const v1::RecordCollectionSpec& spec) { return FromMessage(spec).status(); });
  v1::RecordCollectionSpec spec;
  v1::VectorField* field = spec.add_vectors();
  field->set_dimensions(4);
  field->set_metric(static_cast<v1::VectorMetric>(99));
  EXPECT_THAT(FromMessage(spec).status().message(), HasSubstr("metric is 99"));
  field->clear_metric();
  field->set_storage(static_cast<v1::VectorStorage>(99));
  EXPECT_THAT(FromMessage(spec).status().message(), HasSubstr("storage is 99"));
  field->clear_storage();
  field->set_method(static_cast<v1::VectorMethod>(99));
  EXPECT_THAT(FromMessage(spec).status().message(), HasSubstr("method is 99"));
}

TEST(RecordsConvert, FiltersOfBothFormsAreTheSame) {
  // Each in the language, and as a tree.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"lang in (\"en\", \"de\")",
       "one_of { field: 'lang' values { string_value: 'en' } values { string_value: 'de' } }"},
      {"draft = true", "one_of { field: 'draft' values { boolean_value: true } }"},
      {"year >= 2020 and not score < 0.5",
       "all { conditions { range { field: 'year' lower { integer_value: 2020 } } } conditions { "
       "negate { range { field: 'score' upper { float_value: 0.5 } upper_excluded: true } } } }"},
      {"year > 1 or lang exists",
       "any { conditions { range { field: 'year' lower { integer_value: 1 } lower_excluded: true } "
       "} conditions { exists: 'lang' } }"},
      {"lang prefix \"e\"", "prefix { field: 'lang' text: 'e' }"},
      {"lang contains \"n\"", "contains { field: 'lang' text: 'n' }"},
      {"body match \"pump\"", "match { field: 'body' text: 'pump' }"},
      {"has_id (\"a\", \"b\")", "ids { ids: 'a' ids: 'b' }"},
  };
  for (const auto& [expression, tree] : cases) {
    v1::Filter text;
    text.set_expression(expression);
    v1::Filter typed;
    if (!tree.empty()) *typed.mutable_condition() = Parse<v1::Condition>(tree);
    const auto by_text = FromMessage(text, "filter");
    const auto by_tree = FromMessage(typed, "filter");
    ASSERT_TRUE(by_text.ok()) << by_text.status().ToString();
    ASSERT_TRUE(by_tree.ok()) << by_tree.status().ToString();
    EXPECT_EQ(*by_text, *by_tree) << expression << " is not " << index::PrintFilter(*by_tree);
  }
}

TEST(RecordsConvert, BadFiltersAreRefusedWithTheirPlace) {
  ExpectRefused<v1::Filter>(
      {
          {"expression: 'year >='", Reason::kFilterInvalid,
           "query.filter: filter, column 8: expected a value"},
          {"expression: 'a = 1' condition { exists: 'a' }", Reason::kFilterInvalid,
           "query.filter has an expression and a condition"},
          {"condition { }", Reason::kFilterInvalid, "query.filter.condition has no condition"},
          {"condition { all { conditions { exists: 'a' } conditions { } } }",
           Reason::kFilterInvalid, "query.filter.condition.all[1] has no condition"},
          {"condition { negate { } }", Reason::kFilterInvalid,
           "query.filter.condition.negate has no condition"},
          {"condition { one_of { field: 'a' } }", Reason::kFilterInvalid, "is empty"},
          {"condition { one_of { values { integer_value: 1 } } }", Reason::kFilterInvalid,
           "names no field"},
          {"condition { one_of { field: 'a' values { } } }", Reason::kFilterInvalid,
           "query.filter.condition.one_of.values[0] is null or a list"},
          {"condition { one_of { field: 'a' values { float_value: nan } } }",
           Reason::kFilterInvalid, "one_of.values[0] is not a finite number"},
          {"condition { range { field: 'a' } }", Reason::kFilterInvalid, "has no bound"},
          {"condition { range { field: 'a' upper { list { } } } }", Reason::kFilterInvalid,
           "query.filter.condition.range.upper is null or a list"},
          {"condition { ids { } }", Reason::kFilterInvalid,
           "query.filter.condition.ids is empty; give at least one id"},
          {"condition { match { field: 'a' } }", Reason::kFilterInvalid, "empty text"},
      },
      [](const v1::Filter& filter) { return FromMessage(filter, "query.filter").status(); });
}

TEST(RecordsConvert, DeepFiltersAreRefusedByTheirLimit) {
  for (const int levels : {40, 5000}) {
    v1::Filter filter;
    v1::Condition* at = filter.mutable_condition();
    for (int i = 0; i < levels; ++i) at = at->mutable_negate();
    at->set_exists("a");
    EXPECT_EQ(FromMessage(filter, "filter").status().reason(), Reason::kLimitExceeded) << levels;
  }
}

TEST(RecordsConvert, SelectorsSelectSomethingOnPurpose) {
  EXPECT_EQ(std::get<std::vector<std::string>>(
                *FromMessage(Parse<v1::RecordSelector>("ids { ids: 'a' ids: 'b' }"))),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(std::get<index::Filter>(
                *FromMessage(Parse<v1::RecordSelector>("filter { expression: 'draft' }"))),
            *index::ParseFilter("draft"));
  EXPECT_EQ(std::get<index::Filter>(*FromMessage(Parse<v1::RecordSelector>("all: true"))),
            index::Filter());
  ExpectRefused<v1::RecordSelector>(
      {
          {"", Reason::kInvalidArgument, "selector selects nothing"},
          {"all: false", Reason::kInvalidArgument, "selector selects nothing"},
          {"ids { }", Reason::kInvalidArgument, "selector.ids is empty"},
          {"filter { }", Reason::kFilterInvalid, "selector.filter has no condition"},
          {"filter { expression: ' ' }", Reason::kFilterInvalid,
           "selector.filter has no condition"},
          {"filter { expression: ')' }", Reason::kFilterInvalid, "column 1"},
      },
      [](const v1::RecordSelector& selector) { return FromMessage(selector).status(); });
}

TEST(RecordsConvert, AQueryHasDefaultsAndAllItsOptions) {
  const auto defaults = FromMessage(v1::RecordQuery(), "query");
  ASSERT_TRUE(defaults.ok());
  EXPECT_EQ(defaults->top_k, 10u);
  EXPECT_EQ(defaults->group_size, 1u);
  EXPECT_FALSE(defaults->score_limit.has_value());
  EXPECT_TRUE(defaults->read.payload);
  EXPECT_FALSE(defaults->read.vectors);
  const auto all = FromMessage(
      Parse<v1::RecordQuery>(
          "vector_name: 'title' vector { dense { values: [1, 2] } } text: 'oil pump' "
          "text_fields: 'body' filter { expression: 'year = 1' } top_k: 5 score_limit: 0 "
          "group_by: 'lang' group_size: 3 exact: true ef: 200 "
          "read { without_payload: true with_vectors: true as_of: 9 }"),
      "query");
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(all->vector_name, "title");
  EXPECT_EQ(*all->vector, index::Vector(index::DenseVector{1, 2}));
  EXPECT_EQ(all->text, "oil pump");
  EXPECT_EQ(all->fields, std::vector<std::string>{"body"});
  EXPECT_EQ(all->filter, *index::ParseFilter("year = 1"));
  EXPECT_EQ(all->top_k, 5u);
  EXPECT_EQ(all->score_limit, 0.0);
  EXPECT_EQ(all->group_by, "lang");
  EXPECT_EQ(all->group_size, 3u);
  EXPECT_TRUE(all->exact);
  EXPECT_EQ(all->ef, 200u);
  EXPECT_FALSE(all->read.payload);
  EXPECT_TRUE(all->read.vectors);
  EXPECT_EQ(all->read.as_of, 9u);
}

TEST(RecordsConvert, BadQueriesAreRefusedWithTheirPlace) {
  ExpectRefused<v1::RecordQuery>(
      {
          {"vector { }", Reason::kInvalidArgument, "query.vector is neither"},
          {"ef: 10001", Reason::kLimitExceeded, "query.ef is 10001"},
          {"score_limit: nan", Reason::kInvalidArgument, "query.score_limit is not a number"},
          {"text: '" + std::string(32769, 'x') + "'", Reason::kLimitExceeded, "query.text has"},
          {"filter { expression: 'and' }", Reason::kFilterInvalid,
           "query.filter: filter, column 1"},
      },
      [](const v1::RecordQuery& query) { return FromMessage(query, "query").status(); });
}

TEST(RecordsConvert, BatchesAndExamplesAreLimited) {
  v1::SearchRecordBatchRequest batch;
  EXPECT_THAT(FromMessage(batch.queries()).status().message(), HasSubstr("queries is empty"));
  for (int i = 0; i < 11; ++i) batch.add_queries()->set_top_k(10'000);
  EXPECT_THAT(FromMessage(batch.queries()).status().message(),
              HasSubstr("110000 hits together, the limit is 100000"));
  batch.mutable_queries()->RemoveLast();
  EXPECT_EQ(FromMessage(batch.queries())->size(), 10u);
  batch.clear_queries();
  for (int i = 0; i < 1001; ++i) batch.add_queries();
  EXPECT_EQ(FromMessage(batch.queries()).status().reason(), Reason::kLimitExceeded);

  ExpectRefused<v1::RecommendRecordsRequest>(
      {
          {"", Reason::kInvalidArgument, "positive is empty"},
          {"positive: 'a' query { text: 'x' }", Reason::kInvalidArgument, "query has a vector or"},
          {"positive: 'a' query { vector { bits: 'b' } }", Reason::kInvalidArgument,
           "query has a vector or"},
      },
      [](const v1::RecommendRecordsRequest& request) { return FromMessage(request).status(); });
  const auto good = FromMessage(
      Parse<v1::RecommendRecordsRequest>("positive: 'a' negative: 'b' query { top_k: 3 }"));
  ASSERT_TRUE(good.ok()) << good.status().ToString();
  EXPECT_EQ(good->positive, std::vector<std::string>{"a"});
  EXPECT_EQ(good->negative, std::vector<std::string>{"b"});
  EXPECT_EQ(good->search.top_k, 3u);
}

}  // namespace
}  // namespace ragstone::services
