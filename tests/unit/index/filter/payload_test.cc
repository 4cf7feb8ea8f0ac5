// Covers index/filter/payload.cc and index/filter/payload_coding.cc.
#include "index/filter/payload.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ragstone::index {
namespace {

Schema TestSchema() {
  return *Schema::Create({{"year", FieldType::kInteger},
                          {"score", FieldType::kFloat},
                          {"draft", FieldType::kBoolean},
                          {"when", FieldType::kDatetime},
                          {"lang", FieldType::kKeyword},
                          {"body", FieldType::kText},
                          {"tags", FieldType::kKeyword, true},
                          {"marks", FieldType::kFloat, true}});
}

std::string Refusal(Payload payload) {
  const Status status = NormalizePayload(TestSchema(), &payload);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  return status.message();
}

TEST(SchemaTest, FieldsAreFoundByName) {
  const Schema schema = TestSchema();
  ASSERT_NE(schema.Find("year"), nullptr);
  EXPECT_EQ(schema.Find("year")->type, FieldType::kInteger);
  EXPECT_EQ(schema.Find("yea"), nullptr);
  EXPECT_EQ(schema.Find(""), nullptr);
  EXPECT_EQ(Schema().Find("year"), nullptr);
  EXPECT_EQ(schema.Names().front(), "body");
}

TEST(SchemaTest, BadNamesAreRefused) {
  const auto refusal = [](std::vector<FieldSpec> fields) {
    const Result<Schema> schema = Schema::Create(std::move(fields));
    EXPECT_FALSE(schema.ok());
    return schema.status().message();
  };
  EXPECT_EQ(refusal({{"a"}, {"b"}, {"a"}}), "payload field \"a\" is declared twice");
  EXPECT_EQ(refusal({{""}}), "a field name has 1 to 128 bytes, \"\" has 0");
  refusal({{std::string(129, 'x')}});
  refusal({{"a`b"}});
  refusal({{"a\nb"}});
  refusal({{"\xff"}});
  std::vector<FieldSpec> many(257);
  for (size_t i = 0; i < many.size(); ++i) many[i].name = "f" + std::to_string(i);
  EXPECT_EQ(refusal(many), "a collection has at most 256 payload fields, got 257");
}

TEST(PayloadTest, ValuesAreBroughtToTheFieldsTypes) {
  Payload payload = {{"year", int64_t{2020}},
                     {"score", int64_t{3}},
                     {"when", std::string("1970-01-01T00:00:01Z")},
                     {"lang", std::monostate()},
                     {"tags", ScalarList{std::string("a"), std::string("b")}},
                     {"marks", ScalarList{-0.0, int64_t{2}}}};
  ASSERT_TRUE(NormalizePayload(TestSchema(), &payload).ok());
  const Payload expected = {{"year", int64_t{2020}},
                            {"score", 3.0},
                            {"when", Datetime{1'000'000'000}},
                            {"lang", std::monostate()},
                            {"tags", ScalarList{std::string("a"), std::string("b")}},
                            {"marks", ScalarList{0.0, 2.0}}};
  EXPECT_EQ(payload, expected);
  EXPECT_FALSE(std::signbit(std::get<double>(std::get<ScalarList>(payload["marks"])[0])));
}

TEST(PayloadTest, WhatDoesNotFitIsNamed) {
  EXPECT_EQ(Refusal({{"yaer", int64_t{1}}}),
            "the collection has no payload field \"yaer\"; did you mean \"year\"?");
  EXPECT_EQ(Refusal({{"year", std::string("x")}}),
            "payload field \"year\" is an integer, got text: \"x\"");
  EXPECT_EQ(Refusal({{"year", 1.5}}), "payload field \"year\" is an integer, got a float: 1.5");
  EXPECT_EQ(Refusal({{"lang", std::string("\xff")}}),
            "payload field \"lang\" is not valid UTF-8; send text as UTF-8");
  EXPECT_EQ(Refusal({{"lang", std::string(4097, 'x')}}),
            "payload field \"lang\" has 4097 bytes, a keyword may have 4096; shorten it or make "
            "the field a text");
  EXPECT_EQ(Refusal({{"score", std::numeric_limits<double>::quiet_NaN()}}),
            "payload field \"score\" is nan; a float must be finite: leave the field out where "
            "there is no number");
  EXPECT_EQ(Refusal({{"score", (int64_t{1} << 53) + 1}}),
            "payload field \"score\" is a float, and 9007199254740993 has no exact float; make "
            "the field an integer");
  EXPECT_EQ(Refusal({{"tags", std::string("a")}}),
            "payload field \"tags\" is a list of keyword, got one value: \"a\"; send a list of "
            "one");
  EXPECT_EQ(Refusal({{"lang", ScalarList{std::string("a")}}}),
            "payload field \"lang\" is one keyword, got a list of 1; send one value or make the "
            "field a list");
  EXPECT_EQ(Refusal({{"tags", ScalarList{std::string("a"), true}}}),
            "payload field \"tags\" is a keyword, got a boolean: true");
  EXPECT_NE(Refusal({{"when", std::string("today")}}).find("\"today\" is no time"),
            std::string::npos);
  Refusal({{"when", int64_t{5}}});
  EXPECT_NE(Refusal({{"when", Datetime{INT64_MIN}}}).find("no time of the calendar"),
            std::string::npos);
  EXPECT_EQ(Refusal({{"year", Datetime{INT64_MIN}}}),
            "payload field \"year\" is an integer, got a datetime: "
            "\"1677-09-21T00:12:43.145224192Z\"");
  Refusal({{"draft", int64_t{1}}});
  Refusal({{"body", std::string(kTextBytesMax + 1, 'x')}});
  EXPECT_EQ(Refusal({{"tags", ScalarList(4097, Scalar(std::string("a")))}}),
            "payload field \"tags\" has 4097 elements, a list may have 4096");
  const ScalarList large(1000, Scalar(std::string(2000, 'x')));
  EXPECT_EQ(Refusal({{"tags", large}}),
            "the payload has 2000004 bytes, a record may have 1048576; store large texts outside "
            "the payload");
}

TEST(PayloadCodingTest, PayloadsReadBack) {
  const Payload payload = {{"a", std::monostate()},
                           {"b", std::string("täxt\0x", 7)},
                           {"c", int64_t{-5}},
                           {"d", 2.5},
                           {"e", true},
                           {"f", Datetime{INT64_MIN}},
                           {"g", ScalarList{}},
                           {"h", ScalarList{1.5, -1.5}},
                           {"i", ScalarList{false, true}}};
  const Result<Payload> decoded = DecodePayload(EncodePayload(payload));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, payload);
  EXPECT_EQ(*DecodePayload(EncodePayload({})), Payload());
}

TEST(PayloadCodingTest, SchemasReadBack) {
  const Schema schema = *Schema::Create(
      {{"a", FieldType::kText, false, false}, {"b", FieldType::kInteger, true, true}});
  EXPECT_EQ(*DecodeSchema(EncodeSchema(schema)), schema);
}

// Every byte is changed in every bit and every length is cut: the decoder refuses or gives another
// payload that it can write and read again.
template <typename Decode, typename Encode>
void Damage(const std::string& bytes, Decode decode, Encode encode) {
  int refused = 0;
  const auto check = [&](const std::string& damaged) {
    const auto decoded = decode(damaged);
    if (!decoded.ok()) {
      EXPECT_EQ(decoded.status().reason(), Reason::kDataCorrupt);
      ++refused;
      return;
    }
    EXPECT_TRUE(decode(encode(*decoded)).ok());
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      check(damaged);
    }
  }
  const int by_bits = refused;
  EXPECT_GT(by_bits, 0);
  for (size_t size = 0; size < bytes.size(); ++size) check(bytes.substr(0, size));
  EXPECT_EQ(refused, by_bits + static_cast<int>(bytes.size())) << "a cut payload is always refused";
  check(bytes + "x");
  EXPECT_EQ(refused, by_bits + static_cast<int>(bytes.size()) + 1);
}

TEST(PayloadCodingTest, DamagedBytesAreRefused) {
  const Payload payload = {
      {"a", std::string("text")}, {"b", int64_t{300}}, {"c", ScalarList{1.5, 2.5}}, {"d", true}};
  Damage(EncodePayload(payload), DecodePayload, EncodePayload);
  Damage(EncodeSchema(TestSchema()), DecodeSchema, EncodeSchema);
}

}  // namespace
}  // namespace ragstone::index
