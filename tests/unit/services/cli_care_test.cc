// The command lines of backup, restore, verify and purge.
#include <gtest/gtest.h>

#include "services/cli/operation_progress.h"
#include "services/cli/options.h"

namespace ragstone::services::cli {
namespace {

Options Parse(const std::vector<std::string>& args) {
  auto parsed = ParseOptions(args);
  const auto* options = std::get_if<Options>(&parsed);
  EXPECT_NE(options, nullptr) << std::get_if<ParseEnd>(&parsed)->text;
  return options == nullptr ? Options() : *options;
}

int CodeOf(const std::vector<std::string>& args) {
  const auto parsed = ParseOptions(args);
  const auto* end = std::get_if<ParseEnd>(&parsed);
  return end == nullptr ? 0 : end->exit_code;
}

TEST(CliCareTest, ABackupHasADirectoryANameAndANumber) {
  const Options made = Parse({"backup", "/b", "--name", "n", "--keep=3"});
  EXPECT_EQ(made.command, "backup");
  EXPECT_EQ(made.paths, std::vector<std::string>{"/b"});
  EXPECT_EQ(made.name, "n");
  EXPECT_EQ(made.keep, 3u);
  const Options listed = Parse({"backup", "list", "/b"});
  EXPECT_EQ(listed.command, "backup list");
  EXPECT_EQ(listed.paths, std::vector<std::string>{"/b"});
  const Options checked = Parse({"backup", "verify", "/b", "--backup", "7"});
  EXPECT_EQ(checked.command, "backup verify");
  EXPECT_EQ(checked.backup, 7u);
}

TEST(CliCareTest, ARestoreHasADirectoryOfBackups) {
  const Options restore = Parse({"restore", "/b", "--backup", "2", "--force", "--data-dir", "/d"});
  EXPECT_EQ(restore.command, "restore");
  EXPECT_EQ(restore.backup, 2u);
  EXPECT_TRUE(restore.force);
  EXPECT_TRUE(Parse({"verify", "--repair"}).repair);
  EXPECT_EQ(Parse({"purge"}).command, "purge");
}

TEST(CliCareTest, MistakesAreWrongUsage) {
  EXPECT_EQ(CodeOf({"backup", "list"}), 2);
  EXPECT_EQ(CodeOf({"backup", "/b", "/c"}), 2);
  EXPECT_EQ(CodeOf({"backup", "/b", "--keep", "0"}), 2);
  EXPECT_EQ(CodeOf({"restore"}), 2);
  EXPECT_EQ(CodeOf({"restore", "/b", "--backup", "x"}), 2);
  EXPECT_EQ(CodeOf({"verify", "--fix"}), 2);
  EXPECT_EQ(CodeOf({"purge", "all"}), 2);
}

TEST(CliCareTest, StepsAreShownWithBytesWhereTheyAreKnown) {
  EXPECT_EQ(FormatStep("opening", 0, 0), "opening");
  EXPECT_EQ(FormatStep("copying", 1 << 20, 3 << 20), "copying 1.0 MiB of 3.0 MiB");
  EXPECT_EQ(FormatStep("a\x1b[2Jb", 0, 0).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace ragstone::services::cli
