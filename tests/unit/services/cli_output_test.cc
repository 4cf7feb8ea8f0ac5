#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "services/cli/output.h"

namespace ragstone::services::cli {
namespace {

struct Captured {
  explicit Captured(Terminal terminal = {}, bool json = false)
      : output(&out, &err, terminal, json) {}
  std::ostringstream out, err;
  Output output;
};

TEST(CliOutput, DataGoesToStdoutAndMessagesToStderr) {
  Captured c;
  c.output.Line("data");
  c.output.Message("message");
  EXPECT_EQ(c.out.str(), "data\n");
  EXPECT_EQ(c.err.str(), "message\n");
}

TEST(CliOutput, WithoutATerminalThereIsNeitherColourNorProgress) {
  Captured c;
  c.output.Progress("50%");
  c.output.Line(c.output.Bold("x"));
  EXPECT_EQ(c.err.str(), "");
  EXPECT_EQ(c.out.str(), "x\n");
}

TEST(CliOutput, ProgressIsReplacedByTheNextMessage) {
  Captured c({.err = true, .width = 20});
  c.output.Progress("50%");
  c.output.Message("failed");
  c.output.Message("again");
  EXPECT_EQ(c.err.str(), "50%\r\x1b[2Kfailed\nagain\n");
}

TEST(CliOutput, ProgressNeverWrapsIntoASecondLine) {
  Captured c({.err = true, .width = 10});
  c.output.Progress("0123456789abcdef");
  EXPECT_EQ(c.err.str(), "01234567…");
}

TEST(CliOutput, ErrorsGoToStderrWithTheirReason) {
  Captured c;
  c.output.Error(NotFound(Reason::kCollectionNotFound, "no collection\x1b[2J \"x\""));
  EXPECT_EQ(c.out.str(), "");
  EXPECT_EQ(c.err.str(), "error: no collection\uFFFD[2J \"x\" (COLLECTION_NOT_FOUND)\n");
}

TEST(CliOutput, JsonErrorsGoToStdout) {
  Captured c({}, true);
  c.output.Error(NotFound(Reason::kCollectionNotFound, "no collection x"));
  EXPECT_EQ(c.out.str(),
            "{\"error\":{\"code\":\"NOT_FOUND\",\"reason\":\"COLLECTION_NOT_FOUND\","
            "\"message\":\"no collection x\"}}\n");
  EXPECT_EQ(c.err.str(), "");
}

TEST(CliOutput, JsonOfForeignBytesIsValidAndSafe) {
  Captured c({}, true);
  c.output.Json({{"path", "a\x1b\xC2\x9B\xFF"}});
  EXPECT_EQ(c.out.str(), "{\"path\":\"a\\u001b\\u009b\uFFFD\"}\n");
}

TEST(CliOutput, AClosedStreamIsNoticed) {
  Captured c;
  EXPECT_TRUE(c.output.ok());
  c.out.setstate(std::ios::badbit);
  EXPECT_FALSE(c.output.ok());
}

}  // namespace
}  // namespace ragstone::services::cli
