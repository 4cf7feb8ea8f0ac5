#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/cli/record_json.h"

namespace ragstone::services::cli {
namespace {

using testing::HasSubstr;

TEST(CliRecordJson, ARecordComesBackAsItWas) {
  const std::string line =
      R"({"id":"a","vectors":{"bits":{"bits":"0f80"},"title":[0.5,-1.25],)"
      R"("words":{"dimensions":[3,70000],"weights":[0.5,-1.0]}},)"
      R"("payload":{"draft":false,"gone":null,"lang":"ä","score":0.1,"tags":["x","y"],)"
      R"("year":-7},"version":0})";
  const auto record = ReadRecordJson(line);
  ASSERT_TRUE(record.ok()) << record.status().ToString();
  EXPECT_EQ(record->vectors().at("bits").bits(), std::string("\x0f\x80"));
  EXPECT_EQ(record->payload().at("year").integer_value(), -7);
  EXPECT_EQ(record->payload().at("gone").kind_case(), v1::PayloadValue::KIND_NOT_SET);
  EXPECT_EQ(RecordJson(*record).dump(), line);
}

TEST(CliRecordJson, TheOnlyVectorNeedsNoName) {
  const auto record = ReadRecordJson(R"({"id":"a","vector":[1,2]})");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->vectors().at("").dense().values_size(), 2);
}

TEST(CliRecordJson, TimesAreWrittenInWords) {
  v1::Record record;
  record.set_id("a");
  (*record.mutable_payload())["created"].set_datetime_ns(1'700'000'000'000'000'000);
  const auto written = [&] { return RecordJson(record)["payload"]["created"].get<std::string>(); };
  EXPECT_EQ(written(), "2023-11-14T22:13:20Z");
  // What is exported can be written again: no digit is lost.
  (*record.mutable_payload())["created"].set_datetime_ns(1'700'000'000'123'456'789);
  EXPECT_EQ(written(), "2023-11-14T22:13:20.123456789Z");
}

TEST(CliRecordJson, BadRecordsAreRefusedByTheirKey) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "this is not JSON"},
      {"[]", "the record is not an object"},
      {"{}", "the record has no id"},
      {R"({"id":7})", "the record.id is not a text"},
      {R"({"id":"a","vektor":[1]})", "the unknown key \"vektor\"; known are: id, vector"},
      {R"({"id":"a","vector":"x"})", "vector is neither a list"},
      {R"({"id":"a","vector":[1,"x"]})", "vector[1] is not a number"},
      {R"({"id":"a","vectors":[1]})", "vectors is not an object"},
      {R"({"id":"a","vectors":{"t":{"bits":"0g"}}})", "vectors[\"t\"].bits is not a text"},
      {R"({"id":"a","vectors":{"t":{"bits":"abc"}}})", "vectors[\"t\"].bits is not a text"},
      {R"({"id":"a","vectors":{"t":{"dimensions":[-1],"weights":[1]}}})",
       "vectors[\"t\"].dimensions[0] is not a whole number"},
      {R"({"id":"a","vectors":{"t":{"dimensions":[1],"weights":["x"]}}})",
       "vectors[\"t\"].weights[0] is not a number"},
      {R"({"id":"a","payload":[]})", "payload is not an object"},
      {R"({"id":"a","payload":{"x":{}}})", "payload[\"x\"] is an object"},
      {R"({"id":"a","payload":{"x":[[1]]}})", "payload[\"x\"][0] is a list in a list"},
      {R"({"id":"a","payload":{"x":9223372036854775808}})", "payload[\"x\"] does not fit"},
  };
  for (const auto& [line, message] : cases) {
    const Status status = ReadRecordJson(line).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(status.message(), HasSubstr(message)) << line;
  }
}

TEST(CliRecordJson, ASpecificationIsReadAndShown) {
  const auto spec = ReadSpecJson(
      R"({"name":"articles","vectors":[{"name":"title","dimensions":384,"metric":"l2",)"
      R"("storage":"float16","method":"hnsw","target_recall":0.5},{"dimensions":2}],)"
      R"("sparse_vectors":["words"],"fields":[{"name":"year","type":"integer"},)"
      R"({"name":"tags","type":"keyword","list":true,"indexed":false}],)"
      R"("language":"de","history_seconds":60})");
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->vectors(0).metric(), v1::VECTOR_METRIC_L2);
  EXPECT_EQ(spec->vectors(0).storage(), v1::VECTOR_STORAGE_FLOAT16);
  EXPECT_EQ(spec->vectors(0).method(), v1::VECTOR_METHOD_HNSW);
  EXPECT_EQ(spec->vectors(1).metric(), v1::VECTOR_METRIC_UNSPECIFIED);
  EXPECT_TRUE(spec->fields(1).is_list());
  EXPECT_TRUE(spec->fields(1).unindexed());
  v1::RecordCollection collection;
  *collection.mutable_spec() = *spec;
  collection.add_index("exact");
  const Json json = RecordCollectionJson(collection);
  EXPECT_EQ(json["vectors"][0].dump(),
            R"({"name":"title","dimensions":384,"metric":"l2","storage":"float16",)"
            R"("method":"hnsw","target_recall":0.5})");
  EXPECT_EQ(json["sparse_vectors"].dump(), R"(["words"])");
  EXPECT_EQ(json["fields"][1].dump(),
            R"({"name":"tags","type":"keyword","list":true,"indexed":false})");
  EXPECT_EQ(json["index"].dump(), R"(["exact"])");
}

TEST(CliRecordJson, BadSpecificationsAreRefusedByTheirKey) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense", "this is not JSON"},
      {R"({"vector":[]})", "the unknown key \"vector\""},
      {R"({"vectors":{}})", "\"vectors\" is not a list"},
      {R"({"vectors":[7]})", "vectors[0] is not an object"},
      {R"({"vectors":[{"dimensions":-1}]})", "vectors[0].dimensions is not a whole number"},
      {R"({"vectors":[{"dimensions":4294967296}]})", "vectors[0].dimensions is not a whole"},
      {R"({"vectors":[{"metric":"cos"}]})",
       "vectors[0].metric is \"cos\"; possible are: inner_product, cosine, l2, hamming"},
      {R"({"vectors":[{"storage":""}]})", "vectors[0].storage is \"\"; possible are"},
      {R"({"vectors":[{"target_recall":"x"}]})", "vectors[0].target_recall is not a number"},
      {R"({"sparse_vectors":[1]})", "sparse_vectors[0] is not a name"},
      {R"({"fields":[{"name":"x","type":"string"}]})", "fields[0].type is \"string\""},
      {R"({"fields":[{"name":"x","list":1}]})", "fields[0].list is not true or false"},
      {R"({"history_seconds":1.5})", "history_seconds is not a whole number"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(ReadSpecJson(text).status().message(), HasSubstr(message)) << text;
  }
}

TEST(CliRecordJson, AVectorOfAQueryIsReadAlone) {
  EXPECT_EQ(ReadVectorJson("[1, 2.5]")->dense().values(1), 2.5f);
  EXPECT_EQ(ReadVectorJson(R"({"bits":"FF"})")->bits(), "\xff");
  EXPECT_FALSE(ReadVectorJson("7").ok());
}

}  // namespace
}  // namespace ragstone::services::cli
