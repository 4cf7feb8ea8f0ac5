#include "services/logging.h"

#include <gtest/gtest.h>

namespace ragstone::services {
namespace {

TEST(LoggingTest, FieldsAreOneLineThatCanBeReadBack) {
  EXPECT_EQ(FormatFields({{"role", "pdf"}, {"pid", "7"}}), "role=pdf pid=7");
  EXPECT_EQ(FormatFields({{"m", "two words"}}), "m=\"two words\"");
  EXPECT_EQ(FormatFields({{"m", ""}}), "m=\"\"");
  EXPECT_EQ(FormatFields({{"m", "a\"b\\c\nd\x01"}}), "m=\"a\\\"b\\\\c\\nd?\"");
  EXPECT_EQ(FormatFields({{"m", "a=b"}}), "m=\"a=b\"");
}

TEST(LoggingTest, LongValuesAreCut) {
  const std::string line = FormatFields({{"m", std::string(5000, 'x')}});
  EXPECT_LT(line.size(), 1100u);
  EXPECT_TRUE(line.ends_with("…"));
}

TEST(LoggingTest, LevelDecidesWhatIsWritten) {
  SetLogLevel("error");
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
  EXPECT_FALSE(LogEnabled(LogLevel::kWarning));
  SetLogLevel("debug");
  EXPECT_TRUE(LogEnabled(LogLevel::kDebug));
  ::testing::internal::CaptureStderr();
  LogEvent(LogLevel::kInfo, "test.event", {{"n", "1"}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("Z info test.event n=1\n"), std::string::npos) << line;
  SetLogLevel("nonsense");
  EXPECT_TRUE(LogEnabled(LogLevel::kInfo));
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
}

}  // namespace
}  // namespace ragstone::services
