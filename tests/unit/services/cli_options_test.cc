#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "services/cli/options.h"

namespace ragstone::services::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Options Parse(const std::vector<std::string>& args) {
  auto parsed = ParseOptions(args);
  if (auto* end = std::get_if<ParseEnd>(&parsed)) {
    ADD_FAILURE() << end->text;
    return {};
  }
  return std::get<Options>(parsed);
}

ParseEnd End(const std::vector<std::string>& args) {
  auto parsed = ParseOptions(args);
  if (!std::holds_alternative<ParseEnd>(parsed)) {
    ADD_FAILURE() << "parsed as " << std::get<Options>(parsed).command;
    return {.exit_code = -1};
  }
  return std::get<ParseEnd>(parsed);
}

TEST(CliOptions, EverydayCommandsParse) {
  const Options add = Parse({"add", "--collection", "c", "a.pdf", "dir"});
  EXPECT_EQ(add.command, "add");
  EXPECT_EQ(add.collection, "c");
  EXPECT_THAT(add.paths, ElementsAre("a.pdf", "dir"));
  const Options tagged = Parse({"add", "--meta", "year=2021", "--meta=lang=en", "a.pdf"});
  EXPECT_THAT(tagged.metadata, ElementsAre("year=2021", "lang=en"));
  EXPECT_THAT(tagged.paths, ElementsAre("a.pdf"));
  const Options update =
      Parse({"document", "update", "doc-7", "--meta", "n=1", "--unset", "a", "--unset", "b"});
  EXPECT_EQ(update.id, "doc-7");
  EXPECT_THAT(update.unset, ElementsAre("a", "b"));
  const Options alter =
      Parse({"collection", "alter", "c", "--mode", "vector", "--unrelated-cosine", "measured"});
  EXPECT_EQ(alter.mode, "vector");
  EXPECT_EQ(alter.unrelated_cosine, "measured");
  EXPECT_EQ(Parse({"ask", "--filter", "year > 2000", "why"}).filter, "year > 2000");
  EXPECT_EQ(Parse({"document", "list", "--filter=draft"}).filter, "draft");
  const Options search = Parse({"search", "--top-k=3", "--mode", "keyword", "two words"});
  EXPECT_EQ(search.top_k, 3u);
  EXPECT_EQ(search.mode, "keyword");
  EXPECT_EQ(search.collection, "default");
  EXPECT_THAT(search.question, ElementsAre("two words"));
}

TEST(CliOptions, AskTakesFilesOneByOne) {
  const Options ask =
      Parse({"ask", "--file", "a.pdf", "--file", "b.pdf", "why?", "--style", "short"});
  EXPECT_THAT(ask.files, ElementsAre("a.pdf", "b.pdf"));
  EXPECT_THAT(ask.question, ElementsAre("why?"));
  EXPECT_EQ(ask.style, "short");
  EXPECT_THAT(Parse({"ask", "--", "--why?"}).question, ElementsAre("--why?"));
}

TEST(CliOptions, EmptyQuestionsReachTheServer) {
  EXPECT_THAT(Parse({"ask", ""}).question, ElementsAre(""));
}

TEST(CliOptions, NounsHaveVerbs) {
  EXPECT_EQ(Parse({"collection", "create", "c", "--model", "m"}).embedding_model, "m");
  EXPECT_EQ(Parse({"collection", "delete", "c"}).command, "collection delete");
  EXPECT_EQ(Parse({"document", "show", "-c", "x", "id1"}).id, "id1");
  EXPECT_TRUE(Parse({"job", "list", "--active"}).active_only);
  const Options import = Parse({"model", "import", "m.gguf", "--default", "--name", "n"});
  EXPECT_TRUE(import.make_default);
  EXPECT_EQ(import.name, "n");
  EXPECT_THAT(import.paths, ElementsAre("m.gguf"));
}

TEST(CliOptions, SettingsAreFlagsBeforeAndAfterTheCommand) {
  const Options before = Parse({"--data-dir", "/d", "--json", "search", "q"});
  const Options after = Parse({"search", "q", "--json", "--data-dir=/d"});
  for (const Options& options : {before, after}) {
    EXPECT_TRUE(options.json);
    EXPECT_EQ(options.sources.flags.at("data_dir"), "/d");
    EXPECT_EQ(options.sources.flags.size(), 1u);
  }
  EXPECT_EQ(Parse({"collection", "list", "--json"}).json, true);
  EXPECT_EQ(Parse({"serve", "--config", "/c.toml"}).sources.config_file, "/c.toml");
}

TEST(CliOptions, EverySettingIsAFlag) {
  for (const SettingInfo& info : AllSettings()) {
    std::string flag = "--" + std::string(info.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    const Options options = Parse({"serve", flag + "=1"});
    EXPECT_EQ(options.sources.flags.count(std::string(info.name)), 1u) << flag;
    EXPECT_THAT(End({"--help-settings"}).text, HasSubstr(flag + "\n"));
  }
  EXPECT_EQ(Parse({"serve", "--keep-originals"}).sources.flags.at("keep_originals"), "true");
  EXPECT_EQ(Parse({"serve", "--grpc-listen", ""}).sources.flags.at("grpc_listen"), "");
}

TEST(CliOptions, MistakesNameTheNearest) {
  const ParseEnd option = End({"search", "--topk", "3", "q"});
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_THAT(option.text, HasSubstr("unknown option \"--topk\"; did you mean --top-k?"));
  EXPECT_THAT(End({"serch", "q"}).text, HasSubstr("did you mean search?"));
  EXPECT_THAT(End({"collection", "lst"}).text, HasSubstr("did you mean list?"));
  EXPECT_THAT(End({"serve", "--grpc-lisen=1"}).text, HasSubstr("did you mean --grpc-listen?"));
}

TEST(CliOptions, WrongUsageIsExitCodeTwo) {
  EXPECT_EQ(End({}).exit_code, 2);
  EXPECT_EQ(End({"add"}).exit_code, 2);
  EXPECT_EQ(End({"ask"}).exit_code, 2);
  EXPECT_EQ(End({"collection"}).exit_code, 2);
  EXPECT_EQ(End({"search", "--top-k", "0", "q"}).exit_code, 2);
  EXPECT_EQ(End({"search", "--mode", "magic", "q"}).exit_code, 2);
  EXPECT_EQ(End({"collection", "alter", "c", "--unrelated-cosine", "2"}).exit_code, 2);
  EXPECT_EQ(End({"ask", "--file", "a", "--collection", "c", "q"}).exit_code, 2);
  EXPECT_EQ(End({"search", "--data-dir", "/a", "--data-dir", "/b", "q"}).exit_code, 2);
  EXPECT_FALSE(End({"add"}).json);
  EXPECT_TRUE(End({"add", "--json"}).json);
}

TEST(CliOptions, HelpIsShortAndHasExamples) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"--help"}, {"add", "--help"}, {"model", "import", "--help"}, {"job", "--help"}}) {
    const ParseEnd end = End(args);
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_LT(std::count(end.text.begin(), end.text.end(), '\n'), 45) << end.text;
  }
  EXPECT_THAT(End({"--help"}).text, HasSubstr("ragstone ask --file"));
  EXPECT_THAT(End({"add", "--help"}).text, HasSubstr("Example:"));
}

TEST(CliOptions, VersionFlagIsTheVersionCommand) {
  EXPECT_EQ(Parse({"--version"}).command, "version");
}

}  // namespace
}  // namespace ragstone::services::cli
