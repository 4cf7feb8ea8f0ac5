#include "services/handlers/convert.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/reason.h"
#include "ragstone/v1/errors.pb.h"

namespace ragstone::services {
namespace {

TEST(Convert, MetadataOfEveryTypeComesBack) {
  index::Metadata metadata;
  metadata["text"] = std::string("value");
  metadata["number"] = static_cast<int64_t>(7);
  metadata["real"] = 2.5;
  metadata["flag"] = false;
  metadata["time"] = index::Datetime{99};
  metadata["list"] = std::vector<std::string>{};
  v1::Metadata message;
  ToMessage(metadata, &message);
  const auto back = FromMessage(message);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(*back, metadata);
}

TEST(Convert, BadMetadataIsRefusedByName) {
  v1::Metadata message;
  (*message.mutable_entries())["empty"];
  EXPECT_NE(FromMessage(message).status().message().find("empty"), std::string::npos);
  message.Clear();
  (*message.mutable_entries())["nan"].set_double_value(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(FromMessage(message).ok());
  message.Clear();
  (*message.mutable_entries())["long"].set_string_value(std::string(4097, 'x'));
  EXPECT_FALSE(FromMessage(message).ok());
  message.Clear();
  (*message.mutable_entries())[std::string(129, 'n')].set_bool_value(true);
  EXPECT_FALSE(FromMessage(message).ok());
  message.Clear();
  for (int i = 0; i < 65; ++i) (*message.mutable_entries())[std::to_string(i)].set_int_value(i);
  EXPECT_NE(FromMessage(message).status().message().find("64"), std::string::npos);
}

TEST(Convert, PageTokensComeBackOnlyToTheirList) {
  const std::string token = MakePageToken("documents", std::string("a\0\xff", 3));
  EXPECT_EQ(*ReadPageToken("documents", token), std::string("a\0\xff", 3));
  EXPECT_EQ(*ReadPageToken("documents", ""), "");
  for (const std::string& bad : {std::string("documents."), std::string("documents.6"),
                                 std::string("documents.zz"), std::string("x"), token}) {
    EXPECT_EQ(ReadPageToken("jobs", bad).status().reason(), Reason::kInvalidPageToken) << bad;
  }
}

TEST(Convert, PageSizesHaveADefaultAndALimit) {
  EXPECT_EQ(*PageSize(0), 100u);
  EXPECT_EQ(*PageSize(1000), 1000u);
  EXPECT_FALSE(PageSize(1001).ok());
}

TEST(Convert, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(ValidUtf8("a\xff"
                      "b\xc3\xa9"),
            "a\xEF\xBF\xBD"
            "b\xc3\xa9");
}

TEST(Convert, EqualMessagesHaveEqualBytesWhateverTheOrderOfTheirMaps) {
  v1::Metadata first;
  v1::Metadata second;
  for (int i = 0; i < 20; ++i) (*first.mutable_entries())[std::to_string(i)].set_int_value(i);
  for (int i = 19; i >= 0; --i) (*second.mutable_entries())[std::to_string(i)].set_int_value(i);
  EXPECT_EQ(DeterministicBytes(first), DeterministicBytes(second));
}

TEST(Convert, TheWiresReasonsAreThoseOfBase) {
#define RAGSTONE_TEST_REASON(name, number, text)                                                \
  {                                                                                             \
    v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;                                      \
    if (number != 0) {                                                                          \
      EXPECT_TRUE(v1::ErrorReason_Parse(std::string("ERROR_REASON_") + text, &reason)) << text; \
    }                                                                                           \
    EXPECT_EQ(static_cast<int>(reason), number) << text;                                        \
  }
  RAGSTONE_REASONS(RAGSTONE_TEST_REASON)
#undef RAGSTONE_TEST_REASON
  EXPECT_EQ(v1::ErrorReason_ARRAYSIZE, 1 + static_cast<int>(Reason::kFilterInvalid));
}

}  // namespace
}  // namespace ragstone::services
