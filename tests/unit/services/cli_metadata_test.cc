#include <gtest/gtest.h>

#include "services/cli/metadata.h"

namespace ragstone::services::cli {
namespace {

v1::Value ValueOf(const std::vector<std::string>& entries) {
  v1::Metadata metadata;
  const Status status = SetMetadata(entries, &metadata);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(metadata.entries_size(), 1);
  return metadata.entries().empty() ? v1::Value() : metadata.entries().begin()->second;
}

TEST(CliMetadata, ValuesHaveTheTypeTheyLookLike) {
  EXPECT_EQ(ValueOf({"year=2021"}).int_value(), 2021);
  EXPECT_EQ(ValueOf({"n=-3"}).int_value(), -3);
  EXPECT_EQ(ValueOf({"share=0.25"}).double_value(), 0.25);
  EXPECT_EQ(ValueOf({"far=1e300"}).double_value(), 1e300);
  EXPECT_EQ(ValueOf({"draft=true"}).kind_case(), v1::Value::kBoolValue);
  EXPECT_FALSE(ValueOf({"draft=false"}).bool_value());
  EXPECT_EQ(ValueOf({"when=1970-01-02"}).datetime_ns(), 86'400'000'000'000);
  EXPECT_EQ(ValueOf({"when=1970-01-01T00:00:01Z"}).datetime_ns(), 1'000'000'000);
  EXPECT_EQ(ValueOf({"lang=en"}).string_value(), "en");
  EXPECT_EQ(ValueOf({"formula=a=b"}).string_value(), "a=b");
  EXPECT_EQ(ValueOf({"empty="}).kind_case(), v1::Value::kStringValue);
  EXPECT_EQ(ValueOf({"huge=99999999999999999999"}).kind_case(), v1::Value::kDoubleValue);
  EXPECT_EQ(ValueOf({"word=nan"}).string_value(), "nan");
  EXPECT_EQ(ValueOf({"word=inf"}).string_value(), "inf");
}

TEST(CliMetadata, QuotesMakeText) {
  EXPECT_EQ(ValueOf({"zip=\"01234\""}).string_value(), "01234");
  EXPECT_EQ(ValueOf({"mark=\""}).string_value(), "\"");
}

TEST(CliMetadata, ARepeatedNameMakesAList) {
  const v1::Value value = ValueOf({"tags=red", "tags=7", "tags=\"blue\""});
  ASSERT_EQ(value.string_list().values_size(), 3);
  EXPECT_EQ(value.string_list().values(1), "7");
  EXPECT_EQ(value.string_list().values(2), "blue");
}

TEST(CliMetadata, EntriesReplaceThoseOfTheirName) {
  v1::Metadata metadata;
  ASSERT_TRUE(SetMetadata({"a=1", "b=2"}, &metadata).ok());
  ASSERT_TRUE(SetMetadata({"b=x"}, &metadata).ok());
  EXPECT_EQ(metadata.entries().at("a").int_value(), 1);
  EXPECT_EQ(metadata.entries().at("b").string_value(), "x");
}

TEST(CliMetadata, MistakesNameTheEntry) {
  v1::Metadata metadata;
  for (const char* bad : {"year", "=2021", ""}) {
    const Status status = SetMetadata({bad}, &metadata);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("NAME=VALUE"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace ragstone::services::cli
